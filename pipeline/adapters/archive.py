"""Zip files of one exact shape: written the same each time, read only when they are byte for byte of that shape.

Stored entries, one fixed time, no extra fields, no gaps: an archive of this shape cannot hide, expand, overlap or be
two things at once (threats T37, M14), and no compressor's version can change its bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline.adapters.descriptors import FILE, kind_of, naming, opened
from pipeline.errors import InputError
from pipeline.ports import path_fault, show_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Archive", "open_archive", "staged_archive", "write_archive"]

MAX_ENTRIES = 20_000
MAX_BYTES = 2**32 - 2
_TIME = (1980, 1, 1, 0, 0, 0)
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_UTF8 = 0x800
_MADE, _NEEDED, _WHEN = 0x0314, 20, [0, 0x21]  # what zipfile writes for Unix, stored, 1980-01-01
_REGULAR = (stat.S_IFREG | 0o644) << 16
_CHUNK = 1024 * 1024
_MEND = "peça o pacote original; se ele foi refeito por outra ferramenta, extraia-o e aponte a pasta"


def write_archive(target: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write a new zip, entries in the given order. InputError where it would need more than a plain zip can hold."""
    with naming(target), zipfile.ZipFile(target, "x", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for path, data in entries:
            info = zipfile.ZipInfo(path, _TIME)
            info.create_system = 3
            info.external_attr = _REGULAR
            try:
                archive.writestr(info, data)
            except (zipfile.LargeZipFile, struct.error) as error:
                raise InputError("o pacote passa de 4 GiB", where=show_path(path), mend="publique a pasta") from error


@contextmanager
def staged_archive(entries: Iterable[tuple[str, bytes]]) -> Iterator[Path]:
    """A new zip in a private folder, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="appgear-") as private:
        path = Path(private, "pack.zip")
        write_archive(path, entries)
        yield path


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    path: str
    offset: int
    size: int
    crc: int


class Archive:
    """An archive that was accepted: every entry named, whole, hashed. Nothing is ever extracted."""

    def __init__(self, descriptor: int, where: str, items: dict[str, _Item], digests: dict[str, str]) -> None:
        self._descriptor = descriptor
        self._where = where
        self._items = items
        self.digests = digests

    def read(self, path: str) -> bytes:
        """Bytes of an entry; InputError where they are no longer those that were hashed."""
        item = self._items[path]
        data = os.pread(self._descriptor, item.size, item.offset)
        if hashlib.sha256(data).hexdigest() != self.digests[path]:
            raise InputError("mudou durante a leitura", where=f"{self._where}:{show_path(path)}", mend="repita")
        return data


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip for checking. InputError names the first thing about it that is not as ``write_archive`` writes."""
    where = show_path(path)
    with naming(path), opened(path, FILE) as descriptor:
        state = os.fstat(descriptor)
        kind = kind_of(state.st_mode)
        if kind is not None:
            _refuse(where, f"não é um arquivo comum: {kind}")
        items = _Reader(descriptor, where, state.st_size).items()
        buffer = memoryview(bytearray(_CHUNK))
        digests = {item.path: _hash(descriptor, item, where, buffer) for item in items}
        yield Archive(descriptor, where, {item.path: item for item in items}, digests)


def _refuse(where: str, reason: str) -> NoReturn:
    raise InputError(f"arquivo zip recusado: {reason}", where=where, mend=_MEND)


def _hash(descriptor: int, item: _Item, where: str, buffer: memoryview) -> str:
    """SHA-256 of an entry, through the caller's buffer; each byte is read once, for digest and checksum."""
    digest, crc, offset, left = hashlib.sha256(), 0, item.offset, item.size
    while left:
        count = os.preadv(descriptor, [buffer[: min(left, len(buffer))]], offset)
        if not count:
            _refuse(f"{where}:{show_path(item.path)}", "conteúdo truncado")
        part = buffer[:count]
        digest.update(part)
        crc = zlib.crc32(part, crc)
        offset += count
        left -= count
    if crc != item.crc:
        _refuse(f"{where}:{show_path(item.path)}", "CRC não confere")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Reader:
    descriptor: int
    where: str
    size: int

    def items(self) -> list[_Item]:
        """Walk the central directory and the local headers side by side; both must tile the file exactly."""
        count, start, length = self._end()
        directory = os.pread(self.descriptor, length, start)
        items: list[_Item] = []
        seen: set[str] = set()
        position, local = 0, 0
        for _ in range(count):
            item, position, local = self._entry(directory, position, local)
            twin = unicodedata.normalize("NFC", item.path).casefold()
            if twin in seen:
                _refuse(f"{self.where}:{show_path(item.path)}", "nome repetido ou igual a menos de maiúsculas")
            seen.add(twin)
            items.append(item)
        if position != length or local != start:
            _refuse(self.where, "há bytes que nenhuma entrada explica")
        return items

    def _end(self) -> tuple[int, int, int]:
        if self.size > MAX_BYTES or self.size < _END.size:
            _refuse(self.where, f"tem {self.size} bytes")
        data = os.pread(self.descriptor, _END.size, self.size - _END.size)
        magic, disk, first, here, count, length, start, comment = _END.unpack(data)
        if magic != b"PK\5\6" or comment:
            _refuse(self.where, "não termina como um zip nosso (não é zip, tem comentário, ou foi truncado)")
        if disk or first or here != count:
            _refuse(self.where, "zip em partes")
        if count > MAX_ENTRIES:
            _refuse(self.where, f"tem {count} entradas, acima do limite de {MAX_ENTRIES}")
        if start + length + _END.size != self.size:
            _refuse(self.where, "há bytes antes, entre ou depois das partes do zip")
        return count, start, length

    def _entry(self, directory: bytes, position: int, local: int) -> tuple[_Item, int, int]:
        fields = directory[position : position + _CENTRAL.size]
        if len(fields) != _CENTRAL.size:
            _refuse(self.where, "índice do zip truncado")
        (magic, made, needed, flags, method, *when, crc, packed, size, name_size, extra, comment, disk, internal,
         attributes, offset) = _CENTRAL.unpack(fields)  # fmt: skip
        raw = directory[position + _CENTRAL.size : position + _CENTRAL.size + name_size]
        path = self._name(raw, flags)
        where = f"{self.where}:{show_path(path)}"
        if magic != b"PK\1\2" or extra or comment or disk:
            _refuse(where, "campos extras, comentário ou assinatura inválida")
        if flags != (0 if path.isascii() else _UTF8):
            _refuse(where, "cifrado, ou com tamanho que só se sabe depois")
        if method or packed != size:
            _refuse(where, "comprimido: os pacotes são gravados sem compressão")
        if stat.S_IFMT(attributes >> 16) != stat.S_IFREG or path.endswith("/"):
            _refuse(where, "não é um arquivo comum (link, pasta ou dispositivo)")
        if (made, needed, when, internal, attributes) != (_MADE, _NEEDED, _WHEN, 0, _REGULAR):
            _refuse(where, "hora, permissões ou versão que não são as dos nossos pacotes")
        if offset != local:
            _refuse(where, "entradas sobrepostas ou com espaço entre elas")
        head = _LOCAL.pack(b"PK\3\4", needed, flags, method, *when, crc, packed, size, name_size, 0) + raw
        if os.pread(self.descriptor, len(head), offset) != head:
            _refuse(where, "o índice do zip e a entrada dizem coisas diferentes")
        item = _Item(path=path, offset=offset + len(head), size=size, crc=crc)
        return item, position + _CENTRAL.size + name_size, offset + len(head) + size

    def _name(self, raw: bytes, flags: int) -> str:
        try:
            path = raw.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            _refuse(self.where, "nome de entrada que não é UTF-8")
        fault = path_fault(path)
        if fault is not None:
            _refuse(f"{self.where}:{show_path(path)}", fault)
        return path

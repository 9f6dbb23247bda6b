"""A ``.deb`` taken apart in memory: its control fields and its files, nothing run and nothing written (ar, tar, xz)."""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.image.debian import parse_stanzas
from pipeline.image.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Deb", "read_deb"]

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MAX_BYTES = 256 * 1024 * 1024  # of one member once it is decompressed
_MEND = "indique outro espelho com --mirror"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deb:
    """A binary package. ``control`` is its own text, ``md5sums`` that of its files; entries are not yet planned."""

    name: str
    version: str
    architecture: str
    control: str
    md5sums: str
    entries: tuple[Entry, ...] = field(repr=False)


def read_deb(data: bytes, *, where: str, unpack_zstd: Callable[[bytes, int], bytes] | None = None) -> Deb:
    """Take a package apart. InputError where it is none, is damaged, expands beyond 256 MiB or holds special files.

    ``unpack_zstd`` (bytes, limit) is needed only for packages that are compressed so, which Debian's own are not.
    """
    members = dict(_members(data, where))
    if members.get("debian-binary", b"")[:2] != b"2.":
        raise _damaged(where)
    control = _files(_unpacked(members, "control", where, unpack_zstd), where)
    text = control.get("control", b"").decode("utf-8", "replace")
    fields = next(parse_stanzas(text), {})
    if not {"package", "version", "architecture"} <= fields.keys():
        raise _damaged(where)
    return Deb(
        name=fields["package"],
        version=fields["version"],
        architecture=fields["architecture"],
        control=text,
        md5sums=control.get("md5sums", b"").decode("utf-8", "replace"),
        entries=tuple(_entries(_unpacked(members, "data", where, unpack_zstd), where)),
    )


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """Members of an ar archive as dpkg writes it: short names, sizes in decimal, even offsets."""
    if not data.startswith(_MAGIC):
        raise _damaged(where)
    at = len(_MAGIC)
    while at < len(data):
        header = data[at : at + _HEADER]
        size = header[48:58].strip()
        if len(header) < _HEADER or header[58:] != b"`\n" or not size.isdigit():
            raise _damaged(where)
        at += _HEADER
        end = at + int(size)
        if end > len(data):
            raise _damaged(where)
        yield header[:16].decode("ascii", "replace").rstrip().rstrip("/"), data[at:end]
        at = end + end % 2


def _unpacked(
    members: Mapping[str, bytes], stem: str, where: str, unpack_zstd: Callable[[bytes, int], bytes] | None
) -> bytes:
    for name, data in members.items():
        base, _, suffix = name.partition(".tar")
        if base != stem:
            continue
        try:
            if suffix == ".xz":
                return _bounded(lzma.LZMADecompressor(lzma.FORMAT_XZ), data, where)
            if suffix == ".gz":
                unpacked = zlib.decompressobj(31).decompress(data, _MAX_BYTES + 1)
                return _checked(unpacked, where)
            if suffix == ".zst" and unpack_zstd is not None:
                return _checked(unpack_zstd(data, _MAX_BYTES + 1), where)
            if not suffix:
                return data
        except (lzma.LZMAError, zlib.error) as error:
            raise _damaged(where) from error
        raise InputError(f"compressão desconhecida no pacote: {stem}.tar{suffix}", where=where, mend=_MEND)
    raise _damaged(where)


def _bounded(decompressor: lzma.LZMADecompressor, data: bytes, where: str) -> bytes:
    unpacked = decompressor.decompress(data, _MAX_BYTES + 1)
    if not decompressor.eof and len(unpacked) <= _MAX_BYTES:
        raise _damaged(where)
    return _checked(unpacked, where)


def _checked(unpacked: bytes, where: str) -> bytes:
    if len(unpacked) > _MAX_BYTES:
        raise InputError("o pacote expande além do limite", where=where, mend=_MEND)
    return unpacked


def _files(data: bytes, where: str) -> dict[str, bytes]:
    """Regular files of the control archive."""
    return {each.path: each.source for each in _entries(data, where) if isinstance(each.source, bytes)}


def _entries(data: bytes, where: str) -> Iterator[Entry]:
    """What a tar holds, paths without ``./``. Hard links become copies; anything special is refused."""
    contents: dict[str, Entry] = {}
    try:
        with tarfile.TarFile(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                path = member.name.removeprefix("./").strip("/")
                if path in {"", "."}:
                    continue
                mode = member.mode & 0o7777
                if member.isdir():
                    yield Entry(path=path, kind="folder", mode=mode)
                elif member.issym():
                    yield Entry(path=path, kind="link", mode=0o777, target=member.linkname)
                elif member.isreg():
                    source = archive.extractfile(member)
                    content = source.read() if source is not None else b""
                    contents[path] = Entry(path=path, kind="file", mode=mode, size=len(content), source=content)
                    yield contents[path]
                elif member.islnk() and (known := contents.get(member.linkname.removeprefix("./"))) is not None:
                    yield replace(known, path=path)
                else:
                    raise InputError(f"o pacote traz um arquivo especial: {path}", where=where, mend=_MEND)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise _damaged(where) from error


def _damaged(where: str) -> InputError:
    return InputError("não é um pacote .deb íntegro", where=where, mend=_MEND)

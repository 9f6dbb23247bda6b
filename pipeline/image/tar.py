"""Tar headers of our own (POSIX ustar, pax where a field is too short): the same entry, the same bytes, anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.image.entries import Entry

__all__ = ["BLOCK", "END", "TarHeaders", "padding"]

BLOCK = 512
END = bytes(2 * BLOCK)
_TYPES = {"file": b"0", "link": b"2", "folder": b"5"}
_MAGIC = b"ustar\x0000"
_NAME_BYTES = 100
_PREFIX_BYTES = 155
_LARGEST = 8**11  # what eleven octal digits hold
_PAX_NAME = b"./PaxHeaders/entry"
_CHECKSUM = b" " * 8  # what stands in the field while the sum is taken


def padding(size: int) -> int:
    """Zero bytes that follow a content of ``size`` bytes."""
    return -size % BLOCK


class TarHeaders:
    """Headers of one layer: owner 0:0 without names, and one modification time (seconds since 1970)."""

    def __init__(self, mtime: int) -> None:
        self._mtime = b"%011o\0" % mtime
        self._fixed: dict[tuple[str, int], tuple[bytes, bytes, int]] = {}

    def header(self, entry: Entry) -> bytes:
        """One header block; three where name, link target or size need a pax record before it."""
        path = entry.path.encode() + (b"/" if entry.kind == "folder" else b"")
        target = entry.target.encode()
        size = entry.size if entry.kind == "file" else 0
        records = []
        prefix, name = (b"", path) if len(path) <= _NAME_BYTES else _split(path)
        if not name or not entry.path.isascii():
            records.append((b"path", path))
            name = name or path[:_NAME_BYTES]
        if len(target) > _NAME_BYTES or not entry.target.isascii():
            records.append((b"linkpath", target))
            target = target[:_NAME_BYTES]
        if size >= _LARGEST:
            records.append((b"size", b"%d" % size))
            size = 0
        block = self._block(entry.kind, entry.mode, name, prefix, target, size)
        return self._pax(records) + block if records else block

    def _block(self, kind: str, mode: int, name: bytes, prefix: bytes, target: bytes, size: int) -> bytes:
        before, after, total = self._fixed.get((kind, mode)) or self._fix(kind, mode)
        number = b"%011o\0" % size
        total += sum(name) + sum(number) + sum(target) + sum(prefix)
        return b"".join(
            (
                name.ljust(_NAME_BYTES, b"\0"),
                before,
                number,
                self._mtime,
                b"%06o\0 " % total,
                after,
                target.ljust(_NAME_BYTES, b"\0"),
                _MAGIC.ljust(88, b"\0"),
                prefix.ljust(_PREFIX_BYTES + 12, b"\0"),
            )
        )

    def _fix(self, kind: str, mode: int) -> tuple[bytes, bytes, int]:
        """What entries of one kind and mode share, and the sum of all its bytes."""
        before = b"%07o\0" % mode + b"0000000\0" * 2
        after = _TYPES.get(kind, b"x")
        total = sum(before) + sum(self._mtime) + sum(_CHECKSUM) + sum(after) + sum(_MAGIC)
        self._fixed[kind, mode] = (before, after, total)
        return before, after, total

    def _pax(self, records: list[tuple[bytes, bytes]]) -> bytes:
        body = b"".join(_record(key, value) for key, value in records)
        header = self._block("pax", 0o644, _PAX_NAME, b"", b"", len(body))
        return header + body + bytes(padding(len(body)))


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Prefix and name of ustar, cut at the first slash that lets both fit; empty where none does."""
    cut = name.find(b"/", len(name) - _NAME_BYTES - 1, _PREFIX_BYTES + 1)
    if cut <= 0 or cut == len(name) - 1:
        return b"", b""
    return name[:cut], name[cut + 1 :]


def _record(key: bytes, value: bytes) -> bytes:
    """``length key=value``, where the length counts its own digits."""
    length = len(key) + len(value) + 3
    total = length + len(str(length))
    if length + len(str(total)) != total:
        total = length + len(str(total))
    return b"%d %s=%s\n" % (total, key, value)

"""Zips: the same bytes each time, and nothing but that shape is read."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.adapters.archive import open_archive, staged_archive, write_archive
from pipeline.errors import InputError, ToolError

ENTRIES = [("a.txt", b"a\n"), ("pasta/é.json", b"{}\n"), ("vazio", b"")]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.zip"
    write_archive(path, ENTRIES)
    return path


def test_the_same_entries_give_the_same_bytes_and_read_back(good: Path, tmp_path: Path) -> None:
    with staged_archive(ENTRIES) as other:
        assert other.read_bytes() == good.read_bytes()
    assert not other.exists()
    with open_archive(good) as archive:
        assert {path: archive.read(path) for path in archive.digests} == dict(ENTRIES)
    assert zipfile.ZipFile(good).testzip() is None
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-q", str(good), "-d", str(tmp_path / "x")], check=True)
        assert (tmp_path / "x" / "pasta" / "é.json").read_bytes() == b"{}\n"


def test_an_existing_file_is_not_written_over(good: Path) -> None:
    with pytest.raises(ToolError, match="File exists"):
        write_archive(good, ENTRIES)


def _made(**changes: object) -> bytes:
    """A zip of zipfile's own with one entry that is not ours."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        info = zipfile.ZipInfo(str(changes.get("name", "a.txt")), (1980, 1, 1, 0, 0, 0))
        info.create_system = 3
        info.external_attr = int(str(changes.get("mode", 0o100644))) << 16
        info.compress_type = int(str(changes.get("method", zipfile.ZIP_STORED)))
        info.extra = bytes(changes.get("extra", b""))  # type: ignore[call-overload]
        info.comment = bytes(changes.get("comment", b""))  # type: ignore[call-overload]
        archive.writestr(info, b"x" * 100)
        if "twice" in changes:
            other = zipfile.ZipInfo(str(changes["twice"]), (1980, 1, 1, 0, 0, 0))
            other.create_system, other.external_attr = 3, 0o100644 << 16
            archive.writestr(other, b"y")
        archive.comment = bytes(changes.get("note", b""))  # type: ignore[call-overload]
    return stream.getvalue()


def _patched(place: int, data: bytes) -> bytes:
    whole = _made()
    place %= len(whole)
    return whole[:place] + data + whole[place + len(data) :]


def _raw(name: bytes) -> bytes:
    """A zip whose only entry has this raw name, which zipfile itself would have cleaned."""
    return _made(name="n" * len(name)).replace(b"n" * len(name), name)


_CD = len(_made()) - 22 - 46 - 5  # where the central directory of the one-entry zip begins

HOSTILE: dict[str, Callable[[], bytes]] = {
    "no zip": lambda: b"MZ" + bytes(100),
    "empty": lambda: b"",
    "truncated": lambda: _made()[:-1],
    "prefix": lambda: b"#!/bin/sh\n" + _made(),
    "suffix": lambda: _made() + b"\0",
    "archive comment": lambda: _made(note=b"hello"),
    "entry comment": lambda: _made(comment=b"hello"),
    "extra field": lambda: _made(extra=struct.pack("<HH", 0x9999, 0)),
    "compressed": lambda: _made(method=zipfile.ZIP_DEFLATED),
    "link": lambda: _made(mode=0o120777),
    "folder": lambda: _made(name="pasta/", mode=0o040755),
    "device": lambda: _made(mode=0o060644),
    "no mode": lambda: _made(mode=0),
    "slip": lambda: _raw(b"../../x"),
    "absolute": lambda: _raw(b"/etc/passwd"),
    "drive": lambda: _raw(b"C:/x"),
    "backslash": lambda: _raw(b"..\\x"),
    "control": lambda: _raw(b"a\x1bb"),
    "newline": lambda: _raw(b"a\nb"),
    "dot": lambda: _raw(b"./a"),
    "latin": lambda: _raw(b"\xe9"),
    "twice": lambda: _made(twice="b.txt").replace(b"b.txt", b"a.txt"),
    "case twin": lambda: _made(twice="A.TXT"),
    "encrypted": lambda: _patched(_CD + 8, b"\1"),
    "streamed": lambda: _patched(_CD + 8, b"\x08"),
    "local header differs": lambda: _patched(30, b"b"),
    "wrong CRC": lambda: _patched(40, b"z"),
    "overlap": lambda: _patched(_CD + 42, struct.pack("<I", 1)),
    "size": lambda: _patched(_CD + 24, struct.pack("<I", 2**31)),
    "count": lambda: _patched(-22 + 8, struct.pack("<HH", 2, 2)),
    "huge count": lambda: _patched(-22 + 8, struct.pack("<HH", 65535, 65535)),
    "parts": lambda: _patched(-22 + 4, struct.pack("<H", 1)),
    "directory elsewhere": lambda: _patched(-22 + 16, struct.pack("<I", 0)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_anything_else_is_refused_before_its_content_is_believed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.zip"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(InputError, match="zip recusado"), open_archive(path):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_each_flipped_byte_is_refused(good: Path, tmp_path: Path) -> None:
    data, path = good.read_bytes(), tmp_path / "flipped.zip"
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError), open_archive(path):
            pytest.fail(f"byte {place}")


def test_links_and_pipes_are_no_archives(good: Path, tmp_path: Path) -> None:
    (tmp_path / "link.zip").symlink_to(good)
    os.mkfifo(tmp_path / "pipe.zip")
    for name in ("link.zip", "pipe.zip", "missing.zip"):
        with pytest.raises(InputError), open_archive(tmp_path / name):
            pass


def test_a_file_that_changes_after_it_was_hashed_is_noticed(good: Path) -> None:
    with open_archive(good) as archive:
        data = bytearray(good.read_bytes())
        data[data.index(b"a\n")] = ord("b")
        good.write_bytes(data)
        with pytest.raises(InputError, match="mudou"):
            archive.read("a.txt")

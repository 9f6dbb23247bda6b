"""Our tar headers say to every reader what the entry says."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from pipeline.image.entries import Entry
from pipeline.image.tar import BLOCK, END, TarHeaders, padding

_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=120).filter(
    lambda text: "/" not in text
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=5).map("/".join).filter(lambda path: ".." not in path.split("/"))


@given(path=_PATHS, mode=st.integers(0, 0o1777), mtime=st.integers(0, 8**11 - 1), content=st.binary(max_size=1500))
def test_a_file_comes_back(path: str, mode: int, mtime: int, content: bytes) -> None:
    entry = Entry(path=path, kind="file", mode=mode, size=len(content), source=content)
    header = TarHeaders(mtime).header(entry)
    assert len(header) % BLOCK == 0
    archive = tarfile.open(fileobj=io.BytesIO(header + content + bytes(padding(len(content))) + END))  # noqa: SIM115
    (member,) = archive.getmembers()
    assert (member.name, member.mode, member.mtime, member.size) == (path.rstrip("/"), mode, mtime, len(content))
    assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
    source = archive.extractfile(member)
    assert source is not None
    assert source.read() == content


@given(path=_PATHS, target=_PATHS)
def test_links_and_folders_come_back(path: str, target: str) -> None:
    headers = TarHeaders(0)
    link = headers.header(Entry(path=path, kind="link", mode=0o777, target=target))
    folder = headers.header(Entry(path=path, kind="folder", mode=0o755))
    archive = tarfile.open(fileobj=io.BytesIO(link + folder + END))  # noqa: SIM115
    first, second = archive.getmembers()
    assert (first.issym(), first.name, first.linkname) == (True, path, target)
    assert (second.isdir(), second.name, second.mode) == (True, path, 0o755)


@given(size=st.integers(8**11, 2**45))
def test_sizes_that_eleven_digits_do_not_hold(size: int) -> None:
    header = TarHeaders(0).header(Entry(path="a", kind="file", mode=0o644, size=size, source=b""))
    member = tarfile.TarFile(fileobj=io.BytesIO(header + END)).next()
    assert member is not None
    assert member.size == size

"""Stages of a build as folders, found by the digest of what they are made from (threats T26, T27).

A stage appears whole or not at all, and is hashed again before each use: one that was changed is made anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FOLDER, naming, opened, remove_tree
from pipeline.adapters.output import flocked
from pipeline.errors import InputError
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Workshop", "copy_tree", "digest_tree", "link_tree", "opened_workshop", "write_tree"]

_LOCK = ".lock"
_STAGE = ".tmp-"
_DIGEST = "digest"
_TREE = "tree"
_LOCK_SECONDS = 3600.0  # as long as a cold build on a slow machine
_KEPT = 2  # results of one stage: this one, and that of the branch one comes back to
_CHUNK = 1024 * 1024
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755  # also of what can be run


@contextmanager
def opened_workshop(folder: Path, *, told: Callable[[str], None] = lambda _line: None) -> Iterator[Workshop]:
    """Hold the workshop, made where missing: one build at a time, and leftovers of a killed one removed.

    InputError when it is not a folder of the user's own, or stays taken for an hour.
    """
    with naming(folder):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700, parents=True)
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
            raise InputError("não é uma pasta sua", where=show_path(folder), mend="indique outra pasta de trabalho")
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    busy = f"{show_path(folder)}: outra execução está construindo o portal"
    try:
        with flocked(lock, shared=False, seconds=_LOCK_SECONDS, busy=busy):
            workshop = Workshop(folder, told=told)
            workshop.sweep()
            yield workshop
    finally:
        os.close(lock)


class Workshop:
    """The folder behind the lock of ``opened_workshop``."""

    def __init__(self, folder: Path, *, told: Callable[[str], None]) -> None:
        self._folder = folder
        self._told = told

    def stage(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """The tree that ``make`` writes into the empty folder it is given, for this key; made where it is not there.

        Modes are 0755 and 0644 whatever the umask. What ``make`` raises leaves nothing behind.
        """
        entry = self._folder / name / key
        with naming(entry):
            if not self._is_sound(entry, name):
                self._make(name, key, make)
            os.utime(entry)
            self._forget(name)
        return entry / _TREE

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty folder that is gone at the end."""
        place = f"{_STAGE}{name}"
        with naming(self._folder), opened(self._folder, FOLDER) as folder:
            remove_tree(folder, place)
            path = self._folder / place
            path.mkdir(mode=0o700)
            try:
                yield path
            finally:
                remove_tree(folder, place)

    def sweep(self) -> None:
        """Remove what killed builds left."""
        for path in (self._folder, *self._stages()):
            with naming(path), opened(path, FOLDER) as folder:
                for each in path.iterdir():
                    if each.name.startswith(_STAGE):
                        remove_tree(folder, each.name)

    def _stages(self) -> list[Path]:
        return [each for each in self._folder.iterdir() if each.is_dir() and not each.name.startswith(".")]

    def _is_sound(self, entry: Path, name: str) -> bool:
        if not entry.is_dir():
            return False
        with suppress(OSError):
            if (entry / _DIGEST).read_text(encoding="ascii") == digest_tree(entry / _TREE):
                return True
        self._told(f"portal: o resultado guardado de {name} foi alterado; refeito")
        with opened(entry.parent, FOLDER) as folder:
            remove_tree(folder, entry.name)
        return False

    def _make(self, name: str, key: str, make: Callable[[Path], None]) -> None:
        parent = self._folder / name
        parent.mkdir(mode=0o700, exist_ok=True)
        staged = f"{_STAGE}{key}"
        with opened(parent, FOLDER) as folder:
            try:
                tree = parent / staged / _TREE
                tree.mkdir(mode=0o700, parents=True)
                make(tree)
                _normalise(tree)
                (parent / staged / _DIGEST).write_text(digest_tree(tree), encoding="ascii")
                # No sync: what a power failure tears does not have its digest, and is made anew.
                os.rename(staged, key, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                remove_tree(folder, staged)

    def _forget(self, name: str) -> None:
        """Drop what was used longest ago: an installation alone takes a gigabyte."""
        entries = [each for each in (self._folder / name).iterdir() if not each.name.startswith(_STAGE)]
        entries.sort(key=lambda each: each.stat().st_mtime_ns, reverse=True)
        with opened(self._folder / name, FOLDER) as folder:
            for each in entries[_KEPT:]:
                remove_tree(folder, each.name)


def digest_tree(root: Path) -> str:
    """SHA-256 over every name, kind, executable bit, link target and content below ``root``."""
    digest = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    for path, entry in _walk(str(root), ""):
        if entry.is_symlink():
            digest.update(f"l {path}\0{Path(entry.path).readlink()}\0".encode())
        elif entry.is_dir(follow_symlinks=False):
            digest.update(f"d {path}\0".encode())
        else:
            _digest_file(digest, path, entry.path, buffer)
    return digest.hexdigest()


def _digest_file(digest: hashlib._Hash, path: str, place: str, buffer: bytearray) -> None:
    view = memoryview(buffer)
    with opened(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC) as descriptor:
        state = os.fstat(descriptor)
        kind = "x" if state.st_mode & 0o100 else "f"
        digest.update(f"{kind} {path}\0{state.st_size}\0".encode())
        while count := os.readv(descriptor, [buffer]):
            digest.update(view[:count])


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda each: os.fsencode(each.name))
    for each in entries:
        path = prefix + each.name
        yield path, each
        if each.is_dir(follow_symlinks=False):
            yield from _walk(each.path, f"{path}/")


def _normalise(root: Path) -> None:
    root.chmod(_FOLDER_MODE)
    for path, each in _walk(str(root), ""):
        if each.is_symlink():
            if Path(each.path).readlink().is_absolute():
                raise InputError("link simbólico absoluto", where=show_path(path), mend="relate o defeito")
            continue
        mode = each.stat(follow_symlinks=False).st_mode
        wanted = _FOLDER_MODE if stat.S_ISDIR(mode) or mode & 0o100 else _FILE_MODE
        if stat.S_IMODE(mode) != wanted:
            Path(each.path).chmod(wanted)


def write_tree(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder of ours, over what is there; mode 0644, which Yarn hashes with local packages."""
    for path, content in files.items():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # it may be a link into a stage, whose bytes must stay
        place.write_bytes(content)
        place.chmod(_FILE_MODE)


def copy_tree(source: Path, target: Path, *, keep: Callable[[str], bool] = lambda _path: True) -> None:
    """The files below ``source`` for which ``keep`` (given the path below it) holds, with bytes of their own.

    Folders that would hold nothing are not made; links stay links.
    """
    for path, each in _walk(str(source), ""):
        if each.is_dir(follow_symlinks=False) or not keep(path):
            continue
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if each.is_symlink():
            place.symlink_to(Path(each.path).readlink())
        else:
            shutil.copy(each.path, place)


def link_tree(source: Path, target: Path) -> None:
    """The same tree without its bytes twice: a hard link for each file, a copy where the file system has none."""
    target.mkdir(parents=True, exist_ok=True)
    for path, each in _walk(str(source), ""):
        place = target / path
        if each.is_symlink():
            place.symlink_to(Path(each.path).readlink())
        elif each.is_dir(follow_symlinks=False):
            place.mkdir()
        else:
            try:
                os.link(each.path, place, follow_symlinks=False)
            except OSError:
                shutil.copy2(each.path, place)

"""The artifacts folder on disk: one descriptor, one lock, folders that appear whole (threats T24 to T27)."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from pipeline.adapters.descriptors import (
    FILE,
    FOLDER,
    NO_HARD_LINKS,
    digest_descriptor,
    exchange,
    kind_of,
    make_folder,
    naming,
    opened,
    opened_below,
    read_descriptor,
    remove_tree,
    sync_folder,
    write_new,
)
from pipeline.adapters.output import MARKER, flocked, open_output, write_files
from pipeline.codec import visible
from pipeline.errors import IntegrityError
from pipeline.ports import CATEGORIES, Entry, show_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.ports import Content

__all__ = ["DiskArtifacts", "open_artifacts", "open_artifacts_to_check"]

_NAMES = frozenset({MARKER, ".lock", "LATEST", "index.jsonl", *CATEGORIES})
_Kind = Literal["file", "folder", "link", "other"]
_LOCK = ".lock"
_STAGE = ".tmp-"
_ASIDE = ".tmp-old-"
_TORN = "index.torn-"
_BUFFER_BYTES = 1024 * 1024


@contextmanager
def open_artifacts(
    path: Path, *, outside: Sequence[Path] = (), lock_seconds: float = 300.0, swap: bool = True
) -> Iterator[DiskArtifacts]:
    """Open for writing, making the folder and marking it as ours; refusals as in ``open_output``.

    ``swap`` False forces the two-rename path of file systems that cannot exchange two names.
    """
    with open_output(path, outside=outside, ours=_is_own_name) as root:
        for name, text in ((MARKER, b""), (_LOCK, b"")):
            with naming(path), suppress(FileExistsError):
                write_new(root, name, text)
        yield DiskArtifacts(root, where=show_path(path), lock_seconds=lock_seconds, swap=swap)


@contextmanager
def open_artifacts_to_check(path: Path, *, lock_seconds: float = 300.0) -> Iterator[DiskArtifacts]:
    """Open for reading only: nothing is made, no marker is asked for (downloads drop dot files)."""
    with naming(path), opened(path, FOLDER) as root:
        yield DiskArtifacts(root, where=show_path(path), lock_seconds=lock_seconds, swap=True)


def _is_own_name(name: str) -> bool:
    return name in _NAMES or name.startswith((_STAGE, _TORN))


class DiskArtifacts:
    """The port ``ArtifactFolder``; see there for what each method guarantees."""

    def __init__(self, root: int, *, where: str, lock_seconds: float, swap: bool) -> None:
        self._root = root
        self._where = where
        self._lock_seconds = lock_seconds
        self._swap = swap
        self._buffer = bytearray(_BUFFER_BYTES)

    def _shown(self, path: str) -> str:
        return show_path(f"{self._where}/{path}" if path else self._where)

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        descriptor = self._open_lock(shared=shared)
        if descriptor is None:
            yield  # a copy without its lock file has no writers
            return
        try:
            holder = visible(os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()) or "desconhecido"
            busy = f"{self._where}: pasta de artefatos ocupada pelo processo {holder}"
            with flocked(descriptor, shared=shared, seconds=self._lock_seconds, busy=busy):
                if not shared:
                    with suppress(OSError):  # a courtesy to whoever waits; a full disk must not stop the lock
                        os.ftruncate(descriptor, 0)
                        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                yield
        finally:
            os.close(descriptor)

    def _open_lock(self, *, shared: bool) -> int | None:
        flags = (os.O_RDONLY if shared else os.O_RDWR) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with naming(self._shown(_LOCK)):
            try:
                return os.open(_LOCK, flags, dir_fd=self._root)
            except FileNotFoundError:
                if shared:
                    return None
                raise

    def read(self, path: str, *, limit: int) -> bytes | None:
        with naming(self._shown(path)):
            descriptor = self._open_file(path)
            if descriptor is None:
                return None
            try:
                return read_descriptor(descriptor, where=self._shown(path), limit=limit)
            finally:
                os.close(descriptor)

    def digest(self, path: str) -> str | None:
        with naming(self._shown(path)):
            descriptor = self._open_file(path)
            if descriptor is None:
                return None
            try:
                return digest_descriptor(descriptor, self._buffer)
            finally:
                os.close(descriptor)

    def _open_file(self, path: str) -> int | None:
        *folders, name = path.split("/")
        try:
            with opened_below(self._root, folders) as parent:
                kind = kind_of(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
                if kind is None:
                    return os.open(name, FILE, dir_fd=parent)
        except FileNotFoundError:
            return None
        raise IntegrityError(
            f"não é um arquivo comum: {kind}", where=self._shown(path), mend="restaure a cópia original"
        )

    def entries(self, path: str) -> tuple[Entry, ...]:
        with naming(self._shown(path)):
            try:
                with opened_below(self._root, path.split("/") if path else ()) as folder, os.scandir(folder) as listing:
                    found = [(os.fsencode(each.name), _kind(each)) for each in listing]
            except FileNotFoundError:
                return ()
        return tuple(Entry(path=raw.decode("utf-8", "backslashreplace"), kind=kind) for raw, kind in sorted(found))

    def walk(self, path: str) -> Iterator[Entry]:
        pending = [""]
        while pending:
            prefix = pending.pop()
            folders = []
            for entry in self.entries(f"{path}/{prefix}".strip("/")):
                below = f"{prefix}/{entry.path}".lstrip("/")
                yield Entry(path=below, kind=entry.kind)
                if entry.kind == "folder":
                    folders.append(below)
            pending.extend(reversed(folders))

    def put(self, path: str, data: bytes) -> None:
        *folders, name = path.split("/")
        with naming(self._shown(path)), opened_below(self._root, folders, create=True) as parent:
            staged = f"{_STAGE}{name}"
            remove_tree(self._root, staged)
            write_new(self._root, staged, data)
            os.rename(staged, name, src_dir_fd=self._root, dst_dir_fd=parent)
            sync_folder(parent)

    def append(self, path: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with naming(self._shown(path)), opened(path, flags, self._root) as descriptor:
            os.fchmod(descriptor, 0o640)
            size = os.fstat(descriptor).st_size
            try:
                _write_whole(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)  # only bytes of this very call
                raise
            sync_folder(self._root)

    def move(self, source: str, target: str) -> None:
        *folders, name = target.split("/")
        with naming(self._shown(target)), opened_below(self._root, folders, create=True) as parent:
            os.rename(source, name, src_dir_fd=self._root, dst_dir_fd=parent)
            sync_folder(parent)
        for depth in range(len(folders)):  # folders that this call may have made
            with opened_below(self._root, folders[:depth]) as above:
                sync_folder(above)

    def remove(self, path: str) -> None:
        *folders, name = path.split("/")
        with naming(self._shown(path)), opened_below(self._root, folders) as parent, suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)

    def replace_folder(
        self, path: str, files: Mapping[str, Content], *, keep: Collection[str], digests: Mapping[str, str]
    ) -> None:
        category, run = path.split("/")
        staged = f"{_STAGE}{run}"
        with naming(self._shown(path)), opened_below(self._root, [category], create=True) as parent:
            remove_tree(parent, staged)
            make_folder(parent, staged)
            with opened(staged, FOLDER, parent) as stage:
                if keep:
                    with opened(run, FOLDER, parent) as present:
                        for each in keep:
                            _carry_over(present, stage, each)
                write_files(stage, files, kept=keep, digests=digests)
            self._publish(parent, staged, run)
            sync_folder(parent)
            remove_tree(parent, staged)
            remove_tree(parent, f"{_ASIDE}{run}")

    def _publish(self, parent: int, staged: str, run: str) -> None:
        try:
            os.stat(run, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(staged, run, src_dir_fd=parent, dst_dir_fd=parent)
            return
        if self._swap and exchange(parent, staged, run):
            return
        os.rename(run, f"{_ASIDE}{run}", src_dir_fd=parent, dst_dir_fd=parent)
        os.rename(staged, run, src_dir_fd=parent, dst_dir_fd=parent)

    def remove_folder(self, path: str) -> None:
        category, run = path.split("/")
        staged = f"{_STAGE}{run}"
        with naming(self._shown(path)), opened_below(self._root, [category]) as parent:
            remove_tree(parent, staged)
            with suppress(FileNotFoundError):
                os.rename(run, staged, src_dir_fd=parent, dst_dir_fd=parent)
                sync_folder(parent)
            remove_tree(parent, staged)

    def digest_outside(self, path: Path) -> str:
        with naming(path), opened(path, FILE) as descriptor:
            return digest_descriptor(descriptor, self._buffer)

    def clean(self, *, spare: Collection[str]) -> None:
        with naming(self._where):
            for entry in self.entries(""):
                if entry.kind == "folder" and entry.path in CATEGORIES:
                    with opened(entry.path, FOLDER, self._root) as category:
                        _clean_category(category, [each.path for each in self.entries(entry.path)])
                elif entry.path.startswith(_STAGE) and entry.path not in spare:
                    remove_tree(self._root, entry.path)


def _clean_category(category: int, names: Collection[str]) -> None:
    for name in names:
        if name.startswith(_ASIDE):
            run = name.removeprefix(_ASIDE)
            if run not in names:
                os.rename(name, run, src_dir_fd=category, dst_dir_fd=category)
            else:
                remove_tree(category, name)
        elif name.startswith(_STAGE):
            remove_tree(category, name)


def _write_whole(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _carry_over(present: int, stage: int, path: str) -> None:
    """Take an unchanged file into the new folder: by hard link, else by copy."""
    *folders, name = path.split("/")
    with opened_below(present, folders) as source, opened_below(stage, folders, create=True) as target:
        try:
            os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            with opened(name, FILE, source) as descriptor:
                size = os.fstat(descriptor).st_size
                write_new(target, name, read_descriptor(descriptor, where=show_path(path), limit=size))


def _kind(entry: os.DirEntry[str]) -> _Kind:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"

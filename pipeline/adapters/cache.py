"""The user's cache: content-addressed files that are hashed again before each use, so that it cannot lie."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FILE, FOLDER, digest_descriptor, naming, opened, read_descriptor, remove_tree
from pipeline.adapters.output import flocked
from pipeline.errors import InputError, PipelineError, ToolError
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["BlobCache", "Draft", "cache_folder", "emptied"]

_LIMIT_BYTES = 6 * 1024**3
_NOTE_BYTES = 1024 * 1024
_CHUNK = 1024 * 1024
_FOLDER_MODE = 0o700
_FILE_MODE = 0o640  # what the artifacts folder gives its files, which may be links to these


def cache_folder(environment: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/appgear-pipeline``, ``~/.cache`` by default."""
    named = environment.get("XDG_CACHE_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named, "appgear-pipeline")
    home = environment.get("HOME", "")
    if not home:
        raise ToolError("não há onde guardar o cache", where="XDG_CACHE_HOME", mend="defina HOME ou XDG_CACHE_HOME")
    return Path(home, ".cache", "appgear-pipeline")


class Draft:
    """A file that is being written: it has no name that anybody looks for until it is kept."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def restart(self) -> None:
        """Forget what was written."""
        os.ftruncate(self.descriptor, 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)


class BlobCache:
    """Blobs by SHA-256, and small notes by key. Safe beside other processes; what a killed one left is removed.

    A blob or note that is damaged counts as absent: whoever asks makes it again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("blobs", "notes", "drafts"):
            folder = root / name
            with naming(folder):
                with suppress(FileExistsError):
                    folder.mkdir(parents=True, mode=_FOLDER_MODE)
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise InputError("não é uma pasta", where=show_path(folder), mend="retire o que está no lugar")
        self._sweep()

    def blob(self, digest: str) -> Path | None:
        """The blob with this SHA-256 (hex), hashed just now; None where there is none. A damaged one is removed."""
        path = self.root / "blobs" / digest
        if not path.is_file() or path.is_symlink():
            return None
        with naming(path), opened(path, FILE) as descriptor:
            if digest_descriptor(descriptor, bytearray(_CHUNK)) == digest:
                os.utime(descriptor)  # what was used last is removed last
                return path
        path.unlink(missing_ok=True)
        return None

    def read(self, digest: str, *, limit: int) -> bytes | None:
        """Bytes of a blob; None where there is none, where it is damaged, and where it is longer than ``limit``."""
        path = self.root / "blobs" / digest
        data = bytearray()
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            while len(data) <= limit and (part := file.read(_CHUNK)):
                data += part
        return bytes(data) if hashlib.sha256(data).hexdigest() == digest else None

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A new file to write; gone at the end unless it was kept."""
        path, descriptor = self._new_draft()
        try:
            with naming(path):
                yield Draft(path, descriptor)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _new_draft(self) -> tuple[Path, int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            path = self.root / "drafts" / secrets.token_hex(16)
            with naming(path):
                descriptor = os.open(path, flags, _FILE_MODE)
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # says that its writer lives
                os.fchmod(descriptor, _FILE_MODE)
                if os.fstat(descriptor).st_nlink:
                    return path, descriptor
                os.close(descriptor)  # swept between its making and its lock

    def keep(self, draft: Draft, digest: str) -> Path:
        """Give a draft its place as the blob ``digest``, which its writer vouches for."""
        path = self.root / "blobs" / digest
        with naming(path):
            draft.path.replace(path)
        return path

    def put(self, data: bytes) -> str:
        """Keep bytes as a blob; its digest."""
        digest = hashlib.sha256(data).hexdigest()
        with self.draft() as draft:
            draft.write(data)
            self.keep(draft, digest)
        return digest

    def note(self, key: str) -> bytes | None:
        """What was noted under a key (hex)."""
        path = self.root / "notes" / key
        with suppress(PipelineError), naming(path), opened(path, FILE) as descriptor:
            return read_descriptor(descriptor, where=show_path(path), limit=_NOTE_BYTES)
        return None

    def set_note(self, key: str, data: bytes) -> None:
        with self.draft() as draft, naming(self.root):
            draft.write(data)
            draft.path.replace(self.root / "notes" / key)

    def trim(self, limit: int = _LIMIT_BYTES) -> None:
        """Remove what was unused longest until the blobs fit ``limit`` bytes."""
        found = []
        with os.scandir(self.root / "blobs") as listing:
            for each in listing:
                with suppress(FileNotFoundError):
                    state = each.stat(follow_symlinks=False)
                    found.append((state.st_mtime_ns, state.st_size, each.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= limit:
                return
            Path(path).unlink(missing_ok=True)
            total -= size

    def _sweep(self) -> None:
        """Remove the drafts of processes that are gone: their locks went with them."""
        folder = self.root / "drafts"
        with naming(folder), opened(folder, FOLDER) as drafts, os.scandir(drafts) as listing:
            names = [each.name for each in listing]
            for name in names:
                with suppress(OSError), opened(name, FILE, drafts) as descriptor:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(name, dir_fd=drafts)


@contextmanager
def emptied(folder: Path) -> Iterator[None]:
    """A folder of ours, empty at the start and gone at the end, with whatever a killed process left in it.

    One process at a time: InputError when another process stays in it for a minute.
    """
    with naming(folder):
        folder.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
    busy = f"{show_path(folder)}: outra execução está usando esta pasta"
    try:
        with flocked(lock, shared=False, seconds=60.0, busy=busy), opened(folder.parent, FOLDER) as parent:
            with naming(folder):
                remove_tree(parent, folder.name)
                folder.mkdir(mode=_FOLDER_MODE)
            try:
                yield
            finally:
                with naming(folder):
                    remove_tree(parent, folder.name)
    finally:
        os.close(lock)

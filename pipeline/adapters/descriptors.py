"""System calls below one descriptor: nothing here follows a link, and every failure is one line that names the file."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from pipeline.errors import InputError, ToolError
from pipeline.ports import Blob, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.ports import Content

__all__ = [
    "FILE",
    "FOLDER",
    "NO_HARD_LINKS",
    "digest_descriptor",
    "exchange",
    "kind_of",
    "make_folder",
    "naming",
    "opened",
    "opened_below",
    "read_descriptor",
    "remove_tree",
    "sync_filesystem",
    "sync_folder",
    "write_new",
]

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_MODE = 0o750
_FILE_MODE = 0o640
_CHUNK = 1024 * 1024
NO_HARD_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)

_KINDS = (
    (stat.S_ISLNK, "link simbólico"),
    (stat.S_ISDIR, "pasta"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "soquete"),
    (stat.S_ISBLK, "dispositivo"),
    (stat.S_ISCHR, "dispositivo"),
)
_INPUT_FAULTS = {
    errno.ENOENT: ("não existe", "confira o caminho"),
    errno.ENOTDIR: ("uma parte do caminho não é pasta", "confira o caminho"),
    errno.EISDIR: ("é uma pasta", "indique um arquivo"),
    errno.ELOOP: ("é um link simbólico", "indique o arquivo real"),
    errno.EACCES: ("permissão negada", "dê permissão ou escolha outro caminho"),
    errno.EPERM: ("operação não permitida", "dê permissão ou escolha outro caminho"),
    errno.ENAMETOOLONG: ("nome longo demais", "use um caminho mais curto"),
    errno.ENXIO: ("é um soquete ou dispositivo", "indique um arquivo comum"),
}
_TOOL_FAULTS = {
    errno.ENOSPC: ("disco cheio", "libere espaço e repita; nada foi publicado pela metade"),
    errno.EDQUOT: ("cota de disco esgotada", "libere espaço e repita; nada foi publicado pela metade"),
    errno.EROFS: ("sistema de arquivos somente leitura", "escolha outra pasta com --artifacts"),
    errno.EFBIG: ("arquivo maior do que o limite do sistema", "aumente o limite de tamanho de arquivo"),
    errno.EMFILE: ("arquivos abertos demais", "aumente o limite de descritores (ulimit -n)"),
}


def kind_of(mode: int) -> str | None:
    """What a file is when it is not a regular one (pt-BR); None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    return next((name for test, name in _KINDS if test(mode)), "arquivo especial")


def _refuse(error: OSError, where: str) -> NoReturn:
    number = error.errno or 0
    if number in _INPUT_FAULTS:
        message, mend = _INPUT_FAULTS[number]
        raise InputError(message, where=where, mend=mend) from error
    message, mend = _TOOL_FAULTS.get(number, (f"falha do sistema de arquivos ({os.strerror(number)})", "tente de novo"))
    raise ToolError(message, where=where, mend=mend) from error


@contextmanager
def naming(where: str | Path) -> Iterator[None]:
    """Turn an OSError inside the block, or a NUL in the path, into one clear line that names ``where``."""
    shown = show_path(where)
    if "\0" in str(where):
        raise InputError("caminho inválido", where=shown, mend="confira o caminho")
    try:
        yield
    except OSError as error:
        _refuse(error, shown)


@contextmanager
def opened(name: str | Path, flags: int, at: int | None = None) -> Iterator[int]:
    """Open, hand over the descriptor, close."""
    descriptor = os.open(name, flags, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_below(root: int, folders: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """Descriptor of the folder ``folders`` below ``root``, reached one component at a time without following."""
    current = os.dup(root)
    try:
        for name in folders:
            if create:
                with suppress(FileExistsError):
                    make_folder(current, name)
            step = os.open(name, FOLDER, dir_fd=current)
            os.close(current)
            current = step
        yield current
    finally:
        os.close(current)


def make_folder(parent: int, name: str) -> None:
    """Make one folder with mode 0750, whatever the umask; FileExistsError where the name is taken."""
    os.mkdir(name, _FOLDER_MODE, dir_fd=parent)
    with opened(name, FOLDER, parent) as descriptor:
        os.fchmod(descriptor, _FOLDER_MODE)


def sync_folder(descriptor: int) -> None:
    with suppress(OSError):  # some network file systems refuse fsync on folders; the rename itself is still atomic
        os.fsync(descriptor)


def sync_filesystem(descriptor: int) -> None:
    """Make everything written to this file system durable: one call costs less than an fsync for each of many files."""
    import ctypes  # noqa: PLC0415  # only who publishes a folder pays for it

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def read_descriptor(descriptor: int, *, where: str, limit: int) -> bytes:
    """Whole content of a regular file, read once; InputError when it is not one, too big, or changes meanwhile."""
    before = os.fstat(descriptor)
    kind = kind_of(before.st_mode)
    if kind is not None:
        raise InputError(f"não é um arquivo comum: {kind}", where=where, mend="indique um arquivo comum")
    if before.st_size > limit:
        raise InputError(
            f"tem {before.st_size} bytes, acima do limite de {limit}", where=where, mend="divida o arquivo"
        )
    parts = []
    left = before.st_size + 1  # one byte more than promised, so that growth is seen
    while left > 0 and (part := os.read(descriptor, min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    after = os.fstat(descriptor)
    data = b"".join(parts)
    same = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    if len(data) != before.st_size or not same:
        raise InputError("mudou durante a leitura", where=where, mend="repita quando ninguém o estiver gravando")
    return data


def digest_descriptor(descriptor: int, buffer: bytearray) -> str:
    """SHA-256 to the end of the file, through the caller's buffer (about 1 MiB is fastest)."""
    digest = hashlib.sha256()
    view = memoryview(buffer)
    while count := os.readv(descriptor, [buffer]):
        digest.update(view[:count])
    return digest.hexdigest()


def write_new(parent: int, name: str, content: Content, *, durable: bool = True, expected: str | None = None) -> None:
    """Write a file that must not exist, mode 0640 whatever the umask; with ``durable`` its bytes are on disk after.

    InputError when a streamed file or a blob does not have the SHA-256 ``expected``.
    """
    if isinstance(content, Blob) and _linked(content, parent, name, durable=durable):
        return
    with _opened_new(parent, name) as descriptor:
        if isinstance(content, bytes):
            _write_all(descriptor, content)
        elif isinstance(content, Blob):
            _copy(content.path, descriptor, content.sha256)
        else:
            _copy(content, descriptor, expected)
        if durable:
            os.fsync(descriptor)


def _linked(blob: Blob, parent: int, name: str, *, durable: bool) -> bool:
    """Give a blob a second name, then hash what bears it; False where the file system gives no second names."""
    try:
        os.link(blob.path, name, dst_dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        if error.errno in NO_HARD_LINKS:
            return False
        raise
    with opened(name, FILE, parent) as descriptor:
        if digest_descriptor(descriptor, bytearray(_CHUNK)) != blob.sha256:
            raise InputError("mudou durante a cópia", where=show_path(blob.path), mend="repita o comando")
        if durable:
            os.fsync(descriptor)
    return True


def _copy(path: Path, target: int, expected: str | None) -> None:
    digest = hashlib.sha256()
    where = show_path(path)
    with naming(path), opened(path, FILE) as source:
        kind = kind_of(os.fstat(source).st_mode)
        if kind is not None:
            raise InputError(f"não é um arquivo comum: {kind}", where=where, mend="indique um arquivo comum")
        while part := os.read(source, _CHUNK):
            digest.update(part)
            _write_all(target, part)
    if expected is not None and digest.hexdigest() != expected:
        raise InputError("mudou durante a cópia", where=where, mend="repita o comando")


@contextmanager
def _opened_new(parent: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, _NEW, _FILE_MODE, dir_fd=parent)
    try:
        os.fchmod(descriptor, _FILE_MODE)
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove_tree(parent: int, name: str) -> None:
    """Remove a tree of ours without following anything; a name that is gone is no error."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # what Linux and macOS say for a folder
        with opened(name, FOLDER, parent) as folder:
            with os.scandir(folder) as children:
                names = [child.name for child in children]
            for child in names:
                remove_tree(folder, child)
        os.rmdir(name, dir_fd=parent)


def exchange(parent: int, first: str, second: str) -> bool:
    """Swap two names in one step; False where the kernel or the file system cannot."""
    import ctypes  # noqa: PLC0415  # as above

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(parent, os.fsencode(first), parent, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
        return False
    raise OSError(number, os.strerror(number), second)

"""Where output may go (threat T24): folders reached without links, outside what is audited, empty or ours."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import (
    FOLDER,
    exchange,
    make_folder,
    naming,
    opened,
    opened_below,
    remove_tree,
    sync_filesystem,
    sync_folder,
    write_new,
)
from pipeline.errors import InputError
from pipeline.ports import Content, path_fault, show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

__all__ = ["MARKER", "flocked", "open_output", "write_files", "write_tree_atomic"]

MARKER = ".appgear-pipeline"
_MARKER_TEXT = (
    b"Pasta gerada por appgear-pipeline: o conte\xc3\xbado \xc3\xa9 substitu\xc3\xaddo a cada execu\xc3\xa7\xc3\xa3o.\n"
)
_PERMITTED = frozenset({"README.md", ".gitignore", ".gitkeep"})  # what a repository versions in an output folder
_POLL_SECONDS = (0.001, 0.02)  # at first, since most wait for a moment only, and at most
_FEW_FILES = 16  # above this, one sync of the file system is cheaper than one for each file


@contextmanager
def open_output(
    path: Path, *, outside: Sequence[Path] = (), ours: Callable[[str], bool] | None = None
) -> Iterator[int]:
    """Descriptor of the output folder, made where missing.

    InputError when the folder or a parent is a link (one directly below ``/`` that belongs to root, such as macOS's
    ``/tmp``, is the system's own and passes), is ``/``, lies inside one of ``outside``, belongs to another user, or
    holds something else and has neither the marker nor only names that ``ours`` accepts.
    """
    absolute = Path(os.path.normpath(Path.cwd() / path))
    where = show_path(path)
    if absolute == Path("/"):
        raise InputError("a raiz do sistema não pode ser pasta de saída", where=where, mend="indique outra pasta")
    _refuse_inside(absolute, outside, where)
    with naming(path), opened("/", FOLDER) as root, _descended(root, absolute.parts[1:], where) as folder:
        _adopt(folder, where, ours)
        yield folder


@contextmanager
def _descended(root: int, parts: Sequence[str], where: str) -> Iterator[int]:
    first = os.stat(parts[0], dir_fd=root, follow_symlinks=False) if _exists(root, parts[0]) else None
    if first is not None and stat.S_ISLNK(first.st_mode) and first.st_uid == 0 and len(parts) > 1:
        real = Path("/", parts[0]).resolve()
        parts = (*real.parts[1:], *parts[1:])
    current = os.dup(root)
    try:
        for name in parts:
            if not _exists(current, name):
                with suppress(FileExistsError):  # another run may be as quick
                    make_folder(current, name)
            elif stat.S_ISLNK(os.stat(name, dir_fd=current, follow_symlinks=False).st_mode):
                raise InputError(
                    f"a pasta de saída passa por um link simbólico ({show_path(name)})",
                    where=where,
                    mend="indique o caminho real",
                )
            step = os.open(name, FOLDER, dir_fd=current)
            os.close(current)
            current = step
        yield current
    finally:
        os.close(current)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _refuse_inside(target: Path, outside: Sequence[Path], where: str) -> None:
    real = target.resolve()
    for tree in outside:
        if real.is_relative_to(tree.resolve()):
            raise InputError(
                "a pasta de saída fica dentro da árvore auditada", where=where, mend="use --artifacts fora dela"
            )


def _adopt(folder: int, where: str, ours: Callable[[str], bool] | None) -> None:
    with os.scandir(folder) as listing:
        names = {each.name for each in listing} - _PERMITTED
    if MARKER in names or (ours and names and all(map(ours, names))):
        return
    if names:
        raise InputError("a pasta de saída não está vazia e não é nossa", where=where, mend="indique uma pasta nova")
    owner = os.fstat(folder).st_uid
    if owner != os.geteuid() and os.geteuid() != 0:
        raise InputError("a pasta de saída é de outro usuário", where=where, mend="indique uma pasta sua")


@contextmanager
def flocked(descriptor: int, *, shared: bool, seconds: float, busy: str) -> Iterator[None]:
    """Hold a lock that dies with its holder; InputError with the text ``busy`` when it stays taken for ``seconds``."""
    deadline = time.monotonic() + seconds
    pause, longest = _POLL_SECONDS
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise InputError(busy, mend="espere a outra execução terminar e repita") from error
            time.sleep(pause)
            pause = min(pause * 2, longest)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def write_files(
    folder: int,
    files: Mapping[str, Content],
    *,
    kept: Collection[str] = (),
    digests: Mapping[str, str] | None = None,
) -> None:
    """Write new files below an own, staged folder; they, ``kept`` and all their folders are durable on return."""
    expected = digests or {}
    paths = [*files, *kept]
    few = len(paths) <= _FEW_FILES
    for path, content in files.items():
        *parents, name = path.split("/")
        with opened_below(folder, parents, create=True) as parent, naming(path):
            write_new(parent, name, content, durable=few, expected=expected.get(path))
    if not few:
        sync_filesystem(folder)
        return
    folders = {"/".join(path.split("/")[:end]) for path in paths for end in range(1, path.count("/") + 1)}
    for each in sorted(folders):
        with opened_below(folder, each.split("/")) as descriptor:
            sync_folder(descriptor)
    sync_folder(folder)


def write_tree_atomic(target: Path, files: Mapping[str, Content], *, outside: Sequence[Path] = ()) -> None:
    """Publish a folder with exactly these files (and the marker) by one rename: staged beside it, synced, renamed.

    The target must be missing, empty, or an earlier output of ours, which is then swapped out whole. Folders are 0750
    and files 0640 whatever the umask. InputError for the refusals of ``open_output`` and for an unsafe path.
    """
    where = show_path(target)
    for path in files:
        fault = path_fault(path)
        if fault is not None or path == MARKER:
            raise InputError(fault or "nome reservado", where=show_path(path), mend="corrija o caminho")
    with open_output(target, outside=outside):
        pass  # vetted, and made where missing, before anything is staged
    absolute = Path(os.path.normpath(Path.cwd() / target))
    staged = f".tmp-{absolute.name}"
    parent = absolute.parent.resolve()
    busy = "outra execução está gravando esta pasta"
    with (
        naming(target),
        opened(parent, FOLDER) as folder,
        flocked(folder, shared=False, seconds=60.0, busy=f"{where}: {busy}"),
    ):
        for left in (staged, f"{staged}.old"):
            _clear_stage(folder, left, where)
        make_folder(folder, staged)
        try:
            with opened(staged, FOLDER, folder) as stage:
                write_files(stage, {MARKER: _MARKER_TEXT, **files})
            if not exchange(folder, staged, absolute.name):
                os.rename(absolute.name, f"{staged}.old", src_dir_fd=folder, dst_dir_fd=folder)
                os.rename(staged, absolute.name, src_dir_fd=folder, dst_dir_fd=folder)
            sync_folder(folder)
        finally:
            remove_tree(folder, staged)
            remove_tree(folder, f"{staged}.old")


def _clear_stage(folder: int, staged: str, where: str) -> None:
    """Remove what a killed run of ours left under the stage's name; anything else there is refused."""
    if not _exists(folder, staged):
        return
    with opened(staged, FOLDER, folder) as left, os.scandir(left) as listing:
        names = {each.name for each in listing}
    if names and MARKER not in names:
        raise InputError(f"{show_path(staged)} existe ao lado e não é nosso", where=where, mend="mova-o dali")
    remove_tree(folder, staged)

"""A folder that was built for the image, as entries: names and sizes now, contents when the layer is written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import kind_of, naming
from pipeline.errors import InputError
from pipeline.image.entries import Entry
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["read_entries", "read_file_entry"]

_DEPTH = 128


def read_entries(root: Path, *, at: str, keep: Callable[[str], bool] = lambda _path: True) -> tuple[Entry, ...]:
    """Everything below ``root`` for which ``keep`` (given the path below it) holds, placed at ``at`` in the image.

    Folders that hold nothing are left out. Links are taken as links and never followed. InputError for a special file,
    a name that is not UTF-8, and an absolute link, which would name this machine.
    """
    with naming(root):
        if not stat.S_ISDIR(root.lstat().st_mode):
            raise InputError("não é uma pasta", where=show_path(root), mend="construa o portal de novo")
        return tuple(_walk(str(root), "", at, keep, 0))


def read_file_entry(path: Path, *, at: str, mode: int) -> Entry:
    """One file, placed at ``at``."""
    with naming(path):
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise InputError("não é um arquivo comum", where=show_path(path), mend="reinstale o que o fornece")
        return Entry(path=at, kind="file", mode=mode, size=state.st_size, source=path)


def _walk(folder: str, below: str, at: str, keep: Callable[[str], bool], depth: int) -> Iterator[Entry]:
    if depth > _DEPTH:
        raise InputError(f"mais de {_DEPTH} pastas de profundidade", where=show_path(below), mend="retire-as")
    with os.scandir(folder) as listing:
        found = list(listing)
    for each in found:
        path = f"{below}/{each.name}" if below else each.name
        if not keep(path):
            continue
        try:
            place = f"{at}/{path}"
            place.encode()
        except UnicodeEncodeError as error:
            raise InputError("o nome não é UTF-8", where=show_path(path), mend="renomeie-o") from error
        if each.is_symlink():
            yield _link(each.path, place)
        elif each.is_dir(follow_symlinks=False):
            yield from _walk(each.path, path, at, keep, depth + 1)
        else:
            state = each.stat(follow_symlinks=False)
            kind = kind_of(state.st_mode)
            if kind is not None:
                raise InputError(f"não é um arquivo comum: {kind}", where=show_path(path), mend="retire-o")
            mode = 0o755 if state.st_mode & 0o111 else 0o644
            yield Entry(path=place, kind="file", mode=mode, size=state.st_size, source=Path(each.path))


def _link(path: str, place: str) -> Entry:
    target = os.readlink(path)  # noqa: PTH115  # as text: a Path would take "./x" for "x"
    if target.startswith("/"):
        raise InputError("link simbólico absoluto", where=show_path(place), mend="construa o portal de novo")
    return Entry(path=place, kind="link", mode=0o777, target=target)

"""What a layer holds: entries of an image's file system, owned by root, in one order, below one root."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline.errors import InputError
from pipeline.ports import path_fault, show_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Entry", "link_fault", "plan_layer"]

_PLAIN = re.compile(r"(?:[\w@+][\w.@+-]*/)*[\w@+][\w.@+-]*", re.ASCII)
_WHITEOUT = ".wh."  # names that image specification gives a meaning of their own
_FOLDER_MODE = 0o755
_PERMITTED = 0o1777  # neither setuid nor setgid


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One name; ``path`` is relative to the image's root. ``source`` is a file's content, or the file that has it."""

    path: str
    kind: Literal["folder", "file", "link"]
    mode: int
    size: int = 0
    target: str = ""
    source: Path | bytes = field(default=b"", repr=False)


def plan_layer(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries of one layer, folders before what they hold, sorted by the path's bytes.

    Folders that nobody gave are added with mode 0755. InputError for a path that is unsafe or given twice (the same
    folder twice is one), for a name with a meaning in layers, for a setuid file and for a link that leaves the root.
    """
    planned: dict[str, Entry] = {}
    for each in entries:
        _check(each)
        known = planned.setdefault(each.path, each)
        if known is not each and (known.kind, each.kind) != ("folder", "folder"):
            raise InputError("o caminho aparece duas vezes", where=show_path(each.path), mend="retire um deles")
    for path in list(planned):
        above = path.rpartition("/")[0]
        while above and planned.get(above) is None:
            planned[above] = Entry(path=above, kind="folder", mode=_FOLDER_MODE)
            above = above.rpartition("/")[0]
        if above and planned[above].kind != "folder":
            raise InputError("um arquivo está no lugar de uma pasta", where=show_path(above), mend="retire um deles")
    return tuple(planned[path] for path in sorted(planned))  # code points sort as their UTF-8 bytes do


def _check(entry: Entry) -> None:
    path = entry.path
    fault = None if _PLAIN.fullmatch(path) else path_fault(path)
    if fault is None and (path.startswith(_WHITEOUT) or f"/{_WHITEOUT}" in path):
        fault = "nome reservado pelo formato de imagens"
    if fault is None and entry.mode & ~_PERMITTED:
        fault = "arquivo com setuid ou setgid"
    if fault is None and entry.kind == "link":
        fault = link_fault(path, entry.target)
    if fault is not None:
        raise InputError(fault, where=show_path(path), mend="retire-o do que entra na imagem")


def link_fault(path: str, target: str) -> str | None:
    """Why a symbolic link may not stand (pt-BR); None when it stays below the image's root."""
    if not target or "\0" in target:
        return "link sem destino"
    if target.startswith("/"):
        return None  # from the image's own root, wherever that is mounted
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in {"", "."}:
            depth += 1
        if depth < 0:
            return "link simbólico que sai da raiz da imagem"
    return None

"""Which names may become files of a module's tree, and which folder a ``cd`` leads to."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["ROOT", "Folder", "UnsafePathError", "change_folder", "fold_path", "safe_path"]

_MAX_PATH = 1024  # bytes; well below every file system's PATH_MAX
_MAX_NAME = 255  # bytes
_DRIVE = re.compile(r"[A-Za-z]:")


class UnsafePathError(Exception):
    """The name is refused; the message says why in pt-BR."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """Where a shell stands: ``parts`` below the tree's root, or, outside the tree, the folder's own text."""

    outside: str = ""
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.outside or "/".join(self.parts)


ROOT = Folder()


def safe_path(name: str, folder: Folder = ROOT, *, expands: bool = False) -> str:
    """The normalised tree path of ``name`` written in ``folder``: relative, no ``.``, ``..`` or empty parts.

    Outside the tree the folder is left out: the caller keeps it beside the path. UnsafePathError for a name that could
    mean another file, or none, on some system: absolute, leaving the folder, ``~``, ``$``, backticks, backslashes,
    drives, control and invisible characters, ``.git``, parts that end in a dot or a space, over-long parts; or when the
    caller knows that the shell ``expands`` it.
    """
    _refuse_characters(name, expands=expands)
    parts = list(folder.parts) if not folder.outside else []
    _refuse_characters("/".join(parts), expands=False)
    for part in parts:
        if part != "..":
            _refuse_part(part)
    for part in name.split("/"):
        if part == "..":
            if not parts or parts[-1] == "..":
                raise UnsafePathError("sai da árvore do módulo")
            parts.pop()
        elif part not in ("", "."):
            _refuse_part(part)
            parts.append(part)
    if not parts:
        raise UnsafePathError("não nomeia um arquivo")
    if parts[0] == "..":
        raise UnsafePathError("sai da árvore do módulo")
    path = "/".join(parts)
    if len(path.encode()) > _MAX_PATH:
        raise UnsafePathError("é longo demais")
    return path


def _refuse_characters(name: str, *, expands: bool) -> None:
    if name.startswith("/"):
        raise UnsafePathError("é absoluto")
    if name.startswith("~"):
        raise UnsafePathError("aponta para a pasta pessoal")
    if expands or "$" in name or "`" in name:
        raise UnsafePathError("depende de uma expansão do shell")
    if "\\" in name:
        raise UnsafePathError("contém barra invertida")
    if _DRIVE.match(name):
        raise UnsafePathError("nomeia uma unidade de disco")
    if visible(name) != name or "\n" in name or "\t" in name:
        raise UnsafePathError("contém caractere de controle ou invisível")


def _refuse_part(part: str) -> None:
    if part.casefold() == ".git":
        raise UnsafePathError("escreve em .git")
    if part[-1] in ". ":
        raise UnsafePathError("tem parte terminada em ponto ou espaço")
    if len(part.encode()) > _MAX_NAME:
        raise UnsafePathError("é longo demais")


def fold_path(path: str) -> str:
    """The same text for paths that a file system may hold to be equal: case and Unicode form are levelled."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def change_folder(folder: Folder, target: str, *, repositories: Container[str], known: Container[str]) -> Folder:
    """Where ``cd target`` leads from ``folder``.

    The working copy of a repository is the tree's root, wherever it was cloned: a name of ``repositories``, or at the
    root ``appgear-*``. Deeper down ``appgear-*`` is a repository unless the folder is one of the ``known`` tree paths,
    because each section of a document may begin in a new terminal. What leads out of the tree keeps its own text. A way
    longer than any path leads nowhere.
    """
    if len(target) + len(str(folder)) > _MAX_PATH:
        return folder
    if target.startswith(("/", "~")) or "$" in target or "`" in target:
        return _outside(target, repositories)
    names = [part for part in target.split("/") if part not in ("", ".")]
    first = next((part for part in names if part != ".."), "")
    if folder.outside:
        if _is_repository(first, repositories):
            return Folder(parts=_normal(names[names.index(first) + 1 :]))
        return _outside(f"{folder.outside}/{target}", repositories)
    parts = _normal([*folder.parts, *names])
    below = tuple(part for part in parts if part != "..")
    if below and _is_repository(below[0], repositories):
        return Folder(parts=below[1:])
    if names and _is_repository(names[0], repositories) and "/".join(parts) not in known:
        return Folder(parts=_normal(names[1:]))
    return Folder(parts=parts)


def _normal(names: Iterable[str]) -> tuple[str, ...]:
    """Names with each ``..`` applied; those that lead above the start stay in front."""
    parts: list[str] = []
    for name in names:
        if name == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif name not in ("", "."):
            parts.append(name)
    return tuple(parts)


def _outside(target: str, repositories: Container[str]) -> Folder:
    normal = posixpath.normpath(target) if target.startswith("/") else target.rstrip("/")
    names = normal.split("/")
    for index, name in enumerate(names):
        if name and name in repositories:
            return Folder(parts=_normal(names[index + 1 :]))
    return Folder(outside=normal or "/")


def _is_repository(name: str, repositories: Container[str]) -> bool:
    return name in repositories or name.startswith("appgear-")

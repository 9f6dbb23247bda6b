"""Modules named by pattern: what a shell would expand, the same on every machine and in the same order."""

from __future__ import annotations

import os
import re
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import naming
from pipeline.errors import InputError
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["expand"]

_MAGIC = re.compile(r"[*?\[]")
_MAX_NAMES = 200_000  # looked at for one pattern


def expand(named: Sequence[Path]) -> tuple[Path, ...]:
    """Each path, patterns (``* ? [a-z] **``) replaced by what they match in the order of its bytes; none of them twice.

    A path that exists as written is no pattern. As in a shell, a name that begins with a dot is matched only by a dot,
    and ``**`` goes through folders, never through links. InputError where a pattern matches nothing: what was to be
    examined is not there.
    """
    found: dict[str, Path] = {}
    for each in named:
        text = str(each)
        paths = [text] if os.path.lexists(text) or not _MAGIC.search(text) else _matches(text)
        for path in paths:
            found.setdefault(os.path.normpath(Path.cwd() / path), Path(path))
    return tuple(found.values())


def _matches(pattern: str) -> list[str]:
    search = _Search(pattern)
    found = sorted(set(search.below("/" if pattern.startswith("/") else "", search.parts)), key=os.fsencode)
    if not found:
        raise InputError("nenhum caminho casa com o padrão", where=show_path(pattern), mend="confira o padrão")
    return found


class _Search:
    def __init__(self, pattern: str) -> None:
        self.parts = tuple(part for part in pattern.split("/") if part)
        self._pattern = pattern
        self._names_left = _MAX_NAMES

    def below(self, folder: str, parts: tuple[str, ...]) -> Iterator[str]:
        """Paths below ``folder`` (empty, or with its final slash) that the parts match."""
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self.below(folder, rest or ("*",))
            for name in self._names(folder):
                if not name.startswith(".") and self._is_folder(folder + name):
                    yield from self.below(f"{folder}{name}/", parts)
            return
        fits = re.compile(translate(part)).match
        names = self._names(folder) if _MAGIC.search(part) else [part]
        for name in names:
            if (name.startswith(".") and not part.startswith(".")) or (name != part and not fits(name)):
                continue
            path = folder + name
            if rest:
                if Path(path).is_dir():
                    yield from self.below(f"{path}/", rest)
            elif os.path.lexists(path):
                yield path

    def _names(self, folder: str) -> list[str]:
        with naming(folder or "."):
            names = os.listdir(folder or ".")  # noqa: PTH208 - names alone
        self._names_left -= len(names)
        if self._names_left < 0:
            raise InputError(
                f"o padrão olha mais de {_MAX_NAMES} nomes",
                where=show_path(self._pattern),
                mend="use um mais específico",
            )
        return names

    def _is_folder(self, path: str) -> bool:
        return Path(path).is_dir() and not Path(path).is_symlink()

"""The folder that a reader of the document stands in, as ``cd``, ``pushd``, ``popd`` and subshells move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.module.paths import ROOT, Folder, UnsafePathError, change_folder, safe_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.module.script import Word

__all__ = ["Navigator"]

_MAX_STACK = 100  # pushd without popd
_CLONE_VALUES = frozenset({"-b", "--branch", "-o", "--origin", "--depth", "--reference", "-c", "--config", "-j", "-u"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    folder: Folder = ROOT
    previous: Folder = ROOT
    stack: tuple[Folder, ...] = ()


class Navigator:
    """Starts at the root of the tree. Every command succeeds: documents show the way that works."""

    def __init__(self) -> None:
        self._state = _State()
        self._scopes: list[_State] = []
        self._repositories: set[str] = set()
        self._known: set[str] = set()
        self._last = ""

    @property
    def folder(self) -> Folder:
        return self._state.folder

    @property
    def depth(self) -> int:
        """How many subshells are open."""
        return len(self._scopes)

    def enter(self) -> None:
        self._scopes.append(self._state)

    def leave(self) -> None:
        self._state = self._scopes.pop()

    def unwind(self, depth: int) -> None:
        """Leave subshells until ``depth`` are open."""
        while len(self._scopes) > depth:
            self.leave()

    def note(self, folder: str) -> None:
        """Remember that ``folder`` and those above it exist in the tree."""
        while folder and folder not in self._known:
            self._known.add(folder)
            folder = folder.rpartition("/")[0]

    def take(self, program: str, arguments: Sequence[Word]) -> None:
        """Apply a command that changes the folder or tells about folders; others change nothing."""
        names = [word.value for word in arguments]
        if program in ("cd", "pushd"):
            self._change(program, names)
        elif program == "popd" and self._state.stack:
            self._move(self._state.stack[-1], self._state.stack[:-1])
        elif program == "git" and "clone" in names:
            self._clone(names[names.index("clone") + 1 :])
        elif program == "mkdir":
            self._make(names)
        self._last = names[-1] if names else program

    def _change(self, program: str, names: list[str]) -> None:
        target = next((name for name in names if name == "-" or not name.startswith("-")), None)
        stack = self._state.stack
        if program == "pushd":
            if target is None:
                return
            stack = (*stack, self._state.folder)[-_MAX_STACK:]
        if target == "-":
            self._move(self._state.previous, stack)
            return
        target = self._last if target == "$_" else "~" if target is None else target
        folder = change_folder(self._state.folder, target, repositories=self._repositories, known=self._known)
        if folder == ROOT and target.rsplit("/", 1)[-1] not in ("", ".", ".."):
            self._repositories.add(target.rstrip("/").rsplit("/", 1)[-1])
        self._move(folder, stack)

    def _move(self, folder: Folder, stack: tuple[Folder, ...]) -> None:
        self._state = _State(folder=folder, previous=self._state.folder, stack=stack)

    def _clone(self, names: list[str]) -> None:
        places = [
            name for index, name in enumerate(names)
            if not name.startswith("-") and not (index and names[index - 1] in _CLONE_VALUES)
        ]  # fmt: skip
        if places:
            name = places[1] if len(places) > 1 else places[0].rstrip("/").removesuffix(".git")
            name = name.rstrip("/").replace(":", "/").rsplit("/", 1)[-1]
            self._repositories.update({name} - {"", ".", ".."})

    def _make(self, names: list[str]) -> None:
        for name in names:
            if not name.startswith("-") and not self._state.folder.outside:
                try:
                    self.note(safe_path(name, self._state.folder))
                except UnsafePathError:
                    continue

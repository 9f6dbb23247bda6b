"""What the shell reader yields: values only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["HereDoc", "ProblemCode", "Redirection", "Scope", "Script", "ShellProblem", "SimpleCommand", "Word"]

ProblemCode = Literal["unclosed", "unsupported", "limit"]

_EATEN = re.compile(r"[$`]|\\(?:\\|$)")  # what a shell changes in a line of an unquoted here-document


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word after quote removal, nothing expanded.

    ``quoted``: some part was quoted; ``active``: a shell would expand something in it; ``hole``: it holds a ``<name>``.
    """

    value: str
    quoted: bool = False
    active: bool = False
    hole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HereDoc:
    """Lines as they stand in the text from ``first_line`` on, less the ``dropped`` leading tabs of each.

    ``line`` is that of the operator; ``expands`` says that the delimiter is unquoted, ``closed`` that it was found.
    """

    line: int
    delimiter: str
    expands: bool
    first_line: int
    lines: tuple[str, ...] = ()
    dropped: tuple[int, ...] = ()
    closed: bool = False

    @property
    def altered(self) -> bool:
        """Whether the shell's result differs from ``lines``, or may: it expands, or consumes a backslash."""
        return self.expands and any(_EATEN.search(line) for line in self.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Redirection:
    """``operator`` without its descriptor; ``heredoc`` is an index into the script's here-documents."""

    operator: str
    descriptor: int | None
    target: Word
    heredoc: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleCommand:
    """``before`` and ``after`` are the control operators at its sides; a ``compound`` holds a group's redirections."""

    line: int
    text: str
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    before: str
    after: str
    compound: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """A subshell begins or ends: what ``cd`` does inside ends with it."""

    enter: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ShellProblem:
    code: ProblemCode
    message: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """Commands in the order in which they would run: those of a ``$( )`` before the command that holds it."""

    items: tuple[SimpleCommand | Scope, ...]
    heredocs: tuple[HereDoc, ...]
    problems: tuple[ShellProblem, ...]
    word_count: int

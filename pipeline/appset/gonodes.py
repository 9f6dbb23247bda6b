"""The nodes of a parsed Go template (package text/template/parse, node.go)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Action",
    "Branch",
    "Chain",
    "Command",
    "Field",
    "Function",
    "Jump",
    "Literal",
    "Nil",
    "Node",
    "Number",
    "Operand",
    "Pipe",
    "Text",
    "Variable",
]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """``.A.B``; no names for the dot itself."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$x.A``; the name is empty for ``$``."""

    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """``(pipeline).A.B``."""

    node: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    value: bool | str


@dataclass(frozen=True, slots=True)
class Number:
    """``ideal`` is the value without context; ``integer`` the same where it is a whole number, whatever its form."""

    ideal: int | float
    integer: int | None


@dataclass(frozen=True, slots=True)
class Nil:
    pass


@dataclass(frozen=True, slots=True)
class Command:
    args: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False


Operand = Field | Variable | Chain | Function | Literal | Number | Nil | Pipe


@dataclass(frozen=True, slots=True)
class Action:
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """``if``, ``with`` or ``range``."""

    kind: str
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``."""

    kind: str


Node = Text | Action | Branch | Jump

"""How text/template fits values to the parameters of a function (evalArg and validateType of exec.go)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.appset.errors import Refused
from pipeline.appset.gonodes import Literal, Number
from pipeline.appset.govalue import INVALID, Int64, StringList, StringMap, kind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GoFunction", "GoType", "function"]


@dataclass(frozen=True, slots=True)
class GoType:
    """A parameter type by Go's name; ``any`` takes everything, ``value`` tells a missing value from nil."""

    name: str

    def nil(self) -> Any:
        """The literal ``nil`` as an argument."""
        if self.name in ("any", "value"):
            return None
        if self.name in ("map", "list"):
            return {} if self.name == "map" else []
        raise Refused(f"nil não serve como {self.name}")

    def constant(self, node: Literal | Number) -> Any:
        """A literal: a whole number fits int and float64 alike."""
        if self.name in ("any", "value"):
            return node.ideal if isinstance(node, Number) else node.value
        if isinstance(node, Number):
            if self.name == "int" and node.integer is not None:
                return node.integer
            if self.name == "float":
                return float(node.ideal)
        elif isinstance(node.value, bool) == (self.name == "bool") and self.name in ("bool", "string"):
            return node.value
        raise Refused(f"o argumento literal não é {self.name}")

    def check(self, value: Any) -> Any:
        """``value`` where it is assignable; Go converts nothing."""
        if self.name == "any":
            return None if value is INVALID else value
        if self.name == "value":
            return value
        if value is INVALID and self.name == "map":
            return {}
        if not _assignable(self.name, value):
            raise Refused(f"argumento {kind(value)} onde a função espera {self.name}")
        return value


def _assignable(name: str, value: Any) -> bool:
    match name:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, (bool, Int64))
        case "float":
            return isinstance(value, float)
        case "map":
            return isinstance(value, dict) and not isinstance(value, StringMap)
        case _:
            return isinstance(value, list) and not isinstance(value, StringList)


@dataclass(frozen=True, slots=True)
class GoFunction:
    """One function: fixed parameters, the variadic one if any, and whether it ignores the order of a list."""

    run: Callable[..., Any]
    fixed: tuple[GoType, ...]
    variadic: GoType | None
    orderless: bool

    def check_count(self, name: str, count: int) -> None:
        """Refused unless ``count`` arguments fit."""
        wanted = len(self.fixed)
        if count < wanted or (count > wanted and self.variadic is None):
            raise Refused(f"{name} espera {wanted} argumento(s) e recebe {count}")

    def parameter(self, index: int) -> GoType:
        """The type of the argument at ``index``."""
        if index < len(self.fixed):
            return self.fixed[index]
        return self.variadic or GoType("any")


def function(run: Callable[..., Any], signature: str, *, orderless: bool = False) -> GoFunction:
    """A GoFunction from a signature such as ``"string any..."``."""
    words = signature.split()
    variadic = GoType(words.pop()[:-3]) if words and words[-1].endswith("...") else None
    return GoFunction(run, tuple(GoType(word) for word in words), variadic, orderless)

"""What a selector is called by people."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["name_of", "selects"]

Selector = TypeVar("Selector", bound="Callable[..., object]")


def selects(what: str) -> Callable[[Selector], Selector]:
    """Say in pt-BR, lower case and plural, what a selector selects: ``regras`` shows it beside each of its rules."""

    def declare(selector: Selector) -> Selector:
        vars(selector)["selects"] = what
        return selector

    return declare


def name_of(selector: object) -> str:
    """What a selector selects; its own name where it does not say."""
    return str(getattr(selector, "selects", None) or getattr(selector, "__name__", "").strip("_").replace("_", " "))

"""Objects of a module by kind and name, indexed once however many rules and subjects ask."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.audit.views import ModuleView, ObjectView

__all__ = ["find", "find_in"]


@cache
def _by_name(kind: str) -> Callable[[ModuleView], Iterator[dict[str, list[ObjectView]]]]:
    def select(module: ModuleView) -> Iterator[dict[str, list[ObjectView]]]:
        index: dict[str, list[ObjectView]] = {}
        for each in module.by_kind.get(kind, ()):
            for name in {each.name, each.cluster_name}:
                index.setdefault(name, []).append(each)
        yield index

    return select


def find(module: ModuleView, kind: str, name: str) -> list[ObjectView]:
    """Objects of this kind and name, as written or as kustomizations rename it, in every namespace."""
    (index,) = module.select(_by_name(kind))
    found: list[ObjectView] = index.get(name, [])
    return found


def find_in(module: ModuleView, kind: str, name: str, namespace: str | None) -> ObjectView | None:
    """The object of this kind and name in one namespace."""
    return next((each for each in find(module, kind, name) if each.namespace == namespace), None)

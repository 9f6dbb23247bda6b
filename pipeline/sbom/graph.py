"""Edges into the form that a graph keeps them in: every component reached from the root."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["anchored", "reach"]


def reach(start: Collection[str], needs: Mapping[str, Collection[str]]) -> set[str]:
    """What ``start`` needs, itself included, over any number of steps."""
    reached, pending = set(start), list(start)
    while pending:
        for ref in needs.get(pending.pop(), ()):
            if ref not in reached:
                reached.add(ref)
                pending.append(ref)
    return reached


def anchored(
    root: str, direct: Collection[str], needs: Mapping[str, Collection[str]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every ref of ``needs`` with what it needs, the root first; what nobody needs, the root does.

    Edges to itself and to what ``needs`` does not hold are left out.
    """
    kept = {ref: {other for other in others if other in needs and other != ref} for ref, others in needs.items()}
    tops = {ref for ref in direct if ref in kept}
    wanted = {other for others in kept.values() for other in others}
    tops |= {ref for ref in kept if ref not in wanted}
    reached = reach(tops, kept)
    for ref in sorted(kept):  # those that are left need one another in a circle
        if ref not in reached:
            tops.add(ref)
            reached |= reach({ref}, kept)
    return ((root, tuple(sorted(tops))), *((ref, tuple(sorted(kept[ref]))) for ref in sorted(kept)))

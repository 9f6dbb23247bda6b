"""What the rewrite is given and what it gives back: bytes, what was applied, what was not and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.domain.finding import Change
    from pipeline.domain.snapshot import Origin

__all__ = ["Applied", "NotApplied", "PlannedChange", "RewrittenFile", "RewrittenModule"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedChange:
    """One change of one action, parameters already resolved.

    Changes of one action that share a non-empty ``unit`` are applied all or none (a new file and the kustomization that
    lists it); without a unit each stands alone.
    """

    action: str
    change: Change
    unit: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """``summary`` says in pt-BR what was done; ``changed`` is False where all was already as the change wants."""

    action: str
    path: str
    summary: str
    changed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NotApplied:
    """``reason`` is one line of pt-BR."""

    action: str
    path: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RewrittenFile:
    """One file after the rewrite, touched or not; ``origin`` has the line of the rewritten document.

    ``created`` files were not in the module before: their origin is the tree.
    """

    path: str
    content: bytes
    origin: Origin
    fragment: bool = False
    changed: bool = False
    created: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RewrittenModule:
    """MODULO_REESCRITO. ``patch`` takes the source to this state with ``git apply``; empty when nothing changed."""

    document_path: str | None
    document: bytes | None
    files: tuple[RewrittenFile, ...]
    applied: tuple[Applied, ...]
    not_applied: tuple[NotApplied, ...]
    patch: bytes

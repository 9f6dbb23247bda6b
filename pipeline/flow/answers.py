"""What a checklist is answered from, and one answer of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.domain.artifact import CorrectionPlan, Evidence, MapaNc, Rewrite
    from pipeline.domain.finding import Severity
    from pipeline.domain.opinion import Opinion
    from pipeline.domain.snapshot import Document

__all__ = ["Answer", "CheckInput", "ImageState", "SbomState", "State", "SuiteResults"]

State = Literal["ok", "failed", "missing", "could-not-run", "not-applicable"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteResults:
    """Results of the toolkit's own tests for the code that made this run; ``coverage`` in per cent of lines."""

    passed: int
    failed: int
    skipped: int
    coverage: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageState:
    """The image that releases the module, ``sha256`` of its document; ``failure`` (pt-BR) says why there is none."""

    name: str
    sha256: str = ""
    failure: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SbomState:
    """The image's SBOM: why it could not be made (pt-BR), and components whose licence the policy denies."""

    failure: str = ""
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckInput:
    """What the checklist is answered from. ``evidence`` finds a file of the run by category and name, None if absent.

    ``after`` is the second audit, that of the rewritten module. ``drift`` names ApplicationSet files that are not as
    their values say; None when there are no values to compare with. ``tests`` is None when they were not recorded,
    ``opinion`` when there is none, ``image`` when no image releases this module.
    """

    mapa: MapaNc
    plan: CorrectionPlan
    rewrite: Rewrite
    after: MapaNc
    document: Document | None
    tests: SuiteResults | None
    drift: tuple[str, ...] | None
    retention_days: int
    opinion: Opinion | None = None
    image: ImageState | None = None
    sbom: SbomState | None = None
    evidence: Callable[[str, str], Evidence | None] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One item before it has a number."""

    question: str
    state: State
    severity: Severity
    reason: str = ""
    evidence: tuple[Evidence | None, ...] = ()
    sources: tuple[str, ...]

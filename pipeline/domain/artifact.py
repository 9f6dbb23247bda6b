"""The documents that stages leave on disk, key for key as contract.md names them."""

from __future__ import annotations

from typing import Literal

from pipeline.domain.base import Record
from pipeline.domain.finding import Change, FixMode, IgnoredWaiver, NonConformity, NotRun, Severity

__all__ = [
    "Action",
    "AppliedChange",
    "Checklist",
    "ChecklistItem",
    "CorrectionPlan",
    "Decision",
    "Evidence",
    "FileEntry",
    "FileOrigin",
    "MapaNc",
    "ModuleInfo",
    "Proof",
    "Rewrite",
    "RewrittenEntry",
    "RuleInfo",
    "SourceInfo",
    "Summary",
    "UnappliedChange",
]


class ModuleInfo(Record, frozen=True, kw_only=True):
    """``document`` is its path from the repository's root, None for a bare tree; ``sha256`` covers everything read."""

    id: str
    title: str
    version: str
    document: str | None
    sha256: str


class SourceInfo(Record, frozen=True, kw_only=True):
    commit: str | None
    branch: str | None
    dirty: bool


class FileOrigin(Record, frozen=True, kw_only=True):
    kind: Literal["heredoc", "fence", "tree"]
    document_line: int | None


class FileEntry(Record, frozen=True, kw_only=True):
    path: str
    sha256: str
    origin: FileOrigin


class Summary(Record, frozen=True, kw_only=True):
    """Counts of the findings that are open (``nova`` and ``pendente``, without a waiver), and of those waived."""

    total: int
    waived: int = 0
    by_severity: dict[Severity, int]
    by_rule: dict[str, int]


class MapaNc(Record, frozen=True, kw_only=True):
    """``mapa_nc.json``. ``examined`` counts, per rule, what it judged; ``not_run`` is what no rule could judge."""

    schema_version: Literal["1.0"] = "1.0"
    run: str
    module: ModuleInfo
    source: SourceInfo
    files: tuple[FileEntry, ...]
    non_conformities: tuple[NonConformity, ...]
    summary: Summary
    examined: dict[str, int]
    not_run: tuple[NotRun, ...]
    ignored_waivers: tuple[IgnoredWaiver, ...] = ()


class Decision(Record, frozen=True, kw_only=True):
    """A value that the plan waits for: ``parameter`` is ``table.key`` of ``[parameters]``."""

    parameter: str
    question: str


class Action(Record, frozen=True, kw_only=True):
    """A piece of work. ``changes`` are exact and may be applied as they stand, unless ``decisions`` are open.

    ``due_days`` are calendar days from the audit; ``depends_on`` names actions to do first.
    """

    id: str
    closes: tuple[str, ...]
    mode: FixMode
    severity: Severity
    summary: str
    instructions: str
    responsible: str
    due_days: int
    depends_on: tuple[str, ...]
    decisions: tuple[Decision, ...]
    changes: tuple[Change, ...]


class CorrectionPlan(Record, frozen=True, kw_only=True):
    """``plano_correcao.json``, in the order of the work."""

    schema_version: Literal["1.0"] = "1.0"
    run: str
    module: ModuleInfo
    mapa_nc_sha256: str
    actions: tuple[Action, ...]


class AppliedChange(Record, frozen=True, kw_only=True):
    action: str
    path: str
    summary: str


class UnappliedChange(Record, frozen=True, kw_only=True):
    action: str
    path: str
    reason: str


class RewrittenEntry(Record, frozen=True, kw_only=True):
    """A file of the rewrite. ``path`` is relative to ``modulo_reescrito/``; ``before`` is None for a new file."""

    path: str
    sha256: str
    before: str | None


class Proof(Record, frozen=True, kw_only=True):
    """What was tried on the rewrite itself, each run.

    ``idempotent``: planning and applying again changes no byte. ``auto_left`` and ``introduced``: findings of the
    second audit that a tool could still have corrected, and that the first audit did not have.
    """

    idempotent: bool
    auto_left: tuple[str, ...]
    introduced: tuple[str, ...]
    open_before: int
    open_after: int


class Rewrite(Record, frozen=True, kw_only=True):
    """``modulo_reescrito.json``."""

    schema_version: Literal["1.0"] = "1.0"
    run: str
    module: ModuleInfo
    plano_correcao_sha256: str
    files: tuple[RewrittenEntry, ...]
    patch_sha256: str
    applied: tuple[AppliedChange, ...]
    not_applied: tuple[UnappliedChange, ...]
    proof: Proof


class Evidence(Record, frozen=True, kw_only=True):
    """A file that backs an answer; ``path`` is relative to the artifacts folder."""

    path: str
    sha256: str


class ChecklistItem(Record, frozen=True, kw_only=True):
    """``reason`` tells *missing*, *failed* and *could not run* apart; empty for OK."""

    id: str
    question: str
    result: Literal["OK", "NOK", "N.A."]
    state: Literal["ok", "failed", "missing", "could-not-run", "not-applicable"]
    severity: Severity
    reason: str
    evidence: tuple[Evidence, ...]
    sources: tuple[str, ...]


class Checklist(Record, frozen=True, kw_only=True):
    """``checklist.json``. The verdict follows the worst item by criticality, never a score."""

    schema_version: Literal["1.0"] = "1.0"
    run: str
    module: ModuleInfo
    items: tuple[ChecklistItem, ...]
    verdict: Literal["aprovado", "condicional", "bloqueado"]


class RuleInfo(Record, frozen=True, kw_only=True):
    """A rule as reports show it; ``examined`` is how many subjects it judged in this run."""

    id: str
    severity: Severity
    title: str
    explanation: str
    remedy: str
    sources: tuple[str, ...]
    fix: FixMode
    responsible: str
    due_days: int
    reading: str
    examined: int

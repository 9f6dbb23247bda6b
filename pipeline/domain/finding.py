"""Non-conformities and the corrections they carry: values that the plan, the rewrite and every report share."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pipeline.domain.base import Record

__all__ = [
    "Change",
    "Correction",
    "CreateFile",
    "FixMode",
    "IgnoredWaiver",
    "Location",
    "NonConformity",
    "NonConformityMap",
    "NotRun",
    "ObjectRef",
    "Operation",
    "Param",
    "PatchChange",
    "PathKey",
    "Severity",
    "TextChange",
    "Waiver",
]

PathKey = str | int


class Severity(StrEnum):
    """The four words of ENG block 6, most severe first."""

    CRITICA = "CRITICA"
    ALTA = "ALTA"
    MEDIA = "MEDIA"
    BAIXA = "BAIXA"

    @property
    def rank(self) -> int:
        """0 for CRITICA … 3 for BAIXA."""
        return list(Severity).index(self)


class FixMode(StrEnum):
    AUTO = "auto"
    PARAM = "param"
    MANUAL = "manual"


class Param(Record, frozen=True, kw_only=True, rename={"name": "$param"}):
    """A value that only the platform can give: an entry of the ``[parameters]`` tables of the configuration.

    ``name`` is ``table.key``, split at the first dot: ``images.ghcr.io/x/y`` is ``"ghcr.io/x/y"`` in
    ``[parameters.images]``. ``question`` (pt-BR) is what the plan asks while the value is missing.
    ``template`` may wrap it: ``"{}"`` is the value itself, ``"postgres:{}"`` puts it into a string.
    """

    name: str
    template: str = "{}"
    question: str = ""


class Operation(Record, frozen=True, kw_only=True):
    """One RFC 6902 operation. ``path`` is a JSON pointer; ``value`` a JSON value in which Param may stand."""

    op: Literal["add", "remove", "replace", "test"]
    path: str
    value: Any = None


class PatchChange(Record, frozen=True, kw_only=True, tag_field="type", tag="patch"):
    """Operations on the ``document``-th YAML document (from 0) of the file ``path`` (``doc@LINE`` for a fragment)."""

    path: str
    document: int
    operations: tuple[Operation, ...]


class TextChange(Record, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Replace a range of text. Lines and columns from 1, end exclusive; ``path`` is a file or ``doc``.

    ``old`` is what stands there now; a change whose ``old`` no longer matches is not applied. ``new`` may be a Param.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    old: str
    new: str | Param


class CreateFile(Record, frozen=True, kw_only=True, tag_field="type", tag="create"):
    """A new file of the tree."""

    path: str
    content: str


Change = PatchChange | TextChange | CreateFile


class ObjectRef(Record, frozen=True, kw_only=True):
    kind: str
    name: str
    namespace: str | None = None


class Location(Record, frozen=True, kw_only=True):
    """``path`` is the file's own path or ``doc``; lines and columns from 1; no ``document_line`` for tree files."""

    path: str
    line: int
    column: int
    document_line: int | None = None
    yaml_path: str | None = None


class Correction(Record, frozen=True, kw_only=True):
    """What to do about a finding: ``auto`` needs nothing, ``param`` a value of the platform, ``manual`` a person."""

    mode: FixMode
    summary: str
    changes: tuple[Change, ...] = ()


class Waiver(Record, frozen=True, kw_only=True):
    """An exception in force: who answers for it, why, what risk stays, from when to when (ISO dates), who approved.

    It names the object (``Kind/namespace/name``, without the namespace where there is none) or the ``path``.
    """

    rule: str
    module: str
    owner: str
    reason: str
    residual_risk: str
    approval: str
    start: str
    end: str
    object: str = ""
    path: str = ""


class IgnoredWaiver(Record, frozen=True, kw_only=True):
    """An exception that does not count, and why."""

    rule: str
    place: str
    reason: str


class NonConformity(Record, frozen=True, kw_only=True):
    """One breach of one rule in one object at one place.

    ``fingerprint`` survives line shifts; ``due_days`` are calendar days from the audit; ``snippet`` is the source line
    with control characters shown and secrets masked.
    """

    id: str
    fingerprint: str
    rule: str
    severity: Severity
    status: Literal["nova", "pendente", "resolvida"]
    title: str
    description: str
    explanation: str
    sources: tuple[str, ...]
    object: ObjectRef | None
    location: Location
    correction: Correction
    responsible: str
    due_days: int
    snippet: str = ""
    waiver: Waiver | None = None

    @property
    def is_open(self) -> bool:
        """Still there, and nobody answers for it by a waiver."""
        return self.status != "resolvida" and self.waiver is None


class NotRun(Record, frozen=True, kw_only=True):
    """A rule that could not judge something: never a pass. ``crashed`` when the rule itself failed."""

    rule: str
    reason: str
    location: Location | None = None
    crashed: bool = False


class NonConformityMap(Record, frozen=True, kw_only=True):
    """MAPA_NC. ``examined`` counts, per rule, the subjects it judged; rules with 0 examined nothing."""

    non_conformities: tuple[NonConformity, ...]
    examined: dict[str, int]
    not_run: tuple[NotRun, ...]

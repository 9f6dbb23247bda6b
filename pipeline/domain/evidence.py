"""The evidence pack: the closed list of a run's files, and the RAPID decisions that are bound to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.artifact import ModuleInfo, SourceInfo
from pipeline.domain.base import Record

__all__ = [
    "ROLES",
    "Accepted",
    "Board",
    "Manifest",
    "ManifestEntry",
    "Missing",
    "RapidDecision",
    "Refusal",
    "RiskException",
    "Role",
    "Word",
]

Role = Literal["recommend", "agree", "input", "perform", "decide"]
Word = Literal["liberar", "liberar_com_condicoes", "bloquear"]
ROLES: tuple[Role, ...] = ("recommend", "input", "agree", "decide", "perform")  # in the order in which they act


class ManifestEntry(Record, frozen=True, kw_only=True):
    """A file; ``path`` is relative to the artifacts folder, ``size`` in bytes, ``stage`` the command that made it."""

    path: str
    sha256: str
    size: int
    media_type: str
    stage: str


class Manifest(Record, frozen=True, kw_only=True):
    """``manifest.json``: every file of the run, and what a decision about it must name.

    ``created`` is SOURCE_DATE_EPOCH or the commit's time, None where there is neither. ``opinion_sha256`` is the digest
    of ``parecer.json`` where the run has one. The digest of this document is the root that everything else signs.
    """

    schema_version: Literal["1.0"] = "1.0"
    run: str
    module: ModuleInfo
    source: SourceInfo
    verdict: Literal["aprovado", "condicional", "bloqueado"]
    opinion_sha256: str | None
    created: str | None
    retention_days: int
    files: tuple[ManifestEntry, ...]


class RiskException(Record, frozen=True, kw_only=True):
    """A risk that the decision accepts until a day (``AAAA-MM-DD``, that day included)."""

    item: str
    owner: str
    residual_risk: str
    until: str


class RapidDecision(Record, frozen=True, kw_only=True):
    """One word of one person, bound to one content.

    Times are UTC, ``AAAA-MM-DDTHH:MM:SSZ``. ``previous`` is the digest of the line before in ``rapid.jsonl`` (64 zeros
    for the first), ``previous_pack`` the manifest digest of the module's pack before this one. ``declared`` says that
    nobody signed.
    """

    schema_version: Literal["1.0"] = "1.0"
    sequence: int
    role: Role
    person: str
    declared: bool
    decision: Word
    conditions: tuple[str, ...]
    justification: str
    exceptions: tuple[RiskException, ...]
    manifest_sha256: str
    run: str
    commit: str | None
    module: str
    environment: str
    opinion_sha256: str | None
    issued_at: str
    expires_at: str
    nonce: str
    previous_pack: str | None
    previous: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """A line that counts. ``verified`` says that a trusted key signed it; ``name`` is the trust file's name of it."""

    line: int
    decision: RapidDecision
    name: str
    verified: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A line that does not count, why (pt-BR, both values) and, where it could be read, what it says."""

    line: int
    code: str
    message: str
    decision: RapidDecision | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """A role that has not spoken yet: people who may, and how many are still needed."""

    role: Role
    needed: int
    people: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """Where a decision stands. ``vetoes`` are accepted lines that say no and stop the release."""

    accepted: tuple[Accepted, ...]
    refused: tuple[Refusal, ...]
    missing: tuple[Missing, ...]
    vetoes: tuple[Accepted, ...]

    @property
    def released(self) -> bool:
        """Whether every required role has spoken and nobody with a veto said no."""
        return not self.missing and not self.vetoes

    @property
    def verified(self) -> bool:
        """Whether each line that counts was signed by a trusted key."""
        return all(each.verified for each in self.accepted)

"""What the index tells about many runs: its lines as rows, and the figures of periods, modules and branches."""

from __future__ import annotations

from typing import Literal

from pipeline.domain.base import Record
from pipeline.domain.finding import Severity

__all__ = ["MATURITY_LEVELS", "Criterion", "Grouping", "IndexReport", "IndexRow", "KpiRow", "Resolution"]

MATURITY_LEVELS = ("Inexistente", "Auditada", "Julgada", "Evidenciada", "Decidida", "Em melhora")
Grouping = Literal["sprint", "module", "branch"]


class IndexRow(Record, frozen=True, kw_only=True):
    """A line of the index. ``origin`` is the digest of the line in the chain that it was merged from."""

    sequence: int
    recorded_at: str
    sprint: str
    module: str
    branch: str | None
    commit: str | None
    command: str
    pipeline: str
    verdict: str
    run: str
    manifest_sha256: str | None
    keep_until: str
    open: dict[Severity, int] | None
    residual_risk: int | None
    coverage: float | None
    origin: str | None


class Resolution(Record, frozen=True, kw_only=True):
    """Non-conformities by fingerprint: seen for the first time, gone again, and the days between.

    ``mean_days`` and ``median_days`` are of those resolved here; ``still_open`` and ``oldest_days`` stand at the end.
    """

    opened: int
    resolved: int
    mean_days: float | None
    median_days: float | None
    still_open: int
    oldest_days: float | None


class Criterion(Record, frozen=True, kw_only=True):
    """A step of the maturity scale: whether it is reached, and the index lines or the names that say so (pt-BR)."""

    level: int
    name: str
    met: bool
    evidence: str


class KpiRow(Record, frozen=True, kw_only=True):
    """Figures of one group. ``measured`` counts the modules and branches whose last audit here they are taken from.

    Risks are 0 to 100, ``coverage`` and ``sbom`` per cent; None is *not measured*. ``maturity`` is the highest level
    all of whose steps are reached.
    """

    key: str
    label: str
    executions: int
    failed: int
    verdicts: dict[str, int]
    measured: int
    open: dict[Severity, int]
    residual_mean: float | None
    residual_worst: int | None
    coverage: float | None
    sbom: float | None
    resolution: Resolution
    maturity: int
    criteria: tuple[Criterion, ...]


class IndexReport(Record, frozen=True, kw_only=True):
    """What ``indice --json`` prints. ``total`` is of all that was selected, ``rows`` by ``by``, oldest first."""

    schema_version: Literal["1.0"] = "1.0"
    lines: tuple[IndexRow, ...]
    by: Grouping
    rows: tuple[KpiRow, ...]
    total: KpiRow

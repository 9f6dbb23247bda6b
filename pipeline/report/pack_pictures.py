"""The page's pictures: risk before and after, what was decided and until when, how the module's packs went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.report.charts import Cell, Event, Line, matrix_svg, timeline_svg, trend_svg
from pipeline.report.pack_recipe import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.domain.evidence import Board, Manifest
    from pipeline.domain.finding import NonConformity
    from pipeline.report.charts import Kind, Level, Picture
    from pipeline.report.pack_exceptions import RiskAccepted

__all__ = ["LIKELIHOODS", "Past", "draw_history", "draw_risk", "draw_time", "likelihood"]

LIKELIHOODS = ("1 vez", "2 a 3", "4 a 9", "10 ou mais")
_BOUNDS = (1, 3, 9)
_LEVELS: tuple[Level, ...] = ("low", "mid", "high", "top")
_COLOURS: dict[str, Kind] = {"liberar": "ok", "liberar_com_condicoes": "media", "bloquear": "crit"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """A pack of the module: open findings before and after its rewrite, residual risk where it has an opinion."""

    label: str
    before: int
    after: int
    residual: int | None


def likelihood(count: int) -> int:
    """Column 0 to 3 for a rule that was broken ``count`` times in the module."""
    return sum(count > bound for bound in _BOUNDS)


def draw_risk(findings: Iterable[NonConformity], name: str, title: str) -> Picture:
    """Findings by impact (severity) and likelihood (how often their rule was broken here)."""
    listed = list(findings)
    often = Counter(each.rule for each in listed)
    counts = Counter((each.severity.rank, likelihood(often[each.rule])) for each in listed)
    cells = {
        (row, column): Cell(level=_level(row, column), count=counts[row, column])
        for row in range(len(Severity))
        for column in range(len(LIKELIHOODS))
    }
    return matrix_svg(
        name,
        title,
        rows=[str(each) for each in Severity],
        columns=LIKELIHOODS,
        cells=cells,
        axis="recorrência da regra",
    )


def _level(row: int, column: int) -> Level:
    """How dark a cell is: impact and likelihood add up, and CRITICA is never less than the darkest."""
    return "top" if row == 0 else _LEVELS[min(3, max(0, 2 - row + (column + 1) // 2))]


def draw_time(manifest: Manifest, board: Board, accepted: Sequence[RiskAccepted]) -> Picture | None:
    """Decisions, exceptions and retention on one line of time; None where nothing has a date."""
    events = list(_events(manifest, board, accepted))
    return timeline_svg("tempo", "Decisões, exceções e guarda", events) if events else None


def _events(manifest: Manifest, board: Board, accepted: Sequence[RiskAccepted]) -> Iterator[Event]:
    if manifest.created:
        start = _day(manifest.created)
        end = start + timedelta(days=manifest.retention_days)
        yield Event(name="Guarda mínima", start=start, end=end, kind="baixa", note="a partir da data do conteúdo")
    for each in board.accepted:
        said = each.decision
        kind = _COLOURS[said.decision]
        name = f"{said.role.title()}: {each.name}"
        yield Event(
            name=name, start=_day(said.issued_at), end=_day(said.expires_at), kind=kind, note=WORDS[said.decision]
        )
    for one in accepted:
        start = one.start or one.until
        yield Event(
            name=f"Exceção {one.item}", start=min(start, one.until), end=one.until, kind="media", note=one.owner
        )


def draw_history(history: Sequence[Past]) -> Picture | None:
    """Findings of the module's packs, the oldest first; None where there is one alone."""
    if len(history) < 2:  # a trend has two ends
        return None
    lines = [
        Line(name="NC na origem", values=tuple(float(each.before) for each in history)),
        Line(name="NC depois", values=tuple(float(each.after) for each in history)),
        Line(
            name="Risco residual",
            values=tuple(None if each.residual is None else float(each.residual) for each in history),
        ),
    ]
    return trend_svg("historia", "Pacotes deste módulo", [each.label for each in history], lines)


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])

"""KPIs from the index alone: the last state of each module and branch in a group, and what happened meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.domain.kpi import IndexReport, IndexRow, KpiRow
from pipeline.kpi.maturity import judge_maturity, level_of
from pipeline.kpi.tracking import sum_up, track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from pipeline.domain.execution import Measures
    from pipeline.domain.kpi import Grouping
    from pipeline.kpi.tracking import Tracked
    from pipeline.ledger import IndexLine

__all__ = ["Selection", "SprintCalendar", "build_report"]

_VERDICTS = ("aprovado", "condicional", "bloqueado")
_FAILED = ("erro", "interrompido")
_BEFORE = "antes do calendário"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class SprintCalendar:
    """Sprints of ``days`` days from ``start`` on, numbered from 1; what is before is number 0."""

    start: date
    days: int

    def number(self, moment: datetime) -> int:
        return max(0, (moment.date() - self.start).days // self.days + 1)

    def label(self, number: int) -> str:
        """``S24 · 23/11/26``, the sprint's first day."""
        if number == 0:
            return _BEFORE
        first = self.start + timedelta(days=(number - 1) * self.days)
        return f"S{number} · {first:%d/%m/%y}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which lines count; empty and None take all. ``modules`` in capitals, ``since`` and ``until`` days in UTC."""

    modules: frozenset[str] = frozenset()
    branches: frozenset[str] = frozenset()
    verdicts: frozenset[str] = frozenset()
    sprints: frozenset[int] = frozenset()
    since: date | None = None
    until: date | None = None

    def takes(self, line: IndexLine, calendar: SprintCalendar) -> bool:
        day = line.recorded_at.date()
        return (
            (not self.modules or line.module.upper() in self.modules)
            and (not self.branches or line.branch in self.branches)
            and (not self.verdicts or line.verdict in self.verdicts)
            and (not self.sprints or calendar.number(line.recorded_at) in self.sprints)
            and (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
        )


def build_report(
    lines: Sequence[IndexLine], selection: Selection, calendar: SprintCalendar, *, by: Grouping
) -> IndexReport:
    """Rows and figures of the selected lines, in the order of time, which a merged index need not have.

    Non-conformities are followed over all lines of a module and branch: what was resolved in a sprint may have been
    opened long before it.
    """
    ordered = sorted(lines, key=lambda line: (line.recorded_at, line.sequence))
    chosen = [line for line in ordered if selection.takes(line, calendar)]
    tracked = track(ordered)
    groups: dict[str, list[IndexLine]] = {}
    for line in chosen:
        groups.setdefault(_key(line, by, calendar), []).append(line)
    keys = sorted(groups, key=lambda key: (int(key), key)) if by == "sprint" else sorted(groups)
    return IndexReport(
        lines=tuple(_row(line, calendar) for line in chosen),
        by=by,
        rows=tuple(_figures(key, _label(key, by, calendar), groups[key], tracked, calendar) for key in keys),
        total=_figures("total", "Total", chosen, tracked, calendar),
    )


def _key(line: IndexLine, by: Grouping, calendar: SprintCalendar) -> str:
    if by == "sprint":
        return str(calendar.number(line.recorded_at))
    return line.module if by == "module" else line.branch or ""


def _label(key: str, by: Grouping, calendar: SprintCalendar) -> str:
    return calendar.label(int(key)) if by == "sprint" else key or "sem branch"


def _row(line: IndexLine, calendar: SprintCalendar) -> IndexRow:
    measures = line.measures
    return IndexRow(
        sequence=line.sequence,
        recorded_at=f"{line.recorded_at:%Y-%m-%dT%H:%M:%SZ}",
        sprint=calendar.label(calendar.number(line.recorded_at)),
        module=line.module,
        branch=line.branch,
        commit=line.commit,
        command=line.command,
        pipeline=line.pipeline,
        verdict=line.verdict,
        run=line.run,
        manifest_sha256=line.manifest_sha256,
        keep_until=f"{line.not_before_delete:%Y-%m-%d}",
        open=measures.open if measures is not None else None,
        residual_risk=measures.residual_risk if measures is not None else None,
        coverage=measures.coverage if measures is not None else None,
        origin=line.origin.sha256 if line.origin is not None else None,
    )


def _figures(
    key: str, label: str, lines: Sequence[IndexLine], tracked: Iterable[Tracked], calendar: SprintCalendar
) -> KpiRow:
    executions = [line for line in lines if line.is_execution]
    audited = _last_figures(executions, lambda figures: figures.open is not None)
    advised = _last_figures(executions, lambda figures: figures.residual_risk is not None)
    judged = _last_figures([line for line in executions if line.verdict in _VERDICTS], lambda _figures: True)
    risks = [each.residual_risk for each in advised if each.residual_risk is not None]
    tested = _last_figures(executions, lambda figures: figures.coverage is not None)
    subjects, described = sum(each.subjects for each in judged), sum(each.described for each in judged)
    places = {(line.module, line.branch or "") for line in executions}
    own = [each for each in tracked if (each.module, each.branch) in places]
    moments = [line.recorded_at for line in executions] or [_NEVER]
    criteria = judge_maturity(executions, own, sprint_days=calendar.days)
    verdicts = Counter(line.verdict for line in executions)
    return KpiRow(
        key=key,
        label=label,
        executions=len(executions),
        failed=sum(verdicts[each] for each in _FAILED),
        verdicts={each: verdicts[each] for each in _VERDICTS},
        measured=len(audited),
        open={severity: sum((each.open or {}).get(severity, 0) for each in audited) for severity in Severity},
        residual_mean=round(fmean(risks), 1) if risks else None,
        residual_worst=max(risks, default=None),
        coverage=min((each.coverage for each in tested if each.coverage is not None), default=None),
        sbom=round(100 * described / subjects, 1) if subjects else None,
        resolution=sum_up(own, min(moments), max(moments)),
        maturity=level_of(criteria),
        criteria=criteria,
    )


def _last_figures(lines: Iterable[IndexLine], wanted: Callable[[Measures], bool]) -> list[Measures]:
    """Of each module and branch the last figures that are as wanted."""
    found = {
        (line.module, line.branch): line.measures
        for line in lines
        if line.measures is not None and wanted(line.measures)
    }
    return list(found.values())

"""Non-conformities followed through the index: when each was first seen, and when it was gone."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from pipeline.domain.kpi import Resolution

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pipeline.domain.finding import Severity
    from pipeline.ledger import IndexLine

__all__ = ["Tracked", "sum_up", "track"]

_DAY_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracked:
    """One non-conformity of a module and branch, from the audit that first saw it to the one that did not."""

    module: str
    branch: str
    severity: Severity
    opened: datetime
    resolved: datetime | None

    def days(self, until: datetime) -> float:
        """How long it was open, until it was resolved or ``until``; never negative, whatever the clocks said."""
        return max(0.0, ((self.resolved or until) - self.opened).total_seconds() / _DAY_SECONDS)


def track(lines: Iterable[IndexLine]) -> tuple[Tracked, ...]:
    """Every non-conformity that the lines name; they are in the order of time.

    What the first audit of a module and branch finds counts as opened then. A line without fingerprints says nothing
    about what was resolved. One that comes back is another.
    """
    alive: dict[tuple[str, str], dict[str, tuple[Severity, datetime]]] = {}
    done: list[Tracked] = []
    for line in lines:
        if line.measures is None or line.measures.fingerprints is None:
            continue
        place = (line.module, line.branch or "")
        before = alive.setdefault(place, {})
        now = {each: severity for severity, found in line.measures.fingerprints.items() for each in found}
        for gone in before.keys() - now.keys():
            severity, opened = before.pop(gone)
            done.append(_tracked(place, severity, opened, line.recorded_at))
        for new in now.keys() - before.keys():
            before[new] = (now[new], line.recorded_at)
    left = [
        _tracked(place, severity, opened, None) for place, found in alive.items() for severity, opened in found.values()
    ]
    return tuple(sorted([*done, *left], key=lambda each: (each.opened, each.module, each.branch, each.severity.rank)))


def _tracked(place: tuple[str, str], severity: Severity, opened: datetime, resolved: datetime | None) -> Tracked:
    return Tracked(module=place[0], branch=place[1], severity=severity, opened=opened, resolved=resolved)


def sum_up(tracked: Sequence[Tracked], start: datetime, end: datetime) -> Resolution:
    """What was opened and resolved from ``start`` to ``end``, and what stood open at ``end``."""
    resolved = [each.days(end) for each in tracked if each.resolved is not None and start <= each.resolved <= end]
    standing = [each for each in tracked if each.opened <= end and (each.resolved is None or each.resolved > end)]
    ages = [max(0.0, (end - each.opened).total_seconds() / _DAY_SECONDS) for each in standing]
    return Resolution(
        opened=sum(start <= each.opened <= end for each in tracked),
        resolved=len(resolved),
        mean_days=round(fmean(resolved), 1) if resolved else None,
        median_days=round(median(resolved), 1) if resolved else None,
        still_open=len(standing),
        oldest_days=round(max(ages), 1) if ages else None,
    )

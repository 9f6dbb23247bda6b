"""What the configuration says about KPIs: ``[kpi]``. It changes no run, and so is no part of a run's id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

__all__ = ["KpiSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KpiSettings:
    """The sprint calendar: the first day of sprint 1, and how many days a sprint has."""

    sprint_start: date = date(2026, 1, 5)
    sprint_days: int = 14

"""The answer of a launch over one or many modules, as ``--json`` gives it."""

from __future__ import annotations

from pipeline.domain.base import Record

__all__ = ["LaunchSummary", "ModuleResult"]


class ModuleResult(Record, frozen=True, kw_only=True):
    """One module. ``path`` is as the command line named it; ``report`` is relative to the artifacts folder."""

    path: str
    module: str
    title: str
    run: str
    verdict: str
    exit_code: int
    severities: dict[str, int]
    report: str
    error: str
    unchanged: bool
    seconds: float


class LaunchSummary(Record, frozen=True, kw_only=True):
    """All of them, worst first. ``exit_code`` is that of the worst."""

    schema_version: str = "1.0"
    command: str
    exit_code: int
    modules: tuple[ModuleResult, ...]

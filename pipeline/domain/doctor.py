"""The answer of ``doctor``: what is there, what each stage needs, what is missing and what mends it."""

from __future__ import annotations

from typing import Literal

from pipeline.domain.base import Record

__all__ = ["Check", "DoctorReport", "StageHealth", "State"]

State = Literal["ok", "falta", "ignorado", "opcional"]
"""``ignorado``: inside the audited tree, and so never run. ``opcional``: missing, and not needed by what is in use."""


class Check(Record, frozen=True, kw_only=True):
    """One thing. ``needed_by`` names the stages in use that cannot do without it; ``mend`` is one command or step."""

    name: str
    state: State
    detail: str
    serves: str
    needed_by: tuple[str, ...]
    mend: str


class StageHealth(Record, frozen=True, kw_only=True):
    """One stage. ``in_use`` by the configuration; ``missing`` names the checks that keep it from running."""

    name: str
    in_use: bool
    reason: str
    needs: tuple[str, ...]
    missing: tuple[str, ...]


class DoctorReport(Record, frozen=True, kw_only=True):
    """All of it. ``ok`` says that every stage in use can run."""

    schema_version: str = "1.0"
    ok: bool
    stages: tuple[StageHealth, ...]
    checks: tuple[Check, ...]

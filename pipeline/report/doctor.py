"""``doctor`` for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.codec import harmless
from pipeline.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.doctor import DoctorReport

__all__ = ["doctor_lines"]

_STAGE, _STATE, _NAME = 18, 10, 16


def doctor_lines(report: DoctorReport) -> Iterator[str]:
    """Stages first, then what is there and what is missing, each missing thing with what mends it."""
    lost = [each for each in report.checks if each.needed_by and each.state != "ok"]
    found = counted(len(lost), "falta", "faltas") if lost else "tudo o que está em uso pode rodar"
    yield f"DOCTOR            {found}"
    for stage in report.stages:
        state = "falta" if stage.missing else "ok" if stage.in_use else "não usada"
        why = ", ".join(stage.missing) or stage.reason or ", ".join(stage.needs)
        yield f"  {stage.name:<{_STAGE}}{state:<{_STATE}}{harmless(why)}"
    yield ""
    for check in sorted(report.checks, key=lambda each: (each.state == "ok", not each.needed_by)):
        yield f"  {check.state:<{_STATE}}{check.name:<{_NAME}}{harmless(check.detail)}"
        if check.mend:
            yield f"  {'':<{_STATE}}{'':<{_NAME}}para {check.serves}: {harmless(check.mend)}"

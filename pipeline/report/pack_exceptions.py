"""Exceptions: risks that somebody answers for until a day, from the file of waivers and from the board's decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pipeline.report.text import waived_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.artifact import MapaNc
    from pipeline.domain.evidence import Board

__all__ = ["RiskAccepted", "accepted_risks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskAccepted:
    """``by`` says who accepted it: an approval of the waivers' file, or a person of the board."""

    item: str
    what: str
    owner: str
    residual: str
    start: date | None
    until: date
    by: str


def accepted_risks(mapa: MapaNc, board: Board) -> tuple[RiskAccepted, ...]:
    """All of them, the first to end first."""
    return tuple(sorted([*_waivers(mapa), *_exceptions(board)], key=lambda each: (each.until, each.item, each.by)))


def _waivers(mapa: MapaNc) -> Iterator[RiskAccepted]:
    for found, waiver in waived_findings(mapa):
        yield RiskAccepted(
            item=found.id,
            what=f"{found.title}. Motivo: {waiver.reason}",
            owner=waiver.owner,
            residual=waiver.residual_risk,
            start=date.fromisoformat(waiver.start),
            until=date.fromisoformat(waiver.end),
            by=f"arquivo de exceções ({waiver.approval})",
        )


def _exceptions(board: Board) -> Iterator[RiskAccepted]:
    for each in board.accepted:
        for one in each.decision.exceptions:
            yield RiskAccepted(
                item=one.item,
                what=f"Aceita na decisão {each.decision.role}",
                owner=one.owner,
                residual=one.residual_risk,
                start=date.fromisoformat(each.decision.issued_at[:10]),
                until=date.fromisoformat(one.until),
                by=each.name,
            )

"""Retention: which runs may go, why the others stay, and taking them away so that the chain still says what happened.

Whether 90 days are over must not hang on one clock. The index gives a second witness: times of other executions. Where
they leave more than a week without any, somebody has to say the date. A week of slack covers what goes unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pipeline.errors import InputError, UsageError
from pipeline.ledger import MIN_RETENTION_DAYS
from pipeline.removals import held_runs, removed_runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date, datetime

    from pipeline.ledger import IndexLine

__all__ = ["SLACK", "RetentionCase", "RetentionState", "plan_retention"]

SLACK = timedelta(days=7)
_SKEW = timedelta(minutes=5)
RetentionState = Literal["sai", "prazo", "retencao_legal", "mais_novo", "relogio", "removido", "ausente", "sem_linha"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionCase:
    """A run and what becomes of it; ``until`` is None where no line tells. ``reason`` in pt-BR."""

    run: str
    module: str
    until: datetime | None
    state: RetentionState
    reason: str


def plan_retention(
    lines: Sequence[IndexLine], present: Collection[str], *, now: datetime, today: date | None
) -> tuple[RetentionCase, ...]:
    """Every run of the index or of the folder (``present``), oldest retention first.

    ``today`` is the date that a person vouches for. InputError where the clock is behind the index; UsageError where
    it says another day than ``today``.
    """
    if not lines:
        raise InputError("o índice não registra execução alguma", mend="confira --artifacts")
    newest = max(line.recorded_at for line in lines)
    if now + _SKEW < newest:
        raise InputError(
            f"o relógio diz {now:%Y-%m-%d %H:%M} e a última linha do índice é de {newest:%Y-%m-%d %H:%M}",
            mend="acerte o relógio: nada é julgado com ele atrasado",
        )
    if today is not None and abs(now.date() - today) > timedelta(days=1):
        raise UsageError(f"--today diz {today} e o relógio {now.date()}", mend="acerte o relógio")
    witnessed_since = _since(sorted({*(line.recorded_at for line in lines), now}))
    by_run: dict[str, list[IndexLine]] = {}
    for line in lines:
        by_run.setdefault(line.run, []).append(line)
    held, removed, kept = held_runs(lines), removed_runs(lines), _newest(lines)
    cases = []
    for run, own in by_run.items():
        ran = [line for line in own if line.is_execution] or own  # a word about a run makes it no younger
        until = max(max(line.not_before_delete, line.recorded_at + timedelta(days=MIN_RETENTION_DAYS)) for line in ran)
        attested = today is not None or max(line.recorded_at for line in ran) >= witnessed_since
        state, reason = _judge(
            until,
            now=now,
            attested=attested,
            hold=held.get(run),
            removal=removed.get(run),
            newest=kept.get(run, ""),
            present=run in present,
        )
        cases.append(RetentionCase(run=run, module=own[-1].module, until=until, state=state, reason=reason))
    unknown = sorted(set(present) - by_run.keys())
    return (
        *sorted(cases, key=lambda each: (each.until, each.run)),
        *(
            RetentionCase(run=run, module="", until=None, state="sem_linha", reason="nenhuma linha diz de quando é")
            for run in unknown
        ),
    )


def _judge(
    until: datetime,
    *,
    now: datetime,
    attested: bool,
    hold: IndexLine | None,
    removal: IndexLine | None,
    newest: str,
    present: bool,
) -> tuple[RetentionState, str]:
    """The first reason to stay, the weightiest first."""
    if removal is not None:
        return "removido", f"em {removal.recorded_at:%d/%m/%Y}"
    if not present:
        return "ausente", "a pasta não está aqui; veja `verificar`"
    if hold is not None and hold.hold is not None:
        return "retencao_legal", f"{hold.hold.reason} ({hold.hold.owner}, {hold.recorded_at:%d/%m/%Y})"
    if now < until + SLACK:
        return "prazo", f"guardar até {until:%d/%m/%Y}, e mais {SLACK.days} dias de folga"
    if newest:
        return "mais_novo", newest
    if not attested:
        return "relogio", f"mais de {SLACK.days} dias sem execução no índice: confirme a data com --today AAAA-MM-DD"
    return "sai", f"prazo terminou em {until:%d/%m/%Y}"


def _since(moments: Sequence[datetime]) -> datetime:
    """Start of the last stretch in which no two moments are further apart than the slack."""
    start = moments[-1]
    for earlier, later in zip(reversed(moments[:-1]), reversed(moments), strict=False):
        if later - earlier > SLACK:
            break
        start = earlier
    return start


def _newest(lines: Iterable[IndexLine]) -> dict[str, str]:
    """Runs that stay because nothing newer stands in their place, with the reason."""
    found: dict[tuple[str, ...], str] = {}
    for line in lines:
        if not line.is_execution:
            continue
        found["LATEST",] = line.run
        found["run", line.module] = line.run
        if line.manifest_sha256 is not None:
            found["pack", line.module] = line.run
        if line.command == "rapid":
            found["decision", line.module, line.branch or ""] = line.run
    reasons = {
        "decision": "a decisão mais nova do módulo neste branch",
        "pack": "o pacote mais novo do módulo",
        "run": "a execução mais nova do módulo",
        "LATEST": "a execução mais nova",
    }
    kept: dict[str, str] = {}
    for kind, reason in reasons.items():
        for key, run in found.items():
            if key[0] == kind:
                kept.setdefault(run, reason)
    return kept

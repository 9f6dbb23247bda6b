"""What may go: never early, never under a hold, never the newest, never by the word of one clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from test_kpi_figures import line

from indexkit import at
from pipeline.domain.execution import Hold, Removal
from pipeline.errors import InputError, UsageError
from pipeline.ledger import IndexLine
from pipeline.retaining import SLACK, RetentionCase, plan_retention

HOLD = Hold(action="hold", owner="Jurídico", reason="processo 12")
RELEASE = Hold(action="release", owner="Jurídico", reason="encerrado")
OLD, NEW = "m07-0000000000000001", "m07-0000000000000002"


def daily(until: int, *more: IndexLine) -> list[IndexLine]:
    """An old run, then one execution of another run every five days until a day."""
    return [line(0, run=OLD), *more, *(line(day, run=NEW) for day in range(5, until + 1, 5))]


def plan(lines: list[IndexLine], day: float, *, today: Any = None) -> dict[str, RetentionCase]:
    present = {each.run for each in lines}
    return {each.run: each for each in plan_retention(lines, present, now=at(day), today=today)}


def test_a_run_goes_after_its_time_and_a_week() -> None:
    assert timedelta(days=7) == SLACK
    assert plan(daily(90), 96.9)[OLD].state == "prazo"
    case = plan(daily(95), 97)[OLD]
    assert (case.state, case.until) == ("sai", at(90))
    assert "prazo terminou em 05/04/2026" in case.reason


def test_a_longer_retention_counts_and_a_shorter_one_that_was_forged_does_not() -> None:
    longer = [replace(daily(100)[0], not_before_delete=at(200)), *daily(100)[1:]]
    assert plan(longer, 100)[OLD].state == "prazo"
    forged = [replace(daily(50)[0], not_before_delete=at(1)), *daily(50)[1:]]
    assert plan(forged, 50)[OLD].state == "prazo"


def test_the_last_line_of_a_run_counts() -> None:
    lines = daily(100, line(60, run=OLD))
    assert (plan(lines, 105)[OLD].state, plan(lines, 105)[OLD].until) == ("prazo", at(150))


def test_a_hold_keeps_until_it_is_released() -> None:
    held = daily(100, line(50, run=OLD, hold=HOLD))
    case = plan(held, 160, today=at(160).date())[OLD]
    assert (case.state, "processo 12 (Jurídico" in case.reason) == ("retencao_legal", True)
    released = [*held, line(101, run=OLD, hold=RELEASE)]
    case = plan(released, 105)[OLD]
    assert (case.state, case.until) == ("sai", at(90))  # the hold made it no younger


def test_the_newest_of_each_kind_stays() -> None:
    pack = line(1, run="m07-0000000000000003", manifest_sha256="a" * 64)
    decided = line(2, run="m07-0000000000000004", manifest_sha256="b" * 64)
    decision = line(2, run="m07-0000000000000004", manifest_sha256="b" * 64, command="rapid", branch="hotfix")
    newer = line(3, run="m07-0000000000000005", manifest_sha256="c" * 64)
    other = line(4, run="m08-0000000000000006", module="M08")
    lines = daily(110, pack, decided, decision, newer, other)
    found = plan(lines, 110)
    kept = {run: case.reason for run, case in found.items() if case.state == "mais_novo"}
    assert kept == {
        "m07-0000000000000004": "a decisão mais nova do módulo neste branch",
        "m07-0000000000000005": "o pacote mais novo do módulo",
        "m08-0000000000000006": "a execução mais nova do módulo",
    }
    assert found[pack.run].state == found[OLD].state == "sai"


def test_a_hold_makes_no_run_the_newest() -> None:
    lines = [*daily(100), line(101, run=OLD, hold=HOLD), line(102, run=OLD, hold=RELEASE)]
    assert plan(lines, 105)[OLD].state == "sai"


def test_a_clock_behind_the_index_judges_nothing() -> None:
    with pytest.raises(InputError, match="acerte o relógio"):
        plan(daily(100), 99.9)
    assert plan(daily(100), 100 - 4 / 1440)[OLD].state == "sai"  # a few minutes are between machines


@pytest.mark.parametrize("jump", [97, 200, 30_000])
def test_a_clock_ahead_of_the_index_lets_nothing_go_on_its_own(jump: float) -> None:
    lines = daily(20)
    case = plan(lines, jump)[OLD]
    assert case.state == "relogio"
    assert "--today" in case.reason
    with pytest.raises(UsageError, match="acerte o relógio"):
        plan(lines, jump, today=at(jump - 2).date())
    assert plan(lines, jump, today=at(jump).date())[OLD].state == "sai"
    assert plan(lines, jump, today=at(jump - 1).date())[OLD].state == "sai"


def test_executions_recorded_by_a_clock_that_is_ahead_are_no_witness() -> None:
    lines = [*daily(20), *(line(day, run=NEW) for day in range(200, 210, 2))]
    assert plan(lines, 209)[OLD].state == "relogio"
    later = [*lines, line(201, run="m07-0000000000000009"), *(line(day, run=NEW) for day in range(210, 320, 5))]
    found = plan(later, 318)
    assert found["m07-0000000000000009"].state == "sai"  # after the jump time went on as it should
    assert found[OLD].state == "relogio"


def test_what_an_error_of_a_week_could_do_is_within_the_slack() -> None:
    """A clock that goes a week ahead is not seen; even so a run stays its 90 days."""
    true_day = 90
    lines = [*daily(10), *(line(day + 7, run=NEW) for day in range(10, true_day, 5))]
    assert plan(lines, true_day - 0.1 + 7)[OLD].state == "prazo"


def test_runs_that_are_gone_unknown_or_removed_are_told_apart() -> None:
    removal = Removal(sums={}, files=0, nonces=())
    lines = [*daily(100), line(1, run="m07-0000000000000007", sequence=900), line(99, run=OLD, removal=removal)]
    present = {OLD, NEW, "run-00000000000000ff"}
    found = {each.run: each for each in plan_retention(lines, present, now=at(100), today=None)}
    assert {run: case.state for run, case in found.items()} == {
        OLD: "removido",
        NEW: "prazo",
        "m07-0000000000000007": "ausente",
        "run-00000000000000ff": "sem_linha",
    }
    again = [*lines, line(99.5, run=OLD)]
    assert plan(again, 100)[OLD].state == "prazo"  # it was made again


def test_nothing_recorded_is_nothing_judged() -> None:
    with pytest.raises(InputError, match="não registra"):
        plan_retention([], set(), now=at(1), today=None)

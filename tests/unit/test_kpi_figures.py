"""KPIs from index lines: states, speed of resolution, sprints, the maturity scale."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from indexkit import at, figures
from pipeline.domain.execution import Hold, LineOrigin, Measures
from pipeline.domain.finding import Severity
from pipeline.domain.kpi import IndexReport, KpiRow
from pipeline.kpi.figures import Selection, SprintCalendar, build_report
from pipeline.ledger import IndexLine

CALENDAR = SprintCalendar(start=date(2026, 1, 5), days=14)
TESTED: dict[str, Any] = {"tests_passed": 10, "tests_failed": 0, "coverage": 90.0}


def line(day: float, measures: Measures | None = None, **said: Any) -> IndexLine:
    values: dict[str, Any] = {
        "sequence": int(day * 10) + 1,
        "run": "m07-0123456789abcdef",
        "module": "M07",
        "command": "checklist",
        "pipeline": "ci:1",
        "branch": "main",
        "commit": None,
        "verdict": "aprovado",
        "manifest_sha256": None,
        "recorded_at": at(day),
        "not_before_delete": at(day + 90),
        "execution_path": "",
        "execution_sha256": "",
        "previous": "",
        "sha256": f"{int(day * 10):064x}",
        "measures": measures,
    }
    return IndexLine(**{**values, **said})


def report(*lines: IndexLine, selection: Selection | None = None, by: Any = "sprint") -> IndexReport:
    return build_report(lines, selection or Selection(), CALENDAR, by=by)


def total(*lines: IndexLine) -> KpiRow:
    return report(*lines).total


def test_sprints_are_counted_from_their_first_day() -> None:
    assert [CALENDAR.number(at(day)) for day in (-0.6, 0, 13.4, 13.6, 28)] == [0, 1, 1, 2, 3]
    assert CALENDAR.label(2) == "S2 · 19/01/26"
    assert CALENDAR.label(0) == "antes do calendário"
    rows = report(line(29), line(1), line(-9), line(2)).rows
    assert [(row.key, row.label[:2], row.executions) for row in rows] == [
        ("0", "an", 1),
        ("1", "S1", 2),
        ("3", "S3", 1),
    ]
    assert [row.key for row in report(*(line(day * 14) for day in range(12))).rows] == [str(n) for n in range(1, 13)]


def test_a_group_is_the_last_state_of_each_module_and_branch() -> None:
    row = total(
        line(1, figures(5, names="abc", residual_risk=80)),
        line(2, figures(1, names="a", residual_risk=40)),
        line(2, figures(2, residual_risk=20), branch="dev"),
        line(3, None, verdict="erro"),
        line(3, figures(9, residual_risk=60), module="M08", verdict="bloqueado"),
    )
    assert (row.executions, row.failed, row.measured) == (5, 1, 3)
    assert row.verdicts == {"aprovado": 3, "condicional": 0, "bloqueado": 1}
    assert (row.open[Severity.MEDIA], row.open[Severity.ALTA], row.open[Severity.CRITICA]) == (12, 1, 0)
    assert (row.residual_mean, row.residual_worst) == (40.0, 60)


def test_what_was_not_measured_is_unknown_and_not_zero() -> None:
    row = total(line(1, None), line(2, Measures(subjects=0)))
    assert (row.measured, row.residual_mean, row.residual_worst, row.coverage, row.sbom) == (0, None, None, None, None)
    assert (row.resolution.mean_days, row.resolution.oldest_days) == (None, None)
    empty = report(line(1), selection=Selection(modules=frozenset({"M99"})))
    assert (empty.lines, empty.rows, empty.total.executions, empty.total.maturity) == ((), (), 0, 0)


def test_coverage_is_the_lowest_and_sbom_the_share_of_what_should_have_one() -> None:
    row = total(
        line(1, figures(coverage=70.0, subjects=2, described=0)),
        line(2, figures(coverage=95.0, subjects=2, described=2)),
        line(2, figures(coverage=88.5, subjects=2, described=1), module="M08"),
        line(3, figures(subjects=5, described=0), module="M08", verdict="sem-veredito"),
    )
    assert (row.coverage, row.sbom) == (88.5, 75.0)


def test_speed_of_resolution_follows_each_finding() -> None:
    lines = (
        line(0, figures(names="ab")),
        line(4, figures(names="bc")),  # a after 4 days
        line(5, Measures(open={Severity.MEDIA: 1001})),  # says nothing about who is gone
        line(10, figures(names="c")),  # b after 10 days
        line(20, figures(names="a")),  # c after 16 days; a is back, and another
        line(20, figures(names="z"), branch="dev"),
    )
    resolution = total(*lines).resolution
    assert (resolution.opened, resolution.resolved) == (5, 3)
    assert (resolution.mean_days, resolution.median_days) == (10.0, 10.0)
    assert (resolution.still_open, resolution.oldest_days) == (2, 0.0)
    first, second = report(*lines).rows
    assert (first.resolution.resolved, first.resolution.mean_days, first.resolution.still_open) == (2, 7.0, 1)
    assert (second.resolution.resolved, second.resolution.mean_days) == (1, 16.0)
    by_branch = report(*lines, by="branch").rows
    assert [(row.label, row.resolution.opened) for row in by_branch] == [("dev", 1), ("main", 4)]


def test_a_clock_that_went_back_gives_no_negative_days() -> None:
    lines = (line(5, figures(names="a"), sequence=1), line(3, figures(), sequence=2), line(6, figures(), sequence=3))
    resolution = total(*lines).resolution
    assert (resolution.resolved, resolution.mean_days) == (1, 1.0)


def test_words_about_runs_are_no_executions() -> None:
    hold = Hold(action="hold", owner="Ana", reason="x")
    row = total(line(1, figures()), line(2, hold=hold, command="retencao", verdict="retencao-legal"))
    assert row.executions == 1


@pytest.mark.parametrize(
    ("selection", "days"),
    [
        (Selection(modules=frozenset({"M08"})), [3]),
        (Selection(branches=frozenset({"dev"})), [2]),
        (Selection(verdicts=frozenset({"erro", "bloqueado"})), [3, 20]),
        (Selection(sprints=frozenset({2})), [20]),
        (Selection(since=date(2026, 1, 7)), [2, 3, 20]),
        (Selection(until=date(2026, 1, 7)), [1, 2]),
        (Selection(modules=frozenset({"M07"}), since=date(2026, 1, 8)), [20]),
    ],
)
def test_selections(selection: Selection, days: list[int]) -> None:
    lines = (
        line(1),
        line(2, branch="dev"),
        line(3, module="m08", verdict="erro"),
        line(20, verdict="bloqueado"),
    )
    assert [row.recorded_at[:10] for row in report(*lines, selection=selection).lines] == [
        f"{at(day):%Y-%m-%d}" for day in days
    ]


def test_rows_are_in_the_order_of_time_and_name_their_origin() -> None:
    origin = LineOrigin(chain="a" * 64, sequence=1, previous="0" * 64, sha256="b" * 64, schema_version="1.1")
    rows = report(line(5, figures(3, residual_risk=7, coverage=80.0)), line(1, origin=origin)).lines
    assert [row.origin for row in rows] == ["b" * 64, None]
    assert rows[1].open is not None
    assert (rows[1].open[Severity.MEDIA], rows[1].residual_risk, rows[1].coverage) == (3, 7, 80.0)
    assert rows[1].keep_until == "2026-04-10"


# --- maturity


def levels(*lines: IndexLine) -> tuple[int, str]:
    row = total(*lines)
    reached = "".join(str(each.level) for each in row.criteria if each.met)
    return row.maturity, reached


AUDIT = line(1, figures(), verdict="sem-veredito", command="mapa_nc")
JUDGED = line(2, figures())
PACKED = line(3, figures(**TESTED, subjects=2, described=2, residual_risk=20), manifest_sha256="a" * 64)
DECIDED = line(4, command="rapid", manifest_sha256="a" * 64)


def test_each_level_wants_the_one_below_and_its_evidence() -> None:
    assert levels(line(1, verdict="erro")) == (0, "")
    assert levels(AUDIT) == (1, "15")
    assert levels(AUDIT, JUDGED) == (2, "125")
    assert levels(AUDIT, JUDGED, PACKED) == (3, "1235")
    assert levels(AUDIT, JUDGED, PACKED, DECIDED) == (5, "12345")
    row = total(AUDIT, JUDGED, PACKED, DECIDED)
    assert [each.evidence for each in row.criteria[:4]] == [
        "M07 linha 31",
        "M07 linha 41",
        "M07 linha 31",
        "M07 linha 31",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"measures": figures(**{**TESTED, "tests_failed": 1})},
        {"measures": figures()},
        {"manifest_sha256": None},
        {"verdict": "erro"},
    ],
)
def test_a_pack_without_passing_tests_is_no_evidence(wrong: dict[str, Any]) -> None:
    assert "3" not in levels(AUDIT, JUDGED, replace(PACKED, **wrong))[1]


@pytest.mark.parametrize(
    ("pack", "decision"),
    [
        (PACKED, replace(DECIDED, manifest_sha256="b" * 64)),
        (replace(PACKED, measures=figures(**TESTED, subjects=2, described=1)), DECIDED),
        (replace(PACKED, measures=figures(**TESTED)), DECIDED),
    ],
)
def test_a_decision_counts_for_its_own_pack_with_every_sbom(pack: IndexLine, decision: IndexLine) -> None:
    assert levels(AUDIT, JUDGED, pack, decision) == (3, "1235")


def test_one_module_behind_holds_all_back_and_is_named() -> None:
    other = line(5, figures(), module="M08", verdict="sem-veredito")
    row = total(AUDIT, JUDGED, PACKED, DECIDED, other)
    assert row.maturity == 1
    assert row.criteria[1].evidence == "sem veredito: M08"
    many = [line(5, figures(), module=f"M{number}", verdict="sem-veredito") for number in range(10, 18)]
    assert total(*many).criteria[1].evidence.endswith("M14 e mais 3")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([replace(PACKED, measures=Measures(open={Severity.CRITICA: 1}))], "CRITICA"),
        ([line(1, figures(residual_risk=10)), line(9, figures(residual_risk=11))], "de risco 10 a 11"),
        ([line(1, figures(names="a")), line(16, figures(names="a"))], "1 NC ALTA ou pior há mais de 14 dias"),
    ],
)
def test_what_stands_still_or_gets_worse_is_no_improvement(lines: list[IndexLine], fault: str) -> None:
    criterion = total(*lines).criteria[4]
    assert not criterion.met
    assert fault in criterion.evidence


def test_nothing_measured_is_no_improvement() -> None:
    assert total(line(1)).criteria[4].evidence == "nada medido"
    assert total().criteria[4].met is False

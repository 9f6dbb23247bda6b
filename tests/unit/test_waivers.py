"""Waivers: complete, in force, on exactly this object of this module, or they do not count."""

from __future__ import annotations

import json
from datetime import date

import pytest
from test_flow_planning import finding
from test_report_text import RULES, mapa_of

from pipeline.audit.waivers import apply_waivers, read_waivers
from pipeline.domain.finding import Location, ObjectRef
from pipeline.errors import UsageError
from pipeline.report.machine import render_junit
from pipeline.report.mapa import render_mapa
from pipeline.report.sarif import render_sarif

GOOD = """
[[waiver]]
rule = "TST-ONE"
module = "M00"
object = "Pod/ns/p"
owner = "Ana"
reason = "fornecedor sem tag fixa"
residual_risk = "médio"
start = 2026-01-01
end = 2026-12-31
approval = "CCB-17"
"""
TODAY = date(2026, 11, 23)


def read(text: str, today: date = TODAY) -> tuple[int, list[str]]:
    made = read_waivers(text.encode(), where="excecoes.toml", today=today)
    return len(made.valid), [each.reason for each in made.ignored]


def test_a_complete_waiver_counts_from_its_first_to_its_last_day() -> None:
    assert read(GOOD) == (1, [])
    assert read(GOOD, date(2026, 1, 1)) == (1, [])
    assert read(GOOD, date(2026, 12, 31)) == (1, [])
    assert read(GOOD, date(2025, 12, 31)) == (0, ["só começa em 2026-01-01"])
    assert read(GOOD, date(2027, 1, 1)) == (0, ["vencida em 2026-12-31"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('owner = "Ana"\n', "", "falta owner"),
        ('owner = "Ana"', 'owner = " "', "falta owner"),
        ("end = 2026-12-31", 'end = "2026-12-31"', "falta end"),
        ("end = 2026-12-31", "end = 2026-12-31T10:00:00Z", "falta end"),
        ("end = 2026-12-31", "end = 2025-12-31", "antes do início"),
        ('object = "Pod/ns/p"\n', "", "um dos dois"),
        ('object = "Pod/ns/p"', 'object = "Pod/ns/p"\npath = "a.yaml"', "um dos dois"),
        ('approval = "CCB-17"', 'approval = "CCB-17"\nextra = 1', "desconhecida `extra`"),
    ],
)
def test_an_incomplete_waiver_does_not_count_and_says_why(old: str, new: str, said: str) -> None:
    count, (reason,) = read(GOOD.replace(old, new))
    assert count == 0
    assert said in reason


@pytest.mark.parametrize("text", ["x = 1", "waiver = 3", "waiver = [1]", "[[waivers]]\nrule = 'x'", "a ="])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"excecoes\.toml"):
        read(text)


def test_only_the_named_object_of_the_named_module_is_covered() -> None:
    (waiver,) = read_waivers(GOOD.encode(), where="x", today=TODAY).valid
    mine = ObjectRef(kind="Pod", name="p", namespace="ns")
    given = [
        finding(1, object=mine),
        finding(2, object=ObjectRef(kind="Pod", name="p")),
        finding(3, object=mine, rule="TST-TWO"),
        finding(4, object=ObjectRef(kind="Pod", name="q", namespace="ns")),
    ]
    assert [each.waiver is not None for each in apply_waivers(given, [waiver], module="M00")] == [
        True,
        False,
        False,
        False,
    ]
    assert not any(each.waiver for each in apply_waivers(given, [waiver], module="M01"))


def test_findings_without_an_object_are_covered_by_path() -> None:
    text = GOOD.replace('object = "Pod/ns/p"', 'path = "doc"')
    (waiver,) = read_waivers(text.encode(), where="x", today=TODAY).valid
    given = [finding(1, object=None, location=Location(path="doc", line=1, column=1)), finding(2, object=None)]
    assert [each.waiver is not None for each in apply_waivers(given, [waiver], module="M00")] == [True, False]


def test_every_report_shows_who_answers_until_when() -> None:
    file = read_waivers((GOOD + GOOD.replace("2026-12-31", "2026-02-01")).encode(), where="excecoes.toml", today=TODAY)
    given = apply_waivers(
        [finding(1, object=ObjectRef(kind="Pod", name="p", namespace="ns"))], file.valid, module="M00"
    )
    mapa = mapa_of(*given, ignored_waivers=file.ignored)
    text = render_mapa(mapa, RULES, {}).decode()
    assert "## Sob exceção" in text
    assert "| Ana | fornecedor sem tag fixa | médio | 2026-12-31 | CCB-17 |" in text
    assert "excecoes.toml, exceção 2 (TST-ONE): vencida em 2026-02-01" in text
    assert "> Nenhuma NC" in text
    assert "exceção de Ana até 2026-12-31" in render_junit(mapa, RULES).decode()
    sarif = json.loads(
        render_sarif(mapa, RULES, {"a.yaml": ("a.yaml", "x\n")}, version="0", homepage="https://example.org")
    )
    (result,) = sarif["runs"][0]["results"]
    assert result["suppressions"][0]["kind"] == "external"
    assert "Ana" in result["suppressions"][0]["justification"]

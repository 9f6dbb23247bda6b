"""Index lines of version 1.1: figures, origins, holds and removals; lines of 1.0 beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.codec import sha256_hex
from pipeline.domain.execution import Hold, LineOrigin, Measures, Removal
from pipeline.domain.finding import Severity
from pipeline.errors import IntegrityError
from pipeline.ledger import Execution, build_line, dump_record, dump_row, merged_row, parse_ledger

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MEASURES = Measures(
    open={Severity.ALTA: 2, Severity.CRITICA: 0},
    fingerprints={Severity.ALTA: ("0123456789ab", "ba9876543210")},
    residual_risk=30,
    coverage=91.5,
    subjects=2,
    described=1,
)
EXECUTION = Execution(
    run="m07-0123456789abcdef",
    module="M07",
    command="checklist",
    pipeline="ci:1",
    branch="main",
    commit=None,
    verdict="condicional",
    manifest_sha256=None,
    started=NOW - timedelta(seconds=3),
    finished=NOW,
    details={},
    measures=MEASURES,
)


def line(*executions: Execution) -> bytes:
    data = b""
    for each in executions:
        ledger = parse_ledger(data)
        data += build_line(each, ledger, record=dump_record(each, ledger.next_sequence), recovered=None)
    return data


def old_line() -> bytes:
    """A line as version 1.0 wrote it."""
    row = json.loads(line(replace(EXECUTION, measures=None)))
    return dump_row({**row, "schema_version": "1.0"})


def origin_of(data: bytes, **changes: Any) -> LineOrigin:
    row = json.loads(data)
    given = {
        "chain": sha256_hex(data),
        "sequence": row["sequence"],
        "previous": row["previous"],
        "sha256": sha256_hex(data),
        "schema_version": row["schema_version"],
    }
    return LineOrigin(**{**given, **changes})


def merged(data: bytes, before: bytes = b"", **changes: Any) -> bytes:
    ledger = parse_ledger(before)
    origin = origin_of(data, **changes)
    return before + merged_row(json.loads(data), origin, sequence=ledger.next_sequence, previous=ledger.head)


def test_what_a_line_says_comes_back() -> None:
    hold = Hold(action="hold", owner="Ana", reason="processo 12")
    removal = Removal(sums={"reports": "a" * 64}, files=3, nonces=("f" * 32,))
    lines = parse_ledger(line(EXECUTION, replace(EXECUTION, hold=hold), replace(EXECUTION, removal=removal))).lines
    assert [each.measures for each in lines] == [MEASURES] * 3
    assert (lines[1].hold, lines[2].removal) == (hold, removal)
    assert (lines[0].hold, lines[0].removal, lines[0].origin) == (None, None, None)
    assert lines[0].identity == lines[0].sha256


def test_lines_of_the_first_version_still_count() -> None:
    data = old_line()
    ledger = parse_ledger(data)
    assert ledger.lines[0].measures is None
    whole = data + build_line(EXECUTION, ledger, record=dump_record(EXECUTION, 2), recovered=None)
    assert [each.measures is not None for each in parse_ledger(whole).lines] == [False, True]


@pytest.mark.parametrize("make", [lambda: line(EXECUTION), old_line])
def test_a_merged_line_gives_back_the_line_it_was(make: Any) -> None:
    data = make()
    whole = merged(data, before=line(replace(EXECUTION, module="M08")))
    found = parse_ledger(whole).lines[1]
    original = parse_ledger(data).lines[0]
    assert found.origin == origin_of(data)
    assert found.identity == original.sha256
    assert found.execution_path == f"reports/{original.run}/executions/{original.sha256[:16]}.json"
    kept = ("run", "module", "branch", "verdict", "recorded_at", "not_before_delete", "execution_sha256", "measures")
    assert [getattr(found, name) for name in kept] == [getattr(original, name) for name in kept]


def test_every_word_of_a_merged_line_is_bound_to_its_origin() -> None:
    data = merged(line(EXECUTION))
    row = json.loads(data)
    changes: list[dict[str, Any]] = [
        {"verdict": "aprovado"},
        {"recorded_at": "2026-11-21T12:00:00Z"},
        {"measures": None},
        {"invented": 1},
        {"origin": {**row["origin"], "sequence": 2}},
        {"origin": {**row["origin"], "previous": "1" * 64}},
        {"origin": {**row["origin"], "schema_version": "1.0"}},
        {"execution": {**row["execution"], "sha256": "1" * 64}},
    ]
    for change in changes:
        with pytest.raises(IntegrityError, match="cadeia de origem"):
            parse_ledger(dump_row({**row, **change}))
    for origin in (
        {},
        {**row["origin"], "sha256": "x"},
        {**row["origin"], "more": 1},
        {**row["origin"], "sequence": 0},
        7,
    ):
        with pytest.raises(IntegrityError, match="fora do formato"):
            parse_ledger(dump_row({**row, "origin": origin}))


@pytest.mark.parametrize(
    "measures",
    [
        {"subjects": -1},
        {"residual_risk": 101},
        {"coverage": "91"},
        {"open": {"GRAVE": 1}},
        {"fingerprints": {"ALTA": ["=cmd()"]}},
        {"other": 1},
        [],
    ],
)
def test_figures_out_of_form(measures: object) -> None:
    row = json.loads(line(EXECUTION))
    with pytest.raises(IntegrityError, match="fora do formato"):
        parse_ledger(dump_row({**row, "measures": measures}))


@pytest.mark.parametrize("version", ["1.2", "2.0"])
def test_a_version_that_is_not_known_is_named(version: str) -> None:
    row = json.loads(line(EXECUTION))
    with pytest.raises(IntegrityError, match=f"versão {version}.*atualize"):
        parse_ledger(dump_row({**row, "schema_version": version}))

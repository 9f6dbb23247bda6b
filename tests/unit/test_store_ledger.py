"""The chain of executions, as bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.codec import sha256_hex
from pipeline.errors import IntegrityError, UsageError
from pipeline.ledger import ORIGIN, Execution, Ledger, Recovered, build_line, dump_record, parse_ledger

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EXECUTION = Execution(
    run="m07-0123456789abcdef",
    module="M07",
    command="mapa_nc",
    pipeline="ci-1",
    branch="main",
    commit="c" * 40,
    verdict="aprovado",
    manifest_sha256="d" * 64,
    started=NOW - timedelta(seconds=3),
    finished=NOW,
    details={"usuário": "ana"},
)


def chain(count: int) -> bytes:
    data = b""
    for _ in range(count):
        ledger = parse_ledger(data)
        data += build_line(EXECUTION, ledger, record=dump_record(EXECUTION, ledger.next_sequence), recovered=None)
    return data


def test_each_line_names_the_bytes_of_the_one_before() -> None:
    data = chain(3)
    rows = data.splitlines(keepends=True)
    lines = parse_ledger(data).lines
    assert [line.previous for line in lines] == [ORIGIN, sha256_hex(rows[0]), sha256_hex(rows[1])]
    assert [line.sequence for line in lines] == [1, 2, 3]
    assert lines[0].not_before_delete - lines[0].recorded_at == timedelta(days=90)
    assert json.loads(dump_record(EXECUTION, 1))["details"] == {"usuário": "ana"}


def test_a_torn_line_is_kept_apart() -> None:
    ledger = parse_ledger(chain(2) + b'{"sequence":')
    assert (len(ledger.lines), ledger.torn) == (2, b'{"sequence":')
    recovered = Recovered(path="index.torn-3-x", sha256="e" * 64, size=12)
    line = build_line(EXECUTION, ledger, record=b"{}", recovered=recovered)
    assert parse_ledger(chain(2) + line).lines[-1].recovered == recovered


def test_every_flipped_byte_of_a_line_is_seen() -> None:
    data = chain(3)
    whole = len(data.splitlines(keepends=True)[0]) + len(data.splitlines(keepends=True)[1])
    for at in range(whole):
        changed = data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1 :]
        with pytest.raises(IntegrityError):
            parse_ledger(changed)


def test_lines_swapped_dropped_or_repeated() -> None:
    one, two, three = chain(3).splitlines(keepends=True)
    for data in (two + one + three, one + three, one + one + two, two + three):
        with pytest.raises(IntegrityError, match=r"cadeia|sequência"):
            parse_ledger(data)


def edited(**changes: Any) -> bytes:
    row = json.loads(chain(1))
    row.update(changes)
    return (json.dumps(row) + "\n").encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "../x"},
        {"run": None},
        {"sequence": True},
        {"sequence": "1"},
        {"module": 7},
        {"manifest_sha256": "abc"},
        {"recorded_at": "ontem"},
        {"execution": None},
        {"execution": {"path": "/etc/passwd", "sha256": "a" * 64}},
        {"previous": "0"},
        {"schema_version": 2},
        {"schema_version": "x"},
        {"recovered": {"path": "x"}},
    ],
)
def test_lines_out_of_form(changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="fora do formato"):
        parse_ledger(edited(**changes))


@pytest.mark.parametrize("data", [b"null\n", b"[]\n", b"\n", b"\xff\n", b"[" * 100_000 + b"\n"])
def test_garbage(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="fora do formato"):
        parse_ledger(data)


def test_another_sequence_with_a_fitting_chain() -> None:
    with pytest.raises(IntegrityError, match="sequência 2, esperava 1"):
        parse_ledger(
            edited(sequence=2, execution={"path": f"reports/{EXECUTION.run}/executions/2.json", "sha256": "a" * 64})
        )


def test_retention_and_times_are_checked_before_anything_is_written() -> None:
    empty = Ledger(lines=(), torn=b"")
    for wrong, reason in (
        (replace(EXECUTION, retention_days=89), "89 dias"),
        (replace(EXECUTION, finished=NOW.replace(tzinfo=None)), "sem fuso"),
        (replace(EXECUTION, retention_days=4_000_000), "calendário"),
    ):
        with pytest.raises(UsageError, match=reason):
            build_line(wrong, empty, record=b"", recovered=None)

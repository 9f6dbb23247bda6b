"""Merging is a function of the set of lines: whatever workers did, in whatever order and stages they come together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.chains import Chain, merge_chains, read_chain
from pipeline.ledger import Execution, build_line, dump_record, parse_ledger

START = datetime(2026, 1, 5, tzinfo=UTC)
# What happens: a worker runs at some hour (clocks may go back), copies another's folder, or takes another's lines in.
STEPS = st.lists(
    st.tuples(st.sampled_from(["run", "copy", "merge"]), st.integers(0, 3), st.integers(0, 3), st.integers(0, 50)),
    min_size=1,
    max_size=14,
)


def _run(data: bytes, worker: int, hour: int, number: int) -> bytes:
    ledger = parse_ledger(data)
    moment = START + timedelta(hours=hour)
    execution = Execution(
        run=f"m0{worker}-{number:016x}",
        module=f"M0{worker}",
        command="checklist",
        pipeline="ci",
        branch=None,
        commit=None,
        verdict="aprovado",
        manifest_sha256=f"{number:064x}",
        started=moment,
        finished=moment,
        details={},
    )
    record = dump_record(execution, ledger.next_sequence)
    return data + build_line(execution, ledger, record=record, recovered=None)


def _merge(data: bytes, *sources: bytes) -> bytes:
    return data + b"".join(each.row for each in merge_chains(_chain(data), [_chain(each) for each in sources]))


def _chain(data: bytes) -> Chain:
    return read_chain(data, where="index.jsonl")


def _workers(steps: list[tuple[str, int, int, int]]) -> list[bytes]:
    found = [b"", b"", b"", b""]
    for number, (what, worker, other, hour) in enumerate(steps):
        if what == "run":
            found[worker] = _run(found[worker], worker, hour, number)
        elif what == "copy":
            found[worker] = found[worker] or found[other]
        elif worker != other:
            found[worker] = _merge(found[worker], found[other])
    return found


@given(STEPS)
def test_any_order_gives_the_same_chain_that_holds_every_line_once(steps: list[tuple[str, int, int, int]]) -> None:
    workers = _workers(steps)
    merged = _merge(b"", *workers)
    assert _merge(b"", *reversed(workers)) == merged
    lines = parse_ledger(merged).lines
    identities = [line.identity for line in lines]
    assert len(set(identities)) == len(identities)
    assert set(identities) == {line.identity for each in workers for line in parse_ledger(each).lines}
    assert _merge(merged, *workers) == merged


@given(STEPS)
def test_no_line_stands_before_the_one_that_it_followed(steps: list[tuple[str, int, int, int]]) -> None:
    workers = _workers(steps)
    places = {line.identity: at for at, line in enumerate(parse_ledger(_merge(b"", *workers)).lines)}
    for data in workers:
        own = [line for line in parse_ledger(data).lines if line.origin is None]
        assert [places[line.identity] for line in own] == sorted(places[line.identity] for line in own)


@given(STEPS)
def test_stages_and_one_step_know_the_same_lines_and_the_same_packs(steps: list[tuple[str, int, int, int]]) -> None:
    workers = _workers(steps)
    at_once = _chain(_merge(b"", *workers))
    in_stages = b""
    for each in workers:
        in_stages = _merge(in_stages, each)
    staged = _chain(in_stages)
    assert staged.identities == at_once.identities
    assert staged.packs == at_once.packs

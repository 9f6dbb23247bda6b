"""A document goes on as its file would be read, without being read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codec import SLOT, dump_json, dump_json_around
from pipeline.domain.artifact import Action, CorrectionPlan, ModuleInfo
from pipeline.domain.finding import FixMode, Operation, Param, PatchChange, Severity
from pipeline.records import dump_record, load_record, settle_record

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS | st.builds(Param, name=TEXT, question=TEXT),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(lambda key: key != "$param"), inner, max_size=3)
    ),
    max_leaves=8,
)
MODULE = ModuleInfo(id="M01", title="t", version="", document=None, sha256="0" * 64)


def plan_of(values: list[Any]) -> CorrectionPlan:
    operations = tuple(Operation(op="add", path=f"/{number}", value=each) for number, each in enumerate(values))
    action = Action(
        id="M01-AC-001",
        closes=("M01-NC-001",),
        mode=FixMode.AUTO,
        severity=Severity.ALTA,
        summary="s",
        instructions="",
        decisions=(),
        responsible="r",
        due_days=1,
        depends_on=(),
        changes=(PatchChange(path="a.yaml", document=0, operations=operations),),
    )
    return CorrectionPlan(run="m01-0", module=MODULE, mapa_nc_sha256="0" * 64, actions=(action,))


@given(st.lists(VALUES, max_size=4))
def test_a_settled_document_is_the_one_that_its_file_gives(values: list[Any]) -> None:
    plan = plan_of(values)
    data = dump_record(plan)
    assert data == dump_json(msgspec.to_builtins(plan, str_keys=True))
    settle_record(plan)
    read = load_record(data, CorrectionPlan, where="")
    assert read == plan
    assert repr(read) == repr(plan)  # the order of maps too
    assert dump_record(read) == data


@given(st.lists(VALUES.map(msgspec.to_builtins), max_size=4))
def test_items_written_one_by_one_are_those_written_together(values: list[Any]) -> None:
    around = {"z": 1, "a": {"b": [SLOT] if values else []}}
    assert dump_json_around(around, values) == dump_json({"z": 1, "a": {"b": values}})
    assert json.loads(dump_json_around(around, values))["a"]["b"] == values

"""PLANO_CORRECAO: grouping, order, parameters, and changes that work one after another."""

from __future__ import annotations

from typing import Any

from pipeline.domain.artifact import CorrectionPlan, ModuleInfo
from pipeline.domain.finding import (
    Change,
    Correction,
    CreateFile,
    FixMode,
    Location,
    NonConformity,
    ObjectRef,
    Operation,
    Param,
    PatchChange,
    Severity,
    TextChange,
)
from pipeline.flow.merging import OperationLog
from pipeline.flow.planning import build_plan, fill_change
from pipeline.flow.showing import ChangeViewer

MODULE = ModuleInfo(id="M00", title="X", version="v0.3", document=None, sha256="0" * 64)


def finding(number: int, **given: Any) -> NonConformity:
    changes = given.pop("changes", ())
    mode = given.pop("mode", FixMode.AUTO if changes else FixMode.MANUAL)
    values: dict[str, Any] = {
        "id": f"M00-NC-{number:03d}",
        "fingerprint": str(number),
        "rule": "TST-ONE",
        "severity": Severity.MEDIA,
        "status": "nova",
        "title": "Título",
        "description": "descrição",
        "explanation": "Porquê.",
        "sources": ("SCH",),
        "object": ObjectRef(kind="Pod", name="p"),
        "location": Location(path="a.yaml", line=number, column=1),
        "correction": Correction(mode=mode, summary="Faça.", changes=changes),
        "responsible": "DevOps",
        "due_days": 30,
    }
    return NonConformity(**(values | given))


def plan(*findings: NonConformity, parameters: dict[str, dict[str, str]] | None = None) -> CorrectionPlan:
    return build_plan(
        findings,
        module=MODULE,
        run="m00-0",
        mapa_sha256="0" * 64,
        parameters=parameters or {},
    )


def patch(path: str, value: object, *, op: Any = "add", file: str = "a.yaml") -> PatchChange:
    return PatchChange(path=file, document=0, operations=(Operation(op=op, path=path, value=value),))


def test_what_a_tool_does_alone_is_one_action_per_rule() -> None:
    made = plan(
        finding(1, changes=(patch("/x", 1),)),
        finding(2, changes=(patch("/y", 1, file="b.yaml"),), location=Location(path="b.yaml", line=1, column=1)),
        finding(3, rule="TST-TWO", changes=(patch("/z", 1),)),
    )
    assert [each.closes for each in made.actions] == [("M00-NC-001", "M00-NC-002"), ("M00-NC-003",)]
    assert made.actions[0].mode is FixMode.AUTO
    assert "2 arquivos" in made.actions[0].summary


def test_what_a_person_does_is_one_action_per_object() -> None:
    other = ObjectRef(kind="Pod", name="q")
    made = plan(finding(1), finding(2), finding(3, object=other))
    assert [each.closes for each in made.actions] == [("M00-NC-001", "M00-NC-002"), ("M00-NC-003",)]
    assert "M00-NC-002: `a.yaml` linha 2" in made.actions[0].instructions


def test_order_is_by_severity_after_what_must_parse_first() -> None:
    made = plan(
        finding(1, rule="B-LOW", severity=Severity.BAIXA),
        finding(2, rule="A-HIGH", severity=Severity.CRITICA),
        finding(3, rule="VAL-YAML", severity=Severity.ALTA),
    )
    assert [each.closes[0] for each in made.actions] == ["M00-NC-003", "M00-NC-002", "M00-NC-001"]
    assert made.actions[1].depends_on == ("M00-AC-001",)
    assert made.actions[0].depends_on == ()


def test_a_missing_parameter_is_a_decision_and_never_a_value() -> None:
    param = Param(name="images.ghcr.io/x/y", template="ghcr.io/x/y{}", question="Qual versão?")
    nc = finding(1, changes=(patch("/image", param, op="replace"),), mode=FixMode.PARAM)
    (waiting,) = plan(nc).actions
    assert [(each.parameter, each.question) for each in waiting.decisions] == [("images.ghcr.io/x/y", "Qual versão?")]
    assert waiting.changes == ()
    (ready,) = plan(nc, parameters={"images": {"ghcr.io/x/y": ":1.2.3"}}).actions
    assert ready.decisions == ()
    assert ready.changes == (patch("/image", "ghcr.io/x/y:1.2.3", op="replace"),)


def test_parameters_inside_maps_and_texts_are_filled() -> None:
    param = Param(name="a.b", template="<{}>")
    text = TextChange(path="doc", line=1, column=1, end_line=1, end_column=2, old="x", new=param)
    made = plan(
        finding(1, changes=(patch("/x", {"k": [param]}), text), mode=FixMode.PARAM), parameters={"a": {"b": "v"}}
    )
    assert made.actions[0].changes[0] == patch("/x", {"k": ["<v>"]})
    assert made.actions[0].changes[1].new == "<v>"  # type: ignore[union-attr]


def test_the_shortest_deadline_and_the_worst_severity_of_a_group_count() -> None:
    (action,) = plan(finding(1, due_days=30), finding(2, due_days=2, severity=Severity.ALTA)).actions
    assert (action.due_days, action.severity) == (2, Severity.ALTA)


def operations(changes: tuple[Change, ...]) -> list[tuple[str, str, object]]:
    return [(each.op, each.path, each.value) for change in changes for each in change.operations]  # type: ignore[union-attr]


def test_two_that_add_the_same_map_add_to_one() -> None:
    log = OperationLog()
    first, _ = log.add("A1", [patch("/metadata/labels", {"a": "1"}), patch("/metadata/labels", {"b/c": "2", "a": "1"})])
    assert operations(first) == [("add", "/metadata/labels", {"a": "1"}), ("add", "/metadata/labels/b~1c", "2")]
    second, needed = log.add("A2", [patch("/metadata/labels", {"a": "9", "d": {"e": 1}})])
    assert operations(second) == [("add", "/metadata/labels/d", {"e": 1})]
    assert needed == {"A1"}


def test_two_that_add_the_same_list_append_to_it() -> None:
    log = OperationLog()
    log.add("A1", [patch("/spec/x", ["a"])])
    second, needed = log.add("A2", [patch("/spec/x", ["a", "b"])])
    assert operations(second) == [("add", "/spec/x/-", "b")]
    assert needed == {"A1"}
    third, _ = log.add("A3", [patch("/spec/x", ["b"])])
    assert third == ()


def test_the_same_change_twice_is_made_once() -> None:
    log = OperationLog()
    text = TextChange(path="doc", line=1, column=1, end_line=1, end_column=2, old="x", new="y")
    made, _ = log.add("A1", [patch("/x", 1, op="replace"), patch("/x", 1, op="replace"), text, text])
    assert len(made) == 2


def test_list_items_are_removed_from_the_end() -> None:
    made, _ = OperationLog().add(
        "A1", [patch("/l/2", None, op="remove"), patch("/l/10", None, op="remove"), patch("/k", 1)]
    )
    assert [each[:2] for each in operations(made)] == [("add", "/k"), ("remove", "/l/10"), ("remove", "/l/2")]


def test_diffs_show_yaml_text_and_new_files_together() -> None:
    texts = {"a.yaml": "a: 1 # fica\nb: 2\n", "doc": "um\ndois\n"}
    changes: list[Change] = [
        patch("/a", 5, op="replace"),
        TextChange(path="doc", line=2, column=1, end_line=2, end_column=5, old="dois", new="três"),
        CreateFile(path="n.yaml", content="novo: 1\n"),
        patch("/c", Param(name="x.y", template="v{}")),
    ]
    shown = ChangeViewer(texts, {}).show(changes)
    for line in ("-a: 1 # fica", "+a: 5 # fica", "-dois", "+três", "+novo: 1", "+c: v‹x.y›"):
        assert line in shown.split("\n")


def test_a_change_that_no_longer_fits_is_not_shown() -> None:
    text = TextChange(path="doc", line=9, column=1, end_line=9, end_column=2, old="x", new="y")
    assert ChangeViewer({"doc": "um\n"}, {}).show([text]) == ""
    moved = TextChange(path="doc", line=1, column=1, end_line=1, end_column=2, old="x", new="y")
    assert ChangeViewer({"doc": "um\n"}, {}).show([moved]) == ""


def test_fill_leaves_new_files_alone() -> None:
    created = CreateFile(path="a", content="x")
    assert fill_change(created, {}) is created

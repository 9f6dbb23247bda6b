"""Text that does not parse for a known reason: repaired where one reading is left, audited, and corrected in place."""

from __future__ import annotations

import pytest

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.audit.views import ModuleView
from pipeline.audit.yamlrepair import repair_yaml
from pipeline.domain.artifact import ModuleInfo
from pipeline.domain.finding import NonConformity
from pipeline.flow.planning import build_plan
from pipeline.reread import apply_plan, prove, read_rewritten
from pipeline.rules.catalog import load_rules
from rulecheck import assert_cured, details, judged

DEDENTED = """apiVersion: v1
kind: Pod
metadata:
  name: a
spec:
    containers:
  - name: a
    image: app:latest
    ports:
    - containerPort: 80
    serviceAccountName: b
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:\n\tb: 1\n", {"a": {"b": 1}}),
        ("a:\n  b: 1\n\tc: 2\n", {"a": {"b": 1, "c": 2}}),
        ("a:\n  b:\n  \tc: 2\n", {"a": {"b": {"c": 2}}}),
        ("a:\n  -\tb: 1\n    c: 2\n", {"a": [{"b": 1, "c": 2}]}),
        ("a: b\n\t\nc: d\n", {"a": "b", "c": "d"}),
        ("a:\n\t# nota\n  b: 1\n", {"a": {"b": 1}}),
        ("a:\r\n\tb: 1\r\n", {"a": {"b": 1}}),
        ("a: 1\nb: c: d\n", {"a": 1, "b": "c: d"}),
        ("a:\n    b: # lista\n  - x\n  - z\nc: 1\n", {"a": {"b": ["x", "z"]}, "c": 1}),
        ("- a:\n    b:\n   - x\n", [{"a": {"b": ["x"]}}]),
        ("a:\n    b:\n  - x\n    c: 1\n", {"a": {"b": ["x"], "c": 1}}),
        ("t: a: b\nx:\n\ty: 1\n", {"t": "a: b", "x": {"y": 1}}),
    ],
)
def test_one_reading_is_left(text: str, value: object) -> None:
    repair = repair_yaml(text)
    assert repair is not None
    assert [document.value for document in repair.file.documents] == [value]
    assert not repair.file.problems


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "a: [1, 2\n",
        "a: 'sem fim\n",
        "a:\n  b: 1\n c: 2\n",
        "a:\n    b:\n  - x: 1\n    y: 2\n",  # is y of the item, or of b's map?
        "a:\n  b:\n\tc: 1\n",  # below b, or beside it?
        "a: *nada\n",
        "a:\n\tb: 1\n\tb: 2\n",
        "\t" * 300_000,
        "a:\n" + "\tb: [\n" * 300,
    ],
)
def test_what_is_sound_hopeless_or_doubtful_stays(text: str) -> None:
    assert repair_yaml(text) is None


def test_the_schema_tells_two_readings_apart() -> None:
    view = ModuleView(snapshot_of(Example(files={"a.yaml": DEDENTED})), Policy())
    repair = view.by_path["a.yaml"].repair
    assert repair is not None
    assert [each.line for each in repair.edits] == [7, 8, 9, 10]
    (pod,) = view.objects
    assert pod.get("spec", "serviceAccountName") == "b"
    assert pod.get("spec", "containers", 0, "ports") == [{"containerPort": 80}]


def test_places_are_those_of_the_text_as_it_stands() -> None:
    (found,) = judged("IMG-LATEST", DEDENTED).non_conformities
    assert (found.location.line, found.location.column) == (8, 5)
    assert found.snippet == "image: app:latest"
    head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nnote: a: b\n"
    text = head + "spec:\n\tcontainers: [{name: a, image: 'a:latest'}]\n"
    (found,) = judged("IMG-LATEST", text).non_conformities
    assert (found.location.line, found.location.column) == (6, 25)


def test_the_repair_is_offered_and_cures() -> None:
    for text in (DEDENTED, "a:\n\tb: 1\n", "a: 1\nb: c: d\n"):
        assert_cured("VAL-YAML", text)
    (found,) = judged("VAL-YAML", DEDENTED).non_conformities
    assert found.location.line == 7


def label_file(key: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n    {key}: core\n"


def test_a_tab_inside_a_known_key_is_taken_out() -> None:
    for key in ("appgear.io\ttier", "appgear.io/\ttier", "appgear.io/ti\ter"):
        fixed = assert_cured("VAL-YAML", label_file(key))
        assert "    appgear.io/tier: core" in fixed.files["a.yaml"]
    (found,) = judged("VAL-YAML", label_file("other.io\ttier")).non_conformities
    assert not found.correction.changes
    both = label_file("appgear.io/\ttier") + "    appgear.io/tier: suite\n"
    assert not judged("VAL-YAML", both).non_conformities[0].correction.changes
    nested = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nda\tta:\n  b: c\n  d: e\n"
    assert len(details("VAL-YAML", nested)) == 1


def test_the_rewrite_mends_the_text_and_then_what_it_holds() -> None:
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: b\n"
    document = f"# Módulo 01 – A\n\n```bash\ncat > a.yaml << 'EOF'\n{other}---\n{DEDENTED}EOF\n```\n"
    snapshot = snapshot_of(Example(document=document, files={"c.yaml": other}))
    rules = [each for each in load_rules() if each.id in ("VAL-YAML", "LBL-PARTOF", "IMG-LATEST", "WL-SECCTX")]
    before = audit(snapshot, rules, policy=Policy()).non_conformities
    assert {each.rule for each in before} == {each.id for each in rules}
    info = ModuleInfo(id="M01", title="", version="", document=None, sha256="")
    parameters = {"images": {"app": ":1.2.3"}}
    plan = build_plan(before, module=info, run="r", mapa_sha256="", parameters=parameters)
    done = apply_plan(snapshot, [each for each in snapshot.files if each.origin.kind == "tree"], plan)
    assert not done.not_applied
    again = read_rewritten(done, snapshot)
    after: tuple[NonConformity, ...] = audit(again, rules, policy=Policy(), baseline=before).non_conformities
    left = [each for each in after if each.status != "resolvida"]
    assert not left
    proof = prove(done, rewritten=again, plan=plan, before=before, after=left, parameters=parameters)
    assert proof.idempotent
    assert "\t" not in (done.document or b"").decode()
    assert "image: app:1.2.3" in (done.document or b"").decode()

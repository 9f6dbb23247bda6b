"""The engine: places, identities, ids across runs, and rules that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Breach, CouldNotJudge, Example, Rule, rule
from pipeline.audit.select import every_object, files, objects
from pipeline.audit.views import ModuleView, ObjectView
from pipeline.domain.finding import FixMode, NonConformityMap, Severity

POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  containers:\n  - name: a\n    image: x:latest\n"


def make(check: object, **changes: object) -> Rule:
    @rule(
        "TST-ONE",
        Severity.ALTA,
        over=objects("Pod"),
        title="Título",
        explanation="Explicação.",
        remedy="Remédio.",
        sources=("SCH",),
        bad="",
        good="",
    )
    def _unused(_found: ObjectView) -> Iterator[Breach]:
        yield from ()

    return replace(_unused, check=check, **changes)  # type: ignore[arg-type]


def first_image(found: ObjectView) -> Iterator[Breach]:
    yield found.breach("imagem", "spec", "containers", 0, "image", changes=(found.set("spec", "x", to=1),))


def run(example: Example, *rules: Rule, baseline: NonConformityMap | None = None) -> NonConformityMap:
    known = baseline.non_conformities if baseline else ()
    return audit(snapshot_of(example), rules, policy=Policy(), baseline=known)


def test_a_breach_is_placed_in_the_embedded_file_and_in_the_document() -> None:
    document = "# M00 – X\n\n```bash\ncat > apps/a.yaml << 'EOF'\n" + POD.format(name="p") + "EOF\n```\n"
    (found,) = run(Example(document=document), make(first_image)).non_conformities
    where = found.location
    assert (where.path, where.line, where.column, where.document_line) == ("apps/a.yaml", 8, 5, 12)
    assert where.yaml_path == "spec.containers[0].image"
    assert found.snippet == "image: x:latest"
    assert found.id == "M00-NC-001"
    assert found.correction.mode is FixMode.AUTO
    assert where.document_line is not None
    assert document.split("\n")[where.document_line - 1].strip() == found.snippet


def test_an_unlabelled_manifest_is_audited_and_placed_in_the_document() -> None:
    document = "# M00 – X\n\n- item\n\n  ```yaml\n" + "".join(
        f"  {line}\n" for line in POD.format(name="p").splitlines()
    )
    (found,) = run(Example(document=document + "  ```\n"), make(first_image)).non_conformities
    assert (found.location.path, found.location.line, found.location.column) == ("doc", 13, 7)
    assert found.location.document_line == 13


def test_fingerprints_survive_lines_added_above_and_list_items_added_before() -> None:
    before = Example(files={"a.yaml": POD.format(name="p")})
    moved = POD.format(name="p").replace("  - name: a", "  - name: z\n    image: y:1\n  - name: a")

    def image_of_a(found: ObjectView) -> Iterator[Breach]:
        for index, each in enumerate(found.get("spec", "containers")):
            if each["name"] == "a":
                yield found.breach("imagem", "spec", "containers", index, "image")

    one = run(before, make(image_of_a)).non_conformities[0]
    other = run(Example(files={"a.yaml": "# novo\n\n" + moved}), make(image_of_a)).non_conformities[0]
    assert one.fingerprint == other.fingerprint
    assert one.location.line != other.location.line


def test_equal_breaches_get_different_fingerprints() -> None:
    twice = make(lambda found: [found.breach("a", "spec"), found.breach("b", "spec")])
    result = run(Example(files={"a.yaml": POD.format(name="p")}), twice)
    assert len({each.fingerprint for each in result.non_conformities}) == 2


def test_ids_are_kept_through_a_baseline_and_what_is_gone_is_resolved() -> None:
    two = Example(files={"a.yaml": POD.format(name="a"), "b.yaml": POD.format(name="b")})
    first = run(two, make(first_image))
    assert [each.id for each in first.non_conformities] == ["M00-NC-001", "M00-NC-002"]
    then = Example(files={"b.yaml": POD.format(name="b"), "c.yaml": POD.format(name="c")})
    second = run(then, make(first_image), baseline=first)
    assert {(each.id, each.status, each.location.path) for each in second.non_conformities} == {
        ("M00-NC-002", "pendente", "b.yaml"),
        ("M00-NC-003", "nova", "c.yaml"),
        ("M00-NC-001", "resolvida", "a.yaml"),
    }


def test_a_rule_that_raises_is_named_and_examines_nothing() -> None:
    def fall(found: ObjectView) -> Iterator[Breach]:
        raise KeyError(found.name + "\x1b")

    result = run(Example(files={"a.yaml": POD.format(name="p")}), make(fall))
    (absent,) = result.not_run
    assert absent.crashed
    assert "KeyError" in absent.reason
    assert "\x1b" not in absent.reason
    assert absent.location is not None
    assert absent.location.path == "a.yaml"
    assert result.examined == {"TST-ONE": 0}
    assert not result.non_conformities


def test_a_selection_that_raises_is_named() -> None:
    def fall(_module: ModuleView) -> Iterator[ObjectView]:
        raise RuntimeError("x")

    result = run(Example(files={"a.yaml": POD.format(name="p")}), make(first_image, over=fall))
    assert result.not_run[0].crashed


def test_what_cannot_be_judged_is_listed_and_not_examined() -> None:
    def refuse(_found: ObjectView) -> Iterator[Breach]:
        raise CouldNotJudge("tipo desconhecido")

    result = run(Example(files={"a.yaml": POD.format(name="p")}), make(refuse))
    assert [(each.reason, each.crashed) for each in result.not_run] == [("tipo desconhecido", False)]
    assert result.examined == {"TST-ONE": 0}


def test_findings_come_in_reading_order_whatever_the_order_of_rules() -> None:
    files = {name: POD.format(name=name[0]) for name in ("b.yaml", "a.yaml")}
    rules = [make(first_image, id="TST-TWO"), make(first_image)]
    forward = run(Example(files=files), *rules)
    backward = run(Example(files=files), *reversed(rules))
    order = [(each.location.path, each.rule) for each in forward.non_conformities]
    assert order == [("a.yaml", "TST-ONE"), ("a.yaml", "TST-TWO"), ("b.yaml", "TST-ONE"), ("b.yaml", "TST-TWO")]
    assert forward.non_conformities == backward.non_conformities


def test_objects_inside_a_list_are_seen_and_patched_where_they_stand() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec: {}\n"
    found = run(
        Example(files={"a.yaml": text}), make(lambda pod: [pod.breach("x", "spec", changes=(pod.drop("spec"),))])
    )
    (each,) = found.non_conformities
    assert each.location.yaml_path == "items[0].spec"
    change = each.correction.changes[0]
    assert change.operations[0].path == "/items/0/spec"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "operations"),
    [
        (("metadata", "name"), [("replace", "/metadata/name", 1)]),
        (("metadata", "labels", "a/b"), [("add", "/metadata/labels", {"a/b": 1})]),
        (("spec", "x", "y"), [("add", "/spec", {"x": {"y": 1}})]),
    ],
)
def test_set_makes_the_maps_that_are_missing(path: tuple[str, ...], operations: list[tuple[object, ...]]) -> None:
    view = ModuleView(
        snapshot_of(Example(files={"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n"})), Policy()
    )
    (found,) = view.select(every_object)
    change = found.set(*path, to=1)
    assert [(each.op, each.path, each.value) for each in change.operations] == operations


def test_binary_files_are_no_text_and_yaml_names_always_are() -> None:
    view = ModuleView(
        snapshot_of(Example(files={"a.png": "\x89PNG\0\0", "b.yaml": "a: \0", "c.txt": "texto", ".env": "A=1"})),
        Policy(),
    )
    assert [each.path for each in view.select(files)] == [".env", "b.yaml", "c.txt"]


def test_json_manifests_are_audited_and_other_json_is_not() -> None:
    head = '{\n\t"apiVersion": "v1",\n\t"kind": "Pod",\n\t"metadata": {"name": "p"},\n\t'
    pod = head + '"spec": {"containers": [{"image": "x"}]}\n}\n'
    found = run(Example(files={"pod.json": pod, "package.json": '{"kind": "x"}'}), make(first_image))
    (only,) = found.non_conformities
    assert (only.location.path, only.location.line) == ("pod.json", 5)

"""The check that the audit uses on ApplicationSets of any origin."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pipeline.appset.load import QUARTET
from pipeline.appset.validate import validate_set

_GOOD: dict[str, Any] = {
    "spec": {
        "goTemplate": True,
        "generators": [{"list": {"elements": [{"name": "a"}, {"name": "b"}]}}],
        "template": {
            "metadata": {"name": "{{ .name }}", "labels": dict.fromkeys(QUARTET, "x")},
            "spec": {"project": "core", "destination": {"server": "https://x", "namespace": "n"}},
        },
    }
}


def _with(path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(_GOOD)
    *parents, last = path.split(".")
    target: Any = changed
    for part in parents:
        target = target[int(part) if part.isdigit() else part]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return changed


def _found(value: Any) -> list[tuple[str, str]]:
    return [(problem.rule, ".".join(map(str, problem.path))) for problem in validate_set(value)]


def test_a_good_set_has_no_problem() -> None:
    assert validate_set(_GOOD) == ()
    assert validate_set(_with("spec.templatePatch", "{{ if .x }}a: {{ now }}{{ end }}")) == ()
    assert validate_set(_with("spec.template.metadata.name", '{{ template "x" }}')) == ()


@pytest.mark.parametrize("value", [None, [], {}, {"spec": []}])
def test_no_spec(value: Any) -> None:
    assert _found(value) == [("GIT-APPSETVALID", "spec")]


_S = "spec.template.spec"
_M = "spec.template.metadata"
_E = "spec.generators.0.list.elements"


@pytest.mark.parametrize(
    ("path", "value", "rule", "at"),
    [
        ("spec.generators", [], "GIT-APPSETVALID", "spec.generators"),
        ("spec.generators", [{"git": {}}], "GIT-LISTGEN", "spec.generators"),
        ("spec.generators", ["x"], "GIT-LISTGEN", "spec.generators"),
        ("spec.generators.0.list.elements", {}, "GIT-APPSETVALID", "spec.generators.0.list.elements"),
        ("spec.generators.0.list.elements", [1], "GIT-APPSETVALID", "spec.generators.0.list.elements.0"),
        (
            "spec.generators.0.list.elements",
            [{"a": 1}, {"a": 1}],
            "GIT-APPSETVALID",
            "spec.generators.0.list.elements.1",
        ),
        ("spec.template", None, "GIT-APPSETVALID", "spec.template"),
        ("spec.template.metadata.name", None, "GIT-APPSETVALID", "spec.template.metadata"),
        (f"{_S}.project", "default", "GIT-APPSETVALID", f"{_S}.project"),
        (f"{_S}.destination", None, "GIT-APPSETVALID", f"{_S}.destination"),
        (f"{_S}.destination.server", None, "GIT-APPSETVALID", f"{_S}.destination"),
        (f"{_S}.destination.name", "both", "GIT-APPSETVALID", f"{_S}.destination"),
        (f"{_S}.destination.namespace", "*", "GIT-APPSETVALID", f"{_S}.destination"),
        ("spec.template.metadata.name", "{{name}}", "GIT-APPSETVALID", "spec.template.metadata.name"),
        ("spec.template.metadata.finalizers", ["{{ nope }}"], "GIT-APPSETVALID", "spec.template.metadata.finalizers.0"),
        (
            "spec.template.metadata.annotations",
            {"{{ x": "1"},
            "GIT-APPSETVALID",
            "spec.template.metadata.annotations.{{ x",
        ),
        ("spec.goTemplate", False, "GIT-APPSETVALID", "spec.template.metadata.name"),
    ],
)
def test_one_problem_at_its_place(path: str, value: Any, rule: str, at: str) -> None:
    assert _found(_with(path, value)) == [(rule, at)]


@pytest.mark.parametrize("key", QUARTET)
def test_each_label_of_the_quartet(key: str) -> None:
    changed = copy.deepcopy(_GOOD)
    del changed["spec"]["template"]["metadata"]["labels"][key]
    assert [problem.message for problem in validate_set(changed)] == [f"falta o label {key} no template (CON §5.3)"]


def test_no_metadata_at_all() -> None:
    assert len(_found(_with("spec.template.metadata", None))) == len(QUARTET) + 1


def test_a_list_inside_a_matrix_counts() -> None:
    inner = {"matrix": {"generators": [{"clusters": {}}, {"list": {"elements": []}}]}}
    assert _found(_with("spec.generators", [inner])) == []


def test_the_default_language() -> None:
    changed = _with("spec.goTemplate", None)
    changed["spec"]["template"]["metadata"]["name"] = "{{name}} {{ values.x }} {{metadata.labels.a/b}}"
    assert validate_set(changed) == ()
    changed["spec"]["template"]["metadata"]["name"] = "{{ name | lower }}"
    assert "fica como está" in validate_set(changed)[0].message
    changed["spec"]["template"]["metadata"]["name"] = "{{name}}"
    changed["spec"]["generators"][0]["list"]["elements"] = [{"name": "a", "port": 80, "values": {"x": "y"}}]
    assert _found(changed) == [("GIT-APPSETVALID", "spec.generators.0.list.elements.0.port")]

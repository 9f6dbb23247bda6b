"""Rendering: what is written is the model, whatever the template tries; drift in all three ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.appset.load import QUARTET, load_values
from pipeline.appset.render import Drift, find_drift, render_sets
from pipeline.appset.validate import validate_set
from pipeline.errors import InputError, IntegrityError
from pipeline.yamldoc import load_yaml

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / "applicationsets"
_TEMPLATE = (_FOLDER / "templates" / "apps-core.yaml.j2").read_text(encoding="utf-8")
_VALUES = load_values((_FOLDER / "core.yaml").read_bytes(), where="core.yaml")


def _objects() -> dict[str, Any]:
    files = render_sets(_VALUES, template=_TEMPLATE)
    return {path: load_yaml(data.decode()).documents[0].value for path, data in files.items()}


def test_one_set_per_cluster_and_one_project() -> None:
    assert list(_objects()) == [
        "applicationsets/clusters/ag-br-core-dev/apps-core.yaml",
        "applicationsets/clusters/ag-br-core-prd/apps-core.yaml",
        "applicationsets/projects/core.yaml",
    ]


def test_the_set_keeps_the_platform_s_rules() -> None:
    value = _objects()["applicationsets/clusters/ag-br-core-prd/apps-core.yaml"]
    spec, template = value["spec"], value["spec"]["template"]
    assert validate_set(value) == ()
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    assert [list(generator) for generator in spec["generators"]] == [["list"]]
    assert set(QUARTET) <= template["metadata"]["labels"].keys()
    assert set(QUARTET) <= value["metadata"]["labels"].keys()
    assert template["metadata"]["annotations"]["appgear.io/contract-version"] == "v0"
    assert template["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert spec["syncPolicy"]["preserveResourcesOnDeletion"] is True
    steps = [step["matchExpressions"][0]["values"] for step in spec["strategy"]["rollingSync"]["steps"]]
    assert steps == [["0"], ["1"]]


def test_the_project_has_no_wildcard() -> None:
    data = render_sets(_VALUES, template=_TEMPLATE)["applicationsets/projects/core.yaml"].decode()
    spec = load_yaml(data).documents[0].value["spec"]
    assert "*" not in data
    assert spec["sourceRepos"] == [_VALUES.repository]
    assert spec["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]
    assert {place["namespace"] for place in spec["destinations"]} == {"backstage", "kong", "openmetadata"}
    assert spec["orphanedResources"] == {"warn": True}


def test_the_project_allows_what_the_module_delivers() -> None:
    folder = _ROOT / "modules" / "m07-portal-backstage" / "apps" / "core"
    if not folder.is_dir():
        pytest.skip("the module's tree is not there")
    allowed = {(item.group, item.kind) for item in _VALUES.project.resources} | {("", "Namespace")}
    for path in sorted(folder.rglob("*.yaml")):
        for document in load_yaml(path.read_text(encoding="utf-8")).documents:
            value = document.value
            if not isinstance(value, dict) or value.get("kind") in (None, "Kustomization", "Component"):
                continue
            group = value["apiVersion"].rpartition("/")[0]
            if value["kind"] != "Template" and "backstage.io" not in group:
                assert (group, value["kind"]) in allowed, path.name


def test_the_same_values_give_the_same_bytes() -> None:
    assert render_sets(_VALUES, template=_TEMPLATE) == render_sets(_VALUES, template=_TEMPLATE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("selfHeal: [[", "selfHeal: false # [[", "automated.selfHeal"),
        ("kind: ApplicationSet\n", "kind: ApplicationSet\nextra: 1\n", "em extra"),
        ("  goTemplate: true\n", "", "spec.goTemplate"),
        ("[% for app in values.apps %]", "[% for app in values.apps[:2] %]", r"elements"),
        ('wave: "[[ app.wave ]]"', "wave: [[ app.wave ]]", r"elements\[0\]\.wave"),
        ("[[ values.project.name | scalar ]]", "default", "spec.template.spec.project"),
        ("kind: ApplicationSet", "kind: [", "não é YAML"),
        ("kind: ApplicationSet", "kind: ApplicationSet\n---\na: 1", "não é YAML|um documento"),
    ],
)
def test_a_result_that_is_not_the_model_is_never_returned(old: str, new: str, message: str) -> None:
    assert old in _TEMPLATE
    with pytest.raises(IntegrityError, match=message):
        render_sets(_VALUES, template=_TEMPLATE.replace(old, new, 1))


@pytest.mark.parametrize(
    "template",
    [
        "[[ nope ]]",
        "[[ values.nope ]]",
        "[% if %]",
        "[[ cluster.__class__.__mro__ ]]",
        "[[ values.apps | scalar ]]",
        "[[ 1 / 0 ]]",
        "[[ values.labels.append(1) ]]",
    ],
)
def test_a_template_that_does_not_render(template: str) -> None:
    with pytest.raises(InputError, match="não renderiza") as caught:
        render_sets(_VALUES, template=template)
    assert "\n" not in str(caught.value)


def test_drift_in_all_three_ways() -> None:
    expected = {"a.yaml": b"x: 1\n", "b.yaml": b"y: 1\n", "same.yaml": b"z\n", "end.yaml": b"q\n"}
    actual = {"b.yaml": b"y: \x1b[31m2\n", "c.yaml": b"", "same.yaml": b"z\n", "end.yaml": b"q\r\n"}
    found = find_drift(expected, actual)
    assert [(drift.path, drift.kind) for drift in found] == [
        ("a.yaml", "missing"),
        ("b.yaml", "changed"),
        ("c.yaml", "surplus"),
        ("end.yaml", "changed"),
    ]
    assert "-y: \\x1b[31m2" in found[1].diff
    assert "+y: 1" in found[1].diff
    assert "fins de linha" in found[3].diff
    assert found[0] == Drift(path="a.yaml", kind="missing")
    assert find_drift(expected, dict(expected)) == ()

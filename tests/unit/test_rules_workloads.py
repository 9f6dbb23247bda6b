"""WL-RES: what each container asks for."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details

FULL = "{requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1, memory: 1Gi}}"


def pod(containers: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: n}}\nspec: {{containers: {containers}{more}}}\n"


@pytest.mark.parametrize(
    ("resources", "missing"),
    [
        ("", "requests.cpu, requests.memory, limits.cpu, limits.memory"),
        (", resources: {}", "requests.cpu, requests.memory, limits.cpu, limits.memory"),
        (", resources: texto", "requests.cpu, requests.memory, limits.cpu, limits.memory"),
        (", resources: {requests: {cpu: 1}, limits: null}", "requests.memory, limits.cpu, limits.memory"),
        (", resources: {requests: {cpu: '', memory: 1Gi}, limits: {cpu: 1, memory: 1Gi}}", "requests.cpu"),
    ],
)
def test_what_is_missing_is_named_and_asked_for(resources: str, missing: str) -> None:
    text = pod(f"[{{name: c, image: 'a:1'{resources}}}]")
    assert details("WL-RES", text) == [f"o container `c` não declara {missing}"]
    assert_cured("WL-RES", text)


def test_init_containers_are_named_as_such() -> None:
    text = pod(f"[{{name: c, image: 'a:1', resources: {FULL}}}]", ", initContainers: [{name: i, image: 'a:1'}]")
    assert details("WL-RES", text)[0].startswith("o init container `i`")


def test_a_limit_range_gives_what_is_missing() -> None:
    limit = (
        "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l, namespace: %s}\n"
        "spec: {limits: [{type: Pod}, {type: Container, default: {cpu: 1, memory: 1Gi}, "
        "defaultRequest: {cpu: 1, memory: 1Gi}}]}\n"
    )
    assert_quiet("WL-RES", pod("[{name: c, image: 'a:1'}]") + limit % "n")
    assert len(details("WL-RES", pod("[{name: c, image: 'a:1'}]") + limit % "other")) == 1


def test_what_is_no_container_of_a_workload() -> None:
    claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: p}\nspec: {resources: {}}\n"
    workflow = (
        "---\napiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
        "spec: {templates: [{name: t, container: {image: 'a:1'}}]}\n"
    )
    values = "---\nimage: {repository: a, tag: '1'}\nresources: {}\n"
    assert_quiet(
        "WL-RES", pod(f"[{{name: c, image: 'a:1', resources: {FULL}}}, {{name: p}}]") + claim + workflow + values
    )


def test_a_strategic_patch_is_no_whole_object() -> None:
    files = {
        "kustomization.yaml": (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches: [{path: p.yaml}]\n"
        ),
        "p.yaml": pod("[{name: c, image: 'a:1'}]"),
        "a.yaml": pod(f"[{{name: c, image: 'a:1', resources: {FULL}}}]"),
    }
    assert_quiet("WL-RES", Example(files=files))

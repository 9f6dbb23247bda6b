"""Image references and every place that names one."""

from __future__ import annotations

import pytest

from conftest import snapshot_of
from pipeline.audit.images import images, parse_reference
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.audit.views import ModuleView


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("nginx", None, None)),
        ("nginx:1.2", ("nginx", "1.2", None)),
        ("registry:5000/a/b", ("registry:5000/a/b", None, None)),
        ("registry:5000/a/b:v1@sha256:00", ("registry:5000/a/b", "v1", "sha256:00")),
        ("a@sha256:00", ("a", None, "sha256:00")),
        ("a:", ("a", "", None)),
        ("", ("", None, None)),
    ],
)
def test_references_are_taken_apart(text: str, parts: tuple[str, str | None, str | None]) -> None:
    found = parse_reference(text)
    assert (found.repository, found.tag, found.digest) == parts


def used(**files: str) -> list[str]:
    view = ModuleView(snapshot_of(Example(files={f"{name}.yaml": text for name, text in files.items()})), Policy())
    return sorted(each.text for each in images(view))


def test_containers_custom_resources_compose_and_helm_maps_are_found() -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
        "spec: {initContainers: [{image: i:1}], containers: [{image: c:1}]}\n"
    )
    custom = "apiVersion: x/v1\nkind: Workflow\nmetadata: {name: a}\nspec: {templates: [{container: {image: w:1}}]}\n"
    helm = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"
        "spec: {source: {helm: {valuesObject: "
        "{image: {registry: r, repository: h, tag: 2}, other: {image: {repository: n}}}}}}\n"
    )
    compose = "services:\n  a: {image: 'd:1'}\n  b: {build: .}\n"
    assert used(pod=pod, custom=custom, helm=helm, compose=compose) == ["c:1", "d:1", "i:1", "r/h:2", "w:1"]


def test_an_image_that_is_no_text_is_passed_over() -> None:
    assert (
        used(a="apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: 5}, {image: [x]}]}\n") == []
    )

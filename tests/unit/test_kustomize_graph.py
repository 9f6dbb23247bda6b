"""What an object inherits from the kustomizations above it."""

from __future__ import annotations

from conftest import snapshot_of
from pipeline.audit.kustomize import resolve_resource
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.audit.views import ModuleView, ObjectView

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def found(files: dict[str, str], path: str) -> ObjectView:
    view = ModuleView(snapshot_of(Example(files=files)), Policy())
    return view.by_path[path].objects[0]


FILES = {
    "kustomization.yaml": HEAD + "namespace: outer\nresources: [app/]\ncommonLabels: {a: '1'}\n",
    "app/kustomization.yaml": HEAD
    + "namespace: inner\nresources: [cm.yaml, ns.yaml]\nlabels: [{pairs: {b: '2'}}]\n"
    + "patches: [{path: patch.yaml}]\n",
    "app/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: own, labels: {b: own}}\n",
    "app/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n",
    "app/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
    "alone.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d, namespace: own}\n",
}


def test_the_outermost_namespace_wins_and_cluster_scoped_kinds_get_none() -> None:
    assert found(FILES, "app/cm.yaml").namespace == "outer"
    assert found(FILES, "app/ns.yaml").namespace is None
    assert found(FILES, "alone.yaml").namespace == "own"


def test_labels_of_every_level_are_added() -> None:
    assert found(FILES, "app/cm.yaml").labels == {"a": "1", "b": "2"}
    assert found(FILES, "app/cm.yaml").own_labels == {"b": "own"}


def test_patches_are_partial_objects() -> None:
    assert found(FILES, "app/patch.yaml").partial
    assert not found(FILES, "app/cm.yaml").partial


def test_kustomizations_that_list_each_other_do_not_hang() -> None:
    files = {
        "a/kustomization.yaml": HEAD + "namespace: a\nresources: [../b, x.yaml]\n",
        "b/kustomization.yaml": HEAD + "namespace: b\nresources: [../a]\n",
        "a/x.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
    }
    assert found(files, "a/x.yaml").namespace in {"a", "b"}


def test_hostile_fields_are_passed_over() -> None:
    files = {
        "kustomization.yaml": HEAD + "namespace: [1]\nresources: {a: 1}\nlabels: x\npatches: [1, {path: [2]}]\n",
        "x.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
    }
    assert found(files, "x.yaml").namespace is None


def test_entries_are_resolved_from_their_folder() -> None:
    assert resolve_resource("a/b", "../c/") == "a/c"
    assert resolve_resource("", "x.yaml") == "x.yaml"
    assert resolve_resource("a", "../../x") is None
    assert resolve_resource("a", "https://example.org/x") is None
    assert resolve_resource("a", "git@example.org:x/y") is None

"""What an object inherits from the kustomizations above it."""

from __future__ import annotations

import pytest

from conftest import snapshot_of
from pipeline.audit.kustomize import resolve_resource
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.audit.views import ModuleView, ObjectView
from rulecheck import judged

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


def test_a_kustomization_under_another_version_renders_and_is_not_rendered() -> None:
    files = {
        "kustomization.yaml": "apiVersion: v1\nkind: Kustomization\n"
        "namespace: a\nresources: [kustomization.yaml, x.yaml]\n",
        "x.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
    }
    assert found(files, "x.yaml").namespace == "a"
    assert found(files, "kustomization.yaml").render is None


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


def test_a_kustomization_needs_neither_kind_nor_extension() -> None:
    files = {"Kustomization": "namespace: a\nresources: [x.yaml]\n", "x.yaml": CONFIG_MAP}
    assert found(files, "x.yaml").namespace == "a"
    other = {"kustomization.yaml": "kind: Outra\nnamespace: a\nresources: [x.yaml]\n", "x.yaml": CONFIG_MAP}
    assert found(other, "x.yaml").namespace is None


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: main
          image: app:latest
        - name: side
          image: other:1.2.3
"""


def tree(kustomization: str, **others: str) -> dict[str, str]:
    return {"kustomization.yaml": HEAD + "resources: [web.yaml]\n" + kustomization, "web.yaml": DEPLOYMENT} | {
        name.replace("_", "."): text for name, text in others.items()
    }


def places(rule: str, files: dict[str, str]) -> list[tuple[str, int]]:
    """File and line of every finding of a rule, where it could judge everything."""
    result = judged(rule, Example(files=files))
    assert not result.not_run
    return [(each.location.path, each.location.line) for each in result.non_conformities]


def test_images_of_the_kustomization_are_what_runs() -> None:
    assert places("IMG-LATEST", tree("")) == [("web.yaml", 10)]
    assert places("IMG-LATEST", tree("images: [{name: app, newTag: 1.2.3}]\n")) == []
    assert places("IMG-LATEST", tree("images: [{name: app, digest: 'sha256:aa'}]\n")) == []
    assert places("IMG-LATEST", tree("images: [{name: app, newName: mirror/app}]\n")) == [("web.yaml", 10)]


def test_a_tag_of_the_kustomization_is_told_once_at_its_own_line() -> None:
    files = tree("images:\n  - name: app\n    newTag: latest\n  - name: other\n    newTag: latest\n")
    assert places("IMG-LATEST", files) == [("kustomization.yaml", 6), ("kustomization.yaml", 8)]


MERGED = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n"
)
RESOURCES = "{requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1, memory: 1Gi}}"


def test_a_merge_patch_gives_what_the_object_lacks() -> None:
    patch = (
        MERGED + f"        - {{name: main, resources: {RESOURCES}}}\n        - {{name: side, resources: {RESOURCES}}}\n"
    )
    assert places("WL-RES", tree(""))
    assert places("WL-RES", tree("patches: [{path: p.yaml}]\n", p_yaml=patch)) == []
    assert places("WL-RES", tree("patchesStrategicMerge: [p.yaml]\n", p_yaml=patch)) == []


def test_what_a_patch_sets_is_told_where_it_is_written() -> None:
    patch = MERGED + "        - name: side\n          image: other:latest\n"
    assert places("IMG-LATEST", tree("patches: [{path: p.yaml}]\n", p_yaml=patch)) == [("p.yaml", 9), ("web.yaml", 10)]
    inline = "patches:\n  - patch: |-\n" + "".join(f"      {line}\n" for line in patch.splitlines())
    assert places("IMG-LATEST", tree(inline)) == [("kustomization.yaml", 14), ("web.yaml", 10)]


OPERATION = '[{op: replace, path: /spec/template/spec/containers/0/image, value: "app:%s"}]\n'


def test_json_patches_inline_and_by_path() -> None:
    target = "target: {kind: Deployment, name: we.*}"
    pinned = tree(f"patches:\n  - {target}\n    path: p.yaml\n", p_yaml=OPERATION % "1.2.3")
    assert places("IMG-LATEST", pinned) == []
    older = tree(f"patchesJson6902:\n  - {target}\n    path: p.yaml\n", p_yaml=OPERATION % "1.2.3")
    assert places("IMG-LATEST", older) == []
    inline = tree(f"patches:\n  - {target}\n    patch: |\n      " + OPERATION % "latest")
    assert places("IMG-LATEST", inline) == [("kustomization.yaml", 7)]


@pytest.mark.parametrize(
    ("target", "chosen"),
    [
        ("{kind: Deployment}", True),
        ("{kind: Deployment, group: apps, version: v1, name: web, namespace: ''}", True),
        ("{kind: Service}", False),
        ("{group: batch}", False),
        ("{name: web|api}", True),
        ("{name: we}", False),
        ("{labelSelector: 'app=web,tier!=x,own,!none'}", True),
        ("{labelSelector: app=other}", False),
        ("{annotationSelector: none}", False),
    ],
)
def test_targets(target: str, chosen: bool) -> None:
    labels = "commonLabels: {app: web, own: a}\n"
    files = {
        "kustomization.yaml": HEAD + f"resources: [base]\npatches:\n  - target: {target}\n    path: p.yaml\n",
        "p.yaml": "- {op: add, path: /metadata/namespace, value: chosen}\n",
        "base/kustomization.yaml": HEAD + labels + "resources: [web.yaml]\n",
        "base/web.yaml": DEPLOYMENT,
    }
    assert found(files, "base/web.yaml").namespace == ("chosen" if chosen else None)


def test_names_and_annotations() -> None:
    files = tree("namePrefix: p-\nnameSuffix: -s\ncommonAnnotations: {note: x}\n")
    web = found(files, "web.yaml")
    assert (web.name, web.cluster_name, web.annotations) == ("web", "p-web-s", {"note": "x"})
    assert web.pod is not None
    assert web.pod.annotations == {"note": "x"}


def test_components_change_what_their_parent_lists() -> None:
    files = tree("components: [more, more]\n") | {
        "more/kustomization.yaml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n"
        "labels: [{pairs: {c: d}, includeTemplates: true}]\nreplicas: [{name: web, count: 3}]\nresources: [x.yaml]\n",
        "more/x.yaml": CONFIG_MAP,
    }
    web = found(files, "web.yaml")
    assert web.labels == {"c": "d"}
    assert web.pod is not None
    assert web.pod.labels == {"c": "d"}
    assert web.get("spec", "replicas") == 3
    assert found(files, "more/x.yaml").labels == {"c": "d"}


def test_of_several_roots_the_one_that_adds_least_counts() -> None:
    files = {
        "base/kustomization.yaml": HEAD + "resources: [web.yaml]\n",
        "base/web.yaml": DEPLOYMENT,
        "dev/kustomization.yaml": HEAD + "resources: [../base]\nnamespace: dev\n",
        "prod/kustomization.yaml": HEAD
        + "resources: [../base]\nnamespace: prod\nimages: [{name: app, newTag: '1.0.1'}]\n",
    }
    assert found(files, "base/web.yaml").namespace == "dev"
    assert places("IMG-LATEST", files) == [("base/web.yaml", 10)]


def test_lists_that_a_patch_shortens_are_told_as_a_whole() -> None:
    patch = MERGED + "        - {name: main, $patch: delete}\n"
    result = judged("WL-RES", Example(files=tree("patches: [{path: p.yaml}]\n", p_yaml=patch)))
    (each,) = [each for each in result.non_conformities if each.location.path == "web.yaml"]
    assert each.location.line == 8
    assert not each.correction.changes


def test_an_object_that_a_patch_deletes_is_not_judged() -> None:
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n$patch: delete\n"
    assert found(tree("patches: [{path: p.yaml}]\n", p_yaml=patch), "web.yaml").partial


def test_corrections_are_of_the_source() -> None:
    labels = "metadata: {name: web, labels: {a: b}}\n"
    files = tree(
        "patches: [{path: p.yaml}]\n", p_yaml=MERGED.replace("metadata: {name: web}\n", labels) + "        []\n"
    )
    (operation,) = found(files, "web.yaml").set("metadata", "labels", "c", to="d").operations
    assert (operation.op, operation.path, operation.value) == ("add", "/metadata/labels", {"c": "d"})


@pytest.mark.parametrize(
    ("kustomization", "said"),
    [
        ("patches: [{target: {name: '(a+)+$'}, path: p.yaml}]\n", "não é interpretado"),
        ("patches: [{target: {labelSelector: 'a in (b)'}, path: p.yaml}]\n", "não é interpretado"),
        ("patches: [{target: {kind: Deployment}, patch: '[{op: move, path: /a}]'}]\n", "não é interpretada"),
        ("patches: [{target: {kind: Deployment}, patch: '[{op: test, path: /kind, value: x}]'}]\n", "não confere"),
        ("patches: [{target: {kind: Deployment}, patch: '[{op: remove, path: /none}]'}]\n", "não tem"),
        ("patches: [{target: {kind: Deployment}, patch: '[{op: replace, path: /none, value: 1}]'}]\n", "não tem"),
        ("patches: [{target: {kind: Deployment}, patch: '[{op: add, path: /a/b/c, value: 1}]'}]\n", "não existe"),
        ("patches: [{target: {kind: Deployment}, patch: '[1]'}]\n", "sem `path`"),
        ("patches: [{target: {kind: Deployment}, patch: '{$setElementOrder/x: []}'}]\n", "diretiva"),
        ("transformers: [p.yaml]\n", "`transformers` não é executado"),
        ("helmCharts: [{name: a}]\n", "`helmCharts` não é executado"),
        ("components: ['https://example.org/x']\n", "a auditoria não usa a rede"),
    ],
)
def test_what_is_not_rendered_is_told(kustomization: str, said: str) -> None:
    result = judged("GIT-DANGLING", Example(files=tree(kustomization, p_yaml="a: 1\n")))
    assert not result.non_conformities
    (left,) = result.not_run
    assert said in left.reason
    assert not left.crashed
    assert left.location is not None


@pytest.mark.parametrize(
    "pointer",
    ["/spec/template/spec/containers/-", "/spec/template/spec/containers/0", "/spec/template/spec/containers/9"],
)
def test_items_that_a_patch_adds(pointer: str) -> None:
    patch = f"[{{op: add, path: {pointer}, value: {{name: new, image: 'new:latest'}}}}]"
    web = found(tree(f'patches: [{{target: {{kind: Deployment}}, patch: "{patch}"}}]\n'), "web.yaml")
    assert web.pod is not None
    names = [each.name for each in web.pod.containers]
    assert names == {"-": ["main", "side", "new"], "0": ["new", "main", "side"], "9": ["main", "side"]}[pointer[-1]]

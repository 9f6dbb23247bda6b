"""The in-process render against kustomize itself, on small generated trees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import snapshot_of
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.audit.views import ModuleView, ObjectView

HEAD: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
COMPONENT: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

NAMES = st.sampled_from(["web", "db", "cache"])
PAIRS = st.dictionaries(st.sampled_from(["app", "tier", "own"]), st.sampled_from(["red", "blue"]), max_size=2)
# One value for each key: kustomize lets maps that it made itself share a node, and a second value then reaches both.
ADDED = st.sets(st.sampled_from(["app", "tier", "own"]), max_size=2).map(
    lambda keys: {key: f"{key}-added" for key in sorted(keys)}
)


def optional(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), values.map(lambda value: {name: value}))


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda given: {key: value for part in given for key, value in part.items()})


IMAGES = st.lists(
    joined(
        st.sampled_from(["nginx", "reg:5000/app"]).map(lambda name: {"name": name}),
        optional("newName", st.sampled_from(["mirror/x", "reg:5000/y"])),
        optional("newTag", st.sampled_from(["1.2.3", "v9"])),
        optional("digest", st.just("sha256:" + "a" * 64)),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda entry: entry["name"],
)
LABELS = st.lists(
    joined(ADDED.map(lambda pairs: {"pairs": pairs}), optional("includeTemplates", st.booleans())),
    min_size=1,
    max_size=2,
)


def patches_for(objects: list[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Patches of the Deployments that the base has, in every form."""
    deployments = [each for each in objects if each["kind"] == "Deployment"]
    if not deployments:
        return st.just([])
    return st.lists(st.sampled_from(deployments).flatmap(patch_for), max_size=2)


def patch_for(deployment: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    name = deployment["metadata"]["name"]
    target = {"kind": "Deployment", "name": name}
    merged = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"patched": "yes"}},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "main", "image": "patched:1", "resources": {"limits": {"cpu": "1"}}},
                        {"name": "more", "image": "nginx:latest"},
                    ]
                }
            }
        },
    }
    operations = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "operated:2"},
        {"op": "add", "path": "/metadata/annotations", "value": {"note": "patched"}},
    ]
    return st.sampled_from(
        [
            {"target": target, "patch": yaml.safe_dump(merged)},
            {"target": {"kind": "Deployment"}, "patch": yaml.safe_dump(operations)},
            {"target": {"name": f"{name}|other"}, "patch": yaml.safe_dump(operations[:1] if name else [])}
            if deployment["spec"]["template"]
            else {"target": target, "patch": yaml.safe_dump(merged)},
        ]
    )


def replacements_for(objects: list[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A value of one object, whole or in part, for others; every source and field is there."""
    pods = {"Deployment": "spec.template.spec", "CronJob": "spec.jobTemplate.spec.template.spec"}
    running = [each for each in objects if each["kind"] in pods]
    if not running:
        return st.just([])
    first, name = running[0], running[0]["metadata"]["name"]
    inside = pods[first["kind"]]
    source = {"kind": first["kind"], "name": name}
    image = f"{inside}.containers.[name=main].image"
    everything = {"select": {"kind": first["kind"]}, "fieldPaths": [f"{inside}.containers.*.image"]}
    return st.lists(
        st.sampled_from(
            [
                {"source": {**source, "fieldPath": image}, "targets": [everything]},
                {
                    "source": {**source, "fieldPath": "metadata.name", "options": {"delimiter": "-"}},
                    "targets": [{**everything, "options": {"delimiter": "/"}}],
                },
                {
                    "source": {**source, "fieldPath": image},
                    "targets": [{**everything, "reject": [{"name": name}]}],
                },
                {
                    "source": {**source, "fieldPath": "metadata.name"},
                    "targets": [{**everything, "options": {"delimiter": "/", "index": -1}}],
                },
                {
                    "source": source,
                    "targets": [
                        {
                            "select": {"name": name},
                            "fieldPaths": ["metadata.annotations.[copied.example/name]", "metadata.labels.copied"],
                            "options": {"create": True},
                        }
                    ],
                },
            ]
        ),
        max_size=2,
    )


@st.composite
def objects_of_a_base(draw: st.DrawFn) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        labels = draw(optional("labels", PAIRS))
        image = draw(
            st.sampled_from(["nginx", "nginx:latest", "reg:5000/app:1", "other:2", "nginx@sha256:" + "b" * 64])
        )
        pod = {"containers": [{"name": "main", "image": image}, {"name": "side", "image": "reg:5000/app"}]}
        kind = draw(st.sampled_from(["Deployment", "Deployment", "CronJob", "ConfigMap"]))
        metadata = {"name": name, **labels}
        if kind == "Deployment":
            template = {**draw(optional("metadata", PAIRS.map(lambda pairs: {"labels": pairs}))), "spec": pod}
            made.append({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template}})
        elif kind == "CronJob":
            spec = {"jobTemplate": {"spec": {"template": {"spec": pod}}}}
            made.append({"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec})
        else:
            made.append({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {"a": "b"}})
    if draw(st.booleans()):
        made.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "space"}})
    return made


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """A base, an overlay and sometimes a component."""
    objects = draw(objects_of_a_base())
    layer = joined(
        optional("namespace", st.sampled_from(["one", "two"])),
        optional("namePrefix", st.sampled_from(["p-", "q-"])),
        optional("nameSuffix", st.just("-s")),
        optional("commonLabels", ADDED),
        optional("commonAnnotations", st.just({"note": "x"})),
        optional("labels", LABELS),
        optional("images", IMAGES),
    )
    base = {**HEAD, **draw(layer), "resources": ["objects.yaml"], "patches": draw(patches_for(objects))}
    overlay = {**HEAD, **draw(layer), "resources": ["base"]}
    for each in (base, overlay):
        replacements = draw(replacements_for(objects))
        if replacements:
            each["replacements"] = replacements
    tree = {
        "base/objects.yaml": yaml.safe_dump_all(objects),
        "base/kustomization.yaml": yaml.safe_dump(base),
    }
    if draw(st.booleans()):
        overlay["components"] = ["component"]
        tree["component/kustomization.yaml"] = yaml.safe_dump(
            {**COMPONENT, "commonAnnotations": {"part": "of"}, **draw(layer)}
        )
    tree["kustomization.yaml"] = yaml.safe_dump(overlay)
    return tree


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees())
def test_names_namespaces_labels_and_images_are_those_of_kustomize(
    tree: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    done = kustomize(folder, tree)
    assert done.returncode == 0, done.stderr
    wanted = sorted((seen(each) for each in yaml.safe_load_all(done.stdout) if each), key=str)
    module = ModuleView(snapshot_of(Example(files=tree)), Policy())
    found = [rendered(each) for each in module.objects if not each.group.startswith("kustomize")]
    assert sorted(found, key=str) == wanted
    assert not module.kustomize.unrendered


def kustomize(folder: Path, tree: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for path, text in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )


def seen(value: dict[str, Any]) -> dict[str, Any]:
    """What the comparison is about, of one object that kustomize printed."""
    metadata = value["metadata"]
    pod = template_of(value)
    return {
        "kind": value["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "labels": metadata.get("labels") or {},
        "annotations": metadata.get("annotations") or {},
        "template": ((pod.get("metadata") or {}).get("labels")) or {},
        "containers": {each["name"]: (each["image"], each.get("resources")) for each in containers_of(pod)},
    }


def rendered(found: ObjectView) -> dict[str, Any]:
    """The same of an object of the module."""
    pod = found.pod
    return {
        "kind": found.kind,
        "name": found.cluster_name,
        "namespace": found.namespace,
        "labels": found.labels,
        "annotations": found.annotations,
        "template": pod.labels if pod else {},
        "containers": {
            each.name: (each.value["image"], each.value.get("resources")) for each in (pod.containers if pod else ())
        },
    }


def template_of(value: dict[str, Any]) -> dict[str, Any]:
    spec = value.get("spec") or {}
    held = spec["jobTemplate"]["spec"] if value["kind"] == "CronJob" else spec
    template: dict[str, Any] = held.get("template") or {}
    return template


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = (pod.get("spec") or {}).get("containers") or []
    return held

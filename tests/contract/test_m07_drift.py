"""The module that ships with the project: its document embeds the files beside it, and they agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.codec import sha256_hex
from pipeline.domain.snapshot import ModuleSnapshot, SourceState
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot
from pipeline.rules.catalog import load_rules

FOLDER = Path(__file__).resolve().parents[2] / "modules" / "m07-portal-backstage"
DOCUMENT = FOLDER / "module-07-portal-backstage.md"
BESIDE = sorted(
    path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file() and path != DOCUMENT
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@pytest.fixture(scope="module")
def module() -> ModuleSnapshot:
    document = read_document(DOCUMENT.read_bytes(), path=DOCUMENT.name)
    return build_snapshot(document=document, tree=(), source=SourceState(), fallback_id="M00")


def _load(path: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((FOLDER / path).read_text(encoding="utf-8")) if each]


def _objects() -> list[dict[str, Any]]:
    return [each for path in BESIDE if path.startswith("apps/") for each in _load(path)]


def _named(kind: str, name: str) -> dict[str, Any]:
    return next(each for each in _objects() if each["kind"] == kind and each["metadata"]["name"] == name)


def test_the_document_is_read_without_a_problem(module: ModuleSnapshot) -> None:
    assert module.problems == ()
    assert (module.id, module.version) == ("M07", "v0.3")
    assert module.title == "Portal Backstage e Integrações Core"


def test_the_document_embeds_every_file_and_no_other(module: ModuleSnapshot) -> None:
    assert sorted(file.path for file in module.files) == BESIDE


@pytest.mark.parametrize("path", BESIDE)
def test_embedded_file_is_the_file_beside_the_document(module: ModuleSnapshot, path: str) -> None:
    embedded = next(file for file in module.files if file.path == path)
    assert embedded.content == (FOLDER / path).read_bytes()


@pytest.mark.parametrize("folder", ["apps/core/backstage", "apps/core/kong", "apps/core/openmetadata", "bootstrap"])
def test_each_kustomization_lists_all_files_of_its_folder(folder: str) -> None:
    listed = _load(f"{folder}/kustomization.yaml")[0]["resources"]
    held = {path.rpartition("/")[2] for path in BESIDE if path.rpartition("/")[0] == folder}
    assert set(listed) == held - {"kustomization.yaml"}
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("deployment", "annotation", "path"),
    [
        ("core-backstage", "checksum/config-backstage", "apps/core/backstage/config-backstage.yaml"),
        ("core-backstage", "checksum/environment", "apps/core/backstage/environment.yaml"),
        ("core-openmetadata", "checksum/environment", "apps/core/openmetadata/environment.yaml"),
    ],
)
def test_pods_restart_when_their_configuration_changes(deployment: str, annotation: str, path: str) -> None:
    annotations = _named("Deployment", deployment)["spec"]["template"]["metadata"]["annotations"]
    expected = sha256_hex((FOLDER / path).read_bytes())
    assert annotations[annotation] == expected, f"write {expected} into {annotation} of {deployment}, document too"


def _loaded_from_vault(deployment: dict[str, Any]) -> set[str]:
    """Variables of the agent's files that the container's arguments load."""
    template = deployment["spec"]["template"]
    container = template["spec"]["containers"][0]
    given = "\n".join([*container.get("command", ()), *container.get("args", ())])
    names: set[str] = set()
    for key, text in template["metadata"]["annotations"].items():
        prefix, _, name = key.rpartition("agent-inject-template-")
        if prefix and re.search(rf"/vault/secrets/{re.escape(name)}$", given, re.MULTILINE):
            names |= set(re.findall(r"^(\w+)=", text, re.MULTILINE))
    return names


def test_every_variable_of_the_portal_is_provided_and_every_provided_one_is_used() -> None:
    deployment = _named("Deployment", "core-backstage")
    provided = _loaded_from_vault(deployment) | set(_named("ConfigMap", "core-backstage-env")["data"])
    used = set(_VARIABLE.findall(_named("ConfigMap", "core-backstage-config")["data"]["app-config.yaml"]))
    assert used <= provided
    assert provided - used == {"BACKSTAGE_HOST"}  # read by the kustomization's replacements


def test_every_vault_file_is_loaded() -> None:
    for name in ("core-backstage", "core-openmetadata"):
        deployment = _named("Deployment", name)
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        given = "\n".join(container["args"]) + "\n" + "\n".join(_environment(name))
        for key in deployment["spec"]["template"]["metadata"]["annotations"]:
            prefix, _, file = key.rpartition("agent-inject-secret-")
            assert not prefix or f"/vault/secrets/{file}" in given, f"{name} never reads {file}"


def _environment(name: str) -> list[str]:
    return list(_named("ConfigMap", f"{name}-env")["data"].values())


def test_the_public_host_is_the_same_everywhere() -> None:
    host = _named("ConfigMap", "core-backstage-env")["data"]["BACKSTAGE_HOST"]
    assert [rule["host"] for rule in _named("Ingress", "core-backstage")["spec"]["rules"]] == [host]
    assert _named("VirtualService", "core-backstage")["spec"]["hosts"] == [host]
    assert _named("Gateway", "core-backstage")["spec"]["servers"][0]["hosts"] == [host]


def test_one_project_per_purpose_allows_what_the_module_holds_and_no_more() -> None:
    project = _load("bootstrap/appproject-core.yaml")[0]["spec"]
    whitelist = project["clusterResourceWhitelist"] + project["namespaceResourceWhitelist"]
    allowed = {(each["group"], each["kind"]) for each in whitelist}
    held = {
        (each["apiVersion"].rpartition("/")[0], each["kind"]) for each in _objects() if each["kind"] != "Kustomization"
    }
    assert allowed == held
    namespaces = {each["metadata"]["namespace"] for each in _objects() if "namespace" in each.get("metadata", {})}
    assert {each["namespace"] for each in project["destinations"]} == namespaces


def test_compose_variables_stand_in_the_example_of_the_central_env() -> None:
    compose = (FOLDER / "topology-a/docker-compose.backstage.yml").read_text(encoding="utf-8")
    example = (FOLDER / "topology-a/.env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+):\?", compose)) <= named
    poc = (FOLDER / "topology-a/app-config.poc.yaml").read_text(encoding="utf-8")
    environment = yaml.safe_load(compose)["services"]["core-backstage"]["environment"]
    assert set(_VARIABLE.findall(poc)) <= set(environment)


def test_compose_commands_are_lists_of_text() -> None:
    """A colon in an unquoted item would make it a map, which Compose refuses."""
    services = _load("topology-a/docker-compose.backstage.yml")[0]["services"].values()
    for service in services:
        for words in (service["healthcheck"]["test"], service.get("command", []), service.get("entrypoint", [])):
            assert all(isinstance(word, str) for word in words)


def test_the_applicationset_deploys_the_folders_of_the_module() -> None:
    root = FOLDER.parents[1] / "applicationsets"
    values = yaml.safe_load((root / "core.yaml").read_text(encoding="utf-8"))
    deployed = {each["path"]: each["namespace"] for each in values["apps"]}
    folders = ("apps/core/backstage", "apps/core/kong", "apps/core/openmetadata")
    assert deployed == {path: _load(f"{path}/kustomization.yaml")[0]["namespace"] for path in folders}
    source = _load("bootstrap/root-core.yaml")[0]["spec"]["source"]
    assert source["repoURL"] == values["repository"]
    cluster = next(each for each in values["clusters"] if each["name"] == source["path"].rpartition("/")[2])
    assert source["targetRevision"] == cluster["revision"]


def test_the_generated_project_allows_every_kind_that_the_module_holds() -> None:
    project = yaml.safe_load((FOLDER.parents[1] / "applicationsets/core.yaml").read_text(encoding="utf-8"))["project"]
    allowed = {(each["group"], each["kind"]) for each in project["resources"]} | {("", "Namespace")}
    held = {(each["apiVersion"].rpartition("/")[0], each["kind"]) for each in _objects()}
    assert held - {("kustomize.config.k8s.io", "Kustomization")} <= allowed


def test_no_rule_finds_a_non_conformity(module: ModuleSnapshot) -> None:
    result = audit(module, load_rules(), policy=Policy())
    assert [(each.rule, each.location.path, each.location.line) for each in result.non_conformities] == []
    assert result.not_run == ()

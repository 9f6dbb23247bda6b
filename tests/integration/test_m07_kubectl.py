"""``kubectl kustomize`` builds every folder of the module that ships, and what it builds passes the API schemas."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.audit.policy import Policy
from pipeline.audit.schema import validate_object

FOLDER = Path(__file__).resolve().parents[2] / "modules" / "m07-portal-backstage"
FOLDERS = ("apps/core/backstage", "apps/core/kong", "apps/core/openmetadata", "bootstrap")


def _build(folder: str) -> list[dict[str, Any]]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", folder], cwd=FOLDER, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b"", "kustomize warns"
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_builds_what_it_lists(folder: str) -> None:
    built = _build(folder)
    listed = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    given = [each for name in listed for each in yaml.safe_load_all((FOLDER / folder / name).read_text("utf-8"))]
    identity = sorted((each["kind"], each["metadata"]["name"]) for each in given)
    assert sorted((each["kind"], each["metadata"]["name"]) for each in built) == identity


@pytest.mark.parametrize("folder", FOLDERS)
def test_built_objects_are_what_was_audited(folder: str) -> None:
    """Nothing changes on render: what the audit reads in the source is what the cluster gets."""
    given = {
        (each["kind"], each["metadata"]["name"]): each
        for path in sorted((FOLDER / folder).glob("*.yaml"))
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if each["kind"] != "Kustomization"
    }
    for each in _build(folder):
        assert each == given[each["kind"], each["metadata"]["name"]]


@pytest.mark.parametrize("folder", FOLDERS)
def test_built_objects_pass_the_schemas_of_their_kinds(folder: str) -> None:
    for each in _build(folder):
        result = validate_object(each)
        assert result.known, each["kind"]
        assert result.violations == (), each["metadata"]["name"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_and_pod_carries_the_labels(folder: str) -> None:
    required = {*Policy().required_labels, "appgear.io/part-of"}
    for each in _build(folder):
        assert required <= set(each["metadata"]["labels"]), each["metadata"]["name"]
        template = each["spec"].get("template") if isinstance(each.get("spec"), dict) else None
        if template:
            assert required <= set(template["metadata"]["labels"])
            assert template["metadata"]["annotations"]["appgear.io/contract-version"] == "v0"
        assert each["metadata"]["annotations"]["appgear.io/contract-version"] == "v0"
        assert each["metadata"]["annotations"]["appgear.io/module"] == "mod07-portal-backstage"


def test_compose_file_is_accepted() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose client")
    variables = {"PATH": str(Path(docker).parent)}
    example = (FOLDER / "topology-a/.env.example").read_text(encoding="utf-8")
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            variables[name] = value or "x"
    compose = FOLDER / "topology-a/docker-compose.backstage.yml"
    done = subprocess.run(
        [docker, "compose", "-f", compose, "config", "-q"], capture_output=True, check=False, env=variables
    )
    assert done.returncode == 0, done.stderr.decode()

"""GitHub's, GitLab's and Argo's own schemas take the files, and what a reviewer of them asks for holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hera.events import models as events
from hera.workflows import ClusterWorkflowTemplate, WorkflowTemplate

from cikit import SAMPLE, SETUP, load_documents, load_yaml
from pipeline.ci.github import PINS
from pipeline.ci.table import GATE_CODES, JOBS
from trailcli import ROOT, appgear

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "ci" / "github" / "action.yml"
COMPONENT = ROOT / "templates" / "appgear.yml"
ARGO = ROOT / "ci" / "argo"
_SCRIPTS = ("run", "script", "before_script", "after_script")


def _schema(builtin: str, *files: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", builtin, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _scripts(node: object) -> list[str]:
    """Every text that a shell runs, anywhere below."""
    if isinstance(node, list):
        return [text for each in node for text in _scripts(each)]
    if not isinstance(node, dict):
        return []
    found = []
    for key, value in node.items():
        if key in _SCRIPTS:
            found += [value] if isinstance(value, str) else [each for each in value if isinstance(each, str)]
        else:
            found += _scripts(value)
    return found


# --- GitHub


def test_github_takes_workflows_and_action() -> None:
    assert _schema("vendor.github-workflows", *WORKFLOWS, SAMPLE / ".github/workflows/appgear.yml") == ""
    assert _schema("vendor.github-actions", ACTION) == ""
    assert _schema("custom.github-workflows-require-timeout", *WORKFLOWS) == ""


def test_the_schema_sees_a_broken_workflow(tmp_path: Path) -> None:
    broken = tmp_path / "a.yml"
    broken.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "runs_on:"), encoding="utf-8")
    assert _schema("vendor.github-workflows", broken) != ""


def test_actionlint_has_nothing_to_say() -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed")
    done = subprocess.run([program, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path", [*WORKFLOWS, ACTION, SAMPLE / ".github/workflows/appgear.yml"], ids=lambda each: each.name
)
def test_actions_are_pinned_by_the_whole_digest(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\s+(?:- )?uses: (\S+)(?: # (\S+))?$", line)
        if found is None:
            assert "uses:" not in line, line
        elif not found[1].startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", found[1]), line
            if not found[1].startswith("appgear/"):
                assert PINS[found[1]] == found[2], line


def test_no_pin_is_unused() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (*WORKFLOWS, ACTION))
    assert all(f"uses: {reference} # {version}\n" in text for reference, version in PINS.items())


def test_permissions_are_the_least() -> None:
    granted: dict[str, dict[str, str]] = {}
    for path in WORKFLOWS:
        workflow = load_yaml(path)
        assert workflow["permissions"] == {}
        granted |= {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert granted.keys() == {job.name for job in JOBS}
    for job in JOBS:
        expected = {"contents": "read"}
        if any(each.report == "sarif" for each in job.keeps):
            expected |= {"security-events": "write", "actions": "read"}
        if job.publishes:
            expected |= {"id-token": "write", "attestations": "write"}
        assert granted[job.name] == expected


def test_a_proposal_of_a_fork_reaches_no_secret_and_no_write() -> None:
    proposed = load_yaml(ROOT / ".github/workflows/appgear.yml")
    text = json.dumps(proposed)
    assert "pull_request_target" not in text
    assert not re.search(r"secrets\.(key|trust)\b", text)
    (sends,) = [step for job in proposed["jobs"].values() for step in job["steps"] if "sarif" in step.get("with", {})]
    assert "github.event.pull_request.head.repo.fork != true" in sends["with"]["sarif"]
    secrets = proposed[True if True in proposed else "on"]["workflow_call"]["secrets"]
    assert all(each["required"] is False for each in secrets.values())


def test_checkouts_leave_no_credentials_and_artifacts_stay_90_days() -> None:
    steps = [step for path in WORKFLOWS for job in load_yaml(path)["jobs"].values() for step in job["steps"]]
    steps += load_yaml(ACTION)["runs"]["steps"]
    checkouts = [step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(each["persist-credentials"] is False for each in checkouts)
    (upload,) = [step["with"] for step in steps if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert upload["retention-days"] == 90
    assert upload["if-no-files-found"] == "error"


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION, COMPONENT], ids=lambda each: each.name)
def test_no_value_is_part_of_a_script(path: Path) -> None:
    scripts = [text for document in load_documents(path) for text in _scripts(document)]
    assert scripts
    for script in scripts:
        assert "${{" not in script
        assert "$[[" not in script
        assert "{{" not in script


# --- GitLab


def _component() -> tuple[dict[str, Any], dict[str, Any]]:
    header, jobs = load_documents(COMPONENT)
    return header, jobs


def test_gitlab_takes_the_component(tmp_path: Path) -> None:
    files = [SAMPLE / ".gitlab-ci.yml"]
    for name, document in zip(("header", "jobs"), _component(), strict=True):
        files.append(tmp_path / f"{name}.yml")
        files[-1].write_text(yaml.safe_dump(document), encoding="utf-8")
    assert _schema("vendor.gitlab-ci", *files) == ""


def test_gitlab_reads_every_report_for_ninety_days() -> None:
    _, jobs = _component()
    reports: dict[str, Any] = {}
    for job in JOBS:
        described = jobs[f"appgear:{job.name}"]
        assert described["timeout"] == f"{job.minutes} minutes"
        if not job.keeps:
            assert "artifacts" not in described
            continue
        assert described["artifacts"]["expire_in"] == "90 days"
        assert described["artifacts"]["when"] == "always"
        reports |= described["artifacts"].get("reports", {})
    assert reports.keys() == {"junit", "codequality", "cyclonedx", "coverage_report"}
    assert jobs["appgear:pipeline"]["allow_failure"] == {"exit_codes": [11]}


def test_gitlab_signs_only_on_the_default_branch_with_a_key() -> None:
    _, jobs = _component()
    assert jobs["appgear:evidencias"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $APPGEAR_KEY"}]


# --- Argo


def _argo(name: str) -> dict[str, Any]:
    (document,) = load_documents(ARGO / name)
    assert isinstance(document, dict)
    return document


def test_argo_lints_the_templates() -> None:
    program = shutil.which("argo")
    if program is None:
        pytest.skip("argo is not installed")
    files = [ARGO / "clusterworkflowtemplate.yaml", ARGO / "workflowtemplate.yaml"]
    done = subprocess.run(
        [program, "lint", "--offline", "--no-color", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_hera_reads_the_templates_back() -> None:
    for kind, name in ((ClusterWorkflowTemplate, "clusterworkflowtemplate"), (WorkflowTemplate, "workflowtemplate")):
        path = ARGO / f"{name}.yaml"
        read: Any = kind.from_file(path)
        assert read.to_dict() == _argo(path.name)


def test_hera_knows_every_field_of_the_events() -> None:
    source = _argo("eventsource.yaml")
    # Inline in what the API server takes, one level down in the model, which was made from the protobuf.
    for webhook in source["spec"].pop("webhook").values():
        context = events.WebhookContext.model_validate(webhook)
        assert context.model_dump(by_alias=True, exclude_none=True, mode="json") == webhook
    read = events.EventSource.model_validate(source)
    del source["apiVersion"], source["kind"]
    assert read.model_dump(by_alias=True, exclude_none=True, mode="json") == source
    sensor = _argo("sensor.yaml")
    for trigger in sensor["spec"]["triggers"]:
        # The model holds it as base64, which is how the API server's own encoding calls an object of any kind.
        workflow = trigger["template"]["k8s"]["source"].pop("resource")
        assert workflow["spec"]["workflowTemplateRef"] == {"name": "appgear-trilha"}
    read_sensor = events.Sensor.model_validate(sensor)
    del sensor["apiVersion"], sensor["kind"]
    assert read_sensor.model_dump(by_alias=True, exclude_none=True, mode="json") == sensor


def test_what_an_event_gives_goes_into_parameters_of_the_template() -> None:
    template = _argo("workflowtemplate.yaml")
    known = {each["name"] for each in template["spec"]["arguments"]["parameters"]}
    for trigger in _argo("sensor.yaml")["spec"]["triggers"]:
        k8s = trigger["template"]["k8s"]
        parameters = k8s["source"]["resource"]["spec"]["arguments"]["parameters"]
        assert {each["name"] for each in parameters} <= known
        filled = {each["dest"] for each in k8s["parameters"]}
        empty = {f"spec.arguments.parameters.{n}.value" for n, each in enumerate(parameters) if not each["value"]}
        assert filled == empty


def test_a_failed_gate_or_module_fails_the_workflow() -> None:
    templates = {each["name"]: each for each in _argo("clusterworkflowtemplate.yaml")["spec"]["templates"]}
    dag = templates["modulo"]["dag"]
    tasks = [each["name"] for each in dag["tasks"]]
    assert dag["target"].split() == tasks
    assert dag["failFast"] is False
    (trail,) = [job for job in JOBS if job.stages]
    assert tasks == [*(stage.name.replace("_", "-") for stage in trail.stages), "evidencias", "verificar"]
    assert set(tasks) < templates.keys()
    fan_out = _argo("workflowtemplate.yaml")["spec"]["templates"][0]["dag"]
    assert fan_out["failFast"] is False
    assert fan_out["target"] == "modulos reunir"
    assert fan_out["tasks"][1]["withParam"] == "{{tasks.listar.outputs.result}}"


def test_pods_are_locked_down_bounded_and_cleaned_up() -> None:
    spec = _argo("workflowtemplate.yaml")["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["ttlStrategy"].keys() == {"secondsAfterSuccess", "secondsAfterFailure"}
    assert spec["podGC"]["strategy"] == "OnPodCompletion"
    assert spec["artifactGC"] == {"strategy": "Never"}
    assert any(name.startswith("appgear.io/") for name in spec["podMetadata"]["labels"])
    containers = [each for each in _argo("clusterworkflowtemplate.yaml")["spec"]["templates"] if "container" in each]
    assert len(containers) >= 7
    for template in containers:
        held = template["container"]["securityContext"]
        assert held == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert template["container"]["image"] == "{{workflow.parameters.image}}"
        assert template["activeDeadlineSeconds"] > 0
        assert str(list(GATE_CODES)) in template["retryStrategy"]["expression"]


def test_our_own_rules_find_nothing_in_them(tmp_path: Path) -> None:
    ran = appgear("mapa_nc", "--module", ARGO, "--artifacts", tmp_path / "a", "--fail-on", "BAIXA", cwd=tmp_path)
    assert ran.code == 0, ran.out


def test_kustomize_builds_the_sample_over_them(tmp_path: Path) -> None:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    shutil.copytree(ARGO, tmp_path / "base")
    overlay = tmp_path / "argo" / "kustomization.yaml"
    overlay.parent.mkdir()
    text = re.sub(r"- https://\S+", "- ../base", (SAMPLE / "argo/kustomization.yaml").read_text(encoding="utf-8"))
    overlay.write_text(text, encoding="utf-8")
    done = subprocess.run([program, "kustomize", overlay.parent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}
    assert {"ClusterWorkflowTemplate", "WorkflowTemplate", "EventSource", "Sensor", "RoleBinding"} <= built.keys()
    parameters = {each["name"]: each for each in built["WorkflowTemplate"]["spec"]["arguments"]["parameters"]}
    assert re.search(r"@sha256:[0-9a-f]{64}$", parameters["image"]["value"])


# --- the sample


def test_the_whole_set_up_of_a_platform_team_is_under_fifty_lines() -> None:
    lines = [
        line for name in SETUP for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    assert len(lines) < 50
    own = {path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*") if path.is_file()} - set(SETUP)
    assert all(name.startswith(("modules/", "applicationsets/")) for name in own), "the rest is what is delivered"


def test_the_sample_names_one_commit_of_the_toolkit() -> None:
    named = {
        found
        for name in SETUP
        for found in re.findall(r"\b[0-9a-f]{40}\b", (SAMPLE / name).read_text(encoding="utf-8"))
    }
    assert len(named) == 1

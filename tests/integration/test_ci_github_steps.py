"""GitHub's files, run: every ``run`` step as written, by bash as GitHub calls it, over the sample repository."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from cikit import SAMPLE, Runner, Step, commit_all, copy_toolkit, environments, load_yaml
from pipeline.ci.explain import command_of
from pipeline.ci.table import JOBS, job_named
from trailcli import ROOT, Artifacts, git

PROPOSED = load_yaml(ROOT / ".github/workflows/appgear.yml")
RELEASED = load_yaml(ROOT / ".github/workflows/appgear-evidencias.yml")
MODULE = "modules/m40-avisos"
BAD = "modules/m40-avisos/service.yaml"

Prepare = Callable[..., Runner]


@pytest.fixture(scope="module")
def toolkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_toolkit(tmp_path_factory.mktemp("toolkit") / "toolkit")


@pytest.fixture
def prepare(tmp_path: Path, toolkit: Path) -> Prepare:
    """A runner for the sample repository, changed by ``change`` before its one commit."""

    def make(change: Callable[[Path], None] | None = None, **inputs: Any) -> Runner:
        repository = tmp_path / "repositorio"
        shutil.copytree(SAMPLE, repository)
        if change is not None:
            change(repository)
        commit = commit_all(repository)
        defaults = {name: each.get("default", "") for name, each in {**_inputs(PROPOSED), **_inputs(RELEASED)}.items()}
        given = {"toolkit": "appgear/appgear-pipeline", "toolkit-ref": "a" * 40, "modules": MODULE}
        variables = {
            "GITHUB_SHA": commit, "GITHUB_REF_NAME": "main", "GITHUB_RUN_ID": "7", "GITHUB_ACTOR": "ana",
            "GITHUB_REPOSITORY": "appgear/gitops", "GITHUB_SERVER_URL": "https://git.appgear.local",
            **environments(tmp_path / "ambientes"),
        }  # fmt: skip
        return Runner(
            folder=tmp_path,
            repository=repository,
            toolkit=toolkit,
            environment=variables,
            inputs=defaults | given | inputs,
        )

    return make


def _inputs(workflow: dict[Any, Any]) -> dict[str, Any]:
    called = workflow.get("on") or workflow[True]
    found: dict[str, Any] = called["workflow_call"]["inputs"]
    return found


def _ran(runner: Runner, name: str) -> Step:
    return next(step for step in runner.steps if step.name.startswith(name))


def _break(repository: Path) -> None:
    """A Service that the edge does not know: NC CRITICA."""
    path = repository / BAD
    path.write_text(path.read_text(encoding="utf-8").replace("spec:\n", "spec:\n  type: NodePort\n"), encoding="utf-8")


def test_a_compliant_repository_passes_every_job(prepare: Prepare) -> None:
    runner = prepare()
    described = {each.name: each for each in JOBS}
    for name, job in PROPOSED["jobs"].items():
        assert runner.run_job(job) == "success", [(step.name, step.output) for step in runner.steps]
        session = _ran(runner, f"nox -s {name}")
        words = shlex.split(command_of(described[name].session, ""))[1:]
        expected = [word.replace("modules/*", MODULE) for word in words if word != "--"]
        ran = next(line for line in session.output.splitlines() if " -P -m pipeline " in line)
        assert shlex.split(ran.partition(" -m pipeline ")[2]) == expected, "what ran is what `ci explain` prints"
    assert runner.artifacts.keys() == {"appgear-mapa_nc", "appgear-sbom", "appgear-pipeline"}
    kept = runner.artifacts["appgear-pipeline"]
    Artifacts(kept / "artifacts").check_sums()
    assert (kept / "artifacts" / ".appgear-pipeline").is_file()
    execution = next((kept / "artifacts").glob("reports/*/executions/*.json"))
    told = json.loads(execution.read_bytes())
    assert told["pipeline"] == "github:7"


def test_a_finding_fails_the_job_and_still_leaves_summary_and_sarif(prepare: Prepare) -> None:
    runner = prepare(_break)
    assert runner.run_job(PROPOSED["jobs"]["mapa_nc"]) == "failure"
    assert _ran(runner, "nox -s mapa_nc").code == 10
    assert "EDGE-SVC" in runner.summary
    assert "| `M40AVISOS` |" in runner.summary
    assert _ran(runner, "Envia os achados").outcome == "success"
    kept = runner.artifacts["appgear-mapa_nc"]
    sarif = json.loads((kept / "build/ci/mapa_nc.sarif").read_bytes())
    (result,) = [each for each in sarif["runs"][0]["results"] if each["ruleId"] == "EDGE-SVC"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == BAD
    assert json.loads((kept / "build/ci/codequality.json").read_bytes())[0]["location"]["path"] == BAD


def test_a_blocked_trail_fails_and_its_artifacts_are_checked(prepare: Prepare) -> None:
    runner = prepare(_break)
    assert runner.run_job(PROPOSED["jobs"]["sbom"]) == "success"
    assert runner.run_job(PROPOSED["jobs"]["pipeline"]) == "failure"
    assert _ran(runner, "nox -s pipeline").code == 10
    assert "1 bloqueado" in runner.summary
    assert runner.run_job(PROPOSED["jobs"]["verificar"]) == "success"
    patch = next(runner.artifacts["appgear-pipeline"].glob("artifacts/reports/*/modulo_reescrito.patch"))
    assert b"-  type: NodePort" in patch.read_bytes()


def test_a_conditional_verdict_warns(prepare: Prepare) -> None:
    def float_image(repository: Path) -> None:
        path = repository / "modules/m40-avisos/deployment.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(":0.3.0", ":latest"), encoding="utf-8")

    runner = prepare(float_image)
    assert runner.run_job(PROPOSED["jobs"]["sbom"]) == "success"
    assert runner.run_job(PROPOSED["jobs"]["pipeline"]) == "success"
    assert "::warning title=AppGear::pipeline saiu com 11" in _ran(runner, "nox -s pipeline").output
    assert "1 condicional" in runner.summary


def test_applicationsets_that_differ_fail_and_may_be_switched_off(prepare: Prepare) -> None:
    def drift(repository: Path) -> None:
        path = repository / "applicationsets/clusters/ag-br-core-dev/apps-core.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "# editado\n", encoding="utf-8")

    runner = prepare(drift)
    job = PROPOSED["jobs"]["applicationset"]
    assert runner.run_job(job) == "failure"
    assert _ran(runner, "nox -s applicationset").code == 10
    assert job["if"] == "${{ inputs.applicationset }}"


def test_a_toolkit_by_name_is_refused(prepare: Prepare) -> None:
    runner = prepare()
    for name in ("main", "a" * 39, "A" * 40, "a" * 41, f"{'a' * 40}\nx"):
        runner.inputs["toolkit-ref"] = name
        assert runner.run_job(PROPOSED["jobs"]["mapa_nc"]) == "failure"
        assert [step.name for step in runner.steps] == ["Exige o toolkit por commit"]
        assert runner.steps[0].code == 2


def test_verificar_without_what_pipeline_left_fails(prepare: Prepare) -> None:
    runner = prepare()
    assert runner.run_job(PROPOSED["jobs"]["verificar"]) == "failure"
    assert not [step for step in runner.steps if step.name.startswith("nox")]


def test_verificar_sees_a_changed_artifact(prepare: Prepare) -> None:
    runner = prepare()
    assert runner.run_job(PROPOSED["jobs"]["sbom"]) == "success"
    assert runner.run_job(PROPOSED["jobs"]["pipeline"]) == "success"
    changed = next(runner.artifacts["appgear-pipeline"].glob("artifacts/reports/*/mapa_nc.json"))
    changed.write_bytes(changed.read_bytes() + b" ")
    assert runner.run_job(PROPOSED["jobs"]["verificar"]) == "failure"
    assert _ran(runner, "nox -s verificar").code == 5


def test_a_fork_sends_no_sarif(prepare: Prepare) -> None:
    runner = prepare()
    runner.github = {"event": {"pull_request": {"head": {"repo": {"fork": True}}}}}
    assert runner.run_job(PROPOSED["jobs"]["mapa_nc"]) == "success"
    assert not [step for step in runner.steps if step.uses.startswith("github/")]


def test_a_pull_request_is_compared_with_what_it_changes(prepare: Prepare) -> None:
    runner = prepare()
    git(runner.repository, "switch", "-q", "-c", "proposta")
    _break(runner.repository)
    git(runner.repository, "commit", "-q", "-am", "expõe")
    git(runner.repository, "switch", "-q", "main")
    git(runner.repository, "merge", "-q", "--no-ff", "-m", "mescla", "proposta")
    runner.github = {"event_name": "pull_request"}
    assert runner.run_job(PROPOSED["jobs"]["sbom"]) == "success"
    assert runner.run_job(PROPOSED["jobs"]["pipeline"]) == "failure"
    assert "--base 'HEAD^1'" in _ran(runner, "nox -s pipeline").output
    runs = runner.artifacts["appgear-pipeline"].glob("artifacts/reports/*/run.json")
    bases = {json.loads(each.read_bytes())["inputs"]["base"].partition(" ")[0] for each in runs}
    assert git(runner.repository, "rev-parse", "HEAD^1").strip() in bases


def test_words_with_spaces_and_shell_text_stay_words(prepare: Prepare, tmp_path: Path) -> None:
    name = "modules/m42 $(touch fora) ; touch 'fora' `touch fora`"

    def move(repository: Path) -> None:
        shutil.move(repository / MODULE, repository / name)

    runner = prepare(move, modules=name)
    assert runner.run_job(PROPOSED["jobs"]["mapa_nc"]) == "success", runner.steps[-1].output
    assert not list(tmp_path.rglob("fora"))


# --- evidencias


def _verify(envelope: dict[str, Any], pem: bytes) -> None:
    """The one signature is of this key, over the pre-authentication encoding of DSSE; raises where it is not."""
    private = load_pem_private_key(pem, password=None)
    assert isinstance(private, Ed25519PrivateKey)
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    (signature,) = envelope["signatures"]
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    private.public_key().verify(base64.b64decode(signature["sig"]), signed)


def test_without_a_key_nothing_is_signed(prepare: Prepare) -> None:
    runner = prepare()
    assert runner.run_job(RELEASED["jobs"]["evidencias"]) == "failure"
    step = _ran(runner, "Põe APPGEAR_KEY_FILE em arquivo")
    assert step.code == 2
    assert "falta o segredo de APPGEAR_KEY_FILE" in step.output
    assert not [step for step in runner.steps if step.name.startswith("nox")]


def test_the_pack_is_signed_by_the_given_key_and_attested(prepare: Prepare) -> None:
    signer = CryptoSigner.generate_ed25519()
    runner = prepare()
    runner.secrets = {"key": signer.private_bytes.decode().rstrip("\n")}
    assert runner.run_job(RELEASED["jobs"]["evidencias"]) == "success", runner.steps[-1].output
    assert _ran(runner, "Atesta").outcome == "success"
    key = runner.temp / "APPGEAR_KEY_FILE"
    assert key.stat().st_mode & 0o777 == 0o600
    kept = runner.artifacts["appgear-evidencias"]
    envelope = json.loads(next(kept.glob("artifacts/reports/*/manifest.dsse.json")).read_bytes())
    _verify(envelope, signer.private_bytes)
    shown = "".join(step.output for step in runner.steps)
    assert "PRIVATE KEY" not in shown
    assert not [path for path in kept.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def test_a_pack_that_a_gate_refuses_is_attested_all_the_same(prepare: Prepare) -> None:
    runner = prepare(_break)
    runner.secrets = {"key": CryptoSigner.generate_ed25519().private_bytes.decode()}
    assert runner.run_job(RELEASED["jobs"]["evidencias"]) == "failure"
    assert _ran(runner, "nox -s evidencias").code == 10
    assert _ran(runner, "Atesta").outcome == "success"


# --- the action alone


def test_the_launcher_imports_nothing_of_the_repository(prepare: Prepare) -> None:
    def plant(repository: Path) -> None:
        for name in ("nox", "colorlog", "pip", "venv", "yaml", "msgspec", "pipeline", "argparse", "sitecustomize"):
            (repository / f"{name}.py").write_text("open('rodou', 'w')\nraise SystemExit(97)\n", encoding="utf-8")
        (repository / "noxfile.py").write_text("open('rodou', 'w')\n", encoding="utf-8")
        (repository / ".noxrc").write_text("x", encoding="utf-8")

    runner = prepare(plant)
    assert runner.run_job(PROPOSED["jobs"]["mapa_nc"]) == "success", runner.steps[-1].output
    assert not list(runner.workspace.rglob("rodou"))


def test_each_job_of_the_table_is_one_of_the_workflows() -> None:
    assert {**PROPOSED["jobs"], **RELEASED["jobs"]}.keys() == {job.name for job in JOBS}
    for name, job in {**PROPOSED["jobs"], **RELEASED["jobs"]}.items():
        described = job_named(name)
        assert described is not None
        assert job["timeout-minutes"] == described.minutes
        (session,) = [step for step in job["steps"] if step.get("uses", "").startswith("./toolkit/")]
        assert session["with"]["session"] == name

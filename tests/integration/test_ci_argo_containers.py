"""Argo's containers, run: the commands of a module's DAG as written, one after the other, artifacts handed on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cikit import SAMPLE, clean_environment, commit_all, copy_toolkit, environments, load_yaml
from trailcli import ROOT, Artifacts, appgear

MODULE = "modules/m40-avisos"
_SPEC = load_yaml(ROOT / "ci/argo/clusterworkflowtemplate.yaml")["spec"]
TEMPLATES: dict[str, Any] = {each["name"]: each for each in _SPEC["templates"]}
TASKS: list[dict[str, Any]] = TEMPLATES["modulo"]["dag"]["tasks"]


@dataclass
class Cluster:
    """Runs a template's container on this machine: its mounts are folders, its artifacts are moved as Argo would."""

    folder: Path
    repository: Path
    commit: str
    parameters: dict[str, str]
    secrets: Path | None = None
    kept: dict[str, Path] = field(default_factory=dict)

    def run(
        self, name: str, module: str, artifacts: Path | None, *, modules: Path | None = None
    ) -> tuple[int, str, Path | None]:
        """Exit status, output, and the artifacts that the container left."""
        template = TEMPLATES[name]
        pod = self.folder / f"pod{len(list(self.folder.glob('pod*')))}"
        work, temporary = pod / "trabalho", pod / "tmp"
        temporary.mkdir(parents=True)
        for given in template["inputs"]["artifacts"]:
            target = work / Path(given["path"]).relative_to("/trabalho")
            if "git" in given:
                shutil.copytree(self.repository, target)
            elif (source := modules if given["name"] == "modulos" else artifacts) is not None:
                shutil.copytree(source, target)
        container = template["container"]
        places = {"/opt/appgear": str(self.folder / "toolkit"), "/trabalho": str(work), "/tmp": str(temporary)}  # noqa: S108
        places["/segredos"] = str(self.secrets or pod / "sem-segredos")
        words = [self._filled(word, module, places) for word in (*container["command"], *container["args"])]
        told = {
            each["name"]: self._filled(each["value"], module, places) for each in container["env"] if "value" in each
        }
        done = subprocess.run(
            words,
            cwd=self._filled(container["workingDir"], module, places),
            env=clean_environment(temporary, {**environments_of(self.folder), **told}),
            capture_output=True,
            text=True,
            check=False,
        )
        left = work / "artifacts"
        return done.returncode, done.stdout + done.stderr, left if left.is_dir() else None

    def _filled(self, text: str, module: str, places: dict[str, str]) -> str:
        values = {"inputs.parameters.module": module, "workflow.name": "trilha-x", "pod.name": "pod-x"}
        values |= {f"workflow.parameters.{name}": value for name, value in self.parameters.items()}
        text = re.sub(r"\{\{(.*?)\}\}", lambda found: values[found[1]], text)
        return re.sub(r"(?<![\w./-])/(?:opt/appgear|trabalho|tmp|segredos)\b", lambda found: places[found[0]], text)


def environments_of(folder: Path) -> dict[str, str]:
    """What the image has ready beside the toolkit."""
    return {"APPGEAR_ENVIRONMENTS": str(folder / "ambientes")}


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    copy_toolkit(tmp_path / "toolkit")
    environments(tmp_path / "ambientes")
    repository = tmp_path / "gitops"
    shutil.copytree(SAMPLE, repository)
    commit = commit_all(repository)
    spec = load_yaml(ROOT / "ci/argo/workflowtemplate.yaml")["spec"]
    parameters = {each["name"]: each.get("value", "") for each in spec["arguments"]["parameters"]}
    given = {"repository": "https://git.appgear.local/appgear/gitops", "revision": commit, "image": "x@sha256:0"}
    return Cluster(folder=tmp_path, repository=repository, commit=commit, parameters=parameters | given)


def _walk(cluster: Cluster, module: str) -> tuple[dict[str, int], dict[str, str], Path]:
    """Every task of the DAG in order, its ``depends`` held against what the one before answered."""
    codes: dict[str, int] = {}
    outputs: dict[str, str] = {}
    artifacts: Path | None = None
    for task in TASKS:
        if "depends" in task:
            before = task["depends"].partition(".")[0]
            assert task["depends"] == f"{before}.Succeeded || {before}.Failed"
            assert before in codes
            (handed,) = task["arguments"]["artifacts"]
            assert handed["from"] == f"{{{{tasks.{before}.outputs.artifacts.artifacts}}}}"
        codes[task["name"]], outputs[task["name"]], left = cluster.run(task["template"], module, artifacts)
        artifacts = left or artifacts
    assert artifacts is not None
    return codes, outputs, artifacts


def test_a_module_goes_through_every_stage(cluster: Cluster, tmp_path: Path) -> None:
    codes, outputs, left = _walk(cluster, MODULE)
    assert set(codes.values()) == {0}, outputs
    assert "sem key em appgear-ci-assinatura: nada a assinar" in outputs["evidencias"]
    artifacts = Artifacts(left)
    artifacts.check_sums()
    lines = [json.loads(line) for line in (left / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["command"] for line in lines] == [
        "mapa_nc",
        "plano_correcao",
        "modulo_reescrito",
        "sbom",
        "parecer_ia",
        "checklist",
    ]
    assert {line["pipeline"].partition(":")[2] for line in lines} == {"trilha-x"}
    assert {line["branch"] for line in lines} == {"main"}

    whole = appgear(
        "pipeline", "--module", MODULE, "--artifacts", tmp_path / "whole",
        cwd=cluster.repository, env={"XDG_CONFIG_HOME": str(tmp_path / "sem-chave")},
    )  # fmt: skip
    assert whole.code == 0
    at_once = Artifacts(tmp_path / "whole")
    assert at_once.text("checklist.json") == artifacts.text("checklist.json"), "stage by stage or at once: the same"


def test_what_the_modules_left_becomes_one_chain(cluster: Cluster, tmp_path: Path) -> None:
    gathered = tmp_path / "modulos"
    for number, module in enumerate((MODULE, "modules/m41-agenda.md")):
        code, output, left = cluster.run("checklist", module, None)
        assert code == 0, output
        assert left is not None
        shutil.copytree(left, gathered / f"pod-{number}")
    code, output, whole = cluster.run("reunir", "", None, modules=gathered)
    assert code == 0, output
    assert whole is not None
    lines = [json.loads(line) for line in (whole / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["module"] for line in lines} == {"M40AVISOS", "M41"}
    assert appgear("verificar", whole, cwd=tmp_path).code == 0


def test_a_blocked_module_still_gets_its_plan(cluster: Cluster) -> None:
    service = cluster.repository / MODULE / "service.yaml"
    service.write_text(
        service.read_text(encoding="utf-8").replace("spec:\n", "spec:\n  type: NodePort\n"), encoding="utf-8"
    )
    codes, _, left = _walk(cluster, MODULE)
    assert codes["mapa-nc"] == codes["checklist"] == 10
    assert codes["verificar"] == 0
    assert set(TEMPLATES["modulo"]["dag"]["target"].split()) >= {"mapa-nc", "checklist"}, "which fails the module"
    assert "type: NodePort" in Artifacts(left).text("modulo_reescrito.patch")


def test_with_a_key_the_pack_is_signed(cluster: Cluster, tmp_path: Path) -> None:
    from securesystemslib.signer import CryptoSigner

    mounted = tmp_path / "montado"
    (mounted / "..data").mkdir(parents=True)
    (mounted / "..data" / "key").write_bytes(CryptoSigner.generate_ed25519().private_bytes)
    (mounted / "..data" / "key").chmod(0o440)
    (mounted / "key").symlink_to("..data/key")
    cluster.secrets = mounted
    code, output, left = cluster.run("evidencias", MODULE, None)
    assert code == 0, output
    assert left is not None
    assert list(left.glob("reports/*/evidencias.zip"))


def test_the_fan_out_gets_every_module_as_json(cluster: Cluster) -> None:
    template = TEMPLATES["listar"]
    assert "outputs" not in template, "stdout is the result"
    words = [cluster._filled(word, "", {"/opt/appgear": str(cluster.folder / "toolkit")}) for word in
             (*template["container"]["command"], *template["container"]["args"])]  # fmt: skip
    done = subprocess.run(
        words,
        cwd=cluster.repository,
        env=clean_environment(cluster.folder, environments_of(cluster.folder)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["modules/m40-avisos", "modules/m41-agenda.md"]


def test_a_stage_writes_nothing_beside_the_toolkit(cluster: Cluster) -> None:
    """The container's root may be read-only: what a stage writes is in its two volumes."""
    before = {path: path.stat().st_mtime_ns for path in (cluster.folder / "toolkit").rglob("*")}
    code, output, _ = cluster.run("mapa-nc", MODULE, None)
    assert code == 0, output
    after = {path: path.stat().st_mtime_ns for path in (cluster.folder / "toolkit").rglob("*")}
    assert after == before

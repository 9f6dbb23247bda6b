"""The GitLab component, run by gitlab-ci-local's shell executor on the sample repository behind real git remotes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from junitparser import JUnitXml
from securesystemslib.signer import CryptoSigner

from cikit import SAMPLE, bare_remote, clean_environment, commit_all, copy_toolkit, environments
from pipeline.ci.table import JOBS
from trailcli import ROOT, Artifacts, git

PACKAGE = ROOT / "tests" / "e2e" / "gitlab"
CACHE = ROOT / "build" / "gitlab-ci-local"
MODULE = "modules/m40-avisos"
HOST = "git.appgear.local"
_SECONDS = 300


@pytest.fixture(scope="session")
def program() -> Path:
    """gitlab-ci-local at the version of the lock, installed once; skipped where npm, node or the registry is absent."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None or shutil.which("rsync") is None:
        pytest.skip("needs node, npm and rsync")
    lock = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()
    found = CACHE / "node_modules" / ".bin" / "gitlab-ci-local"
    stamp = CACHE / "lock.sha256"
    if not found.is_file() or not stamp.is_file() or stamp.read_text(encoding="ascii") != lock:
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(PACKAGE, CACHE)
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CACHE, capture_output=True, check=False
        )
        if done.returncode or not found.is_file():
            pytest.skip("the npm registry is not reachable")
        stamp.write_text(lock, encoding="ascii")
    return found


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A finished pipeline: exit status, what it printed, and the folder that it ran in."""

    code: int
    output: str
    folder: Path

    @property
    def passed(self) -> set[str]:
        return set(re.findall(r"^ PASS +(\S+) *$", self.output, re.MULTILINE))

    @property
    def failed(self) -> dict[str, int]:
        """Job → exit status."""
        ended = re.findall(r"^(\S+) +finished in .* FAIL (\d+)", self.output, re.MULTILINE)
        return {name: int(code) for name, code in ended}

    def artifacts(self, job: str) -> Path:
        return self.folder / ".gitlab-ci-local" / "artifacts" / f"appgearOg{job}"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The toolkit's remote and commit, and what jobs find in their environment."""

    program: Path
    toolkit: Path
    commit: str
    variables: dict[str, str]

    def clone(self, folder: Path, change: Callable[[Path], None] | None = None) -> Path:
        """A clone of the sample, its set-up naming this toolkit's commit; git finds the server of both on this disk."""
        server = folder / "servidor" / "appgear"
        server.mkdir(parents=True)
        shutil.copytree(self.toolkit, server / "appgear-pipeline.git")
        work = folder / "trabalho"
        shutil.copytree(SAMPLE, work)
        setup = work / ".gitlab-ci.yml"
        named = re.sub(r"\b[0-9a-f]{40}\b", self.commit, setup.read_text(encoding="utf-8"))
        setup.write_text(named, encoding="utf-8")
        if change is not None:
            change(work)
        commit_all(work)
        bare_remote(work, server / "appgear-gitops-core.git")
        home = folder / "home"
        home.mkdir()
        (home / ".gitconfig").write_text(
            f'[url "file://{server.parent}/"]\n\tinsteadOf = https://{HOST}/\n\tinsteadOf = ssh://git@{HOST}:22/\n'
            "[user]\n\tname = Ana\n\temail = ana@example.org\n",
            encoding="utf-8",
        )
        clone = folder / "appgear-gitops-core"
        git(folder, "clone", "-q", str(server / "appgear-gitops-core.git"), str(clone))
        git(clone, "remote", "set-url", "origin", f"git@{HOST}:appgear/appgear-gitops-core.git")
        return clone

    def run(self, folder: Path, *words: str, variables: dict[str, str] | None = None) -> Pipeline:
        given = [word for name, value in (variables or {}).items() for word in ("--variable", f"{name}={value}")]
        done = subprocess.run(
            [str(self.program), "--force-shell-executor", "--shell-isolation", "--no-color", "--concurrency", "2",
             "--variable", "CI_DEFAULT_BRANCH=main", *given, *words],
            cwd=folder,
            env=clean_environment(folder.parent / "home", self.variables),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )  # fmt: skip
        return Pipeline(code=done.returncode, output=done.stdout + done.stderr, folder=folder)


@pytest.fixture(scope="module")
def platform(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("plataforma")
    toolkit = copy_toolkit(folder / "toolkit")
    commit = commit_all(toolkit)
    return Platform(
        program=program,
        toolkit=bare_remote(toolkit, folder / "toolkit.git"),
        commit=commit,
        variables=environments(folder / "ambientes"),
    )


def test_the_whole_pipeline_on_a_clone(platform: Platform, tmp_path: Path) -> None:
    clone = platform.clone(tmp_path)
    key = tmp_path / "chave.pem"
    secret = CryptoSigner.generate_ed25519().private_bytes
    key.write_bytes(secret)
    key.chmod(0o644)  # as a runner writes a File variable
    ran = platform.run(clone, variables={"APPGEAR_KEY": str(key)})
    assert ran.code == 0, ran.output
    assert ran.passed == {f"appgear:{job.name}" for job in JOBS}, ran.output
    trail = Artifacts(ran.artifacts("pipeline") / "artifacts")
    trail.check_sums()
    told = json.loads(next(trail.root.glob("reports/*/executions/*.json")).read_bytes())
    assert (told["branch"], told["commit"]) == ("main", git(clone, "rev-parse", "HEAD").strip())
    assert list((ran.artifacts("sbom") / "artifacts").glob("sbom/*/pipeline.cdx.json"))
    assert list((ran.artifacts("evidencias") / "artifacts").glob("reports/*/evidencias.zip"))
    assert not [path for path in clone.rglob("*") if path.is_file() and secret.splitlines()[1] in path.read_bytes()]
    assert not list(clone.rglob("*.appgear/key"))


def test_a_finding_fails_the_pipeline_and_every_report_is_there(platform: Platform, tmp_path: Path) -> None:
    def expose(work: Path) -> None:
        path = work / MODULE / "service.yaml"
        path.write_text(
            path.read_text(encoding="utf-8").replace("spec:\n", "spec:\n  type: NodePort\n"), encoding="utf-8"
        )

    ran = platform.run(platform.clone(tmp_path, expose))
    assert ran.code == 1, ran.output
    assert ran.failed == {"appgear:mapa_nc": 10, "appgear:pipeline": 10}, ran.output
    assert "appgear:verificar" in ran.passed
    assert "appgear:evidencias" not in ran.output, "no key, no job"
    reports = ran.artifacts("mapa_nc") / "build" / "ci"
    (quality,) = json.loads((reports / "codequality.json").read_bytes())
    assert (quality["location"]["path"], quality["severity"]) == (f"{MODULE}/service.yaml", "blocker")
    assert sum(len(JUnitXml.fromfile(str(junit))) for junit in reports.glob("junit/*.xml")) == 2
    assert "1 bloqueado" in (ran.artifacts("pipeline") / "build/ci/resumo.md").read_text(encoding="utf-8")


def test_a_conditional_verdict_is_a_warning(platform: Platform, tmp_path: Path) -> None:
    def float_image(work: Path) -> None:
        path = work / MODULE / "deployment.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(":0.3.0", ":latest"), encoding="utf-8")

    ran = platform.run(platform.clone(tmp_path, float_image), "--needs", "appgear:pipeline")
    assert ran.code == 0, ran.output
    assert re.search(r"WARN\s+appgear:pipeline", ran.output)

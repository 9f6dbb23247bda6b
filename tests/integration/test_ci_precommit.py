"""The hooks, run by the real pre-commit from a git remote of the toolkit on a clone of the sample repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cikit import SAMPLE, bare_remote, clean_environment, commit_all, copy_toolkit, environments
from trailcli import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The sample with its first commit made, and pre-commit installed as its hook."""
    toolkit = copy_toolkit(tmp_path / "toolkit")
    commit = commit_all(toolkit)
    remote = bare_remote(toolkit, tmp_path / "appgear-pipeline.git")
    folder = tmp_path / "gitops"
    shutil.copytree(SAMPLE, folder)
    setup = folder / ".pre-commit-config.yaml"
    text = re.sub(r"\b[0-9a-f]{40}\b", commit, setup.read_text(encoding="utf-8"))
    setup.write_text(re.sub(r"- repo: \S+", f"- repo: file://{remote}", text), encoding="utf-8")
    commit_all(folder)
    (tmp_path / "home").mkdir()
    environments(tmp_path / "ambientes")
    done = _pre_commit(folder, "install")
    assert done.returncode == 0, done.stderr
    return folder


def _variables(folder: Path) -> dict[str, str]:
    beside = folder.parent
    extra = {
        "APPGEAR_ENVIRONMENTS": str(beside / "ambientes"),
        "PRE_COMMIT_HOME": str(beside / "pre-commit"),
        "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
        "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org",
    }  # fmt: skip
    return clean_environment(beside / "home", extra)


def _pre_commit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *words],
        cwd=folder,
        env=_variables(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def _commit(folder: Path) -> subprocess.CompletedProcess[str]:
    """``git commit`` of everything that is staged, as a person makes it."""
    return subprocess.run(
        ["git", "commit", "-q", "-m", "muda"],
        cwd=folder,
        env=_variables(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_commit_is_held_back_by_what_it_changes(repository: Path) -> None:
    (repository / "LEIA.md").write_text("# Nota\n", encoding="utf-8")
    git(repository, "add", "-A")
    done = _commit(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (repository / "artifacts").exists(), "no module changed"

    service = repository / "modules/m40-avisos/service.yaml"
    good = service.read_text(encoding="utf-8")
    service.write_text(good.replace("spec:\n", "spec:\n  type: NodePort\n"), encoding="utf-8")
    git(repository, "add", "-A")
    done = _commit(repository)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert "exit code: 10" in told
    assert "M40AVISOS" in told
    assert "M41" not in told, "the other module did not change"

    service.write_text(good, encoding="utf-8")
    generated = repository / "applicationsets/clusters/ag-br-core-dev/apps-core.yaml"
    generated.write_text(generated.read_text(encoding="utf-8") + "# editado\n", encoding="utf-8")
    git(repository, "add", "-A")
    done = _commit(repository)
    assert done.returncode == 1
    assert "apps-core.yaml: mudou" in done.stdout + done.stderr

    git(repository, "checkout", "HEAD", "--", "applicationsets")
    service.write_text(good + "# conferido\n", encoding="utf-8")
    git(repository, "add", "-A")
    done = _commit(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repository, "log", "--oneline").count("\n") == 3
    assert git(repository, "status", "--porcelain") == ""


def test_the_manifest_of_hooks_is_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", SAMPLE.parents[1] / ".pre-commit-hooks.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

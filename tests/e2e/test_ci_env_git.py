"""In a CI job: the checkouts that systems make, what is recorded of the job, and what its log and page are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trailcli import appgear, document, git, repository

MODULE = document(
    (
        "apps/a.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'a:latest'}]}\n",
    ),
    title="Módulo 42 – ::set-output name=a::b ##[add-mask]x",
)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with some history and a pull request."""
    root = repository(tmp_path / "origem", {"modulos/module-42.md": MODULE})
    for number in range(3):
        git(root, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
    git(root, "checkout", "-q", "-b", "muda-porta")
    (root / "modulos/module-42.md").write_text(MODULE + "\nMais uma linha.\n")
    git(root, "commit", "-q", "-a", "-m", "muda")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "merge", "muda-porta")
    git(root, "update-ref", "refs/pull/7/merge", "HEAD")
    git(root, "reset", "-q", "--hard", "HEAD~1")
    return root


def checkout(origin: Path, target: Path, ref: str) -> tuple[Path, str]:
    """One commit, detached, as actions/checkout and GitLab's runner fetch it."""
    target.mkdir()
    git(target, "init", "-q")
    git(
        target,
        "-c",
        "protocol.file.allow=always",
        "fetch",
        "-q",
        "--depth=1",
        f"file://{origin}",
        f"+{ref}:refs/remotes/x",
    )
    git(target, "checkout", "-q", "--detach", "refs/remotes/x")
    return target, git(target, "rev-parse", "HEAD").strip()


def last(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The newest index line, and the JSON of its execution."""
    line = json.loads((folder / "a/index.jsonl").read_text().splitlines()[-1])
    return line, json.loads((folder / "a" / line["execution"]["path"]).read_bytes())


def github(commit: str, **more: str) -> dict[str, str]:
    known = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "77",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "plataforma/gitops",
        "GITHUB_REF_TYPE": "branch",
        "GITHUB_REF_NAME": "7/merge",
        "GITHUB_HEAD_REF": "muda-porta",
        "GITHUB_SHA": commit,
        "GITHUB_ACTOR": "ana",
    }
    return known | more


def test_a_pull_request_of_a_fork_has_no_secrets_and_a_whole_trail(origin: Path, tmp_path: Path) -> None:
    folder, commit = checkout(origin, tmp_path / "github", "refs/pull/7/merge")
    page = tmp_path / "passo.md"
    # What a fork's workflow gets for a secret is an empty value.
    absent = dict.fromkeys(("LITELLM_BASE_URL", "LITELLM_API_KEY", "APPGEAR_KEY_FILE", "APPGEAR_TRUST_FILE"), "")
    variables = github(commit, GITHUB_STEP_SUMMARY=str(page), XDG_CONFIG_HOME=str(tmp_path / "vazio"), **absent)
    done = appgear("pipeline", "--module", "modulos/module-42.md", "--artifacts", "a", cwd=folder, env=variables)
    assert done.code in (10, 11), done.err
    line, record = last(folder)
    assert (line["pipeline"], line["branch"], line["commit"]) == ("github:77", "muda-porta", commit)
    assert record["details"]["ci"] == {
        "system": "github",
        "pipeline": "77",
        "branch": "muda-porta",
        "commit": commit,
        "author": "ana",
        "url": "https://github.com/plataforma/gitops/actions/runs/77",
    }
    assert line["manifest_sha256"] is None
    assert "sem chave de assinatura" in done.out
    commands = [each for each in done.err.splitlines() if each.lstrip().startswith("::")]
    assert commands
    assert {each.split()[0] for each in commands} <= {"::error", "::warning", "::notice"}
    assert all("file=modulos/module-42.md,line=" in each for each in commands)
    assert not [each for each in done.out.splitlines() if each.lstrip().startswith("::") or "##[" in each]
    assert "##[" not in done.err
    assert "`modulos/module-42.md`" in page.read_text()


def test_nothing_of_the_job_is_in_what_must_be_reproducible(origin: Path, tmp_path: Path) -> None:
    folder, commit = checkout(origin, tmp_path / "github", "refs/heads/main")
    command = ("mapa_nc", "--module", "modulos/module-42.md", "--artifacts", "a", "--no-cache")
    appgear(*command, cwd=folder)
    files = {path: path.read_bytes() for path in (folder / "a/reports").rglob("*") if path.is_file()}
    appgear(*command, cwd=folder, env=github(commit))
    now = {path: path.read_bytes() for path in (folder / "a/reports").rglob("*") if path.is_file()}
    assert {path.parent.name for path in now.keys() - files.keys()} == {"executions"}
    assert {path: now[path] for path in files} == files


def test_a_detached_checkout_of_gitlab_takes_the_branch_of_the_job(origin: Path, tmp_path: Path) -> None:
    folder, commit = checkout(origin, tmp_path / "gitlab", "refs/heads/main")
    job = {"CI": "true", "GITLAB_CI": "true", "CI_PIPELINE_ID": "9", "CI_COMMIT_BRANCH": "main"}
    command = ("mapa_nc", "--module", "modulos", "--artifacts", "a")
    done = appgear(*command, cwd=folder, env=job | {"CI_COMMIT_SHA": commit})
    line, _ = last(folder)
    assert (line["pipeline"], line["branch"], line["commit"]) == ("gitlab:9", "main", commit)
    assert not [each for each in (done.out + done.err).splitlines() if each.lstrip().startswith("::")]
    appgear(*command, "--no-cache", cwd=folder, env=job | {"CI_COMMIT_SHA": "f" * 40})
    assert last(folder)[0]["branch"] is None
    run = folder / "a/reports" / line["run"]
    issues = json.loads((run / "mapa_nc.codequality.json").read_bytes())
    assert {each["location"]["path"] for each in issues} == {"modulos/module-42.md"}


def test_jenkins_and_argo_are_known(origin: Path, tmp_path: Path) -> None:
    folder, _ = checkout(origin, tmp_path / "outros", "refs/heads/main")
    command = ("mapa_nc", "--module", "modulos", "--artifacts", "a")
    jenkins = {"JENKINS_URL": "https://ci.example/", "BUILD_TAG": "jenkins-gitops-5"}
    done = appgear(*command, cwd=folder, env=jenkins)
    assert last(folder)[0]["pipeline"] == "jenkins:jenkins-gitops-5"
    assert "modulos/module-42.md:" in done.err
    assert ": error: " in done.err
    argo = {"ARGO_WORKFLOW_NAME": "trilha-x7", "ARGO_NODE_ID": "trilha-x7-1", "APPGEAR_CI_AUTHOR": "ana"}
    again = appgear(*command, cwd=folder, env=argo)
    assert "SEM MUDANÇA" not in again.out  # another builder, which the provenance names
    line, record = last(folder)
    assert line["pipeline"] == "argo:trilha-x7"
    assert record["details"]["ci"]["author"] == "ana"
    assert again.err.count("error:") == 0


def test_the_page_of_a_step_is_a_courtesy(origin: Path, tmp_path: Path) -> None:
    target = tmp_path / "alvo"
    target.write_text("x")
    (tmp_path / "passo.md").symlink_to(target)
    variables = {"GITHUB_STEP_SUMMARY": str(tmp_path / "passo.md")}
    done = appgear("mapa_nc", "--module", "modulos", "--artifacts", "../a", cwd=origin, env=variables)
    assert done.code == 0
    assert "aviso: GITHUB_STEP_SUMMARY: não pôde ser aberto" in done.err
    assert target.read_text() == "x"


def test_a_base_that_a_shallow_clone_does_not_have_is_said(origin: Path, tmp_path: Path) -> None:
    folder, _ = checkout(origin, tmp_path / "raso", "refs/heads/main")
    done = appgear("checklist", "--module", "modulos", "--artifacts", "a", "--base", "HEAD~1", cwd=folder)
    assert done.code == 3
    assert "profundidade" in done.error

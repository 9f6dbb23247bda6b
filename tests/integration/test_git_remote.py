"""Fetching from a server: a stand-in for ssh runs git-upload-pack here, so that the whole protocol is spoken."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.adapters.git import SafeGit
from pipeline.adapters.runner import SYSTEM_PATH, SealedRunner
from pipeline.domain.snapshot import SourceState
from pipeline.errors import InputError, ToolError

ENVIRONMENT = {
    "PATH": SYSTEM_PATH, "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def server(tmp_path: Path) -> Path:
    folder = tmp_path / "server"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for text in ("1", "2"):
        (folder / "a.yaml").write_text(f"a: {text}\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", text)
        git(folder, "tag", f"v{text}")
    git(folder, "branch", "feature/x", "v1")
    git(folder, "branch", "v1-twin", "v1")
    git(folder, "tag", "v1-twin", "v2")
    git(folder, "tag", "-a", "-m", "x", "anotada", "v1")
    return folder


@pytest.fixture
def safe(tmp_path: Path, server: Path) -> SafeGit:
    """A git whose ssh hands every command to a local shell, and notes its arguments and environment."""
    programs = tmp_path / "programs"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/asked; env > {tmp_path}/environment\n'
        'case "$*" in *recusado*) echo "Permission denied" >&2; exit 255;; esac\n'
        "for last; do :; done\n"
        f"cd {server.parent} && exec env HOME=/nonexistent GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=safe.directory "
        "GIT_CONFIG_VALUE_0='*' GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant GIT_CONFIG_VALUE_1=true "
        'sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    runner = SealedRunner(search_path=f"{programs}:{SYSTEM_PATH}")
    return SafeGit(runner, network={"SSH_AUTH_SOCK": "/agente", "SEGREDO": "x"})


@pytest.mark.parametrize(
    ("revision", "text", "branch"),
    [
        ("", "2", "main"),
        ("@main", "2", "main"),
        ("@feature/x", "1", "feature/x"),
        ("@refs/heads/feature/x", "1", "feature/x"),
        ("@v1", "1", None),
        ("@anotada", "1", None),
        ("@refs/tags/v1-twin", "2", None),
    ],
)
def test_a_branch_a_tag_and_the_default(
    safe: SafeGit, server: Path, tmp_path: Path, revision: str, text: str, branch: str | None
) -> None:
    files, problems, state = safe.read_gitops(f"git@example.org:server{revision}")
    assert {each.path: each.content.decode() for each in files} == {"a.yaml": f"a: {text}\n"}
    assert problems == ()
    assert state == SourceState(commit=git(server, "rev-parse", f"v{text}"), branch=branch)
    asked = (tmp_path / "asked").read_text()
    assert "-oBatchMode=yes" in asked
    environment = (tmp_path / "environment").read_text()
    assert "SSH_AUTH_SOCK=/agente" in environment
    assert "SEGREDO" not in environment


def test_a_full_id(safe: SafeGit, server: Path) -> None:
    head = git(server, "rev-parse", "v1")
    files, _, state = safe.read_gitops(f"git@example.org:server@{head}")
    assert (files[0].content, state) == (b"a: 1\n", SourceState(commit=head))


def test_what_the_server_does_not_have(safe: SafeGit) -> None:
    with pytest.raises(InputError, match="não foi encontrada"):
        safe.read_gitops("git@example.org:server@nada")
    with pytest.raises(InputError, match="ramo e etiqueta"):
        safe.read_gitops("git@example.org:server@v1-twin")
    for spec in ("git@example.org:recusado", "git@example.org:falta", f"git@example.org:server@{'0' * 40}"):
        with pytest.raises(ToolError, match=r"git@example\.org:") as caught:
            safe.read_gitops(spec)
        assert "\n" not in str(caught.value)


def test_a_tag_that_is_no_commit(safe: SafeGit, server: Path) -> None:
    git(server, "tag", "blob", git(server, "rev-parse", "HEAD:a.yaml"))
    with pytest.raises(InputError, match="não é um commit"):
        safe.read_gitops("git@example.org:server@blob")


def test_offline_asks_nobody(safe: SafeGit, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--offline"):
        safe.read_gitops("git@example.org:server", offline=True)
    assert not (tmp_path / "asked").exists()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ToolError, match=r"https://127\.0\.0\.1:9/x") as caught:
        SafeGit().read_gitops("https://127.0.0.1:9/x")
    assert "\n" not in str(caught.value)

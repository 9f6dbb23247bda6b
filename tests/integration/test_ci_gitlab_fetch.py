"""How a GitLab job gets the toolkit: by commit, whole or not at all, its token to nobody but its own GitLab."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cikit import bare_remote, clean_environment, commit_all, load_documents, run_bash
from trailcli import ROOT, write_tree

SCRIPT = load_documents(ROOT / "templates/appgear.yml")[1][".appgear"]["before_script"][0]


@pytest.fixture
def server() -> Iterator[tuple[str, list[str | None]]]:
    """Address of a server that has nothing, and the Authorization of each request."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", seen
        listening.shutdown()
        thread.join()


def _fetch(
    folder: Path, toolkit: str, ref: str, gitlab: str = "https://git.appgear.local"
) -> subprocess.CompletedProcess[str]:
    job = folder / "job"
    job.mkdir(exist_ok=True)
    given = {
        "APPGEAR_TOOLKIT": toolkit,
        "APPGEAR_TOOLKIT_REF": ref,
        "CI_SERVER_URL": gitlab,
        "CI_JOB_TOKEN": "glcbt-segredo",
    }
    return run_bash(SCRIPT, cwd=job, environment=clean_environment(folder, given | {"GIT_TERMINAL_PROMPT": "0"}))


def _toolkit(folder: Path) -> tuple[str, str]:
    work = write_tree(folder / "toolkit", {"ci/nox": "#!/bin/sh\n"})
    (work / "ci" / "nox").chmod(0o755)
    commit = commit_all(work)
    return f"file://{bare_remote(work, folder / 'toolkit.git')}", commit


def test_the_token_goes_to_its_own_gitlab_alone(server: tuple[str, list[str | None]], tmp_path: Path) -> None:
    address, seen = server
    assert _fetch(tmp_path, f"{address}/grupo/toolkit.git", "a" * 40, gitlab=address).returncode != 0
    assert seen[0] == "Basic " + base64.b64encode(b"gitlab-ci-token:glcbt-segredo").decode()
    seen.clear()
    assert _fetch(tmp_path, f"{address}/grupo/toolkit.git", "a" * 40).returncode != 0
    assert seen
    assert set(seen) == {None}


def test_the_toolkit_is_fetched_once_and_by_commit(tmp_path: Path) -> None:
    toolkit, commit = _toolkit(tmp_path)
    done = _fetch(tmp_path, toolkit, commit)
    assert done.returncode == 0, done.stderr
    assert [each.name for each in (tmp_path / "job.appgear").iterdir()] == [commit]
    again = _fetch(tmp_path, "file:///nada", commit)
    assert again.returncode == 0, "it is there: nobody is asked"


@pytest.mark.parametrize("ref", ["main", "HEAD", "b" * 40, "--upload-pack=touch fora"])
def test_what_is_no_commit_of_it_leaves_no_toolkit(tmp_path: Path, ref: str) -> None:
    toolkit, _ = _toolkit(tmp_path)
    assert _fetch(tmp_path, toolkit, ref).returncode != 0
    assert not list(tmp_path.glob("job.appgear/*/ci/nox")) or not (tmp_path / "job.appgear" / ref).exists()
    assert not list(tmp_path.rglob("fora"))

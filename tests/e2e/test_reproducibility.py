"""Input 52 of the threat model: the same inputs elsewhere, at another time, for another user, give the same bytes.

The signing key and the kind of builder are inputs too: both clones have the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trailcli import KEYS, ROOT, Artifacts, git, snapshot

_COMMANDS = (
    ("pipeline",),
    ("pipeline", "--gitops", "modules/m07-portal-backstage@HEAD"),
    ("pipeline", "--module", "../module-07.md"),
)
# The umask is the process's own, and each clone has another.
_RUN = "import os, runpy, sys; os.umask(int(sys.argv.pop(1), 8)); runpy.run_module('pipeline', run_name='__main__')"
_HERE = {"TZ": "UTC", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "1", "USER": "ana", "LOGNAME": "ana"}
_THERE = {
    "TZ": "Pacific/Kiritimati",
    "LANG": "pt_BR.UTF-8",
    "LC_ALL": "pt_BR.UTF-8",
    "PYTHONHASHSEED": "4242",
    "USER": "outra pessoa",
    "LOGNAME": "outra",
    "COLUMNS": "40",
    "TERM": "xterm-256color",
    "PYTHONUTF8": "1",
}


def _clone(folder: Path) -> Path:
    """This checkout's HEAD, with a whole clone's own timestamps."""
    folder.parent.mkdir(parents=True)
    git(ROOT, "clone", "-q", "--no-local", str(ROOT), str(folder))
    return folder


def _run(clone: Path, home: Path, umask: str, variables: dict[str, str]) -> list[Artifacts]:
    """Every command, each into artifacts of its own; the module's text comes from outside the clone too."""
    home.mkdir()
    text = clone / "modules" / "m07-portal-backstage" / "module-07-portal-backstage.md"
    (clone.parent / "module-07.md").write_bytes(text.read_bytes())
    found = []
    for number, arguments in enumerate(_COMMANDS):
        artifacts = clone.parent / f"{number}-{len(umask) * umask}"
        done = subprocess.run(
            [sys.executable, "-c", _RUN, umask, *arguments, "--artifacts", str(artifacts)],
            cwd=clone,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(KEYS), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in {0, 10, 11}, done.stderr
        found.append(Artifacts(artifacts))
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Artifacts], list[Artifacts]]:
    folder = tmp_path_factory.mktemp("clones")
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    here = _run(_clone(folder / "a" / "repo"), folder / "home-a", "022", _HERE)
    there_folder = folder / "um caminho bem mais longo, com espaços e ç" / "b"
    there = _run(_clone(there_folder / "outro-nome"), folder / "home-b", "077", _THERE)
    return here, there


def test_two_clones_give_the_same_bytes(both: tuple[list[Artifacts], list[Artifacts]]) -> None:
    for here, there in zip(*both, strict=True):
        assert here.run == there.run
        compared = subprocess.run(
            ["diff", "-r", "--exclude=executions", here.folder, there.folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (compared.returncode, compared.stdout) == (0, "")
        assert here.files() == there.files()


def test_modes_do_not_follow_the_umask(both: tuple[list[Artifacts], list[Artifacts]]) -> None:
    for one in (*both[0], *both[1]):
        seen = snapshot(one.root)
        folders = {path for path in one.root.rglob("*") if path.is_dir()}
        modes = {path: seen[path.relative_to(one.root).as_posix()][1] for path in one.root.rglob("*")}
        assert {modes[path] for path in folders} == {0o750}
        assert {modes[path] for path in modes.keys() - folders} <= {0o640, 0o600}


def test_no_run_names_its_machine(both: tuple[list[Artifacts], list[Artifacts]]) -> None:
    """No absolute path, home, user or folder of the clone; who and where stand in executions alone."""
    for one in (*both[0], *both[1]):
        words = [str(one.root.parent), "home-a", "home-b", "outra pessoa", "outro-nome"]
        for path in one.files():
            data = (one.folder / path).read_bytes()
            assert not [word for word in words if word.encode() in data], path
        assert list((one.folder / "executions").iterdir())

"""Packs under fire: killed at any effect, made many at once; what was there stays valid, and nothing is half there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faultkit import Faults, faults, points
from packplace import NAMESPACE
from trailcli import ROOT, appgear, environment, write_tree

EPOCH = {"SOURCE_DATE_EPOCH": "1763856000"}
FINISHED = {0, 10, 11}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An artifacts folder with one pack, a module that has changed since, and what its next pack will be."""

    root: Path
    module: Path
    first: str
    first_zip: bytes
    next_zip: bytes
    effects: int
    status: int

    def fresh(self, folder: Path) -> Path:
        shutil.copytree(self.root / "before", folder, symlinks=True)
        return folder

    def pack(self, warm: Faults, artifacts: Path, die_at: int = 0) -> int:
        """The next pack into ``artifacts``, killed at an effect."""
        given = ("--module", self.module, "--artifacts", artifacts, "-q")
        struck = warm.run("evidencias", *given, cwd=self.root, die_at=die_at)
        assert struck.killed == bool(die_at), (die_at, struck)
        return struck.status


@pytest.fixture(scope="module")
def warm() -> Iterator[Faults]:
    with faults(environment(EPOCH)) as warm:
        yield warm


@pytest.fixture(scope="module")
def scene(warm: Faults, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    root = tmp_path_factory.mktemp("fire")
    module, before, after = write_tree(root / "loja", {"ns.yaml": NAMESPACE}), root / "before", root / "after"
    assert warm.run("evidencias", "--module", module, "--artifacts", before, "-q", cwd=root).status in FINISHED
    first = (before / "LATEST").read_text().strip()
    write_tree(module, {"x.yaml": "x: 1\n"})
    shutil.copytree(before, after, symlinks=True)
    done = warm.run("evidencias", "--module", module, "--artifacts", after, "-q", cwd=root)
    assert done.status in FINISHED, done.said
    latest = (after / "LATEST").read_text().strip()
    return Scene(
        root=root, module=module, first=first, effects=done.effects, status=done.status,
        first_zip=(before / "reports" / first / "evidencias.zip").read_bytes(),
        next_zip=(after / "reports" / latest / "evidencias.zip").read_bytes(),
    )  # fmt: skip


def _strike(scene: Scene, warm: Faults, folder: Path, point: int, *, recover: bool) -> None:
    artifacts = scene.fresh(folder)
    scene.pack(warm, artifacts, point)
    checked = warm.run("verificar", artifacts, "-q", cwd=scene.root)
    assert (checked.status, checked.said) == (0, ""), (point, checked)
    assert (artifacts / "reports" / scene.first / "evidencias.zip").read_bytes() == scene.first_zip
    whole = warm.run("verificar", artifacts / "reports" / scene.first / "evidencias.zip", "-q", cwd=scene.root)
    assert whole.status == 0, (point, whole)
    for run in (artifacts / "reports").iterdir():
        if not run.name.startswith(".tmp-"):
            pack = [name for name in ("manifest.json", "evidencias.html", "evidencias.zip") if (run / name).exists()]
            assert len(pack) in {0, 3}, (point, run.name, pack)
    if recover:
        assert scene.pack(warm, artifacts) == scene.status
        latest = (artifacts / "LATEST").read_text().strip()
        assert (artifacts / "reports" / latest / "evidencias.zip").read_bytes() == scene.next_zip, point
        assert not list(artifacts.rglob(".tmp-*")), point
        assert warm.run("verificar", artifacts, "-q", cwd=scene.root).status == 0, point
    shutil.rmtree(artifacts)


def test_a_killed_run_leaves_older_packs_valid_and_no_half_one(scene: Scene, warm: Faults, tmp_path: Path) -> None:
    chosen = points(scene.effects, 40)
    for number, point in enumerate(chosen):
        _strike(scene, warm, tmp_path / str(point), point, recover=number % 8 == 0)


@pytest.mark.slow
def test_at_each_of_two_hundred_points(scene: Scene, warm: Faults, tmp_path: Path) -> None:
    chosen = points(scene.effects, 200)
    assert len(chosen) == 200
    for point in chosen:
        _strike(scene, warm, tmp_path / str(point), point, recover=True)


def test_a_decision_is_recorded_whole_or_not_at_all(scene: Scene, warm: Faults, tmp_path: Path) -> None:
    said = ("rapid", "recommend", "--person", "ana", "--decision", "liberar", "--unsigned", "-q")
    whole = scene.fresh(tmp_path / "whole")
    done = warm.run(*said, "--artifacts", whole, cwd=scene.root)
    assert done.status in FINISHED, done.said
    seen = set()
    for point in points(done.effects, 16):
        artifacts = scene.fresh(tmp_path / str(point))
        assert warm.run(*said, "--artifacts", artifacts, cwd=scene.root, die_at=point).killed
        rapid = artifacts / "reports" / scene.first / "rapid.jsonl"
        lines = rapid.read_bytes().splitlines(keepends=True) if rapid.exists() else []
        assert all(line.endswith(b"}\n") for line in lines)
        seen.add(len(lines))
        checked = warm.run("verificar", artifacts, "-q", cwd=scene.root)
        assert (checked.status, checked.said) == (0, ""), (point, checked)
    assert seen == {0, 1}


def test_the_kit_kills_where_it_says(warm: Faults, tmp_path: Path) -> None:
    module = write_tree(tmp_path / "loja", {"ns.yaml": NAMESPACE})
    given = ("mapa_nc", "--module", module, "-q", "--artifacts")
    whole = warm.run(*given, tmp_path / "a", cwd=tmp_path)
    assert not whole.killed
    assert whole.effects > 50
    assert warm.run(*given, tmp_path / "b", cwd=tmp_path, die_at=1).killed
    assert not (tmp_path / "b" / "LATEST").exists()
    assert warm.run(*given, tmp_path / "c", cwd=tmp_path, die_at=whole.effects).killed
    assert not warm.run(*given, tmp_path / "d", cwd=tmp_path, die_at=whole.effects + 1).killed


def started(folder: Path, artifacts: Path) -> subprocess.Popen[bytes]:
    arguments = ["evidencias", "--module", str(folder), "--artifacts", str(artifacts), "-q"]
    return subprocess.Popen([sys.executable, "-m", "pipeline", *arguments], cwd=ROOT.parent, env=environment())


@pytest.mark.parametrize("count", [20])
def test_many_at_once_give_one_chain(count: int, tmp_path: Path) -> None:
    module, artifacts = write_tree(tmp_path / "loja", {"ns.yaml": NAMESPACE}), tmp_path / "artifacts"
    running = [started(module, artifacts) for _ in range(count)]
    assert {process.wait() for process in running} <= FINISHED
    assert (artifacts / "index.jsonl").read_bytes().count(b"\n") == count
    checked = appgear("verificar", artifacts, cwd=tmp_path)
    assert (checked.code, checked.err) == (0, "")

"""Packs under fire: killed at any moment, made many at once; what was there stays valid, and nothing is half there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trailcli import ROOT, appgear, environment, write_tree

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: loja\n"
POINTS = 12


def started(folder: Path, artifacts: Path) -> subprocess.Popen[bytes]:
    arguments = ["evidencias", "--module", str(folder), "--artifacts", str(artifacts), "-q"]
    return subprocess.Popen([sys.executable, "-m", "pipeline", *arguments], cwd=ROOT.parent, env=environment())


def test_a_killed_run_leaves_no_half_pack_and_older_ones_valid(tmp_path: Path) -> None:
    module, artifacts = write_tree(tmp_path / "loja", {"ns.yaml": NAMESPACE}), tmp_path / "artifacts"
    assert started(module, artifacts).wait() in {0, 10, 11}
    first = (artifacts / "LATEST").read_text().strip()
    before = (artifacts / "reports" / first / "evidencias.zip").read_bytes()
    for point in range(POINTS):
        (module / "x.yaml").write_text(f"x: {point}\n")
        process = started(module, artifacts)
        try:
            process.wait(0.3 + point * 0.12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        checked = appgear("verificar", artifacts, cwd=tmp_path)
        assert (checked.code, checked.err) == (0, ""), point
    for folder in (artifacts / "reports").iterdir():
        assert (folder / "manifest.json").exists() == (folder / "evidencias.zip").exists()
    assert (artifacts / "reports" / first / "evidencias.zip").read_bytes() == before


@pytest.mark.parametrize("count", [20])
def test_many_at_once_give_one_chain(count: int, tmp_path: Path) -> None:
    module, artifacts = write_tree(tmp_path / "loja", {"ns.yaml": NAMESPACE}), tmp_path / "artifacts"
    running = [started(module, artifacts) for _ in range(count)]
    assert {process.wait() for process in running} <= {0, 10, 11}
    assert (artifacts / "index.jsonl").read_bytes().count(b"\n") == count
    checked = appgear("verificar", artifacts, cwd=tmp_path)
    assert (checked.code, checked.err) == (0, "")

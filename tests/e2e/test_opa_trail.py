"""The platform's own Rego beside the catalogue: both dialects, the same findings from ``opa`` and in process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = """package appgear.labels

required := {"app.kubernetes.io/name", "appgear.io/tenant-id"}

deny[msg] {
  input.kind == "Namespace"
  required[key]
  not input.metadata.labels[key]
  msg := sprintf("label ausente: %s", [key])
}
"""
NEW = """package appgear.images

import rego.v1

# METADATA
# title: Sem latest
# custom:
#   severity: CRITICA
deny contains msg if {
  some c in input.spec.template.spec.containers
  endswith(c.image, ":latest")
  msg := sprintf("%s usa latest", [c.name])
}
"""


def audit(folder: Path, module: Path, *, path: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Run ``mapa_nc`` with the configuration of ``folder``; its outcome and its document, if any."""
    artifacts = folder / f"artifacts-{len(list(folder.iterdir()))}"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "mapa_nc", "--config", str(folder / "appgear.toml"), "--module", str(module),
         "--artifacts", str(artifacts), "-q"],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PATH": path}, timeout=60, check=False,
    )  # fmt: skip
    found = sorted(artifacts.glob("reports/*/mapa_nc.json"))
    return done, json.loads(found[0].read_text()) if found else None


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "old.rego").write_text(OLD)
    (policies / "new.rego").write_text(NEW)
    (tmp_path / "appgear.toml").write_text('[opa]\npolicies = ["policies"]\n')
    return tmp_path


def without_opa() -> str:
    """The search path less every folder that holds ``opa`` or ``conftest``."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        each for each in folders if not (Path(each, "opa").exists() or Path(each, "conftest").exists())
    )


def findings(document: Any) -> list[tuple[str, str, int, str]]:
    return [
        (each["rule"], each["severity"], each["location"]["document_line"], each["description"])
        for each in document["non_conformities"]
        if each["rule"].startswith("OPA-")
    ]


def test_policies_of_both_dialects_run_on_the_real_document(platform: Path, seed: Path) -> None:
    pytest.importorskip("regorus", reason="the extra [opa] is not installed")
    done, document = audit(platform, seed, path=without_opa())
    assert done.returncode == 0, done.stderr
    lines = seed.read_text().split("\n")
    found = findings(document)
    assert [each[:2] for each in found] == [
        ("OPA-appgear.labels", "ALTA"),
        ("OPA-appgear.images", "CRITICA"),
        ("OPA-appgear.labels", "ALTA"),
    ]
    for rule, _, line, _ in found:
        kind = "Deployment" if rule.endswith("images") else "Namespace"
        assert f"kind: {kind}" in "\n".join(lines[line - 1 : line + 2])


def test_opa_and_the_engine_in_process_give_the_same_run(platform: Path, seed: Path) -> None:
    pytest.importorskip("regorus", reason="the extra [opa] is not installed")
    if shutil.which("opa") is None:
        pytest.skip("opa is not on PATH")
    one = audit(platform, seed, path=os.environ["PATH"])[1]
    other = audit(platform, seed, path=without_opa())[1]
    assert one == other


def test_a_policy_that_does_not_compile_is_named_and_never_a_pass(platform: Path) -> None:
    pytest.importorskip("regorus", reason="the extra [opa] is not installed")
    (platform / "policies" / "broken.rego").write_text("package broken\n\ndeny[msg] { msg := \n")
    module = ROOT / "modules" / "m07-portal-backstage"
    done, document = audit(platform, module, path=without_opa())
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "broken.rego" in done.stderr
    assert [each["rule"] for each in document["not_run"] if each["crashed"]] == ["OPA"]
    assert document["examined"]["OPA-appgear.labels"] > 0


def test_a_policy_that_is_not_there_is_one_line(platform: Path) -> None:
    (platform / "appgear.toml").write_text('[opa]\npolicies = ["gone.rego"]\n')
    done, _ = audit(platform, ROOT / "modules" / "m07-portal-backstage", path=os.environ["PATH"])
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "gone.rego" in done.stderr

"""What other tools read: SARIF under Microsoft's validator, Code Quality by GitLab's shape, JUnit by junitparser."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import pytest
import yaml
from junitparser import JUnitXml, TestCase, TestSuite

from trailcli import ROOT, Artifacts, Ran, appgear, document, write_tree

PACKAGE = ROOT / "tests" / "contract" / "sarif"
CACHE = ROOT / "build" / "sarif-multitool"
# https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
CODE_QUALITY: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!/|\\./)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
PLANTED = "AKIAZ7Q2M4X9W1P3T5V8"
HOSTILE = f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: "a\\e[31m\\u202eb::set-output name=x::y"
  namespace: "<script>alert(1)</script>"
  labels:
    appgear.io/tier: "{"x" * 300}"
data:
  aws_access_key_id: {PLANTED}
  "]]>": "|` [x](javascript:1)"
---
a: [
"""


@pytest.fixture(scope="session")
def validator() -> Path:
    """Microsoft's validator at the version of the lock, installed once; skipped where npm or its registry is absent."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    lock = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()
    program = CACHE / "node_modules" / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
    stamp = CACHE / "lock.sha256"
    if not program.is_file() or not stamp.is_file() or stamp.read_text(encoding="ascii") != lock:
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(PACKAGE, CACHE)
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CACHE, capture_output=True, check=False
        )
        if done.returncode or not program.is_file():
            pytest.skip("the npm registry is not reachable, or has no build for this system")
        program.chmod(0o755)
        stamp.write_text(lock, encoding="ascii")
    return program


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Artifacts]:
    """A module whose every name tries to break out of a report."""
    folder = tmp_path_factory.mktemp("hostile")
    module = write_tree(
        folder / "m%20 <b>",
        {"module-42.md": document(("apps/x.yaml", HOSTILE)), "lê me!.yaml": HOSTILE, "b.yaml": "a: ["},
    )
    (module / "fora").symlink_to("/etc/passwd")
    (module / os.fsdecode(b"\xff.yaml")).write_text(HOSTILE, encoding="utf-8")
    ran = appgear("pipeline", "--module", module, "--artifacts", folder / "a", cwd=folder)
    return ran, Artifacts(folder / "a")


def _errors(validator: Path, folder: Path) -> dict[str, list[str]]:
    """Errors by the name of the log, of all logs in ``folder``."""
    output = folder / "out" / "validation.json"
    output.parent.mkdir()
    logs = sorted(path.name for path in folder.glob("*.sarif"))
    done = subprocess.run(
        [validator, "validate", *logs, "--rule-kind", "Sarif;Ghas", "--output", output, "--log", "ForceOverwrite"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
        capture_output=True,
        check=False,
    )
    assert output.is_file(), done.stdout + done.stderr
    found: dict[str, list[str]] = {name: [] for name in logs}
    for run in json.loads(output.read_bytes())["runs"]:
        assert run["invocations"][0]["executionSuccessful"] is True
        levels = {
            each["id"]: each.get("defaultConfiguration", {}).get("level") for each in run["tool"]["driver"]["rules"]
        }
        for each in run.get("results", []):
            if each.get("level", levels.get(each["ruleId"], "warning")) == "error":
                name = Path(each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]).name
                found[name].append(f"{each['ruleId']}: {each['message']}")
    return found


def test_microsofts_validator_finds_no_error(
    validator: Path, shipped: tuple[Ran, Artifacts], hostile: tuple[Ran, Artifacts], seed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    appgear("mapa_nc", "--module", seed, "--artifacts", tmp_path / "a", cwd=tmp_path)
    runs = {"real": Artifacts(tmp_path / "a"), "shipped": shipped[1], "hostile": hostile[1]}
    for name, artifacts in runs.items():
        (folder / f"{name}.sarif").write_bytes((artifacts.folder / "mapa_nc.sarif").read_bytes())
    broken = runs["real"].json("mapa_nc.sarif")
    del broken["runs"][0]["tool"]["driver"]["name"]
    (folder / "broken.sarif").write_text(json.dumps(broken), encoding="utf-8")
    found = _errors(validator, folder)
    assert found.pop("broken.sarif"), "the validator sees nothing at all"
    assert found == {"hostile.sarif": [], "real.sarif": [], "shipped.sarif": []}


def _check_sarif(artifacts: Artifacts) -> None:
    """One result for each open finding, at its line, inside the limits of code scanning."""
    log = artifacts.json("mapa_nc.sarif")
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    mapa = {each["id"]: each for each in artifacts.findings() if each["status"] != "resolvida"}
    results = {each["properties"]["id"]: each for each in run["results"]}
    assert results.keys() == mapa.keys()
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    for identifier, result in results.items():
        finding = mapa[identifier]
        assert rules[result["ruleIndex"]] == result["ruleId"] == finding["rule"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] == (finding["location"]["document_line"] or finding["location"]["line"])
        assert region["endColumn"] > region["startColumn"] >= 1
        uri = unquote(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        assert not uri.startswith("/")
        assert ".." not in uri.split("/")
        assert result["partialFingerprints"]["appgearNc/v1"] == finding["fingerprint"]
        assert 0 < len(result["message"]["text"]) <= 4096


def _check_code_quality(artifacts: Artifacts) -> None:
    issues = artifacts.json("mapa_nc.codequality.json")
    jsonschema_rs.validate(CODE_QUALITY, issues)
    assert len({each["fingerprint"] for each in issues}) == len(issues)
    assert len(issues) == artifacts.json("mapa_nc.json")["summary"]["total"]


def _check_junit(artifacts: Artifacts) -> None:
    suites = JUnitXml.fromfile(str(artifacts.folder / "mapa_nc.junit.xml"))
    (suite,) = list(suites)
    assert isinstance(suite, TestSuite)
    cases = [each for each in suite if isinstance(each, TestCase)]
    assert suite.tests == len(cases)
    failed = [each for each in cases if any(type(one).__name__ == "Failure" for one in each.result)]
    assert suite.failures == len(failed) == artifacts.json("mapa_nc.json")["summary"]["total"]
    names = [(each.classname, each.name) for each in cases]
    assert len(set(names)) == len(names)


def _check_platform_form(artifacts: Artifacts) -> None:
    mapa = artifacts.json("mapa_nc.json")
    value = yaml.safe_load(artifacts.text("auditoria-modulos.yaml"))
    assert list(value) == [mapa["module"]["id"]]
    entries = value[mapa["module"]["id"]]
    assert [each["id"] for each in entries] == [each["id"] for each in mapa["non_conformities"]]
    assert all(each.keys() == {"id", "severidade", "status", "descricao", "fonte"} for each in entries)


@pytest.mark.parametrize("which", ["shipped", "hostile", "real"])
def test_reports_say_what_the_map_says(which: str, request: pytest.FixtureRequest) -> None:
    _, artifacts = request.getfixturevalue(which)
    _check_sarif(artifacts)
    _check_code_quality(artifacts)
    _check_junit(artifacts)
    _check_platform_form(artifacts)


def test_no_report_holds_a_raw_control_or_an_active_tag(hostile: tuple[Ran, Artifacts]) -> None:
    """Inputs 30, 32, 34 and 36 of the threat model. What is rewritten keeps its bytes, so it is left out."""
    ran, artifacts = hostile
    unsafe = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
    assert not unsafe.search(ran.out + ran.err)
    for path in artifacts.folder.glob("*.*"):
        if path.suffix not in {".patch", ".zip"}:
            text = path.read_bytes().decode("utf-8")
            assert not unsafe.search(text), path.name
            if path.suffix == ".md":
                outside = re.sub(r"(?ms)^(`{3,}).*?^\1$|(`+).+?\2", "", text)
                assert "<script" not in outside, path.name


def test_no_report_holds_a_secret(hostile: tuple[Ran, Artifacts]) -> None:
    _, artifacts = hostile
    for path in artifacts.folder.glob("*.*"):
        if path.suffix not in {".patch", ".zip"}:
            assert PLANTED not in path.read_bytes().decode("utf-8"), path.name


def test_a_link_out_of_the_tree_is_told_and_never_read(hostile: tuple[Ran, Artifacts]) -> None:
    _, artifacts = hostile
    assert {each["location"]["path"] for each in artifacts.findings("READ-SPECIAL")} == {"fora"}
    secret = Path("/etc/passwd").read_bytes().split(b"\n")[0]
    for path in artifacts.folder.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes()
            assert b"/etc/passwd" not in path.read_bytes()

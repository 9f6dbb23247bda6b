"""OSCAL documents of a pack: they say what the run says, every reference leads somewhere, trestle takes them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packplace import NAMESPACE, Place
from pinnedenv import pinned_environment
from pipeline.codec import sha256_hex
from trailcli import write_tree

LOCK = Path(__file__).parent / "trestle" / "requirements.txt"
HOSTILE = "<script>alert(1)</script> [x](javascript:y) \u202e"
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: loja}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers: [{name: api, image: 'registry.example/api:latest'}]
"""
WAIVERS = """[[waiver]]
rule = "IMG-LATEST"
module = "LOJA"
object = "Deployment/loja/api"
owner = "Ana"
reason = "fornecedor sem tag fixa"
residual_risk = "médio"
start = 2025-01-01
end = 2999-12-31
approval = "CCB-17"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run with findings that are cured, that stay, that are waived, and that the board accepts."""
    place = Place(tmp_path_factory.mktemp("oscal"))
    write_tree(place.module, {"base/api.yaml": DEPLOYMENT, "base/ns.yaml": NAMESPACE, "base/ruim.yaml": "a: [1\n"})
    (place.root / "w.toml").write_text(WAIVERS)
    (place.root / "c.toml").write_text('[waivers]\nfile = "w.toml"\n')
    config = ("--config", place.root / "c.toml")
    place.pack(*config)
    second = place.artifacts.json("modulo_reescrito.mapa_nc.json")["non_conformities"]
    left = next(each for each in second if each["status"] != "resolvida" and each["waiver"] is None)
    for role in ("recommend", "input", "agree"):
        place.say(role)
    said = place.say(
        "decide", "--exception", f"{left['id']};{HOSTILE};risco {HOSTILE};2099-12-31", "--justification", HOSTILE
    )
    assert "registrado" in said.out, said.err
    place.pack(*config, "--trust", place.trust, "--strict")
    return place


@pytest.fixture(scope="module")
def results(place: Place) -> dict[str, Any]:
    document: dict[str, Any] = place.artifacts.json("assessment-results.oscal.json")["assessment-results"]
    return document


@pytest.fixture(scope="module")
def poam(place: Place) -> dict[str, Any]:
    document: dict[str, Any] = place.artifacts.json("poam.oscal.json")["plan-of-action-and-milestones"]
    return document


def _values(value: object, wanted: re.Pattern[str]) -> Iterator[str]:
    """Texts under keys that match."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str) and wanted.fullmatch(key):
                yield each
            yield from _values(each, wanted)
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, wanted)


def _prop(value: dict[str, Any], name: str) -> str:
    return next(str(each["value"]) for each in value["props"] if each["name"] == name)


def test_every_reference_leads_to_one_thing_of_the_document(results: dict[str, Any], poam: dict[str, Any]) -> None:
    for document in (results, poam):
        own = list(_values(document, re.compile("uuid")))
        assert len(own) == len(set(own))
        cited = set(_values(document, re.compile(".+-uuid")))
        cited |= {each.removeprefix("#") for each in _values(document, re.compile("href")) if each.startswith("#")}
        assert cited <= set(own)


def test_findings_and_risks_are_the_runs(place: Place, results: dict[str, Any]) -> None:
    first, second = results["results"]
    mapa = place.artifacts.json("mapa_nc.json")["non_conformities"]
    after = place.artifacts.json("modulo_reescrito.mapa_nc.json")["non_conformities"]
    left = {each["id"] for each in after if each["status"] != "resolvida"}
    assert [_prop(each, "nc") for each in first["findings"]] == [each["id"] for each in mapa]
    assert {each["target"]["status"]["state"] for each in first["findings"]} == {"not-satisfied"}
    states = {_prop(each, "nc"): each["target"]["status"] for each in second["findings"]}
    assert {name for name, each in states.items() if each["state"] == "satisfied"} == {
        each["id"] for each in mapa if each["id"] not in left
    }
    assert {each["state"] for each in states.values()} == {"satisfied", "not-satisfied"}
    waived = next(each["id"] for each in mapa if each["waiver"])
    assert states[waived] == {"state": "not-satisfied", "reason": "other"}
    risks = {each["title"].split(":")[0]: each for each in second["risks"]}
    assert risks[waived]["status"] == "deviation-approved"
    assert "CCB-17" not in json.dumps(risks[waived])
    assert risks[waived]["mitigating-factors"][0]["description"].startswith("Risco aceito até 2999-12-31 por Ana.")
    for name, state in states.items():
        assert (risks[name]["status"] == "closed") == (state["state"] == "satisfied")
    facets = {each["name"] for risk in risks.values() for part in risk["characterizations"] for each in part["facets"]}
    assert facets == {"impact", "likelihood"}
    unjudged = {each["rule"] for each in place.artifacts.json("mapa_nc.json")["not_run"]}
    told = {_prop(each, "could-not-run") for each in first["observations"] if "props" in each}
    assert unjudged
    assert told == unjudged
    examined = place.artifacts.json("mapa_nc.json")["examined"]
    assert {each["title"] for each in first["observations"]} >= {rule for rule, count in examined.items() if count}


def test_the_boards_exception_is_in_the_log_with_its_signed_line(place: Place, results: dict[str, Any]) -> None:
    second = results["results"][1]
    logged = [each for each in second["risks"] if any("status-change" in one for one in _entries(each))]
    assert len(logged) == 1
    assert logged[0]["status"] == "deviation-approved"
    (entry,) = _entries(logged[0])
    parties = {each["uuid"]: each["name"] for each in results["metadata"]["parties"]}
    assert parties[entry["logged-by"][0]["party-uuid"]] == "Davi Souza"
    assert len(second["assessment-log"]["entries"]) == 4
    lines = (place.artifacts.folder / "rapid.jsonl").read_bytes().splitlines(keepends=True)
    kept = {
        base64.b64decode(each["base64"]["value"])
        for each in results["back-matter"]["resources"]
        if "base64" in each and each["base64"]["filename"].startswith("rapid-")
    }
    assert kept == set(lines)


def _entries(risk: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = risk.get("risk-log", {"entries": []})["entries"]
    return entries


def test_the_plan_is_there_action_by_action_with_dates(place: Place, poam: dict[str, Any]) -> None:
    actions = place.artifacts.json("plano_correcao.json")["actions"]
    assert [_prop(each, "action") for each in poam["poam-items"]] == [each["id"] for each in actions]
    closed = {each for action in actions for each in action["closes"]}
    assert {each["title"].split(":")[0] for each in poam["risks"]} == closed
    tasks = [task for risk in poam["risks"] for each in risk["remediations"] for task in each["tasks"]]
    for task in tasks:
        start, end = task["timing"]["within-date-range"]["start"], task["timing"]["within-date-range"]["end"]
        assert start == "2025-11-23T00:00:00Z" < end
    assert {each["lifecycle"] for risk in poam["risks"] for each in risk["remediations"]} == {"planned", "completed"}


def test_evidence_is_cited_by_the_digest_of_the_file_beside_it(place: Place, results: dict[str, Any]) -> None:
    for resource in results["back-matter"]["resources"]:
        for link in resource.get("rlinks", []):
            data = (place.artifacts.folder / link["href"]).read_bytes()
            assert link["hashes"] == [{"algorithm": "SHA-256", "value": sha256_hex(data)}]


def test_hostile_texts_are_text(place: Place) -> None:
    for name in ("assessment-results.oscal.json", "poam.oscal.json"):
        data = re.sub(r'"value": "[A-Za-z0-9+/=]{200,}"', "", place.artifacts.text(name))
        assert "<script" not in data.replace("\\\\<script", "")
        assert "\u202e" not in data


def test_a_module_without_a_finding_has_results_and_no_empty_plan(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.module = write_tree(tmp_path / "limpa", {"LEIA.md": "# Módulo 07 – Vazio\n\nNada.\n", "a.txt": "x\n"})
    place.pack()
    files = place.artifacts.files()
    assert "assessment-results.oscal.json" in files
    assert ("poam.oscal.json" in files) == bool(place.artifacts.json("plano_correcao.json")["actions"])


def test_trestle_takes_all_of_them(place: Place, results: dict[str, Any], tmp_path: Path) -> None:
    trestle = pinned_environment(LOCK, "trestle") / "bin" / "trestle"
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    workspace.mkdir()
    outside.mkdir()
    (plan,) = [
        each["base64"]["value"] for each in results["back-matter"]["resources"] if each["title"] == "Plano de avaliação"
    ]
    documents = {
        "results": (place.artifacts.folder / "assessment-results.oscal.json").read_bytes(),
        "poam": (place.artifacts.folder / "poam.oscal.json").read_bytes(),
        "plan": base64.b64decode(plan),
    }
    _trestle(trestle, workspace, "init", "--local")
    for name, data in documents.items():
        (outside / f"{name}.json").write_bytes(data)
        _trestle(trestle, workspace, "import", "-f", str(outside / f"{name}.json"), "-o", name)
    said = _trestle(trestle, workspace, "validate", "-a")
    assert said.count("VALID: ") == len(documents)
    broken = documents["results"].replace(b'"not-satisfied"', b'"talvez"')
    (outside / "broken.json").write_bytes(broken)
    done = subprocess.run(
        [trestle, "import", "-f", outside / "broken.json", "-o", "broken"],
        cwd=workspace, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0  # the judge can say no


def _trestle(program: Path, workspace: Path, *arguments: str) -> str:
    done = subprocess.run(
        [program, *arguments], cwd=workspace, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr

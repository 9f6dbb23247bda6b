"""The committed JSON Schemas are those of the code, and what the commands write is valid under them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from trailcli import ROOT, Artifacts, Ran, appgear, document, environment

FOLDER = ROOT / "schemas"
DOCUMENTS = ("mapa_nc", "plano_correcao", "modulo_reescrito", "checklist")
# Top-level keys of contract.md, which later versions may add to and never lose.
KEYS = {
    "mapa_nc": {"schema_version", "run", "module", "source", "files", "non_conformities", "summary"},
    "plano_correcao": {"schema_version", "run", "actions"},
    "modulo_reescrito": {"schema_version", "run", "applied", "not_applied"},
    "checklist": {"schema_version", "run", "items", "verdict"},
}
NON_CONFORMITY = {
    "id", "fingerprint", "rule", "severity", "status", "title", "description", "sources", "object", "location",
    "correction",
}  # fmt: skip
LOCATION = {"path", "line", "column", "document_line", "yaml_path"}
ACTION = {"id", "closes", "mode", "summary", "responsible", "due_days", "depends_on", "changes"}
ITEM = {"id", "question", "result", "evidence", "sources"}


@pytest.fixture(scope="module")
def validators() -> dict[str, jsonschema_rs.Draft202012Validator]:
    loaded = {name: json.loads((FOLDER / f"{name}.schema.json").read_bytes()) for name in DOCUMENTS}
    return {name: jsonschema_rs.Draft202012Validator(schema) for name, schema in loaded.items()}


def test_schemas_do_not_drift_from_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "tools/write_schemas.py", "--check"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), "rode python tools/write_schemas.py"


def test_drift_is_named_and_repaired(tmp_path: Path) -> None:
    for each in ("tools", "pipeline", "schemas"):
        (tmp_path / each).mkdir()
    (tmp_path / "tools" / "write_schemas.py").write_bytes((ROOT / "tools" / "write_schemas.py").read_bytes())
    (tmp_path / "schemas" / "antigo.schema.json").write_text("{}\n", encoding="utf-8")
    (tmp_path / "pipeline").rmdir()
    command = [sys.executable, "tools/write_schemas.py"]
    checked = subprocess.run([*command, "--check"], cwd=tmp_path, env=environment(), capture_output=True, check=False)
    assert checked.returncode == 10
    assert "schemas/antigo.schema.json" in checked.stderr.decode()
    assert subprocess.run(command, cwd=tmp_path, env=environment(), check=False).returncode == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "schemas").iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schemas_are_valid_and_closed(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_bytes())
    jsonschema_rs.meta.validate(schema)
    for kind, definition in schema["$defs"].items():
        if definition.get("type") == "object":
            assert definition["additionalProperties"] is False, kind
            assert set(definition["required"]) == set(definition["properties"]), kind


def _check(artifacts: Artifacts, validators: dict[str, jsonschema_rs.Draft202012Validator]) -> None:
    for name, validator in validators.items():
        value: Any = artifacts.json(f"{name}.json")
        errors = [f"{each.instance_path}: {each.message}" for each in validator.iter_errors(value)]
        assert errors == []
        assert value.keys() >= KEYS[name]
    assert list(validators["mapa_nc"].iter_errors(artifacts.json("modulo_reescrito.mapa_nc.json"))) == []
    mapa, plan = artifacts.json("mapa_nc.json"), artifacts.json("plano_correcao.json")
    module = mapa["module"]["id"]
    for number, each in enumerate(mapa["non_conformities"], 1):
        assert each.keys() >= NON_CONFORMITY
        assert each["location"].keys() >= LOCATION
        assert each["id"] == f"{module}-NC-{number:03d}"
    assert all(each.keys() >= ACTION for each in plan["actions"])
    assert {each["id"] for each in plan["actions"]} == {
        f"{module}-AC-{number:03d}" for number in range(1, len(plan["actions"]) + 1)
    }
    items = artifacts.json("checklist.json")["items"]
    assert all(each.keys() >= ITEM for each in items)
    assert [each["id"] for each in items] == [f"{module}-CK-{number:03d}" for number in range(1, len(items) + 1)]


def test_the_module_that_ships_is_valid(
    shipped: tuple[Ran, Artifacts], validators: dict[str, jsonschema_rs.Draft202012Validator]
) -> None:
    _check(shipped[1], validators)


def test_the_real_document_is_valid(
    real: tuple[Ran, Artifacts], validators: dict[str, jsonschema_rs.Draft202012Validator]
) -> None:
    _check(real[1], validators)


def test_a_module_without_objects_is_valid(
    tmp_path: Path, validators: dict[str, jsonschema_rs.Draft202012Validator]
) -> None:
    module = tmp_path / "module-42.md"
    module.write_text(document(("ruim.yaml", "a: [\n")), encoding="utf-8")
    appgear("pipeline", "--module", module, "--artifacts", tmp_path / "a", cwd=tmp_path)
    _check(Artifacts(tmp_path / "a"), validators)


def test_json_is_canonical(real: tuple[Ran, Artifacts]) -> None:
    for path in real[1].folder.glob("*.json"):
        data = path.read_bytes()
        value = json.loads(data)
        assert data == (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode(), path.name

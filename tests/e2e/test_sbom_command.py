"""The ``sbom`` command as its users meet it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.sbom.cdx_json import dump_cyclonedx, serial_number
from sbomkit import component, sbom
from trailcli import ROOT, Artifacts, appgear

NAMES = {"pipeline.cdx.json", "pipeline.cdx.xml", "sbom.md", "SHA256SUMS"}
MODULE = "# Módulo 09 – Exemplo\n\n```yaml\n# a.yaml\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n```\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "module-09-exemplo.md").write_text(MODULE)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_the_same_bytes_wherever_it_runs(place: Path) -> None:
    found = []
    for number, extra in enumerate(
        ({"TZ": "Asia/Tokyo"}, {"LANG": "pt_BR.UTF-8", "HOME": "/nowhere", "COLUMNS": "40"})
    ):
        artifacts = place / f"artifacts-{number}"
        env = {"SOURCE_DATE_EPOCH": "1763856000", **extra}
        ran = appgear("sbom", "--module", "module-09-exemplo.md", "--artifacts", artifacts, cwd=place, env=env)
        assert ran.code == 0, ran.err
        assert "NTIA: 100,0 %" in ran.out
        found.append(files(artifacts / "sbom" / Artifacts(artifacts).run))
    assert found[0] == found[1]
    assert found[0].keys() == NAMES
    assert not any(str(place).encode() in data for data in found[0].values())
    document = json.loads(found[0]["pipeline.cdx.json"])
    assert document["metadata"]["timestamp"] == "2025-11-23T00:00:00Z"


def test_a_second_time_reads_what_is_there(place: Path) -> None:
    first = appgear("sbom", "--module", "module-09-exemplo.md", cwd=place)
    assert first.code == 0, first.err
    assert "SBOM: listando" in first.err
    assert "aviso: pipeline: faltam elementos mínimos da NTIA (timestamp); veja sbom.md" in first.err
    before = files(place / "artifacts" / "sbom" / Artifacts(place / "artifacts").run)
    again = appgear("sbom", "--module", "module-09-exemplo.md", cwd=place)
    assert again.out == first.out
    assert "SBOM: listando" not in again.err
    folder = place / "artifacts" / "sbom" / Artifacts(place / "artifacts").run
    assert files(folder) == before
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    (folder / "pipeline.cdx.json").write_bytes(b"{}")
    assert appgear("sbom", "--module", "module-09-exemplo.md", cwd=place).code == 5


def test_a_denied_licence_stops(place: Path) -> None:
    (place / "appgear.toml").write_text('[sbom]\ndeny = ["MPL-2.0"]\nwarn = ["ISC"]\n')
    ran = appgear("sbom", "--module", "module-09-exemplo.md", cwd=place)
    assert ran.code == 10
    assert "licença negada (CRITICA): certifi" in ran.out
    run = Artifacts(place / "artifacts").run
    assert "| MEDIA | aviso |" in (place / "artifacts" / "sbom" / run / "sbom.md").read_text()
    assert json.loads((place / "artifacts" / "index.jsonl").read_text())["verdict"] == "bloqueado"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[sbom]\ndeny = ["GPL"]\n', "não é um identificador SPDX"),
        ("[sbom]\ndeny = 3\n", "deve ser do tipo list"),
        ("[sbom]\nforbid = []\n", "chave desconhecida `forbid`"),
    ],
)
def test_a_wrong_policy_is_told(place: Path, text: str, said: str) -> None:
    (place / "appgear.toml").write_text(text)
    ran = appgear("sbom", "--module", "module-09-exemplo.md", cwd=place)
    assert ran.code == 2
    assert said in ran.error


def test_what_changed_between_two(place: Path) -> None:
    for name, graph in (
        ("old.json", sbom(component("a"), component("b", licence="ISC"))),
        ("new.json", sbom(component("a", "1.1.0"), component("c", licence="AGPL-3.0-only"))),
    ):
        (place / name).write_bytes(dump_cyclonedx(graph, serial_number(graph)))
    ran = appgear("sbom", "--diff", "old.json", "new.json", cwd=place)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "componentes: 2 antes, 2 depois",
        "+ npm c 1.0.0 (AGPL-3.0-only)",
        "- npm b 1.0.0 (ISC)",
        "~ npm a 1.0.0 → 1.1.0",
        "+ licença AGPL-3.0-only",
        "- licença ISC",
    ]
    (place / "appgear.toml").write_text('[sbom]\ndeny = ["AGPL-3.0-only"]\n')
    gated = appgear("sbom", "--diff", "old.json", "new.json", "--json", cwd=place)
    assert gated.code == 10
    value = json.loads(gated.out)
    assert [each["component"] for each in value["findings"]] == ["c"]
    assert value["change"]["licences_new"] == ["AGPL-3.0-only"]
    assert appgear("sbom", "--diff", "new.json", "new.json", cwd=place).code == 0, "what was there before stays"
    assert not (place / "artifacts").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--diff", "old.json", "gone.json"], 3, "não existe"),
        (["--diff", "old.json", "module-09-exemplo.md"], 3, "não é um SBOM CycloneDX"),
        (["--json"], 2, "--json vale com --diff"),
    ],
)
def test_bad_use_is_one_line(place: Path, arguments: list[str], code: int, said: str) -> None:
    graph = sbom(component("a"))
    (place / "old.json").write_bytes(dump_cyclonedx(graph, serial_number(graph)))
    ran = appgear("sbom", *arguments, cwd=place)
    assert ran.code == code
    assert said in ran.error


def test_the_wheel_holds_the_lock() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in ("pipeline.txt", "pipeline.metadata.toml"):
        assert f'"requirements/{name}" = "pipeline/requirements/{name}"' in text
        assert (ROOT / "requirements" / name).is_file()

"""``indice`` as its users meet it: tables, JSON, CSV, the panel; and what it says of an index that is not one."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from indexkit import Folder, at, figures
from pipeline.ledger import INDEX
from trailcli import ROOT, Artifacts, Ran, appgear

HOSTILE = '=HYPERLINK("http://x")</td><script>x</script>\x1b[2J\u202e'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    found = Folder(tmp_path_factory.mktemp("index") / "artifacts")
    tested: dict[str, Any] = {"tests_passed": 9, "tests_failed": 0, "coverage": 91.5}
    found.run("m07-a", 1, measures=figures(2, names="ab", residual_risk=60, subjects=2), verdict="bloqueado")
    found.run("m07-b", 5, measures=figures(1, names="b", residual_risk=40, subjects=2, described=1, **tested))
    found.run("m08-c", 20, measures=figures(0, residual_risk=5, subjects=1, **tested), branch="dev")
    found.run("m08-d", 21, verdict="erro", branch=HOSTILE, pipeline="+1")
    return found


def indice(folder: Folder, *arguments: str | Path) -> Ran:
    return appgear("indice", "--artifacts", folder.path, *arguments, cwd=folder.path.parent)


def test_the_table_and_the_figures(folder: Folder) -> None:
    ran = indice(folder)
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"1 +2026-01-06 12:00 +M07 +main +checklist +bloqueado +0/2/2/0 +60 +m07-", ran.out)
    assert re.search(r"S1 · 05/01/26 +2 +1 +0 +1 +0 +0/1/1/0 +40 +40 +1 +4 +1 +91,5 +50 +2", ran.out)
    assert re.search(r"Total +4", ran.out)
    assert "maturidade 2 de 5" in ran.out
    assert "\x1b" not in ran.out
    only = indice(folder, "--kpi", "--by", "module")
    assert "LINHA" not in only.out
    assert re.search(r"^M08 ", only.out, re.MULTILINE)


def test_filters(folder: Folder) -> None:
    assert len(json.loads(indice(folder, "--json", "--module-id", "m08").out)["lines"]) == 2
    assert len(json.loads(indice(folder, "--json", "--verdict", "bloqueado", "--verdict", "erro").out)["lines"]) == 2
    assert len(json.loads(indice(folder, "--json", "--branch", "dev", "--since", "2026-01-20").out)["lines"]) == 1
    assert len(json.loads(indice(folder, "--json", "--sprint", "1", "--until", "2026-01-06").out)["lines"]) == 1
    assert "nenhuma linha" in indice(folder, "--module-id", "M99").out
    assert indice(folder, "--since", "20/01/2026").code == 2
    assert indice(folder, "--verdict", "talvez").code == 2


def test_the_calendar_is_the_configuration_s(folder: Folder) -> None:
    config = folder.path.parent / "other.toml"
    config.write_text("[kpi]\nsprint_start = 2026-01-01\nsprint_days = 7\n", encoding="utf-8")
    rows = json.loads(indice(folder, "--json", "--config", config).out)["rows"]
    assert [row["label"] for row in rows] == ["S1 · 01/01/26", "S2 · 08/01/26", "S4 · 22/01/26"]
    for wrong in ("sprint_days = 0", "sprint_days = 400", 'sprint_start = "2026-01-01"', "sprint = 1"):
        config.write_text(f"[kpi]\n{wrong}\n", encoding="utf-8")
        assert indice(folder, "--config", config).code == 2


def test_the_calendar_changes_no_run(tmp_path: Path) -> None:
    (tmp_path / "module-07.md").write_text(
        "# Módulo 07 – x\n\n```yaml\napiVersion: v1\nkind: Namespace\n```\n", encoding="utf-8"
    )
    config = tmp_path / "appgear.toml"
    runs = set()
    for days in (7, 14):
        config.write_text(f"[kpi]\nsprint_days = {days}\n", encoding="utf-8")
        appgear("mapa_nc", "--module", "module-07.md", cwd=tmp_path)
        runs.add(Artifacts(tmp_path / "artifacts").run)
    assert len(runs) == 1


def test_json_is_valid_under_its_schema(folder: Folder) -> None:
    schema = json.loads((ROOT / "schemas" / "indice.schema.json").read_bytes())
    validator = jsonschema_rs.Draft202012Validator(schema)
    for arguments in ((), ("--module-id", "M99"), ("--by", "branch")):
        value = json.loads(indice(folder, "--json", *arguments).out)
        assert [each.message for each in validator.iter_errors(value)] == []


def test_csv_holds_no_formula(folder: Folder) -> None:
    rows = list(csv.reader(io.StringIO(indice(folder, "--csv").out)))
    assert len({len(row) for row in rows}) == 1
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert "'+1" in cells
    assert not any("\x1b" in cell or "\u202e" in cell for cell in cells)
    figures_ = list(csv.DictReader(io.StringIO(indice(folder, "--csv", "--kpi").out)))
    assert [row["grupo"] for row in figures_] == ["S1 · 05/01/26", "S2 · 19/01/26", "Total"]
    assert figures_[0]["dias_medios"] == "4.0"
    assert figures_[1]["nc_alta"] == "0"


def test_the_panel_is_one_page_with_the_same_bytes(folder: Folder, tmp_path: Path) -> None:
    assert indice(folder, "--html", tmp_path / "painel.html").code == 0
    data = (tmp_path / "painel.html").read_bytes()
    assert indice(folder, "--html", tmp_path / "again.html").code == 0
    assert (tmp_path / "again.html").read_bytes() == data
    text = data.decode()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "default-src 'none'" in text
    assert text.count('<svg class="chart"') == 7
    assert len(set(re.findall(r'\bid="([^"]+)"', text))) == len(re.findall(r'\bid="([^"]+)"', text))
    none = indice(folder, "--html", tmp_path / "none.html", "--module-id", "M99")
    assert none.code == 0
    assert "Nenhuma linha do índice corresponde" in (tmp_path / "none.html").read_text(encoding="utf-8")
    chosen = ("--module-id", "m07", "--branch", "main", "--verdict", "aprovado")
    assert indice(folder, "--html", tmp_path / "some.html", *chosen).code == 0
    assert "módulo M07; branch main; veredito aprovado" in (tmp_path / "some.html").read_text(encoding="utf-8")


def test_an_index_that_is_none_is_told(folder: Folder, tmp_path: Path) -> None:
    missing = appgear("indice", "--artifacts", "nowhere", cwd=tmp_path)
    assert (missing.code, "nowhere" in missing.error) == (3, True)
    (tmp_path / "empty").mkdir()
    empty = appgear("indice", "--artifacts", "empty", cwd=tmp_path)
    assert (empty.code, "nenhuma execução registrada" in empty.error) == (3, True)
    assert not list((tmp_path / "empty").iterdir())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / INDEX).write_bytes(folder.read(INDEX).replace(b"bloqueado", b"aprovado_"))
    told = appgear("indice", "--artifacts", "broken", cwd=tmp_path)
    assert (told.code, "cadeia" in told.error) == (5, True)


def test_a_day_of_a_merge_is_the_day_of_the_execution(folder: Folder) -> None:
    assert folder.lines()[0].recorded_at == at(1)

"""What a job gathers for its CI system, and the modules that it is told of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cikit import SAMPLE
from pipeline.codec import dump_json
from pipeline.errors import ToolError
from pipeline.report.ci import merge_code_quality, merge_sarif
from trailcli import Artifacts, appgear, snapshot, write_tree

HOSTILE = """\
apiVersion: v1
kind: Service
metadata:
  name: "a|b<img src=x onerror=alert(1)>\\e[31m"
  namespace: "`x`"
spec:
  type: NodePort
"""


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's two modules and a hostile one, audited and gathered."""
    folder = tmp_path_factory.mktemp("recolhe")
    write_tree(folder / "modules" / "m66-<b>x", {"a.yaml": HOSTILE})
    for name in ("m40-avisos", "m41-agenda.md"):
        source = SAMPLE / "modules" / name
        files = {"": source} if source.is_file() else {each.name: each for each in source.iterdir()}
        write_tree(folder, {f"modules/{name}/{rest}".rstrip("/"): each.read_bytes() for rest, each in files.items()})
    assert appgear("mapa_nc", "--module", "modules/*", cwd=folder).code == 0
    ran = appgear("ci", "collect", "build/ci", cwd=folder)
    assert (ran.code, ran.out) == (0, "recolhido: 3 módulos em build/ci\n")
    return folder


def test_one_sarif_holds_every_result_with_its_own_rule(gathered: Path) -> None:
    merged = json.loads((gathered / "build/ci/mapa_nc.sarif").read_bytes())
    (run,) = merged["runs"]
    assert run["automationDetails"] == {"id": "appgear/mapa-nc/"}
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    parts = [
        json.loads(path.read_bytes())["runs"][0] for path in (gathered / "artifacts").glob("reports/*/mapa_nc.sarif")
    ]
    assert len(parts) == 3
    assert len(run["results"]) == sum(len(part["results"]) for part in parts) > 0
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])
    assert len(run["invocations"]) == 3


def test_the_summary_tells_the_worst_first_and_obeys_no_name(gathered: Path) -> None:
    text = (gathered / "build/ci/resumo.md").read_text(encoding="utf-8")
    assert text.startswith("## AppGear: 3 módulos\n")
    rows = [line for line in text.splitlines() if line.startswith("| `M")]
    assert rows[0].startswith("| `M66")
    assert "EDGE-SVC" in text
    assert "\x1b" not in text
    assert "<img" not in text.replace("`", "").replace("\\<", "")
    assert "| Módulo | Passaram | Falharam | Não puderam rodar | Puladas |" in text


def test_code_quality_and_junit_are_of_all_modules(gathered: Path) -> None:
    issues = json.loads((gathered / "build/ci/codequality.json").read_bytes())
    assert len({each["fingerprint"] for each in issues}) == len(issues) > 0
    assert len(list((gathered / "build/ci/junit").glob("*.xml"))) == 3


def test_gathering_again_replaces_and_reads_only_what_is_intact(gathered: Path, tmp_path: Path) -> None:
    again = appgear("ci", "collect", tmp_path / "outra", "--artifacts", gathered / "artifacts", cwd=tmp_path)
    assert again.code == 0
    before = snapshot(gathered / "artifacts", without=gathered / "artifacts" / ".lock")
    assert appgear("ci", "collect", tmp_path / "outra", "--artifacts", gathered / "artifacts", cwd=tmp_path).code == 0
    assert snapshot(gathered / "artifacts", without=gathered / "artifacts" / ".lock") == before
    changed = next((gathered / "artifacts").glob("reports/*/mapa_nc.sarif"))
    data = changed.read_bytes()
    changed.write_bytes(data.replace(b"2.1.0", b"2.1.1", 1))
    try:
        ran = appgear("ci", "collect", tmp_path / "mais", "--artifacts", gathered / "artifacts", cwd=tmp_path)
    finally:
        changed.write_bytes(data)
    assert ran.code == 5
    assert not (tmp_path / "mais").exists()


def test_with_nothing_to_gather_it_says_so(tmp_path: Path) -> None:
    ran = appgear("ci", "collect", cwd=tmp_path)
    assert ran.code == 4
    assert "nenhuma execução a recolher" in ran.error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_left_alone(gathered: Path, tmp_path: Path) -> None:
    (tmp_path / "meu").mkdir()
    (tmp_path / "meu" / "texto.txt").write_text("meu", encoding="utf-8")
    ran = appgear("ci", "collect", tmp_path / "meu", "--artifacts", gathered / "artifacts", cwd=tmp_path)
    assert ran.code == 3
    assert [each.name for each in (tmp_path / "meu").iterdir()] == ["texto.txt"]


def test_verdicts_come_into_the_summary(tmp_path: Path) -> None:
    module = SAMPLE / "modules/m40-avisos"
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "sem-chave")}
    assert appgear("checklist", "--module", module, cwd=tmp_path, env=environment).code == 0
    assert appgear("ci", "collect", cwd=tmp_path).code == 0
    assert "1 módulo, 1 aprovado" in (tmp_path / "build/ci/resumo.md").read_text(encoding="utf-8")
    Artifacts(tmp_path / "artifacts").check_sums()


def test_modules_are_one_json_array(gathered: Path) -> None:
    ran = appgear("ci", "modules", "--module", "modules/*", cwd=gathered)
    assert json.loads(ran.out) == ["modules/m40-avisos", "modules/m41-agenda.md", "modules/m66-<b>x"]
    assert appgear("ci", "modules", cwd=gathered).out == ran.out
    none = appgear("ci", "modules", "--module", "nada/*", cwd=gathered)
    assert none.code == 3
    assert "nenhum caminho casa com o padrão" in none.error


def test_changed_audits_the_modules_of_the_files_alone(gathered: Path, tmp_path: Path) -> None:
    words = ("ci", "changed", "--artifacts", tmp_path / "a", "--fail-on", "CRITICA")
    assert appgear(*words, "LEIA.md", "modules/m40", cwd=gathered).out == "nenhum módulo mudou\n"
    assert not (tmp_path / "a").exists()
    good = appgear(*words, "modules/m40-avisos/service.yaml", "LEIA.md", cwd=gathered)
    assert good.code == 0
    assert "M40AVISOS" in good.out
    bad = appgear(*words, "modules/m66-<b>x/a.yaml", "modules/m41-agenda.md", cwd=gathered)
    assert bad.code == 10


def test_more_results_than_a_service_takes_are_refused() -> None:
    rule = {"id": "A"}
    run = {
        "tool": {"driver": {"rules": [rule]}},
        "results": [{"ruleId": "A", "ruleIndex": 0}] * 12_501,
        "invocations": [],
        "artifacts": [],
    }
    log = dump_json({"runs": [run]})
    assert len(json.loads(merge_sarif([log]))["runs"][0]["results"]) == 12_501
    with pytest.raises(ToolError, match="25002 achados"):
        merge_sarif([log, log])


def test_no_issue_is_an_empty_array() -> None:
    assert merge_code_quality([b"[]\n", b"[]\n"]) == b"[]\n"

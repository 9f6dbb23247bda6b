"""Reports: hostile text stays text, machine files are what consumers read."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from msgspec.structs import replace
from test_flow_checking import check
from test_flow_planning import MODULE, finding, plan

from pipeline.domain.artifact import FileEntry, FileOrigin, MapaNc, RuleInfo, SourceInfo, Summary
from pipeline.domain.finding import FixMode, Location, NotRun, ObjectRef, Severity
from pipeline.report.checklist import render_checklist, render_flow
from pipeline.report.console import Console
from pipeline.report.fingerprint import LineHashes
from pipeline.report.machine import render_audit_yaml, render_code_quality, render_junit
from pipeline.report.mapa import render_mapa
from pipeline.report.plan import render_plan
from pipeline.report.sarif import render_sarif
from pipeline.report.text import block, code, plain

HOSTILE = "</td><script>alert(1)</script> [x](javascript:alert(1)) ![i](http://e/x) `a`|b`` \x1b[31m\u202e <!-- # h ##"


def mapa_of(*findings: Any, **given: Any) -> MapaNc:
    counts = {severity: sum(each.severity is severity for each in findings) for severity in Severity}
    values: dict[str, Any] = {
        "run": "m00-0",
        "module": MODULE,
        "source": SourceInfo(commit="a" * 40, branch="main", dirty=True),
        "files": (FileEntry(path="a.yaml", sha256="0" * 64, origin=FileOrigin(kind="heredoc", document_line=3)),),
        "non_conformities": findings,
        "summary": Summary(total=len(findings), by_severity=counts, by_rule={}),
        "examined": {"TST-ONE": 2, "TST-IDLE": 0},
        "not_run": (),
    }
    return MapaNc(**(values | given))


def rule_info(rule_id: str, *, examined: int = 2, severity: Severity = Severity.MEDIA) -> RuleInfo:
    return RuleInfo(
        id=rule_id,
        severity=severity,
        title="Título da regra",
        explanation="Porquê.",
        remedy="Faça.",
        sources=("SCH",),
        fix=FixMode.AUTO,
        responsible="DevOps",
        due_days=30,
        reading="",
        examined=examined,
    )


RULES = (rule_info("TST-IDLE", examined=0), rule_info("TST-ONE"))


def hostile_finding() -> Any:
    return finding(
        1,
        title=HOSTILE,
        description=HOSTILE,
        snippet=HOSTILE,
        object=ObjectRef(kind=HOSTILE, name=HOSTILE, namespace=HOSTILE),
        location=Location(path=HOSTILE, line=1, column=1, yaml_path=HOSTILE),
    )


@pytest.mark.parametrize("text", [HOSTILE, "`", "``", "a`b", "`x` e `y`", "*x* _y_ [z]", "1. a", ""])
def test_markdown_of_any_text_holds_no_active_element(text: str) -> None:
    for shown in (plain(text), code(text)):
        tokens = MarkdownIt("commonmark").enable("table").parseInline(shown)[0].children or []
        assert {token.type for token in tokens} <= {"text", "code_inline", "text_special"}


def test_a_block_holds_its_own_fences() -> None:
    tokens = MarkdownIt().parse(block("```\n# x\n````\n", "diff"))
    assert [token.type for token in tokens] == ["fence"]


@pytest.mark.parametrize(
    "render",
    [
        lambda: render_mapa(mapa_of(hostile_finding()), RULES, {"M00-NC-001": HOSTILE}),
        lambda: render_plan(plan(hostile_finding()), {"M00-AC-001": HOSTILE}),
        lambda: render_checklist(check(drift=(HOSTILE,))),
    ],
)
def test_reports_of_hostile_names_have_no_html_link_or_control_character(render: Any) -> None:
    text = render().decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    html = MarkdownIt("js-default", {"html": True}).render(text)
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert "<!--" not in html


def test_the_map_tells_place_reason_source_and_correction() -> None:
    nc = finding(1, location=Location(path="a.yaml", line=5, column=3, document_line=12, yaml_path="spec.x"))
    text = render_mapa(mapa_of(nc), RULES, {"M00-NC-001": "-a\n+b"}).decode()
    for part in (
        "# MAPA_NC · M00 · X (v0.3)",
        "1 NC aberta: **1 MEDIA**",
        "linha 5 (linha 12 do documento), em `spec.x`",
        "Fonte: SCH.",
        "```diff\n-a\n+b\n```",
        "DevOps, em até 30 dias.",
        "`aaaaaaaaaaaa` (main), com alterações não commitadas",
        "nada a examinar): `TST-IDLE`",
    ):
        assert part in text


def test_what_was_resolved_and_what_could_not_be_judged_are_told() -> None:
    absent = NotRun(rule="VAL-SCHEMA", reason="tipo Foo", location=Location(path="b.yaml", line=2, column=1))
    made = mapa_of(finding(1, status="resolvida"), not_run=(absent, NotRun(rule="X", reason="KeyError", crashed=True)))
    text = render_mapa(replace(made, summary=Summary(total=0, by_severity={}, by_rule={})), RULES, {}).decode()
    assert "Resolvidas desde a referência" in text
    assert "| `VAL-SCHEMA` | `b.yaml` linha 2 | tipo Foo |" in text
    assert "**a regra falhou**: KeyError" in text


def test_a_clean_module_says_how_much_was_examined() -> None:
    assert "> Nenhuma NC em 2 verificações sobre 1 arquivo." in render_mapa(mapa_of(), RULES, {}).decode()


def test_the_flow_has_exactly_its_four_headings_in_order() -> None:
    from pipeline.domain.artifact import AppliedChange, Proof, Rewrite, RewrittenEntry, UnappliedChange

    record = Rewrite(
        run="m00-0",
        module=MODULE,
        plano_correcao_sha256="",
        files=(RewrittenEntry(path="a.yaml", sha256="1" * 64, before="0" * 64),),
        patch_sha256="",
        applied=(AppliedChange(action="A", path="a.yaml", summary="x"),),
        not_applied=(UnappliedChange(action="A", path="b.yaml", reason="# mudou"),),
        proof=Proof(idempotent=False, auto_left=("N1",), introduced=(), open_before=1, open_after=0),
    )
    text = render_flow(mapa_of(hostile_finding()), plan(hostile_finding()), record, check(), {}).decode()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    headings = [
        tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag <= "h3"
    ]
    assert headings == ["MAPA_NC", "PLANO_CORRECAO", "MODULO_REESCRITO", "CHECKLIST"]
    assert "1 arquivo mudou" in text


def test_the_plan_asks_for_the_values_it_waits_for() -> None:
    from pipeline.domain.finding import Operation, Param, PatchChange

    param = Param(name="images.x", question="Qual versão?")
    change = PatchChange(path="a.yaml", document=0, operations=(Operation(op="add", path="/x", value=param),))
    text = render_plan(plan(finding(1, changes=(change,), mode=FixMode.PARAM)), {}).decode()
    assert '[parameters.images]\n# Qual versão?\n"x" = ""' in text
    assert "espera decisão" in text
    assert "> Nada a corrigir." in render_plan(plan(), {}).decode()


def line_hashes(text: str) -> list[str]:
    hashes = LineHashes(text)
    return [hashes.of(line) for line in range(1, len(hashes) + 1)]


def test_line_hashes_are_those_of_the_published_vectors() -> None:
    assert line_hashes("") == ["c129715d7a2bc9a3:1"]
    same = line_hashes("a\n" * 200)
    assert same[0].removesuffix(":1") == same[1].removesuffix(":2")
    assert line_hashes("\U0001f469\n" * 2 + "é\nx")[1:] != line_hashes("é\nx")
    assert line_hashes("\U0001f469\n" * 99 + "é\nx")[-2:] == line_hashes("é\nx")
    assert line_hashes("a b\tc\r\nx") == line_hashes("abc\nx") == line_hashes("abc\rx")


def test_junit_is_read_back_with_failures_errors_and_skips() -> None:
    absent = NotRun(rule="VAL-SCHEMA", reason="x\x00]]>", location=Location(path="b.yaml", line=2, column=1))
    made = mapa_of(hostile_finding(), finding(2), finding(3), not_run=(absent,))
    data = render_junit(made, (*RULES, rule_info("TST-GOOD"), rule_info("VAL-SCHEMA")))
    (suite,) = JUnitXml.fromstring(data)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 3, 1, 1)
    names = [(case.classname, case.name) for case in suite]
    assert len(set(names)) == len(names)
    assert ET.fromstring(data).tag == "testsuites"  # noqa: S314  # our own file


def test_code_quality_points_to_committed_files_with_unique_fingerprints() -> None:
    embedded = finding(1, location=Location(path="a.yaml", line=5, column=3, document_line=12))
    tree = finding(2, severity=Severity.CRITICA, location=Location(path="t.yaml", line=2, column=1))
    issues = json.loads(render_code_quality(mapa_of(embedded, tree), {"doc": "docs/m.md", "t.yaml": "m/t.yaml"}))
    assert [(each["location"]["path"], each["location"]["lines"]["begin"]) for each in issues] == [
        ("docs/m.md", 12),
        ("m/t.yaml", 2),
    ]
    assert [each["severity"] for each in issues] == ["major", "blocker"]


def test_the_form_of_the_platform_is_kept() -> None:
    made = yaml.safe_load(render_audit_yaml(mapa_of(finding(1))))
    (entry,) = made["M00"]
    assert list(entry) == ["id", "severidade", "status", "descricao", "fonte"]
    assert entry["severidade"] == "MEDIA"


def test_of_more_than_services_take_sarif_gives_the_worst_and_says_so() -> None:
    severities = (Severity.BAIXA, Severity.CRITICA, Severity.MEDIA, Severity.CRITICA, Severity.ALTA)
    made = mapa_of(*(finding(number, severity=each) for number, each in enumerate(severities)))
    sources = {each.location.path: (each.location.path, None) for each in made.non_conformities}
    log = render_sarif(made, RULES, sources, version="0.1.0", homepage="https://example.org", most=3)
    (run,) = json.loads(log)["runs"]
    assert [each["properties"]["severity"] for each in run["results"]] == ["CRITICA", "CRITICA", "ALTA"]
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "os 3 achados mais graves de 5" in told["message"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_points_to_the_document_and_says_what_did_not_run() -> None:
    embedded = finding(1, location=Location(path="a.yaml", line=1, column=3, document_line=2), snippet="x: 1")
    made = mapa_of(embedded, not_run=(NotRun(rule="TST-ONE", reason="caiu", crashed=True),))
    sources = {"doc": ("docs/módulo.md", "# t\n  x: 1\n")}
    run = json.loads(render_sarif(made, RULES, sources, version="0.1.0", homepage="https://example.org"))["runs"][0]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "docs/m%C3%B3dulo.md"
    assert place["region"] | {"snippet": None} == {
        "startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 7, "snippet": None,
    }  # fmt: skip
    assert set(result["partialFingerprints"]) == {"appgearNc/v1", "primaryLocationLineHash"}
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "TST-ONE"
    assert run["invocations"][0]["executionSuccessful"] is False


def shown(*, quiet: bool = False, colour: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, quiet=quiet, colour=colour)
    console.progress("::set-output name=x::y\x1b")
    console.warn("cuidado")
    console.mapa(replace(mapa_of(finding(1)), module=replace(MODULE, title="\x1b[2J")), "relatório: x")
    console.checklist(check(drift=("a\nb",)), "relatório: y")
    console.lines(["##vso[task]"])
    return out.getvalue(), err.getvalue()


def test_the_terminal_gets_nothing_to_obey() -> None:
    out, err = shown()
    assert "\x1b" not in out + err
    assert "·::set-output" in err
    assert "##·vso" in out
    assert "relatório: x" in out
    assert "condicional" in out


def test_colour_is_only_where_asked_and_quiet_keeps_warnings() -> None:
    assert "\x1b[1;33mcondicional\x1b[0m" in shown(colour=True)[0]
    out, err = shown(quiet=True)
    assert out == ""
    assert err == "aviso: cuidado\n"

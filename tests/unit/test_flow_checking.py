"""CHECKLIST: three ways to say no, and a verdict by criticality."""

from __future__ import annotations

from typing import Any

import pytest
from test_flow_planning import MODULE, finding, plan

from pipeline.domain.artifact import (
    Checklist,
    ChecklistItem,
    CorrectionPlan,
    Decision,
    Evidence,
    MapaNc,
    Proof,
    Rewrite,
    SourceInfo,
    Summary,
    UnappliedChange,
)
from pipeline.domain.finding import NotRun, Severity
from pipeline.flow.answers import CheckInput, SuiteResults
from pipeline.flow.checking import build_checklist
from pipeline.module.document import read_document

FILE = Evidence(path="reports/m00-0/x", sha256="0" * 64)
TESTS = SuiteResults(passed=10, failed=0, skipped=1, coverage=91.26, evidence=(FILE,))


def after(**given: Any) -> MapaNc:
    values: dict[str, Any] = {
        "run": "m00-0",
        "module": MODULE,
        "source": SourceInfo(commit=None, branch=None, dirty=False),
        "files": (),
        "non_conformities": (),
        "summary": Summary(total=0, by_severity={}, by_rule={}),
        "examined": {},
        "not_run": (),
    }
    return MapaNc(**(values | given))


def check(**given: Any) -> Checklist:
    mapa = after(non_conformities=given.pop("before", ()))
    proof = given.pop("proof", Proof(idempotent=True, auto_left=(), introduced=(), open_before=0, open_after=0))
    rewrite = Rewrite(
        run="m00-0",
        module=MODULE,
        plano_correcao_sha256="",
        files=(),
        patch_sha256="",
        applied=(),
        not_applied=given.pop("not_applied", ()),
        proof=proof,
    )
    values: dict[str, Any] = {
        "mapa": mapa,
        "plan": CorrectionPlan(run="m00-0", module=MODULE, mapa_nc_sha256="", actions=()),
        "rewrite": rewrite,
        "after": after(examined={"TST-ONE": 3}),
        "document": None,
        "tests": TESTS,
        "drift": (),
        "retention_days": 90,
        "evidence": lambda _category, _name: FILE,
    }
    return build_checklist(CheckInput(**(values | given)))


def only_nok(checklist: Checklist) -> ChecklistItem:
    (item,) = [each for each in checklist.items if each.result == "NOK"]
    return item


def test_everything_right_is_approved_and_later_stages_are_not_applicable() -> None:
    made = check()
    assert made.verdict == "aprovado"
    later = [each for each in made.items if each.state == "not-applicable"]
    assert len(later) == 8
    assert [each.reason.split(",")[0] for each in later[-2:]] == ["OUT-GRAMMAR", "VAL-CONFIG"]
    assert all(each.reason for each in later)
    assert all(each.evidence for each in made.items if each.result == "OK")
    assert [each.id for each in made.items][:2] == ["M00-CK-001", "M00-CK-002"]


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [
        (Severity.CRITICA, "bloqueado"),
        (Severity.ALTA, "condicional"),
        (Severity.MEDIA, "condicional"),
        (Severity.BAIXA, "aprovado"),
    ],
)
def test_the_verdict_follows_the_worst_finding_left(severity: Severity, verdict: str) -> None:
    left = after(non_conformities=(finding(1, severity=severity),), examined={"A": 1}, not_run=())
    made = check(after=left)
    assert made.verdict == verdict
    item = only_nok(made)
    assert item.state == "failed"
    assert "TST-ONE" in item.reason


def test_resolved_findings_of_the_second_audit_do_not_count() -> None:
    gone = after(
        non_conformities=(finding(1, severity=Severity.CRITICA, status="resolvida"),), examined={"A": 1}, not_run=()
    )
    assert check(after=gone).verdict == "aprovado"


def test_a_rule_that_crashed_blocks_as_could_not_run() -> None:
    judged = after(non_conformities=(), examined={"A": 1}, not_run=(NotRun(rule="B", reason="x", crashed=True),))
    item = only_nok(check(after=judged))
    assert (item.state, item.severity) == ("could-not-run", Severity.CRITICA)


def test_nothing_examined_is_never_green() -> None:
    judged = after(non_conformities=(), examined={"A": 0}, not_run=())
    made = check(after=judged)
    assert made.verdict == "bloqueado"
    assert only_nok(made).reason == "nada foi examinado"


def test_what_no_rule_could_judge_makes_it_conditional() -> None:
    judged = after(non_conformities=(), examined={"A": 1}, not_run=(NotRun(rule="B", reason="tipo novo"),))
    made = check(after=judged)
    assert made.verdict == "condicional"
    assert only_nok(made).state == "could-not-run"


@pytest.mark.parametrize(
    ("given", "state", "verdict", "said"),
    [
        ({"before": (finding(7),)}, "failed", "condicional", "M00-NC-007"),
        ({"drift": ("apps-core.yaml",)}, "failed", "condicional", "apps-core.yaml"),
        ({"retention_days": 30}, "failed", "condicional", "30 dias"),
        ({"tests": None}, "missing", "aprovado", "nox -s tests"),
        (
            {"proof": Proof(idempotent=False, auto_left=("N1",), introduced=("N2",), open_before=1, open_after=2)},
            "failed",
            "condicional",
            "reescrever de novo mudaria o resultado; ainda corrigíveis: N1; NC que não existiam: N2",
        ),
    ],
)
def test_each_way_to_be_incomplete_has_its_own_answer(
    given: dict[str, Any], state: str, verdict: str, said: str
) -> None:
    made = check(**given)
    assert made.verdict == verdict
    wrong = [each for each in made.items if each.result == "NOK"]
    assert {each.state for each in wrong} == {state}
    assert said in wrong[0].reason


def test_a_change_that_was_not_applied_counts_while_its_finding_is_open() -> None:
    action = plan(finding(1)).actions[0]
    given = {
        "plan": CorrectionPlan(run="m00-0", module=MODULE, mapa_nc_sha256="", actions=(action,)),
        "not_applied": (UnappliedChange(action=action.id, path="a.yaml", reason="mudou"),),
    }
    open_still = after(non_conformities=(finding(1, severity=Severity.BAIXA),), examined={"A": 1})
    assert check(**given).verdict == "aprovado"
    made = check(**given, after=open_still)
    assert made.verdict == "condicional"
    assert [each.reason for each in made.items if each.severity is Severity.MEDIA and each.result == "NOK"] == [
        f"{action.id} em a.yaml: mudou"
    ]


def test_tests_that_failed_block_and_low_coverage_is_conditional() -> None:
    failed = SuiteResults(passed=9, failed=1, skipped=0, coverage=90, evidence=(FILE,))
    low = SuiteResults(passed=9, failed=0, skipped=0, coverage=84.99, evidence=(FILE,))
    none = SuiteResults(passed=0, failed=0, skipped=0, coverage=90, evidence=(FILE,))
    assert check(tests=failed).verdict == "bloqueado"
    assert check(tests=none).verdict == "bloqueado"
    assert check(tests=low).verdict == "condicional"


def test_an_answer_without_evidence_is_missing() -> None:
    made = check(evidence=lambda _category, _name: None)
    assert made.verdict == "bloqueado"
    assert {each.state for each in made.items if each.result == "NOK"} == {"missing"}


def test_open_decisions_are_missing() -> None:
    waiting = plan(finding(1)).actions[0]
    from msgspec.structs import replace

    asked = replace(waiting, decisions=(Decision(parameter="images.x", question="?"),))
    made = check(plan=CorrectionPlan(run="m00-0", module=MODULE, mapa_nc_sha256="", actions=(asked,)))
    assert "images.x" in only_nok(made).reason


@pytest.mark.parametrize(
    "section",
    [
        "## 5. Como verificar\n\n1. **GitOps**\n\n```bash\n1. não\n```\n2) Portal `x_y`\n\n## 6. Erros\n\n1. não\n",
        "## Como verificar\n\n### GitOps\n\ntexto\n\n### Portal **x_y**\n\n#### detalhe\n\n## Erros\n\n### não\n",
    ],
)
def test_the_checks_of_the_module_itself_become_questions(section: str) -> None:
    document = read_document(f"# M00 – X\n\n{section}".encode(), path="m.md")
    questions = [each.question for each in check(document=document).items if each.question.startswith("Como verificar")]
    assert questions == ["Como verificar: GitOps", "Como verificar: Portal x_y"]

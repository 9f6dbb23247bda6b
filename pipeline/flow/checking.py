"""CHECKLIST: what a delivery must show, answered from evidence alone."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from pipeline.domain.artifact import Checklist, ChecklistItem
from pipeline.domain.finding import Severity
from pipeline.flow.answers import Answer
from pipeline.flow.people import QUESTIONS
from pipeline.flow.released import on_conditions, on_image, on_opinion, on_pack, on_sbom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.artifact import Evidence
    from pipeline.domain.snapshot import Document
    from pipeline.flow.answers import CheckInput, State, SuiteResults

__all__ = ["build_checklist"]

_MIN_COVERAGE = 85.0
_MIN_RETENTION_DAYS = 90


def build_checklist(given: CheckInput) -> Checklist:
    """Every item with its answer; the verdict follows the worst of them.

    A CRITICA item that is not answered with OK or N.A. blocks; an ALTA or MEDIA one makes the verdict conditional;
    BAIXA ones are listed and do not change it. An OK without a file as evidence counts as missing.
    """
    answers = [
        *_trail(given),
        *_delivery(given),
        on_opinion(given),
        on_image(given),
        on_sbom(given),
        *on_pack(),
        *_for_people(),
        *_verification(given.document),
        *on_conditions(given),
    ]
    items = tuple(_item(f"{given.mapa.module.id}-CK-{number:03d}", each) for number, each in enumerate(answers, 1))
    return Checklist(run=given.mapa.run, module=given.mapa.module, items=items, verdict=_verdict(items))


def _verdict(items: Sequence[ChecklistItem]) -> Literal["aprovado", "condicional", "bloqueado"]:
    open_items = {each.severity for each in items if each.result == "NOK"}
    if Severity.CRITICA in open_items:
        return "bloqueado"
    return "condicional" if open_items & {Severity.ALTA, Severity.MEDIA} else "aprovado"


def _item(identifier: str, answer: Answer) -> ChecklistItem:
    evidence = tuple(each for each in answer.evidence if each is not None)
    state, reason = answer.state, answer.reason
    if state == "ok" and not evidence:
        state, reason = "missing", "nenhum arquivo comprova a resposta"
    results: dict[State, Literal["OK", "NOK", "N.A."]] = {"ok": "OK", "not-applicable": "N.A."}
    return ChecklistItem(
        id=identifier,
        question=answer.question,
        result=results.get(state, "NOK"),
        state=state,
        severity=answer.severity,
        reason=reason,
        evidence=evidence,
        sources=answer.sources,
    )


def _trail(given: CheckInput) -> Iterator[Answer]:
    """MAPA_NC, PLANO_CORRECAO and MODULO_REESCRITO, from their own files."""
    mapa_file = given.evidence("reports", "mapa_nc.json")
    rewrite_file = given.evidence("reports", "modulo_reescrito.json")
    for severity in Severity:
        left = [each for each in given.after.non_conformities if each.severity is severity and each.is_open]
        rules = ", ".join(sorted({each.rule for each in left}))
        yield Answer(
            question=f"O módulo reescrito está sem NC de severidade {severity}?",
            state="failed" if left else "ok",
            severity=severity,
            reason=f"{len(left)} em aberto: {rules}" if left else "",
            evidence=(rewrite_file,),
            sources=("AUD §5.3", "CIC §2"),
        )
    crashed = sorted({each.rule for each in given.after.not_run if each.crashed})
    unjudged = [each for each in given.after.not_run if not each.crashed]
    examined = sum(given.after.examined.values())
    yield Answer(
        question="Todas as regras rodaram sobre o módulo reescrito?",
        state="could-not-run" if crashed or not examined else "ok",
        severity=Severity.CRITICA,
        reason=f"não rodaram: {', '.join(crashed)}" if crashed else "" if examined else "nada foi examinado",
        evidence=(mapa_file,),
        sources=("AUD §5.2",),
    )
    yield Answer(
        question="Tudo o que o módulo contém pôde ser julgado?",
        state="could-not-run" if unjudged else "ok",
        severity=Severity.MEDIA,
        reason="; ".join(sorted({f"{each.rule}: {each.reason}" for each in unjudged})[:5]),
        evidence=(mapa_file,),
        sources=("AUD §5.2",),
    )
    planned = {closed for action in given.plan.actions for closed in action.closes}
    unplanned = [each.id for each in given.mapa.non_conformities if each.is_open and each.id not in planned]
    yield Answer(
        question="Cada NC tem ação com responsável e prazo no PLANO_CORRECAO?",
        state="failed" if unplanned else "ok",
        severity=Severity.ALTA,
        reason=", ".join(unplanned[:10]),
        evidence=(given.evidence("reports", "plano_correcao.json"),),
        sources=("CIC §2", "COO §15"),
    )
    waiting = sorted({each.parameter for action in given.plan.actions for each in action.decisions})
    yield Answer(
        question="Todas as decisões que o plano pede foram tomadas?",
        state="missing" if waiting else "ok",
        severity=Severity.MEDIA,
        reason=f"faltam em [parameters]: {', '.join(waiting[:10])}" if waiting else "",
        evidence=(given.evidence("reports", "plano_correcao.json"),),
        sources=("COO §15",),
    )
    yield from _proofs(given, rewrite_file)
    yield _waivers(given, mapa_file)


def _proofs(given: CheckInput, rewrite_file: Evidence | None) -> Iterator[Answer]:
    proof = given.rewrite.proof
    faults = [
        *([] if proof.idempotent else ["reescrever de novo mudaria o resultado"]),
        *([f"ainda corrigíveis: {', '.join(proof.auto_left[:5])}"] if proof.auto_left else []),
        *([f"NC que não existiam: {', '.join(proof.introduced[:5])}"] if proof.introduced else []),
    ]
    yield Answer(
        question="O MODULO_REESCRITO é estável, sem NC corrigível e sem NC nova?",
        state="failed" if faults else "ok",
        severity=Severity.ALTA,
        reason="; ".join(faults),
        evidence=(rewrite_file, given.evidence("reports", "modulo_reescrito.patch")),
        sources=("CIC §2", "COO §15"),
    )
    left = {each.id for each in given.after.non_conformities if each.is_open}
    unfinished = {action.id for action in given.plan.actions if left.intersection(action.closes)}
    refused = [each for each in given.rewrite.not_applied if each.action in unfinished]
    yield Answer(
        question="Toda NC que o plano corrigiria sozinho foi corrigida?",
        state="failed" if refused else "ok",
        severity=Severity.MEDIA,
        reason="; ".join(f"{each.action} em {each.path}: {each.reason}" for each in refused[:3]),
        evidence=(rewrite_file,),
        sources=("COO §15",),
    )


def _waivers(given: CheckInput, mapa_file: Evidence | None) -> Answer:
    ignored = given.mapa.ignored_waivers
    waived = given.mapa.summary.waived
    return Answer(
        question="As exceções registradas estão completas e dentro do prazo?",
        state="failed" if ignored else "ok" if waived else "not-applicable",
        severity=Severity.MEDIA,
        reason="; ".join(f"{each.place}: {each.reason}" for each in ignored) if ignored else f"{waived} NC sob exceção",
        evidence=(mapa_file,),
        sources=("CIC §8",),
    )


def _delivery(given: CheckInput) -> Iterator[Answer]:
    """Machine reports, ApplicationSets, tests, retention."""
    yield _present(given, "Os achados estão em SARIF 2.1.0?", "mapa_nc.sarif", ("CIC §2", "CIC §5"))
    yield _present(given, "Os achados estão em JUnit XML?", "mapa_nc.junit.xml", ("CIC §2",))
    drift = given.drift
    yield Answer(
        question="Os ApplicationSets gerados correspondem aos valores declarados?",
        state="not-applicable" if drift is None else "failed" if drift else "ok",
        severity=Severity.ALTA,
        reason="nenhum arquivo de valores configurado" if drift is None else ", ".join(drift),
        evidence=(given.evidence("reports", "applications.yaml"),),
        sources=("CON §5.3", "STK argocd"),
    )
    yield from _tests(given.tests)
    enough = given.retention_days >= _MIN_RETENTION_DAYS
    yield Answer(
        question=f"A evidência fica guardada por pelo menos {_MIN_RETENTION_DAYS} dias?",
        state="ok" if enough else "failed",
        severity=Severity.MEDIA,
        reason="" if enough else f"a configuração pede {given.retention_days} dias",
        evidence=(given.evidence("reports", "run.json"),),
        sources=("CIC §8", "REP §4"),
    )


def _present(given: CheckInput, question: str, name: str, sources: tuple[str, ...]) -> Answer:
    found = given.evidence("reports", name)
    return Answer(
        question=question,
        state="ok" if found else "missing",
        severity=Severity.MEDIA,
        reason="" if found else f"`{name}` não está na execução",
        evidence=(found,),
        sources=sources,
    )


def _tests(tests: SuiteResults | None) -> Iterator[Answer]:
    """Absent evidence is BAIXA (the toolkit's own tests are another command); failed evidence is not."""
    sources = ("CIC §5", "AUD §4.5")
    absent = "os testes desta versão não foram registrados: rode `nox -s tests`"
    yield Answer(
        question="Os testes da esteira passaram?",
        state="missing" if tests is None else "failed" if tests.failed or not tests.passed else "ok",
        severity=Severity.BAIXA if tests is None else Severity.CRITICA,
        reason=absent
        if tests is None
        else f"{tests.passed} passaram, {tests.failed} falharam, {tests.skipped} pulados",
        evidence=() if tests is None else tests.evidence,
        sources=sources,
    )
    enough = tests is not None and tests.coverage >= _MIN_COVERAGE
    yield Answer(
        question=f"A cobertura de testes é de pelo menos {_MIN_COVERAGE:.0f} %?",
        state="missing" if tests is None else "ok" if enough else "failed",
        severity=Severity.BAIXA if tests is None else Severity.MEDIA,
        reason=absent if tests is None else f"{tests.coverage:.1f} % das linhas".replace(".", ","),
        evidence=() if tests is None else tests.evidence,
        sources=sources,
    )


def _for_people() -> Iterator[Answer]:
    """Rows of the catalogue that no rule decides."""
    for each in QUESTIONS:
        yield Answer(
            question=each.question,
            state="not-applicable",
            severity=each.severity,
            reason=f"{each.rule}, para uma pessoa: {each.place}",
            sources=each.sources,
        )


def _verification(document: Document | None) -> Iterator[Answer]:
    """Checks that the module itself asks for: they need a person and a running platform."""
    if document is None:
        return
    for line, text in _steps(document):
        yield Answer(
            question=f"Como verificar: {text}",
            state="not-applicable",
            severity=Severity.BAIXA,
            reason=f"verificação manual na plataforma em execução (linha {line} do documento)",
            sources=("COO §2.1",),
        )


def _steps(document: Document) -> Iterator[tuple[int, str]]:
    """Numbered steps (or level-3 headings) of the section "Como verificar"."""
    inside = False
    level = 0
    headings = {each.line: each for each in document.headings}
    for number, line in document.prose():
        heading = headings.get(number)
        if heading is not None and (not inside or heading.level <= level):
            inside = _plain(heading.text).endswith("como verificar")
            level = heading.level
        elif inside and heading is not None and heading.level == level + 1:
            yield number, _inline(heading.text)
        elif inside and (step := re.match(r"\d{1,3}[.)] +(\S.*)", line)):
            yield number, _inline(step.group(1))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char)).strip()


def _inline(text: str) -> str:
    return re.sub(r"[*`]+|(?<!\w)_+|_+(?!\w)", "", text).strip()

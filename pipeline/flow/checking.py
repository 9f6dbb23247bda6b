"""CHECKLIST: what a delivery must show, answered from evidence alone."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline.domain.artifact import Checklist, ChecklistItem, CorrectionPlan, Evidence, MapaNc, Rewrite
from pipeline.domain.finding import Severity
from pipeline.flow.people import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.domain.opinion import Opinion
    from pipeline.domain.snapshot import Document

__all__ = ["CheckInput", "ImageState", "SbomState", "SuiteResults", "build_checklist"]

_MIN_COVERAGE = 85.0
_MIN_RETENTION_DAYS = 90
_State = Literal["ok", "failed", "missing", "could-not-run", "not-applicable"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteResults:
    """Results of the toolkit's own tests for the code that made this run; ``coverage`` in per cent of lines."""

    passed: int
    failed: int
    skipped: int
    coverage: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageState:
    """The image that releases the module, ``sha256`` of its document; ``failure`` (pt-BR) says why there is none."""

    name: str
    sha256: str = ""
    failure: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SbomState:
    """The image's SBOM: why it could not be made (pt-BR), and components whose licence the policy denies."""

    failure: str = ""
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckInput:
    """What the checklist is answered from. ``evidence`` finds a file of the run by category and name, None if absent.

    ``after`` is the second audit, that of the rewritten module. ``drift`` names ApplicationSet files that are not as
    their values say; None when there are no values to compare with. ``tests`` is None when they were not recorded,
    ``opinion`` when there is none, ``image`` when no image releases this module.
    """

    mapa: MapaNc
    plan: CorrectionPlan
    rewrite: Rewrite
    after: MapaNc
    document: Document | None
    tests: SuiteResults | None
    drift: tuple[str, ...] | None
    retention_days: int
    opinion: Opinion | None = None
    image: ImageState | None = None
    sbom: SbomState | None = None
    evidence: Callable[[str, str], Evidence | None] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """One item before it has a number."""

    question: str
    state: _State
    severity: Severity
    reason: str = ""
    evidence: tuple[Evidence | None, ...] = ()
    sources: tuple[str, ...]


def build_checklist(given: CheckInput) -> Checklist:
    """Every item with its answer; the verdict follows the worst of them.

    A CRITICA item that is not answered with OK or N.A. blocks; an ALTA or MEDIA one makes the verdict conditional;
    BAIXA ones are listed and do not change it. An OK without a file as evidence counts as missing.
    """
    answers = [
        *_trail(given),
        *_delivery(given),
        _opinion(given),
        _image(given),
        _sbom(given),
        *_afterwards(),
        *_for_people(),
        *_verification(given.document),
        *_conditions(given),
    ]
    items = tuple(_item(f"{given.mapa.module.id}-CK-{number:03d}", each) for number, each in enumerate(answers, 1))
    return Checklist(run=given.mapa.run, module=given.mapa.module, items=items, verdict=_verdict(items))


def _verdict(items: Sequence[ChecklistItem]) -> Literal["aprovado", "condicional", "bloqueado"]:
    open_items = {each.severity for each in items if each.result == "NOK"}
    if Severity.CRITICA in open_items:
        return "bloqueado"
    return "condicional" if open_items & {Severity.ALTA, Severity.MEDIA} else "aprovado"


def _item(identifier: str, answer: _Answer) -> ChecklistItem:
    evidence = tuple(each for each in answer.evidence if each is not None)
    state, reason = answer.state, answer.reason
    if state == "ok" and not evidence:
        state, reason = "missing", "nenhum arquivo comprova a resposta"
    results: dict[_State, Literal["OK", "NOK", "N.A."]] = {"ok": "OK", "not-applicable": "N.A."}
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


def _trail(given: CheckInput) -> Iterator[_Answer]:
    """MAPA_NC, PLANO_CORRECAO and MODULO_REESCRITO, from their own files."""
    mapa_file = given.evidence("reports", "mapa_nc.json")
    rewrite_file = given.evidence("reports", "modulo_reescrito.json")
    for severity in Severity:
        left = [each for each in given.after.non_conformities if each.severity is severity and each.is_open]
        rules = ", ".join(sorted({each.rule for each in left}))
        yield _Answer(
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
    yield _Answer(
        question="Todas as regras rodaram sobre o módulo reescrito?",
        state="could-not-run" if crashed or not examined else "ok",
        severity=Severity.CRITICA,
        reason=f"não rodaram: {', '.join(crashed)}" if crashed else "" if examined else "nada foi examinado",
        evidence=(mapa_file,),
        sources=("AUD §5.2",),
    )
    yield _Answer(
        question="Tudo o que o módulo contém pôde ser julgado?",
        state="could-not-run" if unjudged else "ok",
        severity=Severity.MEDIA,
        reason="; ".join(sorted({f"{each.rule}: {each.reason}" for each in unjudged})[:5]),
        evidence=(mapa_file,),
        sources=("AUD §5.2",),
    )
    planned = {closed for action in given.plan.actions for closed in action.closes}
    unplanned = [each.id for each in given.mapa.non_conformities if each.is_open and each.id not in planned]
    yield _Answer(
        question="Cada NC tem ação com responsável e prazo no PLANO_CORRECAO?",
        state="failed" if unplanned else "ok",
        severity=Severity.ALTA,
        reason=", ".join(unplanned[:10]),
        evidence=(given.evidence("reports", "plano_correcao.json"),),
        sources=("CIC §2", "COO §15"),
    )
    waiting = sorted({each.parameter for action in given.plan.actions for each in action.decisions})
    yield _Answer(
        question="Todas as decisões que o plano pede foram tomadas?",
        state="missing" if waiting else "ok",
        severity=Severity.MEDIA,
        reason=f"faltam em [parameters]: {', '.join(waiting[:10])}" if waiting else "",
        evidence=(given.evidence("reports", "plano_correcao.json"),),
        sources=("COO §15",),
    )
    yield from _proofs(given, rewrite_file)
    yield _waivers(given, mapa_file)


def _proofs(given: CheckInput, rewrite_file: Evidence | None) -> Iterator[_Answer]:
    proof = given.rewrite.proof
    faults = [
        *([] if proof.idempotent else ["reescrever de novo mudaria o resultado"]),
        *([f"ainda corrigíveis: {', '.join(proof.auto_left[:5])}"] if proof.auto_left else []),
        *([f"NC que não existiam: {', '.join(proof.introduced[:5])}"] if proof.introduced else []),
    ]
    yield _Answer(
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
    yield _Answer(
        question="Toda NC que o plano corrigiria sozinho foi corrigida?",
        state="failed" if refused else "ok",
        severity=Severity.MEDIA,
        reason="; ".join(f"{each.action} em {each.path}: {each.reason}" for each in refused[:3]),
        evidence=(rewrite_file,),
        sources=("COO §15",),
    )


def _waivers(given: CheckInput, mapa_file: Evidence | None) -> _Answer:
    ignored = given.mapa.ignored_waivers
    waived = given.mapa.summary.waived
    return _Answer(
        question="As exceções registradas estão completas e dentro do prazo?",
        state="failed" if ignored else "ok" if waived else "not-applicable",
        severity=Severity.MEDIA,
        reason="; ".join(f"{each.place}: {each.reason}" for each in ignored) if ignored else f"{waived} NC sob exceção",
        evidence=(mapa_file,),
        sources=("CIC §8",),
    )


def _delivery(given: CheckInput) -> Iterator[_Answer]:
    """Machine reports, ApplicationSets, tests, retention."""
    yield _present(given, "Os achados estão em SARIF 2.1.0?", "mapa_nc.sarif", ("CIC §2", "CIC §5"))
    yield _present(given, "Os achados estão em JUnit XML?", "mapa_nc.junit.xml", ("CIC §2",))
    drift = given.drift
    yield _Answer(
        question="Os ApplicationSets gerados correspondem aos valores declarados?",
        state="not-applicable" if drift is None else "failed" if drift else "ok",
        severity=Severity.ALTA,
        reason="nenhum arquivo de valores configurado" if drift is None else ", ".join(drift),
        evidence=(given.evidence("reports", "applications.yaml"),),
        sources=("CON §5.3", "STK argocd"),
    )
    yield from _tests(given.tests)
    enough = given.retention_days >= _MIN_RETENTION_DAYS
    yield _Answer(
        question=f"A evidência fica guardada por pelo menos {_MIN_RETENTION_DAYS} dias?",
        state="ok" if enough else "failed",
        severity=Severity.MEDIA,
        reason="" if enough else f"a configuração pede {given.retention_days} dias",
        evidence=(given.evidence("reports", "run.json"),),
        sources=("CIC §8", "REP §4"),
    )


def _present(given: CheckInput, question: str, name: str, sources: tuple[str, ...]) -> _Answer:
    found = given.evidence("reports", name)
    return _Answer(
        question=question,
        state="ok" if found else "missing",
        severity=Severity.MEDIA,
        reason="" if found else f"`{name}` não está na execução",
        evidence=(found,),
        sources=sources,
    )


def _tests(tests: SuiteResults | None) -> Iterator[_Answer]:
    """Absent evidence is BAIXA (the toolkit's own tests are another command); failed evidence is not."""
    sources = ("CIC §5", "AUD §4.5")
    absent = "os testes desta versão não foram registrados: rode `nox -s tests`"
    yield _Answer(
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
    yield _Answer(
        question=f"A cobertura de testes é de pelo menos {_MIN_COVERAGE:.0f} %?",
        state="missing" if tests is None else "ok" if enough else "failed",
        severity=Severity.BAIXA if tests is None else Severity.MEDIA,
        reason=absent if tests is None else f"{tests.coverage:.1f} % das linhas".replace(".", ","),
        evidence=() if tests is None else tests.evidence,
        sources=sources,
    )


def _opinion(given: CheckInput) -> _Answer:
    """The opinion itself: advisory ones are told and change no verdict."""
    question, sources = "Há parecer automatizado da IA, e ele não bloqueia a entrega?", ("CIC §3", "CIC §5")
    opinion = given.opinion
    if opinion is None:
        reason = "o parecer está desligado na configuração ([opinion] mode)"
        return _Answer(
            question=question, state="not-applicable", severity=Severity.ALTA, reason=reason, sources=sources
        )
    blocked = opinion.recommendation == "bloquear"
    severity = Severity.BAIXA if opinion.mode == "advisory" else Severity.CRITICA
    return _Answer(
        question=question,
        state="failed" if blocked else "ok",
        severity=severity,
        reason=f"recomenda bloquear (risco {opinion.risk_score}): {' '.join(opinion.reasons[:1])}" if blocked else "",
        evidence=(given.evidence("ai_reports", "parecer.json"),),
        sources=sources,
    )


def _conditions(given: CheckInput) -> Iterator[_Answer]:
    """What the opinion asks for and no other item does: open until somebody decides on it."""
    opinion = given.opinion
    if opinion is None or opinion.recommendation == "liberar":
        return
    severity = Severity.BAIXA if opinion.mode == "advisory" else Severity.ALTA
    for condition in opinion.conditions:
        if condition not in opinion.in_checklist:
            yield _Answer(
                question=f"Condição do parecer: {condition}",
                state="missing",
                severity=severity,
                reason="sem decisão registrada",
                evidence=(given.evidence("ai_reports", "parecer.json"),),
                sources=("CIC §3",),
            )


def _image(given: CheckInput) -> _Answer:
    question, sources = "A imagem do portal foi construída e tem digest?", ("CIC §3.4",)
    image, module = given.image, given.mapa.module.id
    if image is None:
        reason = f"a entrega de {module} não é uma imagem ([image] modules)"
        return _Answer(
            question=question, state="not-applicable", severity=Severity.ALTA, reason=reason, sources=sources
        )
    found = given.evidence("docker", f"{image.name}.image.json")
    return _Answer(
        question=question,
        state="could-not-run" if image.failure else "ok" if found else "missing",
        severity=Severity.ALTA,
        reason=image.failure or ("" if found else "a imagem não está na execução"),
        evidence=() if image.failure else (found,),
        sources=sources,
    )


def _sbom(given: CheckInput) -> _Answer:
    question, sources = "Há SBOM em CycloneDX (JSON e XML) e SPDX com SHA-256?", ("CIC §3.4", "REP §4.3")
    image, state = given.image, given.sbom or SbomState()
    if image is None:
        reason = f"a entrega de {given.mapa.module.id} não é uma imagem ([image] modules); `sbom` lista a esteira"
        return _Answer(
            question=question, state="not-applicable", severity=Severity.ALTA, reason=reason, sources=sources
        )
    found = tuple(given.evidence("sbom", f"{image.name}.{kind}") for kind in ("cdx.json", "cdx.xml", "spdx.json"))
    reason = state.failure or ("" if all(found) else "os documentos não estão na execução: rode `sbom`")
    if not reason and state.denied:
        reason = f"licenças que a política nega: {', '.join(state.denied[:5])}"
    return _Answer(
        question=question,
        state="could-not-run" if state.failure else "missing" if not all(found) else "failed" if state.denied else "ok",
        severity=Severity.CRITICA if all(found) and state.denied else Severity.ALTA,
        reason=reason,
        evidence=tuple(each for each in found if each is not None),
        sources=sources,
    )


def _afterwards() -> Iterator[_Answer]:
    """What is made from this list and signs it, so that it cannot speak of it without changing what was signed."""
    for question, tellers, sources in (
        ("O pacote de evidências foi montado e assinado?", "`evidencias.html` e `verificar`", ("CIC §8",)),
        ("A decisão RAPID/CCB está registrada?", "`evidencias.html` e `rapid status`", ("CIC §8", "REP §4")),
    ):
        yield _Answer(
            question=question,
            state="not-applicable",
            severity=Severity.ALTA,
            reason=f"o pacote assina esta lista, e por isso vem depois dela: respondem {tellers}",
            sources=sources,
        )


def _for_people() -> Iterator[_Answer]:
    """Rows of the catalogue that no rule decides."""
    for each in QUESTIONS:
        yield _Answer(
            question=each.question,
            state="not-applicable",
            severity=each.severity,
            reason=f"{each.rule}, para uma pessoa: {each.place}",
            sources=each.sources,
        )


def _verification(document: Document | None) -> Iterator[_Answer]:
    """Checks that the module itself asks for: they need a person and a running platform."""
    if document is None:
        return
    for line, text in _steps(document):
        yield _Answer(
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

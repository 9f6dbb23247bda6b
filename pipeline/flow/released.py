"""CHECKLIST, what surrounds the module: the opinion and what it asks for, the image, its SBOM, the pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.flow.answers import Answer, SbomState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.flow.answers import CheckInput

__all__ = ["on_conditions", "on_image", "on_opinion", "on_pack", "on_sbom"]


def on_opinion(given: CheckInput) -> Answer:
    """The opinion itself: advisory ones are told and change no verdict."""
    question, sources = "Há parecer automatizado da IA, e ele não bloqueia a entrega?", ("CIC §3", "CIC §5")
    opinion = given.opinion
    if opinion is None:
        reason = "o parecer está desligado na configuração ([opinion] mode)"
        return Answer(question=question, state="not-applicable", severity=Severity.ALTA, reason=reason, sources=sources)
    blocked = opinion.recommendation == "bloquear"
    severity = Severity.BAIXA if opinion.mode == "advisory" else Severity.CRITICA
    return Answer(
        question=question,
        state="failed" if blocked else "ok",
        severity=severity,
        reason=f"recomenda bloquear (risco {opinion.risk_score}): {' '.join(opinion.reasons[:1])}" if blocked else "",
        evidence=(given.evidence("ai_reports", "parecer.json"),),
        sources=sources,
    )


def on_conditions(given: CheckInput) -> Iterator[Answer]:
    """What the opinion asks for and no other item does: open until somebody decides on it."""
    opinion = given.opinion
    if opinion is None or opinion.recommendation == "liberar":
        return
    severity = Severity.BAIXA if opinion.mode == "advisory" else Severity.ALTA
    for condition in opinion.conditions:
        if condition not in opinion.in_checklist:
            yield Answer(
                question=f"Condição do parecer: {condition}",
                state="missing",
                severity=severity,
                reason="sem decisão registrada",
                evidence=(given.evidence("ai_reports", "parecer.json"),),
                sources=("CIC §3",),
            )


def on_image(given: CheckInput) -> Answer:
    question, sources = "A imagem do portal foi construída e tem digest?", ("CIC §3.4",)
    image, module = given.image, given.mapa.module.id
    if image is None:
        reason = f"a entrega de {module} não é uma imagem ([image] modules)"
        return Answer(question=question, state="not-applicable", severity=Severity.ALTA, reason=reason, sources=sources)
    found = given.evidence("docker", f"{image.name}.image.json")
    return Answer(
        question=question,
        state="could-not-run" if image.failure else "ok" if found else "missing",
        severity=Severity.ALTA,
        reason=image.failure or ("" if found else "a imagem não está na execução"),
        evidence=() if image.failure else (found,),
        sources=sources,
    )


def on_sbom(given: CheckInput) -> Answer:
    question, sources = "Há SBOM em CycloneDX (JSON e XML) e SPDX com SHA-256?", ("CIC §3.4", "REP §4.3")
    image, state = given.image, given.sbom or SbomState()
    if image is None:
        reason = f"a entrega de {given.mapa.module.id} não é uma imagem ([image] modules); `sbom` lista a esteira"
        return Answer(question=question, state="not-applicable", severity=Severity.ALTA, reason=reason, sources=sources)
    found = tuple(given.evidence("sbom", f"{image.name}.{kind}") for kind in ("cdx.json", "cdx.xml", "spdx.json"))
    reason = state.failure or ("" if all(found) else "os documentos não estão na execução: rode `sbom`")
    if not reason and state.denied:
        reason = f"licenças que a política nega: {', '.join(state.denied[:5])}"
    return Answer(
        question=question,
        state="could-not-run" if state.failure else "missing" if not all(found) else "failed" if state.denied else "ok",
        severity=Severity.CRITICA if all(found) and state.denied else Severity.ALTA,
        reason=reason,
        evidence=tuple(each for each in found if each is not None),
        sources=sources,
    )


def on_pack() -> Iterator[Answer]:
    """What is made from this list and signs it, so that it cannot speak of it without changing what was signed."""
    for question, tellers, sources in (
        ("O pacote de evidências foi montado e assinado?", "`evidencias.html` e `verificar`", ("CIC §8",)),
        ("A decisão RAPID/CCB está registrada?", "`evidencias.html` e `rapid status`", ("CIC §8", "REP §4")),
    ):
        yield Answer(
            question=question,
            state="not-applicable",
            severity=Severity.ALTA,
            reason=f"o pacote assina esta lista, e por isso vem depois dela: respondem {tellers}",
            sources=sources,
        )

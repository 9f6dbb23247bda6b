"""The verdict: the stricter of the offline engine's and the model's, in score, impact and recommendation alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.domain.opinion import IMPACTS, RECOMMENDATIONS
from pipeline.opinion.package import changed_lines, split_patch
from pipeline.opinion.risk import BLOCK_SCORE, CONDITION_SCORE, Risk, RiskFacts, assess

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.domain.artifact import Evidence, MapaNc
    from pipeline.domain.opinion import Impact, ModelAnswer, Recommendation
    from pipeline.opinion.package import Delivery

__all__ = ["Floor", "Verdict", "decide", "judge_offline"]

_MOST_REASONS = 3
_MIN_COVERAGE = 850  # tenths of a per cent


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """What the offline engine says: nothing may go below it. ``in_checklist`` repeats NOK items as conditions."""

    risk: Risk
    residual: int
    recommendation: Recommendation
    reasons: tuple[str, ...]
    conditions: tuple[str, ...]
    in_checklist: tuple[str, ...]
    suggestions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    score: int
    impact: Impact
    recommendation: Recommendation
    reasons: tuple[str, ...]
    conditions: tuple[str, ...]
    suggestions: tuple[str, ...]


def judge_offline(delivery: Delivery, evidence: Mapping[str, tuple[Evidence, ...]]) -> Floor:
    """The offline opinion. ``evidence`` names, by factor, the files of the run that back it."""
    facts = _facts(delivery, evidence)
    before = assess(facts)
    left = assess(replace(facts, findings=delivery.after.summary.by_severity, changed_lines=0, sensitive_changes=0))
    critical = _count(delivery.mapa, Severity.CRITICA) + _count(delivery.after, Severity.CRITICA)
    recommendation: Recommendation = "liberar"
    if left.score >= CONDITION_SCORE or delivery.injections:
        recommendation = "liberar_com_condicoes"
    if left.score >= BLOCK_SCORE or critical:
        recommendation = "bloquear"
    in_checklist = tuple(
        f"Resolver, ou levar ao CCB com justificativa: {each.question} {each.reason}".strip()
        for each in delivery.items
        if each.result == "NOK" and each.severity is not Severity.BAIXA
    )
    own = tuple(_own_conditions(delivery)) if recommendation != "liberar" else ()
    return Floor(
        risk=before,
        residual=left.score,
        recommendation=recommendation,
        reasons=tuple(_reasons(delivery, before))[:_MOST_REASONS],
        conditions=(*own, *in_checklist),
        in_checklist=in_checklist,
        suggestions=tuple(_suggestions(delivery)),
    )


def decide(floor: Floor, answer: ModelAnswer | None, *, unavailable: str = "") -> Verdict:
    """The stricter of both. ``unavailable`` says why a question that was to be asked has no answer that counts.

    Such a question never ends in a release: whoever could silence the model would otherwise release by it.
    """
    recommendation, score, impact = floor.recommendation, floor.risk.score, floor.risk.impact
    reasons, conditions, suggestions = floor.reasons, floor.conditions, floor.suggestions
    if unavailable:
        recommendation = _stricter(recommendation, "liberar_com_condicoes")
        reasons = (f"O parecer do modelo não pôde ser obtido: {unavailable}.", *reasons)
        conditions = (*conditions, "Repetir o parecer com o gateway, ou decidir no CCB sem a opinião do modelo.")
    if answer is not None:
        recommendation = _stricter(recommendation, answer.recommendation)
        score = max(score, answer.risk_score)
        impact = max(impact, answer.impact, key=IMPACTS.index)
        reasons = (*reasons, *answer.reasons)
        conditions = (*conditions, *answer.conditions)
        suggestions = (*suggestions, *answer.suggestions)
        if answer.recommendation == "bloquear":
            reasons = (f"O modelo recomenda bloquear: {answer.reasons[0]}", *reasons)
        if answer.injection_suspected:
            recommendation = _stricter(recommendation, "liberar_com_condicoes")
            conditions = (*conditions, "Rever o texto que o modelo apontou como dirigido a ele.")
    return Verdict(
        score=score,
        impact=impact,
        recommendation=recommendation,
        reasons=_once(reasons),
        conditions=_once(conditions),
        suggestions=_once(suggestions),
    )


def _stricter(one: Recommendation, other: Recommendation) -> Recommendation:
    return max(one, other, key=RECOMMENDATIONS.index)


def _facts(delivery: Delivery, evidence: Mapping[str, tuple[Evidence, ...]]) -> RiskFacts:
    proof, tests, inventory = delivery.rewrite.proof, delivery.tests, delivery.inventory
    source = delivery.mapa.source
    worst = min(
        (each.severity for each in delivery.items if each.result == "NOK"), key=lambda each: each.rank, default=None
    )
    return RiskFacts(
        findings=delivery.mapa.summary.by_severity,
        worst_item=worst,
        changed_lines=changed_lines(delivery.patch) + (changed_lines(delivery.base.patch) if delivery.base else 0),
        new_components=sum(each.before is None for each in delivery.rewrite.files),
        failed_tests=None if tests is None else tests.failed,
        low_coverage=tests is not None and tests.coverage < _MIN_COVERAGE,
        unjudged=len(delivery.after.not_run),
        unproven=(not proof.idempotent)
        + bool(proof.auto_left)
        + bool(proof.introduced)
        + bool(delivery.rewrite.not_applied),
        decisions=len({each.parameter for action in delivery.plan.actions for each in action.decisions}),
        drift=len(delivery.drift),
        untraceable=source.commit is None or source.dirty,
        injections=len(delivery.injections),
        not_examined=len(delivery.not_examined),
        exposed=len(inventory.exposed),
        cluster=len(inventory.cluster),
        stateful=len(inventory.stateful),
        identity=len(inventory.identity),
        sensitive_changes=len(inventory.sensitive_changes),
        evidence=evidence,
    )


def _count(mapa: MapaNc, severity: Severity) -> int:
    return mapa.summary.by_severity.get(severity, 0)


def _reasons(delivery: Delivery, risk: Risk) -> Iterable[str]:
    """The weightiest facts first."""
    critical = _count(delivery.mapa, Severity.CRITICA)
    left = delivery.after.summary.total
    if critical:
        yield f"Há {critical} NC de severidade CRITICA em aberto na origem."
    blocking = [each for each in delivery.items if each.result == "NOK" and each.severity is Severity.CRITICA]
    if blocking:
        yield f"Item crítico do checklist sem resposta: {blocking[0].question} {blocking[0].reason}".strip()
    if delivery.mapa.summary.total:
        yield (
            f"A origem tem {delivery.mapa.summary.total} NC em aberto; com o plano aplicado restam {left}"
            + (f", das quais {_count(delivery.after, Severity.ALTA)} ALTA." if left else ".")
        )
    else:
        yield f"A auditoria não encontrou NC em {len(delivery.mapa.files)} arquivos."
    if delivery.injections:
        yield f"Há {len(delivery.injections)} textos que se dirigem ao modelo avaliador."
    for factor in sorted(risk.factors, key=lambda each: (-each.points, each.id)):
        if not factor.id.startswith(("NC-", "PIOR", "INJECAO")):
            counted = f" ({factor.count})" if factor.count > 1 else ""
            yield f"{factor.title[:1].upper()}{factor.title[1:]}{counted}: {factor.points} pontos de {factor.axis}."


def _own_conditions(delivery: Delivery) -> Iterable[str]:
    """Conditions that no item of the checklist asks for already."""
    if delivery.patch and delivery.mapa.summary.total > delivery.after.summary.total:
        closed = delivery.mapa.summary.total - delivery.after.summary.total
        count = len(split_patch(delivery.patch))
        files = f"{count} {'arquivo' if count == 1 else 'arquivos'}"
        yield (
            f"Aplicar modulo_reescrito.patch à origem ({files}, fecha {closed} NC), "
            "fazer o commit e rodar a trilha de novo."
        )
    if delivery.injections:
        yield "Rever e retirar os textos que se dirigem ao modelo avaliador."


def _suggestions(delivery: Delivery) -> Iterable[str]:
    if delivery.patch:
        yield "Revise e aplique modulo_reescrito.patch antes da entrega."
    if delivery.tests is None:
        yield "Registre os testes desta versão da esteira (`nox -s tests`)."
    if delivery.mapa.source.commit is None or delivery.mapa.source.dirty:
        yield "Rode sobre um commit limpo, para que o parecer nomeie exatamente o que avaliou."
    for part in delivery.not_examined:
        yield f"Junte a evidência que falta: {part}."


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))

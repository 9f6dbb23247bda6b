"""The offline engine: a risk model of whole numbers, so that it gives the same everywhere. Formula: docs/parecer.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline.domain.finding import Severity
from pipeline.domain.opinion import IMPACTS, Impact, Matrix, RiskFactor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.domain.artifact import Evidence

__all__ = ["BLOCK_SCORE", "CONDITION_SCORE", "Risk", "RiskFacts", "assess", "impact_of"]

_Axis = Literal["probabilidade", "impacto"]

# Scores that each worst severity may take, and the two limits that follow from them.
_BANDS = {Severity.CRITICA: (80, 100), Severity.ALTA: (45, 79), Severity.MEDIA: (20, 44), Severity.BAIXA: (0, 19)}
BLOCK_SCORE, CONDITION_SCORE = 80, 20
_BASE_LIKELIHOOD, _BASE_IMPACT = 5, 10
_NC_LIKELIHOOD = {Severity.CRITICA: 30, Severity.ALTA: 8, Severity.MEDIA: 2, Severity.BAIXA: 1}
_NC_IMPACT = {Severity.CRITICA: 60, Severity.ALTA: 35, Severity.MEDIA: 15, Severity.BAIXA: 5}
_SIZES = ((1000, 12), (300, 8), (50, 5), (0, 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskFacts:
    """What the model counts. ``findings`` are open findings by severity; ``worst_item`` the worst NOK item.

    ``exposed``, ``cluster``, ``stateful`` and ``identity`` count objects of those kinds; ``sensitive_changes`` those
    among them that the change touches. ``failed_tests`` is None where no tests were recorded.
    """

    findings: Mapping[Severity, int]
    worst_item: Severity | None = None
    changed_lines: int = 0
    new_components: int = 0
    failed_tests: int | None = None
    low_coverage: bool = False
    unjudged: int = 0
    unproven: int = 0
    decisions: int = 0
    drift: int = 0
    untraceable: bool = False
    injections: int = 0
    not_examined: int = 0
    exposed: int = 0
    cluster: int = 0
    stateful: int = 0
    identity: int = 0
    sensitive_changes: int = 0
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)

    @property
    def worst(self) -> Severity | None:
        """The worst of findings and checklist items."""
        found = [severity for severity, count in self.findings.items() if count]
        found += [self.worst_item] if self.worst_item is not None else []
        return min(found, key=lambda each: each.rank, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Risk:
    score: int
    matrix: Matrix
    impact: Impact
    factors: tuple[RiskFactor, ...]


def assess(facts: RiskFacts) -> Risk:
    """Score, matrix and factors. More findings, or worse ones, never lower the score."""
    factors = tuple(each for each in _factors(facts) if each.points)
    likelihood = _total(factors, "probabilidade", _BASE_LIKELIHOOD)
    impact = _total(factors, "impacto", _BASE_IMPACT)
    low, high = _BANDS[facts.worst or Severity.BAIXA]
    score = low + (high - low) * likelihood * impact // 10_000
    matrix = Matrix(likelihood=likelihood, impact=impact, row=_cell(likelihood), column=_cell(impact))
    return Risk(score=score, matrix=matrix, impact=impact_of(impact), factors=factors)


def impact_of(points: int) -> Impact:
    """Impact class of 0 to 100 points."""
    return IMPACTS[min(points, 99) // 25]


def _total(factors: tuple[RiskFactor, ...], axis: _Axis, base: int) -> int:
    return min(100, base + sum(each.points for each in factors if each.axis == axis))


def _cell(points: int) -> int:
    return max(1, (points + 19) // 20)


def _factors(facts: RiskFacts) -> Iterator[RiskFactor]:
    yield from _finding_factors(facts)
    size = next((points for limit, points in _SIZES if facts.changed_lines > limit), 0)
    tests_missing = facts.failed_tests is None
    rows: tuple[tuple[_Axis, str, str, int, int, int], ...] = (
        # axis, id, title, weight, count, most points
        ("probabilidade", "TAMANHO", f"{facts.changed_lines} linhas mudam", size, 1, 12),
        ("probabilidade", "NOVOS", "componentes novos na entrega", 1, facts.new_components, 5),
        ("probabilidade", "TESTES-AUSENTES", "testes da esteira não registrados", 8, int(tests_missing), 8),
        ("probabilidade", "TESTES-FALHOS", "testes da esteira que falharam", 40, facts.failed_tests or 0, 40),
        ("probabilidade", "COBERTURA", "cobertura de testes abaixo da norma", 8, int(facts.low_coverage), 8),
        ("probabilidade", "NAO-JULGADO", "itens que nenhuma regra pôde julgar", 2, facts.unjudged, 10),
        ("probabilidade", "SEM-PROVA", "provas da reescrita que não fecham", 10, facts.unproven, 20),
        ("probabilidade", "DECISOES", "decisões que o plano espera", 2, facts.decisions, 10),
        ("probabilidade", "DIVERGENCIA", "ApplicationSets que divergem dos valores", 8, facts.drift, 16),
        ("probabilidade", "ORIGEM", "origem sem commit, ou com mudanças fora dele", 5, int(facts.untraceable), 5),
        ("probabilidade", "INJECAO", "textos que se dirigem ao modelo", 30, facts.injections, 60),
        ("probabilidade", "NAO-EXAMINADO", "partes da entrega que não foram examinadas", 2, facts.not_examined, 10),
        ("impacto", "EXPOSICAO", "objetos na borda da rede", 15, min(facts.exposed, 1), 15),
        ("impacto", "CLUSTER", "objetos do cluster inteiro ou da malha", 10, min(facts.cluster, 1), 10),
        ("impacto", "DADOS", "objetos que guardam dados", 10, min(facts.stateful, 1), 10),
        ("impacto", "IDENTIDADE", "objetos de identidade e de segredos", 10, min(facts.identity, 1), 10),
        ("impacto", "MUDANCA", "a mudança toca objetos sensíveis", 10, min(facts.sensitive_changes, 1), 10),
    )
    for axis, identifier, title, weight, count, most in rows:
        points = min(weight * count, most)
        yield _factor(facts, identifier, axis=axis, title=title, weight=weight, count=count, points=points)


def _finding_factors(facts: RiskFacts) -> Iterator[RiskFactor]:
    """Every finding adds to the likelihood without a limit of its own; the worst one alone sets the impact.

    A limit per severity would let a finding that grows worse lower the sum.
    """
    for severity in Severity:
        count, weight = facts.findings.get(severity, 0), _NC_LIKELIHOOD[severity]
        title = f"NC {severity} em aberto"
        yield _factor(
            facts,
            f"NC-{severity}",
            axis="probabilidade",
            title=title,
            weight=weight,
            count=count,
            points=weight * count,
        )
    worst = facts.worst
    if worst is not None:
        weight = _NC_IMPACT[worst]
        title = f"pior NC ou item em aberto: {worst}"
        yield _factor(facts, "PIOR", axis="impacto", title=title, weight=weight, count=1, points=weight)


def _factor(
    facts: RiskFacts, identifier: str, *, axis: _Axis, title: str, weight: int, count: int, points: int
) -> RiskFactor:
    kind = "NC" if identifier.startswith(("NC-", "PIOR")) else identifier
    return RiskFactor(
        id=identifier,
        axis=axis,
        title=title,
        weight=weight,
        count=count,
        points=points,
        evidence=facts.evidence.get(kind, ()),
    )

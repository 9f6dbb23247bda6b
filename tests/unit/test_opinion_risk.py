"""The risk model: the worked examples of docs/parecer.md, its bands and its limits."""

from __future__ import annotations

import pytest

from pipeline.domain.finding import Severity
from pipeline.opinion.risk import RiskFacts, assess, impact_of

PLAIN = {
    "findings": {},
    "worst_item": Severity.BAIXA,
    "untraceable": True,
    "not_examined": 3,
    "exposed": 2,
    "cluster": 1,
    "identity": 4,
}


@pytest.mark.parametrize(
    ("findings", "score"),
    [({}, 2), ({Severity.ALTA: 2}, 55), ({Severity.CRITICA: 1}, 90)],
)
def test_the_examples_of_the_document(findings: dict[Severity, int], score: int) -> None:
    assert assess(RiskFacts(**(PLAIN | {"findings": findings}))).score == score  # type: ignore[arg-type]


def test_nothing_at_all_is_the_least_risk() -> None:
    risk = assess(RiskFacts(findings={}, failed_tests=0))
    assert (risk.score, risk.matrix.likelihood, risk.matrix.impact) == (0, 5, 10)
    assert risk.impact == "baixo"
    assert risk.factors == ()


@pytest.mark.parametrize(
    ("severity", "low", "high"),
    [(Severity.CRITICA, 80, 100), (Severity.ALTA, 45, 79), (Severity.MEDIA, 20, 44), (Severity.BAIXA, 0, 19)],
)
def test_the_worst_sets_the_band_whatever_the_number(severity: Severity, low: int, high: int) -> None:
    scores = [assess(RiskFacts(findings={severity: count})).score for count in (1, 2, 10, 10_000)]
    assert scores == sorted(scores)
    assert low <= scores[0]
    assert scores[-1] <= high
    assert assess(RiskFacts(findings={}, worst_item=severity)).score >= low


def test_every_fact_is_a_factor_with_its_weight() -> None:
    facts = RiskFacts(
        findings=dict.fromkeys(Severity, 1),
        changed_lines=51,
        new_components=9,
        failed_tests=2,
        low_coverage=True,
        unjudged=9,
        unproven=3,
        decisions=9,
        drift=3,
        untraceable=True,
        injections=1,
        not_examined=9,
        exposed=3,
        cluster=3,
        stateful=3,
        identity=3,
        sensitive_changes=3,
    )
    points = {each.id: each.points for each in assess(facts).factors}
    assert points == {
        "NC-CRITICA": 30, "NC-ALTA": 8, "NC-MEDIA": 2, "NC-BAIXA": 1, "PIOR": 60, "TAMANHO": 5, "NOVOS": 5,
        "TESTES-FALHOS": 40, "COBERTURA": 8, "NAO-JULGADO": 10, "SEM-PROVA": 20, "DECISOES": 10, "DIVERGENCIA": 16,
        "ORIGEM": 5, "INJECAO": 30, "NAO-EXAMINADO": 10, "EXPOSICAO": 15, "CLUSTER": 10, "DADOS": 10, "IDENTIDADE": 10,
        "MUDANCA": 10,
    }  # fmt: skip
    risk = assess(facts)
    assert (risk.matrix.row, risk.matrix.column, risk.score) == (5, 5, 100)


@pytest.mark.parametrize(
    ("points", "impact"), [(0, "baixo"), (24, "baixo"), (25, "medio"), (74, "alto"), (100, "critico")]
)
def test_impact_classes(points: int, impact: str) -> None:
    assert impact_of(points) == impact


@pytest.mark.parametrize(("lines", "points"), [(0, 0), (1, 2), (51, 5), (301, 8), (1001, 12)])
def test_size_of_the_change(lines: int, points: int) -> None:
    factors = {each.id: each.points for each in assess(RiskFacts(findings={}, changed_lines=lines)).factors}
    assert factors.get("TAMANHO", 0) == points

"""More or worse never lowers the risk, order never matters, and no answer loosens a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.finding import Severity
from pipeline.domain.opinion import IMPACTS, RECOMMENDATIONS, ModelAnswer
from pipeline.masking import Masker, unresolved
from pipeline.opinion.answer import BadAnswer, read_answer
from pipeline.opinion.risk import RiskFacts, assess
from pipeline.opinion.verdict import Floor, decide

COUNTS = st.fixed_dictionaries({severity: st.integers(0, 60) for severity in Severity})
FACTS = st.builds(
    RiskFacts,
    findings=COUNTS,
    worst_item=st.none() | st.sampled_from(Severity),
    changed_lines=st.integers(0, 5000),
    new_components=st.integers(0, 50),
    failed_tests=st.none() | st.integers(0, 5),
    low_coverage=st.booleans(),
    unjudged=st.integers(0, 20),
    unproven=st.integers(0, 4),
    decisions=st.integers(0, 20),
    drift=st.integers(0, 5),
    untraceable=st.booleans(),
    injections=st.integers(0, 9),
    not_examined=st.integers(0, 5),
    exposed=st.integers(0, 3),
    cluster=st.integers(0, 3),
    stateful=st.integers(0, 3),
    identity=st.integers(0, 3),
    sensitive_changes=st.integers(0, 3),
)
LINES = st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple)
ANSWERS = st.builds(
    ModelAnswer,
    nonce=st.just("n"),
    commit=st.just("c"),
    package=st.just("p"),
    risk_score=st.integers(0, 100),
    impact=st.sampled_from(IMPACTS),
    recommendation=st.sampled_from(RECOMMENDATIONS),
    reasons=st.just(("x",)),
    conditions=LINES,
    suggestions=LINES,
    injection_suspected=st.booleans(),
)


@given(FACTS, st.sampled_from(Severity))
def test_one_more_finding_never_lowers_the_score(facts: RiskFacts, severity: Severity) -> None:
    more = dict(facts.findings) | {severity: facts.findings[severity] + 1}
    assert assess(replace(facts, findings=more)).score >= assess(facts).score


@given(FACTS, st.sampled_from(list(Severity)[1:]))
def test_a_worse_finding_never_lowers_the_score(facts: RiskFacts, severity: Severity) -> None:
    before = dict(facts.findings) | {severity: facts.findings[severity] + 1}
    worse = list(Severity)[severity.rank - 1]
    after = dict(before) | {severity: before[severity] - 1, worse: before[worse] + 1}
    one, other = assess(replace(facts, findings=before)), assess(replace(facts, findings=after))
    assert other.score >= one.score
    assert other.matrix.impact >= one.matrix.impact


@given(FACTS, st.permutations(list(Severity)))
def test_order_never_matters(facts: RiskFacts, order: list[Severity]) -> None:
    shuffled = {severity: facts.findings[severity] for severity in order}
    assert assess(replace(facts, findings=shuffled)) == assess(facts)


@given(FACTS, st.sampled_from(RECOMMENDATIONS), LINES, st.none() | ANSWERS, st.sampled_from(["", "caiu"]))
def test_a_verdict_is_never_looser_than_the_offline_one(
    facts: RiskFacts, recommendation: Any, texts: tuple[str, ...], answer: ModelAnswer | None, unavailable: str
) -> None:
    floor = Floor(
        risk=assess(facts), residual=0, recommendation=recommendation, reasons=texts, conditions=texts, in_checklist=(),
        suggestions=texts,
    )  # fmt: skip
    verdict = decide(floor, answer, unavailable=unavailable)
    rank = RECOMMENDATIONS.index
    assert verdict.score >= floor.risk.score
    assert rank(verdict.recommendation) >= rank(recommendation)
    assert IMPACTS.index(verdict.impact) >= IMPACTS.index(floor.risk.impact)
    assert set(texts) <= set(verdict.conditions)
    if answer is not None:
        assert rank(verdict.recommendation) >= rank(answer.recommendation)
        assert set(answer.conditions) <= set(verdict.conditions)
    if unavailable:
        assert verdict.recommendation != "liberar"


@given(st.text(max_size=400))
def test_no_text_is_an_answer_and_none_crashes_the_reader(body: str) -> None:
    with pytest.raises(BadAnswer):
        read_answer(body, nonce="n", commit="c", package="p", canary="controle-x", mask=str)


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing(text: str) -> None:
    masked = Masker(sources=[text]).text(text)
    assert Masker().text(masked) == masked
    assert not unresolved(masked) or "PRIVATE KEY" in masked

"""Each rule's own examples are its first tests: the bad one breaches it, the good one is examined and does not."""

from __future__ import annotations

import pytest

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Rule
from pipeline.domain.finding import FixMode
from pipeline.rules.catalog import load_rules

RULES = pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)


@RULES
def test_bad_example_breaches_the_rule(rule: Rule) -> None:
    result = audit(snapshot_of(rule.bad), [rule], policy=Policy(), references=rule.bad.references)
    assert result.non_conformities
    assert not result.not_run
    offered = {found.correction.mode for found in result.non_conformities}
    assert rule.fix in offered


@RULES
def test_good_example_is_examined_and_passes(rule: Rule) -> None:
    result = audit(snapshot_of(rule.good), [rule], policy=Policy(), references=rule.good.references)
    assert not result.non_conformities
    assert not result.not_run
    assert result.examined[rule.id] > 0


@RULES
def test_texts_are_complete(rule: Rule) -> None:
    for text in (rule.title, rule.explanation, rule.remedy, rule.responsible):
        assert text.strip()
    assert not rule.title.endswith(".")
    assert rule.explanation.endswith(".")
    assert rule.remedy.endswith(".")
    assert rule.sources
    assert rule.due_days > 0
    assert isinstance(rule.fix, FixMode)

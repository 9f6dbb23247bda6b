"""The rule that CONTRIBUTING shows is a rule: put beside the others, it is found, audits and corrects."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonpatch
import pytest
import yaml

import pipeline.rules
from conftest import Judge, snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Rule
from pipeline.domain.finding import FixMode, PatchChange
from pipeline.rules.catalog import load_rules

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
RULE_TEXT, TEST_TEXT = re.findall(r"^```python\n(.*?)^```$", CONTRIBUTING.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SAMPLE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: portal
spec:
  template:
    spec:
      hostNetwork: true
      containers:
        - name: portal
          image: portal:1.2.3
"""


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rule]:
    """The example's rule, found by the catalogue in a folder added to the package's path."""
    before = {each.id for each in load_rules()}
    (tmp_path / "contributed.py").write_text(RULE_TEXT, encoding="utf-8")
    monkeypatch.setattr(pipeline.rules, "__path__", [*pipeline.rules.__path__, str(tmp_path)])
    load_rules.cache_clear()
    try:
        (added,) = [each for each in load_rules() if each.id not in before]
        yield added
    finally:
        sys.modules.pop("pipeline.rules.contributed", None)
        vars(pipeline.rules).pop("contributed", None)
        load_rules.cache_clear()


def test_its_examples_are_tests(example: Rule) -> None:
    bad = audit(snapshot_of(example.bad), [example], policy=Policy())
    assert [each.rule for each in bad.non_conformities] == [example.id]
    good = audit(snapshot_of(example.good), [example], policy=Policy())
    assert not good.non_conformities
    assert good.examined == {example.id: 1}


def test_it_audits_a_workload_and_corrects_it(example: Rule, judge: Judge) -> None:
    (found,) = judge(example.id, files={"apps/portal.yaml": SAMPLE}).non_conformities
    assert (found.location.path, found.location.line) == ("apps/portal.yaml", 8)
    assert found.correction.mode is FixMode.AUTO
    (change,) = found.correction.changes
    assert isinstance(change, PatchChange)
    operations = [{"op": each.op, "path": each.path} for each in change.operations]
    corrected = yaml.safe_dump(jsonpatch.apply_patch(yaml.safe_load(SAMPLE), operations))
    assert not judge(example.id, files={"apps/portal.yaml": corrected}).non_conformities


@pytest.mark.usefixtures("example")
def test_the_test_that_it_shows_passes(judge: Judge) -> None:
    namespace: dict[str, Callable[[Judge], None]] = {}
    exec(TEST_TEXT, namespace)  # noqa: S102  # the text of our own document is what is tested
    namespace["test_host_network"](judge)


def test_it_leaves_the_catalogue_as_it_was() -> None:
    assert "pipeline.rules.contributed" not in sys.modules
    assert "WL-HOSTNET" not in {each.id for each in load_rules()}

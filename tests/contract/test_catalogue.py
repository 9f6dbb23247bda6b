"""``docs/regras.md`` is what the rules say, and the rules are those of the platform's catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.rules.catalog import load_rules

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT.parent / "shared" / "design" / "rules.md"
# Rows that only a person can judge; docs/adr says why, and the checklist asks them.
FOR_PEOPLE = ROOT / "docs" / "adr" / "0006-rows-for-people.md"


def test_the_document_of_the_rules_is_up_to_date(tmp_path: Path) -> None:
    assert main(["regras", "--write", str(tmp_path / "regras.md")]) == 0
    assert (tmp_path / "regras.md").read_text() == (ROOT / "docs" / "regras.md").read_text()


def test_every_row_of_the_catalogue_is_a_rule_or_a_question_for_people() -> None:
    if not CATALOGUE.is_file():
        pytest.skip("the catalogue is not beside this checkout")
    rows = set(re.findall(r"^\| ([A-Z]+-[A-Z0-9]+) \|", CATALOGUE.read_text(), re.MULTILINE))
    rules = {each.id for each in load_rules()}
    asked = set(re.findall(r"^\| `([A-Z]+-[A-Z0-9]+)` \|", FOR_PEOPLE.read_text(), re.MULTILINE))
    assert rows - rules - asked == set()
    assert not asked & rules
    assert {each for each in rules - rows if not each.startswith("READ-")} == set()


def test_every_selector_says_in_portuguese_what_it_selects() -> None:
    assert [each.id for each in load_rules() if not hasattr(each.over, "selects")] == []

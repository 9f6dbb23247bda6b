"""What fuzzing found once stays found: every input of the corpus through its target (threats.md, input 86)."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_targets import CORPUS, TARGETS

from conftest import ROOT
from pipeline.appset.preview import preview
from pipeline.ledger import parse_ledger
from pipeline.module.document import read_document
from pipeline.yamldoc import load_yaml

INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_input_is_answered(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_seeds_that_reach_it() -> None:
    seeds = {name: (CORPUS / name / "seed-0").read_bytes() for name in TARGETS}
    session = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    named = ", ".join(f'"{name}"' for name in TARGETS)
    assert f"FUZZED = ({named})" in session
    assert len(read_document(seeds["markdown"], path="m.md").files) == 3
    assert len(load_yaml(seeds["yaml"].decode()).documents[0].value) == 5
    assert [each.name for each in preview(seeds["appset"], where="set")] == ["a-2"]
    assert len(parse_ledger(seeds["index"]).lines) == 1

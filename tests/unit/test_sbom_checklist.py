"""What the checklist says of the SBOM of an image."""

from __future__ import annotations

from typing import Any

import pytest
from test_flow_checking import FILE, check

from pipeline.domain.artifact import ChecklistItem
from pipeline.flow.answers import ImageState, SbomState


def item(**given: Any) -> tuple[ChecklistItem, str]:
    made = check(**given)
    (found,) = [each for each in made.items if each.question.startswith("Há SBOM")]
    return found, made.verdict


def test_without_an_image_there_is_none_to_ask_for() -> None:
    found, verdict = item()
    assert (found.result, verdict) == ("N.A.", "aprovado")
    assert "não é uma imagem" in found.reason


def test_three_documents_are_the_evidence() -> None:
    found, verdict = item(image=ImageState(name="portal"))
    assert (found.result, len(found.evidence), verdict) == ("OK", 3, "aprovado")


@pytest.mark.parametrize(
    ("sbom", "evidence", "state", "verdict", "reason"),
    [
        (None, False, "missing", "condicional", "não estão na execução"),
        (SbomState(failure="syft: não achou"), True, "could-not-run", "condicional", "syft: não achou"),
        (SbomState(denied=("a 1 (AGPL-3.0-only)",)), True, "failed", "bloqueado", "AGPL-3.0-only"),
        (SbomState(denied=("a 1 (AGPL-3.0-only)",)), False, "missing", "condicional", "não estão na execução"),
    ],
)
def test_what_is_missing_failed_or_denied(
    sbom: SbomState | None, evidence: bool, state: str, verdict: str, reason: str
) -> None:
    def find(category: str, _name: str) -> Any:
        return FILE if evidence or category != "sbom" else None

    found, given = item(image=ImageState(name="portal"), sbom=sbom, evidence=find)
    assert (found.state, given) == (state, verdict)
    assert reason in found.reason

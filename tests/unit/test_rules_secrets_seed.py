"""What these families find in the real document, as a human auditor would list it: no more, no less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.domain.finding import NonConformityMap
from pipeline.domain.snapshot import SourceState
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot
from pipeline.rules.catalog import load_rules

FAMILIES = {"IMG", "TOOL", "LBL", "VER", "TEN", "SEC", "LLM"}
COUNTS = {
    "IMG-FLOAT": 1,
    "IMG-LATEST": 2,
    "IMG-PULL": 1,
    "TOOL-UNPINNED": 4,
    "LBL-PARTOF": 7,
    "LBL-POLICY": 14,
    "VER-ANN": 7,
    "VER-DOC": 1,
    "VER-LEGACY": 2,
    "TEN-AUTHZ": 1,
    "TEN-DEFAULT": 1,
    "TEN-REQUIRED": 2,
    "SEC-CLEAR": 1,
    "SEC-ENVEXAMPLE": 1,
    "SEC-ENVPATH": 1,
    "SEC-PRINT": 1,
    "SEC-ROTATE": 1,
    "SEC-SHARED": 1,
    "SEC-VAULTSRC": 2,
    "SEC-VAULTUSE": 2,
}


@pytest.fixture(scope="module")
def found(seed: Path) -> NonConformityMap:
    document = read_document(seed.read_bytes(), path=seed.name)
    snapshot = build_snapshot(document=document, tree=(), source=SourceState(), fallback_id="M00")
    chosen = [rule for rule in load_rules() if rule.id.partition("-")[0] in FAMILIES]
    return audit(snapshot, chosen, policy=Policy())


def test_what_is_found_by_rule(found: NonConformityMap) -> None:
    assert Counter(each.rule for each in found.non_conformities) == COUNTS
    assert not found.not_run


@pytest.mark.parametrize(
    ("rule", "line", "severity"),
    [
        ("IMG-LATEST", 466, "ALTA"),
        ("IMG-LATEST", 784, "ALTA"),
        ("IMG-FLOAT", 775, "BAIXA"),
        ("IMG-PULL", 467, "BAIXA"),
        ("TOOL-UNPINNED", 635, "BAIXA"),
        ("SEC-CLEAR", 761, "ALTA"),
        ("SEC-ENVPATH", 756, "MEDIA"),
        ("SEC-PRINT", 839, "MEDIA"),
        ("SEC-VAULTUSE", 449, "ALTA"),
        ("SEC-VAULTUSE", 456, "ALTA"),
        ("SEC-VAULTSRC", 373, "ALTA"),
        ("SEC-VAULTSRC", 382, "ALTA"),
        ("TEN-DEFAULT", 717, "MEDIA"),
        ("VER-ANN", 591, "MEDIA"),
        ("VER-LEGACY", 962, "BAIXA"),
    ],
)
def test_where(found: NonConformityMap, rule: str, line: int, severity: str) -> None:
    assert (rule, line, severity) in {
        (each.rule, each.location.document_line, str(each.severity)) for each in found.non_conformities
    }


def test_missing_labels_are_the_two_recommended_ones_and_the_names_of_namespaces(found: NonConformityMap) -> None:
    keys = Counter(
        each.description.rpartition("`")[0].rpartition("`")[2]
        for each in found.non_conformities
        if each.rule == "LBL-POLICY"
    )
    assert keys == {"app.kubernetes.io/instance": 6, "app.kubernetes.io/managed-by": 6, "app.kubernetes.io/name": 2}


def test_the_password_of_the_env_file_is_nowhere(found: NonConformityMap) -> None:
    (secret,) = [each for each in found.non_conformities if each.rule == "SEC-CLEAR"]
    assert secret.snippet == "BACKSTAGE_PG_PASSWORD=•••"
    assert "backstage" not in str(secret.correction.changes)

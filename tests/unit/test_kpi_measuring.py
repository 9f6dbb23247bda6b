"""The figures that an index line keeps are those of the run's files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.artifacts import open_artifacts
from pipeline.domain.execution import Measures
from pipeline.domain.finding import Severity
from pipeline.errors import IntegrityError
from pipeline.flow.answers import SuiteResults
from pipeline.measuring import measure
from pipeline.store import Store

TESTS = SuiteResults(passed=10, failed=1, skipped=2, coverage=91.23456, evidence=())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_artifacts(tmp_path / "artifacts") as folder:
        yield Store(folder)


def finding(fingerprint: str, severity: str, status: str = "nova", **more: Any) -> dict[str, Any]:
    return {"fingerprint": fingerprint * 32, "severity": severity, "status": status, **more}


def mapa(*findings: dict[str, Any]) -> bytes:
    return json.dumps({"run": "x", "non_conformities": findings}).encode()


def test_a_run_with_nothing_has_no_figures(store: Store) -> None:
    run = store.begin({"module": "m07"})
    assert measure(store, run, None) == Measures(subjects=1)


def test_open_waived_left_and_described(store: Store) -> None:
    run = store.begin({"module": "m07"})
    waiver = {"owner": "Ana"}
    before = mapa(
        finding("b", "ALTA"),
        finding("a", "ALTA", "pendente"),
        finding("c", "CRITICA", waiver=waiver),
        finding("d", "CRITICA", "resolvida"),
        finding("e", "BAIXA", "resolvida", waiver=waiver),
    )
    reports = {"mapa_nc.json": before, "modulo_reescrito.mapa_nc.json": mapa(finding("a", "ALTA"))}
    store.publish(run, "reports", reports, stage="t")
    store.publish(run, "ai_reports", {"parecer.json": b'{"risk_score": 40, "residual_risk": 12}'}, stage="t")
    store.publish(run, "docker", {"core.image.json": b"{}", "core/index.json": b"{}"}, stage="t")
    store.publish(run, "sbom", {"core.cdx.json": b"{}", "other.cdx.json": b"{}"}, stage="t")
    found = measure(store, run, TESTS)
    assert found.open == {Severity.CRITICA: 0, Severity.ALTA: 2, Severity.MEDIA: 0, Severity.BAIXA: 0}
    assert found.fingerprints is not None
    assert found.fingerprints[Severity.ALTA] == ("a" * 12, "b" * 12)
    assert found.left is not None
    assert (found.left[Severity.ALTA], found.waived) == (1, 1)
    assert (found.risk_score, found.residual_risk) == (40, 12)
    assert (found.tests_passed, found.tests_failed, found.coverage) == (10, 1, 91.23)
    assert (found.subjects, found.described) == (2, 1)  # the image and the toolkit; the image alone has its SBOM


def test_too_many_findings_are_counted_and_not_named(store: Store) -> None:
    run = store.begin({"module": "m07"})
    many = [{"fingerprint": f"{number:032x}", "severity": "MEDIA", "status": "nova"} for number in range(1001)]
    store.publish(run, "reports", {"mapa_nc.json": mapa(*many)}, stage="t")
    found = measure(store, run, None)
    assert found.open is not None
    assert (found.open[Severity.MEDIA], found.fingerprints) == (1001, None)


def test_a_changed_file_is_no_figure(store: Store, tmp_path: Path) -> None:
    run = store.begin({"module": "m07"})
    store.publish(run, "reports", {"mapa_nc.json": mapa()}, stage="t")
    (tmp_path / "artifacts/reports" / run / "mapa_nc.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError):
        measure(store, run, None)

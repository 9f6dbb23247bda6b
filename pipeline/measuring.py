"""The figures of a run that its index line keeps, read from the files of the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pipeline.domain.execution import FINGERPRINT_CHARACTERS, MAX_FINGERPRINTS, Measures
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.flow.answers import SuiteResults
    from pipeline.store import Store

__all__ = ["measure"]

_IMAGE = ".image.json"
_SBOM = ".cdx.json"
_TOOLKIT = "pipeline"
_Kind = TypeVar("_Kind")


class _Finding(msgspec.Struct):
    """Of each finding no more than is counted: the rest of a long document is skipped, not read."""

    fingerprint: str
    severity: Severity
    status: str
    waiver: Any = None


class _Mapa(msgspec.Struct):
    non_conformities: list[_Finding]


class _Opinion(msgspec.Struct):
    risk_score: int
    residual_risk: int


def measure(store: Store, run: str, tests: SuiteResults | None) -> Measures:
    """What the run's files say now. IntegrityError where one of them no longer has its recorded digest."""
    before = _read(store, run, "reports", "mapa_nc.json", _Mapa)
    after = _read(store, run, "reports", "modulo_reescrito.mapa_nc.json", _Mapa)
    opinion = _read(store, run, "ai_reports", "parecer.json", _Opinion)
    found = [] if before is None else before.non_conformities
    subjects = _stems(store.digests(run, "docker"), _IMAGE) | {_TOOLKIT}
    return Measures(
        open=None if before is None else _counted(_open(found)),
        left=None if after is None else _counted(_open(after.non_conformities)),
        waived=None if before is None else sum(1 for each in found if each.waiver and each.status != "resolvida"),
        fingerprints=None if before is None else _fingerprints(_open(found)),
        risk_score=None if opinion is None else opinion.risk_score,
        residual_risk=None if opinion is None else opinion.residual_risk,
        tests_passed=None if tests is None else tests.passed,
        tests_failed=None if tests is None else tests.failed,
        coverage=None if tests is None else round(tests.coverage, 2),
        subjects=len(subjects),
        described=len(subjects & _stems(store.digests(run, "sbom"), _SBOM)),
    )


def _read(store: Store, run: str, category: str, name: str, kind: type[_Kind]) -> _Kind | None:
    if not store.has(run, category, name):
        return None
    return msgspec.json.decode(store.read(run, category, name), type=kind)


def _open(findings: Iterable[_Finding]) -> list[_Finding]:
    return [each for each in findings if each.status != "resolvida" and each.waiver is None]


def _counted(findings: Iterable[_Finding]) -> dict[Severity, int]:
    counts = Counter(each.severity for each in findings)
    return {severity: counts[severity] for severity in Severity}


def _fingerprints(findings: list[_Finding]) -> dict[Severity, tuple[str, ...]] | None:
    if len(findings) > MAX_FINGERPRINTS:
        return None
    return {
        severity: tuple(
            sorted(each.fingerprint[:FINGERPRINT_CHARACTERS] for each in findings if each.severity is severity)
        )
        for severity in Severity
    }


def _stems(names: Iterable[str], ending: str) -> set[str]:
    return {name.removesuffix(ending) for name in names if name.endswith(ending)}

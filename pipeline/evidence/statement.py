"""in-toto statements about a run: SLSA provenance, test results, verdict, decision, seal (standards §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.evidence.manifest import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.domain.evidence import Manifest, RapidDecision

__all__ = [
    "DECISION_TYPE",
    "PROVENANCE_TYPE",
    "SEAL_TYPE",
    "STATEMENT_TYPE",
    "TEST_TYPE",
    "VERDICT_TYPE",
    "Build",
    "decision_statement",
    "provenance",
    "seal",
    "test_result",
    "verdict",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
TEST_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
VERDICT_TYPE = "https://in-toto.io/attestation/svr/v0.2"
_HOME = "https://github.com/appgear/appgear-pipeline"
DECISION_TYPE = f"{_HOME}/attestations/rapid/v1"
SEAL_TYPE = f"{_HOME}/attestations/seal/v1"
_BUILD_TYPE = f"{_HOME}/blob/main/docs/evidencias.md#buildtype-v1"
_VERIFIER = f"{_HOME}/checklist"
# Recorded with the run, but not a choice of the caller.
_INTERNAL = frozenset({"toolkit", "version", "commit"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """What made the run. ``inputs`` are those of ``run.json``; ``locks`` and ``base`` digests by name (no algorithm).

    ``builder`` is ``laptop``, ``self-hosted`` or ``hosted``, with the CI system after a slash; ``base`` maps the base
    image's reference to its digest. All of them claim SLSA Build L1: the key is within reach of what is built.
    """

    builder: str
    version: str
    inputs: Mapping[str, str]
    locks: Mapping[str, str]
    base: Mapping[str, str]


def _statement(subject: list[dict[str, Any]], kind: str, predicate: dict[str, Any]) -> dict[str, Any]:
    return {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": kind, "predicate": predicate}


def _subject(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}


def provenance(manifest: Manifest, root: str, build: Build) -> dict[str, Any]:
    """SLSA provenance of the manifest (``root`` is its digest) and of every file that it lists.

    Without start and end times, which belong to an execution (``executions/``) and not to the reproducible run.
    """
    toolkit = {"name": "appgear-pipeline", "digest": {"sha256": build.inputs.get("toolkit", "")}}
    materials: list[dict[str, Any]] = [toolkit]
    if manifest.source.commit:
        materials.append({"name": "source", "digest": {"gitCommit": manifest.source.commit}})
    materials.append({"name": manifest.module.document or "module", "digest": {"sha256": manifest.module.sha256}})
    materials += [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(build.locks.items())]
    materials += [
        {"name": "base image", "uri": reference, "digest": {"sha256": digest}}
        for reference, digest in sorted(build.base.items())
    ]
    predicate = {
        "buildDefinition": {
            "buildType": _BUILD_TYPE,
            "externalParameters": {key: value for key, value in build.inputs.items() if key not in _INTERNAL},
            "internalParameters": {"version": build.version, "slsaBuildLevel": 1},
            "resolvedDependencies": materials,
        },
        "runDetails": {
            "builder": {"id": f"{_HOME}/builders/{build.builder}", "version": {"appgear-pipeline": build.version}},
            "metadata": {"invocationId": manifest.run},
        },
    }
    subject = [_subject(MANIFEST, root), *(_subject(each.path, each.sha256) for each in manifest.files)]
    return _statement(subject, PROVENANCE_TYPE, predicate)


def test_result(root: str, *, passed: int, failed: int, evidence: Mapping[str, str]) -> dict[str, Any]:
    """Result of the toolkit's own tests for the code that made the run; ``evidence`` is path → digest."""
    predicate = {
        "result": "FAILED" if failed or not passed else "PASSED",
        "configuration": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(evidence.items())],
    }
    return _statement([_subject(MANIFEST, root)], TEST_TYPE, predicate)


def verdict(manifest: Manifest, root: str, *, created: str, policy: str) -> dict[str, Any]:
    """The checklist's verdict as a simple verification result; ``policy`` is the digest of the rules and settings."""
    properties = ["SLSA_BUILD_LEVEL_1", f"APPGEAR_CHECKLIST_{manifest.verdict.upper()}"]
    predicate = {
        "verifier": {"id": _VERIFIER, "policies": [{"name": "rules", "digest": {"sha256": policy}}]},
        "timeCreated": created,
        "properties": properties,
    }
    return _statement([_subject(MANIFEST, root)], VERDICT_TYPE, predicate)


def decision_statement(decision: RapidDecision) -> dict[str, Any]:
    """What a person signs."""
    return _statement(
        [_subject(MANIFEST, decision.manifest_sha256)], DECISION_TYPE, msgspec.to_builtins(decision, str_keys=True)
    )


def seal(sums: str, root: str, *, run: str, rapid: str | None, decisions: int) -> dict[str, Any]:
    """The pack as a whole: digest of its SHA256SUMS, and how many decisions it holds."""
    predicate = {"run": run, "manifest_sha256": root, "rapid_sha256": rapid, "decisions": decisions}
    return _statement([_subject("SHA256SUMS", sums)], SEAL_TYPE, predicate)

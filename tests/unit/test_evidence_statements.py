"""Manifest, statements and envelopes: what they say, and the one form in which they are read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from evidencekit import PIPELINE, STRANGER, key, manifest
from pipeline.adapters.build import builder_name, lock_digests
from pipeline.codec import dump_json, sha256_hex
from pipeline.domain.artifact import Checklist, ModuleInfo, SourceInfo
from pipeline.errors import InputError, IntegrityError
from pipeline.evidence.envelope import dump_line, key_of, open_envelope, sign_statement, signing_key
from pipeline.evidence.manifest import build_manifest, media_type, stage_of
from pipeline.evidence.statement import Build, provenance, seal, test_result, verdict

test_result.__test__ = False  # type: ignore[attr-defined]  # a statement, not a test
BUILD = Build(
    builder="laptop",
    version="0.1.0",
    inputs={"module": "M07", "commit": "c" * 40, "toolkit": "f" * 64, "version": "0.1.0", "config": "1" * 64},
    locks={"requirements/pipeline.txt": "2" * 64},
    base={"debian@sha256:3": "3" * 64},
)


def test_the_manifest_lists_files_by_the_bytes_of_their_paths() -> None:
    run = "m07-0123456789abcdef"
    checklist = Checklist(
        run=run, module=ModuleInfo(id="M07", title="", version="", document=None, sha256="a" * 64), items=(),
        verdict="aprovado",
    )  # fmt: skip
    files = {f"tests/{run}/junit.xml": b"<x/>", f"reports/{run}/é.md": b"", f"ai_reports/{run}/parecer.json": b"{}"}
    made = build_manifest(
        files.items(), checklist, SourceInfo(commit=None, branch=None, dirty=False), created=None, retention_days=90
    )
    assert [each.path.split("/")[0] for each in made.files] == ["ai_reports", "reports", "tests"]
    assert made.opinion_sha256 == sha256_hex(b"{}")
    assert [(each.size, each.stage) for each in made.files] == [
        (2, "parecer_ia"),
        (0, "outra"),
        (4, "registrar_testes"),
    ]


@pytest.mark.parametrize(
    ("path", "kind", "stage"),
    [
        ("reports/r/mapa_nc.sarif", "application/sarif+json", "mapa_nc"),
        ("reports/r/modulo_reescrito/a/b.yaml", "application/yaml", "modulo_reescrito"),
        ("reports/r/fluxo.md", "text/markdown", "checklist"),
        ("sbom/r/core-backstage.cdx.json", "application/vnd.cyclonedx+json", "sbom"),
        ("docker/r/core-backstage/blobs/sha256/aa", "application/octet-stream", "image"),
    ],
)
def test_files_have_a_media_type_and_a_stage(path: str, kind: str, stage: str) -> None:
    assert (media_type(path), stage_of(path)) == (kind, stage)


def test_provenance_says_what_was_built_from_what() -> None:
    made = provenance(manifest(), "0" * 64, BUILD)
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [each["name"] for each in made["subject"]] == ["manifest.json", "reports/m07-0123456789abcdef/mapa_nc.json"]
    definition, details = made["predicate"]["buildDefinition"], made["predicate"]["runDetails"]
    assert definition["externalParameters"] == {"module": "M07", "config": "1" * 64}
    assert definition["internalParameters"] == {"version": "0.1.0", "slsaBuildLevel": 1}
    assert {"name": "source", "digest": {"gitCommit": "c" * 40}} in definition["resolvedDependencies"]
    assert [each["name"] for each in definition["resolvedDependencies"]] == [
        "appgear-pipeline", "source", "m07.md", "requirements/pipeline.txt", "base image",
    ]  # fmt: skip
    assert details["builder"]["id"].endswith("/builders/laptop")
    assert "startedOn" not in details["metadata"]


def test_outside_a_repository_there_is_no_commit_to_name() -> None:
    bare = manifest(source=SourceInfo(commit=None, branch=None, dirty=False))
    names = [
        each["name"]
        for each in provenance(bare, "0" * 64, BUILD)["predicate"]["buildDefinition"]["resolvedDependencies"]
    ]
    assert "source" not in names


def test_the_other_statements_follow_their_specifications() -> None:
    result = test_result("0" * 64, passed=3, failed=0, evidence={"tests/x/junit.xml": "1" * 64})
    assert (result["predicate"]["result"], result["predicate"]["configuration"][0]["name"]) == (
        "PASSED",
        "tests/x/junit.xml",
    )
    assert test_result("0" * 64, passed=0, failed=0, evidence={})["predicate"]["result"] == "FAILED"
    said = verdict(manifest(), "0" * 64, created="2026-01-01T00:00:00Z", policy="4" * 64)["predicate"]
    assert said["verifier"]["policies"][0]["digest"] == {"sha256": "4" * 64}
    assert said["properties"] == ["SLSA_BUILD_LEVEL_1", "APPGEAR_CHECKLIST_CONDICIONAL"]
    assert seal("5" * 64, "0" * 64, run="r", rapid=None, decisions=0)["subject"][0]["digest"] == {"sha256": "5" * 64}


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "laptop"),
        ({"CI": "true"}, "self-hosted/other"),
        ({"GITHUB_ACTIONS": "true", "RUNNER_ENVIRONMENT": "github-hosted"}, "hosted/github"),
        ({"GITHUB_ACTIONS": "true", "RUNNER_ENVIRONMENT": "self-hosted"}, "self-hosted/github"),
        (
            {"GITLAB_CI": "true", "CI_RUNNER_DESCRIPTION": "2-blue.saas-linux.runners-manager.gitlab.com/default"},
            "hosted/gitlab",
        ),
        ({"GITLAB_CI": "true"}, "self-hosted/gitlab"),
        ({"JENKINS_URL": "https://x"}, "self-hosted/jenkins"),
    ],
)
def test_the_builder_tells_a_laptop_from_a_runner(variables: dict[str, str], name: str) -> None:
    assert builder_name(variables) == name


def test_the_locks_of_this_checkout_are_known() -> None:
    assert set(lock_digests()) >= {"requirements/dev.txt", "requirements/pipeline.txt"}


def test_what_is_signed_is_read_back_and_only_that_key_verifies_it() -> None:
    signed = dump_json(sign_statement({"a": "é"}, key(PIPELINE).signer))
    opened = open_envelope(signed, where="x")
    own, other = key_of(key(PIPELINE).public_pem), key_of(key(STRANGER).public_pem)
    assert opened.statement(where="x") == {"a": "é"}
    assert opened.signed_by([other, own]) == (own.keyid,)
    assert opened.signed_by([other]) == ()
    assert dump_json(sign_statement({"a": "é"}, key(PIPELINE).signer)) == signed


def _changed(**changes: Any) -> bytes:
    return dump_json({**sign_statement({"a": 1}, key(PIPELINE).signer), **changes})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        dump_line(sign_statement({"a": 1}, key(PIPELINE).signer)),
        dump_json(sign_statement({"a": 1}, key(PIPELINE).signer)) + b"\n",
        _changed(extra=1),
        _changed(payload="!"),
        _changed(payload="YQ"),
        _changed(payload="YR=="),
        _changed(signatures=[{"keyid": "a", "sig": "YQ=="}, {"keyid": "a", "sig": "YQ=="}]),
        _changed(signatures=[{"keyid": "a", "sig": "YR=="}]),
        _changed(signatures=[{"keyid": "a"}]),
    ],
)
def test_any_other_form_of_an_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        open_envelope(data, where="x")


@pytest.mark.parametrize("payload", [b"{", b"[]\n", b'{"a": 1}\n', b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 9999])
def test_a_payload_that_is_no_canonical_statement_is_refused(payload: bytes) -> None:
    opened = open_envelope(_changed(payload=base64.b64encode(payload).decode()), where="x")
    with pytest.raises(IntegrityError):
        opened.statement(where="x")


def test_the_payload_type_is_fixed() -> None:
    with pytest.raises(IntegrityError, match="text/plain"):
        open_envelope(_changed(payloadType="text/plain"), where="x").statement(where="x")


def test_the_key_id_is_what_openssl_would_hash() -> None:
    body = "".join(key(PIPELINE).public_pem.decode().split("\n")[1:-2])
    assert key(PIPELINE).keyid == sha256_hex(base64.b64decode(body))
    assert json.loads(_changed())["signatures"][0]["keyid"] == key(PIPELINE).keyid


def test_private_keys_of_other_kinds_are_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    other = generate_private_key(SECP256R1())
    plain = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    locked = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    for pem in (plain, locked, b"", b"garbage"):
        with pytest.raises(InputError, match="openssl genpkey"):
            signing_key(pem, where="k.pem")

"""Verification of packs in memory: what a forger could write, each named; nothing raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from evidencekit import NOW, PIPELINE, STRANGER, Desk, key, manifest, trust
from pipeline.codec import dump_json, sha256_hex, sort_sums
from pipeline.domain.artifact import SourceInfo
from pipeline.domain.evidence import Manifest, ManifestEntry
from pipeline.errors import IntegrityError
from pipeline.evidence.envelope import dump_line, sign_statement, unsigned
from pipeline.evidence.statement import Build, provenance, seal, verdict
from pipeline.evidence.verify import PackAnswer, PackFiles, PackQuestion, verify_pack
from pipeline.records import dump_record

Damage = Callable[[dict[str, bytes]], object]
RUN = "m07-0123456789abcdef"
HOME = f"reports/{RUN}/"
FOUND = b"{}\n"
BUILD = Build(builder="laptop", version="0.1.0", inputs={"toolkit": "f" * 64}, locks={}, base={})
ASKED = PackQuestion(now=NOW, environment="producao", trust=trust(), strict=True)


def listed(**changes: Any) -> Manifest:
    entry = ManifestEntry(
        path=f"{HOME}mapa_nc.json", sha256=sha256_hex(FOUND), size=len(FOUND), media_type="application/json",
        stage="mapa_nc",
    )  # fmt: skip
    return manifest(**{"files": (entry,), **changes})


def pack(made: Manifest, *, seed: int = PIPELINE, rapid: bytes = b"", decisions: int = 0) -> dict[str, bytes]:
    """A whole pack around a manifest."""
    signer, data = key(seed).signer, dump_record(made)
    root = sha256_hex(data)
    files = {
        f"{HOME}mapa_nc.json": FOUND,
        f"{HOME}manifest.json": data,
        f"{HOME}manifest.dsse.json": dump_json(sign_statement(provenance(made, root, BUILD), signer)),
        f"{HOME}attestations.intoto.jsonl": dump_line(
            sign_statement(verdict(made, root, created="2026-01-01T00:00:00Z", policy="4" * 64), signer)
        ),
        "evidencias.html": b"<p>\n",
        "VERIFICAR.md": b"#\n",
        "chaves/a.pem": key(seed).public_pem,
    }
    if rapid:
        files[f"{HOME}rapid.jsonl"] = rapid
    return sealed(files, root, seed=seed, rapid=rapid, decisions=decisions)


def sealed(
    files: dict[str, bytes], root: str, *, seed: int = PIPELINE, rapid: bytes = b"", decisions: int = 0
) -> dict[str, bytes]:
    """The same files under a new list and a new seal."""
    rest = {path: data for path, data in files.items() if not path.startswith("SHA256SUMS")}
    sums = sort_sums({path: sha256_hex(data) for path, data in rest.items()})
    said = seal(sha256_hex(sums), root, run=RUN, rapid=sha256_hex(rapid) if rapid else None, decisions=decisions)
    closing = dump_json(sign_statement(said, key(seed).signer))
    return {**rest, "SHA256SUMS": sums, "SHA256SUMS.dsse.json": closing}


def check(files: dict[str, bytes], asked: PackQuestion = ASKED, **changes: Any) -> PackAnswer:
    found = PackFiles(digests={path: sha256_hex(data) for path, data in files.items()}, read=files.__getitem__)
    return verify_pack(replace(found, **changes), asked)


def codes(answer: PackAnswer) -> set[str]:
    return {each.code for each in answer.problems}


def test_the_good_pack_is_good_and_its_decisions_are_heard() -> None:
    desk = Desk(manifest=listed()).approve()
    answer = check(pack(listed(), rapid=desk.data, decisions=4))
    assert answer.problems == ()
    assert answer.board is not None
    assert answer.board.released


def _resigned(change: Callable[[dict[str, Any]], object], name: str = "manifest.dsse.json") -> Damage:
    """The provenance says something else, signed by the right key, and the list and seal agree."""

    def apply(files: dict[str, bytes]) -> None:
        made = listed()
        statement = provenance(made, sha256_hex(dump_record(made)), BUILD)
        change(statement)
        files[HOME + name] = dump_json(sign_statement(statement, key(PIPELINE).signer))

    return apply


def _set(name: str, data: bytes) -> Damage:
    return lambda files: files.__setitem__(name, data)


def _drop(name: str) -> Damage:
    return lambda files: files.pop(name)


OTHER = dump_record(listed(run="m07-ffffffffffffffff"))
TWICE = dump_record(listed(files=listed().files * 2))
UNSIGNED = dump_json(unsigned(provenance(listed(), sha256_hex(dump_record(listed())), BUILD)))
SEALED_LIES: dict[str, tuple[Damage, str]] = {
    "no manifest": (_drop(f"{HOME}manifest.json"), "manifest"),
    "two manifests": (_set("reports/m07-ffffffffffffffff/manifest.json", b"{}\n"), "manifest"),
    "manifest is no JSON": (_set(f"{HOME}manifest.json", b"{"), "manifest"),
    "manifest of another version": (_set(f"{HOME}manifest.json", dump_json({"schema_version": "9.0"})), "manifest"),
    "manifest in another form": (_set(f"{HOME}manifest.json", dump_record(listed()) + b"\n"), "manifest"),
    "manifest of another run": (_set(f"{HOME}manifest.json", OTHER), "manifest"),
    "manifest with a path twice": (_set(f"{HOME}manifest.json", TWICE), "manifest"),
    "file that the manifest does not know": (_set(f"{HOME}extra.json", b"{}\n"), "surplus"),
    "file in the top": (_set("extra.sh", b"x"), "surplus"),
    "file gone": (_drop(f"{HOME}mapa_nc.json"), "missing"),
    "file changed": (_set(f"{HOME}mapa_nc.json", b"[]\n"), "changed"),
    "no provenance": (_drop(f"{HOME}manifest.dsse.json"), "missing"),
    "no attestations": (_drop(f"{HOME}attestations.intoto.jsonl"), "missing"),
    "other subject": (_resigned(lambda each: each["subject"].pop()), "subject"),
    "other predicate": (_resigned(lambda each: each.update(predicateType="https://x")), "envelope"),
    "predicate type of another type": (_resigned(lambda each: each.update(predicateType=["x"])), "envelope"),
    "other statement": (_resigned(lambda each: each.update(_type="https://x")), "envelope"),
    "garbage attestation": (_set(f"{HOME}attestations.intoto.jsonl", b"x\n"), "envelope"),
    "unsigned provenance": (_set(f"{HOME}manifest.dsse.json", UNSIGNED), "unsigned"),
}  # fmt: skip


@pytest.mark.parametrize("name", SEALED_LIES)
def test_a_lie_under_a_good_seal_is_named(name: str) -> None:
    change, code = SEALED_LIES[name]
    files = pack(listed())
    change(files)
    answer = check(sealed(files, sha256_hex(files.get(f"{HOME}manifest.json", b""))))
    assert code in codes(answer)
    assert answer.board is None


def test_the_list_itself_is_judged() -> None:
    files = pack(listed())
    assert codes(check({**files, "SHA256SUMS": files["SHA256SUMS"].replace(b"  ", b" *", 1)})) >= {"sums"}
    assert "missing" in codes(check({path: data for path, data in files.items() if path != "SHA256SUMS"}))
    assert "missing" in codes(check({path: data for path, data in files.items() if path != "SHA256SUMS.dsse.json"}))
    assert "surplus" in codes(check({**files, "novo": b""}))
    assert "missing" in codes(check({path: data for path, data in files.items() if path != "VERIFICAR.md"}))
    assert "special" in codes(check(files, special=("link",)))


def test_a_seal_over_other_decisions_is_no_seal() -> None:
    desk = Desk(manifest=listed()).approve()
    assert "seal" in codes(check(pack(listed(), rapid=desk.data, decisions=5)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [("revoked_at = 2026-01-01", "key"), ("valid_until = 2026-01-01", "key"), ("compromised = true", "key")],
)
def test_the_packs_key_is_judged_at_the_packs_time(changes: str, code: str) -> None:
    from evidencekit import trust_text
    from pipeline.evidence.trust import load_trust

    text = trust_text() + changes + "\n"  # the machine's key is the last table
    asked = replace(ASKED, trust=load_trust(text.encode(), where="trust"))
    assert codes(check(pack(listed()), asked)) == {code}
    if not changes.startswith("compromised"):
        old = listed(created="2025-12-01T00:00:00Z")
        assert codes(check(pack(old), asked)) == set()


def test_strangers_and_forged_signatures_are_told_apart() -> None:
    assert codes(check(pack(listed(), seed=STRANGER))) == {"unknown-key"}
    files = pack(listed())
    envelope = json.loads(files[f"{HOME}manifest.dsse.json"])
    other = json.loads(files["SHA256SUMS.dsse.json"])
    envelope["signatures"][0]["sig"] = other["signatures"][0]["sig"]
    files[f"{HOME}manifest.dsse.json"] = dump_json(envelope)
    assert codes(check(sealed(files, sha256_hex(dump_record(listed()))))) == {"signature"}


def test_without_trust_damage_shows_and_nothing_else() -> None:
    asked = replace(ASKED, trust=None, strict=False)
    good = check(pack(listed(), seed=STRANGER), asked)
    assert good.problems == ()
    assert {each.code for each in good.notes} == {"trust"}
    assert codes(check(pack(listed()), replace(asked, strict=True))) == {"unsigned"}
    files = pack(listed())
    assert "signature" in codes(check(sealed({**files, "chaves/a.pem": key(STRANGER).public_pem}, "x"), asked))
    assert "key" in codes(check(sealed({**files, "chaves/b.pem": b"x"}, "x"), asked))


def test_retention_and_commit_are_terms() -> None:
    assert codes(check(pack(listed(retention_days=89)))) == {"retention"}
    asked = replace(ASKED, commit="d" * 40)
    assert codes(check(pack(listed()), asked)) == {"commit"}
    bare = listed(source=SourceInfo(commit=None, branch=None, dirty=False))
    assert any("nenhum" in str(each) for each in check(pack(bare), asked).problems)


def test_an_expired_decision_is_a_note_a_year_later() -> None:
    desk = Desk(manifest=listed()).approve()
    answer = check(pack(listed(), rapid=desk.data, decisions=4), replace(ASKED, now=NOW.replace(year=2027)))
    assert answer.problems == ()
    assert [each.code for each in answer.notes] == ["expired"] * 4


def test_a_wrong_decision_is_a_problem_with_its_line() -> None:
    desk = Desk(manifest=listed()).approve(until="agree")
    desk.say("decide", environment="homologacao")
    answer = check(pack(listed(), rapid=desk.data, decisions=4))
    assert [(each.code, each.path) for each in answer.problems] == [("environment", f"{HOME}rapid.jsonl:4")]


def test_a_file_that_cannot_be_read_is_named() -> None:
    files = pack(listed())

    def read(path: str) -> bytes:
        if path.endswith("manifest.dsse.json"):
            raise IntegrityError("sumiu", where=path, mend="repita")
        return files[path]

    assert "unreadable" in codes(check(files, read=read))

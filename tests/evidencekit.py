"""A board to test with: people, keys, a trust file, a manifest, and lines that are right until something is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipeline.codec import sha256_hex
from pipeline.domain.artifact import ModuleInfo, SourceInfo
from pipeline.domain.evidence import Board, Manifest, ManifestEntry, RapidDecision
from pipeline.evidence.envelope import SigningKey, dump_line, sign_statement, signing_key, unsigned
from pipeline.evidence.rapid import ORIGIN, Hearing, hear, split_lines, stamp
from pipeline.evidence.statement import decision_statement
from pipeline.evidence.trust import Trust, load_trust
from pipeline.records import dump_record

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PEOPLE = {"ana": 1, "bruno": 2, "carla": 3, "davi": 4, "elisa": 5}
ROLE_OF = {"recommend": "ana", "input": "bruno", "agree": "carla", "decide": "davi", "perform": "ana"}
PIPELINE, STRANGER, DAVI_SECOND = 100, 101, 40


def private_pem(seed: int) -> bytes:
    """A private key that is the same in every test run."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key(seed: int) -> SigningKey:
    return signing_key(private_pem(seed), where=f"key {seed}")


def key_table(owner: str, seed: int, extra: str = "") -> str:
    return f'[[{owner}.keys]]\npublic_key = """\n{key(seed).public_pem.decode()}"""\n{extra}\n'


def trust_text(*, threshold: int = 1, extra: dict[str, str] | None = None, tail: str = "") -> str:
    """A whole trust file; ``extra`` adds lines to a person's key."""
    changes = extra or {}
    rows = ['schema_version = "1.0"']
    rows += [f'[roles.{role}]\npeople = ["{ROLE_OF[role]}"]' for role in ("recommend", "input", "agree", "perform")]
    rows.append(f'[roles.decide]\npeople = ["davi", "elisa"]\nthreshold = {threshold}')
    for person, seed in PEOPLE.items():
        rows.append(f'[people.{person}]\nname = "{person.title()} Souza"')
        rows.append(key_table(f"people.{person}", seed, changes.get(person, "")))
    rows.append(key_table("people.davi", DAVI_SECOND))
    rows.append(key_table("pipeline", PIPELINE))
    return "\n".join(rows) + "\n" + tail


def trust(**changes: Any) -> Trust:
    return load_trust(trust_text(**changes).encode(), where="trust.toml")


def manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "run": "m07-0123456789abcdef",
        "module": ModuleInfo(id="M07", title="Portal", version="v0.3", document="m07.md", sha256="a" * 64),
        "source": SourceInfo(commit="c" * 40, branch="main", dirty=False),
        "verdict": "condicional",
        "opinion_sha256": "e" * 64,
        "created": stamp(NOW - 10 * DAY),
        "retention_days": 90,
        "files": (
            ManifestEntry(
                path="reports/m07-0123456789abcdef/mapa_nc.json", sha256="b" * 64, size=3,
                media_type="application/json", stage="mapa_nc",
            ),
        ),
    }  # fmt: skip
    return Manifest(**{**values, **changes})


@dataclass
class Desk:
    """Writes ``rapid.jsonl``. Each line is right; keyword arguments of ``say`` make it wrong in one way."""

    manifest: Manifest = field(default_factory=manifest)
    data: bytes = b""

    @property
    def root(self) -> str:
        return sha256_hex(dump_record(self.manifest))

    def say(
        self, role: str, *, person: str = "", seed: int | None = None, signed: bool = True, **changes: Any
    ) -> RapidDecision:
        lines = split_lines(self.data)
        person = person or ROLE_OF[role]
        values: dict[str, Any] = {
            "sequence": len(lines) + 1,
            "role": role,
            "person": person,
            "declared": not signed,
            "decision": "liberar",
            "conditions": (),
            "justification": "",
            "exceptions": (),
            "manifest_sha256": self.root,
            "run": self.manifest.run,
            "commit": self.manifest.source.commit,
            "module": self.manifest.module.id,
            "environment": "producao",
            "opinion_sha256": self.manifest.opinion_sha256,
            "issued_at": stamp(NOW - DAY),
            "expires_at": stamp(NOW + 20 * DAY),
            "nonce": f"{len(lines) + 1:032x}",
            "previous_pack": None,
            "previous": sha256_hex(lines[-1]) if lines else ORIGIN,
        }
        decision = RapidDecision(**{**values, **changes})
        self.add(decision_statement(decision), PEOPLE[person] if seed is None else seed, signed=signed)
        return decision

    def add(self, statement: dict[str, Any], seed: int, *, signed: bool = True) -> None:
        envelope = sign_statement(statement, key(seed).signer) if signed else unsigned(statement)
        self.data += dump_line(envelope)

    def approve(self, *, until: str = "decide") -> Desk:
        """Everybody says yes, in order, up to and with one role."""
        for role in ("recommend", "input", "agree", "decide"):
            self.say(role)
            if role == until:
                break
        return self

    def hear(self, **changes: Any) -> Board:
        values: dict[str, Any] = {
            "manifest": self.manifest,
            "root": self.root,
            "environment": "producao",
            "now": NOW,
            "trust": trust(),
        }
        return hear(self.data, Hearing(**{**values, **changes}))


def statement_of(decision: RapidDecision) -> dict[str, Any]:
    """The statement as plain data, to be changed."""
    value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(decision_statement(decision)))
    return value

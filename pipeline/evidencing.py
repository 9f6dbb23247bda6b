"""Evidence packs of a store: made whole, spoken about, read back. Ports come from outside."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pipeline.codec import sha256_hex, visible
from pipeline.domain.artifact import Checklist
from pipeline.domain.base import Record
from pipeline.domain.evidence import Manifest, RapidDecision
from pipeline.domain.opinion import Opinion
from pipeline.errors import GateError, IntegrityError, UsageError
from pipeline.evidence.envelope import dump_line, sign_statement, unsigned
from pipeline.evidence.manifest import MANIFEST, OPINION, PACK_FILES, RAPID
from pipeline.evidence.rapid import ORIGIN, Hearing, hear, nonces_of, split_lines, stamp
from pipeline.evidence.statement import decision_statement
from pipeline.ledger import packs_before
from pipeline.ports import CATEGORIES
from pipeline.records import dump_record, load_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.domain.evidence import Board, RiskException, Role, Word
    from pipeline.evidence.envelope import SigningKey
    from pipeline.evidence.trust import Trust
    from pipeline.store import Store

__all__ = ["Bench", "EvidencePack", "Speech", "is_current", "listed_files", "read_pack"]

Kind = TypeVar("Kind", bound=Record)

_GATE_CODES = frozenset({"order", "role", "segregation", "twice", "conditions", "exception"})


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Against what decisions about the packs of a store are judged."""

    store: Store
    environment: str
    now: datetime
    trust: Trust | None
    strict: bool


@dataclass(frozen=True, kw_only=True)
class Speech:
    """What a person wants recorded; ``days`` it stays valid. Without ``key`` it is declared and not signed."""

    role: Role
    person: str
    decision: Word
    conditions: tuple[str, ...]
    justification: str
    exceptions: tuple[RiskException, ...]
    days: int
    key: SigningKey | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class EvidencePack:
    """A run's manifest, and what was said about it."""

    bench: Bench
    manifest: Manifest
    root: str

    @cached_property
    def rapid(self) -> bytes:
        """``rapid.jsonl``; empty before the first decision."""
        store, run = self.bench.store, self.manifest.run
        return store.read(run, "reports", RAPID) if store.has(run, "reports", RAPID) else b""

    @cached_property
    def checklist(self) -> Checklist:
        """The run's checklist."""
        return self._document("reports", "checklist.json", Checklist)

    @cached_property
    def opinion(self) -> Opinion | None:
        """The opinion; None where it was switched off."""
        has = self.bench.store.has(self.manifest.run, "ai_reports", OPINION)
        return self._document("ai_reports", OPINION, Opinion) if has else None

    def _document(self, category: str, name: str, kind: type[Kind]) -> Kind:
        run = self.manifest.run
        return load_record(self.bench.store.read(run, category, name), kind, where=f"{category}/{run}/{name}")

    @property
    def board(self) -> Board:
        """Where the decision stands now."""
        return hear(self.rapid, self.hearing)

    @cached_property
    def hearing(self) -> Hearing:
        """What its decisions are judged against."""
        bench = self.bench
        return Hearing(
            manifest=self.manifest,
            root=self.root,
            environment=bench.environment,
            now=bench.now,
            trust=bench.trust,
            strict=bench.strict,
            previous_pack=self.previous,
            nonces=dict(self._foreign_nonces()),
        )

    @cached_property
    def previous(self) -> str | None:
        """Manifest of the module's pack before this one, as the chain tells it in which this one first stood."""
        lines, module = self.bench.store.history(), self.manifest.module.id
        found = packs_before(lines)
        if (module, self.root) in found:
            return found[module, self.root]
        packs = [line.manifest_sha256 for line in lines if line.module == module and line.manifest_sha256 is not None]
        return packs[-1] if packs else None

    def _foreign_nonces(self) -> Iterator[tuple[str, str]]:
        """The register: what every other pack of the store has used up, removed ones too."""
        store = self.bench.store
        for line in store.history():
            for nonce in line.removal.nonces if line.removal is not None else ():
                yield nonce, f"{line.run}/{RAPID}"
        for run in sorted({line.run for line in store.history()} - {self.manifest.run}):
            if store.has(run, "reports", RAPID):
                for nonce in nonces_of(store.read(run, "reports", RAPID)):
                    yield nonce, f"{run}/{RAPID}"

    def speak(self, speech: Speech) -> RapidDecision:
        """Record a decision. GateError or IntegrityError, and nothing written, where it would not count."""
        if not is_current(self.bench.store, self.manifest):
            raise IntegrityError(
                "o run mudou depois do manifesto", where=self.manifest.run, mend="rode `evidencias` e releia o pacote"
            )
        decision = self._decision(speech)
        statement = decision_statement(decision)
        envelope = unsigned(statement) if speech.key is None else sign_statement(statement, speech.key.signer)
        spoken = self.rapid + dump_line(envelope)
        # A declaration is judged as one would be without a trust file: what is recorded must be right but for the name.
        bench = replace(self.hearing, trust=None, strict=False) if speech.key is None else self.hearing
        for each in hear(spoken, bench).refused:
            if each.line == decision.sequence:
                kind = GateError if each.code in _GATE_CODES else IntegrityError
                raise kind(f"decisão recusada: {each.message}", mend="nada foi gravado; veja `rapid status`")
        self.bench.store.publish(self.manifest.run, "reports", {RAPID: spoken}, stage="rapid", grows={RAPID})
        return decision

    def _decision(self, speech: Speech) -> RapidDecision:
        lines = split_lines(self.rapid)
        now = self.bench.now
        return RapidDecision(
            sequence=len(lines) + 1,
            role=speech.role,
            person=speech.person,
            declared=speech.key is None,
            decision=speech.decision,
            conditions=speech.conditions,
            justification=speech.justification,
            exceptions=speech.exceptions,
            manifest_sha256=self.root,
            run=self.manifest.run,
            commit=self.manifest.source.commit,
            module=self.manifest.module.id,
            environment=self.bench.environment,
            opinion_sha256=self.manifest.opinion_sha256,
            issued_at=stamp(now),
            expires_at=stamp(now + timedelta(days=speech.days)),
            nonce=secrets.token_hex(16),
            previous_pack=self.previous,
            previous=sha256_hex(lines[-1]) if lines else ORIGIN,
        )


def read_pack(bench: Bench, run: str) -> EvidencePack:
    """The pack of a run. UsageError where it has none yet."""
    if not bench.store.has(run, "reports", MANIFEST):
        raise UsageError(f"o run {visible(run)} não tem pacote de evidências", mend="rode `evidencias` antes")
    data = bench.store.read(run, "reports", MANIFEST)
    manifest = load_record(data, Manifest, where=f"reports/{run}/{MANIFEST}")
    if manifest.run != run or dump_record(manifest) != data:
        raise IntegrityError("manifesto de outro run ou fora da forma canônica", where=run, mend="rode `evidencias`")
    return EvidencePack(bench=bench, manifest=manifest, root=sha256_hex(data))


def is_current(store: Store, manifest: Manifest) -> bool:
    """Whether the manifest lists exactly the run's files, with the digests that they have now."""
    own = {each.path: each.sha256 for each in manifest.files if each.path.split("/")[1] == manifest.run}
    return own == dict(listed_files(store, manifest.run))


def listed_files(store: Store, run: str) -> Iterator[tuple[str, str]]:
    """Every file of a run over all categories, but those that speak about its manifest: path, digest."""
    for category in CATEGORIES:
        for name, digest in store.digests(run, category).items():
            if category != "reports" or name not in PACK_FILES:
                yield f"{category}/{run}/{name}", digest

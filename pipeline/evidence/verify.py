"""Checking a pack from its files alone: closed set, hashes, signatures, decisions; each wrong thing is named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.codec import dump_json, sha256_hex
from pipeline.domain.evidence import Board, Manifest
from pipeline.errors import PipelineError
from pipeline.evidence.envelope import bundle_digest, key_of, open_envelope
from pipeline.evidence.manifest import ATTESTATIONS, ENVELOPE, KEYLESS, MANIFEST, PACK_FILES, PAGE, RAPID
from pipeline.evidence.rapid import Hearing, hear, parse_time, split_lines
from pipeline.evidence.statement import PROVENANCE_TYPE, SEAL_TYPE, STATEMENT_TYPE, TEST_TYPE, VERDICT_TYPE
from pipeline.ports import show_path
from pipeline.sums import SUMS, parse_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from pipeline.evidence.envelope import OpenEnvelope
    from pipeline.evidence.trust import Trust, TrustedKey

__all__ = ["KEYS", "RECIPE", "SEAL", "Fault", "PackAnswer", "PackFiles", "PackQuestion", "verify_pack"]

SEAL = "SHA256SUMS.dsse.json"
RECIPE = "VERIFICAR.md"
KEYS = "chaves"
_MIN_RETENTION_DAYS = 90
_RUN_MANIFEST = re.compile(rf"reports/([a-z0-9]{{1,12}}-[0-9a-f]{{16}})/{re.escape(MANIFEST)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that does not hold; ``path`` is where, on one line without control characters."""

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackFiles:
    """A pack as it was found: digest of each regular file by path, what is none, and a way to read one.

    ``whole`` is True for a zip or its extracted folder, with ``SHA256SUMS`` and seal at the top; False for a run inside
    an artifacts folder, where ``verify_store`` has judged the lists already.
    """

    digests: Mapping[str, str]
    read: Callable[[str], bytes] = field(repr=False)
    special: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PackQuestion:
    """What to check against. ``commit`` is the one that the reader expects; None where any will do."""

    now: datetime
    environment: str
    trust: Trust | None = None
    strict: bool = False
    commit: str | None = None
    history: bool = False
    previous_pack: str | None = None
    nonces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PackAnswer:
    """``notes`` are true and worth saying, and no fault. Without ``manifest`` nothing else could be believed."""

    problems: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    manifest: Manifest | None
    root: str | None
    board: Board | None
    files: int

    @property
    def ok(self) -> bool:
        return not self.problems


def verify_pack(files: PackFiles, asked: PackQuestion) -> PackAnswer:
    """Check everything; never raises for what it finds. After a fault in the set or the manifest no decision counts."""
    check = _Check(files, asked)
    check.all()
    key = lambda fault: (fault.path, fault.code)  # noqa: E731
    return PackAnswer(
        problems=tuple(sorted(check.problems, key=key)),
        notes=tuple(sorted(check.notes, key=key)),
        manifest=check.manifest,
        root=check.root,
        board=check.board,
        files=len(files.digests),
    )


@dataclass(slots=True)
class _Check:
    files: PackFiles
    asked: PackQuestion
    problems: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    manifest: Manifest | None = None
    root: str | None = None
    board: Board | None = None
    home: str = ""

    def all(self) -> None:
        for path in self.files.special:
            self._bad("special", path, "link ou arquivo especial")
        sums = self._sums() if self.files.whole else None
        manifest = self._manifest()
        if manifest is None:
            return
        self.manifest = manifest
        self._closed(manifest)
        self._statements(manifest, sums)
        self._terms(manifest)
        if not self.problems:
            self._decisions(manifest)

    def _bad(self, code: str, path: str, message: str) -> None:
        self.problems.append(Fault(code=code, path=show_path(path) or ".", message=message))

    def _note(self, code: str, path: str, message: str) -> None:
        self.notes.append(Fault(code=code, path=show_path(path) or ".", message=message))

    def _read(self, path: str) -> bytes | None:
        if path not in self.files.digests:
            return None
        try:
            return self.files.read(path)
        except PipelineError as error:
            self._bad("unreadable", path, error.message)
            return None

    # --- the set

    def _sums(self) -> str | None:
        """Every file is listed, every listed file is there with its digest; the digest of the list itself."""
        data = self._read(SUMS)
        if data is None:
            self._bad("missing", SUMS, "ausente: o pacote não diz de que é feito")
            return None
        try:
            listed = parse_sums(data, where=SUMS)
        except PipelineError as error:
            self._bad("sums", error.where, error.message)
            return None
        present = self.files.digests
        for path in sorted(present.keys() - listed.keys() - {SUMS, SEAL}):
            self._bad("surplus", path, f"não está em {SUMS}")
        for path in sorted(listed.keys() - present.keys() - set(self.files.special)):
            self._bad("missing", path, f"listado em {SUMS} e ausente")
        for path in sorted(listed.keys() & present.keys()):
            if listed[path] != present[path]:
                self._bad("changed", path, f"não confere com {SUMS}")
        return sha256_hex(data)

    def _manifest(self) -> Manifest | None:
        found = sorted(path for path in self.files.digests if _RUN_MANIFEST.fullmatch(path))
        if len(found) != 1:
            self._bad("manifest", MANIFEST, f"{len(found)} manifestos em reports/<run>/, esperava 1")
            return None
        path = found[0]
        self.home = path.removesuffix(MANIFEST)
        data = self._read(path)
        try:
            manifest = msgspec.json.decode(data or b"", type=Manifest)
        except (msgspec.DecodeError, RecursionError):
            self._bad("manifest", path, "não é um manifesto desta versão (schema_version 1.0)")
            return None
        if dump_json(msgspec.to_builtins(manifest, str_keys=True)) != data:
            self._bad("manifest", path, "fora da forma canônica")
            return None
        if self.home != f"reports/{manifest.run}/":
            self._bad("manifest", path, f"é do run {manifest.run}, e está na pasta de outro")
            return None
        self.root = sha256_hex(data)
        return manifest

    def _closed(self, manifest: Manifest) -> None:
        listed = {each.path: each for each in manifest.files}
        if len(listed) != len(manifest.files) or list(listed) != sorted(listed, key=str.encode):
            self._bad("manifest", self.home + MANIFEST, "caminhos repetidos ou fora de ordem")
        own = {self.home + name for name in PACK_FILES}
        if self.files.whole:
            own = (own - {self.home + PAGE}) | {SUMS, SEAL, RECIPE, PAGE}
        for path in sorted(self.files.digests.keys() - listed.keys() - own):
            if not (self.files.whole and path.startswith(f"{KEYS}/")):
                self._bad("surplus", path, "não está no manifesto; se uma etapa rodou depois, rode `evidencias`")
        for path, entry in listed.items():
            found = self.files.digests.get(path)
            if found is None and path not in self.files.special:
                self._bad("missing", path, "listado no manifesto e ausente")
            elif found is not None and found != entry.sha256:
                self._bad("changed", path, "não confere com o manifesto")

    # --- signatures

    def _statements(self, manifest: Manifest, sums: str | None) -> None:
        root = self.root or ""
        subjects = {MANIFEST: root} | {each.path: each.sha256 for each in manifest.files}
        self._envelope(self.home + ENVELOPE, (PROVENANCE_TYPE,), subjects)
        data = self._read(self.home + ATTESTATIONS)
        if data is None:
            self._bad("missing", self.home + ATTESTATIONS, "ausente")
        for number, line in enumerate(split_lines(data or b""), 1):
            where = f"{self.home}{ATTESTATIONS}:{number}"
            self._signed(line, where, (TEST_TYPE, VERDICT_TYPE), {MANIFEST: root}, line=True)
        self._keyless(root)
        if self.files.whole and sums is not None:
            sealed = self._envelope(SEAL, (SEAL_TYPE,), {SUMS: sums})
            if sealed is not None:
                self._sealed(sealed, manifest)

    def _keyless(self, root: str) -> None:
        """A Sigstore bundle is checked by Sigstore's own tools; here, that it speaks of this manifest."""
        path = self.home + KEYLESS
        data = self._read(path)
        if data is None:
            return
        if bundle_digest(data) == root:
            self._note("keyless", path, "assinatura sem chave sobre este manifesto; confira com `sigstore verify`")
        else:
            self._bad("keyless", path, "não fala deste manifesto: rode `evidencias --keyless` de novo")

    def _sealed(self, statement: dict[str, Any], manifest: Manifest) -> None:
        rapid = self._read(self.home + RAPID)
        expected = {
            "run": manifest.run,
            "manifest_sha256": self.root,
            "rapid_sha256": None if rapid is None else sha256_hex(rapid),
            "decisions": len(split_lines(rapid or b"")),
        }
        found = statement.get("predicate")
        if found != expected:
            self._bad("seal", SEAL, "o selo fala de outro run, outro manifesto ou outras decisões")

    def _envelope(self, path: str, kinds: tuple[str, ...], subjects: Mapping[str, str]) -> dict[str, Any] | None:
        data = self._read(path)
        if data is None:
            self._bad("missing", path, "ausente")
            return None
        return self._signed(data, path, kinds, subjects, line=False)

    def _signed(
        self, data: bytes, where: str, kinds: tuple[str, ...], subjects: Mapping[str, str], *, line: bool
    ) -> dict[str, Any] | None:
        try:
            envelope = open_envelope(data, where=where, line=line)
            statement = envelope.statement(where=where)
        except PipelineError as error:
            self._bad("envelope", where, error.message)
            return None
        if statement.get("_type") != STATEMENT_TYPE or statement.get("predicateType") not in kinds:
            self._bad("envelope", where, f"é {statement.get('predicateType')!r}, esperava {kinds[0]}")
            return None
        wanted = [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()]
        if statement.get("subject") != wanted:
            self._bad("subject", where, "o que foi assinado não é o que está no pacote")
        self._signature(envelope, where)
        return statement

    def _signature(self, envelope: OpenEnvelope, where: str) -> None:
        if not envelope.signatures:
            self._bad("unsigned", where, "lista de assinaturas vazia")
            return
        trust = self.asked.trust
        if trust is None:
            self._self_signed(envelope, where)
            return
        known = [trust.pipeline[name] for name in envelope.signatures if name in trust.pipeline]
        valid = set(envelope.signed_by([each.key for each in known]))
        if not known:
            self._bad("unknown-key", where, f"a chave {_short(envelope.signatures)} não está em [pipeline] de --trust")
        elif not valid:
            self._bad("signature", where, f"a assinatura da chave {_short(envelope.signatures)} não confere")
        else:
            self._validity([each for each in known if each.keyid in valid], where)

    def _validity(self, keys: Iterable[TrustedKey], where: str) -> None:
        """Pack keys are judged at the pack's own time: an old pack verifies with the keys of its day."""
        created = self.manifest.created if self.manifest else None
        moment = parse_time(created) if created else self.asked.now
        faults = [each.fault(moment) for each in keys]
        if all(faults):
            self._bad("key", where, str(faults[0]))

    def _self_signed(self, envelope: OpenEnvelope, where: str) -> None:
        """Without a trust file the pack's own key shows damage, and nothing about who signed."""
        keys = []
        for path in sorted(self.files.digests):
            if path.startswith(f"{KEYS}/"):
                try:
                    keys.append(key_of(self._read(path) or b""))
                except ValueError:
                    self._bad("key", path, "não é uma chave pública Ed25519, P-256 ou P-384")
        if self.asked.strict:
            self._bad("unsigned", where, "sem arquivo de confiança (--trust) nenhuma assinatura conta")
        elif self.files.whole and not envelope.signed_by(keys):
            self._bad("signature", where, "a assinatura não confere com a chave que veio no pacote")
        else:
            self._note("trust", where, "assinado; sem --trust não se sabe por quem")

    # --- what it is worth

    def _terms(self, manifest: Manifest) -> None:
        if manifest.retention_days < _MIN_RETENTION_DAYS:
            self._bad("retention", self.home + MANIFEST, f"retenção de {manifest.retention_days} dias, mínimo 90")
        wanted = self.asked.commit
        if wanted is not None and manifest.source.commit != wanted:
            found = manifest.source.commit or "nenhum"
            self._bad("commit", self.home + MANIFEST, f"é do commit {found}, e se esperava {wanted}")

    def _decisions(self, manifest: Manifest) -> None:
        path = self.home + RAPID
        asked = self.asked
        self.board = hear(
            self._read(path) or b"",
            Hearing(
                manifest=manifest,
                root=self.root or "",
                environment=asked.environment,
                now=asked.now,
                trust=asked.trust,
                strict=asked.strict,
                history=asked.history,
                previous_pack=asked.previous_pack,
                nonces=asked.nonces,
            ),
        )
        for each in self.board.refused:
            tell = self._note if each.code == "expired" else self._bad
            tell(each.code, f"{path}:{each.line}", each.message)
        for found in self.board.accepted:
            if not found.verified:
                self._note("unverified", f"{path}:{found.line}", f"{found.decision.person}: declarada, não verificada")


def _short(signatures: Mapping[str, bytes]) -> str:
    return ", ".join(f"{show_path(name)[:16]}…" for name in signatures)

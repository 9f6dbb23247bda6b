"""RAPID: which recorded decisions count for exactly this content, and why the others do not (threats T32 to T36)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from pipeline.codec import dump_json, sha256_hex, visible
from pipeline.domain.evidence import Accepted, Board, Missing, RapidDecision, Refusal, Role
from pipeline.errors import IntegrityError
from pipeline.evidence.envelope import open_envelope
from pipeline.evidence.statement import DECISION_TYPE, STATEMENT_TYPE, decision_statement
from pipeline.evidence.trust import OPEN_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.domain.evidence import Manifest
    from pipeline.evidence.envelope import OpenEnvelope
    from pipeline.evidence.trust import RoleRule, Trust

__all__ = ["ORIGIN", "Hearing", "hear", "nonces_of", "parse_time", "split_lines", "stamp"]

ORIGIN = "0" * 64
_SKEW = timedelta(minutes=5)
_VETO: frozenset[Role] = frozenset({"agree", "decide"})
_BEFORE: Mapping[Role, tuple[Role, ...]] = {"agree": ("recommend",), "decide": ("recommend", "input", "agree")}
# One person holds one of these per pack; who performs may have recommended or given input, but not judged.
_APART: frozenset[Role] = frozenset({"recommend", "input", "agree", "decide"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """What the decisions are judged against.

    ``root`` is the digest of the manifest on disk. ``now`` is the trusted time. ``nonces`` maps those of other packs to
    their place. ``previous_pack`` counts only where ``history`` is known (an artifacts folder, not a lone zip).
    Without ``trust`` nothing is verified; with ``strict`` nothing unverified counts.
    """

    manifest: Manifest
    root: str
    environment: str
    now: datetime
    trust: Trust | None
    strict: bool = False
    history: bool = True
    previous_pack: str | None = None
    nonces: Mapping[str, str] = field(default_factory=dict)


class _Refused(Exception):  # noqa: N818  # an answer, not an error
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def hear(data: bytes, given: Hearing) -> Board:
    """Judge ``rapid.jsonl`` line by line; a line that is refused counts for nothing, and says why with both values."""
    return _Session(given).hear(data)


def split_lines(data: bytes) -> list[bytes]:
    """Lines with their newlines; a torn last line has none."""
    *whole, torn = data.split(b"\n")
    return [*(each + b"\n" for each in whole), *([torn] if torn else [])]


def nonces_of(data: bytes) -> Iterator[str]:
    """Nonces of every readable line, valid or not: a nonce is used up once it was written."""
    for number, line in enumerate(split_lines(data), 1):
        try:
            statement = open_envelope(line, where=str(number), line=True).statement(where=str(number))
            yield str(statement["predicate"]["nonce"])
        except (IntegrityError, KeyError, TypeError):
            continue


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """ValueError unless it is what ``stamp`` writes."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@dataclass(slots=True)
class _Session:
    given: Hearing
    accepted: list[Accepted] = field(default_factory=list)
    spoken: list[Accepted] = field(default_factory=list)  # accepted, and what has expired since
    refused: list[Refusal] = field(default_factory=list)
    nonces: dict[str, int] = field(default_factory=dict)
    head: str = ORIGIN

    def hear(self, data: bytes) -> Board:
        for number, line in enumerate(split_lines(data), 1):
            self._line(number, line)
            self.head = sha256_hex(line)
        return Board(
            accepted=tuple(self.accepted),
            refused=tuple(self.refused),
            missing=tuple(self._missing([role for role, rule in self._roles.items() if rule.required], self.accepted)),
            vetoes=tuple(self._vetoes()),
        )

    @property
    def _roles(self) -> Mapping[Role, RoleRule]:
        return self.given.trust.roles if self.given.trust else OPEN_ROLES

    def _vetoes(self) -> Iterator[Accepted]:
        return (each for each in self.accepted if each.decision.role in _VETO and each.decision.decision == "bloquear")

    def _missing(self, roles: list[Role], lines: list[Accepted]) -> Iterator[Missing]:
        for role in roles:
            rule = self._roles[role]
            spoke = {each.decision.person for each in lines if each.decision.role == role}
            if len(spoke) < rule.threshold:
                waiting = tuple(person for person in rule.people if person not in spoke)
                yield Missing(role=role, needed=rule.threshold - len(spoke), people=waiting)

    def _line(self, number: int, line: bytes) -> None:
        decision: RapidDecision | None = None
        try:
            envelope, decision = self._read(number, line)
            self._check_chain(number, decision)
            self._check_binding(decision)
            issued = self._check_time(decision)
            self._check_nonce(number, decision)
            name, verified = self._check_signature(envelope, decision, issued)
            self._check_exceptions(decision, issued)
            self._check_people(decision)
            self.spoken.append(Accepted(line=number, decision=decision, name=name, verified=verified))
            self._check_expiry(decision)
        except _Refused as refused:
            self.refused.append(Refusal(line=number, code=refused.code, message=str(refused), decision=decision))
            return
        self.accepted.append(self.spoken[-1])

    def _check_expiry(self, decision: RapidDecision) -> None:
        """A no does not expire: time alone must not release."""
        expires, now = parse_time(decision.expires_at), self.given.now
        if expires < now and decision.decision != "bloquear":
            raise _Refused("expired", f"venceu em {stamp(expires)}, e agora são {stamp(now)}")

    def _read(self, number: int, line: bytes) -> tuple[OpenEnvelope, RapidDecision]:
        where = f"linha {number}"
        if not line.endswith(b"\n"):
            raise _Refused("torn", "linha incompleta: falta a quebra de linha no fim")
        try:
            envelope = open_envelope(line, where=where, line=True)
            statement = envelope.statement(where=where)
        except IntegrityError as error:
            raise _Refused("format", error.message) from error
        kind, form = statement.get("predicateType"), statement.get("_type")
        if kind != DECISION_TYPE or form != STATEMENT_TYPE:
            raise _Refused("type", f"é {visible(str(kind))}, esperava {DECISION_TYPE}")
        predicate = statement.get("predicate")
        version = predicate.get("schema_version") if isinstance(predicate, dict) else None
        if version != "1.0":
            raise _Refused("version", f"versão {visible(str(version))}, esta ferramenta lê 1.0")
        try:
            decision = msgspec.convert(predicate, RapidDecision)
        except msgspec.ValidationError as error:
            raise _Refused("format", f"não é uma decisão ({visible(str(error))})") from error
        if dump_json(decision_statement(decision)) != envelope.payload:
            raise _Refused("subject", "o sujeito assinado não é o manifesto que a decisão cita")
        return envelope, decision

    def _check_chain(self, number: int, decision: RapidDecision) -> None:
        if decision.previous != self.head:
            raise _Refused("chain", f"cita a linha anterior {decision.previous[:16]}…, esperava {self.head[:16]}…")
        if decision.sequence != number:
            raise _Refused("chain", f"sequência {decision.sequence}, esperava {number}")

    def _check_binding(self, decision: RapidDecision) -> None:
        manifest = self.given.manifest
        rows: list[tuple[str, str, object, object]] = [
            ("root", "manifesto", decision.manifest_sha256, self.given.root),
            ("run", "run", decision.run, manifest.run),
            ("commit", "commit", decision.commit, manifest.source.commit),
            ("module", "módulo", decision.module, manifest.module.id),
            ("environment", "ambiente", decision.environment, self.given.environment),
            ("opinion", "parecer da IA", decision.opinion_sha256, manifest.opinion_sha256),
        ]
        if self.given.history:
            rows.append(("previous-pack", "pacote anterior", decision.previous_pack, self.given.previous_pack))
        for code, name, found, expected in rows:
            if found != expected:
                shown, wanted = visible(str(found or "nenhum")), visible(str(expected or "nenhum"))
                raise _Refused(code, f"vale para {name} {shown}, e este é {wanted}")

    def _check_time(self, decision: RapidDecision) -> datetime:
        try:
            issued, expires = parse_time(decision.issued_at), parse_time(decision.expires_at)
        except ValueError as error:
            raise _Refused("format", f"hora fora do formato: {visible(str(error))}") from error
        now, created = self.given.now, self.given.manifest.created
        if issued > now + _SKEW:
            raise _Refused("future", f"emitida em {stamp(issued)}, e agora são {stamp(now)}")
        if created is not None and issued < parse_time(created) - _SKEW:
            raise _Refused("backdated", f"emitida em {stamp(issued)}, antes do pacote, de {created}")
        last = self.spoken[-1].decision.issued_at if self.spoken else None
        if last is not None and issued < parse_time(last) - _SKEW:
            raise _Refused("backdated", f"emitida em {stamp(issued)}, antes da decisão anterior, de {last}")
        days = self.given.trust.max_days if self.given.trust else 90
        if not issued < expires <= issued + timedelta(days=days):
            raise _Refused("validity", f"emitida em {stamp(issued)} e válida até {stamp(expires)}: máximo {days} dias")
        return issued

    def _check_nonce(self, number: int, decision: RapidDecision) -> None:
        nonce = decision.nonce
        if len(nonce) != 32 or set(nonce) - set("0123456789abcdef"):  # 128 bits
            raise _Refused("nonce", f"nonce {visible(nonce[:40])!r}, esperava 32 dígitos hexadecimais")
        used = f"linha {self.nonces[nonce]}" if nonce in self.nonces else self.given.nonces.get(nonce)
        self.nonces.setdefault(nonce, number)
        if used is not None:
            raise _Refused("nonce", f"nonce {nonce} já usado em {used}, e repetido na linha {number}")

    def _check_signature(self, envelope: OpenEnvelope, decision: RapidDecision, issued: datetime) -> tuple[str, bool]:
        trust = self.given.trust
        if decision.declared:
            if trust is not None or self.given.strict:
                raise _Refused("unsigned", f"de {visible(decision.person)}: declarada, não verificada")
            return decision.person, False
        if not envelope.signatures:
            raise _Refused("unsigned", f"diz que {visible(decision.person)} assinou, e a lista de assinaturas é vazia")
        if trust is None:
            if self.given.strict:
                raise _Refused("unsigned", "assinada, e não há arquivo de confiança (--trust) para conferir")
            return decision.person, False
        known = [trust.keys[name] for name in envelope.signatures if name in trust.keys]
        if not known:
            names = ", ".join(visible(name[:16]) for name in envelope.signatures)
            raise _Refused("unknown-key", f"chave {names}…, e o arquivo de confiança tem {len(trust.keys)} outras")
        valid = set(envelope.signed_by([each.key for each in known]))
        if not valid:
            raise _Refused("signature", f"a assinatura da chave {known[0].keyid[:16]}… não confere com o conteúdo")
        signers = [each for each in known if each.keyid in valid]
        own = [each for each in signers if each.owner == decision.person]
        if not own:
            raise _Refused(
                "person", f"diz ser de {visible(decision.person)}, e a chave que assinou é de {signers[0].owner}"
            )
        faults = [fault for each in own if (fault := each.fault(issued)) is not None]
        if len(faults) == len(own):
            raise _Refused("key", faults[0])
        return trust.people[decision.person], True

    def _check_exceptions(self, decision: RapidDecision, issued: datetime) -> None:
        for each in decision.exceptions:
            if not (each.item.strip() and each.owner.strip() and each.residual_risk.strip()):
                raise _Refused("exception", f"exceção {visible(each.item)!r} sem item, dono ou risco residual")
            try:
                until = date.fromisoformat(each.until)
            except ValueError as error:
                raise _Refused("exception", f"exceção {visible(each.item)} sem data de fim ({each.until!r})") from error
            if until < issued.date():
                raise _Refused("exception", f"exceção {visible(each.item)} até {until}, decisão de {issued:%Y-%m-%d}")
        if decision.decision == "liberar_com_condicoes" and not decision.conditions:
            raise _Refused("conditions", "libera com condições, e a lista de condições é vazia")

    def _check_people(self, decision: RapidDecision) -> None:
        """Role held, one voice per person, duties apart, order."""
        role, person = decision.role, decision.person
        rule = self._roles[role]
        if self.given.trust is not None and person not in rule.people:
            raise _Refused("role", f"{visible(person)} não tem o papel {role}; têm: {', '.join(rule.people)}")
        for each in self.spoken:
            other = each.decision
            if other.person != person:
                continue
            current = each in self.accepted  # who has expired may say it again
            if other.role == role and current and decision.decision != "bloquear":
                raise _Refused("twice", f"{visible(person)} já falou como {role} na linha {each.line}")
            together = {role, other.role}
            if other.role != role and (together <= _APART or together == {"perform", "decide"}):
                raise _Refused(
                    "segregation", f"{visible(person)} já falou como {other.role} (linha {each.line}), e agora {role}"
                )
        before = [each for each in _BEFORE.get(role, ()) if self._roles[each].required]
        missing = list(self._missing(before, self.spoken)) if decision.decision != "bloquear" else []
        if missing:
            names = ", ".join(each.role for each in missing)
            raise _Refused("order", f"{role} veio antes de {names}")
        if role == "perform" and (any(self._missing(["decide"], self.accepted)) or any(self._vetoes())):
            raise _Refused("order", "perform veio antes de um decide que libera")

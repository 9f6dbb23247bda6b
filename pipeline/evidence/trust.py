"""The trust file: who may say what, with which keys. Given from outside, never found in a pack (threats R7, T35)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from pipeline.codec import visible
from pipeline.domain.evidence import ROLES, Role
from pipeline.errors import UsageError
from pipeline.evidence.envelope import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securesystemslib.signer import SSlibKey

__all__ = ["OPEN_ROLES", "RoleRule", "Trust", "TrustedKey", "load_trust"]

_MAX_DAYS = 90
_OPTIONAL = frozenset({"input", "perform"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedKey:
    """A public key of a person (``owner``) or of a build machine, and when it counts.

    ``revoked_at`` ends its power for what is signed later; ``compromised`` for everything, since a thief can back-date.
    """

    keyid: str
    owner: str
    key: SSlibKey = field(repr=False)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    compromised: bool = False

    def fault(self, moment: datetime) -> str | None:
        """Why the key does not count for something signed at ``moment`` (pt-BR); None when it does."""
        if self.compromised:
            return "chave comprometida: nada do que ela assinou conta"
        if self.revoked_at is not None and moment >= self.revoked_at:
            return f"chave revogada em {self.revoked_at:%Y-%m-%d}, assinatura de {moment:%Y-%m-%d}"
        if self.valid_from is not None and moment < self.valid_from:
            return f"chave válida só a partir de {self.valid_from:%Y-%m-%d}, assinatura de {moment:%Y-%m-%d}"
        if self.valid_until is not None and moment > self.valid_until:
            return f"chave válida só até {self.valid_until:%Y-%m-%d}, assinatura de {moment:%Y-%m-%d}"
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleRule:
    """Who holds a role, how many different people must speak, and whether a release needs them."""

    people: tuple[str, ...]
    threshold: int = 1
    required: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """``keys`` of people and ``pipeline`` keys of build machines, by key id; ``max_days`` a decision may last."""

    roles: Mapping[Role, RoleRule]
    people: Mapping[str, str]
    keys: Mapping[str, TrustedKey]
    pipeline: Mapping[str, TrustedKey]
    max_days: int = _MAX_DAYS


OPEN_ROLES: Mapping[Role, RoleRule] = {role: RoleRule(people=(), required=role != "perform") for role in ROLES}
"""What holds without a trust file: each role once, nobody named."""


def load_trust(data: bytes, *, where: str) -> Trust:
    """Read the file. UsageError names what is unknown, missing or of the wrong type: nothing is guessed."""
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"não é TOML válido ({visible(str(error))})", where=where, mend="corrija o arquivo") from error
    return _Reader(where).trust(tables)


@dataclass(slots=True)
class _Reader:
    where: str
    keys: dict[str, TrustedKey] = field(default_factory=dict)

    def trust(self, tables: dict[str, Any]) -> Trust:
        self._known("", tables, {"schema_version", "max_days", "roles", "people", "pipeline"})
        if tables.get("schema_version") != "1.0":
            raise self._fault(f"schema_version {tables.get('schema_version')!r}, esta versão lê '1.0'")
        max_days = tables.get("max_days", _MAX_DAYS)
        if type(max_days) is not int or not 1 <= max_days <= 3660:  # ten years at most
            raise self._fault("max_days deve ser um inteiro entre 1 e 3660")
        people = self._people(self._table("people", tables.get("people")))
        pipeline = self._table("pipeline", tables.get("pipeline", {}))
        self._known("pipeline", pipeline, {"keys"})
        machines = {each.keyid: each for each in self._keys("pipeline", pipeline.get("keys", []), "")}
        return Trust(
            roles=self._roles(self._table("roles", tables.get("roles")), people),
            people=people,
            keys=self.keys,
            pipeline=machines,
            max_days=max_days,
        )

    def _people(self, table: dict[str, Any]) -> dict[str, str]:
        names = {}
        for person, entry in table.items():
            place = f"people.{person}"
            self._known(place, self._table(place, entry), {"name", "keys"})
            names[person] = self._text(f"{place}.name", entry.get("name"))
            for key in self._keys(place, entry.get("keys", []), person):
                if key.keyid in self.keys:
                    other = self.keys[key.keyid].owner
                    raise self._fault(f"[{place}] a mesma chave {key.keyid[:16]}… já é de {other}")
                self.keys[key.keyid] = key
        return names

    def _roles(self, table: dict[str, Any], people: Mapping[str, str]) -> dict[Role, RoleRule]:
        self._known("roles", table, set(ROLES))
        rules: dict[Role, RoleRule] = {}
        for role in ROLES:
            place = f"roles.{role}"
            entry = self._table(place, table.get(role))
            self._known(place, entry, {"people", "threshold", "required"})
            named = entry.get("people")
            if not isinstance(named, list) or not named or not all(isinstance(each, str) for each in named):
                raise self._fault(f"[{place}] people deve ser uma lista de pessoas, não vazia")
            strangers = [each for each in named if each not in people]
            if strangers:
                raise self._fault(f"[{place}] {strangers[0]} não está em [people]")
            threshold, required = entry.get("threshold", 1), entry.get("required", role != "perform")
            if type(threshold) is not int or not 1 <= threshold <= len(set(named)):
                raise self._fault(f"[{place}] threshold deve estar entre 1 e {len(set(named))}")
            if type(required) is not bool or (not required and role not in _OPTIONAL):
                raise self._fault(f"[{place}] required deve ser true; só input e perform podem ser opcionais")
            rules[role] = RoleRule(people=tuple(named), threshold=threshold, required=required)
        return rules

    def _keys(self, place: str, entries: object, owner: str) -> list[TrustedKey]:
        if not isinstance(entries, list):
            raise self._fault(f"[[{place}.keys]] deve ser uma lista de tabelas")
        return [self._key(f"{place}.keys", self._table(f"{place}.keys", each), owner) for each in entries]

    def _key(self, place: str, entry: dict[str, Any], owner: str) -> TrustedKey:
        self._known(place, entry, {"public_key", "valid_from", "valid_until", "revoked_at", "compromised"})
        try:
            key = key_of(self._text(f"{place}.public_key", entry.get("public_key")).encode())
        except ValueError as error:
            raise self._fault(f"[{place}] public_key não é uma chave pública Ed25519, P-256 ou P-384 em PEM") from error
        compromised = entry.get("compromised", False)
        if type(compromised) is not bool:
            raise self._fault(f"[{place}] compromised deve ser true ou false")
        return TrustedKey(
            keyid=key.keyid,
            owner=owner,
            key=key,
            valid_from=self._moment(place, entry, "valid_from", end=False),
            valid_until=self._moment(place, entry, "valid_until", end=True),
            revoked_at=self._moment(place, entry, "revoked_at", end=False),
            compromised=compromised,
        )

    def _moment(self, place: str, entry: dict[str, Any], name: str, *, end: bool) -> datetime | None:
        """A TOML date (its first or last second) or a date-time with a zone, as UTC."""
        value = entry.get(name)
        if value is None:
            return None
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        if type(value) is date:
            return datetime.combine(value, time(23, 59, 59) if end else time(0), UTC)
        raise self._fault(f"[{place}] {name} deve ser uma data, ou data e hora com fuso")

    def _table(self, place: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._fault(f"falta a tabela [{visible(place)}]")
        return value

    def _text(self, place: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._fault(f"{visible(place)} deve ser um texto")
        return value

    def _known(self, place: str, table: dict[str, Any], known: set[str]) -> None:
        unknown = sorted(set(table) - known)
        if unknown:
            raise self._fault(f"chave desconhecida `{visible(unknown[0])}` em [{visible(place)}]")

    def _fault(self, message: str) -> UsageError:
        return UsageError(message, where=self.where, mend="veja docs/evidencias.md")

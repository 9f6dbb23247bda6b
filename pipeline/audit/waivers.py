"""Waivers (the flow's "exceção"): findings that somebody answers for until a date, by a file the platform controls."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pipeline.codec import visible
from pipeline.domain.finding import IgnoredWaiver, Waiver
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.finding import NonConformity

__all__ = ["WaiverFile", "apply_waivers", "read_waivers", "refuse_new_waivers"]

_TEXTS = ("rule", "module", "owner", "reason", "residual_risk", "approval")
_KEYS = frozenset({*_TEXTS, "object", "path", "start", "end"})


@dataclass(frozen=True, kw_only=True, slots=True)
class WaiverFile:
    """What the file holds: waivers that count on the day, and those that do not, with the reason."""

    valid: tuple[Waiver, ...] = ()
    ignored: tuple[IgnoredWaiver, ...] = ()


def read_waivers(data: bytes, *, where: str, today: date) -> WaiverFile:
    """Read ``[[waiver]]`` tables of TOML. UsageError where the file is not TOML or has another shape.

    An incomplete, unknown-keyed, expired or not yet started waiver does not count and is listed.
    """
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"não é TOML válido ({visible(str(error))})", where=where, mend="corrija o arquivo") from error
    entries = tables.pop("waiver", [])
    if tables or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError("só pode ter tabelas [[waiver]]", where=where, mend="veja docs/guia.md, Exceções")
    valid: list[Waiver] = []
    ignored: list[IgnoredWaiver] = []
    for number, entry in enumerate(entries, 1):
        fault = _fault(entry, today)
        if fault:
            rule = visible(str(entry.get("rule", "")))
            ignored.append(IgnoredWaiver(rule=rule, place=f"{where}, exceção {number}", reason=fault))
        else:
            dates = {key: entry[key].isoformat() for key in ("start", "end")}
            valid.append(Waiver(**{**entry, **dates}))
    return WaiverFile(valid=tuple(valid), ignored=tuple(ignored))


def refuse_new_waivers(read: WaiverFile, base: WaiverFile, *, where: str) -> WaiverFile:
    """Only what stood in the file before the change counts: a change does not excuse itself (threats T46)."""
    new = [each for each in read.valid if each not in base.valid]
    reason = "nova ou alterada nesta mudança: só vale depois que a mudança dela for aceita"
    return WaiverFile(
        valid=tuple(each for each in read.valid if each in base.valid),
        ignored=(*read.ignored, *(IgnoredWaiver(rule=each.rule, place=where, reason=reason) for each in new)),
    )


def apply_waivers(
    findings: Iterable[NonConformity], waivers: Iterable[Waiver], *, module: str
) -> tuple[NonConformity, ...]:
    """The findings, those that a waiver of this module names with it. Rule, module and object or path must be equal."""
    named: dict[tuple[str, str], Waiver] = {}
    for waiver in waivers:
        if waiver.module == module:
            named.setdefault((waiver.rule, waiver.object or waiver.path), waiver)
    return tuple(replace(each, waiver=_waiver_of(each, named)) for each in findings)


def _waiver_of(finding: NonConformity, named: dict[tuple[str, str], Waiver]) -> Waiver | None:
    found = finding.object
    owner = "/".join(part for part in (found.kind, found.namespace, found.name) if part) if found else ""
    return named.get((finding.rule, owner)) or named.get((finding.rule, finding.location.path))


def _fault(entry: dict[str, Any], today: date) -> str:
    """Why a waiver does not count; empty when it does."""
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        return f"chave desconhecida `{visible(unknown[0])}`"
    missing = [key for key in _TEXTS if not isinstance(entry.get(key), str) or not entry[key].strip()]
    missing += [key for key in ("start", "end") if type(entry.get(key)) is not date]
    if missing:
        return f"incompleta: falta {', '.join(missing)}"
    targets = [key for key in ("object", "path") if key in entry]
    if len(targets) != 1 or not isinstance(entry[targets[0]], str) or not entry[targets[0]].strip():
        return "diga `object` (Kind/namespace/nome) ou `path`, um dos dois"
    if entry["end"] < entry["start"]:
        return "o fim vem antes do início"
    if today > entry["end"]:
        return f"vencida em {entry['end'].isoformat()}"
    if today < entry["start"]:
        return f"só começa em {entry['start'].isoformat()}"
    return ""

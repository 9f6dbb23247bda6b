"""Licences as SPDX expressions, whatever a package declares, and which of them a policy refuses."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.codec import sha256_hex, visible
from pipeline.domain.finding import Severity
from pipeline.domain.sbom import LicenceFinding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pipeline.domain.sbom import Sbom

__all__ = ["UNKNOWN", "is_licence_id", "judge_licences", "licences_in", "normalise"]

UNKNOWN = "NOASSERTION"
"""What a policy calls a component whose licence is not known; SPDX's own word."""

_REF = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_SPEECHLESS = {"", "unknown", "none", "noassertion", "null", "undefined"}
_MAX_LENGTH = 1000  # a longer one is the text of a licence, not its name
_MAX_SLUG = 48


@lru_cache(maxsize=1)
def _spdx() -> Any:
    from license_expression import get_spdx_licensing  # noqa: PLC0415  # only SBOMs need it

    return get_spdx_licensing()


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Any:
    """The expression as a tree; None where it is none. Unknown licences are symbols like any other."""
    from license_expression import ExpressionError, ParseError  # noqa: PLC0415  # as above

    try:
        return _spdx().parse(expression)
    except (ExpressionError, ParseError, RecursionError):
        return None


def normalise(declared: Iterable[str]) -> str:
    """One SPDX expression for everything that a package declares; several declarations hold together (AND).

    What SPDX does not know becomes a ``LicenseRef-`` of its name; empty where nothing is declared.
    """
    parts = sorted({part for each in declared if (part := _normalised(each))})
    if len(parts) < 2:
        return "".join(parts)
    whole = _parsed(" AND ".join(f"({part})" for part in parts))
    return whole.simplify().render() if whole is not None else ""


def _normalised(declared: str) -> str:
    text = " ".join(visible(declared).split())
    if text.lower() in _SPEECHLESS:
        return ""
    tree = _parsed(text) if len(text) <= _MAX_LENGTH else None
    if tree is None:
        return _reference(text)
    from license_expression import LicenseSymbol  # noqa: PLC0415  # as above

    unknown = [each for each in tree.literals if isinstance(each, LicenseSymbol) and not _is_known(each.key)]
    named = tree.subs({each: LicenseSymbol(_reference(each.key) or "LicenseRef-unnamed") for each in unknown})
    return str(named.render()) if _is_sound(named) else _reference(declared)


def _is_known(key: str) -> bool:
    return key in _spdx().known_symbols or _REF.fullmatch(key) is not None


def _is_sound(tree: Any) -> bool:
    """Whether every licence is one, and every exception stands behind a licence and is known to SPDX."""
    from license_expression import LicenseWithExceptionSymbol  # noqa: PLC0415  # as above

    known = _spdx().known_symbols
    for each in tree.literals:
        licence = each
        if isinstance(each, LicenseWithExceptionSymbol):
            licence, exception = each.license_symbol, known.get(each.exception_symbol.key)
            if exception is None or not exception.is_exception:
                return False
        if not _is_known(licence.key) or (licence.key in known and known[licence.key].is_exception):
            return False
    return True


def _reference(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", " plus")).strip("-")
    if len(slug) > _MAX_SLUG:
        slug = f"{slug[:_MAX_SLUG]}-{sha256_hex(name.encode())[:8]}"
    # The library knows some of these names, and reads them as the licence that is meant.
    return str(_parsed(f"LicenseRef-{slug}").render()) if slug else ""


def licences_in(expression: str) -> tuple[str, ...]:
    """Every licence that an expression names, each once and sorted; with its exception where it has one."""
    tree = _parsed(expression) if expression else None
    return () if tree is None else tuple(sorted({each.render() for each in tree.literals}))


def is_licence_id(text: str) -> bool:
    """Whether a policy may name it: an SPDX licence with or without exception, a ``LicenseRef-``, or NOASSERTION."""
    if text == UNKNOWN or _REF.fullmatch(text):
        return True
    tree = _parsed(text)
    return tree is not None and _is_sound(tree) and licences_in(text) == (text,)


def judge_licences(sbom: Sbom, *, deny: Collection[str], warn: Collection[str]) -> tuple[LicenceFinding, ...]:
    """Components whose licence the policy refuses, worst first, the root left out.

    Of a choice (OR) the policy must refuse every branch, of a sum (AND) one is enough. A licence WITH an exception is
    another licence than the bare one: name it in full to refuse it. A component of unknown licence is ``NOASSERTION``.
    """
    found = []
    for component in sbom.components:
        for rule, severity, listed in (("deny", Severity.CRITICA, deny), ("warn", Severity.MEDIA, warn)):
            matched = _refused(component.licence, listed)
            if matched:
                found.append(
                    LicenceFinding(
                        rule="deny" if rule == "deny" else "warn",
                        severity=severity,
                        component=component.name,
                        version=component.version,
                        licence=component.licence or UNKNOWN,
                        matched=matched,
                    )
                )
                break
    return tuple(sorted(found, key=lambda each: (each.severity.rank, each.component, each.version)))


def _refused(expression: str, listed: Collection[str]) -> tuple[str, ...]:
    if not expression:
        return (UNKNOWN,) if UNKNOWN in listed else ()
    tree = _parsed(expression)
    return () if tree is None else tuple(sorted(_refused_in(tree, listed)))


def _refused_in(tree: Any, listed: Collection[str]) -> set[str]:
    from license_expression import LicenseSymbol, LicenseWithExceptionSymbol  # noqa: PLC0415  # as above

    if isinstance(tree, LicenseSymbol | LicenseWithExceptionSymbol):
        return {tree.render()} & set(listed)
    branches: Sequence[set[str]] = [_refused_in(each, listed) for each in tree.args]
    if isinstance(tree, _spdx().OR) and not all(branches):
        return set()
    return set().union(*branches)

"""The one masker: secrets and personal data leave a text before it leaves the machine, or stands in a report.

What is hidden is told by kind and count, never by value. A secret found in one text is hidden in all of them, in its
usual encodings too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.masking_patterns import BASE64, PATTERNS, PRIVATE_HEADER, is_high_entropy
from pipeline.rules.secrets_text import in_text
from pipeline.rules.secrets_words import classify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.audit.texts import Syntax
    from pipeline.masking_patterns import Pattern

__all__ = ["Masker", "unresolved"]

_SYNTAXES: tuple[Syntax, ...] = ("config", "env", "shell", "code")
_SHORTEST = 4  # characters; a shorter literal stands in too many words to be hidden wherever it stands
_MOST = 400_000  # characters of one text; more is cut before it is masked
_ENTROPY = "texto aleatório, como o de uma credencial"
_KNOWN = "segredo que o módulo traz em claro"
# Values that the toolkit itself writes from a fixed vocabulary.
_OWN = frozenset({"severity", "severities", "rule", "rules", "result", "state", "status", "mode", "sha256", "kinds"})


class Masker:
    """Masks texts and counts what it hid. ``literals`` are secrets that are known from elsewhere.

    A literal that is also a ``public`` name of the module (the password of the database is the name of the product) is
    hidden where it stands as a secret, and not in every other place: what it names would become unreadable.
    """

    def __init__(
        self, *, sources: Iterable[str] = (), literals: Iterable[str] = (), public: Iterable[str] = ()
    ) -> None:
        self.counts: Counter[str] = Counter()
        found = {text for literal in literals for text in (literal, literal.strip())}
        for source in sources:
            found.update(_literals(source[:_MOST]))
        names = {part for name in public for part in (name, *re.split(r"[^A-Za-z0-9]+", name))}
        spelled = {
            spelling
            for literal in found
            if len(literal) >= _SHORTEST and not (literal in names and literal.islower() and literal.isascii())
            for spelling in _spellings(literal)
        }
        alternatives = "|".join(re.escape(each) for each in sorted(spelled, key=lambda each: (-len(each), each)))
        self._known = re.compile(rf"(?<![\w])(?:{alternatives})(?![\w])" if alternatives else r"(?!)")

    def text(self, text: str) -> str:
        """The text with ``[oculto: …]`` in place of every secret and every personal datum."""
        shown = self._known.sub(lambda _found: self._hidden(_KNOWN), text[:_MOST])
        for pattern in PATTERNS:
            shown = pattern.expression.sub(partial(self._judged, pattern), shown)
        return BASE64.sub(self._encoded, shown)

    def value(self, value: Any) -> Any:
        """A JSON value with every text masked, keys too; the toolkit's own words stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): item if key in _OWN else self.value(item) for key, item in value.items()}
        return value

    def _judged(self, pattern: Pattern, found: re.Match[str]) -> str:
        """The match with its group ``value`` hidden, where the pattern's own test says that it is one."""
        value = found["value"]
        if value.startswith("[oculto") or not pattern.accepts(value):
            return found[0]
        start, end = found.start("value") - found.start(), found.end("value") - found.start()
        return found[0][:start] + self._hidden(pattern.what) + found[0][end:]

    def _encoded(self, found: re.Match[str]) -> str:
        """A run of base64 characters: hidden where it looks random, or where what it decodes to is to be masked."""
        text = found[0]
        if is_high_entropy(text):
            return self._hidden(_ENTROPY)
        inside = _decoded(text)
        if inside is not None and (unresolved(inside) or self._known.search(inside) or _is_sensitive_text(inside)):
            return self._hidden("segredo em base64")
        return text

    def _hidden(self, what: str) -> str:
        self.counts[what] += 1
        return f"[oculto: {what}]"


def unresolved(text: str) -> tuple[str, ...]:
    """Kinds of secrets and personal data that a text still shows; a masked text that has any must not be sent."""
    found = {
        pattern.what
        for pattern in PATTERNS
        for match in pattern.expression.finditer(text)
        if not match["value"].startswith("[oculto") and pattern.accepts(match["value"])
    }
    if PRIVATE_HEADER.search(text):
        found.add("chave privada sem fim")
    if any(literal in text for literal in _formed_literals(text)):
        found.add("segredo em claro")
    return tuple(sorted(found))


def _formed_literals(text: str) -> Iterator[str]:
    for secret in in_text(text, "prose"):
        if secret.literal and not secret.weak and "[oculto" not in secret.literal:
            yield secret.literal


def _literals(text: str) -> Iterator[str]:
    """Secrets of a text, however it is to be read."""
    for syntax in _SYNTAXES:
        for secret in in_text(text, syntax):
            if secret.literal and not secret.weak:
                yield secret.literal
    for pattern in PATTERNS:
        if pattern.learns:
            yield from (
                found["value"].strip("\"' ")
                for found in pattern.expression.finditer(text)
                if pattern.accepts(found["value"]) and "\n" not in found["value"]
            )


def _spellings(literal: str) -> Iterator[str]:
    raw = literal.encode("utf-8", "replace")
    yield literal
    yield quote(literal, safe="")
    yield base64.b64encode(raw).decode()
    yield base64.b64encode(raw + b"\n").decode()
    yield raw.hex()
    inside = _decoded(literal)
    if inside is not None and len(inside.strip()) >= _SHORTEST:
        yield inside.strip()


def _decoded(text: str) -> str | None:
    """Text that a run of base64 characters holds; None where it holds none."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        inside = data.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return inside if inside.strip() and inside.replace("\n", " ").isprintable() else None


def _is_sensitive_text(inside: str) -> bool:
    """Whether decoded text is a secret by one of the rules' readings, such as ``password: x``."""
    if any(True for _ in _literals(inside)):
        return True
    return " " not in inside.strip() and any(char.isdigit() for char in inside) and classify(inside) is not None

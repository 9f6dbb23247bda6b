"""What the masker looks for: one linear pattern per kind of secret or personal datum, with the group ``value``."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.rules.secrets_words import classify

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BASE64", "PATTERNS", "PRIVATE_HEADER", "Pattern", "is_high_entropy"]

PRIVATE_HEADER = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY")
BASE64 = re.compile(r"(?<![\w+/=:.-])[A-Za-z0-9+/_-]{16,8000}={0,2}(?![\w+/=])")
_SHORTEST_RANDOM = 20
_LEAST_BITS = 3.5  # per character
_NAME = (
    r"[\w.-]{0,40}(?:senha|passwo?r?d|passwd|pwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|"
    r"credential\w{0,3}|client[-_]?key[-_]?data|certificate-authority-data|client-certificate-data|"
    r"encryption[-_]?key|master[-_]?key|auth[-_]?key)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """``learns`` says that a value found once is hidden wherever else it stands."""

    what: str
    expression: re.Pattern[str]
    accepts: Callable[[str], bool]
    learns: bool = False


def is_high_entropy(text: str) -> bool:
    """Whether a run of characters is random enough to be a credential: no word, path, version or name is."""
    if len(text) < _SHORTEST_RANDOM or ("/" in text and text == text.lower()):
        return False
    kinds = (any(map(str.islower, text)), any(map(str.isupper, text)), any(map(str.isdigit, text)))
    if re.fullmatch(r"[0-9a-f]{32,}", text):
        return len(text) not in (40, 64)  # commits and digests are public
    if not all(kinds):
        return False
    counts = Counter(text)
    bits = -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
    return bits >= _LEAST_BITS


def _always(_value: str) -> bool:
    return True


def _is_literal(value: str) -> bool:
    """A value under a sensitive name that is neither a reference nor a blank to fill in."""
    text = value.strip().strip("\"'").rstrip(",;")
    verdict = classify(text)
    return verdict is not None and verdict[0] == "literal"


def _is_cpf(value: str) -> bool:
    digits = [int(char) for char in value if char.isdigit()]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    if not value.isdigit():
        return True
    return all(
        (sum(digit * weight for digit, weight in zip(digits, range(length + 1, 1, -1), strict=False)) * 10 % 11 % 10)
        == digits[length]
        for length in (9, 10)
    )


def _is_cnpj(value: str) -> bool:
    digits = [int(char) for char in value if char.isdigit()]
    if not value.isdigit():
        return len(digits) == 14
    for length in (12, 13):
        weights = [2 + (length - 1 - index) % 8 for index in range(length)]
        rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=False)) % 11
        if digits[length] != (0 if rest < 2 else 11 - rest):
            return False
    return len(set(digits)) > 1


def _is_card(value: str) -> bool:
    digits = [int(char) for char in value if char.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) if index % 2 else digit for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _pattern(what: str, expression: str, accepts: Callable[[str], bool] = _always, *, learns: bool = False) -> Pattern:
    return Pattern(what=what, expression=re.compile(expression, re.IGNORECASE), accepts=accepts, learns=learns)


PATTERNS = (
    Pattern(
        what="chave privada",
        expression=re.compile(
            r"(?P<value>-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"[^-]{0,20000}-----END [A-Z0-9 ]{1,60}-----)"
        ),
        accepts=_always,
    ),
    _pattern("JWT", r"(?<![\w-])(?P<value>eyJ[\w-]{8,4000}\.[\w-]{2,8000}(?:\.[\w-]{0,4000})?)", learns=True),
    _pattern(
        "token de acesso",
        r"(?<![\w-])(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|"
        r"xox[abprse]-[\w-]{10,}|sk-[A-Za-z0-9_-]{16,}|hv[sbr]\.[\w-]{16,}|s\.[A-Za-z0-9]{24}|AIza[\w-]{30,}|"
        r"[rs]k_(?:live|test)_\w{16,}|dckr_pat_[\w-]{16,}|npm_\w{30,}|tskey-[a-z]+-[\w-]{10,}|SG\.[\w-]{16,}\.[\w-]{16,}|"
        r"ya29\.[\w-]{20,}|AGE-SECRET-KEY-1[0-9A-Z]{40,}|whsec_\w{16,}|lin_api_\w{20,}|pypi-[\w-]{32,})",
        learns=True,
    ),
    _pattern(
        "senha em URL",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:'\"<>]{0,200}:(?P<value>[^\s/@'\"<>]{1,400})@",
        lambda value: not value.startswith(("$", "<", "{")),
        learns=True,
    ),
    _pattern(
        "credencial em cabeçalho",
        r"\b(?:authorization|proxy-authorization|x-api-key|cookie)[\"']?\s{0,8}[:=]\s{0,8}[\"']?"
        r"(?:bearer\s+|basic\s+|token\s+|apikey\s+)?(?P<value>[^\s\"'`,;)$<{]{4,4000})",
        _is_literal,
        learns=True,
    ),
    _pattern(
        "bloco de segredo",
        rf"(?m)^[ +-]{{0,60}}{_NAME}[\"']?\s*:\s*[|>][+-]?\d?[ \t]*\n"
        r"(?P<value>(?:[ +-]{1,60}\S[^\n]{0,4000}\n?){1,200})",
    ),
    _pattern(
        "valor sob um nome de segredo",
        rf"(?<![\w$])[\"'`]?{_NAME}[\"'`]?(?:\s{{0,8}}(?::=|=>|=|:(?!:))\s{{0,8}}|\s+(?:é|e'|is|are|=)\s+|=)"
        r"(?P<value>\"[^\"\n]{2,4000}\"|'[^'\n]{2,4000}'|`[^`\n]{2,4000}`|[^\s,;\"'`{}()<>\[\]]{2,4000})",
        _is_literal,
        learns=True,
    ),
    _pattern("e-mail", r"(?<![\w.+-])(?P<value>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})(?![\w@])"),
    _pattern("CPF", r"(?<![\w.-])(?P<value>\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11})(?![\w-])", _is_cpf),
    _pattern("CNPJ", r"(?<![\w.-])(?P<value>\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}|\d{14})(?![\w-])", _is_cnpj),
    _pattern("cartão", r"(?<![\w.-])(?P<value>\d(?:[ -]?\d){12,18})(?![\w-])", _is_card),
    _pattern("telefone", r"(?<![\w.-])(?P<value>(?:\+55\s?)?\(?\d{2}\)?[ -]?9\d{4}-?\d{4}|\+55\d{10,11})(?![\w.-])"),
)

"""Plain (unquoted) scalars of YAML, typed the way Kubernetes types them: go-yaml v2, as sigs.k8s.io/yaml uses it."""

from __future__ import annotations

import re

__all__ = ["resolve_plain", "resolved"]

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*|0o?[0-7]+|0[xX][0-9a-fA-F]+|0[bB][01]+|0O[0-7]+)")
_WORDS: dict[str, object] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"), None)
    | dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True)
    | dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False)
    | dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
    | dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf"))
    | dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf"))
)


def resolve_plain(text: str) -> object:
    """A plain (unquoted) scalar as go-yaml v2 types it: None, bool, int, float or the text itself.

    >>> [resolve_plain(plain) for plain in ("no", "0o17", "12:34:56", "1e3", "=")]
    [False, 15, '12:34:56', 1000.0, '=']
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if len(digits) <= 70 and _INT.fullmatch(digits):
        number = _integer(digits)
        return number if -(2**63) <= number < 2**64 else float(number)
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        return text if value in (float("inf"), float("-inf")) else value
    return text


_CACHE: dict[str, object] = {}


def resolved(text: str) -> object:
    """As ``resolve_plain``, remembered for texts that are short and few."""
    try:
        return _CACHE[text]
    except KeyError:
        value = resolve_plain(text)
        if len(text) < 64 and len(_CACHE) < 20_000:
            _CACHE[text] = value
        return value


def _integer(digits: str) -> int:
    body = digits.lstrip("+-")
    if len(body) > 1 and body[0] == "0" and body[1].isdigit():
        body = "0o" + body
    number = int(body, 0)
    return -number if digits[0] == "-" else number

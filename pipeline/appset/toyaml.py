"""``toYaml``: what sigs.k8s.io/yaml writes, for the values whose form is beyond doubt; others are refused by name."""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any

from pipeline.appset.errors import Inexact
from pipeline.appset.govalue import float_text, format_value
from pipeline.yamldoc import resolve_plain

__all__ = ["to_yaml"]

_WORD = r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@=+-]|:(?=[A-Za-z0-9_./]))*"
_PLAIN = re.compile(rf"(?=[A-Za-z0-9_./]){_WORD}(?: {_WORD})*")
_QUOTED = re.compile(r"[A-Za-z0-9_.~+-]*")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_MAX_LINE = 60  # well before the emitter folds a line at a space
_EXACT = 1 << 53


def to_yaml(value: Any) -> str:
    """Block style, sorted keys, no final newline. Raises Inexact for text that would need more than plain quoting."""
    return "\n".join(_block(value))


def _block(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key in sorted(value, key=cmp_to_key(_compare)) for line in _entry(key, value[key])]
    if isinstance(value, list) and value:
        format_value(value)  # refuses a list of unknown order
        return [line for item in value for line in _item(item)]
    return [_scalar(value)]


def _entry(key: str, value: Any) -> list[str]:
    name = _scalar(key)
    lines = _block(value)
    if isinstance(value, dict) and value:
        return [f"{name}:", *("  " + line for line in lines)]
    if isinstance(value, list) and value:
        return [f"{name}:", *lines]
    return [f"{name}: {lines[0]}"]


def _item(value: Any) -> list[str]:
    first, *rest = _block(value)
    return [f"- {first}", *("  " + line for line in rest)]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else float_text(value)
    if isinstance(value, (bool, int)):
        return format_value(value)
    if isinstance(value, dict):
        return "{}"
    return "[]" if isinstance(value, list) else "null"


def _text(text: str) -> str:
    resolved = not isinstance(resolve_plain(text), str) or bool(_TIMESTAMP.fullmatch(text)) or _BASE60.fullmatch(text)
    if (resolved or not text) and _QUOTED.fullmatch(text):
        return f'"{text}"'
    if resolved or not _PLAIN.fullmatch(text) or (" " in text and len(text) > _MAX_LINE):
        raise Inexact("toYaml de um texto que precisa de aspas ou quebra de linha")
    return text


def _compare(left: str, right: str) -> int:
    """go-yaml's order of keys: at the first difference other characters come before letters."""
    for one, other in zip(left, right, strict=False):
        if one == other:
            continue
        if one.isdigit() or other.isdigit():
            raise Inexact("toYaml de chaves com números")
        if one.isalpha() and other.isalpha():
            return -1 if one < other else 1
        if one.isalpha() or other.isalpha():
            return -1 if other.isalpha() else 1
        return -1 if one < other else 1
    return len(left) - len(right)

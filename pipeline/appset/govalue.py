"""Go's values as Python holds them, with Go's text, truth, order and equality (packages fmt, encoding/json, reflect).

JSON gives ``None``, bool, float (every JSON number is a float64), str, list, dict. Templates add Go's ``int`` (a Python
int), ``int64`` (Int64), ``[]string`` (StringList), ``map[string]string`` (StringMap) and the absent value (INVALID).
"""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any, Final

from pipeline.appset.errors import Inexact, Refused

__all__ = [
    "INVALID",
    "SPACES",
    "Int64",
    "Shuffled",
    "StringList",
    "StringMap",
    "checked_int64",
    "deep_equal",
    "float_text",
    "format_value",
    "is_true",
    "json_text",
    "kind",
    "quote",
    "to_float64",
]

# unicode.IsSpace, which differs from str.isspace on the ASCII separators.
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_INT64 = 1 << 63
_MAX_INTEGRAL = 21  # encoding/json writes exponents from 1e21 on
_GENERAL = 6  # strconv's %g with the shortest precision turns to exponents from 1e6 on
_SMALL = -4
_JSON_SMALL = -6


class _Invalid:
    """Go's zero reflect.Value: a missing map entry."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()


class Int64(int):
    """Go's int64, which sprig's arithmetic returns and which is not assignable to int."""


class StringList(list[str]):
    """Go's []string."""


class Shuffled(StringList):
    """A []string that Go returns in random order: only its length, or its sorted form, can be known."""


class StringMap(dict[str, str]):
    """Go's map[string]string."""


def kind(value: object) -> str:
    """The reflect.Kind by name; ``invalid`` for INVALID and for a nil interface."""
    if isinstance(value, bool):
        return "bool"
    for types, name in ((Int64, "int64"), (int, "int"), (float, "float64"), (str, "string")):
        if isinstance(value, types):
            return name
    if isinstance(value, list):
        return "slice"
    return "map" if isinstance(value, dict) else "invalid"


def is_true(value: object) -> bool:
    """text/template's truth: not the zero value, not empty."""
    return value is not INVALID and bool(value)


def checked_int64(value: int) -> Int64:
    """An int64, refusing to imitate overflow."""
    if not -_INT64 <= value < _INT64:
        raise Inexact("número inteiro além de 64 bits")
    return Int64(value)


def to_float64(value: int) -> float:
    """A JSON integer as Go decodes it into an interface: the nearest float64."""
    try:
        return float(value)
    except OverflowError as error:
        raise Refused("número grande demais para float64") from error


def _digits(number: float) -> tuple[str, str, int]:
    """Sign, shortest significant digits, and decimal exponent of the first digit."""
    mantissa, exponent = f"{number!r}e0".lower().split("e")[:2]
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    point = len(whole) + int(exponent)
    raw = whole + fraction
    stripped = raw.lstrip("0")
    point -= len(raw) - len(stripped)
    return sign, stripped.rstrip("0") or "0", point - 1 if stripped.strip("0") else 0


def _plain(sign: str, digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    rest = digits[exponent + 1 :]
    return f"{sign}{whole}.{rest}" if rest else sign + whole


def _scientific(sign: str, digits: str, exponent: int) -> str:
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def float_text(number: float) -> str:
    """``%v`` of a float64: 1000000 is ``1e+06``."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    sign, digits, exponent = _digits(number)
    if exponent < _SMALL or exponent > _GENERAL - 1:
        return _scientific(sign, digits, exponent)
    return _plain(sign, digits, exponent)


def format_value(value: object) -> str:
    """``fmt.Sprint`` of one value; an absent or nil value is ``<nil>`` inside a container and as an argument."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Shuffled) and len(value) > 1:
        raise Inexact("a ordem das chaves de um mapa é aleatória no Go (use sortAlpha)")
    if isinstance(value, list):
        return "[" + " ".join(format_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{format_value(value[key])}" for key in sorted(value)) + "]"
    return "<nil>"


def quote(text: str) -> str:
    r"""``strconv.Quote``: ``%q``."""
    out = []
    short = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char in short:
            out.append(short[char])
        elif " " <= char < "\x7f" or (char > "\xff" and unicodedata.category(char)[0] in "LMNPS"):
            out.append(char)
        elif char < "\x80":
            out.append(f"\\x{ord(char):02x}")
        elif char <= "\xff" and char.isprintable() and char not in "\xa0\xad":
            out.append(char)
        else:
            raise Inexact(f"caractere U+{ord(char):04X} entre aspas")
    return '"' + "".join(out) + '"'


def _json_float(number: float) -> str:
    if math.isnan(number) or math.isinf(number):
        raise Refused("NaN e infinito não existem em JSON")
    sign, digits, exponent = _digits(number)
    if number and (exponent < _JSON_SMALL or exponent >= _MAX_INTEGRAL):
        text = _scientific(sign, digits, exponent)
        return text[:-2] + text[-1] if text[-4:-1] == "e-0" else text
    return _plain(sign, digits, exponent)


def _json_scalar(value: object, *, escape_html: bool) -> str:
    if isinstance(value, float):
        return _json_float(value)
    if isinstance(value, (bool, int)):
        return format_value(value)
    if not isinstance(value, str):
        return "null"
    text = json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if escape_html:
        for char in "<>&":
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def json_text(value: Any, *, escape_html: bool = True, indent: str = "", _margin: str = "\n") -> str:
    """``json.Marshal`` (or ``MarshalIndent``): sorted keys, Go's number forms and escapes."""
    if not isinstance(value, (list, dict)):
        return _json_scalar(value, escape_html=escape_html)
    if isinstance(value, Shuffled):
        format_value(value)  # refuses an unknown order
    inner = _margin + indent
    colon = ": " if indent else ":"

    def write(item: Any) -> str:
        return json_text(item, escape_html=escape_html, indent=indent, _margin=inner)

    if isinstance(value, list):
        rows, ends = [write(item) for item in value], "[]"
    else:
        rows, ends = [write(key) + colon + write(value[key]) for key in sorted(value)], "{}"
    if not rows or not indent:
        return ends[0] + ",".join(rows) + ends[1]
    return ends[0] + inner + f",{inner}".join(rows) + _margin + ends[1]


def deep_equal(left: object, right: object) -> bool:
    """``reflect.DeepEqual``: types count, so int 1 is not float64 1."""
    if type(left) is not type(right):
        return left in (None, INVALID) and right in (None, INVALID)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(deep_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(deep_equal(left[key], right[key]) for key in left)
    return left == right

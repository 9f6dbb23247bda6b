"""Sprig's arithmetic and conversions (sprig 3.3, cast 1.7): whole numbers of 64 bits, floats, text that is a number."""

from __future__ import annotations

import math
import re
from typing import Any

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.gosignature import GoFunction, function
from pipeline.appset.govalue import Int64, checked_int64

__all__ = ["NUMBERS", "to_int"]

_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_FLOATING = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
# What strconv could still read in base 0, or as a float: prefixes, underscores, leading zeros, Inf, NaN, hexadecimal.
_ODD_NUMBER = re.compile(r"(?i)[+-]?(0[0-9xob_].*|[0-9_.][0-9_.e+-]*|inf(inity)?|nan)")
_MAX_DIGITS = 40


def to_int(value: Any) -> int:
    """cast.ToInt64: numbers truncate, text counts only where it is a whole number, the rest is 0."""
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, float):
        if not abs(value) < float(1 << 63):
            raise Inexact("float64 além de 64 bits")
        return int(value)
    if isinstance(value, str):
        return _text_to_int(re.sub(r"\.0+\Z", "", value))
    return 0


def _text_to_int(text: str) -> int:
    if _DECIMAL.fullmatch(text):
        number = int(text) if len(text) <= _MAX_DIGITS else 1 << 64
        return number if -(1 << 63) <= number < 1 << 63 else 0
    if _ODD_NUMBER.fullmatch(text):
        raise Inexact(f"conversão de {text[:20]!r} em número")
    return 0


def _to_float(value: Any) -> float:
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, str):
        if _FLOATING.fullmatch(value):
            return float(value)
        if _ODD_NUMBER.fullmatch(value):
            raise Inexact(f"conversão de {value[:20]!r} em número")
    return 0.0


def _add(*values: Any) -> Int64:
    return checked_int64(sum(map(to_int, values)))


def _multiply(first: Any, *values: Any) -> Int64:
    return checked_int64(math.prod((to_int(first), *map(to_int, values))))


def _divide(left: Any, right: Any) -> Int64:
    dividend, divisor = to_int(left), to_int(right)
    if not divisor:
        raise Refused("divisão por zero")
    quotient = abs(dividend) // abs(divisor)
    return checked_int64(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def _modulo(left: Any, right: Any) -> Int64:
    dividend, divisor = to_int(left), to_int(right)
    if not divisor:
        raise Refused("divisão por zero")
    rest = abs(dividend) % abs(divisor)
    return Int64(-rest if dividend < 0 else rest)


def _whole(value: Any, change: str) -> float:
    number = _to_float(value)
    if not abs(number) < 1 << 53:
        return number
    return math.copysign(float(getattr(math, change)(number)), number)


def _round(value: Any, places: int, *on: float) -> float:
    if not 0 <= places <= 15:  # beyond this, powers of ten stop being exact products
        raise Inexact("round com essa quantidade de casas")
    power = 10.0**places
    digit = power * _to_float(value)
    if not abs(digit) < 1 << 53:
        raise Inexact("round de um número tão grande")
    up = math.modf(digit)[0] >= (on[0] if on else 0.5)
    return math.copysign(float(math.ceil(digit) if up else math.floor(digit)), digit) / power


def _atoi(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        number = int(text) if len(text) <= _MAX_DIGITS else 1 << 64
        if not -(1 << 63) <= number < 1 << 63:
            raise Inexact("atoi além de 64 bits")
        return number
    return 0


NUMBERS: dict[str, GoFunction] = {
    "atoi": function(_atoi, "string"),
    "int": function(to_int, "any"),
    "int64": function(lambda value: Int64(to_int(value)), "any"),
    "float64": function(_to_float, "any"),
    "add": function(_add, "any..."),
    "add1": function(lambda value: checked_int64(to_int(value) + 1), "any"),
    "sub": function(lambda left, right: checked_int64(to_int(left) - to_int(right)), "any any"),
    "mul": function(_multiply, "any any..."),
    "div": function(_divide, "any any"),
    "mod": function(_modulo, "any any"),
    "max": function(lambda *values: Int64(max(map(to_int, values))), "any any..."),
    "min": function(lambda *values: Int64(min(map(to_int, values))), "any any..."),
    "floor": function(lambda value: _whole(value, "floor"), "any"),
    "ceil": function(lambda value: _whole(value, "ceil"), "any"),
    "round": function(_round, "any int float..."),
}

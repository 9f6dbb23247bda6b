"""The functions that an ApplicationSet template may call: text/template's own, sprig's without the environment, Argo's.

What is not imitated exactly is known by name, so that calling it is "cannot preview", while an unknown name is refused
as Argo CD refuses it.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.golists import LISTS
from pipeline.appset.gonumbers import NUMBERS
from pipeline.appset.gosignature import GoFunction, function
from pipeline.appset.gostrings import STRINGS
from pipeline.appset.govalue import INVALID, StringMap, format_value, is_true, kind, quote

__all__ = ["KNOWN", "find_function", "unsupported"]

_VERB = re.compile(r"%(?P<flags>[-0]*)(?P<width>[0-9]{0,4})(?:\.(?P<precision>[0-9]{1,2}))?(?P<verb>.?)", re.DOTALL)
_MAX_WIDTH = 1000
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")


def unsupported(name: str) -> Inexact:
    return Inexact(f"função {name}")


def _comparison_kind(value: Any) -> str:
    name = kind(value)
    return "int" if name == "int64" else name


def _equal(left: Any, *others: Any) -> bool:
    if not others:
        raise Refused("eq sem segundo argumento")
    return any(_equal_pair(left, other) for other in others)


def _equal_pair(left: Any, right: Any) -> bool:
    first, second = _comparison_kind(left), _comparison_kind(right)
    if first != second:
        if "invalid" not in (first, second):
            raise Refused(f"tipos incomparáveis: {first} e {second}")
        return False
    if first in ("map", "slice"):
        raise Refused(f"um valor {first} não é comparável")
    return first == "invalid" or bool(left == right)


def _less(left: Any, right: Any) -> bool:
    first, second = _comparison_kind(left), _comparison_kind(right)
    if "invalid" in (first, second) or first in ("bool", "map", "slice") or first != second:
        raise Refused(f"tipos incomparáveis: {first} e {second}")
    return bool(left < right)


def _less_equal(left: Any, right: Any) -> bool:
    return _less(left, right) or _equal_pair(left, right)


def _position(index: Any, length: int, *, end: bool = False) -> int:
    if not isinstance(index, int) or isinstance(index, bool):
        raise Refused(f"índice {kind(index)} em uma lista")
    if not 0 <= index < length + end:
        raise Refused(f"índice {int(index)} fora da lista")
    return index


def _index(item: Any, *indexes: Any) -> Any:
    if item is INVALID or item is None:
        raise Refused("index de um valor nulo")
    for index in indexes:
        if item is None:
            raise Refused("index de um valor nulo")
        if isinstance(item, str):
            _position(index, len(item.encode()))
            raise Inexact("index de um texto")
        if isinstance(item, list):
            item = item[_position(index, len(item))]
        elif isinstance(item, dict):
            if not isinstance(index, str):
                raise Refused(f"chave {kind(index)} em um mapa")
            item = item.get(index, "" if isinstance(item, StringMap) else None)
        else:
            raise Refused(f"index de um valor {kind(item)}")
    return item


def _length(item: Any) -> int:
    if isinstance(item, str):
        return len(item.encode())
    if isinstance(item, (list, dict)):
        return len(item)
    raise Refused(f"len de um valor {kind(item)}")


def _print(*values: Any) -> str:
    out: list[str] = []
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            out.append(" ")
        out.append(format_value(value))
    return "".join(out)


def _println(*values: Any) -> str:
    return " ".join(map(format_value, values)) + "\n"


def _printf(layout: str, *values: Any) -> str:
    rest = list(values)
    text = _VERB.sub(lambda found: _verb(found, rest), layout)
    if rest:
        raise Inexact("printf com argumentos a mais")
    return text


def _verb(found: re.Match[str], rest: list[Any]) -> str:
    verb, flags, width = found["verb"], found["flags"], int(found["width"] or 0)
    if found.group() == "%%":
        return "%"
    if not rest or width > _MAX_WIDTH or ("0" in flags and (verb != "d" or "-" in flags)):
        raise Inexact(f"printf {found.group()!r}")
    value = rest.pop(0)
    precision = found["precision"]
    body = _float_verb(value, precision) if verb == "f" else _plain_verb(verb, value)
    if body is None or (precision is not None and verb != "f"):
        raise Inexact(f"printf {found.group()!r} com um valor {kind(value)}")
    if "0" in flags:
        return body.zfill(width)
    return body.ljust(width) if "-" in flags else body.rjust(width)


def _float_verb(value: Any, precision: str | None) -> str | None:
    return f"{value:.{precision or 6}f}" if isinstance(value, float) and abs(value) != float("inf") else None


def _plain_verb(verb: str, value: Any) -> str | None:
    name = kind(value)
    match verb:
        case "v":
            return format_value(value)
        case "s" if name == "string":
            return str(value)
        case "q" if name == "string":
            return quote(value)
        case "d" if name in ("int", "int64"):
            return str(int(value))
        case "t" if name == "bool":
            return format_value(value)
        case _:
            return None


def _urlquery(text: str) -> str:
    def escape(char: str) -> str:
        if char in _UNRESERVED:
            return char
        return "+" if char == " " else "".join(f"%{byte:02X}" for byte in char.encode())

    return "".join(map(escape, text))


_BUILTINS: dict[str, GoFunction] = {
    "eq": function(_equal, "value value..."),
    "ne": function(lambda left, right: not _equal_pair(left, right), "value value"),
    "lt": function(_less, "value value"),
    "le": function(_less_equal, "value value"),
    "gt": function(lambda left, right: not _less_equal(left, right), "value value"),
    "ge": function(lambda left, right: not _less(left, right), "value value"),
    "not": function(lambda value: not is_true(value), "value", orderless=True),
    "len": function(_length, "value", orderless=True),
    "index": function(_index, "value value..."),
    "print": function(_print, "any..."),
    "println": function(_println, "any..."),
    "printf": function(_printf, "string any..."),
    "urlquery": function(_urlquery, "string"),
}

_FUNCTIONS = _BUILTINS | STRINGS | NUMBERS | LISTS
# Defined by Argo CD (sprig 3, text/template, its own), not imitated here: random, time, cryptography, RE2, slugs,
# changes of the element itself, and forms whose exact text depends on a library's tables.
_UNSUPPORTED = frozenset(
    re.findall(
        r"\w+",
        """
    and or html js call hello ago date date_in_zone date_modify dateInZone dateModify duration durationRound
    htmlDate htmlDateInZone must_date_modify mustDateModify mustToDate now toDate unixEpoch abbrev abbrevboth
    initials randAlphaNum randAlpha randAscii randNumeric swapcase shuffle snakecase camelcase kebabcase wrap
    wrapWith adler32sum toDecimal randInt add1f addf subf divf mulf maxf minf deepCopy mustDeepCopy typeOf
    typeIs typeIsLike deepEqual osBase osClean osDir osExt osIsAbs b32enc b32dec set unset merge mergeOverwrite
    mustMerge mustMergeOverwrite values chunk mustChunk bcrypt htpasswd genPrivateKey derivePassword
    buildCustomCert genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert
    genSignedCertWithKey encryptAES decryptAES randBytes uuidv4 semver semverCompare regexMatch mustRegexMatch
    regexFindAll mustRegexFindAll regexFind mustRegexFind regexReplaceAll mustRegexReplaceAll
    regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit mustRegexSplit regexQuoteMeta urlParse urlJoin
    slugify biggest seq
    """,
    )
)
KNOWN = frozenset(_FUNCTIONS) | _UNSUPPORTED


def find_function(name: str) -> GoFunction | None:
    """The function, or None where Argo CD defines it and this program does not imitate it."""
    return _FUNCTIONS.get(name)

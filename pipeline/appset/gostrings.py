"""Sprig's functions over text (sprig 3.3) and Argo CD's ``normalize``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import posixpath
import re
from typing import Any

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.gosignature import GoFunction, function
from pipeline.appset.govalue import SPACES, StringMap, format_value, quote

__all__ = ["STRINGS", "split_text", "strval"]

_MAX_TEXT = 1 << 20
_MAX_NAME = 253


def strval(value: Any) -> str:
    """Sprig's strval: text as it is, anything else through ``%v``."""
    return format_value(value)


def _bounded(text_length: int) -> None:
    if text_length > _MAX_TEXT:
        raise Inexact(f"texto com mais de {_MAX_TEXT} caracteres")


def _cut(text: str, start: int, end: int | None) -> str:
    """A slice by bytes, as Go cuts strings."""
    data = text.encode()
    stop = len(data) if end is None else end
    if not 0 <= start <= stop <= len(data):
        raise Refused("corte além do fim do texto")
    try:
        return data[start:stop].decode()
    except UnicodeDecodeError as error:
        raise Inexact("corte no meio de um caractere UTF-8") from error


def _truncate(count: int, text: str) -> str:
    size = len(text.encode())
    if count < 0 and size + count > 0:
        return _cut(text, size + count, None)
    return _cut(text, 0, count) if 0 <= count < size else text


def _substring(start: int, end: int, text: str) -> str:
    if start < 0:
        return _cut(text, 0, end)
    return _cut(text, start, None if end < 0 or end > len(text.encode()) else end)


def _per_rune(text: str, change: str) -> str:
    out = []
    for char in text:
        mapped = str(getattr(char, change)())
        if char > "\x7f" and (len(mapped) != 1 or char in "İıſẞ"):
            raise Inexact(f"maiúsculas e minúsculas de U+{ord(char):04X}")
        out.append(mapped)
    return "".join(out)


def _upper(text: str) -> str:
    return text.upper() if text.isascii() else _per_rune(text, "upper")


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else _per_rune(text, "lower")


def _title(text: str) -> str:
    if not text.isascii():
        raise Inexact("title de um texto não ASCII")
    return re.sub(r"(?<![A-Za-z0-9_])[a-z]", lambda found: found.group().upper(), text)


def _untitle(text: str) -> str:
    if not text.isascii():
        raise Inexact("untitle de um texto não ASCII")
    return re.sub(r"(?:(?<=[\s])|^)[A-Z]", lambda found: found.group().lower(), text)


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise Refused("repeat com contagem negativa")
    _bounded(count * len(text))
    return text * count


def _indent(spaces: int, text: str) -> str:
    if spaces < 0:
        raise Refused("indent com contagem negativa")
    _bounded(len(text) + spaces * (1 + text.count("\n")))
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


def _replace(old: str, new: str, text: str) -> str:
    pieces = text.count(old) if old else len(text) + 1
    _bounded(len(text) + pieces * len(new))
    return text.replace(old, new)


def _trim_all(cut: str, text: str) -> str:
    return text.strip(cut) if cut else text


def _quote_all(*values: Any) -> str:
    return " ".join(quote(strval(value)) for value in values if value is not None)


def _single_quote_all(*values: Any) -> str:
    return " ".join(f"'{strval(value)}'" for value in values if value is not None)


def _concatenate(*values: Any) -> str:
    return " ".join(strval(value) for value in values if value is not None)


def _split_map(separator: str, text: str) -> StringMap:
    return _numbered(split_text(separator, text))


def _numbered(parts: list[str]) -> StringMap:
    return StringMap({f"_{number}": part for number, part in enumerate(parts)})


def split_text(separator: str, text: str) -> list[str]:
    """``strings.Split``: by characters where the separator is empty."""
    return text.split(separator) if separator else list(text)


def _split_some(separator: str, count: int, text: str) -> StringMap:
    if count == 0:
        return StringMap()
    if not separator:
        raise Inexact("splitn com separador vazio")
    return _numbered(text.split(separator, count - 1 if count > 0 else -1))


def _decode64(text: str) -> str:
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Inexact("b64dec de um texto que não é base64 de UTF-8") from error


def _clean(path: str) -> str:
    return posixpath.normpath(re.sub("/+", "/", path)) if path else "."


def _base(path: str) -> str:
    return posixpath.basename(path.rstrip("/")) or ("/" if path else ".")


def _extension(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    return name[name.rfind(".") :] if "." in name else ""


def _normalize(text: str) -> str:
    name = re.sub("[^-a-z0-9.]", "-", _lower(text))
    return name[:_MAX_NAME].strip("-.")


def _fail(message: str) -> str:
    raise Refused(f"fail: {message}")


STRINGS: dict[str, GoFunction] = {
    "trim": function(lambda text: text.strip(SPACES), "string"),
    "upper": function(_upper, "string"),
    "lower": function(_lower, "string"),
    "title": function(_title, "string"),
    "untitle": function(_untitle, "string"),
    "trunc": function(_truncate, "int string"),
    "substr": function(_substring, "int int string"),
    "repeat": function(_repeat, "int string"),
    "trimAll": function(_trim_all, "string string"),
    "trimall": function(_trim_all, "string string"),
    "trimPrefix": function(lambda cut, text: text.removeprefix(cut), "string string"),
    "trimSuffix": function(lambda cut, text: text.removesuffix(cut), "string string"),
    "nospace": function(lambda text: text.translate(dict.fromkeys(map(ord, SPACES))), "string"),
    "contains": function(lambda part, text: part in text, "string string"),
    "hasPrefix": function(lambda part, text: text.startswith(part), "string string"),
    "hasSuffix": function(lambda part, text: text.endswith(part), "string string"),
    "quote": function(_quote_all, "any..."),
    "squote": function(_single_quote_all, "any..."),
    "cat": function(_concatenate, "any..."),
    "indent": function(_indent, "int string"),
    "nindent": function(lambda spaces, text: "\n" + _indent(spaces, text), "int string"),
    "replace": function(_replace, "string string string"),
    "plural": function(lambda one, many, count: one if count == 1 else many, "string string int"),
    "sha1sum": function(lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), "string"),
    "sha256sum": function(lambda text: hashlib.sha256(text.encode()).hexdigest(), "string"),
    "sha512sum": function(lambda text: hashlib.sha512(text.encode()).hexdigest(), "string"),
    "toString": function(strval, "any"),
    "split": function(_split_map, "string string"),
    "splitn": function(_split_some, "string int string"),
    "b64enc": function(lambda text: base64.b64encode(text.encode()).decode(), "string"),
    "b64dec": function(_decode64, "string"),
    "base": function(_base, "string"),
    "dir": function(lambda path: _clean(path[: path.rfind("/") + 1]), "string"),
    "clean": function(_clean, "string"),
    "ext": function(_extension, "string"),
    "isAbs": function(lambda path: path.startswith("/"), "string"),
    "normalize": function(_normalize, "string"),
    "fail": function(_fail, "string"),
}

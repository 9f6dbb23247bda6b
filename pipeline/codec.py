"""Bytes in, values out: canonical JSON, digests, and the one sanitiser for everything that people are shown."""

from __future__ import annotations

import hashlib
import json
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "SLOT",
    "dump_json",
    "dump_json_around",
    "harmless",
    "hidden",
    "indent_json",
    "is_harmless",
    "load_json",
    "sha256_hex",
    "shows",
    "sort_sums",
    "visible",
]

# C0 and C1 controls, bidi overrides, zero-width marks, line/paragraph separators, BOM, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)

# What CI systems act on: at the start of a line, after any white space; GitHub's older form and Azure's anywhere in it.
_COMMAND = re.compile(r"^(\s*)(::|section_(?:start|end):|##teamcity)|(##)(\[|vso)", re.MULTILINE)
_SMALL = 16_384  # characters
SLOT = "\0"
"""No text of a document is this: what is shown never holds a NUL."""


def dump_json(value: object) -> bytes:
    r"""Canonical JSON of contract.md: UTF-8, sorted keys, two-space indent, final newline.

    What could deceive whoever prints the file (controls, bidi, zero-width) stands as ``\uXXXX``: the same value.
    """
    compact = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    if len(compact) < _SMALL:  # to import msgspec takes longer
        return _escaped(json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=2)) + b"\n"
    return indent_json(compact) + b"\n"


def indent_json(compact: str) -> bytes:
    """Compact JSON with sorted keys in the form of ``dump_json``, without the final newline."""
    import msgspec  # noqa: PLC0415

    # json itself indents in Python, four times slower than its own compact form and msgspec's indentation together.
    return msgspec.json.format(_escaped(compact), indent=2)


def dump_json_around(value: object, items: Iterable[object]) -> bytes:
    """As ``dump_json``, with ``items`` in the place of the only ``SLOT`` of the value, a list's one item.

    They are written one by one, since tens of thousands of maps take ten times the memory of their text.
    """
    head, _, tail = dump_json(value).partition(json.dumps(SLOT).encode())
    made = BytesIO()
    made.write(head)
    margin = head[head.rindex(b"\n") :]
    for number, item in enumerate(items):
        if number:
            made.write(b"," + margin)
        compact = json.dumps(item, ensure_ascii=False, sort_keys=True, allow_nan=False)
        made.write(indent_json(compact).replace(b"\n", margin))
    made.write(tail)
    return made.getvalue()


def _escaped(text: str) -> bytes:
    if text.isprintable():  # what is unsafe is not
        return text.encode()
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text).encode()


def load_json(data: bytes, *, where: str) -> Any:
    """Parse JSON; InputError naming ``where`` and the line when it is not."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError("não é JSON válido", where=f"{where}{line}", mend="gere o arquivo de novo") from error


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sort_sums(digests: dict[str, str]) -> bytes:
    """``SHA256SUMS`` as coreutils checks it: lower-case hex, two spaces, path; sorted by the path's bytes."""
    rows = sorted(digests.items(), key=lambda row: row[0].encode())
    return "".join(f"{digest}  {path}\n" for path, digest in rows).encode()


def hidden(text: str) -> str:
    """A secret as ``•`` for each character: it tells the length alone."""
    return "•" * len(text)


def shows(shown: str, text: str) -> bool:
    """Whether ``shown`` is the text, or what ``hidden`` made of one of its length."""
    return shown in (text, hidden(text))


def visible(text: str) -> str:
    r"""Text with every control, bidi and zero-width character shown as an escape (``\x1b``, ``\u202e``).

    Tab and newline stay; a carriage return does not, since it can overwrite a terminal line.
    """
    if text.isprintable():  # what is unsafe is not
        return text
    return _UNSAFE.sub(lambda found: _escape(ord(found.group())), text)


def harmless(text: str) -> str:
    """One line of any text, without control characters and without commands for the CI system whose log shows it."""
    return _COMMAND.sub(_broken, visible(text).replace("\n", " "))


def is_harmless(text: str) -> bool:
    """Whether no line of a text is a command for a CI system."""
    return _COMMAND.search(text) is None


def _broken(found: re.Match[str]) -> str:
    return f"{found[1]}·{found[2]}" if found[2] else f"{found[3]}·{found[4]}"


def _escape(point: int) -> str:
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"

"""Text that addresses a language model instead of a reader (threats T17), however it is dressed up."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pipeline.audit.hints import TAKEN_FOR_ASCII
from pipeline.audit.injection_orders import ORDERS, suspect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from functools import _lru_cache_wrapper

__all__ = ["find_injections", "is_injection", "may_address"]

Answer = TypeVar("Answer")

# Letters of other scripts that pass for Latin ones, and digits that pass for letters.
_TWINS = str.maketrans("аеорсухіјѕԁһкмтвнΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "aeopcyxijsdhkmtbhabezhikmnoptyxo")
_LEET = str.maketrans("013457@$", "oieastas")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{24,8000}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){16,2000}")
# Marks of a conversation that a text forges; on their own they stand in templates of models too.
_DELIMITERS = re.compile(
    r"(?:<\|(?:im_start|im_end|system|user|assistant|end_?of_?text|endofprompt)\|>|\[/?INST\]|<</?SYS>>|"
    r"</?(?:system|envelope|untrusted|instructions)>|#{2,}\s*(?:system|assistant|human|instruction)\s*:|"
    r"\n\n(?:Human|Assistant):\s)[\s\S]{0,200}?(?:liberar|release|aprovad|approved|risk_score)",
    re.IGNORECASE,
)
_SPELLED = re.compile(r"\b(?:[a-z] ){3,}[a-z]\b")
_RUN_MARKS = bytes(
    ord("x") if (chr(each).isalnum() and each < 128) or chr(each) in "+/_-" else 32 for each in range(256)
)
_LONG_RUN = b"x" * 24
_REMEMBERED = 200  # characters of a text that is worth remembering
_DISGUISED = re.compile(r"[a-z][013457@$]+[a-z]", re.IGNORECASE)
_OTHER = re.compile(r"[^a-z0-9]+")


def is_injection(text: str) -> bool:
    """Whether a text gives orders to a model; reads through case, accents, look-alikes, separators and base64."""
    return next(find_injections(text), None) is not None


def find_injections(text: str) -> Iterator[int]:
    """Lines, from 1 and in order, at which text that addresses a model begins; an order may run over several lines."""
    if may_address(text.encode("utf-8", "surrogatepass")):
        yield from _read_through(text)


def _read_through(text: str) -> Iterator[int]:
    found = {text.count("\n", 0, each.start() + (each[0][:1] == "\n")) + 1 for each in _DELIMITERS.finditer(text)}
    lines = [_remembered(_read, line) for line in text.split("\n")]
    found.update(_orders([each.words for each in lines]))
    if any(each.disguised for each in lines):
        found.update(_orders([each.disguised for each in lines]))
    found.update(number for number, each in enumerate(lines, 1) if each.encoded)
    yield from sorted(found)


def may_address(data: bytes) -> bool:
    """Whether a text in UTF-8 is worth reading: for speed, and never wrongly False."""
    words = data
    if not data.isascii():
        text = data.decode("utf-8", "replace")
        if any(letter in text for letter in TAKEN_FOR_ASCII):
            return True
        lines = (line if line.isascii() else _remembered(_letters, line) for line in text.split("\n"))
        words = "\n".join(lines).encode("utf-8", "surrogatepass")
    held = suspect(words)
    if held.order or (held.talk and _DELIMITERS.search(data.decode("utf-8", "replace"))):
        return True
    return any(_remembered(_hides_order, run) for run in _long_runs(data))


def _remembered(function: _lru_cache_wrapper[Answer], text: str) -> Answer:
    """What a function says of a text, kept where that takes little memory: manifests say the same over and over."""
    return function(text) if len(text) <= _REMEMBERED else function.__wrapped__(text)


def _long_runs(data: bytes) -> Iterator[str]:
    """What ``_RUN`` and ``_HEX`` would find something in."""
    marked = data.translate(_RUN_MARKS)
    start = marked.find(_LONG_RUN)
    while start >= 0:
        end = marked.find(b" ", start)
        end = len(data) if end < 0 else end
        while data[end : end + 1] == b"=":
            end += 1
        yield data[start:end].decode()
        start = marked.find(_LONG_RUN, end)


class _Line(NamedTuple):
    """``words`` as ``_plain`` gives them; ``disguised`` those behind digits that pass for letters, empty without any.

    ``encoded`` says that base64 or hexadecimal digits on the line hold an order.
    """

    words: str
    disguised: str
    encoded: bool


@lru_cache(maxsize=8192)
def _read(line: str) -> _Line:
    return _Line(
        words=_plain(line),
        disguised=_plain(line.translate(_LEET)) if _DISGUISED.search(line) else "",
        encoded=any(any(_orders([_plain(inside)])) for inside in _hidden_texts(line)),
    )


@lru_cache(maxsize=8192)
def _hides_order(run: str) -> bool:
    return _read.__wrapped__(run).encoded


def _orders(lines: list[str]) -> Iterator[int]:
    joined = " ".join(lines)
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    for found in ORDERS.finditer(joined):
        yield bisect_right(starts, found.start())


def _plain(line: str) -> str:
    """Words alone: lower case, no accents, no invisible characters, every separator a space, spelt letters joined."""
    words = _OTHER.sub(" ", (line if line.isascii() else _remembered(_letters, line)).lower()).strip()
    return _SPELLED.sub(lambda found: found[0].replace(" ", ""), words)


@lru_cache(maxsize=2048)
def _letters(line: str) -> str:
    """A line without accents, look-alikes and invisible characters."""
    decomposed = unicodedata.normalize("NFKD", line.translate(_TWINS))
    return "".join(char for char in decomposed if unicodedata.category(char) not in {"Mn", "Cf", "Cc"})


def _hidden_texts(line: str) -> Iterator[str]:
    """Texts that runs of base64 and hexadecimal digits hold."""
    for found in _RUN.finditer(line):
        try:
            data = base64.b64decode(found[0] + "=" * (-len(found[0]) % 4), altchars=b"-_" if "-" in found[0] else None)
        except (binascii.Error, ValueError):
            continue
        yield data.decode("utf-8", "ignore")
    for found in _HEX.finditer(line):
        yield bytes.fromhex(found[0]).decode("utf-8", "ignore")

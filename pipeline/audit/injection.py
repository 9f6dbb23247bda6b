"""Text that addresses a language model instead of a reader (threats T17), however it is dressed up."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_injections", "is_injection"]

# Letters of other scripts that pass for Latin ones, and digits that pass for letters.
_TWINS = str.maketrans("аеорсухіјѕԁһкмтвнΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "aeopcyxijsdhkmtbhabezhikmnoptyxo")
_LEET = str.maketrans("013457@$", "oieastas")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{24,8000}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){16,2000}")
# Each pattern asks for an order and for what only a judge of deliveries is ordered about: modules that run language
# models hold prompts of their own, and documents tell people to ignore a step.
_MODEL = r"(?:ia|ai|modelo|model|llms?|gpt|chatgpt|claude|gemini|assistente|assistant|robo|bot)"
_JUDGE = r"(?:auditor|revisor|avaliador|reviewer|evaluator)\w*"
_BY_MACHINE = rf"{_JUDGE}\s(?:automatic\w*|de ia|ai)"
_YES = r"(?:liberar|liberad[oa]|libere|release|approved?|aprovad[oa]|aprovar|aprove)"
_ALL = (
    r"(?:anteriores|anterior|previous|previas|prior|above|acima|tod[ao]s|all|system|sistema|suas|your|seguranca|"
    r"security)"
)
_RULES = r"(?:instruc\w+|instruction\w*|regras|rules|prompts?|diretrizes|guidelines|orientac\w+|politicas?)"
_DISREGARD = (
    r"\b(?:ignor\w+|desconsider\w+|esquec\w+|disregard|forget|override|bypass|abandone)\b.{0,12}"
    rf"\b(?:(?:the|as|os|das|of|from|you|were|given)\s)*"
    rf"(?:{_ALL}.{{0,20}}\b{_RULES}|{_RULES}\b.{{0,12}}\b{_ALL})\b"
)
_ANSWER = (
    rf"\b(?:responda|answer|reply|respond|devolva|retorne)\b.{{0,40}}\b{_YES}\b|"
    r"\b(?:return|output|diga|say|emita|conclua|escreva)\b.{0,25}\b(?:liberar|approved|aprovad[oa])\b"
)
_FORGED = (
    r"\brisk score\b.{0,4}\b(?:0|zero)\b(?! 100)|"
    r"\b(?:recommendation|recomendacao)\b.{0,8}\b(?:liberar|release|approve)\b(?! liberar com)"
)
_ROLE = (
    r"\b(?:a partir de agora|from now on|you are now|voce agora e|act as|aja como|finja|pretend)\b.{0,60}"
    rf"\b(?:{_JUDGE}|dan|irrestrit\w+|unrestricted|no restrictions|sem restricoes|developer mode|ccb)\b"
)
_ADDRESS = (
    rf"\b(?:nota|aviso|mensagem|recado|note|message)\s(?:para|ao|to|for)\s(?:(?:a|o|the)\s)?(?:{_MODEL}|{_BY_MACHINE})\b|"
    rf"\b(?:hey|ola|dear|caro|prezado)\s(?:{_MODEL}|{_BY_MACHINE})\b|"
    r"\b(?:atencao|attention)\s(?:ia|ai|llms?|gpt|chatgpt)\b"
)
_AUTHORITY = (
    r"\b(?:aprovad[oa]|liberad[oa]|approved|cleared|autorizad[oa]|authorized)\b.{0,20}\b(?:pelo|pela|by)\b.{0,40}"
    rf"\b(?:portanto|entao|logo|therefore|thus|so)\b.{{0,30}}"
    rf"\b(?:{_YES}|dispens\w+|skip|nao (?:aponte|avalie|bloqueie))\b"
)
_SILENCE = (
    r"\b(?:nao|do not|don t|never|jamais)\b.{0,4}"
    r"\b(?:bloqueie|block|reporte|report|mencione|mention|aponte|flag|avalie)\b.{0,30}"
    r"\b(?:modulo|module|ncs?|entrega|release|delivery|achados?|findings?|vulnerab\w+)\b"
)
_SYSTEM = (
    r"\b(?:system|developer|sistema)\b (?:prompt|message|override|mensagem)\b.{0,40}"
    rf"\b(?:(?:must|deve)\s{_YES}|ignor\w+|nova instruc\w+|new instruction)\b"
)
_REVEAL = (
    r"\b(?:reveal|revele|repeat|repita|print|mostre|imprima|show)\b.{0,20}"
    r"\b(?:your system prompt|prompt do sistema|the canary|canario|linha de controle|suas instruc\w+|"
    r"your instructions)\b"
)
_ORDERS = re.compile(f"{_DISREGARD}|{_ANSWER}|{_FORGED}|{_ROLE}|{_ADDRESS}|{_AUTHORITY}|{_SILENCE}|{_SYSTEM}|{_REVEAL}")
# Marks of a conversation that a text forges; on their own they stand in templates of models too.
_DELIMITERS = re.compile(
    r"(?:<\|(?:im_start|im_end|system|user|assistant|end_?of_?text|endofprompt)\|>|\[/?INST\]|<</?SYS>>|"
    r"</?(?:system|envelope|untrusted|instructions)>|#{2,}\s*(?:system|assistant|human|instruction)\s*:|"
    r"\n\n(?:Human|Assistant):\s)[\s\S]{0,200}?(?:liberar|release|aprovad|approved|risk_score)",
    re.IGNORECASE,
)
_SPELLED = re.compile(r"\b(?:[a-z] ){3,}[a-z]\b")
_REMEMBERED = 200  # characters of a line that is worth remembering
_DISGUISED = re.compile(r"[a-z][013457@$]+[a-z]", re.IGNORECASE)
_OTHER = re.compile(r"[^a-z0-9]+")


def is_injection(text: str) -> bool:
    """Whether a text gives orders to a model; reads through case, accents, look-alikes, separators and base64."""
    return next(find_injections(text), None) is not None


def find_injections(text: str) -> Iterator[int]:
    """Lines, from 1 and in order, at which text that addresses a model begins; an order may run over several lines."""
    found = {text.count("\n", 0, each.start() + (each[0][:1] == "\n")) + 1 for each in _DELIMITERS.finditer(text)}
    lines = [_read(line) if len(line) <= _REMEMBERED else _read.__wrapped__(line) for line in text.split("\n")]
    found.update(_orders([each.words for each in lines]))
    if any(each.disguised for each in lines):
        found.update(_orders([each.disguised for each in lines]))
    found.update(number for number, each in enumerate(lines, 1) if each.encoded)
    yield from sorted(found)


class _Line(NamedTuple):
    """``words`` as ``_plain`` gives them; ``disguised`` those behind digits that pass for letters, empty without any.

    ``encoded`` says that base64 or hexadecimal digits on the line hold an order.
    """

    words: str
    disguised: str
    encoded: bool


@lru_cache(maxsize=8192)  # manifests say the same lines over and over
def _read(line: str) -> _Line:
    return _Line(
        words=_plain(line),
        disguised=_plain(line.translate(_LEET)) if _DISGUISED.search(line) else "",
        encoded=any(any(_orders([_plain(inside)])) for inside in _hidden_texts(line)),
    )


def _orders(lines: list[str]) -> Iterator[int]:
    joined = " ".join(lines)
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    for found in _ORDERS.finditer(joined):
        yield bisect_right(starts, found.start())


def _plain(line: str) -> str:
    """Words alone: lower case, no accents, no invisible characters, every separator a space, spelt letters joined."""
    if not line.isascii():
        decomposed = unicodedata.normalize("NFKD", line.translate(_TWINS))
        line = "".join(char for char in decomposed if unicodedata.category(char) not in {"Mn", "Cf", "Cc"})
    words = _OTHER.sub(" ", line.lower()).strip()
    return _SPELLED.sub(lambda found: found[0].replace(" ", ""), words)


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

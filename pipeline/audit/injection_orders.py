"""Orders to a language model, in words alone: lower case, no accents, one space between words (threats T17).

Each pattern asks for an order and for what only a judge of deliveries is ordered about: modules that run language
models hold prompts of their own, and documents tell people to ignore a step. Beside each pattern stand the words
without which it cannot match; a space says that the word begins or ends there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.audit.hints import Hints

__all__ = ["ORDERS", "ORDER_PATTERNS", "Suspicion", "suspect"]

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
_ANSWER = rf"\b(?:responda|answer|reply|respond|devolva|retorne)\b.{{0,40}}\b{_YES}\b"
_RETURN = r"\b(?:return|output|diga|say|emita|conclua|escreva)\b.{0,25}\b(?:liberar|approved|aprovad[oa])\b"
_SCORE = r"\brisk score\b.{0,4}\b(?:0|zero)\b(?! 100)"
_RECOMMENDATION = r"\b(?:recommendation|recomendacao)\b.{0,8}\b(?:liberar|release|approve)\b(?! liberar com)"
_ROLE = (
    r"\b(?:a partir de agora|from now on|you are now|voce agora e|act as|aja como|finja|pretend)\b.{0,60}"
    rf"\b(?:{_JUDGE}|dan|irrestrit\w+|unrestricted|no restrictions|sem restricoes|developer mode|ccb)\b"
)
_NOTE = (
    r"\b(?:nota|aviso|mensagem|recado|note|message)\s(?:para|ao|to|for)\s"
    rf"(?:(?:a|o|the)\s)?(?:{_MODEL}|{_BY_MACHINE})\b"
)
_GREETING = rf"\b(?:hey|ola|dear|caro|prezado)\s(?:{_MODEL}|{_BY_MACHINE})\b"
_ATTENTION = r"\b(?:atencao|attention)\s(?:ia|ai|llms?|gpt|chatgpt)\b"
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

# Upper case, digits that stand for letters, and what parts words.
_WORDS = bytes(
    ord(chr(each).lower().translate(str.maketrans("013457", "oieast"))) if chr(each).isalnum() and each < 128 else 32
    for each in range(256)
)
_HINTS = Hints(_WORDS)
_yes = _HINTS.hint(" liberar ", " liberad", " libere ", " release ", " approve", " aprovad", " aprovar ", " aprove ")
_judge = (" auditor", " revisor", " avaliador", " reviewer", " evaluator")
_model = _HINTS.hint(
    " ia ", " ai ", " modelo ", " model ", " llm", " gpt ", " chatgpt ", " claude ", " gemini ", " assistente ",
    " assistant ", " robo ", " bot ", *_judge,
)  # fmt: skip
_rules = _HINTS.hint(
    " instruc", " regras ", " rules ", " prompt", " diretrizes ", " guidelines ", " orientac", " politica"
)
_ignore = _HINTS.hint(" ignor")
_instruction = _HINTS.hint(" instruc")
_talk = _HINTS.hint("liberar", "release", "aprovad", "approved", "risk score")

ORDER_PATTERNS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (
        _DISREGARD,
        (
            _rules,
            _ignore
            | _HINTS.hint(
                " desconsider", " esquec", " disregard ", " forget ", " override ", " bypass ", " abandone "
            ),
        ),
    ),
    (_ANSWER, (_yes, _HINTS.hint(" responda ", " answer ", " reply ", " respond ", " devolva ", " retorne "))),
    (_RETURN, (_yes, _HINTS.hint(" return ", " output ", " diga ", " say ", " emita ", " conclua ", " escreva "))),
    (_SCORE, (_HINTS.hint(" risk "), _HINTS.hint(" score "))),
    (_RECOMMENDATION, (_yes, _HINTS.hint(" recommendation ", " recomendacao "))),
    (
        _ROLE,
        (
            _HINTS.hint(" agora ", " now ", " act ", " aja ", " finja ", " pretend "),
            _HINTS.hint(
                " dan ", " irrestrit", " unrestricted ", " restrictions ", " restricoes ", " developer ", " ccb ",
                *_judge,
            ),
        ),
    ),
    (_NOTE, (_model, _HINTS.hint(" nota ", " aviso ", " mensagem ", " recado ", " note ", " message "))),
    (_GREETING, (_model, _HINTS.hint(" hey ", " ola ", " dear ", " caro ", " prezado "))),
    (_ATTENTION, (_model, _HINTS.hint(" atencao ", " attention "))),
    (
        _AUTHORITY,
        (
            _HINTS.hint(" aprovad", " liberad", " approved ", " cleared ", " autorizad", " authorized "),
            _HINTS.hint(" pelo ", " pela ", " by "),
            _HINTS.hint(" portanto ", " entao ", " logo ", " therefore ", " thus ", " so "),
        ),
    ),
    (
        _SILENCE,
        (
            _HINTS.hint(" nao ", " not ", " don ", " never ", " jamais "),
            _HINTS.hint(
                " bloqueie ", " block ", " reporte ", " report ", " mencione ", " mention ", " aponte ", " flag ",
                " avalie ",
            ),
            _HINTS.hint(
                " modulo ", " module ", " nc ", " ncs ", " entrega ", " release ", " delivery ", " achado", " finding",
                " vulnerab",
            ),
        ),
    ),
    (
        _SYSTEM,
        (
            _HINTS.hint(" prompt ", " message ", " override ", " mensagem "),
            _HINTS.hint(" must ", " deve ") | _ignore | _instruction,
        ),
    ),
    (
        _REVEAL,
        (
            _HINTS.hint(" prompt ", " canary ", " canario ", " linha ") | _instruction,
            _HINTS.hint(
                " reveal ", " revele ", " repeat ", " repita ", " print ", " mostre ", " imprima ", " show "
            ),
        ),
    ),
)  # fmt: skip
ORDERS = re.compile("|".join(pattern for pattern, _ in ORDER_PATTERNS))
_NEEDED = tuple(needed for _, needed in ORDER_PATTERNS)


# Words of one letter or digit, four or more in a row, in a text that ``_CLASSES`` marks.
_SINGLES = re.compile(rb" x +x(?: +x){2,} ")
_CLASSES = bytes(ord("x") if each < 128 and chr(each).isalnum() else 32 for each in range(256))
_DISGUISED = re.compile(rb"[A-Za-z][013457@$]+[A-Za-z]")
_LETTER = re.compile(rb"[A-Za-z]")


class Suspicion(NamedTuple):
    """What a text may hold: orders, and the words with which a forged conversation ends."""

    order: bool
    talk: bool


def suspect(text: bytes) -> Suspicion:
    """What reading a text (accents and invisible characters taken off) may find: cheap, and never wrongly False."""
    text = b" %b " % text
    held = _HINTS.held_by(text)
    order = _may_match(held) or _spells(text)
    if not order and _disguises(text):
        text = text.replace(b"@", b"a").replace(b"$", b"s")
        order = _may_match(_HINTS.held_by(text)) or _spells(text)
    return Suspicion(order=order, talk=bool(held & _talk))


def _may_match(held: int) -> bool:
    for needed in _NEEDED if held else ():
        for each in needed:
            if not held & each:
                break
        else:
            return True
    return False


def _disguises(text: bytes) -> bool:
    """Whether signs may stand in the place of letters: on a line where one or a digit does, they all do."""
    for sign in (b"$", b"@"):
        at = text.find(sign)
        while at >= 0:
            end = text.find(b"\n", at)
            if _DISGUISED.search(text, text.rfind(b"\n", 0, at) + 1, len(text) if end < 0 else end):
                return True
            at = text.find(sign, end) if end >= 0 else -1
    return False


def _spells(text: bytes) -> bool:
    """Whether a word may be spelt out in it, letter by letter."""
    runs = _SINGLES.finditer(text.translate(_CLASSES))
    return any(_LETTER.search(text, run.start(), run.end()) for run in runs)

"""READ: text that shows a reader something else than it holds."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.selecting import selects
from pipeline.audit.views import DocumentView, FileView
from pipeline.domain.finding import FixMode, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import TextChange

__all__ = ["deceptive_text"]

# Controls but tab, LF and CR; soft hyphen, bidi marks and overrides, zero-width, fillers, line separators, BOM, tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_PLAIN = bytes(range(32, 127)) + b"\t\n\r"
# Letters of other scripts that look like Latin ones.
_TWINS = (
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b9\u03bd\u03bf\u03c1\u03c5"
    "\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0430\u0435\u043e\u0440\u0441"
    "\u0443\u0445\u0455\u0456\u0458\u04bb\u04cf\u0501\u051b\u051d\u0561\u0585\u0570\u057d"
    "\uff21-\uff3a\uff41-\uff5a"
)
_TWIN = re.compile(f"[{_TWINS}]")
_JOINTS = frozenset("._/-")
_JOINER = "\u200d"
_BOM = "\ufeff"
_MOST = 100  # findings of one text: more would bury the others


@dataclass(frozen=True, kw_only=True, eq=False)
class _Text:
    """The document, or a file of the tree; embedded files are read where they stand in the document."""

    view: DocumentView | FileView

    @property
    def text(self) -> str:
        return self.view.document.text if isinstance(self.view, DocumentView) else self.view.text

    def lines(self) -> list[str]:
        return self.text.split("\n")


@selects("documento e arquivos")
def _texts(module: ModuleView) -> Iterator[_Text]:
    if module.document is not None:
        yield _Text(view=module.document)
    for file in module.files:
        if file.source.origin.kind == "tree":
            yield _Text(view=file)


@rule(
    "READ-BIDI",
    Severity.ALTA,
    over=_texts,
    fix=FixMode.AUTO,
    title="Texto enganoso",
    explanation=(
        "Caracteres invisíveis, de direção do texto ou de outro alfabeto mostram a quem revisa algo diferente do que "
        "as máquinas leem."
    ),
    remedy="Apague o caractere invisível; troque a letra de outro alfabeto pela latina.",
    sources=("Modelo de ameaças T08",),
    bad=Example(document="# Módulo 01 – A\n\nAprovado\u202e por ninguém.\n"),
    good=Example(document="# Módulo 01 – A\n\nAprovado pelo CCB. \U0001f469\u200d\U0001f4bb\n"),
)
def deceptive_text(text: _Text) -> Iterator[Breach]:
    """An invisible or direction-changing character, or a word that mixes Latin letters with their twins."""
    if not _may_deceive(text):
        return
    found = 0
    for number, line in enumerate(text.lines(), 1):
        if line.isascii() and line.isprintable():
            continue
        for breach in (_hidden(text, number, line), _mixed(text, number, line)):
            if breach is not None and found < _MOST:
                found += 1
                yield breach


def _may_deceive(text: _Text) -> bool:
    """Whether the text holds anything that may be found, told for plain ASCII without decoding it."""
    if isinstance(text.view, FileView) and text.view.source.content.isascii():
        return bool(text.view.source.content.translate(None, _PLAIN))
    return bool(_HIDDEN.search(text.text) or _TWIN.search(text.text))


def _hidden(text: _Text, number: int, line: str) -> Breach | None:
    marks = [each for each in _HIDDEN.finditer(line) if not _is_harmless(line, each.start(), number)]
    if not marks:
        return None
    named = ", ".join(dict.fromkeys(_name(each[0]) for each in marks))
    changes: tuple[TextChange, ...] = tuple(
        text.view.replace(number, each.start() + 1, each[0], "") for each in marks if each[0] != "\x00"
    )
    count = f" ({len(marks)} na linha)" if len(marks) > 1 else ""
    return text.view.breach(
        f"caractere que não se vê: {named}{count}", line=number, column=marks[0].start() + 1, changes=changes
    )


def _is_harmless(line: str, at: int, number: int) -> bool:
    """A BOM that opens the text; a joiner between the parts of an emoji."""
    if line[at] == _BOM:
        return at == 0 and number == 1
    if line[at] == _JOINER:
        return 0 < at < len(line) - 1 and _is_pictograph(line[at - 1]) and _is_pictograph(line[at + 1])
    return False


def _is_pictograph(character: str) -> bool:
    return ord(character) >= 0x1F000 or character == "\ufe0f" or unicodedata.category(character) == "So"


def _mixed(text: _Text, number: int, line: str) -> Breach | None:
    for twin in _TWIN.finditer(line):
        at = twin.start()
        left, right = line[max(at - 2, 0) : at], line[at + 1 : at + 3]
        near = [left[-1:], right[:1]]
        near += [left[:-1]] if near[0] in _JOINTS else []
        near += [right[1:]] if near[1] in _JOINTS else []
        if any(each.isascii() and each.isalpha() for each in near):
            return _twin_breach(text, number, line, at)
    return None


def _twin_breach(text: _Text, number: int, line: str, at: int) -> Breach:
    start = end = at
    while start > max(at - 40, 0) and not line[start - 1].isspace():
        start -= 1
    while end < min(at + 40, len(line)) and not line[end].isspace():
        end += 1
    return text.view.breach(
        f"`{line[start:end]}` mistura letras latinas com {_name(line[at])}, que só se parece com uma delas",
        line=number,
        column=at + 1,
        key="homoglyph",
    )


def _name(character: str) -> str:
    point = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    return f"{point} ({name.title()})" if name else point

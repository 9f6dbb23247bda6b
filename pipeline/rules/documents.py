"""DOC: the module document has its seven sections, in order, and nothing left to do."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import document as the_document
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, FileView, ModuleView
    from pipeline.domain.snapshot import Heading

__all__ = ["SECTIONS", "fold", "module_documents", "section_of", "sections", "unfinished"]

SECTIONS = (
    "O que é",
    "Por que",
    "Pré-requisitos",
    "Como fazer (comandos)",
    "Como verificar",
    "Erros comuns",
    "Onde salvar",
)
_NUMBER = re.compile(r"(\d+)(?:\.\d+)*\s*[.):–—-]*\s+")
_NOT_MODULE = re.compile(r"\b(?:adendo|addendum|addenda|core[ -]module|modulo core)\b")
_MARKER = re.compile(r"(?<![\w/.-])(?:TODO|FIXME)(?![\w/]|\.\w)")
_COMMENT_SIGN = re.compile(r"(?:#+|//+|--|<!--|/?\*+|;|[-*+] \[ \]|\[|^|[-*+>])\s*$")
_ARTICLES = frozenset(
    ("o", "a", "os", "as", "e", "em", "de", "do", "da", "esse", "este", "aquele", "um", "tráfego", "módulo", "acesso")
)
_DENIED = re.compile(r"\b(?:sem|nenhum|nenhuma|não|nunca|proib\w+|evit\w+|grep|rg|busc\w+|procur\w+)\b", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower case, no accents, no emphasis marks, single spaces."""
    plain = unicodedata.normalize("NFKD", text)
    return " ".join("".join(mark for mark in plain if not unicodedata.combining(mark)).lower().split()).strip("*_`: ")


_FOLDED = tuple(fold(title).removesuffix(" (comandos)") for title in SECTIONS)


def section_of(heading: Heading) -> int | None:
    """Which of the seven sections a heading names, numbered or bare; None for none of them."""
    text = heading.text.strip("*_ ")
    number = _NUMBER.match(text)
    bare = fold(text[number.end() :] if number else text)
    for index, wanted in enumerate(_FOLDED):
        if bare == wanted or (bare.startswith(wanted) and not bare[len(wanted)].isalnum()):
            return index
    return None


@selects("documento de módulo")
def module_documents(module: ModuleView) -> Iterator[DocumentView]:
    """The document, unless it is the core module or an addendum, which have another form."""
    for each in module.select(the_document):
        title = next((heading.text for heading in each.document.headings if heading.level == 1), "")
        name = each.document.path.rpartition("/")[2].replace("_", " ")
        if not _NOT_MODULE.search(fold(title)) and not _NOT_MODULE.search(fold(name)):
            yield each


@rule(
    "DOC-SEC",
    Severity.MEDIA,
    over=module_documents,
    fix=FixMode.AUTO,
    title="Seção obrigatória ausente ou fora do lugar",
    explanation="As sete seções, nesta ordem, são o que o leitor, o auditor e a IA procuram em todo módulo.",
    remedy=(
        "Escreva as sete seções de nível 2, nesta ordem: O que é; Por que; Pré-requisitos; Como fazer (comandos); "
        "Como verificar; Erros comuns; Onde salvar."
    ),
    sources=("COO §2.1",),
    bad=Example(
        document="# Módulo 01 – A\n\n"
        + "".join(
            f"{'###' if number == 2 else '##'} {number}. {title}\n\nTexto.\n\n"
            for number, title in enumerate(SECTIONS, 1)
        )
    ),
    good=Example(document="# Módulo 01 – A\n\n" + "".join(f"## {title}\n\nTexto.\n\n" for title in SECTIONS)),
)
def sections(view: DocumentView) -> Iterator[Breach]:
    """A section is missing (MEDIA), at another level or out of order (BAIXA)."""
    headings = view.document.headings
    first: dict[int, Heading] = {}
    for heading in headings:
        section = section_of(heading) if heading.level == 2 else None
        if section is not None:
            first.setdefault(section, heading)
    for index, title in enumerate(SECTIONS):
        if index in first:
            continue
        misplaced = next((each for each in headings if _is_at_other_level(each, index)), None)
        if misplaced is None:
            yield view.breach(f"falta a seção de nível 2 “{title}”", key=title)
        else:
            yield _wrong_level(view, misplaced, title)
    for index in _out_of_order(sorted(first, key=lambda section: first[section].line)):
        detail = f"a seção “{SECTIONS[index]}” está fora da ordem de COO §2.1"
        yield view.breach(detail, line=first[index].line, key=SECTIONS[index], severity=Severity.BAIXA)


def _is_at_other_level(heading: Heading, index: int) -> bool:
    """A level-1 or level-3 heading that carries the section's own number: the section, one level off."""
    number = _NUMBER.match(heading.text)
    return (
        heading.level in (1, 3) and section_of(heading) == index and number is not None and number[1] == str(index + 1)
    )


def _wrong_level(view: DocumentView, heading: Heading, title: str) -> Breach:
    line = view.document.lines[heading.line - 1]
    marks = "#" * heading.level
    column = line.find(marks) + 1
    return view.breach(
        f"a seção “{title}” está no nível {heading.level} e deveria estar no nível 2",
        line=heading.line,
        key=title,
        changes=(view.replace(heading.line, column, marks, "##"),) if line.lstrip().startswith(marks + " ") else (),
        severity=Severity.BAIXA,
    )


def _out_of_order(found: list[int]) -> list[int]:
    """The fewest sections to move: those outside the longest increasing run."""
    runs: list[list[int]] = []
    for section in found:
        runs.append([*_longest([run for run in runs if run[-1] < section]), section])
    kept = set(_longest(runs))
    return [section for section in found if section not in kept]


def _longest(runs: list[list[int]]) -> list[int]:
    return max(runs, key=len) if runs else []


@dataclass(frozen=True, kw_only=True, eq=False)
class _Text:
    """A text to read line by line: the document, or a file of the tree (embedded ones are in the document)."""

    view: DocumentView | FileView
    lines: tuple[str, ...] | list[str]
    code: frozenset[int] | None

    @property
    def object(self) -> object:
        """Where it stands, for the engine."""
        return self.view


@selects("documento, arquivos e trechos")
def _texts(module: ModuleView) -> Iterator[_Text]:
    if module.document is not None:
        held = module.document.document
        yield _Text(view=module.document, lines=held.lines, code=held.fenced_lines)
    for file in module.files:
        if file.source.origin.kind == "tree":
            yield _Text(view=file, lines=file.lines if _has_marker(file.text) else (), code=None)


def _has_marker(text: str) -> bool:
    return "TODO" in text or "FIXME" in text


@rule(
    "DOC-TODO",
    Severity.MEDIA,
    over=_texts,
    title="Marca de trabalho por fazer",
    explanation="Um módulo que chega ao CCB está pronto: TODO e FIXME dizem que não está.",
    remedy="Conclua o que a marca pede, ou registre-o como pendência com responsável e prazo.",
    sources=("COO §1",),
    bad=Example(document="# Módulo 01 – A\n\n- TODO: escrever a seção.\n"),
    good=Example(document="# Módulo 01 – A\n\nTODO o tráfego passa pela malha.\n"),
)
def unfinished(text: _Text) -> Iterator[Breach]:
    """TODO or FIXME as a mark, not as the Portuguese word in capitals nor as the subject of a sentence."""
    for number, line in enumerate(text.lines, 1):
        if _has_marker(line):
            found = next((each for each in _MARKER.finditer(line) if _is_mark(line, each, text.code, number)), None)
            if found is not None:
                detail = f"`{found[0]}` por resolver"
                yield text.view.breach(detail, line=number, column=found.start() + 1)


def _is_mark(line: str, found: re.Match[str], code: frozenset[int] | None, number: int) -> bool:
    before, after = line[: found.start()], line[found.end() :]
    prose = code is not None and number not in code
    if prose and (before.count("`") % 2 or _DENIED.search(before)):
        return False
    if not prose and re.search(r"\b(?:grep|rg|ag)\b", before):
        return False
    if found[0] == "FIXME":
        return True
    follower = after.strip().split(" ", 1)[0].strip(".,;").lower()
    if re.match(r"\s*[:(]", after):
        return True
    if follower in _ARTICLES:
        return False
    if prose and not re.search(r"(?:<!--|[-*+] \[ \]|//|\[)\s*$", before):
        return not after.strip(" .*_") and not before.strip(" -*+>")
    return bool(_COMMENT_SIGN.search(before[-40:]))

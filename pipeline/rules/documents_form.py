"""DOC: headings, numbers and words of the module document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import document as the_document
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.documents import SECTIONS, fold, module_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView
    from pipeline.domain.finding import TextChange
    from pipeline.domain.snapshot import Heading

__all__ = ["loose_text", "repeated_word", "several_titles", "wrong_number"]

_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)(?=[.):\s–—-])")
_HEADER_LINE = re.compile(r"\s*(?:>|\|)|\s*[*_]*[A-ZÀ-Ú][\wÀ-ú /-]{0,40}[*_]*:[*_]*\s")
_DOUBLED = re.compile(r"(?<![\w/.-])([A-Za-zÀ-ú]{2,})[ \t]+\1(?![\w/-])")
_EMPHATIC = frozenset(("blá", "bem", "já", "logo", "muito", "quase", "tão", "pouco", "passo", "etc", "ha", "que"))


@rule(
    "DOC-STRUCT",
    Severity.BAIXA,
    over=module_documents,
    title="Texto fora das seções",
    explanation="O que não está em seção nenhuma escapa ao leitor, ao sumário e a quem audita por seção.",
    remedy="Leve o texto para a seção que trata do assunto, ou dê a ele uma seção própria de nível 2.",
    sources=("COO §2.1",),
    bad=Example(document="# Módulo 01 – A\n\nO portal é a porta de entrada da plataforma.\n\n## O que é\n\nTexto.\n"),
    good=Example(document="# Módulo 01 – A\n\n> Leia com o contrato.\n\nVersão: v0.3\n\n---\n\n## O que é\n\nTexto.\n"),
)
def loose_text(view: DocumentView) -> Iterator[Breach]:
    """Prose between a title and the next level-2 heading; header lines, quotes and rules are the title's own."""
    headings = view.document.headings
    if not any(each.level == 2 for each in headings):
        return
    ends = [each.line for each in headings if each.level <= 2]
    at_title = {each.line for each in headings if each.level == 1}
    inside = reported = False
    for number, line in view.document.prose():
        if number in ends:
            inside = number not in at_title
            reported = False
            continue
        plain = line.strip()
        if inside or reported or not plain or set(plain) <= set("-*_=# \t") or _HEADER_LINE.match(line):
            continue
        reported = True
        yield view.breach("texto fora de qualquer seção de nível 2", line=number)


@rule(
    "DOC-H1",
    Severity.BAIXA,
    over=the_document,
    fix=FixMode.AUTO,
    title="Documento com mais ou menos de um título",
    explanation="O título de nível 1 é o nome do documento; com dois, sumários e portais mostram dois documentos.",
    remedy="Deixe um só título de nível 1 e rebaixe os demais.",
    sources=("practice",),
    bad=Example(document="# Módulo 01 – A\n\n## O que é\n\n# Outro título\n"),
    good=Example(document="# Módulo 01 – A\n\n```bash\n# comentário\n```\n"),
)
def several_titles(view: DocumentView) -> Iterator[Breach]:
    """Not exactly one level-1 heading outside fences."""
    titles = [each for each in view.document.headings if each.level == 1]
    if not titles:
        yield view.breach("o documento não tem título de nível 1")
    for title in titles[1:]:
        column = view.document.lines[title.line - 1].find("# ") + 1
        yield view.breach(
            f"“{title.text}” é um segundo título de nível 1",
            line=title.line,
            key=title.text,
            changes=(view.replace(title.line, column, "# ", "## "),) if column else (),
        )


def _number(heading: Heading) -> tuple[int, ...] | None:
    """The number a heading begins with; a year or a version is none."""
    found = _NUMBERED.match(heading.text.lstrip("*_ "))
    if found is None or len(found[1]) > 12:
        return None
    return tuple(int(part) for part in found[1].split("."))


@rule(
    "DOC-NUM",
    Severity.BAIXA,
    over=module_documents,
    fix=FixMode.AUTO,
    title="Numeração de seção fora de sequência",
    explanation="Referências como “§4.2” só funcionam com números sem falha nem repetição.",
    remedy="Numere as seções em sequência.",
    sources=("practice",),
    bad=Example(document="# Módulo 01 – A\n\n## 1. O que é\n\n## 3. Por que\n"),
    good=Example(
        document="# Módulo 01 – A\n\n## Contexto\n\n## 1. O que é\n\n### 1.1 A\n\n### 1.2 B\n\n## 2. Por que\n"
    ),
)
def wrong_number(view: DocumentView) -> Iterator[Breach]:
    """Numbered level-2 headings do not count from 1, or a dotted subsection has another parent's number."""
    expected = 1
    parent: int | None = None
    for heading in view.document.headings:
        number = _number(heading)
        if heading.level <= 2:
            parent = None
        if number is None:
            continue
        if heading.level == 2 and len(number) == 1 and number[0] <= len(SECTIONS) * 10:
            parent = number[0]
            if number[0] != expected:
                detail = f"a seção “{heading.text}” deveria ter o número {expected}"
                yield view.breach(
                    detail, line=heading.line, key=heading.text, changes=_renumber(view, heading, expected)
                )
            expected += 1
        elif heading.level == 3 and len(number) > 1 and parent is not None and number[0] != parent:
            yield view.breach(f"“{heading.text}” está na seção {parent}", line=heading.line, key=heading.text)


def _renumber(view: DocumentView, heading: Heading, expected: int) -> tuple[TextChange, ...]:
    line = view.document.lines[heading.line - 1]
    found = re.match(r"\s*#+\s+[*_]*(\d+)", line)
    return (view.replace(heading.line, found.start(1) + 1, found[1], str(expected)),) if found else ()


@rule(
    "DOC-TYPO",
    Severity.BAIXA,
    over=the_document,
    fix=FixMode.AUTO,
    title="Palavra repetida",
    explanation="A repetição é erro de edição e, em nomes de modos e labels, pode ser copiada para a configuração.",
    remedy="Apague a repetição.",
    sources=("practice",),
    bad=Example(document="# M\n\nIstio com mTLS STRICT STRICT.\n"),
    good=Example(document="# M\n\nIstio com mTLS STRICT. O passo a passo é muito muito simples.\n"),
)
def repeated_word(view: DocumentView) -> Iterator[Breach]:
    """The same word twice in a row, in prose."""
    for number, line in view.document.prose():
        for found in _DOUBLED.finditer(line):
            if fold(found[1]) not in {fold(word) for word in _EMPHATIC}:
                yield view.breach(
                    f"“{found[0]}”: palavra repetida",
                    line=number,
                    column=found.start() + 1,
                    key=found[0],
                    changes=(view.replace(number, found.start() + 1, found[0], found[1]),),
                )

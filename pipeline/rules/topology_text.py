"""TOPOA: what the document says of topology A."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import document as the_document
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.prose import ERRORS, WHY, append_after, heading_above, section_lines, section_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, ModuleView

__all__ = ["offered_for_production", "unstated_limits"]

_TOPOLOGY = re.compile(r"\b(?:Topologia A|docker[ -]compose)\b", re.IGNORECASE)
_PRODUCTION = re.compile(r"\bprodução\b", re.IGNORECASE)
_OFFERS = re.compile(
    r"\b(?:pode|podem|deve|devem|é|está|são|serve|servem|suporta|suportada|recomendada?|adequada?|pronta|homologada|"
    r"usada|utilizada|roda|atende)\b",
    re.IGNORECASE,
)
_FORBIDS = re.compile(
    r"\b(?:não|nunca|jamais|nem|sem|apenas|somente|só|exclusiv\w+|restri\w+|proib\w+|evit\w+|impede|fora de|"
    r"antes d[ae]|como se|Topologia B|diferen\w+|dev|poc|laboratório|incidente|viola\w*|erro|NC)\b",
    re.IGNORECASE,
)
_LIMITS = re.compile(
    r"\b(?:não|nunca|apenas|somente|só|restri\w+|limita\w+|sem|exclusiv\w+|dev|poc|laboratório)\b", re.IGNORECASE
)


@rule(
    "TOPOA-PROD",
    Severity.CRITICA,
    over=the_document,
    title="Topologia A oferecida para produção",
    explanation="A Topologia A não tem malha, Vault, GitOps nem DR: em produção é NC crítica por definição.",
    remedy="Restrinja a Topologia A a desenvolvimento e PoC; produção usa a Topologia B.",
    sources=("CON §2.1", "AUD §4.6.2"),
    bad=Example(document="# M\n\nA Topologia A pode ser usada em produção em clientes pequenos.\n"),
    good=Example(document="# M\n\nA Topologia A não pode ser usada em produção.\n"),
)
def offered_for_production(view: DocumentView) -> Iterator[Breach]:
    """A sentence that offers it, with no word that denies or restricts; the errors section tells what not to do."""
    for number, line in view.document.prose():
        if not _TOPOLOGY.search(line) or not _PRODUCTION.search(line):
            continue
        for sentence in re.split(r"(?<=[.;!?])\s", line):
            offer = _TOPOLOGY.search(sentence) and _PRODUCTION.search(sentence) and _OFFERS.search(sentence)
            if offer and not _FORBIDS.search(sentence) and "erro" not in heading_above(view, number):
                yield view.breach("o texto oferece a Topologia A para produção", line=number, key=sentence)


@selects("documentos com Topologia A")
def _with_topology_a(module: ModuleView) -> Iterator[DocumentView]:
    """Documents with a part for topology A: a Compose file, or a heading of it."""
    document = module.document
    if document is None:
        return
    titled = any("topologia a" in each.text.lower() for each in document.document.headings)
    if titled or any(file.compose for file in module.files):
        yield document


@rule(
    "TOPOA-LIMITS",
    Severity.MEDIA,
    over=_with_topology_a,
    fix=FixMode.AUTO,
    title="Limites da Topologia A não declarados",
    explanation="Quem lê o passo a passo da Topologia A precisa saber ali mesmo que ela não vale para produção.",
    remedy="Declare o limite em “Por que” ou em “Erros comuns”.",
    sources=("COO §3.1", "COO §3.2"),
    bad=Example(document="# M\n\n## Por que\n\nPorque sim.\n\n## Como fazer\n\n### Topologia A\n\nSuba.\n"),
    good=Example(document="# M\n\n## Por que\n\nA Topologia A é só para PoC.\n\n## Como fazer\n\n### Topologia A\n"),
)
def unstated_limits(view: DocumentView) -> Iterator[Breach]:
    """Neither section restricts topology A."""
    lines = [line for section in (WHY, ERRORS) for _, line in section_lines(view, section)]
    if any(_TOPOLOGY.search(line) and _LIMITS.search(line) for line in lines) or _across(lines):
        return
    heading = section_start(view, ERRORS) or section_start(view, WHY)
    text = "**Topologia A:** apenas desenvolvimento e PoC; nunca produção, que usa sempre a Topologia B."
    yield view.breach(
        "nem “Por que” nem “Erros comuns” dizem que a Topologia A não vale para produção",
        line=heading.line if heading else 1,
        changes=(append_after(view, heading.line, text),) if heading else (),
    )


def _across(lines: list[str]) -> bool:
    """The topology on one line and its limit on the next two."""
    return any(
        _TOPOLOGY.search(line) and _LIMITS.search(" ".join(lines[index : index + 3]))
        for index, line in enumerate(lines)
    )

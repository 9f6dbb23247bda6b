"""VER: which line of the contract and which version of the module a text or an object declares."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.hints import EVERY_HINT, hint
from pipeline.audit.objects import under
from pipeline.audit.rule import Example, rule
from pipeline.audit.select import document
from pipeline.audit.selecting import selects
from pipeline.audit.texts import FenceView, loose_fences
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.labels_shared import HOLE
from pipeline.rules.shapes import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

__all__ = ["contract_version", "legacy_version", "metadata_conflict"]

_KEY = "appgear.io/contract-version"
_STATED = hint(_KEY)
_OVERRIDE = "appgear.io/version-override"
_LINE = re.compile(r"\s*(?:- )?[\"']?appgear\.io/contract-version[\"']?\s*:\s*[\"']?([^\s\"'#]+)")
_FIELD = re.compile(r"\s*(?:[-*+>]\s+)*(?:\*\*)?([^\W\d_][\w ./()-]{1,48}?)\s*(?:\*\*)?\s*:\s*(?:\*\*)?\s*(\S.*?)\s*$")


@selects("objetos e trechos que declaram o contrato")
def _declaring(module: ModuleView) -> Iterator[ObjectView | FenceView]:
    """Objects and excerpts that declare a contract version."""
    yield from module.select(_declared)[0]
    yield from (fence for fence in module.select(loose_fences) if fence.is_yaml and _KEY in fence.text)


def _declared(module: ModuleView) -> Iterator[dict[ObjectView, list[tuple[tuple[PathKey, ...], Any]]]]:
    """Every contract version, with its path, of each object that holds one."""
    stated = ((found, _versions_in(found)) for file in module.files if file.hints & _STATED for found in file.objects)
    yield {found: versions for found, versions in stated if versions}


def _versions_in(found: ObjectView) -> list[tuple[tuple[PathKey, ...], Any]]:
    """At its own annotations and those of its pods as a rule: the whole object is searched where there are more."""
    file, bases = found.file, [(), found.pod.path] if found.pod is not None and found.pod.path else [()]
    known: list[tuple[tuple[PathKey, ...], Any]] = [
        ((*base, "metadata", "annotations", _KEY), held)
        for base in bases
        if isinstance(held := mapping(found.get(*base, "metadata", "annotations")).get(_KEY), str)
    ]
    plain = found.value is found.source and file.value_hints != EVERY_HINT and b"&" not in file.source.content
    return known if plain and file.source.content.count(_KEY.encode()) == len(known) else under(found.value, _KEY)


@rule(
    "VER-ANN",
    Severity.MEDIA,
    over=_declaring,
    fix=FixMode.AUTO,
    title="`contract-version` que não é a vigente",
    explanation="A anotação diz por qual contrato o objeto responde; uma linha que não está em vigor deixa o objeto "
    "sem norma.",
    remedy="Use a linha do contrato (`v0`), ou declare a exceção com a label `appgear.io/version-override`.",
    sources=("STK version_control", "AUD §6.1", "CON §10"),
    reading="`v0` é a linha do contrato e `v0.3` a do módulo: as duas são aceitas, e a correção escreve a do contrato.",
    bad="""
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  annotations: {appgear.io/contract-version: v0.1}
""",
    good="""
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  annotations: {appgear.io/contract-version: v0}
""",
)
def contract_version(found: ObjectView | FenceView) -> Iterator[Breach]:
    """The key wherever it stands: object, pod template, ApplicationSet template, ``commonAnnotations``."""
    policy = found.module.policy
    accepted = {policy.contract_version, policy.module_version}
    if isinstance(found, FenceView):
        for number, line in enumerate(found.lines, 1):
            written = _LINE.match(line)
            if written and written[1] not in accepted and not HOLE.search(written[1]) and _OVERRIDE not in found.text:
                change = found.replace(number, written.start(1) + 1, written[1], policy.contract_version)
                yield found.breach(_said(written[1]), line=number, column=written.start(1) + 1, changes=(change,))
        return
    if found.labels.get(_OVERRIDE, False) not in (False, None):
        return
    versions: list[tuple[tuple[PathKey, ...], Any]] = found.module.select(_declared)[0][found]
    for path, value in versions:
        if value not in accepted and not (isinstance(value, str) and HOLE.search(value)):
            yield found.breach(_said(str(value)), *path, changes=(found.set(*path, to=policy.contract_version),))


def _said(value: str) -> str:
    return f"`{_KEY}: {value[:40]}` não é a linha do contrato nem a do módulo"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Field:
    """``Key: value`` in prose, with the place of the value."""

    value: str
    line: int
    column: int


def _folded(text: str) -> str:
    """Without accents, case, emphasis and code marks."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(char for char in plain if not unicodedata.combining(char) and char not in "*`_").split())


def _fields(lines: list[tuple[int, str]]) -> dict[str, _Field]:
    fields: dict[str, _Field] = {}
    for number, line in lines:
        found = _FIELD.fullmatch(line) if len(line) < 400 else None  # a longer line is a paragraph
        if found:
            field = _Field(value=found[2].rstrip("* "), line=number, column=found.start(2) + 1)
            fields.setdefault(_folded(found[1]), field)
    return fields


@rule(
    "VER-DOC",
    Severity.BAIXA,
    over=document,
    fix=FixMode.AUTO,
    title="Cabeçalho e metadados do documento se contradizem",
    explanation="O documento diz duas coisas diferentes sob o mesmo nome: quem o lê não sabe a qual versão obedecer.",
    remedy="Escreva nos metadados o mesmo valor do cabeçalho.",
    sources=("STK version_control",),
    reading="O cabeçalho é o que vale, por ser a declaração que abre o documento. Contrato `v0` ao lado de módulo "
    "`v0.3` não é conflito: são chaves diferentes.",
    bad=Example(document="# M\n\nVersão do módulo: v0.3\n\n## Metadados\n\n- Versão do módulo: v0.2\n"),
    good=Example(document="# M\n\nVersão do módulo: v0.3\n\n## Metadados\n\n- Versão do módulo: v0.3\n"),
)
def metadata_conflict(view: DocumentView) -> Iterator[Breach]:
    """The same key with different values before the first section and in the section of metadata."""
    headings = [each for each in view.document.headings if each.level == 2]  # sections
    section = next((each for each in headings if "metadad" in _folded(each.text)), None)
    if section is None:
        return
    end = next((each.line for each in headings if each.line > section.line), len(view.document.lines) + 1)
    prose = view.document.prose()
    first = headings[0].line
    header = _fields([each for each in prose if each[0] < first])
    for title in (each for each in view.document.headings if each.level == 1 and each.line < section.line):
        after = next((each.line for each in view.document.headings if each.line > title.line), end)
        header = _fields([each for each in prose if title.line < each[0] < after]) | header
    for key, stated in _fields([each for each in prose if section.line < each[0] < end]).items():
        said = header.get(key)
        if said is not None and _folded(said.value) != _folded(stated.value):
            yield view.breach(
                f"`{key}` é `{said.value}` no cabeçalho (linha {said.line}) e `{stated.value}` nos metadados",
                line=stated.line,
                column=stated.column,
                key=key,
                changes=(view.replace(stated.line, stated.column, stated.value, said.value),),
            )


_LEGACY = re.compile(r"\bv0\.[12](?!\.?\d)", re.IGNORECASE)
_NAMED = re.compile(
    r"document|modul|module|contrat|auditori|interoperabilidade|diretriz|contract|audit|interoperability|norma|baseline|"
    r"linha|versao|\.md|guia|desenvolvimento|development|recomenda",
    re.IGNORECASE,
)
_HISTORY = re.compile(
    r"\b(?:substitu|legad|legacy|histor|anterior|antig|arquivad|arquivar|archive|deprec|descontinu|obsolet|migra|evolu|"
    r"converg|retrofit|compara|diferenc|changelog|mudanc|mudou|desde|corrig|correc|nao[ -]normativ|deixa|eram? |foi |"
    r"foram |em vez|antes|previst|depois|proxim|futur|entre v0)|v0\.\d[\w.]{0,20}\s{0,4}(?:→|->|=>)|"
    r"\bv0\.\d[\w.]{0,20} (?:para|ate|a) v0"
)
_NEAR = 100  # characters before a version in which what it belongs to is named
_CONTRACT_LINE = re.compile(r"(?:contrat|auditori|interoperab|diretriz|contract|audit)[^.;|]{0,60}$", re.IGNORECASE)


@rule(
    "VER-LEGACY",
    Severity.BAIXA,
    over=document,
    fix=FixMode.AUTO,
    title="Documento v0.1 ou v0.2 citado como vigente",
    explanation="As linhas v0.1 e v0.2 estão arquivadas e não valem como norma; citá-las como vigentes manda o leitor "
    "ao documento errado.",
    remedy="Cite o contrato, a auditoria e a interoperabilidade pela linha `v0`, e os módulos por `v0.3`.",
    sources=("AUD §6.1", "AUD §3.1"),
    reading="Frases de história ou de comparação (“substitui”, “legado”, “anterior”…) não são citação como vigente.",
    bad=Example(document="# M\n\n## 7. Onde salvar\n\n* Arquivo: `Módulo 07 v0.1.md`.\n"),
    good=Example(document="# M\n\n## 7. Onde salvar\n\n* Substitui o legado `Módulo 07 v0.1.md`.\n"),
)
def legacy_version(view: DocumentView) -> Iterator[Breach]:
    """Prose that names a document of an archived line, outside sentences about the past."""
    policy = view.module.policy
    for number, line in view.document.prose():
        if "v0." not in line and "V0." not in line:
            continue
        plain = _folded(line)
        if _HISTORY.search(plain) or not _NAMED.search(plain):
            continue
        for found in _LEGACY.finditer(line):
            contract = _CONTRACT_LINE.search(_folded(line[max(found.start() - _NEAR, 0) : found.start()]))
            current = policy.contract_version if contract else policy.module_version
            column = found.start() + 1
            yield view.breach(
                f"`{found[0]}` é citada como vigente; a linha em vigor é `{current}`",
                line=number,
                column=column,
                key=str(column),
                changes=(view.replace(number, column, found[0], current),),
            )

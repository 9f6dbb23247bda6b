"""DOC: the module against the platform's module matrix."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pipeline.audit.rule import CouldNotJudge, Example, rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import Severity
from pipeline.rules.documents import fold, module_documents
from pipeline.rules.edge_chain import plain_route, route_paths
from pipeline.rules.prose import NEEDS, section_lines, section_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.references import MatrixEntry
    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, FileView, ModuleView

    _Line = tuple[FileView | DocumentView, int, str]

__all__ = ["against_matrix"]

_SERVICE = re.compile(r"\b(?:core|addon)-[a-z0-9]+(?:-[a-z0-9]+)*\b")
_TOPIC = re.compile(r"\bappgear(?:\.[a-z0-9_*-]+){2,}")
_MODULE = re.compile(r"\bM(?:[óo]dulo)?\s*(\d{2})\b", re.IGNORECASE)
_ROUTERS = ("Ingress", "HTTPRoute", "KongIngress")

_EXAMPLE_MATRIX = """
- id: "M07"
  usa_core: [core-backstage, core-postgres]
  integra_com:
    http: [{nome: Portal, via: core-kong, prefixo: /backstage}]
"""
_EXAMPLE = "# Módulo 07 – Portal\n\n## 3. Pré-requisitos\n\n- `core-backstage`, `core-postgres`%s\n"


@selects("documento, onde há matriz de módulos")
def _compared(module: ModuleView) -> Iterator[DocumentView]:
    """The module's document, where the platform gives a matrix."""
    if module.references.matrix is not None:
        yield from module.select(module_documents)


@rule(
    "DOC-MATRIX",
    Severity.MEDIA,
    over=_compared,
    title="Módulo e matriz de módulos em desacordo",
    explanation=(
        "`modulos.yaml` é de onde os outros módulos sabem que serviços, rotas e tópicos este usa: o que só está de um "
        "lado ninguém integra nem protege."
    ),
    remedy=(
        "Compare os dois lados: corrija o módulo ou, se foi a matriz que ficou para trás, corrija `modulos.yaml` pelo "
        "processo do CCB."
    ),
    sources=("INT §4.3", "INT §5.1", "INT §7.1"),
    reading="A matriz também pode estar errada: o achado diz que os dois lados divergem, e não qual deles corrigir.",
    bad=Example(
        document=_EXAMPLE % " e `core-redis`", matrix=_EXAMPLE_MATRIX + '- {id: "M04", usa_core: [core-redis]}\n'
    ),
    good=Example(document=_EXAMPLE % "", matrix=_EXAMPLE_MATRIX),
)
def against_matrix(view: DocumentView) -> Iterator[Breach]:
    """Services, routes, topics, namespaces and modules that one side has and the other has not."""
    matrix = view.module.references.matrix or {}
    identifier = view.module.snapshot.id
    if not re.fullmatch(r"M\d{2}", identifier):
        raise CouldNotJudge("o documento não diz de que módulo é: não há com o que comparar na matriz")
    entry = matrix.get(identifier)
    if entry is None:
        yield view.breach(f"o módulo {identifier} não está na matriz de módulos", key="module")
        return
    yield from _services(view, entry, frozenset(each for other in matrix.values() for each in other.services))
    yield from _routes(view, entry)
    yield from _topics(view, entry, [topic for other in matrix.values() for topic in other.topics])
    yield from _namespaces(view, entry)
    yield from _modules(view, entry)


def _services(view: DocumentView, entry: MatrixEntry, known: frozenset[str]) -> Iterator[Breach]:
    used = _first_places(_SERVICE, _using_lines(view), ("core-", "addon-"))
    delivered = {each.name: each for each in view.module.by_kind.get("Service", ()) if _SERVICE.fullmatch(each.name)}
    for name, service in delivered.items():
        if name not in entry.services:
            detail = f"o módulo entrega o serviço `{name}`, que a matriz não dá ao {entry.id}"
            yield service.breach(detail, "metadata", "name", key=name)
    for name, (owner, line, column) in used.items():
        if name in known and name not in entry.services and name not in delivered:
            detail = f"o módulo usa `{name}`, que a matriz não dá ao {entry.id}"
            yield owner.breach(detail, line=line, column=column, key=name)
    text = _squeezed(" ".join((view.document.text, *(file.text for file in view.module.files))))
    for name in entry.services:
        if _SERVICE.fullmatch(name) and _squeezed(name.partition("-")[2]) not in text:
            yield _missing(view, f"a matriz dá `{name}` ao {entry.id}, e o módulo não o cita", name)


def _using_lines(view: DocumentView) -> Iterator[_Line]:
    """Where a module says what it uses: its files and the prerequisites of its document."""
    for file in view.module.files:
        if file.is_yaml or file.name.startswith(".env"):
            yield from ((file, at, line) for at, line in enumerate(file.lines, 1) if not line.lstrip().startswith("#"))
    yield from ((view, at, line) for at, line in section_lines(view, NEEDS))


def _every_line(view: DocumentView) -> Iterator[_Line]:
    """The document, with what it embeds, and the files beside it."""
    yield from ((view, at, line) for at, line in enumerate(view.document.lines, 1))
    for file in view.module.files:
        if not file.source.segments:
            yield from ((file, at, line) for at, line in enumerate(file.lines, 1))


def _first_places(
    pattern: re.Pattern[str], lines: Iterator[_Line], hints: tuple[str, ...]
) -> dict[str, tuple[FileView | DocumentView, int, int]]:
    """Each text that the pattern finds, with its first place; only lines that hold a hint are searched."""
    places: dict[str, tuple[FileView | DocumentView, int, int]] = {}
    for owner, number, line in lines:
        if any(hint in line for hint in hints):
            for found in pattern.finditer(line):
                places.setdefault(found[0], (owner, number, found.start() + 1))
    return places


def _squeezed(text: str) -> str:
    """Letters and digits alone, so that ``argo-cd`` is found in ``Argo CD``."""
    return re.sub(r"[^a-z0-9]+", "", fold(text))


def _missing(view: DocumentView, detail: str, key: str) -> Breach:
    heading = section_start(view, NEEDS)
    return view.breach(detail, line=heading.line if heading else 1, key=f"matriz {key}")


def _routes(view: DocumentView, entry: MatrixEntry) -> Iterator[Breach]:
    """Routes that the matrix has not; where there are none, prefixes of it that a module with routes does not route."""
    promised = {plain_route(each) for each in entry.prefixes}
    met: set[str] = set()
    differ = False
    for kind in _ROUTERS:
        for found in view.module.by_kind.get(kind, ()):
            for path in dict.fromkeys(route_paths(found)):
                route = plain_route(path)
                same = {each for each in promised if _nested(route, each)}
                met |= same | {route}
                if path and not same:
                    differ = True
                    said = " e ".join(f"`{each}`" for each in entry.prefixes) or "nenhum prefixo"
                    detail = f"a rota `{path}` não está na matriz, que dá {said} ao {entry.id}"
                    yield found.breach(detail, "spec" if "spec" in found.value else "route", key=path)
    if met and not differ:
        for each in sorted(promised - met):
            yield _missing(
                view, f"a matriz dá o prefixo `{each}` ao {entry.id}, e nenhuma rota do módulo o atende", each
            )


def _nested(route: str, prefix: str) -> bool:
    """Whether one holds the other; ``/`` holds ``/`` alone, or it would excuse every route."""
    return route == prefix or ("/" not in (route, prefix) and (f"{route}/").startswith(f"{prefix}/"))


def _topics(view: DocumentView, entry: MatrixEntry, known: list[str]) -> Iterator[Breach]:
    heads = {each.split(".")[1] for each in known if each.count(".") > 1}
    written = _first_places(_TOPIC, _every_line(view), ("appgear.",))
    named = {topic: place for topic, place in written.items() if topic.split(".")[1] in heads}
    for topic, (owner, line, column) in named.items():
        if not any(_covers(topic, each) for each in entry.topics):
            detail = f"o módulo usa o tópico `{topic}`, que a matriz não dá ao {entry.id}"
            yield owner.breach(detail, line=line, column=column, key=topic)
    for each in entry.topics:
        if not any(_covers(topic, each) for topic in named):
            yield _missing(view, f"a matriz dá o tópico `{each}` ao {entry.id}, e o módulo não o cita", each)


def _covers(one: str, other: str) -> bool:
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def _namespaces(view: DocumentView, entry: MatrixEntry) -> Iterator[Breach]:
    for found in view.module.by_kind.get("Namespace", ()) if entry.namespaces else ():
        if not any(fnmatchcase(found.name, each) for each in entry.namespaces):
            detail = f"o namespace `{found.name}` não é dos que a matriz dá ao {entry.id}"
            yield found.breach(detail, "metadata", "name", key=found.name)


def _modules(view: DocumentView, entry: MatrixEntry) -> Iterator[Breach]:
    named = {f"M{found[1]}" for found in _MODULE.finditer(view.document.text)} if entry.modules else set()
    for each in entry.modules:
        if each not in named:
            yield _missing(view, f"a matriz diz que o {entry.id} depende do {each}, que o documento não cita", each)

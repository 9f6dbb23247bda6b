"""DOC: what the module document refers to: the core module, the unified stack, its dependencies, its own place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import document as the_document
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.documents import fold, module_documents
from pipeline.rules.prose import NEEDS, SAVE, append_after, section_lines, section_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, ModuleView

__all__ = ["missing_path", "undeclared_dependency", "unlinked_core", "unnamed_place", "unnamed_stack"]

# Who provides each core service, by the modules' own titles.
_PROVIDERS: dict[str, str] = {
    "argo-cd": "M01",
    "argocd": "M01",
    "ceph": "M04",
    "coraza": "M02",
    "grafana": "M03",
    "keycloak": "M06",
    "kong": "M02",
    "lago": "M03",
    "loki": "M03",
    "midpoint": "M06",
    "opencost": "M03",
    "openfga": "M05",
    "postgres": "M04",
    "prometheus": "M03",
    "qdrant": "M04",
    "redis": "M04",
    "traefik": "M02",
    "vault": "M05",
}
_SERVICE = re.compile(rf"\bcore-({'|'.join(map(re.escape, _PROVIDERS))})\b")
_MODULE = re.compile(r"\bM(?:ódulo|odulo)?\s*(\d{2})\b", re.IGNORECASE)
_PREMISES = re.compile(r"\bpremissas (?:padrao|comuns|compartilhadas)\b")
_PLACE = re.compile(r"development/v[\d.]+/module-\d{2}[\w.-]*\.md")
_DOCUMENT_NAME = re.compile(r"`([^`\n]+\.md)`")
_REFERENCE = re.compile(r"`((?:docs|development|archive|scripts|reports)/[\w./-]+\.\w+)`")


@rule(
    "DOC-CORE",
    Severity.BAIXA,
    over=module_documents,
    fix=FixMode.AUTO,
    title="Premissas comuns sem referência ao módulo core",
    explanation="As premissas comuns estão no módulo core; repetidas aqui, envelhecem e se contradizem.",
    remedy="Cite `core-module` e apague as premissas repetidas.",
    sources=("CORE §1", "CORE §3", "CORE §4"),
    bad=Example(document="# Módulo 01 – A\n\n## 3. Pré-requisitos\n\nNenhum.\n"),
    good=Example(document="# Módulo 01 – A\n\n## 3. Pré-requisitos\n\nVer `core-module-v0.3.md`.\n"),
)
def unlinked_core(view: DocumentView) -> Iterator[Breach]:
    """No link to the core module; or a heading that repeats its premises."""
    if "core-module" not in view.document.text:
        heading = section_start(view, NEEDS)
        version = view.module.policy.module_version
        text = f"Premissas comuns: `development/{version}/core-module-{version}.md`."
        yield view.breach(
            "o documento não cita o módulo core",
            line=heading.line if heading else 1,
            changes=(append_after(view, heading.line, text),) if heading else (),
        )
    for heading in view.document.headings:
        if heading.level > 1 and _PREMISES.search(fold(heading.text)):
            detail = f"“{heading.text}” repete premissas que são do módulo core"
            yield view.breach(detail, line=heading.line, key=heading.text)


@rule(
    "DOC-STACK",
    Severity.BAIXA,
    over=module_documents,
    fix=FixMode.AUTO,
    title="Stack unificado não citado",
    explanation="O stack unificado é a fonte de namespaces, borda e dependências; todo módulo o cita.",
    remedy="Cite `stack-unificada` nos pré-requisitos.",
    sources=("STK references.notes", "INT §1.1"),
    bad=Example(document="# Módulo 01 – A\n\n## 3. Pré-requisitos\n\nNenhum.\n"),
    good=Example(document="# Módulo 01 – A\n\n## 3. Pré-requisitos\n\nVer `stack-unificada-v0.3.yaml`.\n"),
)
def unnamed_stack(view: DocumentView) -> Iterator[Breach]:
    """The document does not name the unified stack."""
    if "stack-unificada" in view.document.text:
        return
    heading = section_start(view, NEEDS)
    version = view.module.policy.module_version
    text = f"Stack de referência: `development/{version}/stack-unificada-{version}.yaml`."
    yield view.breach(
        "o documento não cita o stack unificado",
        line=heading.line if heading else 1,
        changes=(append_after(view, heading.line, text),) if heading else (),
    )


@rule(
    "DOC-DEPS",
    Severity.MEDIA,
    over=module_documents,
    title="Módulo usado e não declarado como dependência",
    explanation="A ordem de implantação sai das dependências declaradas: a que falta só aparece quando o pod não sobe.",
    remedy="Declare o módulo em “Pré-requisitos” ou na seção de dependências.",
    sources=("INT §7.1", "COO §14"),
    bad=Example(document="# Módulo 08 – A\n\n## 3. Pré-requisitos\n\n- M01\n", files={"a.yaml": "host: core-redis\n"}),
    good=Example(document="# Módulo 08 – A\n\n## 3. Pré-requisitos\n\n- M04\n", files={"a.yaml": "host: core-redis\n"}),
)
def undeclared_dependency(view: DocumentView) -> Iterator[Breach]:
    """A manifest names a core service of a module that the document never names."""
    named = {f"M{found[1]}" for found in _MODULE.finditer(view.document.text)} | {view.module.snapshot.id}
    used: dict[str, tuple[str, str]] = {}
    for file in view.module.files:
        if file.is_yaml and "core-" in file.text and not file.compose:
            for found in _SERVICE.finditer(file.text):
                used.setdefault(_PROVIDERS[found[1]], (found[0], file.path))
    heading = section_start(view, NEEDS)
    for provider, (service, path) in sorted(used.items()):
        if provider not in named:
            yield view.breach(
                f"`{path}` usa `{service}`, do {provider}, que o documento não declara",
                line=heading.line if heading else 1,
                key=provider,
            )


@selects("documentos que dizem onde se salva")
def _saved(module: ModuleView) -> Iterator[DocumentView]:
    yield from (each for each in module.select(module_documents) if section_lines(each, SAVE))


@rule(
    "DOC-SAVE",
    Severity.BAIXA,
    over=_saved,
    fix=FixMode.AUTO,
    title="“Onde salvar” sem o caminho canônico do documento",
    explanation="O módulo é procurado pelo caminho canônico; com outro nome, o índice e os auditores não o acham.",
    remedy="Escreva `development/<versão>/module-NN-<versão>.md` em “Onde salvar”.",
    sources=("CON §3.2",),
    bad=Example(document="# Módulo 01 – A\n\n## Onde salvar\n\n* `Módulo 01 – A v0.1.md`\n"),
    good=Example(document="# Módulo 01 – A\n\n## Onde salvar\n\n* `development/v0.3/module-01-v0.3.md`\n"),
)
def unnamed_place(view: DocumentView) -> Iterator[Breach]:
    """The section does not give the document's path and file name as the contract has them."""
    lines = section_lines(view, SAVE)
    if any(_PLACE.search(line) for _, line in lines):
        return
    version = view.module.policy.module_version
    identifier = view.module.snapshot.id
    place = f"development/{version}/module-{identifier.removeprefix('M')}-{version}.md"
    known = bool(re.fullmatch(r"M\d{2}", identifier))
    for number, line in lines:
        found = _DOCUMENT_NAME.search(line)
        if found is not None and "/" not in found[1]:
            change = view.replace(number, found.start(1) + 1, found[1], place)
            detail = f"o documento é citado como `{found[1]}`, e não pelo caminho canônico"
            yield view.breach(detail, line=number, changes=(change,) if known else ())
            return
    yield view.breach(
        "“Onde salvar” não dá o caminho do documento",
        line=lines[0][0],
        changes=(append_after(view, lines[0][0], f"Este documento: `{place}`."),) if known else (),
    )


@selects("documento com a árvore dele")
def _in_repository(module: ModuleView) -> Iterator[DocumentView]:
    """The document, where the tree that holds its references came with it."""
    if any(path.startswith(("docs/", "development/")) for path in module.by_path):
        yield from module.select(the_document)


@rule(
    "DOC-PATH",
    Severity.BAIXA,
    over=_in_repository,
    title="Referência interna a um arquivo que não existe",
    explanation="A referência quebrada deixa a regra citada sem texto que se possa ler.",
    remedy="Corrija o caminho, ou entregue o arquivo citado.",
    sources=("AUD §6.8",),
    bad=Example(document="# M\n\nVer `docs/b.md`.\n", files={"docs/a.md": "texto\n"}),
    good=Example(document="# M\n\nVer `docs/a.md` e `guides/a.md`.\n", files={"docs/a.md": "texto\n"}),
)
def missing_path(view: DocumentView) -> Iterator[Breach]:
    """A path under a top folder that the tree has, to a file that it has not; ``guides/`` is the norms' own slip."""
    known = view.module.by_path
    tops = {path.partition("/")[0] for path in known}
    for number, line in view.document.prose():
        for found in _REFERENCE.finditer(line):
            if found[1].partition("/")[0] in tops and found[1] not in known:
                detail = f"`{found[1]}` não existe na árvore"
                yield view.breach(detail, line=number, column=found.start(1) + 1, key=found[1])

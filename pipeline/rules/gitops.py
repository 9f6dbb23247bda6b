"""GIT: Argo CD applications come from ApplicationSets with a list generator, whole and able to render."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import rule
from pipeline.audit.selecting import selects
from pipeline.audit.views import DocumentView, ObjectView
from pipeline.domain.finding import FixMode, Operation, Param, Severity
from pipeline.rules.shapes import items, mapping, maps, put, text
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import PatchChange, PathKey

__all__ = ["invalid_template", "lone_application", "without_list_generator"]

_GROUP = "argoproj.io"
_REGISTERS = re.compile(
    r"\b(?i:inclu[ií]|registr|cri[ae]|adicion|declar|cadastr|acrescent)\w*\b"
    r"(?P<between>[^.\n]{0,60}?)\bApplications?\b(?P<after>[^.\n]{0,80})"
)
_DENIES = re.compile(r"\b(?:não|nunca|sem|nenhuma?|proib\w+|evit\w+|em vez|ApplicationSets?)\b", re.IGNORECASE)
_EXPRESSION = re.compile(r"\{\{-?([^{}]{0,2000}?)-?\}\}")
_PLAIN_NAME = re.compile(r"\s*([A-Za-z_][\w.\[\]]*)\s*")
_PLAIN_KEY = re.compile(r"\s*\.?([A-Za-z_]\w*)\s*")
_GO_WORDS = frozenset(("end", "else", "break", "continue", "now", "uuidv4"))


@selects("Applications")
def _applications(module: ModuleView) -> Iterator[ObjectView | DocumentView]:
    yield from (each for each in module.by_kind.get("Application", ()) if each.group == _GROUP)
    if module.document is not None:
        yield module.document


@selects("ApplicationSets")
def _sets(module: ModuleView) -> Iterator[ObjectView]:
    yield from (each for each in module.by_kind.get("ApplicationSet", ()) if each.group == _GROUP)


@rule(
    "GIT-APPSET",
    Severity.ALTA,
    over=_applications,
    fix=FixMode.PARAM,
    title="Application fora de um ApplicationSet",
    explanation=(
        "Depois do bootstrap, cada Application vem de um ApplicationSet com list generator; uma Application solta não "
        "recebe os labels de tenancy nem as políticas do conjunto."
    ),
    remedy="Gere a Application por um elemento do list generator; a solta só cabe no bootstrap (`root-*`).",
    sources=("CON §5.3", "INT §1.1", "STK argocd", "CORE §2.4"),
    reading=(
        "Contradição 3: CON §2.1 e COO §3.2 ainda chamam App-of-Apps de pilar; vale CON §5.3, INT §1.1 e STK, que o "
        "mantêm só no bootstrap."
    ),
    bad="""
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: core-n8n, namespace: argocd}
spec:
  project: core
  source: {repoURL: https://git.example/appgear-gitops-core, path: apps/core/n8n, targetRevision: main}
  destination: {server: https://kubernetes.default.svc, namespace: appgear-core}
""",
    good="""
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: root-core, namespace: argocd}
spec: {project: default}
""",
)
def lone_application(subject: ObjectView | DocumentView) -> Iterator[Breach]:
    """An Application object that is no bootstrap root, or a sentence or comment that registers one."""
    if isinstance(subject, DocumentView):
        yield from _registered_in_text(subject)
        return
    if subject.name.startswith(subject.module.policy.bootstrap_prefixes):
        return
    yield subject.breach(
        f"a Application `{subject.name}` não é gerada por um ApplicationSet", "kind", changes=_into_set(subject)
    )


def _registered_in_text(document: DocumentView) -> Iterator[Breach]:
    for number, line in enumerate(document.document.lines, 1):
        if "Application" not in line:
            continue
        found = _REGISTERS.search(line)
        if found is None or _DENIES.search(line):
            continue
        if number in document.document.fenced_lines and not _is_listing(document, number):
            continue
        column = line.index("Application", found.start("between")) + 1
        said = " ".join(f"{found[0]}".split())
        detail = f"o texto registra Applications que nenhum ApplicationSet gera: “{said}”"
        yield document.breach(detail, line=number, column=column)


def _is_listing(document: DocumentView, number: int) -> bool:
    """Whether the line is in a fence that shows a folder listing, and not in code."""
    for fence in document.document.fences:
        if fence.first_line <= number < fence.first_line + fence.line_count:
            return fence.language in ("", "text", "txt", "plaintext")
    return False


def _into_set(application: ObjectView) -> tuple[PatchChange, ...]:
    """Turn the Application into an ApplicationSet of one element; which set is for the platform to say."""
    spec = application.get("spec")
    if not isinstance(spec, dict) or not application.name or "{{" in str(spec):
        return ()
    element: dict[str, Any] = {"name": application.name}
    template_spec = dict(spec)
    for key, (parent, field) in {
        "path": ("source", "path"),
        "namespace": ("destination", "namespace"),
    }.items():
        held = mapping(template_spec.get(parent))
        if isinstance(held.get(field), str):
            element[key] = held[field]
            template_spec[parent] = held | {field: "{{." + key + "}}"}
    metadata: dict[str, Any] = {"name": "{{.name}}"}
    for field in ("labels", "annotations", "finalizers"):
        if application.get("metadata", field):
            metadata[field] = application.get("metadata", field)
    name = Param(
        name=f"applicationsets.{application.name}",
        question=f"Qual ApplicationSet de list generator deve gerar a Application `{application.name}`?",
    )
    operations = [
        Operation(op="replace", path="/kind", value="ApplicationSet"),
        Operation(op="replace", path="/metadata/name", value=name),
        Operation(
            op="replace",
            path="/spec",
            value={
                "goTemplate": True,
                "goTemplateOptions": ["missingkey=error"],
                "generators": [{"list": {"elements": [element]}}],
                "template": {"metadata": metadata, "spec": template_spec},
            },
        ),
    ]
    if application.get("metadata", "finalizers") is not None:
        operations.append(Operation(op="remove", path="/metadata/finalizers"))
    return (application.patch(*operations),)


@rule(
    "GIT-LISTGEN",
    Severity.MEDIA,
    over=_sets,
    fix=FixMode.PARAM,
    title="ApplicationSet sem list generator",
    explanation="A lista explícita é o que o CCB lê e aprova; um generator de Git ou de cluster a dispensa.",
    remedy="Use um generator `list`, sozinho ou dentro de um `matrix` ou `merge`.",
    sources=("STK", "CON §5.3"),
    bad="""
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: core}
spec:
  generators:
    - git: {repoURL: https://git.example/a, directories: [{path: apps/*}]}
  template: {metadata: {name: '{{name}}'}, spec: {}}
""",
    good="""
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: core}
spec:
  generators:
    - list: {elements: [{name: core-n8n}]}
  template: {metadata: {name: '{{name}}'}, spec: {}}
""",
)
def without_list_generator(found: ObjectView) -> Iterator[Breach]:
    """No generator is a list, not even inside a matrix or merge."""
    if any(_lists(generator) for generator in items(found.get("spec", "generators"))):
        return
    yield found.breach(
        f"o ApplicationSet `{found.name}` não tem generator `list`",
        *("spec", "generators"),
        changes=_first_element(found),
    )


def _first_element(found: ObjectView) -> tuple[PatchChange, ...]:
    """A list of one element that gives each name the template uses; nothing where a name is no plain key."""
    names = [_PLAIN_KEY.fullmatch(expression) for _, _, expression in _expressions(found)]
    if not names or not all(names):
        return ()
    element = {
        name: Param(
            name=f"applicationset-elements.{found.name}.{name}",
            question=f"Que valor de `{name}` o ApplicationSet `{found.name}` deve gerar primeiro?",
        )
        for name in dict.fromkeys(each[1] for each in names if each)
    }
    return (put(found, "spec", "generators", to=[{"list": {"elements": [element]}}]),)


def _lists(generator: Any, depth: int = 0) -> bool:
    held = mapping(generator)
    if isinstance(held.get("list"), dict):
        return True
    nested = [
        inner for kind in ("matrix", "merge") for inner in items(mapping(held.get(kind)).get("generators")) if depth < 2
    ]
    return any(_lists(inner, depth + 1) for inner in nested)


@rule(
    "GIT-APPSETVALID",
    Severity.ALTA,
    over=_sets,
    fix=FixMode.AUTO,
    title="ApplicationSet que não gera o que promete",
    explanation=(
        "Sem `spec.template` o Argo CD recusa o objeto; sem `goTemplate: true`, nomes com ponto e funções ficam como "
        "texto no resultado; com ele, nomes sem ponto são erro."
    ),
    remedy="Complete `spec.template` e use `goTemplate: true` com nomes `{{.nome}}`, ou só `{{nome}}` sem funções.",
    sources=("SCH",),
    bad="""
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: core}
spec:
  generators:
    - list: {elements: [{name: n8n}]}
  template:
    metadata: {name: 'core-{{ .name | lower }}'}
    spec: {project: core}
""",
    good="""
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: core}
spec:
  generators:
    - list: {elements: [{name: n8n}]}
  template:
    metadata: {name: 'core-{{name}}'}
    spec: {project: core}
""",
)
def invalid_template(found: ObjectView) -> Iterator[Breach]:
    """A template is missing or incomplete, or its expressions belong to the other engine."""
    template = found.get("spec", "template")
    if not isinstance(template, dict):
        yield found.breach(f"o ApplicationSet `{found.name}` não tem `spec.template`", "spec", "template")
        return
    if not text(mapping(template.get("metadata")).get("name")) or not isinstance(template.get("spec"), dict):
        detail = "`spec.template` precisa de `metadata.name` e de `spec`"
        yield found.breach(detail, "spec", "template")
    used = list(_expressions(found))
    if found.get("spec", "goTemplate") is True:
        yield from _undotted(found, used)
        yield from _unknown_names(found, used)
    elif any(not _PLAIN_NAME.fullmatch(expression) for _, _, expression in used):
        yield _needs_go(found, used)
    else:
        yield from _unknown_names(found, used)


def _expressions(found: ObjectView) -> Iterator[tuple[tuple[PathKey, ...], str, str]]:
    """Path, whole text and inside of every ``{{…}}`` of the template, nested generator templates left out."""
    for path, value in found.scalars:
        if path[:2] in (("spec", "template"), ("spec", "templatePatch")) and isinstance(value, str) and "{{" in value:
            for each in _EXPRESSION.finditer(value):
                yield path, value, each[1]


def _needs_go(found: ObjectView, used: list[tuple[tuple[PathKey, ...], str, str]]) -> Breach:
    path, _, expression = next(each for each in used if not _PLAIN_NAME.fullmatch(each[2]))
    operations = [_go_template(found)]
    for place, value in {each[0]: each[1] for each in used}.items():
        dotted = _dotted(value)
        if dotted != value:
            operations.append(Operation(op="replace", path=json_pointer(place), value=dotted))
    return found.breach(
        f"`{{{{{expression}}}}}` só vale com `goTemplate: true`, que o ApplicationSet `{found.name}` não declara",
        *path,
        changes=(found.patch(*operations),),
    )


def _go_template(found: ObjectView) -> Operation:
    declared = "goTemplate" in mapping(found.get("spec"))
    return Operation(op="replace" if declared else "add", path="/spec/goTemplate", value=True)


def _undotted(found: ObjectView, used: list[tuple[tuple[PathKey, ...], str, str]]) -> Iterator[Breach]:
    seen: set[tuple[PathKey, ...]] = set()
    for path, value, expression in used:
        if path in seen or not _is_plain(expression):
            continue
        seen.add(path)
        change = found.patch(Operation(op="replace", path=json_pointer(path), value=_dotted(value)))
        yield found.breach(
            f"com `goTemplate: true`, `{{{{{expression}}}}}` é uma função que não existe: falta o ponto antes do nome",
            *path,
            changes=(change,),
        )


def _is_plain(expression: str) -> bool:
    plain = _PLAIN_NAME.fullmatch(expression)
    return plain is not None and plain[1] not in _GO_WORDS


def _dotted(value: str) -> str:
    """The text with every bare name of an expression dotted: ``{{name}}`` to ``{{.name}}``."""
    return _EXPRESSION.sub(
        lambda each: each[0].replace(each[1].strip(), "." + each[1].strip(), 1) if _is_plain(each[1]) else each[0],
        value,
    )


def _unknown_names(found: ObjectView, used: list[tuple[tuple[PathKey, ...], str, str]]) -> Iterator[Breach]:
    """Names that no element of the lists gives, where lists are the only generators."""
    known: set[str] = set()
    for _, generator in maps(found.get("spec", "generators")):
        elements = mapping(generator.get("list")).get("elements")
        if (
            set(generator) - {"list", "selector"}
            or not isinstance(elements, list)
            or "elementsYaml" in generator["list"]
        ):
            return
        known.update(key for _, element in maps(elements) for key in element)
    reported: set[str] = set()
    for path, _, expression in used:
        named = re.fullmatch(r"\s*\.?([A-Za-z_]\w*)[\w.]*\s*", expression)
        if named and known and named[1] not in known | reported | _GO_WORDS:
            reported.add(named[1])
            yield found.breach(
                f"nenhum elemento da lista define `{named[1]}`, que o template do ApplicationSet `{found.name}` usa",
                *path,
                key=named[1],
            )

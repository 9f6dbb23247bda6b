"""Checks one ApplicationSet object, whoever wrote it, against the platform's rules for ApplicationSets.

Sources: CON §5.3, STK argocd.required_labels, the ApplicationSet API (GIT-APPSETVALID, GIT-LISTGEN, LBL-ARGO), T42.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.appset.errors import Inexact, Refused, excerpt
from pipeline.appset.gofunctions import KNOWN
from pipeline.appset.goparser import parse_template
from pipeline.appset.load import QUARTET

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SetProblem", "validate_set"]

_TAG = re.compile(r"\{\{([^{}]*)\}\}")
_PARAMETER = re.compile(r"[A-Za-z0-9_.\[\]/-]+")
Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetProblem:
    """``rule`` is the id in the platform's catalogue; ``path`` where in the object; ``message`` pt-BR."""

    rule: str
    path: Path
    message: str


def validate_set(value: Any) -> tuple[SetProblem, ...]:
    """Every problem of the object ``value`` (parsed YAML), in a fixed order; never raises."""
    spec = value.get("spec") if isinstance(value, dict) else None
    if not isinstance(spec, dict):
        return (_problem("GIT-APPSETVALID", ("spec",), "o ApplicationSet não tem spec"),)
    return (*_generators(spec), *_template(spec), *_texts(spec))


def _problem(rule: str, path: Path, message: str) -> SetProblem:
    return SetProblem(rule=rule, path=path, message=message)


def _generators(spec: dict[str, Any]) -> Iterator[SetProblem]:
    generators = spec.get("generators")
    if not isinstance(generators, list) or not generators:
        yield _problem("GIT-APPSETVALID", ("spec", "generators"), "spec.generators está vazio ou falta")
        return
    if not any(_has_list(generator) for generator in generators):
        yield _problem("GIT-LISTGEN", ("spec", "generators"), "nenhum gerador 'list' (CON §5.3)")
    for index, generator in enumerate(generators):
        section = generator.get("list") if isinstance(generator, dict) else None
        if isinstance(section, dict):
            yield from _elements(section.get("elements"), ("spec", "generators", index, "list", "elements"), spec)


def _has_list(generator: Any) -> bool:
    """A list generator itself, or one inside a matrix or merge."""
    if not isinstance(generator, dict):
        return False
    inner = [generator.get(key) for key in ("matrix", "merge")]
    nested = [item.get("generators") for item in inner if isinstance(item, dict)]
    return generator.get("list") is not None or any(
        _has_list(child) for children in nested if isinstance(children, list) for child in children
    )


def _elements(elements: Any, path: Path, spec: dict[str, Any]) -> Iterator[SetProblem]:
    if elements is not None and not isinstance(elements, list):
        yield _problem("GIT-APPSETVALID", path, "list.elements deveria ser uma lista")
        return
    seen: dict[str, int] = {}
    for index, element in enumerate(elements or []):
        at = (*path, index)
        if not isinstance(element, dict):
            yield _problem("GIT-APPSETVALID", at, "o elemento não é um mapa")
            continue
        text = repr(sorted(element.items(), key=str))
        if seen.setdefault(text, index) != index:
            yield _problem("GIT-APPSETVALID", at, f"elemento igual ao de índice {seen[text]}: Applications repetidas")
        if spec.get("goTemplate") is not True:
            wrong = [key for key, item in element.items() if key != "values" and not isinstance(item, str)]
            for key in wrong:
                yield _problem("GIT-APPSETVALID", (*at, key), f"sem goTemplate, {key} tem de ser texto (use aspas)")


def _template(spec: dict[str, Any]) -> Iterator[SetProblem]:
    template = spec.get("template")
    inner = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(template, dict) or not isinstance(inner, dict):
        yield _problem("GIT-APPSETVALID", ("spec", "template"), "falta spec.template com metadata e spec")
        return
    metadata = template.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    for key in QUARTET:
        if not isinstance(labels, dict) or not labels.get(key):
            path = ("spec", "template", "metadata", "labels")
            yield _problem("LBL-ARGO", path, f"falta o label {key} no template (CON §5.3)")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        yield _problem("GIT-APPSETVALID", ("spec", "template", "metadata"), "falta o nome da Application")
    yield from _application(inner, ("spec", "template", "spec"))


def _application(spec: dict[str, Any], path: Path) -> Iterator[SetProblem]:
    if spec.get("project") in (None, "", "default"):
        yield _problem("GIT-APPSETVALID", (*path, "project"), "o projeto falta ou é default, que permite tudo")
    destination = spec.get("destination")
    if not isinstance(destination, dict):
        yield _problem("GIT-APPSETVALID", (*path, "destination"), "falta o destino")
        return
    if bool(destination.get("server")) == bool(destination.get("name")):
        yield _problem("GIT-APPSETVALID", (*path, "destination"), "o destino precisa de server ou de name, um só")
    if destination.get("namespace") in (None, "", "*"):
        yield _problem("GIT-APPSETVALID", (*path, "destination"), "o destino não tem um namespace próprio")


def _texts(spec: dict[str, Any]) -> Iterator[SetProblem]:
    """Templates that the chosen language would refuse, or leave standing as text."""
    check = _go_problem if spec.get("goTemplate") is True else _tag_problem
    for key in ("template", "templatePatch"):
        for path, text in _strings(spec.get(key), ("spec", key)):
            message = check(text)
            if message:
                yield _problem("GIT-APPSETVALID", path, message)


def _strings(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key), str(key)
            yield from _strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))


def _go_problem(text: str) -> str:
    try:
        parse_template(text, KNOWN)
    except Refused as error:
        return f"o template Go não é válido ({error}); parâmetros se escrevem com ponto: {{{{ .name }}}}"
    except Inexact:
        return ""
    return ""


def _tag_problem(text: str) -> str:
    for tag in _TAG.findall(text):
        name = tag.strip()
        if name.startswith(".") or not _PARAMETER.fullmatch(name):
            return f"sem goTemplate: true, {{{{{excerpt(tag)}}}}} fica como está"
    return ""

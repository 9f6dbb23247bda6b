"""VAL: files that a parser and the API server would take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import CouldNotJudge, rule
from pipeline.audit.schema import validate_object
from pipeline.audit.select import yaml_files
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.yamldoc import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import FileView, ModuleView, ObjectView
    from pipeline.domain.finding import PathKey, TextChange
    from pipeline.yamldoc import YamlProblem

__all__ = ["against_schema", "duplicate_key", "not_yaml"]

_BRACES = re.compile(r"\{\{|\{%")
_CONTROL_LINE = re.compile(r"^[ \t]*(?:\{\{[^\n]*\}\}|\{%[^\n]*%\})[ \t]*$", re.MULTILINE)
_INLINE = re.compile(r"\{\{[^\n{}]{0,500}\}\}|\{%[^\n{}]{0,500}%\}")
_MARKS = ("", "/", "-", ".")  # what a TAB inside a key may stand for
_NOT_KUBERNETES = ("backstage.io", "scaffolder.backstage.io")


@rule(
    "VAL-YAML",
    Severity.ALTA,
    over=yaml_files,
    fix=FixMode.AUTO,
    title="Arquivo que não é YAML válido",
    explanation="O que não se lê não se aplica nem se audita: o Argo CD recusa a pasta inteira.",
    remedy="Corrija a sintaxe na linha indicada e valide com um leitor estrito antes de publicar.",
    sources=("SCH",),
    bad="title: Portal: visão geral\n",
    good="title: 'Portal: visão geral'\n",
)
def not_yaml(file: FileView) -> Iterator[Breach]:
    """Text that a strict parser refuses. A template, which is no YAML until rendered, is never judged."""
    broken = [problem for problem in file.as_written.problems if problem.code != "duplicate-key"]
    if any(_is_template_problem(file, problem) for problem in broken):
        raise CouldNotJudge(f"`{file.path}` é um modelo: só depois de renderizado se sabe se é YAML")
    for problem in broken:
        yield file.breach(
            problem.message,
            line=problem.line,
            column=problem.column,
            key=problem.code,
            changes=_mended(file, problem),
        )
    yield from _tabs_in_keys(file)


def _is_template_problem(file: FileView, problem: YamlProblem) -> bool:
    """Whether braces cause the problem: they stand on its line or the one before, or without them the file parses."""
    if not _BRACES.search(file.text) or problem.code not in ("syntax", "key"):
        return False
    if any(_BRACES.search(line) for line in file.lines[max(problem.line - 2, 0) : problem.line]):
        return True
    plain = _INLINE.sub("x", _CONTROL_LINE.sub("", file.text))
    return not any(each.code in ("syntax", "key") for each in load_yaml(plain).problems)


def _mended(file: FileView, problem: YamlProblem) -> tuple[TextChange, ...]:
    """The repair of the whole file, where there is only one."""
    if problem.code != "syntax" or file.repair is None:
        return ()
    return tuple(file.replace(each.line, each.column, each.old, each.new) for each in file.repair.edits)


def _tabs_in_keys(file: FileView) -> Iterator[Breach]:
    """A TAB inside a key: Go's parser takes it, others refuse the file, and no label has such a name."""
    if "\t" not in file.text:
        return
    for found in file.objects:
        told: set[tuple[PathKey, ...]] = set()
        for path, _ in found.scalars:
            depth = next((at for at, key in enumerate(path) if isinstance(key, str) and "\t" in key), None)
            if depth is not None and path[: depth + 1] not in told:
                told.add(path[: depth + 1])
                detail = f"TAB dentro da chave `{path[depth]}`: parte dos leitores recusa o arquivo"
                changes = _without_tab(found, path[: depth + 1])
                yield found.breach(detail, *path[: depth + 1], key="tab", changes=changes)


def _without_tab(found: ObjectView, path: tuple[PathKey, ...]) -> tuple[TextChange, ...]:
    """The key that was meant, where the module or the platform's norms have exactly one like it."""
    key = str(path[-1])
    policy = found.module.policy
    (used,) = found.module.select(_keys)
    known = {*used, *policy.required_labels, *policy.application_labels}
    meant = {name for mark in _MARKS if (name := re.sub(r" *\t[ \t]*", mark, key)) in known}
    held = found.get(*path[:-1])
    place = found.document.position((*found.base, *path))
    written = found.file.lines[place.line - 1][place.column - 1 :]
    if len(meant) != 1 or not isinstance(held, dict) or not written.startswith(key):
        return ()
    (name,) = meant
    return () if name in held else (found.file.replace(place.line, place.column, key, name),)


def _keys(module: ModuleView) -> Iterator[frozenset[str]]:
    """Every key that the module's objects use."""
    paths = (path for found in module.objects for path, _ in found.scalars)
    yield frozenset(key for path in paths for key in path if isinstance(key, str) and "\t" not in key)


@rule(
    "VAL-DUPKEY",
    Severity.MEDIA,
    over=yaml_files,
    title="Chave repetida no mesmo mapa",
    explanation="O leitor guarda só a última: o que a primeira dizia some sem aviso, ou o arquivo é recusado.",
    remedy="Deixe uma só das chaves, com o valor que se quer.",
    sources=("SCH",),
    bad="a: 1\nb: 2\na: 3\n",
    good="a: 1\nb: 2\n",
)
def duplicate_key(file: FileView) -> Iterator[Breach]:
    """The same key twice in one mapping."""
    found = [problem for problem in file.yaml.problems if problem.code == "duplicate-key"]
    if not found and not file.yaml.parsed:
        raise CouldNotJudge(f"`{file.path}` não pôde ser lido por inteiro: ver VAL-YAML")
    for problem in found:
        yield file.breach(problem.message, line=problem.line, column=problem.column, key=str(problem.path))


@selects("objetos inteiros do Kubernetes")
def _whole_objects(module: ModuleView) -> Iterator[ObjectView]:
    """Objects of the Kubernetes API, given whole: no patches, no excerpts, no Backstage entities."""
    for found in module.objects:
        if not found.group.endswith(_NOT_KUBERNETES) and not found.partial:
            yield found


@rule(
    "VAL-SCHEMA",
    Severity.ALTA,
    over=_whole_objects,
    title="Objeto que foge do esquema do seu tipo",
    explanation="O servidor recusa o objeto, ou descarta em silêncio o campo que não conhece.",
    remedy="Corrija o campo pelo esquema da versão em uso.",
    sources=("SCH",),
    bad="""
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {ports: [{port: 80}], porta: 80}
""",
    good="""
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {ports: [{port: 80}]}
""",
)
def against_schema(found: ObjectView) -> Iterator[Breach]:
    """A field is unknown, missing or of the wrong type."""
    version = found.module.policy.kubernetes_version or None
    result = validate_object(found.value, kubernetes_version=version)
    if not result.known and not result.violations:
        raise CouldNotJudge(f"esquema desconhecido para {found.kind} ({found.api_version})")
    for violation in result.violations:
        yield found.breach(violation.message, *violation.path, key=violation.message)

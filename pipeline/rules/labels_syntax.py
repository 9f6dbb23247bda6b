"""LBL-SYNTAX: labels and annotations that the API server would refuse."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import yaml

from pipeline.audit.rule import rule
from pipeline.audit.selecting import selects
from pipeline.audit.texts import unread_lines
from pipeline.audit.views import FileView
from pipeline.domain.finding import FixMode, Operation, Severity
from pipeline.rules.labels_shared import HOLE, LABEL_VALUE, meant_key, valid_key
from pipeline.rules.shapes import mapping
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView
    from pipeline.domain.finding import Change, PathKey

__all__ = ["label_syntax"]

_TAB_KEY = re.compile(r"\s*([\w./-]+\t[\w./-]*)\s*:(?:\s|$)")
_SHOWN = 80
_TYPES: dict[type, str] = {bool: "booleano", int: "número", float: "número", dict: "mapa", list: "lista"}


@lru_cache(maxsize=2048)
def _valid_value(value: str) -> bool:
    return bool(LABEL_VALUE.fullmatch(value))


@selects("todo objeto")
def _subjects(module: ModuleView) -> Iterator[ObjectView | FileView]:
    """Every object; and the YAML files of which some part does not parse."""
    yield from module.objects
    yield from (file for file in module.files if file.is_yaml and not file.yaml.parsed)


@rule(
    "LBL-SYNTAX",
    Severity.ALTA,
    over=_subjects,
    fix=FixMode.AUTO,
    title="Label ou anotação que o Kubernetes recusa",
    explanation="O API server recusa o objeto inteiro quando uma chave ou um valor de label sai da gramática, ou "
    "quando o valor não é texto: `no`, `0o17` e `1e3` sem aspas viram booleano ou número.",
    remedy="Ponha o valor entre aspas e acerte a chave: prefixo DNS, `/`, e até 63 letras, dígitos, `-`, `_` ou `.`.",
    sources=("SCH",),
    reading="Valores como `<workspace_id>` são furos de modelo: são apontados como furo, em MEDIA, e não como erro.",
    bad="""
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  labels:
    appgear.io/enabled: no
""",
    good="""
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  labels:
    appgear.io/enabled: "no"
""",
)
def label_syntax(found: ObjectView | FileView) -> Iterator[Breach]:
    """Keys and types of labels and annotations, and values of labels, on the object and on its pod template."""
    if isinstance(found, FileView):
        yield from _tabs(found)
        return
    bases: list[tuple[str, ...]] = [()]
    if found.pod is not None and found.pod.path:
        bases.append(found.pod.path)
    for base in bases:
        for field in ("labels", "annotations"):
            held = found.get(*base, "metadata", field)
            if held is not None and not isinstance(held, dict):
                yield found.breach(f"`{field}` não é um mapa de textos", *base, "metadata", field, key=field)
            for key, value in mapping(held).items():
                if not (isinstance(value, str) and valid_key(key) and (field != "labels" or _valid_value(value))):
                    yield from _faults(found, (*base, "metadata", field, key), value)


def _faults(found: ObjectView, path: tuple[str, ...], value: object) -> Iterator[Breach]:
    key, field = path[-1], path[-2]
    if not valid_key(key):
        yield from _bad_key(found, path, key, value)
    if not isinstance(value, str):
        yield from _bad_type(found, path, value)
    elif field == "labels" and not _valid_value(value):
        yield _bad_value(found, path, value)


def _bad_key(found: ObjectView, path: tuple[PathKey, ...], key: str, value: object) -> Iterator[Breach]:
    suggestion = meant_key(key)
    changes: tuple[Change, ...] = ()
    hint = ""
    if suggestion and suggestion not in mapping(found.get(*path[:-1])):
        hint = f"; parece ser `{suggestion}`"
        changes = (
            found.patch(
                Operation(op="add", path=json_pointer((*path[:-1], suggestion)), value=value),
                Operation(op="remove", path=json_pointer(path)),
            ),
        )
    shown = key.replace("\t", "<TAB>")[:_SHOWN]
    if HOLE.search(key):
        yield found.breach(f"a chave `{shown}` é um furo de modelo", *path, key="hole", severity=Severity.MEDIA)
    else:
        yield found.breach(
            f"a chave `{shown}` não segue a gramática de labels{hint}", *path, key="key", changes=changes
        )


def _bad_type(found: ObjectView, path: tuple[PathKey, ...], value: object) -> Iterator[Breach]:
    """A value that is no text. Null reads as an empty text; a map or list has no text to put between quotes."""
    if value is None:
        return
    node = found.document.find((*found.base, *path))[1]
    written = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    is_label = path[-2] == "labels"
    usable = bool(written) and not isinstance(value, dict | list) and (not is_label or _valid_value(written))
    what = {bool: "booleano", int: "número", float: "número", dict: "mapa", list: "lista"}.get(
        type(value), "outro tipo"
    )
    shown = f"`{written[:_SHOWN]}` sem aspas é {what}" if written else f"o valor é {what}"
    changes = (found.set(*path, to=written),) if usable else ()
    yield found.breach(f"`{path[-1]}`: {shown}, e o Kubernetes só aceita texto", *path, key="type", changes=changes)


def _bad_value(found: ObjectView, path: tuple[PathKey, ...], value: str) -> Breach:
    if HOLE.search(value):
        detail = f"`{path[-1]}: {value[:_SHOWN]}` é um furo de modelo, a preencher antes de aplicar"
        return found.breach(detail, *path, key="hole", severity=Severity.MEDIA)
    stripped = value.strip()
    changes = (found.set(*path, to=stripped),) if stripped != value and _valid_value(stripped) else ()
    why = "passa de 63 caracteres" if len(value) > 63 else "tem caracteres que labels não aceitam"
    return found.breach(f"o valor de `{path[-1]}` {why}: `{value[:_SHOWN]}`", *path, key="value", changes=changes)


def _tabs(file: FileView) -> Iterator[Breach]:
    """A TAB in a key, where the parser stopped before it could be judged."""
    for number, line in unread_lines(file):
        found = _TAB_KEY.match(line)
        if found is None:
            continue
        written = found[1].rstrip()
        suggestion = meant_key(written)
        if suggestion:
            change = file.replace(number, found.start(1) + 1, written, suggestion)
            shown = written.replace("\t", "<TAB>")
            detail = f"a chave `{shown}` tem um TAB; parece ser `{suggestion}`"
            yield file.breach(detail, line=number, column=found.start(1) + 1, key="key", changes=(change,))

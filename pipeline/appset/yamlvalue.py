"""YAML text inside an ApplicationSet (elementsYaml, fromYaml, templatePatch), decoded as Argo CD decodes it."""

from __future__ import annotations

import math
from typing import Any

import yaml

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.govalue import to_float64
from pipeline.yamldoc import Limits, YamlDocument, load_yaml, resolve_plain

__all__ = ["as_interface", "check_keys", "read_yaml_value"]

_LIMITS = Limits(depth=50, nodes=200_000)


def read_yaml_value(text: str) -> Any:
    """The one document of ``text`` as sigs.k8s.io/yaml gives it to an interface: every number a float64.

    Raises Refused where the text is no YAML, Inexact where it has several documents or repeated keys.
    """
    file = load_yaml(text, limits=_LIMITS)
    for problem in file.problems:
        message = f"linha {problem.line} do YAML: {problem.message}"
        raise Refused(message) if problem.code == "syntax" else Inexact(message)
    if len(file.documents) > 1:
        raise Inexact("YAML com vários documentos")
    if not file.documents:
        return None
    check_keys(file.documents[0])
    return as_interface(file.documents[0].value)


def check_keys(document: YamlDocument) -> None:
    """Inexact for a bare key that Go types before it is text again: ``y`` turns into ``true``, ``010`` into ``8``."""
    pending, seen = [document.node], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        for item in node.value:
            if not isinstance(item, tuple):
                pending.append(item)
                continue
            pending.append(item[1])
            if isinstance(item[0], yaml.ScalarNode) and not item[0].style and _retyped(item[0].value):
                raise Inexact(f"chave {item[0].value!r} sem aspas, que o YAML não lê como texto")


def _retyped(key: str) -> bool:
    value = resolve_plain(key)
    return not isinstance(value, str) and (isinstance(value, bool) or str(value) != key)


def as_interface(value: Any) -> Any:
    """A value read from YAML as ``encoding/json`` decodes it into an interface."""
    if isinstance(value, dict):
        return {key: as_interface(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_interface(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return to_float64(value)
    if isinstance(value, float) and (not math.isfinite(value)):
        raise Refused("NaN e infinito não existem em JSON")
    return value

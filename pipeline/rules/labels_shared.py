"""What the label rules share: which objects they cover, and the value that a missing label should get."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.audit.selecting import selects
from pipeline.domain.finding import Operation, Param, PatchChange
from pipeline.rules.shapes import items, mapping
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import ModuleView, ObjectView

__all__ = ["HOLE", "LABEL_VALUE", "covered", "is_excerpt", "meant_key", "set_label", "valid_key", "wanted_value"]

HOLE = re.compile(r"<[^<>]*>|\{\{|\$\{|\$\(|\[\[")
LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_KEY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_KEY_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_PREFIX_LIMIT = 253
_COPIED = ("appgear.io/tier", "appgear.io/suite", "appgear.io/topology")
_NAME = "app.kubernetes.io/name"
_INSTANCE = "app.kubernetes.io/instance"
_QUESTIONS = {
    "appgear.io/tenant-id": "Qual `tenant-id` é dono destes objetos (`global` para os serviços core)?",
    "appgear.io/workspace-id": "Qual `workspace-id` é dono destes objetos (`global` para os serviços core)?",
}


@selects("objetos dos tipos de `label_kinds`")
def covered(module: ModuleView) -> Iterator[ObjectView]:
    """Whole objects of the kinds that REG covers."""
    for kind in module.policy.label_kinds:
        yield from (found for found in module.by_kind.get(kind, ()) if not is_excerpt(found))


def is_excerpt(found: ObjectView) -> bool:
    """A patch, or a workload shown without its containers: not judged as a whole object."""
    if found.partial:
        return True
    if found.pod is None:
        return found.kind in {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"}
    return not any("image" in mapping(each) for each in items(found.pod.spec.get("containers")))


@lru_cache(maxsize=2048)
def valid_key(key: str) -> bool:
    """Whether the API server takes the key of a label or an annotation."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _PREFIX_LIMIT or not _KEY_PREFIX.fullmatch(prefix)):
        return False
    return bool(_KEY_NAME.fullmatch(name))


def meant_key(key: str) -> str:
    """The key that was meant, where white space at its ends or in place of the ``/`` is what is wrong; or nothing."""
    meant = "/".join(part.strip() for part in key.split("/"))
    parts = meant.split()
    if "/" not in meant and len(parts) == 2 and "." in parts[0]:  # a prefix and a name
        meant = "/".join(parts)
    return meant if meant != key and valid_key(meant) else ""


def _agreed(module: ModuleView) -> Iterator[dict[str, str]]:
    """The tier, suite and topology on which all objects of the module that state them agree.

    A key that LBL-SYNTAX mends counts as mended: both corrections are made in one pass.
    """
    stated: dict[str, set[str]] = {key: set() for key in _COPIED}
    for found in module.objects:
        for written, value in found.own_labels.items():
            key = written if valid_key(written) else meant_key(written)
            if key in stated and isinstance(value, str) and value and not HOLE.search(value):
                stated[key].add(value)
    yield {key: next(iter(found)) for key, found in stated.items() if len(found) == 1}


def wanted_value(found: ObjectView, key: str) -> str | Param:
    """The value that a missing label should get, a Param where only the platform knows it."""
    policy = found.module.policy
    if key in {"app.kubernetes.io/part-of", "appgear.io/part-of"}:
        return policy.part_of
    if key == "app.kubernetes.io/managed-by":
        return policy.managed_by
    if key in {_NAME, _INSTANCE}:
        other = found.labels.get(_NAME if key == _INSTANCE else _INSTANCE)
        for value in (other, found.name):
            if isinstance(value, str) and value and LABEL_VALUE.fullmatch(value):
                return value
    agreed: dict[str, str] = found.module.select(_agreed)[0]
    if key in agreed:
        return agreed[key]
    return Param(name=f"labels.{key}", question=_QUESTIONS.get(key, f"Qual o valor da label `{key}` destes objetos?"))


def set_label(found: ObjectView, base: tuple[str, ...], key: str, value: str | Param) -> PatchChange:
    """A change that adds one label to the ``metadata`` at ``base``, whatever stands there now."""
    metadata: Any = found.get(*base, "metadata")
    if not isinstance(metadata, dict):
        return found.set(*base, "metadata", to={"labels": {key: value}})
    if not isinstance(metadata.get("labels"), dict):
        return found.set(*base, "metadata", "labels", to={key: value})
    pointer = json_pointer((*found.base, *base, "metadata", "labels", key))
    operation = Operation(op="replace" if key in metadata["labels"] else "add", path=pointer, value=value)
    return PatchChange(path=found.file.path, document=found.document.index, operations=(operation,))

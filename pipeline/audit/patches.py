"""What one kustomization does to one object: its patches, images and replicas, and its transformers."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.audit.overlay import Locate, Origin, Overlay, Refused
from pipeline.yamldoc import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

__all__ = [
    "TEMPLATES",
    "Patch",
    "Transformer",
    "apply_patches",
    "apply_settings",
    "read_patches",
    "read_transformer",
    "selects",
]

TEMPLATES: dict[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"), ("spec", "template")
    ),
}
"""Where kustomize finds the pod template of a kind."""
_UNNAMED = frozenset(("APIService", "CustomResourceDefinition", "Namespace"))
_SCALED = frozenset(("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"))
# Regular expressions of a target come from whoever wrote the kustomization: only those that cannot run away.
_PATTERN = re.compile(r"(?:[\w/-]|\\\.|\.[*+]?|\||\^|\$){0,200}")
_SELECTOR = re.compile(r"\s*(!?)([\w./-]+)\s*(?:(==?|!=)\s*([\w.-]*)\s*)?")
_BUILT_IN = frozenset(("", "apps", "autoscaling", "batch", "policy"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformer:
    """What one kustomization adds to every object; ``labels`` come with whether pod templates get them too."""

    namespace: str
    prefix: str
    suffix: str
    labels: tuple[tuple[dict[str, Any], bool], ...]
    annotations: dict[str, Any]

    def apply(self, cluster: dict[str, Any], kind: str, *, scoped: bool) -> None:
        """Namespace, name, labels and annotations, in place."""
        metadata = cluster.get("metadata")
        if not isinstance(metadata, dict):
            return
        if self.namespace and (scoped or kind == "Namespace"):
            metadata["namespace" if scoped else "name"] = self.namespace
        name = metadata.get("name")
        if isinstance(name, str) and kind not in _UNNAMED:
            metadata["name"] = f"{self.prefix}{name}{self.suffix}"
        template = _template(cluster, kind) if kind in TEMPLATES else {}
        for pairs, inside in self.labels:
            _add(metadata, "labels", pairs)
            if inside:
                _add(template, "labels", pairs)
        for holder in (metadata, template):
            _add(holder, "annotations", self.annotations)


def read_transformer(layer: ObjectView) -> Transformer:
    """The transformer of a kustomization; ``commonLabels`` come last and reach the pods."""
    labels = [
        (_map(entry.get("pairs")), bool(entry.get("includeTemplates") or entry.get("includeSelectors")))
        for _, entry in _maps(layer.get("labels"))
    ]
    return Transformer(
        namespace=_text(layer.get("namespace")),
        prefix=_text(layer.get("namePrefix")),
        suffix=_text(layer.get("nameSuffix")),
        labels=(*labels, (_map(layer.get("commonLabels")), True)),
        annotations=_map(layer.get("commonAnnotations")),
    )


def _add(holder: dict[str, Any], field: str, pairs: dict[str, Any]) -> None:
    if pairs:
        holder[field] = _map(holder.get(field)) | pairs


def _template(cluster: dict[str, Any], kind: str) -> dict[str, Any]:
    """Metadata of the pod template, made where it is missing; one apart where the object has no such shape."""
    held: Any = cluster
    for part in (*TEMPLATES[kind], "metadata"):
        held = held.setdefault(part, {})
        if not isinstance(held, dict):
            return {}
    return _map(held)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """One patch: a map to merge or a list of operations, and where its parts are written."""

    target: Any
    content: Any
    locate: Locate


def read_patches(layer: ObjectView, module: ModuleView, *fields: str) -> tuple[Patch, ...]:
    """Patches that a kustomization names in these fields; one for each document of a text."""
    return tuple(each for field in fields for each in _patches(layer, module, field))


def apply_patches(patches: tuple[Patch, ...], found: ObjectView, overlays: tuple[Overlay, Overlay]) -> None:
    """Patches of which the object is a target. Refused where one cannot be applied.

    The second overlay is the object as it stands on the way, by which targets are chosen.
    """
    for patch in patches:
        if not _is_target(patch, found, overlays[1].value):
            continue
        for overlay in overlays:
            if isinstance(patch.content, list):
                overlay.operate(patch.content, patch.locate)
            else:
                overlay.merge(patch.content, patch.locate, core=found.group in _BUILT_IN)


def apply_settings(layer: ObjectView, found: ObjectView, overlays: tuple[Overlay, Overlay]) -> None:
    """``replicas`` and ``images``."""
    for index, entry in _maps(layer.get("replicas")):
        if found.kind in _SCALED and entry.get("name") in _names(found, overlays[1].value):
            for overlay in overlays:
                overlay.scale(entry.get("count"), _at(layer, ("replicas", index, "count")))
    if found.kind != "CustomResourceDefinition":
        for index, entry in _maps(layer.get("images")):
            for overlay in overlays:
                overlay.pin(entry, partial(_below, layer, ("images", index)))


def _at(layer: ObjectView, path: tuple[PathKey, ...]) -> Origin:
    return Origin(file=layer.file, document=layer.document, path=(*layer.base, *path))


def _below(layer: ObjectView, base: tuple[PathKey, ...], path: tuple[PathKey, ...]) -> Origin:
    return _at(layer, (*base, *path))


def _patches(layer: ObjectView, module: ModuleView, field: str) -> Iterator[Patch]:
    for index, entry in enumerate(_list(layer.get(field))):
        here: tuple[PathKey, ...] = (field, index)
        if isinstance(entry, str):
            inline = "\n" in entry or ": " in entry
            yield from _inline(layer, here, entry, None) if inline else _in_file(layer, module, entry, None)
        elif isinstance(entry, dict):
            target = entry.get("target")
            if isinstance(entry.get("patch"), str):
                yield from _inline(layer, (*here, "patch"), entry["patch"], target)
            elif isinstance(entry.get("path"), str):
                yield from _in_file(layer, module, entry["path"], target)


def _in_file(layer: ObjectView, module: ModuleView, name: str, target: Any) -> Iterator[Patch]:
    path = posixpath.normpath(posixpath.join(layer.file.folder, name))
    file = module.by_path.get(path)
    if file is None:
        return  # GIT-DANGLING tells
    for document in file.yaml.documents:
        if isinstance(document.value, dict | list):

            def locate(path: tuple[PathKey, ...], document: Any = document) -> Origin:
                return Origin(file=file, document=document, path=path)

            yield Patch(target=target, content=document.value, locate=locate)


def _inline(layer: ObjectView, place: tuple[PathKey, ...], text: str, target: Any) -> Iterator[Patch]:
    for document in load_yaml(text).documents:
        if isinstance(document.value, dict | list):

            def locate(path: tuple[PathKey, ...], document: Any = document) -> Origin:
                at = document.position(path)
                inside = (at.line - 1, at.column - 1)
                return Origin(file=layer.file, document=layer.document, path=(*layer.base, *place), inside=inside)

            yield Patch(target=target, content=document.value, locate=locate)


def _is_target(patch: Patch, found: ObjectView, now: dict[str, Any]) -> bool:
    """Whether a patch is for the object: by its target, or by its own kind and name where it has none."""
    target, content = patch.target, patch.content
    if not isinstance(target, dict):
        if not isinstance(content, dict):
            return False
        metadata = _map(content.get("metadata"))
        group = str(content.get("apiVersion", "")).rpartition("/")[0]
        same = content.get("kind") == found.kind and group == found.group
        return same and metadata.get("name") in _names(found, now) and _is_in(metadata.get("namespace"), found, now)
    metadata = _map(now.get("metadata"))
    version = found.api_version.rpartition("/")[2]
    chosen = (
        ("kind", (found.kind,)),
        ("group", (found.group,)),
        ("version", (version,)),
        ("name", _names(found, now)),
        ("namespace", (_text(found.get_source("metadata", "namespace")), _text(metadata.get("namespace")))),
    )
    return all(_matches(target.get(field), values) for field, values in chosen) and all(
        selects(target.get(f"{field[:-1]}Selector"), _map(metadata.get(field))) for field in ("labels", "annotations")
    )


def _names(found: ObjectView, now: dict[str, Any]) -> tuple[str, ...]:
    return found.name, _text(_map(now.get("metadata")).get("name"))


def _is_in(namespace: Any, found: ObjectView, now: dict[str, Any]) -> bool:
    known = (found.get_source("metadata", "namespace"), _map(now.get("metadata")).get("namespace"))
    return namespace is None or namespace in known


def _matches(pattern: Any, values: tuple[str, ...]) -> bool:
    if pattern is None or pattern == "":
        return True
    if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern) or len(re.findall(r"\.[*+]", pattern)) > 3:
        raise Refused(f"o alvo `{str(pattern)[:60]}` de um patch não é interpretado")
    return any(re.fullmatch(f"(?:{pattern})", value) for value in values)


def selects(selector: Any, held: dict[str, Any]) -> bool:
    """Whether an equality-based selector takes an object with these labels or annotations. Refused for another form."""
    if selector is None or selector == "":
        return True
    for part in str(selector).split(","):
        found = _SELECTOR.fullmatch(part)
        if found is None:
            raise Refused(f"o seletor `{str(selector)[:60]}` de um patch não é interpretado")
        denied, key, operator, value = found.groups()
        equal = key in held if operator is None else str(held.get(key)) == value and key in held
        if equal is (bool(denied) or operator == "!="):
            return False
    return True


def _maps(value: Any) -> list[tuple[int, dict[str, Any]]]:
    return [(index, each) for index, each in enumerate(_list(value)) if isinstance(each, dict)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""What the kustomizations above an object make of it on render: names, namespace, labels, annotations, patched values.

Rendered are namespace, namePrefix, nameSuffix, labels, commonLabels, commonAnnotations, components, patches of every
form, images, replicas and replacements. What is not rendered (remote bases, plugins, charts, values that generators
make, refused patches) is in ``unrendered``.
"""

from __future__ import annotations

import copy
import posixpath
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipeline.audit.overlay import Origin, Overlay, Refused
from pipeline.audit.patches import TEMPLATES, apply_patches, apply_settings, read_patches, read_transformer
from pipeline.audit.replacements import apply_replacement, copy_value, is_chosen, read_replacements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.patches import Patch, Transformer
    from pipeline.audit.replacements import Copied, Replacement
    from pipeline.audit.views import ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

_Overlays = tuple[Overlay, Overlay]

__all__ = ["CLUSTER_SCOPED", "KUSTOMIZATION_NAMES", "KustomizeGraph", "Render", "resolve_resource"]

_CHANGING = ("images", "patches", "patchesJson6902", "patchesStrategicMerge", "replacements", "replicas")
_FOREIGN = ("generators", "helmChartInflationGenerator", "helmCharts", "transformers", "vars")
_MAX_CHAINS = 16

KUSTOMIZATION_NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterExternalSecret",
        "ClusterIssuer",
        "ClusterPolicy",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterSecretStore",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "KongClusterPlugin",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeSnapshotClass",
    }
)


def resolve_resource(folder: str, entry: str) -> str | None:
    """Path of a kustomization entry from the module's root; None for a remote one or one that leaves the root."""
    if "://" in entry or entry.startswith(("git@", "/", "github.com/")) or "?ref=" in entry:
        return None
    path = posixpath.normpath(posixpath.join(folder, entry))
    return None if path.startswith("..") else path


@dataclass(frozen=True, kw_only=True)
class Render:
    """One object as the cluster would see it.

    ``value`` is the source with patches, images and replicas, and nothing else, so that its paths are the source's but
    below ``shifted``; the very source where there are none. ``cluster`` has the transformers too: metadata and, of the
    pod template, labels and annotations. ``origins`` says where what a patch set is written.
    """

    value: dict[str, Any]
    cluster: dict[str, Any]
    origins: dict[tuple[PathKey, ...], Origin]
    shifted: set[tuple[PathKey, ...]]
    deleted: bool
    layers: tuple[ObjectView, ...]

    def metadata(self, field: str) -> dict[str, Any]:
        held = _map(self.cluster.get("metadata")).get(field)
        return held if isinstance(held, dict) else {}

    def template(self, kind: str, field: str) -> dict[str, Any]:
        """Labels or annotations of the pod template."""
        value: Any = self.cluster
        for part in (*TEMPLATES.get(kind, ("spec", "template")), "metadata", field):
            value = _map(value).get(part)
        return _map(value)

    def origin(self, path: tuple[PathKey, ...]) -> Origin | None:
        """Where the value at ``path`` is written, if not in the object."""
        for length in range(len(path), 0, -1) if self.origins else ():
            found = self.origins.get(path[:length])
            if found is not None:
                return found.below(path[length:])
        return None


class KustomizeGraph:
    """Kustomizations of a module by folder, and who lists whom."""

    def __init__(self, module: ModuleView) -> None:
        self._module = module
        self._chains: dict[tuple[str, ...], list[tuple[ObjectView, ...]]] = {}
        self._refused: dict[tuple[str, str], ObjectView] = {}
        self._patches_read: dict[tuple[str, ...], tuple[Patch, ...]] = {}
        self._transformers: dict[str, Transformer] = {}
        self._changing: dict[str, bool] = {}
        self._replacements_read: dict[str, tuple[Replacement, ...]] = {}
        self._sources: dict[tuple[str, int], Copied | str] = {}

    @cached_property
    def kustomizations(self) -> dict[str, ObjectView]:
        """The Kustomization (or Component) of each folder that has one."""
        return {file.folder: file.kustomization for file in self._module.files if file.kustomization is not None}

    @cached_property
    def _parents(self) -> dict[str, list[str]]:
        """From a file or folder to the folders whose kustomization lists it."""
        parents: dict[str, list[str]] = {}
        for folder, each in self.kustomizations.items():
            for field in ("resources", "bases", "components"):
                for entry in _texts(each.get(field)):
                    target = resolve_resource(folder, entry)
                    if target is not None:
                        parents.setdefault(target, []).append(folder)
        return parents

    @cached_property
    def _patches(self) -> frozenset[str]:
        found: set[str] = set()
        for folder, each in self.kustomizations.items():
            listed = [entry.get("path") for field in ("patches", "patchesJson6902") for entry in _maps(each.get(field))]
            for entry in [*listed, *_texts(each.get("patchesStrategicMerge"))]:
                target = resolve_resource(folder, entry) if isinstance(entry, str) else None
                if target is not None:
                    found.add(target)
        return frozenset(found)

    def is_patch(self, path: str) -> bool:
        """Whether a kustomization uses the file as a patch."""
        return path in self._patches

    def is_listed(self, path: str) -> bool:
        """Whether a kustomization lists the file or folder."""
        return path in self._parents

    @cached_property
    def unrendered(self) -> list[tuple[ObjectView, str]]:
        """Kustomizations with something that this renderer does not carry out, and what (pt-BR)."""
        for each in self._module.objects:
            _ = each.render
        found = [
            (each, f"`{field}` não é executado na auditoria")
            for each in self.kustomizations.values()
            for field in _FOREIGN
            if each.get(field)
        ]
        return found + [(each, reason) for (_, reason), each in self._refused.items()]

    def render(self, found: ObjectView) -> Render | None:
        """The object as the kustomizations above it render it; None where none does.

        Where several roots render it, the one that adds least: what it lacks, some cluster lacks.
        """
        if self._is_apart(found):
            return None
        chains = self._chains_of(found.file.path)
        if not chains:
            return None
        renders = [self._render(found, layers) for layers in chains]
        return renders[0] if len(renders) == 1 else min(renders, key=_added)

    def _render(self, found: ObjectView, layers: tuple[ObjectView, ...]) -> Render:
        if not any(self._changes(each) for each in layers):
            outline, scoped = _outline(found), found.kind not in CLUSTER_SCOPED
            for layer in layers:
                self._transformer(layer).apply(outline, found.kind, scoped=scoped)
            return Render(value=found.source, cluster=outline, origins={}, shifted=set(), deleted=False, layers=layers)
        judged, cluster = self._overlays(found, layers, until=None)
        return Render(
            value=judged.value if judged.value != found.source else found.source,
            cluster=cluster.value,
            origins=judged.origins,
            shifted=judged.shifted,
            deleted=judged.deleted,
            layers=layers,
        )

    def _overlays(self, found: ObjectView, layers: tuple[ObjectView, ...], *, until: int | None) -> _Overlays:
        """The object after all layers; of the last one, without the replacements from the ``until``-th on."""
        both = judged, cluster = Overlay(value=copy.deepcopy(found.source)), Overlay(value=copy.deepcopy(found.source))
        scoped = found.kind not in CLUSTER_SCOPED
        for layer in layers:
            try:
                apply_patches(self._read(layer, "patchesStrategicMerge", "patches"), found, both)
                self._transformer(layer).apply(cluster.value, found.kind, scoped=scoped)
                apply_patches(self._read(layer, "patchesJson6902"), found, both)
                apply_settings(layer, found, both)
                replacements = self._replacements(layer)
                for number, each in enumerate(replacements[: until if layer is layers[-1] else None]):
                    apply_replacement(each, found, both, partial(self._copied, layer, number))
            except Refused as reason:
                self._refused[layer.file.path, str(reason)] = layer
        return judged, cluster

    def _replacements(self, layer: ObjectView) -> tuple[Replacement, ...]:
        if layer.file.path not in self._replacements_read:
            self._replacements_read[layer.file.path] = read_replacements(layer, self._module)
        return self._replacements_read[layer.file.path]

    def _copied(self, layer: ObjectView, number: int) -> Copied:
        """What the source of a replacement gives: one object of the layer, as it stands before the replacement."""
        key = (layer.file.path, number)
        if key not in self._sources:
            self._sources[key] = "a origem de um `replacements` depende dele mesmo: o valor não é seguido"
            self._sources[key] = self._copy(layer, number)
        copied = self._sources[key]
        if isinstance(copied, str):
            raise Refused(copied)
        return copied

    def _copy(self, layer: ObjectView, number: int) -> Copied | str:
        """As ``_copied``; or why there is nothing to copy."""
        replacement = self._replacements(layer)[number]
        source, chosen = replacement.source, []
        for each, layers in self._rendered_by.get(layer.file.path, ()):
            named = each.kind == "Namespace" or each.name in str(
                source.get("name") or each.name
            )  # or in front, or behind
            if each.kind == (source.get("kind") or each.kind) and named:
                overlays = self._overlays(each, layers, until=number)
                if is_chosen(source, each, overlays[1].value):
                    chosen.append((each, overlays))
        if len(chosen) != 1:
            several = "mais de um objeto" if chosen else "nenhum objeto do módulo"
            return f"a origem de um `replacements` é {several}: o valor não é seguido"
        found, (judged, cluster) = chosen[0]
        try:
            return copy_value(replacement, cluster.value, partial(_written, found, judged))
        except Refused as reason:
            return str(reason)

    @cached_property
    def _rendered_by(self) -> dict[str, list[tuple[ObjectView, tuple[ObjectView, ...]]]]:
        """The objects that each kustomization renders, with the layers up to it."""
        found: dict[str, list[tuple[ObjectView, tuple[ObjectView, ...]]]] = {}
        for each in self._module.objects:
            if self._is_apart(each):
                continue
            ways = {
                layer.file.path: chain[: at + 1]
                for chain in self._chains_of(each.file.path)
                for at, layer in enumerate(chain)
            }
            for path, layers in ways.items():
                found.setdefault(path, []).append((each, layers))
        return found

    def _is_apart(self, found: ObjectView) -> bool:
        """Kustomizations and patches, which are rendered into others and are no objects of the cluster."""
        if found.group == "kustomize.config.k8s.io" or found is found.file.kustomization:
            return True  # known by its file's name, whatever version it claims: reading it must not ask for its render
        return self.is_patch(found.file.path)

    def _changes(self, layer: ObjectView) -> bool:
        """Whether a kustomization changes more of an object than its metadata."""
        if layer.file.path not in self._changing:
            self._changing[layer.file.path] = any(layer.get(field) for field in _CHANGING)
        return self._changing[layer.file.path]

    def _transformer(self, layer: ObjectView) -> Transformer:
        if layer.file.path not in self._transformers:
            self._transformers[layer.file.path] = read_transformer(layer)
        return self._transformers[layer.file.path]

    def _read(self, layer: ObjectView, *fields: str) -> tuple[Patch, ...]:
        key = (layer.file.path, *fields)
        if key not in self._patches_read:
            self._patches_read[key] = read_patches(layer, self._module, *fields)
        return self._patches_read[key]

    def _chains_of(self, path: str) -> list[tuple[ObjectView, ...]]:
        """For every root, the kustomizations that render a file, nearest first, components before who lists them."""
        listing = tuple(self._parents.get(path, ()))  # the same for all that a kustomization lists
        if listing not in self._chains:
            ways = islice(self._ways(path, ()), _MAX_CHAINS)
            self._chains[listing] = [tuple(self._with_components(folders)) for folders in ways]
        return self._chains[listing]

    def _ways(self, path: str, below: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Ways from a file or folder up to the roots, folders that were on the way left out."""
        parents = [each for each in dict.fromkeys(self._parents.get(path, ())) if each not in below]
        if not parents and below:
            yield below
        for folder in sorted(parents)[:_MAX_CHAINS]:
            yield from self._ways(folder, (*below, folder))

    def _with_components(self, folders: tuple[str, ...]) -> Iterator[ObjectView]:
        seen = set(folders)
        for folder in folders:
            yield from self._components(folder, seen)
            yield self.kustomizations[folder]

    def _components(self, folder: str, seen: set[str]) -> Iterator[ObjectView]:
        for entry in _texts(self.kustomizations[folder].get("components")):
            target = resolve_resource(folder, entry)
            if target is not None and target not in seen and target in self.kustomizations:
                seen.add(target)
                yield from self._components(target, seen)
                yield self.kustomizations[target]


def _written(found: ObjectView, judged: Overlay, path: tuple[PathKey, ...]) -> Origin:
    """Where a value of an object is written: in the object, or in what patched it."""
    for length in range(len(path), 0, -1):
        origin = judged.origins.get(path[:length])
        if origin is not None:
            return origin.below(path[length:])
    return Origin(file=found.file, document=found.document, path=(*found.base, *path))


def _outline(found: ObjectView) -> dict[str, Any]:
    """Metadata of the object and of its pod template: all that transformers change, without copying the rest."""
    metadata = _map(found.source.get("metadata"))
    outline: dict[str, Any] = {"metadata": metadata | _copies(metadata)}
    path = TEMPLATES.get(found.kind)
    if path is not None:
        template = _map(found.get_source(*path, "metadata"))
        inner: dict[str, Any] = {"metadata": template | _copies(template)}
        for part in reversed(path):
            inner = {part: inner}
        outline |= inner
    return outline


def _copies(metadata: dict[str, Any]) -> dict[str, Any]:
    return {field: dict(_map(metadata.get(field))) for field in ("labels", "annotations")}


def _added(render: Render) -> int:
    metadata = _map(render.cluster.get("metadata"))
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    return len(render.origins) + len(_map(labels)) + len(_map(annotations)) + bool(metadata.get("namespace"))


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _maps(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

"""What kustomizations add on render: namespaces and labels that an object inherits from the folders above it."""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import ModuleView, ObjectView

__all__ = ["CLUSTER_SCOPED", "KustomizeGraph", "resolve_resource"]

_NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
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


class KustomizeGraph:
    """Kustomizations of a module by folder, and who lists whom."""

    def __init__(self, module: ModuleView) -> None:
        self._module = module

    @cached_property
    def kustomizations(self) -> dict[str, ObjectView]:
        """The Kustomization (or Component) of each folder that has one."""
        return {
            each.file.folder: each
            for each in self._module.objects
            if each.group == "kustomize.config.k8s.io" and each.file.name in _NAMES
        }

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

    def namespace(self, found: ObjectView) -> str | None:
        """The namespace that the outermost kustomization sets, since its transformer runs last."""
        if found.kind in CLUSTER_SCOPED:
            return None
        namespaces = [each.get("namespace") for each in self._above(found)]
        return next((name for name in reversed(namespaces) if isinstance(name, str) and name), None)

    def labels(self, found: ObjectView) -> dict[str, Any]:
        """Labels that the kustomizations above add to ``metadata.labels``."""
        labels: dict[str, Any] = {}
        for each in self._above(found):
            for pairs in [each.get("commonLabels"), *(entry.get("pairs") for entry in _maps(each.get("labels")))]:
                labels |= pairs if isinstance(pairs, dict) else {}
        return labels

    def template_labels(self, found: ObjectView) -> dict[str, Any]:
        """Labels that the kustomizations above add to pod templates."""
        labels: dict[str, Any] = {}
        for each in self._above(found):
            entries = [e for e in _maps(each.get("labels")) if e.get("includeTemplates") or e.get("includeSelectors")]
            for pairs in [each.get("commonLabels"), *(entry.get("pairs") for entry in entries)]:
                labels |= pairs if isinstance(pairs, dict) else {}
        return labels

    def _above(self, found: ObjectView) -> Iterator[ObjectView]:
        """Kustomizations that render the object, nearest first."""
        seen: set[str] = set()
        waiting = list(self._parents.get(found.file.path, ()))
        while waiting:
            folder = waiting.pop(0)
            if folder not in seen:
                seen.add(folder)
                yield self.kustomizations[folder]
                waiting.extend(self._parents.get(folder, ()))


def _texts(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _maps(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

"""The objects that the values stand for, as plain data: what a rendered file has to say when it is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.appset.model import Cluster, CoreValues

__all__ = ["CONTRACT_VERSION", "FEATURES", "WAVE_LABEL", "build_project", "build_set", "project_path", "set_path"]

CONTRACT_VERSION = "v0"
WAVE_LABEL = "appgear.io/rollout-wave"
_API = "argoproj.io/v1alpha1"
_RETRY: dict[str, Any] = {"limit": 5, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "3m"}}
FEATURES: dict[str, Any] = {"goTemplate": True, "goTemplateOptions": ["missingkey=error"]}


def set_path(cluster: Cluster) -> str:
    return f"applicationsets/clusters/{cluster.name}/apps-core.yaml"


def project_path(values: CoreValues) -> str:
    return f"applicationsets/projects/{values.project.name}.yaml"


def build_project(values: CoreValues) -> dict[str, Any]:
    """The AppProject: this repository, these namespaces of these clusters, these kinds, and no wildcard anywhere."""
    servers = dict.fromkeys(cluster.server for cluster in values.clusters)
    namespaces = dict.fromkeys(app.namespace for app in values.apps)
    return {
        "apiVersion": _API,
        "kind": "AppProject",
        "metadata": {
            "name": values.project.name,
            "namespace": values.project.namespace,
            "labels": dict(values.labels),
            "annotations": {"appgear.io/contract-version": CONTRACT_VERSION},
        },
        "spec": {
            "description": values.project.description,
            "sourceRepos": [values.repository],
            "destinations": [{"server": server, "namespace": name} for server in servers for name in namespaces],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            "namespaceResourceWhitelist": [
                {"group": item.group, "kind": item.kind} for item in values.project.resources
            ],
            "orphanedResources": {"warn": True},
        },
    }


def build_set(values: CoreValues, cluster: Cluster) -> dict[str, Any]:
    """The ApplicationSet of one cluster."""
    labels = {**dict(values.labels), "appgear.io/env": cluster.env}
    annotations = {"appgear.io/contract-version": CONTRACT_VERSION}
    return {
        "apiVersion": _API,
        "kind": "ApplicationSet",
        "metadata": {
            "name": f"{cluster.name}-apps-core",
            "namespace": values.project.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            **FEATURES,
            "syncPolicy": {"preserveResourcesOnDeletion": values.sync.preserve_on_deletion},
            "strategy": {"type": "RollingSync", "rollingSync": {"steps": [_step(wave) for wave in values.waves]}},
            "generators": [{"list": {"elements": [_element(values, index) for index in range(len(values.apps))]}}],
            "template": _template(values, cluster, labels, annotations),
        },
    }


def _step(wave: int) -> dict[str, Any]:
    return {"matchExpressions": [{"key": WAVE_LABEL, "operator": "In", "values": [str(wave)]}]}


def _element(values: CoreValues, index: int) -> dict[str, str]:
    app = values.apps[index]
    return {
        "name": app.name,
        "path": app.path,
        "namespace": app.namespace,
        "wave": str(app.wave),
        "module": app.module,
    }


def _template(
    values: CoreValues, cluster: Cluster, labels: dict[str, str], annotations: dict[str, str]
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "{{ .name }}",
            "labels": {
                **labels,
                "app.kubernetes.io/name": "{{ .name }}",
                WAVE_LABEL: "{{ .wave }}",
            },
            "annotations": {
                **annotations,
                "appgear.io/module": "{{ .module }}",
                "argocd.argoproj.io/sync-wave": "{{ .wave }}",
            },
        },
        "spec": {
            "project": values.project.name,
            "source": {
                "repoURL": values.repository,
                "targetRevision": cluster.revision,
                "path": "{{ .path }}",
            },
            "destination": {"server": cluster.server, "namespace": "{{ .namespace }}"},
            "syncPolicy": {
                "automated": {"prune": values.sync.prune, "selfHeal": values.sync.self_heal},
                "syncOptions": list(values.sync.options),
                "retry": _RETRY,
            },
        },
    }

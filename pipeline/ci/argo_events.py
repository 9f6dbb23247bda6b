"""Argo Events: a push to the default branch starts the trail; and what its pods may do in the cluster."""

from __future__ import annotations

from typing import Any

from pipeline.ci.kubernetes import EXECUTOR, LABELS, NAMESPACE, TRAIL_TEMPLATE, metadata
from pipeline.ci.yamltext import render_yaml

__all__ = ["render_events"]

_SOURCE = "appgear-git"
_SENSOR = f"{EXECUTOR}-sensor"
_PORT = 12000
_SECRET = f"{EXECUTOR}-webhook"
_BRANCH = "main"
# Where a push says what was pushed, by the system that tells it. A deleted branch has no commit, or one of zeros.
_PUSHES = {
    "github": {"revision": "body.after", "repository": "body.repository.clone_url"},
    "gitlab": {"revision": "body.checkout_sha", "repository": "body.project.git_http_url"},
}
_COMMIT = "^[0-9a-f]*[1-9a-f][0-9a-f]*$"
_VERSION = "argoproj.io/v1alpha1"


def render_events() -> dict[str, bytes]:
    """Path → bytes."""
    files = {
        "acesso.yaml": _access(),
        "eventsource.yaml": [_event_source()],
        "sensor.yaml": [_sensor()],
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(["clusterworkflowtemplate.yaml", "workflowtemplate.yaml", *files]),
    }
    return {
        f"ci/argo/{name}": render_yaml(each) for name, each in (*files.items(), ("kustomization.yaml", [kustomization]))
    }


def _object(kind: str, name: str, version: str = _VERSION, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"namespace": NAMESPACE, **metadata(name)}, **rest}


def _event_source() -> dict[str, Any]:
    """One port behind a ClusterIP: who reaches it from outside comes through the platform's edge."""
    return _object(
        "EventSource",
        _SOURCE,
        spec={
            "service": {"ports": [{"name": "http", "port": _PORT, "targetPort": _PORT}]},
            "template": _pod(),
            "github": {
                "github": {
                    "repositories": [{"owner": "appgear", "names": ["appgear-gitops-core"]}],
                    "webhook": _endpoint("github"),
                    "webhookSecret": _key("github"),
                    "events": ["push"],
                    "contentType": "json",
                    "insecure": False,
                    "active": True,
                }
            },
            "webhook": {"gitlab": _endpoint("gitlab") | {"authSecret": _key("gitlab")}},
        },
    )


def _endpoint(name: str) -> dict[str, Any]:
    return {"endpoint": f"/{name}", "port": str(_PORT), "method": "POST"}


def _key(key: str) -> dict[str, str]:
    return {"name": _SECRET, "key": key}


def _pod() -> dict[str, Any]:
    return {
        "metadata": {"labels": dict(LABELS)},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "container": {
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "resources": {
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"cpu": "250m", "memory": "256Mi"},
            },
        },
    }


def _sensor() -> dict[str, Any]:
    return _object(
        "Sensor",
        _SENSOR,
        spec={
            "template": {**_pod(), "serviceAccountName": _SENSOR},
            "dependencies": [_dependency(system, where["revision"]) for system, where in _PUSHES.items()],
            "triggers": [_trigger(system, where) for system, where in _PUSHES.items()],
        },
    )


def _dependency(system: str, revision: str) -> dict[str, Any]:
    data = [("body.ref", f"^refs/heads/{_BRANCH}$"), (revision, _COMMIT)]
    filters = [{"path": path, "type": "string", "value": [value]} for path, value in data]
    return {"name": system, "eventSourceName": _SOURCE, "eventName": system, "filters": {"data": filters}}


def _trigger(system: str, where: dict[str, str]) -> dict[str, Any]:
    """The event gives values of parameters alone: what is run is the template's."""
    workflow = {
        "apiVersion": _VERSION,
        "kind": "Workflow",
        "metadata": {"generateName": f"{TRAIL_TEMPLATE}-", "namespace": NAMESPACE, "labels": dict(LABELS)},
        "spec": {
            "workflowTemplateRef": {"name": TRAIL_TEMPLATE},
            "arguments": {
                "parameters": [*({"name": name, "value": ""} for name in where), {"name": "branch", "value": _BRANCH}]
            },
        },
    }
    return {
        "template": {
            "name": system,
            "conditions": system,
            "k8s": {
                "operation": "create",
                "source": {"resource": workflow},
                "parameters": [
                    {
                        "src": {"dependencyName": system, "dataKey": path},
                        "dest": f"spec.arguments.parameters.{number}.value",
                    }
                    for number, path in enumerate(where.values())
                ],
            },
        },
        "retryStrategy": {"steps": 3},
    }


def _access() -> list[dict[str, Any]]:
    """Two accounts: the pods report what they did, the sensor starts workflows. Neither reads a secret."""
    reports = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    starts = {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create"]}
    return [*_account(EXECUTOR, [reports]), *_account(_SENSOR, [starts])]


def _account(name: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    return [
        _object("ServiceAccount", name, "v1"),
        _object("Role", name, f"{group}/v1", rules=rules),
        _object(
            "RoleBinding",
            name,
            f"{group}/v1",
            roleRef={"apiGroup": group, "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        ),
    ]

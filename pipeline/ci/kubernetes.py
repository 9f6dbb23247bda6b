"""What every Kubernetes object of ours says of itself: the platform's labels (COO §6) and its contract line."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["EXECUTOR", "LABELS", "NAMESPACE", "STAGES_TEMPLATE", "TRAIL_TEMPLATE", "argo_name", "metadata"]

NAMESPACE = "appgear-core"
"""Where the platform's shared services run."""

EXECUTOR = "appgear-ci"
"""The service account of the pods, and the name of the whole."""

STAGES_TEMPLATE = "appgear-etapas"
TRAIL_TEMPLATE = "appgear-trilha"

LABELS = {
    "app.kubernetes.io/name": EXECUTOR,
    "app.kubernetes.io/instance": EXECUTOR,
    "app.kubernetes.io/part-of": "appgear",
    "app.kubernetes.io/managed-by": "argocd",
    "appgear.io/part-of": "appgear",
    "appgear.io/tier": "core",
    "appgear.io/suite": "core",
    "appgear.io/topology": "B",
    "appgear.io/tenant-id": "global",
    "appgear.io/workspace-id": "global",
}
_ANNOTATIONS = {"appgear.io/contract-version": "v0"}


class Metadata(TypedDict):
    """``metadata`` of an object; ``namespace`` is left out where it has none."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]


def metadata(name: str) -> Metadata:
    """Name, labels and annotations."""
    return {"name": name, "labels": dict(LABELS), "annotations": dict(_ANNOTATIONS)}


def argo_name(session: str) -> str:
    """A session's name as Argo takes one: no underscore."""
    return session.replace("_", "-")

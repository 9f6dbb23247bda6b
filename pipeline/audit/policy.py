"""What the platform decides and rules obey: values of the configuration, never of the audited tree."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACCEPTED_NAMESPACES", "Policy"]

ACCEPTED_NAMESPACES = ("appgear-core", "backstage", "security", "velero")
"""Used by the norms though the unified stack does not list them (rules.md §2, contradiction 8)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The ``[policy]`` table of the configuration; the defaults are the platform's norms as rules.md gives them.

    ``required_labels`` and ``label_kinds`` are a reading of REG, which the platform replaces by its own (ADR 0005).
    ``namespaces`` are those a module may declare (``*`` stands for any text): those of ``[references] stack`` come on
    top, and without either no namespace is judged. ``kubernetes_version`` is whose schemas judge core kinds, the
    newest known where it is empty.
    """

    contract_version: str = "v0"
    kubernetes_version: str = ""
    module_version: str = "v0.3"
    central_env: str = "/opt/appgear/.env"
    appgear_root: str = "/opt/appgear"
    part_of: str = "appgear"
    managed_by: str = "argocd"
    required_labels: tuple[str, ...] = (
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/part-of",
        "app.kubernetes.io/managed-by",
        "appgear.io/tier",
        "appgear.io/suite",
        "appgear.io/topology",
        "appgear.io/tenant-id",
        "appgear.io/workspace-id",
    )
    label_kinds: tuple[str, ...] = (
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "Secret",
        "Service",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "CronJob",
        "Pod",
        "Ingress",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    )
    application_labels: tuple[str, ...] = (
        "appgear.io/tenant",
        "appgear.io/workspace",
        "appgear.io/vcluster",
        "appgear.io/env",
    )
    edge_services: tuple[str, ...] = ("traefik", "coraza", "kong", "istio-ingressgateway", "istio-ingress")
    llm_gateways: tuple[str, ...] = ("litellm",)
    bootstrap_prefixes: tuple[str, ...] = ("root-",)
    namespaces: tuple[str, ...] = ()

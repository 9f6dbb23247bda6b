"""MESH: the Vault agent's init container reaches Vault although the sidecar takes the pod's traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.lookup import find
from pipeline.rules.shapes import put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, PodView

__all__ = ["blocked_init"]

_VAULT = "vault.hashicorp.com/"
_INJECT = "sidecar.istio.io/inject"
_SIDECAR_UID = "1337"


@selects("pods com Vault Agent")
def _vault_pods(module: ModuleView) -> Iterator[PodView]:
    for found in module.objects:
        if found.pod is not None and _says(found.pod, f"{_VAULT}agent-inject", "true"):
            yield found.pod


def _says(pod: PodView, key: str, value: str) -> bool:
    return str(pod.annotations.get(key, "")).lower() == value


@rule(
    "MESH-INIT",
    Severity.ALTA,
    over=_vault_pods,
    fix=FixMode.AUTO,
    title="Init do Vault sem rede no pod da malha",
    explanation=(
        "O istio-init desvia o tráfego antes de o sidecar existir: o init container do Vault Agent não alcança o Vault "
        "e o pod não sai de Init."
    ),
    remedy='Anote `vault.hashicorp.com/agent-init-first: "true"`, ou exclua a porta do Vault do sidecar.',
    sources=("SCH",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: {vault.hashicorp.com/agent-inject: "true"}}
spec: {containers: [{name: a, image: 'a:1'}]}
""",
    good="""
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations: {vault.hashicorp.com/agent-inject: "true", vault.hashicorp.com/agent-init-first: "true"}
spec: {containers: [{name: a, image: 'a:1'}]}
""",
)
def blocked_init(pod: PodView) -> Iterator[Breach]:
    """The injector's init container starts after istio-init, on a port and as a user that the sidecar takes."""
    if _is_outside(pod) or _reaches_vault(pod):
        return
    key = f"{_VAULT}agent-init-first"
    yield pod.object.breach(
        "o init container do Vault Agent roda depois do istio-init e fica sem rede",
        *(*pod.path, "metadata", "annotations", f"{_VAULT}agent-inject"),
        changes=(put(pod.object, *pod.path, "metadata", "annotations", key, to="true"),),
    )


def _is_outside(pod: PodView) -> bool:
    """Pods without a sidecar: opted out, ambient, on the host's network; and native sidecars, which start first."""
    if str(pod.labels.get(_INJECT, pod.annotations.get(_INJECT, ""))).lower() == "false":
        return True
    module = pod.object.module
    ambient = [pod.labels, *(each.labels for each in find(module, "Namespace", pod.object.namespace or ""))]
    return (
        pod.spec.get("hostNetwork") is True
        or any(labels.get("istio.io/dataplane-mode") == "ambient" for labels in ambient)
        or _says(pod, "sidecar.istio.io/nativeSidecar", "true")
        or module.select(_native_sidecars)[0]
    )


def _native_sidecars(module: ModuleView) -> Iterator[bool]:
    yield any("ENABLE_NATIVE_SIDECARS" in file.text for file in module.files if file.is_yaml)


def _reaches_vault(pod: PodView) -> bool:
    annotations = pod.annotations
    excluded = ("traffic.sidecar.istio.io/excludeOutboundPorts", "traffic.sidecar.istio.io/excludeOutboundIPRanges")
    return (
        _says(pod, f"{_VAULT}agent-init-first", "true")
        or _says(pod, f"{_VAULT}agent-pre-populate", "false")
        or str(annotations.get(f"{_VAULT}agent-run-as-user", "")) == _SIDECAR_UID
        or any(annotations.get(key) for key in excluded)
    )

"""MESH: every workload is in the service mesh, and the mesh takes nothing but mTLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.shapes import mapping, put, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView, PodView

__all__ = ["left_out_of_mesh", "not_strict"]

_INJECT = "sidecar.istio.io/inject"
_NAMESPACE_LABEL = "istio-injection"
_LONG_RUNNING = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Pod"))
_OPEN_MODES = frozenset(("PERMISSIVE", "DISABLE"))


@selects("PeerAuthentications")
def _peer_authentications(module: ModuleView) -> Iterator[ObjectView]:
    found = module.by_kind.get("PeerAuthentication", ())
    yield from (each for each in found if each.group == "security.istio.io")
    if not any(_is_mesh_wide(each) for each in found):
        yield from (each for each in module.by_kind.get("IstioOperator", ()))
        yield from (each for each in module.by_kind.get("Istio", ()) if each.group == "sailoperator.io")


def _is_mesh_wide(found: ObjectView) -> bool:
    return found.namespace == "istio-system" and not found.get("spec", "selector")


@rule(
    "MESH-STRICT",
    Severity.CRITICA,
    over=_peer_authentications,
    fix=FixMode.AUTO,
    title="mTLS que não é STRICT",
    explanation="Fora do modo STRICT a malha aceita tráfego em texto claro, de quem quer que alcance o pod.",
    remedy="Declare `spec.mtls.mode: STRICT`; a PeerAuthentication do namespace raiz vale para toda a malha.",
    sources=("CON §5.1", "AUD §4.2", "COO §3.2"),
    bad="""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: PERMISSIVE}}
""",
    good="""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
""",
)
def not_strict(found: ObjectView) -> Iterator[Breach]:
    """The mode is PERMISSIVE or DISABLE, for the object or a port; or the mode is left to what is above it."""
    if found.kind != "PeerAuthentication":
        yield found.breach(
            "o módulo instala o Istio e não traz uma PeerAuthentication STRICT no namespace raiz",
            severity=Severity.MEDIA,
        )
        return
    mode = found.get("spec", "mtls", "mode")
    if mode in _OPEN_MODES:
        change = put(found, "spec", "mtls", "mode", to="STRICT")
        yield found.breach(f"`{found.name}` usa mTLS `{mode}`", "spec", "mtls", "mode", changes=(change,))
    elif mode != "STRICT":
        said = "não declara o modo de mTLS" if mode in (None, "UNSET") else f"usa um modo que não existe: `{mode}`"
        yield found.breach(
            f"`{found.name}` {said}",
            *("spec", "mtls", "mode"),
            changes=(put(found, "spec", "mtls", "mode", to="STRICT"),),
            severity=Severity.MEDIA,
        )
    for port, held in mapping(found.get("spec", "portLevelMtls")).items():
        path = ("spec", "portLevelMtls", port, "mode")
        if mapping(held).get("mode") in _OPEN_MODES:
            detail = f"`{found.name}` usa mTLS `{held['mode']}` na porta {port}"
            yield found.breach(detail, *path, changes=(found.set(*path, to="STRICT"),))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Member:
    """A namespace or a workload that belongs in the mesh; ``by_default`` when the mesh takes all namespaces."""

    object: ObjectView
    namespace: ObjectView | None
    by_default: bool


@selects("namespaces e pods da malha")
def _members(module: ModuleView) -> Iterator[_Member]:
    declared = [each for each in module.by_kind.get("Namespace", ()) if not each.group]
    namespaces = {each.name: each for each in declared}
    by_default = _injects_by_default(module)
    agents_only: dict[str | None, bool] = {}
    for found in module.objects:
        if found.pod is not None:
            agents_only[found.namespace] = agents_only.get(found.namespace, True) and _is_node_agent(found, found.pod)
    for each in declared:
        if not _is_system(each.name) and not agents_only.get(each.name, False):
            yield _Member(object=each, namespace=each, by_default=by_default)
    for found in module.objects:
        pod = found.pod
        if pod is None or _is_system(found.namespace or "") or _is_node_agent(found, pod):
            continue
        if found.kind in _LONG_RUNNING or _opts_out(pod):
            yield _Member(object=found, namespace=namespaces.get(found.namespace or ""), by_default=by_default)


def _is_system(namespace: str) -> bool:
    """Namespaces of the cluster and of the mesh itself, which injection never reaches."""
    return namespace == "istio-system" or namespace.startswith(("kube-", "istio-"))


def _is_node_agent(found: ObjectView, pod: PodView) -> bool:
    """Pods on the host's network are never injected; a DaemonSet that opts out watches the node, not the mesh."""
    return pod.spec.get("hostNetwork") is True or (found.kind == "DaemonSet" and _opts_out(pod))


def _injects_by_default(module: ModuleView) -> bool:
    """Whether the module sets ``enableNamespacesByDefault``, as an object or as Helm values."""
    for file in module.files:
        if "enableNamespacesByDefault" in file.text:
            for document in file.yaml.documents:
                stack = [document.value]
                while stack:
                    value = stack.pop()
                    if isinstance(value, dict):
                        if value.get("enableNamespacesByDefault") is True:
                            return True
                        stack.extend(value.values())
                    elif isinstance(value, list):
                        stack.extend(value)
    return False


def _says(value: object, word: str) -> bool:
    """Whether a label or annotation, quoted or not, says ``true`` or ``false``."""
    return str(value).lower() == word


def _opts_out(pod: PodView) -> bool:
    return _says(pod.labels.get(_INJECT), "false") or (
        _INJECT not in pod.labels and _says(pod.annotations.get(_INJECT), "false")
    )


def _injects(namespace: ObjectView) -> bool:
    labels = namespace.labels
    if _NAMESPACE_LABEL in labels:
        return bool(labels[_NAMESPACE_LABEL] == "enabled")
    return bool(labels.get("istio.io/rev")) or labels.get("istio.io/dataplane-mode") == "ambient"


@rule(
    "MESH-INJECT",
    Severity.CRITICA,
    over=_members,
    fix=FixMode.AUTO,
    title="Namespace ou workload fora da malha",
    explanation=(
        "Sem o sidecar não há mTLS. O Istio injeta pelo label do namespace (`istio-injection: enabled` ou "
        "`istio.io/rev`) ou pelo label `sidecar.istio.io/inject` do pod; a anotação do mesmo nome só serve para sair."
    ),
    remedy=(
        'Ponha `istio-injection: enabled` no Namespace, ou o label `sidecar.istio.io/inject: "true"` no template do '
        "pod. Uma saída proposital pede exceção registrada."
    ),
    sources=("CON §5.1", "AUD §4.2", "AUD §5.3", "SCH"),
    bad="""
apiVersion: v1
kind: Namespace
metadata: {name: portal}
""",
    good="""
apiVersion: v1
kind: Namespace
metadata:
  name: portal
  labels: {istio-injection: enabled}
""",
)
def left_out_of_mesh(member: _Member) -> Iterator[Breach]:
    """No label that injects; the annotation alone does nothing."""
    found = member.object
    if found is member.namespace:
        yield from _namespace_left_out(member)
        return
    pod = found.pod
    if pod is None or (_says(pod.labels.get(_INJECT), "true") and not _is_disabled(member.namespace)):
        return
    if _opts_out(pod):
        yield _workload(found, pod, 'sai da malha de propósito (`sidecar.istio.io/inject: "false"`)')
        return
    if member.by_default or _is_ambient(pod) or (member.namespace is not None and _injects(member.namespace)):
        return
    annotated = _INJECT in pod.annotations or _INJECT in found.annotations or _INJECT in found.own_labels
    if member.namespace is not None:
        if annotated:
            yield _workload(
                found, pod, "só tem a anotação de injeção, que nada faz: o Namespace não tem o label de injeção"
            )
        return
    what = "só tem a anotação de injeção, que sozinha nada faz," if annotated else "não tem o label de injeção"
    yield _workload(
        found,
        pod,
        f"{what} e o Namespace `{found.namespace or 'sem nome'}` não está no módulo "
        "(outro módulo pode tê-lo rotulado: confira ou rotule o pod)",
    )


def _is_disabled(namespace: ObjectView | None) -> bool:
    return namespace is not None and _says(namespace.labels.get(_NAMESPACE_LABEL), "disabled")


def _is_ambient(pod: PodView) -> bool:
    return pod.labels.get("istio.io/dataplane-mode") == "ambient" or bool(pod.labels.get("istio.io/rev"))


def _namespace_left_out(member: _Member) -> Iterator[Breach]:
    found = member.object
    if _injects(found) or (member.by_default and not _is_disabled(found)):
        return
    label = found.labels.get(_NAMESPACE_LABEL)
    said = f"traz `istio-injection: {text(label) or label}`" if label is not None else "não tem o label de injeção"
    change = put(found, "metadata", "labels", _NAMESPACE_LABEL, to="enabled")
    yield found.breach(
        f"o Namespace `{found.name}` {said}: os pods dele ficam fora da malha",
        *("metadata", "labels", _NAMESPACE_LABEL),
        changes=(change,),
    )


def _workload(found: ObjectView, pod: PodView, said: str) -> Breach:
    where = next(
        (
            (*pod.path, "metadata", field, _INJECT)
            for field in ("labels", "annotations")
            if _INJECT in mapping(found.get(*pod.path, "metadata", field))
        ),
        (*pod.path, "metadata", "labels"),
    )
    changes = [put(found, *pod.path, "metadata", "labels", _INJECT, to="true")]
    if _says(pod.annotations.get(_INJECT), "false"):
        changes.append(found.drop(*pod.path, "metadata", "annotations", _INJECT))
    return found.breach(f"o {found.kind} `{found.name}` {said}", *where, changes=tuple(changes))

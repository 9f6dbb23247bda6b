"""VAL: names that nothing provides, and API versions and fields that are going or gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.kustomize import CLUSTER_SCOPED
from pipeline.audit.rule import Example, rule
from pipeline.audit.select import every_object
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Operation, Param, Severity
from pipeline.rules.shapes import mapping, maps, put, text
from pipeline.rules.workload_care import whole_pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView, PodView
    from pipeline.domain.finding import Change, PathKey

__all__ = ["deprecated_form", "no_namespace", "unprovided_name"]

# From a version that is deprecated or gone to the one with the same shape ("" where the shape differs).
_VERSIONS: dict[tuple[str, str], str] = {
    ("admissionregistration.k8s.io/v1beta1", "*"): "",
    ("apiextensions.k8s.io/v1beta1", "*"): "",
    ("apps/v1beta1", "*"): "",
    ("apps/v1beta2", "*"): "apps/v1",
    ("autoscaling/v2beta1", "*"): "",
    ("autoscaling/v2beta2", "*"): "autoscaling/v2",
    ("batch/v1beta1", "CronJob"): "batch/v1",
    ("cert-manager.io/v1alpha2", "*"): "",
    ("configuration.konghq.com/v1", "KongIngress"): "",
    ("discovery.k8s.io/v1beta1", "*"): "",
    ("extensions/v1beta1", "*"): "",
    ("external-secrets.io/v1alpha1", "*"): "",
    ("external-secrets.io/v1beta1", "ClusterSecretStore"): "external-secrets.io/v1",
    ("external-secrets.io/v1beta1", "ExternalSecret"): "external-secrets.io/v1",
    ("external-secrets.io/v1beta1", "SecretStore"): "external-secrets.io/v1",
    ("keda.k8s.io/v1alpha1", "*"): "",
    ("networking.k8s.io/v1beta1", "*"): "",
    ("policy/v1beta1", "PodDisruptionBudget"): "policy/v1",
    ("policy/v1beta1", "PodSecurityPolicy"): "",
    ("rbac.authorization.k8s.io/v1beta1", "*"): "rbac.authorization.k8s.io/v1",
    ("scheduling.k8s.io/v1beta1", "*"): "scheduling.k8s.io/v1",
    ("storage.k8s.io/v1beta1", "*"): "storage.k8s.io/v1",
    ("traefik.containo.us/v1alpha1", "*"): "traefik.io/v1alpha1",
}
_KUSTOMIZE_FIELDS = {
    "bases": "use `resources`",
    "commonLabels": "use `labels`, que não altera seletores",
    "imageTags": "use `images`",
    "patchesJson6902": "use `patches`",
    "patchesStrategicMerge": "use `patches`",
    "vars": "use `replacements`",
}
_NAMESPACED_GROUPS = frozenset(("", "apps", "batch", "autoscaling", "policy", "networking.k8s.io"))
_NAMESPACED = frozenset(
    (
        "AuthorizationPolicy",
        "Certificate",
        "DestinationRule",
        "ExternalSecret",
        "HTTPRoute",
        "IngressRoute",
        "KongConsumer",
        "KongIngress",
        "KongPlugin",
        "PeerAuthentication",
        "Role",
        "RoleBinding",
        "ScaledObject",
        "SecretStore",
        "ServiceMonitor",
        "VirtualService",
    )
)
_GIVEN_BY_CLUSTER = frozenset(("default", "kube-root-ca.crt", "istio-ca-root-cert"))


@rule(
    "VAL-DEPRECATED",
    Severity.MEDIA,
    over=every_object,
    fix=FixMode.AUTO,
    title="Tipo, versão ou campo obsoleto",
    explanation="O que está obsoleto para de funcionar numa atualização do cluster, sem nenhuma mudança no módulo.",
    remedy="Migre para a forma atual.",
    sources=("SCH",),
    bad="apiVersion: traefik.containo.us/v1alpha1\nkind: Middleware\nmetadata: {name: a}\n",
    good="apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: a}\n",
)
def deprecated_form(found: ObjectView) -> Iterator[Breach]:
    """A version or kind on its way out, or a kustomization field that has a successor."""
    version = found.api_version
    for key in ((version, found.kind), (version, "*")):
        if key in _VERSIONS:
            new = _VERSIONS[key]
            changes = (found.set("apiVersion", to=new),) if new else ()
            said = f"use `{new}`" if new else "não há conversão direta"
            yield found.breach(f"{found.kind} em `{version}` está obsoleto: {said}", "apiVersion", changes=changes)
            break
    if found.group == "kustomize.config.k8s.io":
        for field, said in _KUSTOMIZE_FIELDS.items():
            if field in found.value:
                yield found.breach(f"o campo `{field}` está obsoleto: {said}", field, changes=_modern(found, field))
    elif found.kind == "Ingress" and "kubernetes.io/ingress.class" in found.annotations:
        path: tuple[PathKey, ...] = ("metadata", "annotations", "kubernetes.io/ingress.class")
        yield found.breach("a anotação de classe está obsoleta: use `spec.ingressClassName`", *path)


def _modern(found: ObjectView, field: str) -> tuple[Change, ...]:
    """``bases`` joined to ``resources``, where both are plain lists."""
    held, resources = found.get(field), found.get("resources")
    if field != "bases" or not isinstance(held, list) or not (resources is None or isinstance(resources, list)):
        return ()
    op: Any = "add" if resources is None else "replace"
    joined = Operation(op=op, path="/resources", value=[*(resources or []), *held])
    return (found.patch(joined, Operation(op="remove", path="/bases")),)


@selects("objetos com namespace que kustomizations listam")
def _rendered(module: ModuleView) -> Iterator[ObjectView]:
    """Namespaced objects that a kustomization of the module lists: what else renders them may name the namespace."""
    applied = _applied_folders(module)
    for found in module.objects:
        namespaced = found.kind in _NAMESPACED or (
            found.group in _NAMESPACED_GROUPS and found.kind not in CLUSTER_SCOPED and not found.kind.endswith("List")
        )
        path = found.file.path
        if namespaced and not found.partial and module.kustomize.is_listed(path) and not path.startswith(applied):
            yield found


def _applied_folders(module: ModuleView) -> tuple[str, ...]:
    """Folders that an Application of the module sends to a namespace."""
    folders: list[str] = []
    for kind, base in (("Application", ("spec",)), ("ApplicationSet", ("spec", "template", "spec"))):
        for each in module.by_kind.get(kind, ()):
            path = text(each.get(*base, "source", "path"))
            if path and each.get(*base, "destination", "namespace"):
                folders.append(path.partition("{{")[0].strip("/") + ("" if "{{" in path else "/"))
    return tuple(folders)


@rule(
    "VAL-NSLESS",
    Severity.MEDIA,
    over=_rendered,
    fix=FixMode.PARAM,
    title="Objeto sem namespace",
    explanation="Sem namespace no objeto nem na kustomization, o destino depende de quem aplica.",
    remedy="Declare `namespace` na kustomization da pasta ou no objeto.",
    sources=("SCH",),
    bad=Example(
        files={
            "a/kustomization.yaml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [b.yaml]\n"
            ),
            "a/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        }
    ),
    good=Example(
        files={
            "a/kustomization.yaml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: a\nresources: [b.yaml]\n"
            ),
            "a/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        }
    ),
)
def no_namespace(found: ObjectView) -> Iterator[Breach]:
    """Neither the object nor any kustomization above it names one."""
    if found.namespace:
        return
    question = f"Em que namespace fica {found.kind} `{found.name}`?"
    param = Param(name=f"namespaces.{found.kind}.{found.name}", question=question)
    yield found.breach(
        f"{found.kind} `{found.name}` não tem namespace",
        "metadata",
        changes=(put(found, "metadata", "namespace", to=param),),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Names:
    """What the module provides, by kind and namespace."""

    held: frozenset[tuple[str, str, str]]
    kinds: frozenset[tuple[str, str]]


def _provided(module: ModuleView) -> Iterator[_Names]:
    held = {
        (found.kind, found.namespace or "", found.name)
        for kind in ("ConfigMap", "ServiceAccount")
        for found in module.by_kind.get(kind, ())
    }
    for each in module.kustomize.kustomizations.values():
        for _, entry in maps(each.get("configMapGenerator")):
            space = text(entry.get("namespace")) or text(each.get("namespace"))
            held.add(("ConfigMap", space, text(entry.get("name"))))
    yield _Names(held=frozenset(held), kinds=frozenset((kind, space) for kind, space, _ in held))


@rule(
    "VAL-REF",
    Severity.MEDIA,
    over=whole_pods,
    title="Referência a um nome que nada fornece",
    explanation="Sem o objeto citado o pod não sobe, ou o Service não acha a porta.",
    remedy="Entregue o objeto no módulo, ou corrija o nome.",
    sources=("SCH",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {serviceAccountName: b, containers: [{name: a, image: 'a:1'}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: a}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {serviceAccountName: a, containers: [{name: a, image: 'a:1'}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: a}
""",
)
def unprovided_name(pod: PodView) -> Iterator[Breach]:
    """A ServiceAccount or ConfigMap of a kind that the module provides in this namespace, under no such name."""
    found = pod.object
    (names,) = found.module.select(_provided)
    space = found.namespace or ""
    for kind, name, path in _references(pod):
        if (kind, space) in names.kinds and (kind, space, name) not in names.held and name not in _GIVEN_BY_CLUSTER:
            detail = f"`{found.name}` usa {kind} `{name}`, que o módulo não fornece no namespace"
            yield found.breach(detail, *path, key=f"{kind}/{name}")


def _references(pod: PodView) -> Iterator[tuple[str, str, tuple[PathKey, ...]]]:
    spec = (*pod.path, "spec")
    account = text(pod.spec.get("serviceAccountName"))
    if account:
        yield "ServiceAccount", account, (*spec, "serviceAccountName")
    for index, volume in maps(pod.spec.get("volumes")):
        held = mapping(volume.get("configMap"))
        if text(held.get("name")) and held.get("optional") is not True:
            yield "ConfigMap", text(held.get("name")), (*spec, "volumes", index)
    for container in pod.containers:
        for index, entry in maps(container.value.get("envFrom")):
            held = mapping(entry.get("configMapRef"))
            if text(held.get("name")) and held.get("optional") is not True:
                yield "ConfigMap", text(held.get("name")), (*container.path, "envFrom", index)
        for index, entry in maps(container.value.get("env")):
            held = mapping(mapping(entry.get("valueFrom")).get("configMapKeyRef"))
            if text(held.get("name")) and held.get("optional") is not True:
                yield "ConfigMap", text(held.get("name")), (*container.path, "env", index)

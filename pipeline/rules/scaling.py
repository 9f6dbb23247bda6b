"""KEDA: what is not needed round the clock scales to zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.audit.images import parse_reference
from pipeline.audit.rule import rule
from pipeline.audit.select import objects
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.shapes import mapping, text, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView

__all__ = ["always_on", "never_zero"]

_SCALERS = ("ScaledObject", "HTTPScaledObject", "HorizontalPodAutoscaler")
# Identity, data stores and portals: whether they may sleep is a judgement, not a check.
_JUDGED = frozenset(
    (
        "backstage",
        "keycloak",
        "midpoint",
        "postgres",
        "postgresql",
        "postgis",
        "mysql",
        "mariadb",
        "redis",
        "qdrant",
        "mongodb",
        "kafka",
        "redpanda",
        "rabbitmq",
        "meilisearch",
        "elasticsearch",
        "opensearch",
        "minio",
        "ceph",
        "vault",
        "etcd",
        "operator",
        "controller",
    )
)


@rule(
    "KEDA-ZERO",
    Severity.MEDIA,
    over=objects("ScaledObject"),
    fix=FixMode.AUTO,
    title="ScaledObject que não chega a zero",
    explanation="Com réplica mínima acima de zero o workload ocioso custa o tempo todo.",
    remedy="Use `minReplicaCount: 0`; se o serviço não pode dormir, registre a exceção.",
    sources=("CON §12", "KED"),
    bad="""
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: a}
spec: {scaleTargetRef: {name: a}, minReplicaCount: 1, triggers: []}
""",
    good="""
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: a}
spec: {scaleTargetRef: {name: a}, triggers: []}
""",
)
def never_zero(found: ObjectView) -> Iterator[Breach]:
    """``minReplicaCount`` is above zero; absent means zero, and ``idleReplicaCount: 0`` goes to zero when idle."""
    least = found.get("spec", "minReplicaCount")
    if least in (None, 0) or found.get("spec", "idleReplicaCount") == 0:
        return
    path = ("spec", "minReplicaCount")
    yield found.breach(f"`{found.name}` mantém sempre {least} réplica(s)", *path, changes=(found.set(*path, to=0),))


@selects("Deployments de suítes e add-ons")
def _addons(module: ModuleView) -> Iterator[ObjectView]:
    """Deployments of suites and add-ons; the core, data stores, identity and portals are left to a person."""
    for found in module.by_kind.get("Deployment", ()):
        tier = text(found.labels.get("appgear.io/tier"))
        suite = text(found.labels.get("appgear.io/suite"))
        is_addon = tier in ("addon", "suite") or (tier != "core" and suite not in ("", "core"))
        if is_addon and not found.partial and found.pod is not None and not _JUDGED & _named(found):
            yield found


def _targets(module: ModuleView) -> Iterator[frozenset[str]]:
    """Names that a scaler of the module scales."""
    scalers = [each for kind in _SCALERS for each in module.by_kind.get(kind, ())]
    references = [mapping(each.get("spec", "scaleTargetRef")) for each in scalers]
    yield frozenset(text(each.get(key)) for each in references for key in ("name", "deployment"))


def _named(found: ObjectView) -> set[str]:
    """Words of the workload's name and of its images."""
    named = set(words(found.name))
    for container in found.pod.containers if found.pod is not None else ():
        named |= set(words(parse_reference(text(container.value.get("image"))).repository.rpartition("/")[2]))
    return named


@rule(
    "KEDA-SO",
    Severity.MEDIA,
    over=_addons,
    title="Add-on sem ScaledObject",
    explanation="Scale-to-zero é o padrão dos add-ons: sem ScaledObject nem HPA o workload fica sempre ligado.",
    remedy="Declare um ScaledObject com `minReplicaCount: 0` e o gatilho do serviço (HTTP, fila ou métrica).",
    sources=("COO §11", "CON §12", "KED"),
    bad="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: addon-chat, labels: {appgear.io/tier: addon}}
spec: {template: {spec: {containers: [{name: a, image: 'chat:1.2.3'}]}}}
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: addon-chat, labels: {appgear.io/tier: addon}}
spec: {template: {spec: {containers: [{name: a, image: 'chat:1.2.3'}]}}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: addon-chat}
spec: {scaleTargetRef: {name: addon-chat}, triggers: []}
""",
)
def always_on(found: ObjectView) -> Iterator[Breach]:
    """No ScaledObject, HTTPScaledObject or HPA of the module has the Deployment as its target."""
    if found.name not in found.module.select(_targets)[0]:
        yield found.breach(f"o Deployment `{found.name}` não tem ScaledObject nem HPA")

"""What a module runs and exposes, as counts and names: what a mistake in it could reach."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["Inventory", "ObjectFact", "build_inventory"]


def _kinds(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EXPOSED = _kinds(
    "Ingress IngressRoute IngressRouteTCP Gateway VirtualService HTTPRoute GRPCRoute TCPRoute TLSRoute KongIngress "
    "KongPlugin KongClusterPlugin Middleware"
)
_CLUSTER = _kinds(
    "Namespace ClusterRole ClusterRoleBinding CustomResourceDefinition MutatingWebhookConfiguration "
    "ValidatingWebhookConfiguration PeerAuthentication AuthorizationPolicy RequestAuthentication DestinationRule "
    "ServiceEntry Sidecar EnvoyFilter StorageClass PriorityClass AppProject ApplicationSet NetworkPolicy "
    "ClusterIssuer ClusterSecretStore"
)
_STATEFUL = _kinds(
    "StatefulSet PersistentVolume PersistentVolumeClaim Cluster Postgresql Kafka Redis Backup Schedule VolumeSnapshot"
)
_IDENTITY = _kinds(
    "Secret ExternalSecret ClusterExternalSecret SecretStore SealedSecret ServiceAccount Role RoleBinding ClusterRole "
    "ClusterRoleBinding VaultAuth VaultStaticSecret Certificate Issuer ClusterIssuer"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectFact:
    """One object; ``exposed`` where its own type opens a port to the outside."""

    kind: str
    name: str
    path: str
    exposed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """Names are ``Kind/name``, sorted; ``sensitive_changes`` are those of them in files that the change touches."""

    kinds: Mapping[str, int]
    images: tuple[str, ...]
    exposed: tuple[str, ...]
    cluster: tuple[str, ...]
    stateful: tuple[str, ...]
    identity: tuple[str, ...]
    sensitive_changes: tuple[str, ...]


def build_inventory(objects: Iterable[ObjectFact], *, images: Iterable[str], changed: Collection[str]) -> Inventory:
    """Sort objects by what they reach; ``changed`` are the paths of the files that the change touches."""
    found = list(objects)
    exposed = [each for each in found if each.exposed or each.kind in _EXPOSED]
    cluster = [each for each in found if each.kind in _CLUSTER]
    stateful = [each for each in found if each.kind in _STATEFUL]
    identity = [each for each in found if each.kind in _IDENTITY]
    sensitive = [each for each in (*exposed, *cluster, *stateful, *identity) if each.path in changed]
    return Inventory(
        kinds=dict(sorted(Counter(each.kind for each in found).items())),
        images=tuple(sorted(set(images))),
        exposed=_names(exposed),
        cluster=_names(cluster),
        stateful=_names(stateful),
        identity=_names(identity),
        sensitive_changes=_names(sensitive),
    )


def _names(objects: Iterable[ObjectFact]) -> tuple[str, ...]:
    return tuple(sorted({f"{each.kind}/{each.name}" for each in objects}))

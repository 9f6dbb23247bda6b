"""The typed values of ``applicationsets/core.yaml``: what the ApplicationSets and the AppProject are made of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AllowedKind", "App", "Cluster", "CoreValues", "Project", "SyncSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowedKind:
    """A kind of the AppProject's white list; the group is empty for the core API."""

    group: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """``resources`` are the namespaced kinds; of the cluster-wide ones only Namespace is ever allowed."""

    name: str
    namespace: str
    description: str
    resources: tuple[AllowedKind, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncSettings:
    """``preserve_on_deletion``: deleting the set leaves Applications' resources in the cluster."""

    prune: bool
    self_heal: bool
    preserve_on_deletion: bool
    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """One element of the list generator. Lower waves are rolled out first."""

    name: str
    path: str
    namespace: str
    wave: int
    module: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """``name`` is ``ag-<regiao>-core-<env>``; ``server`` the API's address; ``revision`` a branch, tag or commit."""

    name: str
    server: str
    revision: str

    @property
    def env(self) -> str:
        return self.name.rsplit("-", 1)[1]

    @property
    def region(self) -> str:
        return self.name.split("-", 2)[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class CoreValues:
    """``labels`` are on every generated Application and on the set; ``env`` is added per cluster."""

    repository: str
    project: Project
    sync: SyncSettings
    labels: tuple[tuple[str, str], ...]
    apps: tuple[App, ...]
    clusters: tuple[Cluster, ...]

    @property
    def waves(self) -> tuple[int, ...]:
        return tuple(sorted({app.wave for app in self.apps}))

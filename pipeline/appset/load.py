"""Reads ``applicationsets/core.yaml`` into CoreValues; every wrong key or value is an error with its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.appset.model import AllowedKind, App, Cluster, CoreValues, Project, SyncSettings
from pipeline.errors import InputError
from pipeline.yamldoc import YamlDocument, load_yaml, yaml_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["IN_CLUSTER", "MAX_APPS", "QUARTET", "load_values"]

MAX_APPS = 10_000
_MAX_CLUSTERS = 1_000
QUARTET = ("appgear.io/tenant", "appgear.io/workspace", "appgear.io/vcluster", "appgear.io/env")
_DERIVED_LABELS = frozenset({"appgear.io/env", "app.kubernetes.io/name", "appgear.io/rollout-wave"})
_REQUIRED_LABELS = (
    "appgear.io/tenant",
    "appgear.io/workspace",
    "appgear.io/vcluster",
    "appgear.io/tier",
    "appgear.io/suite",
    "appgear.io/topology",
    "appgear.io/tenant-id",
    "appgear.io/workspace-id",
    "app.kubernetes.io/part-of",
)
IN_CLUSTER = "https://kubernetes.default.svc"
_CLUSTER = re.compile(r"ag-[a-z0-9]+-core-[a-z0-9]+")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(
    r"(?=[^/]{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_REPOSITORY = re.compile(r"https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9][-A-Za-z0-9_.]*)+")
_SERVER = re.compile(r"https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?")
_PATH = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]*(/[A-Za-z0-9_][-A-Za-z0-9_.]*)*")
_REVISION = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*(/[A-Za-z0-9][-A-Za-z0-9_.]*)*")
_OPTION = re.compile(r"[A-Z][A-Za-z]*=(true|false|background|foreground|orphan)")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*")
_GROUP = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+|apps|batch|autoscaling|policy)?")
_MODULE = re.compile(r"mod[0-9]{2}(-[a-z0-9]+)+")
_PROSE = re.compile(r"[^\x00-\x1f\x7f{}\[\]%#$]{1,200}")
_SYSTEM_NAMESPACES = frozenset({"default", "argocd", "kube-system", "kube-public", "kube-node-lease"})
_MAX_WAVE = 100

Item = TypeVar("Item")


def load_values(data: bytes, *, where: str) -> CoreValues:
    """The values of ``data``, one YAML document, no unknown key. Raises InputError naming ``where`` and the line."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError("o arquivo não é UTF-8", where=where, mend="converta para UTF-8") from error
    file = load_yaml(text)
    for problem in file.problems:
        raise InputError(problem.message, where=f"{where}:{problem.line}", mend="corrija o YAML")
    if len(file.documents) != 1:
        raise InputError("o arquivo deve ter exatamente um documento YAML", where=where, mend="deixe um só")
    return _Reader(file.documents[0], where).values()


class _Reader:
    def __init__(self, document: YamlDocument, where: str) -> None:
        self._document = document
        self._where = where

    def _fail(self, path: tuple[str | int, ...], message: str, mend: str = "corrija o valor") -> InputError:
        line = self._document.position(path).line
        name = yaml_path(path) or "o documento"
        return InputError(f"{name}: {message}", where=f"{self._where}:{line}", mend=mend)

    def _mapping(self, value: Any, path: tuple[str | int, ...], keys: str) -> dict[str, Any]:
        """``value`` with exactly the keys named; a name ending in ``?`` may be missing."""
        if not isinstance(value, dict):
            raise self._fail(path, "deveria ser um mapa")
        names = {key.rstrip("?") for key in keys.split()}
        for key in value:
            if key not in names:
                raise self._fail((*path, key), "chave desconhecida", f"use: {', '.join(sorted(names))}")
        for key in keys.split():
            if key not in value and not key.endswith("?"):
                raise self._fail(path, f"falta a chave {key}", "acrescente a chave")
        return value

    def _text(self, value: Any, path: tuple[str | int, ...], pattern: re.Pattern[str], wanted: str) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self._fail(path, f"deveria ser {wanted}")
        return value

    def _flag(self, value: Any, path: tuple[str | int, ...]) -> bool:
        if not isinstance(value, bool):
            raise self._fail(path, "deveria ser true ou false")
        return value

    def _list(
        self, value: Any, path: tuple[str | int, ...], read: Callable[[Any, tuple[str | int, ...]], Item], limit: int
    ) -> tuple[Item, ...]:
        if not isinstance(value, list) or not 0 < len(value) <= limit:
            raise self._fail(path, f"deveria ser uma lista de 1 a {limit} itens")
        return tuple(read(item, (*path, index)) for index, item in enumerate(value))

    def _unique(self, names: Iterable[str], path: tuple[str | int, ...], key: str) -> None:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                raise self._fail((*path, index, key) if key else (*path, index), f"{name!r} repetido")
            seen.add(name)

    def values(self) -> CoreValues:
        root = self._mapping(self._document.value, (), "repository project sync labels apps clusters")
        apps = self._list(root["apps"], ("apps",), self._app, MAX_APPS)
        clusters = self._list(root["clusters"], ("clusters",), self._cluster, _MAX_CLUSTERS)
        self._unique((app.name for app in apps), ("apps",), "name")
        self._unique((app.path for app in apps), ("apps",), "path")
        self._unique((cluster.name for cluster in clusters), ("clusters",), "name")
        if len(clusters) > 1:
            self._separate(clusters)
        repository = self._text(
            root["repository"], ("repository",), _REPOSITORY, "um endereço https:// sem usuário, senha nem curinga"
        )
        if ".." in repository:
            raise self._fail(("repository",), "não pode conter '..'")
        return CoreValues(
            repository=repository,
            project=self._project(root["project"], ("project",)),
            sync=self._sync(root["sync"], ("sync",)),
            labels=self._labels(root["labels"], ("labels",)),
            apps=apps,
            clusters=clusters,
        )

    def _separate(self, clusters: tuple[Cluster, ...]) -> None:
        """Two sets in one Argo CD would fight over Applications of the same name."""
        for index, cluster in enumerate(clusters):
            if cluster.server != IN_CLUSTER:
                raise self._fail(
                    ("clusters", index, "server"),
                    "com vários clusters, cada um usa o seu próprio Argo CD",
                    f"use {IN_CLUSTER} ou deixe um só cluster",
                )

    def _project(self, value: Any, path: tuple[str | int, ...]) -> Project:
        found = self._mapping(value, path, "name namespace description resources")
        name = self._text(found["name"], (*path, "name"), _DNS_LABEL, "um nome DNS-1123")
        if name == "default":
            raise self._fail((*path, "name"), "o projeto default permite tudo", "use um projeto próprio")
        resources = self._list(found["resources"], (*path, "resources"), self._resource, 100)
        self._unique((f"{item.group}/{item.kind}" for item in resources), (*path, "resources"), "kind")
        return Project(
            name=name,
            namespace=self._text(found["namespace"], (*path, "namespace"), _DNS_LABEL, "um nome DNS-1123"),
            description=self._text(found["description"], (*path, "description"), _PROSE, "um texto de uma linha"),
            resources=resources,
        )

    def _resource(self, value: Any, path: tuple[str | int, ...]) -> AllowedKind:
        found = self._mapping(value, path, "group kind")
        return AllowedKind(
            group=self._text(found["group"], (*path, "group"), _GROUP, "um grupo da API, sem curinga ('' para o core)"),
            kind=self._text(found["kind"], (*path, "kind"), _KIND, "um kind, sem curinga"),
        )

    def _sync(self, value: Any, path: tuple[str | int, ...]) -> SyncSettings:
        found = self._mapping(value, path, "prune selfHeal preserveResourcesOnDeletion options")
        options = self._list(
            found["options"], (*path, "options"), lambda item, at: self._text(item, at, _OPTION, "Opcao=valor"), 20
        )
        self._unique((option.split("=")[0] for option in options), (*path, "options"), "")
        return SyncSettings(
            prune=self._flag(found["prune"], (*path, "prune")),
            self_heal=self._flag(found["selfHeal"], (*path, "selfHeal")),
            preserve_on_deletion=self._flag(
                found["preserveResourcesOnDeletion"], (*path, "preserveResourcesOnDeletion")
            ),
            options=options,
        )

    def _labels(self, value: Any, path: tuple[str | int, ...]) -> tuple[tuple[str, str], ...]:
        if not isinstance(value, dict):
            raise self._fail(path, "deveria ser um mapa")
        for key in _REQUIRED_LABELS:
            if key not in value:
                raise self._fail(path, f"falta o label {key}", "acrescente o label")
        for key, text in value.items():
            at = (*path, key)
            if key in _DERIVED_LABELS:
                raise self._fail(at, "este label é calculado", "retire-o")
            self._text(key, at, _LABEL_KEY, "uma chave de label com prefixo")
            self._text(text, at, _LABEL_VALUE, "um valor de label (texto de até 63 caracteres)")
        return tuple(value.items())

    def _app(self, value: Any, path: tuple[str | int, ...]) -> App:
        found = self._mapping(value, path, "name path namespace wave module")
        wave = found["wave"]
        if not isinstance(wave, int) or isinstance(wave, bool) or not 0 <= wave <= _MAX_WAVE:
            raise self._fail((*path, "wave"), f"deveria ser um inteiro de 0 a {_MAX_WAVE}")
        namespace = self._text(found["namespace"], (*path, "namespace"), _DNS_LABEL, "um nome DNS-1123")
        if namespace in _SYSTEM_NAMESPACES or namespace.startswith("kube-"):
            raise self._fail((*path, "namespace"), f"{namespace} é um namespace do sistema", "use um namespace próprio")
        return App(
            name=self._text(found["name"], (*path, "name"), _DNS_LABEL, "um nome DNS-1123"),
            path=self._text(found["path"], (*path, "path"), _PATH, "um caminho relativo sem '..'"),
            namespace=namespace,
            wave=wave,
            module=self._text(found["module"], (*path, "module"), _MODULE, "um módulo como mod07-portal-backstage"),
        )

    def _cluster(self, value: Any, path: tuple[str | int, ...]) -> Cluster:
        found = self._mapping(value, path, "name server revision")
        return Cluster(
            name=self._text(found["name"], (*path, "name"), _CLUSTER, "ag-<regiao>-core-<env>"),
            server=self._text(found["server"], (*path, "server"), _SERVER, "o endereço https:// da API do cluster"),
            revision=self._text(found["revision"], (*path, "revision"), _REVISION, "um ramo, tag ou commit"),
        )

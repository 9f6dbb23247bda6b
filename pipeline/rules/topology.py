"""TOPOA: the Compose files of topology A keep to one network, one folder and one way of naming."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.places import DocumentPlace
from pipeline.audit.rule import Example, rule
from pipeline.audit.select import compose_services
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Operation, Severity
from pipeline.rules.shapes import items, mapping
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ComposeService, FileView, ModuleView
    from pipeline.domain.finding import PathKey
    from pipeline.yamldoc import YamlDocument

__all__ = ["foreign_folder", "obsolete_version", "own_network", "private_copy", "unprefixed_name"]

_NETWORK = "appgear-net-core"
_PREFIXES = ("core-", "addon-")
# Sockets and tables of the host that a container may read where they are.
_HOST_PATHS = (
    "/var/run/",
    "/run/",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ssl",
    "/proc",
    "/sys",
    "/dev",
    "/lib/modules",
)
_DATA_PATHS = ("/var/lib/", "/data", "/bitnami/", "/qdrant/storage", "/home/node/.n8n", "/root/.ollama")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compose(DocumentPlace):
    """One Compose document."""

    file: FileView
    document: YamlDocument
    services: dict[str, dict[str, Any]]
    base: tuple[PathKey, ...] = ()

    @property
    def object(self) -> FileView:
        """Where it stands, for the engine."""
        return self.file


@selects("arquivos Compose inteiros")
def _compose_files(module: ModuleView) -> Iterator[_Compose]:
    """Whole Compose files: named ones, whose services all say what they run; fragments are left out."""
    for file in module.files:
        if file.source.fragment or not file.compose:
            continue
        for document in file.yaml.documents:
            held = {each.name: each.value for each in file.compose if each.document is document}
            services = mapping(mapping(document.value).get("services"))
            if held and len(held) == len(services):
                yield _Compose(file=file, document=document, services=held)


_BAD = "services:\n  core-n8n:\n    image: n8n:1.2.3\n"
_GOOD = (
    "services:\n  core-n8n:\n    image: n8n:1.2.3\n    networks: [appgear-net-core]\n"
    "    volumes: ['/opt/appgear/data/n8n:/home/node/.n8n']\n"
    "networks:\n  appgear-net-core: {external: true}\n"
)


@rule(
    "TOPOA-NET",
    Severity.MEDIA,
    over=_compose_files,
    fix=FixMode.AUTO,
    title="Compose fora da rede `appgear-net-core`",
    explanation="Na rede própria do projeto os serviços não se encontram com os dos outros módulos.",
    remedy="Declare `appgear-net-core` (externa) em `networks` e use-a em cada serviço.",
    sources=("CON terminology", "COO §1", "INT §3.2"),
    bad=Example(files={"docker-compose.yml": _BAD}),
    good=Example(files={"docker-compose.yml": _GOOD}),
)
def own_network(compose: _Compose) -> Iterator[Breach]:
    """The network is not declared, or a service does not use it."""
    networks = mapping(compose.document.value.get("networks"))
    alias = next((key for key, held in networks.items() if mapping(held).get("name") == _NETWORK), None)
    name = alias or _NETWORK
    declared = name in networks
    outside = [
        service
        for service, value in compose.services.items()
        if "network_mode" not in value and not _uses(value.get("networks"), name, default=name == "default")
    ]
    if declared and not outside:
        return
    said = f"não declara a rede `{_NETWORK}`" if not declared else f"deixa fora dela: {', '.join(outside)}"
    where: tuple[PathKey, ...] = ("networks",) if not outside else ("services", outside[0])
    yield compose.breach(
        f"`{compose.file.path}` {said}",
        *where,
        changes=(compose.patch(*_join(compose, networks, name, declared, outside)),),
    )


def _uses(networks: Any, name: str, *, default: bool) -> bool:
    if networks is None:
        return default
    return name in (networks if isinstance(networks, dict) else items(networks))


def _join(
    compose: _Compose, networks: dict[str, Any], name: str, declared: bool, outside: list[str]
) -> Iterator[Operation]:
    if not declared:
        if networks:
            yield Operation(op="add", path=json_pointer(("networks", name)), value={"external": True})
        else:
            exists = "networks" in compose.document.value
            value = {name: {"external": True}}
            yield Operation(op="replace" if exists else "add", path="/networks", value=value)
    for service in outside:
        held = compose.services[service].get("networks")
        path: tuple[PathKey, ...] = ("services", service, "networks")
        if isinstance(held, dict) and held:
            yield Operation(op="add", path=json_pointer((*path, name)), value={})
        elif isinstance(held, list) and held:
            yield Operation(op="add", path=json_pointer((*path, "-")), value=name)
        else:
            exists = "networks" in compose.services[service]
            yield Operation(op="replace" if exists else "add", path=json_pointer(path), value=[name])


def _root(service: ComposeService) -> str:
    return service.file.module.policy.appgear_root.rstrip("/")


@rule(
    "TOPOA-DIR",
    Severity.BAIXA,
    over=compose_services,
    fix=FixMode.AUTO,
    title="Volume fora da pasta da plataforma",
    explanation="Tudo da Topologia A fica em `/opt/appgear`, e os dados em `data`: é o que se copia e se apaga.",
    remedy="Monte a partir de `/opt/appgear`; dados de serviços, de `/opt/appgear/data`.",
    sources=("CON §3.1", "COO §1"),
    bad=Example(files={"docker-compose.yml": "services: {core-a: {image: 'a:1', volumes: ['/srv/a:/var/lib/a']}}\n"}),
    good=Example(files={"docker-compose.yml": _GOOD}),
)
def foreign_folder(service: ComposeService) -> Iterator[Breach]:
    """A bind mount of the host from outside the folder, or data from outside its data folder."""
    root = _root(service)
    for index, entry in enumerate(items(service.value.get("volumes"))):
        source, target = _mount(entry)
        if not source.startswith("/") or source.startswith(_HOST_PATHS):
            continue
        inside = posixpath.normpath(source)
        is_data = target.startswith(_DATA_PATHS)
        wanted = f"{root}/data" if is_data else root
        if inside == wanted or inside.startswith(f"{wanted}/"):
            continue
        new = f"{wanted}/{posixpath.basename(inside) or service.name}"
        path: tuple[PathKey, ...] = ("volumes", index)
        value: object = new
        if isinstance(entry, dict):
            path = (*path, "source")
        else:
            value = new + str(entry)[len(source) :]
        change = service.patch(Operation(op="replace", path=json_pointer(path), value=value))
        yield service.breach(f"`{source}` fica fora de `{wanted}`", "volumes", index, changes=(change,))


def _mount(entry: Any) -> tuple[str, str]:
    """Host side and container side of a bind mount; empty host side for anything else."""
    if isinstance(entry, dict):
        return str(entry.get("source") or "") if entry.get("type") == "bind" else "", str(entry.get("target") or "")
    source, _, rest = str(entry).partition(":")
    return (source, rest.partition(":")[0]) if rest else ("", "")


@rule(
    "TOPOA-NAMES",
    Severity.BAIXA,
    over=compose_services,
    title="Serviço Compose sem o prefixo do nome lógico",
    explanation="O mesmo serviço tem o mesmo nome nas duas topologias: `core-…` ou `addon-…`.",
    remedy="Renomeie o serviço, e quem o cita, para o nome lógico da matriz de interoperabilidade.",
    sources=("INT §4.5",),
    bad=Example(files={"docker-compose.yml": "services: {n8n: {image: 'n8n:1'}}\n"}),
    good=Example(files={"docker-compose.yml": _GOOD}),
)
def unprefixed_name(service: ComposeService) -> Iterator[Breach]:
    """The service's name begins with neither ``core-`` nor ``addon-``."""
    if not service.name.startswith(_PREFIXES):
        yield service.breach(f"o serviço `{service.name}` não começa por `core-` nem por `addon-`")


@rule(
    "TOPOA-SHADOW",
    Severity.BAIXA,
    over=compose_services,
    title="Cópia de um serviço em outro arquivo Compose",
    explanation="Duas definições do mesmo nome lógico divergem, e cada módulo passa a ter o seu banco.",
    remedy="Defina o serviço uma vez, no Compose do Core, e use-o pela rede `appgear-net-core`.",
    sources=("INT §2.2",),
    bad=Example(files={"a/docker-compose.yml": _BAD, "b/docker-compose.yml": _BAD}),
    good=Example(files={"docker-compose.yml": _GOOD}),
)
def private_copy(service: ComposeService) -> Iterator[Breach]:
    """Another Compose file of the module defines the same service; the first by path is the original."""
    (owners,) = service.file.module.select(_owners)
    first = owners[service.name]
    if first != service.file.path and not _overrides(service.file.path, first):
        yield service.breach(f"o serviço `{service.name}` já é definido em `{first}`")


def _owners(module: ModuleView) -> Iterator[dict[str, str]]:
    owners: dict[str, str] = {}
    for service in module.select(compose_services):
        owners[service.name] = min(owners.get(service.name, service.file.path), service.file.path)
    yield owners


def _overrides(one: str, other: str) -> bool:
    """Whether one file is an override of the other, which Compose merges on purpose."""
    return posixpath.dirname(one) == posixpath.dirname(other) and bool(re.search(r"override", one + other))


@rule(
    "TOPOA-COMPOSE",
    Severity.BAIXA,
    over=_compose_files,
    fix=FixMode.AUTO,
    title="Chave `version` no Compose",
    explanation="O Compose atual ignora a chave e avisa a cada comando.",
    remedy="Retire a chave `version`.",
    sources=("practice",),
    bad=Example(files={"docker-compose.yml": f'version: "3.8"\n{_GOOD}'}),
    good=Example(files={"docker-compose.yml": _GOOD}),
)
def obsolete_version(compose: _Compose) -> Iterator[Breach]:
    """The top-level key is there."""
    if "version" in compose.document.value:
        change = compose.patch(Operation(op="remove", path="/version"))
        yield compose.breach(f"`{compose.file.path}` tem a chave `version`", "version", changes=(change,))

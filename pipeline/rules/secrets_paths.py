"""SEC-SHARED, SEC-ROTATE: a Vault path serves one client, and a lease that ends is followed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import Severity
from pipeline.rules.shapes import items
from pipeline.rules.vault_shared import INJECTED_POD, PREFIX, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

__all__ = ["rotated_secret", "shared_path"]

_MANY = re.compile(
    r"(?:^|[-_])(?:clients?|services|servicos|apps|applications|tenants|all|todos)[-_]?(?:secrets?|credentials|creds|tokens|"
    r"senhas)$|^(?:shared|common|global|all|compartilhad[oa]s?)(?:[-_](?:secrets?|credentials|creds))?$",
    re.IGNORECASE,
)


def _vault_paths(found: ObjectView) -> Iterator[tuple[str, tuple[PathKey, ...]]]:
    """Vault paths that an object reads, with where each is said."""
    if found.pod is not None:
        for file in rendered(found.pod):
            yield file.source, (*found.pod.path, "metadata", "annotations", file.key)
    elif found.kind in {"ExternalSecret", "ClusterExternalSecret"}:
        for path, value in found.scalars:
            if isinstance(value, str) and path[-2:] in {("remoteRef", "key"), ("extract", "key")}:
                yield value, path
    elif found.kind in {"VaultStaticSecret", "VaultDynamicSecret"} and isinstance(found.get("spec", "path"), str):
        yield found.get("spec", "path"), ("spec", "path")


@selects("objetos que leem do Vault")
def _readers(module: ModuleView) -> Iterator[ObjectView]:
    yield from (found for found in module.objects if any(_vault_paths(found)))


def _users(module: ModuleView) -> Iterator[dict[str, set[str]]]:
    """Objects that read each path."""
    users: dict[str, set[str]] = {}
    for found in module.select(_readers):
        for path, _ in _vault_paths(found):
            users.setdefault(path, set()).add(f"{found.kind}/{found.namespace}/{found.name}")
    yield users


@rule(
    "SEC-SHARED",
    Severity.MEDIA,
    over=_readers,
    title="Caminho do Vault com segredos de vários clientes",
    explanation="Quem lê um caminho lê tudo o que está nele: cada cliente passa a conhecer a credencial dos outros.",
    remedy="Dê a cada cliente um caminho e uma policy próprios (`kv/appgear/<serviço>/<cliente>`).",
    sources=("CON §4.2", "COO §9"),
    reading="Só se vê este módulo: vale como partilhado o caminho que vários objetos dele leem, ou cujo nome o diz.",
    bad=INJECTED_POD.format(path="kv/data/sso/oidc-client-secrets", more="", command="a"),
    good=INJECTED_POD.format(path="kv/data/sso/backstage", more="", command="a"),
)
def shared_path(found: ObjectView) -> Iterator[Breach]:
    """A path that several objects read, or whose last part names many; dynamic credentials are made for each use."""
    users = found.module.select(_users)[0]
    seen: set[str] = set()
    for path, place in _vault_paths(found):
        if path in seen or "/creds/" in path:
            continue
        seen.add(path)
        if len(users.get(path, ())) > 1:
            yield found.breach(f"`{path}` é lido por {len(users[path])} objetos deste módulo", *place, key=path)
        elif _MANY.search(path.rstrip("/").rpartition("/")[2]):
            yield found.breach(f"`{path}` guarda, pelo nome, segredos de vários clientes", *place, key=path)


_RELOADERS = ("reloader.stakater.com/", "configmap.reloader.stakater.com/", "secret.reloader.stakater.com/")


@selects("objetos que leem credencial com prazo")
def _dynamic(module: ModuleView) -> Iterator[ObjectView]:
    """Objects that read credentials with a lease."""
    for found in module.select(_readers):
        if found.kind == "VaultDynamicSecret" or any("creds/" in path for path, _ in _vault_paths(found)):
            yield found


@rule(
    "SEC-ROTATE",
    Severity.BAIXA,
    over=_dynamic,
    title="Credencial dinâmica sem recarga",
    explanation="O Vault troca a credencial quando o lease acaba; sem aviso, o processo fica com a antiga até falhar.",
    remedy="Avise o processo (`agent-inject-command-…`), ou reinicie-o (Reloader, `rolloutRestartTargets`).",
    sources=("STK configuration.secrets",),
    bad=INJECTED_POD.format(path="database/creds/a", more="", command="a"),
    good=INJECTED_POD.format(
        path="database/creds/a", more='\n    vault.hashicorp.com/agent-inject-command-db: "kill -HUP 1"', command="a"
    ),
)
def rotated_secret(found: ObjectView) -> Iterator[Breach]:
    """Leases that nothing in the object follows."""
    if found.kind == "VaultDynamicSecret":
        if not items(found.get("spec", "rolloutRestartTargets")):
            yield found.breach(f"nada reinicia quem usa `{found.name}` quando a credencial muda", "spec")
        return
    if found.pod is None:
        return
    notes = {**found.annotations, **found.pod.annotations}
    if any(key.startswith(_RELOADERS) for key in notes):
        return
    for file in rendered(found.pod):
        if "creds/" in file.source and f"{PREFIX}agent-inject-command-{file.name}" not in notes:
            yield found.breach(
                f"a credencial de `{file.source}` muda, e nada avisa o processo",
                *found.pod.path,
                "metadata",
                "annotations",
                file.key,
            )

"""VAL: checks that cannot pass and commands that do not work."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import commands, compose_services
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.lookup import find
from pipeline.rules.ports import host_ports
from pipeline.rules.prose import VERIFY, is_in, section_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import CommandView, DocumentView, ModuleView, ObjectView

__all__ = ["dead_command", "impossible_check", "unwritable_folder"]

_KINDS = {
    "cm": "ConfigMap",
    "configmap": "ConfigMap",
    "deploy": "Deployment",
    "deployment": "Deployment",
    "deployments": "Deployment",
    "ds": "DaemonSet",
    "ingress": "Ingress",
    "sa": "ServiceAccount",
    "service": "Service",
    "statefulset": "StatefulSet",
    "sts": "StatefulSet",
    "svc": "Service",
}
_INJECTED = frozenset(("istio-proxy", "istio-init", "vault-agent", "vault-agent-init"))
_LOCALHOST = re.compile(r"https?://(?:localhost|127\.0\.0\.1):(\d{2,5})")
_DEAD: tuple[tuple[tuple[str, ...], str], ...] = (
    (("backstage-cli", "create-plugin"), "`backstage-cli create-plugin` foi removido: use `backstage-cli new`"),
    (("helm", "init"), "`helm init` não existe desde o Helm 3"),
    (("istioctl", "manifest", "apply"), "`istioctl manifest apply` foi removido: use `istioctl install`"),
    (("kubectl", "get", "componentstatuses"), "`componentstatuses` está obsoleto"),
    (("tailwindcss", "init"), "`tailwindcss init` não existe desde o Tailwind 4"),
    (("vault", "token-create"), "`vault token-create` foi removido: use `vault token create`"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _LocalUrl:
    """A local address that the verification section opens."""

    view: DocumentView
    line: int
    column: int
    port: int


@selects("comandos de verificação")
def _checks(module: ModuleView) -> Iterator[CommandView | _LocalUrl]:
    yield from (each for each in module.select(commands) if is_in(each, "como verificar"))
    if module.document is not None and module.select(compose_services):
        for number, line in section_lines(module.document, VERIFY):
            for found in _LOCALHOST.finditer(line):
                port, column = int(found[1]), found.start() + 1
                yield _LocalUrl(view=module.document, line=number, column=column, port=port)


@rule(
    "VAL-VERIFY",
    Severity.MEDIA,
    over=_checks,
    title="Verificação que não pode passar com os arquivos entregues",
    explanation="Uma verificação que falha sempre é ignorada, e a falha de verdade passa junto.",
    remedy="Corrija a verificação, ou os arquivos que ela supõe.",
    sources=("AUD §5.2",),
    bad=Example(
        document="# M\n\n## 5. Como verificar\n\nAbra `http://localhost:7007/a`.\n",
        files={"docker-compose.yml": "services: {core-a: {image: 'a:1'}}\n"},
    ),
    good=Example(
        document="# M\n\n## 5. Como verificar\n\nAbra `http://localhost:7007/a`.\n",
        files={"docker-compose.yml": "services: {core-a: {image: 'a:1', ports: ['7007:80']}}\n"},
    ),
)
def impossible_check(check: CommandView | _LocalUrl) -> Iterator[Breach]:
    """A port nobody publishes; an object of the module sought in another namespace; a container it has not."""
    if isinstance(check, _LocalUrl):
        yield from _unpublished(check)
        return
    words = check.command.words
    found = _object_of(check)
    if found is None:
        return
    asked = _option(words, "-n", "--namespace")
    if asked and found.namespace and asked != found.namespace and "<" not in asked + found.namespace:
        detail = f"{found.kind} `{found.name}` fica em `{found.namespace}`, e a verificação procura em `{asked}`"
        yield check.breach(detail, key="namespace")
    container = _option(words, "-c", "--container")
    pod = found.pod
    if container and pod is not None and container not in {each.name for each in pod.containers} | _INJECTED:
        yield check.breach(f"`{found.name}` não tem o container `{container}`", key="container")


def _published(module: ModuleView) -> Iterator[frozenset[int] | None]:
    """Ports of the host that Compose services take; None where one shares the host's network."""
    services = module.select(compose_services)
    if any(each.value.get("network_mode") == "host" for each in services):
        yield None
    else:
        yield frozenset(port for service in services for port in host_ports(service))


def _unpublished(url: _LocalUrl) -> Iterator[Breach]:
    module = url.view.module
    (published,) = module.select(_published)
    forwarded = f"{url.port}:" in url.view.document.text and "port-forward" in url.view.document.text
    if published is not None and url.port not in published and not forwarded:
        detail = f"nenhum serviço Compose publica a porta {url.port} do host"
        yield url.view.breach(detail, line=url.line, column=url.column, key=str(url.port))


def _object_of(check: CommandView) -> ObjectView | None:
    """The one object of the module that a kubectl command names, by kind and name."""
    words = check.command.words
    if not words or words[0] != "kubectl":
        return None
    pairs = [word.partition("/")[::2] for word in words if "/" in word]
    pairs += [(word, following) for word, following in pairwise(words) if word in _KINDS]
    for short, name in pairs:
        named = find(check.module, _KINDS.get(short.lower(), ""), name)
        if len(named) == 1:
            return named[0]
    return None


def _option(words: tuple[str, ...], *names: str) -> str:
    """Value of an option, before ``--``."""
    for index, word in enumerate(words):
        if word == "--":
            return ""
        if word in names and index + 1 < len(words):
            return words[index + 1]
        for name in names:
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
    return ""


@rule(
    "VAL-CMD",
    Severity.BAIXA,
    over=commands,
    fix=FixMode.AUTO,
    title="Comando que não funciona como está escrito",
    explanation="Quem segue o passo a passo para aqui.",
    remedy="Use o comando atual, e dê a quem executa permissão na pasta em que grava.",
    sources=("SCH",),
    bad=Example(document="# M\n\n```bash\ndocker-compose up -d\n```\n"),
    good=Example(document="# M\n\n```bash\ndocker compose up -d\n```\n"),
)
def dead_command(command: CommandView) -> Iterator[Breach]:
    """A subcommand that was removed, or a folder made by root and then written by somebody else."""
    words = [word for word in command.command.words if word != "sudo"]
    bare = [word.rpartition("/")[2].partition("@")[0] for word in words if not word.startswith("-")]
    if bare[:1] == ["docker-compose"]:
        at = command.locate("docker-compose")
        change = (command.document.replace(*at, "docker-compose", "docker compose"),) if at else ()
        yield command.breach("`docker-compose` (v1) foi descontinuado", at=at, changes=change)
    for dead, said in _DEAD:
        if any(tuple(bare[start : start + len(dead)]) == dead for start in range(3)):
            yield command.breach(said, at=command.locate(dead[-1]), key=said)
    yield from unwritable_folder(command)


def unwritable_folder(command: CommandView) -> Iterator[Breach]:
    """``sudo mkdir`` of a folder in which a later block writes without sudo, and no ``chown`` between them."""
    words = command.command.words
    if words[:2] != ("sudo", "mkdir"):
        return
    (owned,) = command.module.select(_owned)
    for word in words[2:]:
        folder = posixpath.normpath(word)
        above = {folder[:end] for end in range(1, len(folder) + 1) if folder[end : end + 1] in ("/", "")}
        if not word.startswith("/") or above & owned:
            continue
        written = command.module.select(_written)[0].get(folder)
        if written is not None:
            detail = f"`{folder}` é criada pelo root, e `{written}` é gravado nela sem permissão"
            yield command.breach(detail, at=command.locate(word), key=folder)


def _owned(module: ModuleView) -> Iterator[frozenset[str]]:
    """Paths whose owner or mode a command sets."""
    owned: set[str] = set()
    for command in module.select(commands):
        words = [word for word in command.command.words if word != "sudo"]
        if words[:1] in (["chown"], ["chmod"], ["install"]):
            owned.update(word.rstrip("/") for word in words[1:])
    yield frozenset(owned)


def _written(module: ModuleView) -> Iterator[dict[str, str]]:
    """From a folder outside the tree to a file that a block writes in it."""
    yield {file.source.directory: file.name for file in reversed(module.files) if file.source.directory}

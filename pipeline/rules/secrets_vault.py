"""SEC-VAULT*: secrets come from Vault, and reach the process."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.audit.images import parse_reference
from pipeline.audit.rule import CouldNotJudge, rule
from pipeline.domain.finding import FixMode, Operation, Param, Severity
from pipeline.rules.secrets_words import is_sensitive
from pipeline.rules.shapes import items, mapping
from pipeline.rules.vault_shared import (
    INJECTED_POD,
    PREFIX,
    Rendered,
    injected_pods,
    operator_made,
    provided_secrets,
    rendered,
    whole_pods,
)
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ContainerView, ModuleView, ObjectView, PodView
    from pipeline.domain.finding import Change, PathKey

__all__ = ["undeclared_source", "unused_injection"]

_UNUSED = INJECTED_POD.format(path="database/creds/a", more="", command="node, server.js")
_USED = INJECTED_POD.format(
    path="database/creds/a", more="", command='sh, -c, ". /vault/secrets/db; exec node server.js"'
)


def _config_maps(pod: PodView) -> list[str]:
    """Names of the ConfigMaps that the pod mounts or takes variables from."""
    volumes = [mapping(volume) for volume in items(pod.spec.get("volumes"))]
    projected = [source for volume in volumes for source in items(mapping(volume.get("projected")).get("sources"))]
    held: list[Any] = [mapping(each).get("configMap") for each in (*volumes, *projected)]
    for container in pod.containers:
        held += [mapping(entry).get("configMapRef") for entry in items(container.value.get("envFrom"))]
        taken = [mapping(mapping(entry).get("valueFrom")) for entry in items(container.value.get("env"))]
        held += [source.get("configMapKeyRef") for source in taken]
    names = [mapping(each).get("name") for each in held]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _maps_by_name(module: ModuleView) -> Iterator[dict[str, ObjectView]]:
    yield {found.name: found for found in module.by_kind.get("ConfigMap", ())}


def _reads(pod: PodView, file: Rendered) -> bool:
    """Whether a container, a hook of the agent or a mounted configuration names the file, or its whole folder."""
    held: list[Any] = [
        {field: value for field, value in container.value.items() if field not in _NO_READERS}
        for container in pod.containers
    ]
    held.append(pod.annotations.get(f"{PREFIX}agent-inject-command-{file.name}"))
    known = pod.object.module.select(_maps_by_name)[0]
    held += [known[name].value.get("data") for name in _config_maps(pod) if name in known]
    text = str(held)
    folder = re.escape(file.folder)
    return file.file in text or re.search(rf"{folder}/?(?:\*|\$|[\"'\s;,)\\]|$)", text) is not None


_NO_READERS = frozenset({"volumeMounts", "livenessProbe", "readinessProbe", "startupProbe", "resources", "ports"})


@rule(
    "SEC-VAULTUSE",
    Severity.ALTA,
    over=injected_pods,
    fix=FixMode.AUTO,
    title="Arquivo do Vault Agent que ninguém lê",
    explanation="O agente só escreve um arquivo: sem comando, argumento ou configuração que o leia, o processo sobe "
    "sem a credencial.",
    remedy="Carregue o arquivo antes do processo (`set -a; . /vault/secrets/…; exec …`) ou aponte a configuração para "
    "ele.",
    sources=("CON §4.1",),
    bad=_UNUSED,
    good=_USED,
)
def unused_injection(pod: PodView) -> Iterator[Breach]:
    """One breach per rendered file that nothing in the pod or in its ConfigMaps names."""
    unused = [file for file in rendered(pod) if not _reads(pod, file)]
    if not unused:
        return
    known = pod.object.module.select(_maps_by_name)[0]
    unknown = [name for name in _config_maps(pod) if name not in known]
    if unknown:
        raise CouldNotJudge(f"o ConfigMap `{unknown[0]}`, que o pod usa, não está no módulo")
    loaded = [file for file in unused if file.is_env]
    changes = _load(pod, loaded) if loaded else ()
    for file in unused:
        yield pod.object.breach(
            f"nada no pod de {pod.object.kind} `{pod.object.name}` lê `{file.file}`",
            *pod.path,
            "metadata",
            "annotations",
            file.key,
            changes=changes if file.is_env else (),
        )


def _load(pod: PodView, files: list[Rendered]) -> tuple[Change, ...]:
    """The first container made to source the files before its own process."""
    container = next((each for each in pod.containers if not each.init), None)
    if container is None:
        return ()
    load = " ".join(f". {shlex.quote(file.file)};" for file in files)
    prefix = f"set -a; {load} set +a; "
    command, args = container.value.get("command"), container.value.get("args")
    if (command is not None and not _is_words(command)) or (args is not None and not _is_words(args)):
        return ()
    if command:
        return _started(container, prefix, [*command, *(args or [])])
    rest = "".join(f" {shlex.quote(word)}" for word in args or [])
    image = str(container.value.get("image", ""))
    name = parse_reference(image).repository
    entry = Param(
        name=f"entrypoints.{name}",
        template=f"{prefix}exec {{}}{rest}",
        question=f"Qual é o comando que a imagem `{name}` executa (ENTRYPOINT{'' if args else ' e CMD'})?",
    )
    return (_command(container, ["/bin/sh", "-c"], [entry]),)


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _started(container: ContainerView, prefix: str, words: list[str]) -> tuple[Change, ...]:
    shell = words[0].rpartition("/")[2] in {"sh", "bash", "ash", "dash"}
    flag = next((index for index, word in enumerate(words) if index and re.fullmatch(r"-[a-z]*c", word)), None)
    if shell and flag is not None and flag + 1 < len(words):
        script = prefix + words[flag + 1]
        return (_command(container, words[: flag + 1], [script, *words[flag + 2 :]]),)
    return (_command(container, ["/bin/sh", "-c"], [f"{prefix}exec {shlex.join(words)}"]),)


def _command(container: ContainerView, command: list[str], args: list[Any]) -> Change:
    operations = [
        Operation(
            op="replace" if field in container.value else "add",
            path=json_pointer((*container.path, field)),
            value=value,
        )
        for field, value in (("command", command), ("args", args))
    ]
    return container.object.patch(*operations)


_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}|\$\{([A-Za-z_]\w*):?\?[^}]*\}")


def _sourced(module: ModuleView) -> Iterator[frozenset[str]]:
    """Names of variables that Vault, an ExternalSecret, a Secret or a reference provides somewhere in the module."""
    names: set[str] = set()
    for pod in module.select(whole_pods):
        for file in rendered(pod):
            names.update(re.findall(r"([A-Za-z_]\w*)=", file.template))
        for container in pod.containers:
            for entry in items(container.value.get("env")):
                name = mapping(entry).get("name")
                if isinstance(name, str):
                    names.add(name)
    for found in module.objects:
        if found.kind in {"ExternalSecret", "ClusterExternalSecret"}:
            names.update(str(value) for path, value in found.scalars if path[-1] == "secretKey")
            names.update(mapping(found.get("spec", "target", "template", "data")))
        elif found.kind == "SealedSecret":
            names.update(mapping(found.get("spec", "encryptedData")))
        elif found.kind == "Secret":
            names.update(mapping(found.value.get("data")))
            names.update(mapping(found.value.get("stringData")))
    yield frozenset(names)


def _mentions(module: ModuleView) -> Iterator[str]:
    """Prose and commands of the document, where a source in another module may be declared."""
    view = module.document
    if view is not None:
        text = [line for _, line in view.document.prose()]
        yield "\n".join([*text, *(command.text for command in view.document.commands)])
    else:
        yield ""


def _references(pod: PodView) -> Iterator[tuple[str, tuple[PathKey, ...]]]:
    """Secrets that the pod needs, with the path of each name; optional ones left out."""
    for container in pod.containers:
        for index, entry in enumerate(items(container.value.get("env"))):
            found = mapping(mapping(mapping(entry).get("valueFrom")).get("secretKeyRef"))
            if isinstance(found.get("name"), str) and found.get("optional") is not True:
                yield found["name"], (*container.path, "env", index, "valueFrom", "secretKeyRef", "name")
        for index, entry in enumerate(items(container.value.get("envFrom"))):
            found = mapping(mapping(entry).get("secretRef"))
            if isinstance(found.get("name"), str) and found.get("optional") is not True:
                yield found["name"], (*container.path, "envFrom", index, "secretRef", "name")
    for index, volume in enumerate(items(pod.spec.get("volumes"))):
        found = mapping(mapping(volume).get("secret"))
        if isinstance(found.get("secretName"), str) and found.get("optional") is not True:
            yield found["secretName"], (*pod.path, "spec", "volumes", index, "secret", "secretName")


@rule(
    "SEC-VAULTSRC",
    Severity.ALTA,
    over=whole_pods,
    title="Segredo sem origem declarada",
    explanation="Um Secret ou uma variável sensível que nada provê é criado à mão, fora do Vault, ou falta quando o "
    "pod sobe.",
    remedy="Declare a origem: ExternalSecret, SealedSecret ou anotação do Vault Agent; se outro módulo a dá, diga qual "
    "no documento.",
    sources=("CON §4.2", "COO §4.2", "COO §7.1"),
    reading="A origem pode estar em outro módulo: o Secret que o documento cita fora dos manifestos conta como "
    "declarado.",
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      envFrom: [{secretRef: {name: a-env}}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      envFrom: [{secretRef: {name: a-env}}]
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: a}
spec: {target: {name: a-env}}
""",
)
def undeclared_source(pod: PodView) -> Iterator[Breach]:
    """Secrets that the pod refers to, and sensitive variables of the configuration that it mounts."""
    module = pod.object.module
    provided = module.select(provided_secrets)[0]
    mentioned: str = module.select(_mentions)[0]
    seen: set[str] = set()
    for name, path in _references(pod):
        if name in seen or name in provided or name in mentioned or operator_made(module, name):
            continue
        seen.add(name)
        yield pod.object.breach(
            f"nenhum ExternalSecret, SealedSecret ou Vault deste módulo provê o Secret `{name}`", *path, key=name
        )
    if any(mapping(mapping(e).get("secretRef")) for c in pod.containers for e in items(c.value.get("envFrom"))):
        return  # the variables may all come from there, and that Secret has just been judged
    yield from _unsourced(pod, mentioned)


def _unsourced(pod: PodView, mentioned: str) -> Iterator[Breach]:
    module = pod.object.module
    known = module.select(_maps_by_name)[0]
    sourced = module.select(_sourced)[0]
    seen: set[str] = set()
    for held in (known[name] for name in _config_maps(pod) if name in known):
        for path, value in held.scalars:
            if path[:1] != ("data",) or not isinstance(value, str) or "${" not in value:
                continue
            for row, line in enumerate(value.split("\n")):
                for found in _VARIABLE.finditer(line):
                    name = found[1] or found[2]
                    if name in seen or not is_sensitive(name) or name in sourced or name in mentioned:
                        continue
                    seen.add(name)
                    made = held.breach(f"nada neste módulo provê a variável sensível `{name}`", *path, key=name)
                    yield replace(made, inside=(row, found.start())) if "\n" in value else made

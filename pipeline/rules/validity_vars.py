"""VAL: variables where something reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import rule
from pipeline.audit.select import containers
from pipeline.audit.selecting import selects
from pipeline.audit.views import ObjectView
from pipeline.domain.finding import FixMode, Operation, Param, Severity
from pipeline.rules.shapes import mapping, maps, text, texts
from pipeline.yamldoc import json_pointer, yaml_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ContainerView, ModuleView
    from pipeline.domain.finding import PatchChange, PathKey

__all__ = ["unexpanded_variable"]

_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*+)([^{}]*)\}")
_INTERPRETERS = frozenset(
    (
        "ash",
        "bash",
        "bun",
        "dash",
        "deno",
        "envsubst",
        "ksh",
        "node",
        "perl",
        "php",
        "python",
        "python3",
        "ruby",
        "sh",
        "zsh",
    )
)
_SCRIPT_FLAG = re.compile(r"-[a-z]*[ce]|--eval|--command")
# Fields that the API server or a proxy reads as they are, by kind.
_HOSTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Ingress": (("spec", "rules", "host"), ("spec", "tls", "hosts")),
    "IngressRoute": (("spec", "routes", "match"),),
    "IngressRouteTCP": (("spec", "routes", "match"),),
    "HTTPRoute": (("spec", "hostnames"),),
    "Gateway": (("spec", "servers", "hosts"), ("spec", "listeners", "hostname")),
    "VirtualService": (("spec", "hosts"),),
}


@selects("contêineres e objetos que nomeiam hosts")
def _readers(module: ModuleView) -> Iterator[ContainerView | ObjectView]:
    """Containers, and the objects that name hosts; files whose variables a shell expands are left out."""
    for container in module.select(containers):
        if not container.object.file.source.expands:
            yield container
    for kind in _HOSTS:
        yield from (each for each in module.by_kind.get(kind, ()) if not each.file.source.expands)


@rule(
    "VAL-VAR",
    Severity.ALTA,
    over=_readers,
    fix=FixMode.PARAM,
    title="Variável que ninguém expande",
    explanation=(
        "Nestes campos o Kubernetes só conhece `$(NOME)`, com NOME declarado antes no mesmo container; `${NOME}` chega "
        "ao processo como texto."
    ),
    remedy="Use `$(NOME)` com a variável declarada em `env`, ou escreva o valor final por ambiente com Kustomize.",
    sources=("SCH", "M02 prerequisites"),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      env:
        - {name: BASE_URL, value: 'https://core.${APPGEAR_BASE_DOMAIN}/a'}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      env:
        - {name: DOMAIN, value: appgear.example}
        - {name: BASE_URL, value: 'https://core.$(DOMAIN)/a'}
""",
)
def unexpanded_variable(subject: ContainerView | ObjectView) -> Iterator[Breach]:
    """``${…}`` in ``env[].value``, ``command``, ``args``, ``image`` or a host name, where no shell runs."""
    if isinstance(subject, ObjectView):
        yield from _in_hosts(subject)
        return
    known: set[str] = set()
    for index, entry in maps(subject.value.get("env")):
        name = text(entry.get("name"))
        value = entry.get("value")
        if isinstance(value, str) and _VARIABLE.search(value):
            yield _in_container(subject, ("env", index, "value"), value, known, name)
        known.add(name)
    image = subject.value.get("image")
    if isinstance(image, str) and _VARIABLE.search(image):
        yield _in_container(subject, ("image",), image, set(), "image")
    yield from _in_command(subject, known)


def _in_command(container: ContainerView, known: set[str]) -> Iterator[Breach]:
    words: list[tuple[tuple[PathKey, ...], str]] = [
        ((field, index), word) for field in ("command", "args") for index, word in texts(container.value.get(field))
    ]
    if any(word.rpartition("/")[2] in _INTERPRETERS or _SCRIPT_FLAG.fullmatch(word) for _, word in words):
        return
    for path, word in words:
        if "\n" not in word and _VARIABLE.search(word):
            yield _in_container(container, path, word, known, f"{path[0]}[{path[1]}]")


def _in_container(
    container: ContainerView, path: tuple[PathKey, ...], value: str, known: set[str], name: str
) -> Breach:
    """``$(NAME)`` where the container has every name, else the final value is asked for."""
    used = _VARIABLE.findall(value)
    question = f"Qual é o valor final de `{name}`, no container `{container.name}` de `{container.object.name}`?"
    new: str | Param = Param(name=f"environment.{container.object.name}.{container.name}.{name}", question=question)
    if all(variable in known and not default for variable, default in used):
        new = _VARIABLE.sub(r"$(\1)", value)
    shown = ", ".join(dict.fromkeys(f"${{{variable}}}" for variable, _ in used))
    where = f"`{name}`" if path[0] == "env" else f"`{path[0]}`"
    return container.breach(
        f"{where} usa {shown}, que o Kubernetes não expande",
        *path,
        changes=(_replace(container.object, (*container.path, *path), new),),
    )


def _replace(found: ObjectView, path: tuple[PathKey, ...], new: str | Param) -> PatchChange:
    return found.patch(Operation(op="replace", path=json_pointer(path), value=new))


def _in_hosts(found: ObjectView) -> Iterator[Breach]:
    for fields in _HOSTS[found.kind]:
        for path, value in _leaves(found.value, fields, ()):
            if _VARIABLE.search(value):
                field = yaml_path(path)
                question = f"Qual é o valor final de `{field}` em {found.kind} `{found.name}`?"
                new = Param(name=f"environment.{found.kind}.{found.name}.{field}", question=question)
                yield found.breach(
                    f"`{value}` não é expandido por ninguém", *path, changes=(_replace(found, path, new),)
                )


def _leaves(
    value: Any, fields: tuple[str, ...], path: tuple[PathKey, ...]
) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    """Texts at ``fields``, lists on the way taken item by item."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, fields, (*path, index))
    elif fields:
        yield from _leaves(mapping(value).get(fields[0]), fields[1:], (*path, fields[0]))
    elif isinstance(value, str):
        yield path, value

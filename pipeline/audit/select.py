"""Selectors: from a module to the subjects that a rule judges. A rule sees only what it selects."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pipeline.audit.images import images
from pipeline.audit.selecting import selects
from pipeline.audit.views import CommandView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.audit.views import (
        ComposeService,
        ContainerView,
        DocumentView,
        FileView,
        ModuleView,
        ObjectView,
        PodView,
    )

__all__ = [
    "commands",
    "compose_services",
    "containers",
    "document",
    "every_object",
    "files",
    "images",
    "module",
    "objects",
    "pods",
    "yaml_files",
]


@selects("todo objeto")
def every_object(module: ModuleView) -> Iterator[ObjectView]:
    """All objects, custom resources and kustomizations too."""
    yield from module.objects


@cache
def objects(*kinds: str) -> Callable[[ModuleView], Iterator[ObjectView]]:
    """Objects of these kinds, whatever their API group."""

    def select(module: ModuleView) -> Iterator[ObjectView]:
        for kind in kinds:
            yield from module.by_kind.get(kind, ())

    return selects(", ".join(kinds))(select)


@selects("pods e modelos de pod")
def pods(module: ModuleView) -> Iterator[PodView]:
    """Pods and pod templates of workloads."""
    yield from (found.pod for found in module.objects if found.pod is not None)


@selects("contêineres")
def containers(module: ModuleView) -> Iterator[ContainerView]:
    """Containers and init containers of pods and pod templates."""
    for pod in module.select(pods):
        yield from pod.containers


@selects("arquivos")
def files(module: ModuleView) -> Iterator[FileView]:
    """All files of text, of every kind."""
    yield from module.files


@selects("arquivos YAML")
def yaml_files(module: ModuleView) -> Iterator[FileView]:
    """Files whose name or fence says YAML."""
    yield from (file for file in module.files if file.is_yaml)


@selects("serviços Compose")
def compose_services(module: ModuleView) -> Iterator[ComposeService]:
    """Services of Compose files."""
    for file in module.files:
        yield from file.compose


@selects("documento")
def document(module: ModuleView) -> Iterator[DocumentView]:
    """The module document, where there is one."""
    if module.document is not None:
        yield module.document


@selects("comandos de shell")
def commands(module: ModuleView) -> Iterator[CommandView]:
    """Shell commands of the document."""
    if module.document is not None:
        for command in module.document.document.commands:
            yield CommandView(command=command, document=module.document)


@selects("módulo")
def module(view: ModuleView) -> Iterator[ModuleView]:
    """The module as a whole."""
    yield view

"""Where secrets come from: what the Vault Agent renders into a pod, and which objects provide a Secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.select import pods
from pipeline.audit.selecting import selects
from pipeline.rules.labels_shared import is_excerpt
from pipeline.rules.shapes import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import ModuleView, ObjectView, PodView

__all__ = [
    "INJECTED_POD",
    "PREFIX",
    "Rendered",
    "injected_pods",
    "operator_made",
    "provided_secrets",
    "rendered",
    "whole_pods",
]

PREFIX = "vault.hashicorp.com/"
_ENV_LINE = re.compile(r"(?:export\s+)?[A-Za-z_]\w*=.*")
_ACTION = re.compile(r"\{\{.*\}\}")
_CORE_GROUPS = ("k8s.io", "argoproj.io", "istio.io", "kustomize.config.k8s.io")


# A pod for the examples of the rules.
INJECTED_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations:
    vault.hashicorp.com/agent-inject: "true"
    vault.hashicorp.com/agent-inject-secret-db: "{path}"{more}
    vault.hashicorp.com/agent-inject-template-db: |
      DB_PASSWORD={{{{ .Data.password }}}}
spec:
  containers:
    - name: a
      image: app:1.2.3
      command: [{command}]
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """One file that the agent writes: its name in the annotations, path in the pod, Vault path and template."""

    name: str
    file: str
    folder: str
    source: str
    template: str

    @property
    def key(self) -> str:
        return f"{PREFIX}agent-inject-secret-{self.name}"

    @property
    def is_env(self) -> bool:
        """Whether a shell can source it: every line of the template is an assignment."""
        lines = [line.strip() for line in self.template.splitlines()]
        kept = [line for line in lines if line and not _ACTION.fullmatch(line)]
        return bool(kept) and all(_ENV_LINE.fullmatch(line) for line in kept)


@selects("pods inteiros")
def whole_pods(module: ModuleView) -> Iterator[PodView]:
    """Pods and pod templates with containers of their own; patches and excerpts left out."""
    yield from (pod for pod in module.select(pods) if not is_excerpt(pod.object))


@selects("pods com arquivos do Vault Agent")
def injected_pods(module: ModuleView) -> Iterator[PodView]:
    """Pods for which the agent renders at least one file."""
    for pod in module.select(whole_pods):
        switch = str(pod.annotations.get(f"{PREFIX}agent-inject", "")).lower()
        if switch in {"true", "1", "t", "update"} and any(rendered(pod)):
            yield pod


def rendered(pod: PodView) -> tuple[Rendered, ...]:
    """The files of ``agent-inject-secret-*``, with the options that rename or move them."""
    known: dict[PodView, tuple[Rendered, ...]] = pod.object.module.select(_by_pod)[0]
    return known[pod]


def _by_pod(module: ModuleView) -> Iterator[dict[PodView, tuple[Rendered, ...]]]:
    yield {pod: tuple(_rendered(pod)) for pod in module.select(pods)}


def _rendered(pod: PodView) -> Iterator[Rendered]:
    notes = pod.annotations
    start = f"{PREFIX}agent-inject-secret-"
    for key, source in notes.items():
        if key.startswith(start) and len(key) > len(start):
            name = key.removeprefix(start)
            folder = notes.get(f"{PREFIX}secret-volume-path-{name}") or notes.get(f"{PREFIX}secret-volume-path")
            file = notes.get(f"{PREFIX}agent-inject-file-{name}")
            place = str(folder or "/vault/secrets").rstrip("/")
            yield Rendered(
                name=name,
                file=f"{place}/{file or name}",
                folder=place,
                source=str(source),
                template=str(notes.get(f"{PREFIX}agent-inject-template-{name}") or ""),
            )


# Where each kind says the name of the Secret it makes; the object's own name where that is absent.
_MAKERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Certificate": (("spec", "secretName"),),
    "ClusterExternalSecret": (("spec", "externalSecretSpec", "target", "name"), ("spec", "externalSecretName")),
    "ExternalSecret": (("spec", "target", "name"),),
    "SealedSecret": (("spec", "template", "metadata", "name"),),
    "Secret": (),
    "VaultDynamicSecret": (("spec", "destination", "name"),),
    "VaultPKISecret": (("spec", "destination", "name"),),
    "VaultStaticSecret": (("spec", "destination", "name"),),
    "VaultSecret": (),
    "ObjectBucketClaim": (),
    "KafkaUser": (),
}


def provided_secrets(module: ModuleView) -> Iterator[frozenset[str]]:
    """Names of the Secrets that objects of the module make."""
    names: set[str] = set()
    for found in module.objects:
        paths = _MAKERS.get(found.kind)
        if paths is not None:
            said = [name for path in paths if isinstance(name := found.get(*path), str)]
            names.update(said[:1] or [found.name])
        elif found.kind == "SecretProviderClass":
            names.update(_names(found.get("spec", "secretObjects"), "secretName"))
        elif found.kind in {"Kustomization", "Component"}:
            names.update(_names(found.get("secretGenerator"), "name"))
    yield frozenset(names)


def _names(entries: Any, field: str) -> Iterator[str]:
    for entry in items(entries):
        name = mapping(entry).get(field)
        if isinstance(name, str):
            yield name


def _custom_names(module: ModuleView) -> Iterator[tuple[str, ...]]:
    yield tuple({f"{found.name}-" for found in module.objects if found.name and _is_custom(found)})


def operator_made(module: ModuleView, name: str) -> bool:
    """Whether an operator may make the Secret for a custom resource of the module: its name begins with theirs."""
    return name.startswith(module.select(_custom_names)[0])


def _is_custom(found: ObjectView) -> bool:
    group = found.group
    return "." in group and not group.endswith(_CORE_GROUPS)

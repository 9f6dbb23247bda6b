"""What the LLM rules look at: code, configuration and commands that are not the model gateway's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.select import commands
from pipeline.audit.selecting import selects
from pipeline.audit.texts import FenceView, ValuesView, sources, syntax_of, values
from pipeline.audit.views import CommandView, FileView, ObjectView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import PathKey

__all__ = ["Subject", "code", "code_lines", "code_texts", "is_gateway", "names_gateway"]

Subject = ObjectView | ValuesView | FileView | FenceView | CommandView

_COMMENT = re.compile(r"\s*(?:#|//|/\*|\*(?:\s|$)|;|--\s|<!--|REM\s)")
# Kinds that allow, forbid or describe traffic, and make none.
_POLICY_KINDS = frozenset(
    {
        "NetworkPolicy",
        "CiliumNetworkPolicy",
        "CiliumClusterwideNetworkPolicy",
        "GlobalNetworkPolicy",
        "AdminNetworkPolicy",
        "EgressFirewall",
        "ServiceEntry",
        "AuthorizationPolicy",
        "ConstraintTemplate",
        "ClusterPolicy",
        "Policy",
        "ValidatingAdmissionPolicy",
        "CustomResourceDefinition",
        "PrometheusRule",
    }
)
_POLICY_GROUPS = ("gatekeeper.sh", "kyverno.io")
_COUNTER_EXAMPLES = re.compile(r"erros? comu", re.IGNORECASE)


@selects("manifests, configuração, código e comandos")
def code(module: ModuleView) -> Iterator[Subject]:
    """Manifests, configuration, code and commands.

    Left out: prose, policies (they name what they forbid), the gateway itself, and the section of common mistakes.
    """
    for found in module.select(values):
        if not (isinstance(found, ObjectView) and (_is_policy(found) or is_gateway(found))):
            yield found
    for source in module.select(sources):
        language = source.fence.language if isinstance(source, FenceView) else ""
        if syntax_of(source.name, language) in {"policy", "prose"} or names_gateway(module, _path(source)):
            continue
        if isinstance(source, FenceView):
            if not _COUNTER_EXAMPLES.search(source.fence.section):
                yield source
        elif not source.is_yaml or not source.yaml.parsed:
            yield source
    for command in module.select(commands):
        if not names_gateway(module, command.command.text) and not _COUNTER_EXAMPLES.search(command.command.section):
            yield command


def _path(source: FileView | FenceView) -> str:
    return source.path if isinstance(source, FileView) else source.fence.label or ""


def _is_policy(found: ObjectView) -> bool:
    return found.kind in _POLICY_KINDS or found.group.endswith(_POLICY_GROUPS)


def names_gateway(module: ModuleView, text: str) -> bool:
    lowered = text.lower()
    return any(gateway in lowered for gateway in module.policy.llm_gateways)


def is_gateway(found: ObjectView) -> bool:
    """Whether the object is part of the gateway: by its name, its labels or what feeds it."""
    labels = found.labels
    named = (found.name, labels.get("app.kubernetes.io/name"), labels.get("app"), found.file.path)
    return any(isinstance(name, str) and names_gateway(found.module, name) for name in named)


def _service_of(found: ObjectView | ValuesView, path: tuple[PathKey, ...]) -> str:
    """Name of the Compose service, or of the Helm values' section, that a path stands in."""
    if isinstance(found, ObjectView):
        return ""
    return str(path[1]) if found.is_compose and len(path) > 1 else str(path[0]) if path else ""


def code_texts(found: ObjectView | ValuesView) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    """Text values with their paths, less those of the gateway and of policies written as text."""
    for path, value in found.scalars:
        if isinstance(value, str) and not names_gateway(found.module, _service_of(found, path)):
            last = str(path[-1]) if path else ""
            if not last.endswith(".rego") and not names_gateway(found.module, last):
                yield path, value


def code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are no comment, with their row from 0; all is silent where the text is LiteLLM's own model list."""
    if "model_list:" in text or "litellm_params" in text:
        return
    for row, line in enumerate(text.split("\n")):
        if not _COMMENT.match(line):
            yield row, line

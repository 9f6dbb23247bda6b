"""LBL-ARGO: the tenancy labels of what Argo CD generates for a workspace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import CouldNotJudge, rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Param, Severity
from pipeline.rules.labels_shared import set_label
from pipeline.rules.shapes import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView

__all__ = ["application_labels"]

_WORKSPACE = re.compile(r"(?:workspace|vcluster|ws)-|.*(?:<workspace|\{\{-? *\.?(?:values\.)?workspace)", re.IGNORECASE)


@selects("Applications, ApplicationSets e namespaces de workspace")
def _generated(module: ModuleView) -> Iterator[ObjectView]:
    """Applications, ApplicationSets, and the namespaces of workspaces; bootstrap Applications left out."""
    bootstrap = module.policy.bootstrap_prefixes
    for found in module.objects:
        if found.group == "argoproj.io" and found.kind == "Application":
            if not found.partial and not found.name.startswith(bootstrap):
                yield found
        elif (found.group == "argoproj.io" and found.kind == "ApplicationSet") or (
            found.kind == "Namespace" and not found.partial and _is_workspace(found)
        ):
            yield found


def _is_workspace(found: ObjectView) -> bool:
    labels = found.labels
    workspace = labels.get("appgear.io/workspace-id", "global")
    return (
        bool(_WORKSPACE.match(found.name))
        or labels.get("appgear.io/tier") == "workspace"
        or workspace not in ("global", "", None)
    )


def _elements(found: ObjectView) -> list[dict[str, Any]]:
    """Elements of the list generators, those inside a matrix or merge too."""
    waiting = [mapping(each) for each in items(found.get("spec", "generators"))]
    elements: list[dict[str, Any]] = []
    while waiting:
        generator = waiting.pop()
        elements += [mapping(each) for each in items(mapping(generator.get("list")).get("elements"))]
        for kind in ("matrix", "merge"):
            waiting += [mapping(each) for each in items(mapping(generator.get(kind)).get("generators"))]
    return elements


def _value(found: ObjectView, key: str) -> str | Param:
    """The generator's own parameter where every element has one of that name, else a value of the platform."""
    name = key.rpartition("/")[2]
    if found.kind == "ApplicationSet":
        elements = _elements(found)
        if elements and all(name in each for each in elements):
            return f"{{{{.{name}}}}}" if found.get("spec", "goTemplate") is True else f"{{{{{name}}}}}"
    return Param(name=f"labels.{key}", question=f"Qual o valor da label `{key}` das Applications deste módulo?")


@rule(
    "LBL-ARGO",
    Severity.MEDIA,
    over=_generated,
    fix=FixMode.AUTO,
    title="Application ou namespace sem label de tenant, workspace, vCluster ou ambiente",
    explanation="O contrato gera uma Application por workspace e exige as quatro labels nela: sem elas não se sabe de "
    "quem é o que o Argo CD sincroniza.",
    remedy="Acrescente a label; no ApplicationSet, em `spec.template.metadata.labels`, e não no próprio conjunto.",
    sources=("CON §5.3", "STK argocd.required_labels", "STK namespaces", "AUD §4.6.1"),
    reading="`tenant`, `workspace`, `vcluster` e `env` valem para Applications geradas, modelos de ApplicationSet e "
    "namespaces de workspace; `tenant-id` e `workspace-id` valem para todo objeto (LBL-POLICY).",
    bad="""
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: apps, labels: {appgear.io/tenant: a}}
spec:
  generators:
    - list: {elements: [{tenant: a, workspace: b, vcluster: c, env: dev}]}
  template:
    metadata: {name: "{{workspace}}"}
""",
    good="""
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: apps}
spec:
  generators:
    - list: {elements: [{tenant: a, workspace: b, vcluster: c, env: dev}]}
  template:
    metadata:
      name: "{{workspace}}"
      labels:
        appgear.io/tenant: "{{tenant}}"
        appgear.io/workspace: "{{workspace}}"
        appgear.io/vcluster: "{{vcluster}}"
        appgear.io/env: "{{env}}"
""",
)
def application_labels(found: ObjectView) -> Iterator[Breach]:
    """One breach for each of the four keys that is missing."""
    base: tuple[str, ...] = ()
    labels = found.labels
    place = found.kind
    if found.kind == "ApplicationSet":
        base = ("spec", "template")
        if not isinstance(found.get(*base), dict):
            raise CouldNotJudge("o ApplicationSet não tem `spec.template`")
        labels = mapping(found.get(*base, "metadata", "labels"))
        place = "o modelo do ApplicationSet"
    for key in found.module.policy.application_labels:
        if labels.get(key, False) in (False, None, ""):
            yield found.breach(
                f"{place} `{found.name}` sem a label `{key}`",
                *base,
                "metadata",
                "labels",
                key=key,
                changes=(set_label(found, base, key, _value(found, key)),),
            )

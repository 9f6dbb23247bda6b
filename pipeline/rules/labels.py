"""LBL: the labels by which cost, tenancy and policy find an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Param, Severity
from pipeline.rules.labels_shared import HOLE, covered, is_excerpt, set_label, wanted_value
from pipeline.rules.shapes import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView, PodView

__all__ = ["label_values", "part_of", "pod_labels", "required_labels"]

_PART_OF = "appgear.io/part-of"
_ALLOWED = {
    "appgear.io/tier": ("core", "suite", "workspace", "addon"),
    "appgear.io/suite": ("core", "factory", "brain", "operations", "guardian"),
    "appgear.io/topology": ("A", "B"),
}
_GOOD_LABELS = """
    app.kubernetes.io/name: core-exemplo
    app.kubernetes.io/instance: core-exemplo
    app.kubernetes.io/part-of: appgear
    app.kubernetes.io/managed-by: argocd
    appgear.io/part-of: appgear
    appgear.io/tier: core
    appgear.io/suite: core
    appgear.io/topology: B
    appgear.io/tenant-id: global
    appgear.io/workspace-id: global
"""
_CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: core-exemplo
  labels:"""
_POD = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: core-exemplo
  labels:{labels}spec:
  template:
    metadata:
      labels:{template}    spec:
      containers: [{{name: a, image: "app:1.2.3"}}]
"""
_GOOD_POD = _POD.format(labels=_GOOD_LABELS, template=_GOOD_LABELS.replace("\n    ", "\n        "))
_BAD_POD = _POD.format(labels=_GOOD_LABELS, template="\n        app: core-exemplo\n")


def _missing(labels: dict[str, object], key: str) -> bool:
    """As REG reads it: undefined or ``false``; a null or empty value passes."""
    return labels.get(key, False) is False


def _is_core_key(key: str) -> bool:
    return key.startswith("appgear.io/")


@rule(
    "LBL-POLICY",
    Severity.ALTA,
    over=covered,
    fix=FixMode.AUTO,
    title="Label obrigatória ausente",
    explanation="Sem as nove labels, a política do cluster recusa o objeto e FinOps, inventário e tenancy não o "
    "encontram.",
    remedy="Acrescente a label em `metadata.labels`; `tenant-id` e `workspace-id` vêm de `[parameters.labels]`.",
    sources=("REG", "COO §6", "COO §12.3", "CON §11"),
    reading="As nove chaves e os 22 tipos são `[policy] required_labels` e `label_kinds`: REG os fixa, e as listas "
    "embutidas são uma leitura dela (ADR 0005). `part-of` é aqui `app.kubernetes.io/part-of`, como em REG, e "
    "`appgear.io/part-of` fica com LBL-PARTOF. As chaves de tenancy são `tenant-id` e `workspace-id`; TEN-ID só julga "
    "o valor delas, para não contar a mesma falta duas vezes.",
    bad=_CONFIG_MAP + "\n    app.kubernetes.io/name: core-exemplo\n",
    good=_CONFIG_MAP + _GOOD_LABELS,
)
def required_labels(found: ObjectView) -> Iterator[Breach]:
    """One breach for each of the required keys that neither the object nor a kustomization above it gives."""
    labels = found.labels
    for key in found.module.policy.required_labels:
        if labels.get(key, False) is False:  # as ``_missing``, for every label of every object
            yield found.breach(
                f"{found.kind} `{found.name}` sem a label obrigatória `{key}`",
                "metadata",
                "labels",
                key=key,
                changes=(set_label(found, (), key, wanted_value(found, key)),),
                severity=Severity.ALTA if _is_core_key(key) else Severity.MEDIA,
            )


@rule(
    "LBL-PARTOF",
    Severity.MEDIA,
    over=covered,
    fix=FixMode.AUTO,
    title="Label `appgear.io/part-of` ausente",
    explanation="COO §6 agrupa por `appgear.io/part-of` tudo o que pertence à plataforma, pods incluídos.",
    remedy="Acrescente `appgear.io/part-of: appgear` ao objeto e ao modelo de pod.",
    sources=("COO §6",),
    reading="REG pede `app.kubernetes.io/part-of` e COO §6 pede `appgear.io/part-of`; as duas são exigidas, cada uma "
    "por sua regra.",
    bad=_CONFIG_MAP + "\n    app.kubernetes.io/part-of: appgear\n",
    good=_CONFIG_MAP + _GOOD_LABELS,
)
def part_of(found: ObjectView) -> Iterator[Breach]:
    """The key on the object and on its pod template."""
    value = found.module.policy.part_of
    if _missing(found.labels, _PART_OF):
        yield found.breach(
            f"{found.kind} `{found.name}` sem a label `{_PART_OF}`",
            "metadata",
            "labels",
            key="object",
            changes=(set_label(found, (), _PART_OF, value),),
        )
    if found.pod is not None and found.pod.path and _missing(_template_labels(found.pod), _PART_OF):
        yield found.breach(
            f"o modelo de pod de {found.kind} `{found.name}` não tem a label `{_PART_OF}`",
            *found.pod.path,
            "metadata",
            "labels",
            key="template",
            changes=(set_label(found, found.pod.path, _PART_OF, value),),
        )


def _template_labels(pod: PodView) -> dict[str, object]:
    return pod.labels


@selects("modelos de pod")
def _templates(module: ModuleView) -> Iterator[PodView]:
    """Pod templates of whole workloads; a bare Pod is judged by LBL-POLICY."""
    for found in module.objects:
        if found.pod is not None and found.pod.path and not is_excerpt(found):
            yield found.pod


@rule(
    "LBL-POD",
    Severity.MEDIA,
    over=_templates,
    fix=FixMode.AUTO,
    title="Modelo de pod sem label `appgear.io/*`",
    explanation="Custo e tenancy são medidos no pod: labels que estão só no Deployment não chegam a ele.",
    remedy="Repita a label em `template.metadata.labels`; `selector.matchLabels` é imutável e não muda.",
    sources=("COO §6",),
    reading="REG não olha para o modelo de pod; COO §6 fala de Pods.",
    bad=_BAD_POD,
    good=_GOOD_POD,
)
def pod_labels(pod: PodView) -> Iterator[Breach]:
    """The ``appgear.io`` keys among the required ones, each on the template."""
    found, labels = pod.object, _template_labels(pod)
    for key in found.module.policy.required_labels:
        if _is_core_key(key) and _missing(labels, key):
            own = found.labels.get(key)
            value = own if isinstance(own, str) and own else wanted_value(found, key)
            yield found.breach(
                f"o modelo de pod de {found.kind} `{found.name}` não tem a label `{key}`",
                *pod.path,
                "metadata",
                "labels",
                key=key,
                changes=(set_label(found, pod.path, key, value),),
            )


@selects("objetos com tier, suite ou topology")
def _labelled(module: ModuleView) -> Iterator[ObjectView]:
    """Objects that state a tier, suite or topology, on themselves or on their pods."""
    for found in module.objects:
        pod_keys = found.pod.labels if found.pod is not None else {}
        if not _ALLOWED.keys().isdisjoint(found.own_labels) or not _ALLOWED.keys().isdisjoint(pod_keys):
            yield found


@rule(
    "LBL-VALUE",
    Severity.MEDIA,
    over=_labelled,
    fix=FixMode.PARAM,
    title="Label com valor fora da lista",
    explanation="Tier, suíte e topologia são listas fechadas: um valor novo some dos relatórios e das políticas que "
    "filtram por eles.",
    remedy="Use um dos valores: tier `core`, `suite`, `workspace` ou `addon`; suite `core`, `factory`, `brain`, "
    "`operations` ou `guardian`; topology `A` ou `B`.",
    sources=("COO §6",),
    reading="COO §6 lista core, suite e workspace; as suítes escrevem `addon`, que é aceito como o tier delas.",
    bad=_CONFIG_MAP + "\n    appgear.io/tier: plataforma\n",
    good=_CONFIG_MAP + "\n    appgear.io/tier: addon\n",
)
def label_values(found: ObjectView) -> Iterator[Breach]:
    """Values on the object and on its pod template; template holes and values of other types are LBL-SYNTAX."""
    places: list[tuple[str, ...]] = [()]
    if found.pod is not None and found.pod.path:
        places.append(found.pod.path)
    for base in places:
        labels = mapping(found.get(*base, "metadata", "labels"))
        for key, allowed in _ALLOWED.items():
            value = labels.get(key)
            if not isinstance(value, str) or value in allowed or HOLE.search(value):
                continue
            near = {each.lower(): each for each in allowed}.get(value.strip().lower())
            wanted = near or Param(
                name=f"labels.{key}", question=f"Qual destes é o valor de `{key}`: {', '.join(allowed)}?"
            )
            yield found.breach(
                f"`{key}: {value}` não é um dos valores previstos ({', '.join(allowed)})",
                *base,
                "metadata",
                "labels",
                key,
                changes=(found.set(*base, "metadata", "labels", key, to=wanted),),
            )

"""WL: containers say what they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import rule
from pipeline.audit.select import containers
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Operation, Param, Severity
from pipeline.rules.shapes import mapping, maps
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ContainerView, ModuleView
    from pipeline.domain.finding import PatchChange

__all__ = ["missing_resources"]

_WANTED = tuple((kind, unit) for kind in ("requests", "limits") for unit in ("cpu", "memory"))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sized:
    """A container that runs an image, with what the namespace's LimitRange gives where it says nothing."""

    container: ContainerView
    defaults: frozenset[tuple[str, str]]

    @property
    def object(self) -> object:
        """Where it stands, for the engine."""
        return self.container.object


@selects("contêineres")
def _sized(module: ModuleView) -> Iterator[_Sized]:
    ranges = {found.namespace: _defaults(found.get("spec", "limits")) for found in module.by_kind.get("LimitRange", ())}
    for container in module.select(containers):
        if not container.object.partial and "image" in container.value:
            given = ranges.get(container.object.namespace, frozenset())
            yield _Sized(container=container, defaults=given)


def _defaults(limits: Any) -> frozenset[tuple[str, str]]:
    return frozenset(
        (kind, unit)
        for _, limit in maps(limits)
        if limit.get("type") == "Container"
        for kind, field in (("requests", "defaultRequest"), ("limits", "default"))
        for unit in mapping(limit.get(field))
    )


@rule(
    "WL-RES",
    Severity.MEDIA,
    over=_sized,
    fix=FixMode.PARAM,
    title="Container sem requests e limits completos",
    explanation=(
        "Sem requests o agendador não reserva nada e o FinOps não atribui custo; sem limits um container pode tomar o "
        "nó inteiro."
    ),
    remedy="Declare `requests` e `limits` de CPU e de memória em cada container.",
    sources=("seed §6.2", "M00old", "COO §6"),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      resources: {requests: {cpu: 100m, memory: 64Mi}}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m, memory: 128Mi}}
""",
)
def missing_resources(sized: _Sized) -> Iterator[Breach]:
    """Requests or limits, of CPU or memory, are neither in the container nor given by a LimitRange."""
    container = sized.container
    resources = mapping(container.value.get("resources"))
    missing = [
        (kind, unit)
        for kind, unit in _WANTED
        if mapping(resources.get(kind)).get(unit) in (None, "") and (kind, unit) not in sized.defaults
    ]
    if missing:
        what = "init container" if container.init else "container"
        named = ", ".join(f"{kind}.{unit}" for kind, unit in missing)
        yield container.breach(
            f"o {what} `{container.name}` não declara {named}",
            "resources",
            changes=(_complete(container, missing),),
        )


def _complete(container: ContainerView, missing: list[tuple[str, str]]) -> PatchChange:
    """Add what is missing beside what there is, each value asked of the platform."""
    resources = container.value.get("resources")
    if not isinstance(resources, dict):
        whole: dict[str, dict[str, Param]] = {}
        for kind, unit in missing:
            whole.setdefault(kind, {})[unit] = _param(container, kind, unit)
        return container.object.patch(_put(container, ("resources",), "resources" in container.value, whole))
    operations = []
    for kind in dict.fromkeys(kind for kind, _ in missing):
        held = resources.get(kind)
        units = {unit: _param(container, kind, unit) for each, unit in missing if each == kind}
        if isinstance(held, dict):
            operations += [_put(container, ("resources", kind, unit), unit in held, units[unit]) for unit in units]
        else:
            operations.append(_put(container, ("resources", kind), kind in resources, units))
    return container.object.patch(*operations)


def _put(container: ContainerView, path: tuple[str, ...], exists: bool, value: object) -> Operation:
    return Operation(op="replace" if exists else "add", path=json_pointer((*container.path, *path)), value=value)


def _param(container: ContainerView, kind: str, unit: str) -> Param:
    what = {"requests": "de reserva (requests)", "limits": "de limite (limits)"}[kind]
    unit_name = {"cpu": "CPU", "memory": "memória"}[unit]
    return Param(
        name=f"resources.{container.name}.{kind}.{unit}",
        question=f"Quanto de {unit_name} {what} o container `{container.name}` recebe?",
    )

"""PLANO_CORRECAO: findings to ordered actions, with every change exact and every open decision named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pipeline.domain.artifact import Action, CorrectionPlan, Decision
from pipeline.domain.finding import CreateFile, FixMode, NonConformity, Param, PatchChange, Severity, TextChange
from pipeline.flow.merging import OperationLog

if TYPE_CHECKING:
    from pipeline.domain.artifact import ModuleInfo
    from pipeline.domain.finding import Change

__all__ = ["Parameters", "build_plan", "fill_change"]

# A file that does not parse, or that has a key twice, cannot be patched safely before that is mended.
_FIRST = frozenset({"VAL-YAML", "VAL-DUPKEY"})

Parameters = Mapping[str, Mapping[str, str]]


@dataclass(kw_only=True)
class _Group:
    """Findings that one piece of work closes."""

    findings: list[NonConformity] = field(default_factory=list)

    @property
    def severity(self) -> Severity:
        return min((each.severity for each in self.findings), key=lambda severity: severity.rank)

    @property
    def rule(self) -> str:
        return self.findings[0].rule

    @property
    def paths(self) -> set[str]:
        return {each.location.path for each in self.findings}


def build_plan(
    findings: Iterable[NonConformity], *, module: ModuleInfo, run: str, mapa_sha256: str, parameters: Parameters
) -> CorrectionPlan:
    """Group what a person would do in one go, resolve parameters, order by dependency and severity.

    ``findings`` are those that are open. ``parameters`` are the ``[parameters]`` tables of the configuration; a value
    that is not there becomes a Decision, and the changes that need it are left out of the action.
    """
    groups = _groups(findings)
    groups.sort(key=lambda group: (group.rule not in _FIRST, group.severity.rank, group.rule, _start(group)))
    log = OperationLog()
    mended: dict[str, set[str]] = {}
    actions: list[Action] = []
    for number, group in enumerate(groups, 1):
        identifier = f"{module.id}-AC-{number:03d}"
        waits_for: set[str] = set()
        for path in group.paths:
            if group.rule in _FIRST:
                mended.setdefault(path, set()).add(identifier)
            else:
                waits_for |= mended.get(path, set())
        actions.append(_action(identifier, group, waits_for, parameters, log))
    return CorrectionPlan(run=run, module=module, mapa_nc_sha256=mapa_sha256, actions=tuple(actions))


def _groups(findings: Iterable[NonConformity]) -> list[_Group]:
    """Per rule what a tool does alone, per rule and values what waits for a value, per object what a person does."""
    groups: dict[tuple[object, ...], _Group] = {}
    for each in findings:
        mode = each.correction.mode
        key: tuple[object, ...] = (each.rule, mode)
        if mode is FixMode.PARAM:
            key += tuple(sorted({param.name for change in each.correction.changes for param in _params(change)}))
        elif mode is FixMode.MANUAL:
            named = each.object
            key += (each.location.path, (named.kind, named.name) if named else ())
        groups.setdefault(key, _Group()).findings.append(each)
    return list(groups.values())


def _start(group: _Group) -> tuple[str, int]:
    first = group.findings[0].location
    return first.path, first.line


def _action(identifier: str, group: _Group, waits_for: set[str], parameters: Parameters, log: OperationLog) -> Action:
    first = group.findings[0]
    changes, decisions = _resolve(group, parameters)
    merged, needed = log.add(identifier, changes)
    return Action(
        id=identifier,
        closes=tuple(each.id for each in group.findings),
        mode=first.correction.mode,
        severity=group.severity,
        summary=_summary(group),
        instructions=_instructions(group),
        responsible=first.responsible,
        due_days=min(each.due_days for each in group.findings),
        depends_on=tuple(sorted(waits_for | needed)),
        decisions=decisions,
        changes=merged,
    )


def _summary(group: _Group) -> str:
    first = group.findings[0]
    places = sorted(group.paths)
    where = f"`{places[0]}`" if len(places) == 1 else f"{len(places)} arquivos"
    times = f" ({len(group.findings)} ocorrências)" if len(group.findings) > 1 else ""
    return f"{first.rule}: {first.title} em {where}{times}"


def _instructions(group: _Group) -> str:
    """What to do and every place to do it, for the person who does it by hand or checks the tool."""
    lines = [group.findings[0].correction.summary]
    for each in group.findings:
        place = each.location
        in_document = (
            f", linha {place.document_line} do documento" if place.document_line and place.path != "doc" else ""
        )
        lines.append(f"- {each.id}: `{place.path}` linha {place.line}{in_document}: {each.description}")
    return "\n".join(lines)


def _resolve(group: _Group, parameters: Parameters) -> tuple[list[Change], tuple[Decision, ...]]:
    """Changes with their parameters filled in, and what is still to be decided."""
    changes: list[Change] = []
    decisions: dict[str, Decision] = {}
    for each in group.findings:
        for change in each.correction.changes:
            missing = [param for param in _params(change) if _value(param, parameters) is None]
            for param in missing:
                decisions.setdefault(param.name, Decision(parameter=param.name, question=param.question))
            if not missing:
                changes.append(fill_change(change, parameters))
    return changes, tuple(decisions[name] for name in sorted(decisions))


def _params(change: Change) -> list[Param]:
    if isinstance(change, PatchChange):
        return [param for operation in change.operations for param in _params_in(operation.value)]
    if isinstance(change, TextChange):
        return _params_in(change.new)
    return []


def _params_in(value: Any) -> list[Param]:
    if isinstance(value, Param):
        return [value]
    if isinstance(value, dict):
        return [param for item in value.values() for param in _params_in(item)]
    if isinstance(value, list | tuple):
        return [param for item in value for param in _params_in(item)]
    return []


def _value(param: Param, parameters: Parameters) -> str | None:
    table, _, key = param.name.partition(".")
    found = parameters.get(table, {}).get(key)
    return None if found is None else param.template.replace("{}", found)


def fill_change(change: Change, parameters: Parameters, *, missing: str = "") -> Change:
    """The change with its parameters filled in; ``missing`` holds ``{}`` for the name of one that has no value."""
    if isinstance(change, PatchChange):
        filled = tuple(replace(each, value=_fill(each.value, parameters, missing)) for each in change.operations)
        return replace(change, operations=filled)
    if isinstance(change, CreateFile):
        return change
    return replace(change, new=_fill(change.new, parameters, missing))


def _fill(value: Any, parameters: Parameters, missing: str) -> Any:
    if isinstance(value, Param):
        found = _value(value, parameters)
        return value.template.replace("{}", missing.replace("{}", value.name)) if found is None else found
    if isinstance(value, dict):
        return {key: _fill(item, parameters, missing) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(item, parameters, missing) for item in value]
    return value

"""The maturity of the pipeline, 0 to 5: each step is a question that the index answers, with the lines that say so.

A level counts when it and all below it are reached. Level 0 is a group without any audit. Modules are asked, not
branches: a module is as mature as what it shows on any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.domain.kpi import MATURITY_LEVELS, Criterion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.kpi.tracking import Tracked
    from pipeline.ledger import IndexLine

__all__ = ["judge_maturity", "level_of"]

_VERDICTS = frozenset({"aprovado", "condicional", "bloqueado"})
_SHOWN = 5


def judge_maturity(
    lines: Sequence[IndexLine], tracked: Sequence[Tracked], *, sprint_days: int
) -> tuple[Criterion, ...]:
    """Levels 1 to 5 for executions in the order of time, and the non-conformities of their modules and branches."""
    modules: dict[str, list[IndexLine]] = {}
    for line in lines:
        modules.setdefault(line.module, []).append(line)
    return (
        _every(1, modules, _is_audited, "auditoria"),
        _every(2, modules, lambda line, _own: line.verdict in _VERDICTS, "veredito"),
        _every(
            3, modules, lambda line, _own: _is_evidenced(line), "pacote assinado com testes e cobertura registrados"
        ),
        _every(4, modules, _is_decided, "decisão RAPID sobre um pacote com SBOM de tudo"),
        _improves(modules, tracked, sprint_days),
    )


def level_of(criteria: Sequence[Criterion]) -> int:
    """The highest level that is reached with all below it."""
    level = 0
    for each in criteria:
        if not each.met:
            break
        level = each.level
    return level


def _every(
    level: int,
    modules: Mapping[str, Sequence[IndexLine]],
    says: Callable[[IndexLine, Sequence[IndexLine]], bool],
    what: str,
) -> Criterion:
    """Whether each module has a line that says so; the newest such line is the evidence."""
    shown = {module: [line.sequence for line in own if says(line, own)][-1:] for module, own in modules.items()}
    missing = sorted(module for module, found in shown.items() if not found)
    met = bool(modules) and not missing
    if met:
        told = _listed([f"{module} linha {found[0]}" for module, found in sorted(shown.items())])
    else:
        told = f"sem {what}: {_listed(missing)}" if missing else "nenhuma execução"
    return Criterion(level=level, name=MATURITY_LEVELS[level], met=met, evidence=told)


def _is_audited(line: IndexLine, _own: Sequence[IndexLine]) -> bool:
    return line.measures is not None and line.measures.open is not None


def _is_evidenced(line: IndexLine) -> bool:
    figures = line.measures
    tested = figures is not None and bool(figures.tests_passed) and not figures.tests_failed
    return tested and line.verdict in _VERDICTS and line.manifest_sha256 is not None


def _is_decided(line: IndexLine, own: Sequence[IndexLine]) -> bool:
    """A pack whose images and toolkit have their SBOM, and a decision that names its manifest."""
    figures = line.measures
    described = figures is not None and 0 < figures.subjects == figures.described
    return described and any(
        each.command == "rapid" and each.manifest_sha256 == line.manifest_sha256 is not None for each in own
    )


def _improves(modules: Mapping[str, Sequence[IndexLine]], tracked: Sequence[Tracked], sprint_days: int) -> Criterion:
    """No critical finding stands, no risk has risen, nothing grave is older than a sprint."""
    faults: list[str] = []
    measured = False
    for module, own in sorted(modules.items()):
        audited = [line.measures for line in own if line.measures is not None and line.measures.open is not None]
        risks = [each.residual_risk for each in audited if each.residual_risk is not None]
        measured = measured or bool(audited)
        if audited and (audited[-1].open or {}).get(Severity.CRITICA):
            faults.append(f"{module} tem NC CRITICA")
        if risks and risks[-1] > risks[0]:
            faults.append(f"{module} foi de risco {risks[0]} a {risks[-1]}")
    end = max((line.recorded_at for own in modules.values() for line in own), default=None)
    grave = [each for each in tracked if each.severity in (Severity.CRITICA, Severity.ALTA) and each.resolved is None]
    old = [each for each in grave if end is not None and each.days(end) > sprint_days]
    if old:
        faults.append(f"{len(old)} NC ALTA ou pior há mais de {sprint_days} dias")
    met = measured and not faults
    told = _listed(faults) if faults else "sem CRITICA, sem risco em alta, nada grave parado" if met else "nada medido"
    return Criterion(level=5, name=MATURITY_LEVELS[5], met=met, evidence=told)


def _listed(names: Sequence[str]) -> str:
    more = f" e mais {len(names) - _SHOWN}" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

"""``plano_correcao.md``: what to do, in order, by whom and until when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.domain.finding import FixMode
from pipeline.report.text import MODES, block, code, counted, encode, header, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.domain.artifact import Action, CorrectionPlan

__all__ = ["plan_sections", "render_plan"]


def render_plan(plan: CorrectionPlan, diffs: Mapping[str, str]) -> bytes:
    """The report. ``diffs`` holds, by action, what its changes do to the files."""
    return encode([header("PLANO_CORRECAO", plan.module), *plan_sections(plan, diffs, level=2)])


def plan_sections(plan: CorrectionPlan, diffs: Mapping[str, str], *, level: int) -> Iterator[str]:
    """Everything below the title; ``level`` is that of the first headings."""
    mark = "#" * level
    if not plan.actions:
        yield "> Nada a corrigir."
        return
    modes = Counter(each.mode for each in plan.actions)
    waiting = [each for each in plan.actions if each.decisions]
    yield (
        f"> {counted(len(plan.actions), 'ação', 'ações')}: {modes[FixMode.AUTO]} automáticas, "
        f"{modes[FixMode.PARAM]} com valor da plataforma ({len(waiting)} esperam decisão), "
        f"{modes[FixMode.MANUAL]} manuais."
    )
    yield table(
        ("Ação", "Severidade", "Modo", "Responsável", "Prazo", "Depende de", "Fecha", "O que fazer"),
        (_row(each) for each in plan.actions),
    )
    yield from _decisions(waiting, mark)
    yield f"{mark} Cada ação"
    for action in plan.actions:
        yield f"{mark}# {plain(action.id)} · {action.severity} · {plain(action.summary)}"
        first, *places = action.instructions.split("\n")
        yield plain(first)
        yield "\n".join(f"- {plain(each.removeprefix('- '))}" for each in places)
        if diffs.get(action.id):
            yield block(diffs[action.id], "diff")


def _row(action: Action) -> tuple[str, ...]:
    return (
        plain(action.id),
        action.severity,
        "espera decisão" if action.decisions else MODES[action.mode].split(",")[0],
        plain(action.responsible),
        counted(action.due_days, "dia", "dias"),
        ", ".join(plain(each) for each in action.depends_on) or "nada",
        f"{len(action.closes)} NC",
        plain(action.summary),
    )


def _decisions(waiting: list[Action], mark: str) -> Iterator[str]:
    if not waiting:
        return
    yield f"{mark} Decisões em aberto"
    yield "A ferramenta não inventa estes valores. Escreva-os em `appgear.toml` e rode de novo:"
    tables: dict[str, dict[str, str]] = {}
    for action in waiting:
        for each in action.decisions:
            name, _, key = each.parameter.partition(".")
            tables.setdefault(name, {})[key] = each.question
    lines = []
    for name, keys in sorted(tables.items()):
        lines.append(f"[parameters.{name}]")
        for key, question in sorted(keys.items()):
            lines.append(f"# {question}")
            lines.append(f'"{key}" = ""')
        lines.append("")
    yield block("\n".join(lines), "toml")
    yield "Até lá, ficam de fora: " + ", ".join(code(each.id) for each in waiting) + "."

"""The catalogue as implemented: a table for the terminal, a page for one rule, ``docs/regras.md``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.report.text import MODES, block, code, counted, encode, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.artifact import RuleInfo

__all__ = ["RulePage", "explain_rule", "list_rules", "render_catalogue"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RulePage:
    """A rule with its examples, each ready to show, and the name of what it examines."""

    info: RuleInfo
    examines: str
    bad: str
    good: str


def list_rules(pages: Sequence[RulePage]) -> Iterator[str]:
    """One line per rule: id, severity, what it examines, kind of correction, title."""
    width = max((len(each.info.id) for each in pages), default=0)
    for each in pages:
        info = each.info
        fix = MODES[info.fix].split(",")[0] if info.fix.value != "param" else "com valor"
        yield f"{info.id:<{width}}  {info.severity:<7}  {each.examines:<18}  {fix:<10}  {info.title}"


def explain_rule(page: RulePage) -> Iterator[str]:
    """Everything about one rule, as plain lines."""
    info = page.info
    yield f"{info.id} ({info.severity}): {info.title}"
    yield ""
    yield info.explanation
    yield f"O que fazer: {info.remedy}"
    yield f"Correção {MODES[info.fix]}; {info.responsible}, em até {counted(info.due_days, 'dia', 'dias')}."
    yield f"Examina: {page.examines}. Fonte: {'; '.join(info.sources)}."
    if info.reading:
        yield f"Leitura adotada: {info.reading}"
    for name, text in (("Errado", page.bad), ("Certo", page.good)):
        yield ""
        yield f"{name}:"
        yield from (f"    {line}" for line in text.strip("\n").split("\n"))


def render_catalogue(pages: Sequence[RulePage]) -> bytes:
    """``docs/regras.md``, made from the rules and never by hand."""
    parts = [
        "# Regras",
        "Gerado a partir de `pipeline/rules/` por `python -m pipeline regras --write docs/regras.md`: não edite.",
        f"{counted(len(pages), 'regra', 'regras')}: `READ-*` são deste projeto, as outras do catálogo da plataforma.",
        table(
            ("Regra", "Severidade", "Examina", "Correção", "O que é"),
            (
                (f"[{each.info.id}](#{each.info.id.lower()})", each.info.severity, plain(each.examines),
                 MODES[each.info.fix].split(",")[0], plain(each.info.title))
                for each in pages
            ),
        ),
    ]  # fmt: skip
    for each in pages:
        info = each.info
        parts += [
            f"## {info.id}",
            f"**{info.severity}** · {plain(info.title)} · fonte: {plain('; '.join(info.sources))}",
            plain(info.explanation),
            (
                f"**O que fazer:** {plain(info.remedy)} Correção {MODES[info.fix]}; {plain(info.responsible)}, em até "
                f"{counted(info.due_days, 'dia', 'dias')}."
            ),
            f"**Leitura adotada:** {plain(info.reading)}" if info.reading else "",
            "Errado:",
            block(each.bad.strip("\n"), ""),
            "Certo:",
            block(each.good.strip("\n"), ""),
        ]
        parts += [f"Examina {code(each.examines)}."]
    return encode(parts)

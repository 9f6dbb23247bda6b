"""The outcome of many modules on one page: worst first, as text, as Markdown and as data."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.codec import harmless
from pipeline.domain.finding import Severity
from pipeline.domain.summary import LaunchSummary, ModuleResult
from pipeline.errors import ExitCode
from pipeline.outcomes import NO_VERDICT, WORST_FIRST, worst
from pipeline.report.text import code, counted, plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.outcomes import Outcome
    from pipeline.report.terminal import Terminal

__all__ = ["render_markdown", "state_of", "summarise", "worst_first", "write_summary"]

_ENDED = {ExitCode.INTERRUPTED: "interrompido", ExitCode.TERMINATED: "interrompido"}
_STATE_WIDTH = 12
_MAX_MARKDOWN_BYTES = 900 * 1024  # GitHub shows a step's summary up to 1 MiB, and nothing of a longer one


def worst_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """By exit status (``WORST_FIRST``), then by findings from the gravest severity down, then by path."""

    def grave(each: Outcome) -> tuple[object, ...]:
        counts = tuple(-each.severities.get(severity, 0) for severity in Severity)
        return WORST_FIRST.index(each.exit_code), *counts, each.named

    return sorted(outcomes, key=grave)


def state_of(outcome: Outcome) -> str:
    """One word: the verdict, ``erro``, or what a command without a verdict came to."""
    if outcome.error:
        return _ENDED.get(outcome.exit_code, "erro")
    if outcome.verdict != NO_VERDICT:
        return outcome.verdict
    return "bloqueado" if outcome.exit_code is ExitCode.BLOCKED else "feito"


def summarise(outcomes: Sequence[Outcome], command: str) -> LaunchSummary:
    """The answer as data."""
    modules = tuple(
        ModuleResult(
            path=each.named,
            module=each.module,
            title=each.title,
            run=each.run,
            verdict=state_of(each),
            exit_code=int(each.exit_code),
            severities={str(severity): each.severities.get(severity, 0) for severity in Severity},
            report=each.report,
            error=each.error,
            unchanged=bool(each.unchanged),
            seconds=round(each.seconds, 3),
        )
        for each in worst_first(outcomes)
    )
    return LaunchSummary(command=command, exit_code=int(_exit_of(outcomes)), modules=modules)


def write_summary(terminal: Terminal, outcomes: Sequence[Outcome], *, seconds: float) -> None:
    """A line for each module, worst first, under the counts of all."""
    states = Counter(state_of(each) for each in outcomes)
    same = sum(1 for each in outcomes if each.unchanged)
    parts = [f"{terminal.paint(name)} {count}" for name, count in sorted(states.items())]
    terminal.title("RESUMO", counted(len(outcomes), "módulo", "módulos"))
    terminal.row([*parts, f"sem mudança {same}", f"{seconds:.1f} s".replace(".", ",")])
    for each in worst_first(outcomes):
        state = state_of(each)
        counts = [f"{name} {each.severities[name]}" for name in Severity if each.severities.get(name)]
        again = ["sem mudança"] if each.unchanged else []
        name, place = f"{each.module} {each.named}".strip(), each.error or each.report
        terminal.row(
            [
                terminal.paint(state) + " " * (_STATE_WIDTH - len(state)),
                harmless(name),
                *counts,
                *again,
                harmless(place),
            ]
        )


def render_markdown(outcomes: Sequence[Outcome], command: str) -> str:
    """For a job's page; rows beyond what such pages hold are counted instead."""
    ordered = worst_first(outcomes)
    states = Counter(state_of(each) for each in ordered)
    counts = " · ".join(f"**{count}** {name}" for name, count in states.items())
    heads = ("módulo", "resultado", *Severity, "execução")
    lines = [f"## {command}: {counted(len(ordered), 'módulo', 'módulos')}", counts]
    rows, size = [], 0
    for each in ordered:
        row = _row(each)
        size += len("".join(row).encode()) + 40
        if size > _MAX_MARKDOWN_BYTES:
            break
        rows.append(row)
    lines.append(table(heads, rows))
    if len(rows) < len(ordered):
        lines.append(f"E mais {counted(len(ordered) - len(rows), 'módulo', 'módulos')}: veja o resumo em JSON.")
    return "\n\n".join(lines) + "\n"


def _row(outcome: Outcome) -> tuple[str, ...]:
    name = f"{code(outcome.named)} {plain(f'{outcome.module} {outcome.title}'.strip())}".strip()
    found = [str(outcome.severities.get(each, 0)) if outcome.run else "" for each in Severity]
    what = code(outcome.run) if outcome.run else plain(outcome.error)
    return name, state_of(outcome), *found, f"{what} (sem mudança)" if outcome.unchanged else what


def _exit_of(outcomes: Sequence[Outcome]) -> ExitCode:
    return worst([each.exit_code for each in outcomes])

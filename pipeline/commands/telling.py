"""What a launch came to, told wherever somebody waits for it: a terminal, a program, a job's page, beside the code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline.adapters.artifacts import open_artifacts_to_check
from pipeline.adapters.ci import append_step_summary, ci_system
from pipeline.adapters.rendered import write_rendered
from pipeline.codec import load_json
from pipeline.records import dump_record
from pipeline.report.annotations import ANNOTATED, Issue, annotate, load_issues
from pipeline.report.summary import render_markdown, summarise, write_summary
from pipeline.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.outcomes import Outcome
    from pipeline.report.terminal import Terminal

__all__ = ["tell"]

_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_CODE_QUALITY = "mapa_nc.codequality.json"


def tell(
    outcomes: Sequence[Outcome],
    options: argparse.Namespace,
    terminal: Terminal,
    environment: Mapping[str, str],
    *,
    seconds: float,
) -> None:
    """Tell the outcomes of one command. A page that cannot be written is a warning: the result stands without it."""
    if options.json:
        sys.stdout.write(_inert(dump_record(summarise(outcomes, options.command)).decode()))
    elif len(outcomes) > 1:
        write_summary(terminal, outcomes, seconds=seconds)
    page = render_markdown(outcomes, options.command).encode()
    if options.summary is not None:
        write_rendered(options.summary.parent, {options.summary.name: page})
    if environment.get(_STEP_SUMMARY):
        fault = append_step_summary(environment[_STEP_SUMMARY], page)
        if fault:
            terminal.warn(f"{_STEP_SUMMARY}: {fault}")
    system = ci_system(environment)
    if system in ANNOTATED and not options.quiet:
        terminal.commands(annotate(_issues(outcomes, options.artifacts), system))


def _inert(document: str) -> str:
    """The same JSON, without what a CI system would obey inside a line."""
    return document.replace("##[", "\\u0023#[").replace("##vso", "\\u0023#vso")


def _issues(outcomes: Sequence[Outcome], artifacts: Path) -> Iterator[Issue]:
    for each in outcomes:
        if each.error:
            yield Issue(grade="blocker", rule="erro", text=f"{each.named}: {each.error}")
    runs = [each.run for each in outcomes if each.run]
    if not runs:
        return
    with open_artifacts_to_check(artifacts) as folder:
        store = Store(folder)
        for run in runs:
            if store.has(run, "reports", _CODE_QUALITY):
                data = store.read(run, "reports", _CODE_QUALITY)
                yield from load_issues(load_json(data, where=f"reports/{run}/{_CODE_QUALITY}"))

"""The ``regras`` command: the catalogue as implemented, or one rule of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.adapters.rendered import write_rendered
from pipeline.audit.describe import describe_rule, show_example, subject_name
from pipeline.codec import visible
from pipeline.errors import ExitCode, UsageError
from pipeline.report.catalogue import RulePage, explain_rule, list_rules, render_catalogue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.audit.rule import Rule
    from pipeline.report.console import Console

__all__ = ["show_rules"]


def show_rules(options: argparse.Namespace, rules: Sequence[Rule], console: Console) -> ExitCode:
    """List the rules, explain the one that is named, or write the document of them all."""
    pages = [
        RulePage(
            info=describe_rule(each),
            examines=subject_name(each),
            bad=show_example(each.bad),
            good=show_example(each.good),
        )
        for each in rules
    ]
    wanted: str | None = options.rule
    if options.write is not None:
        path: Path = options.write
        write_rendered(path.parent, {path.name: render_catalogue(pages)})
    elif wanted is None:
        console.lines(list_rules(pages))
    else:
        found = [each for each in pages if each.info.id == wanted.upper()]
        if not found:
            raise UsageError(f"não há regra {visible(wanted)}", mend="veja a lista com `regras`")
        console.lines(explain_rule(found[0]))
    return ExitCode.OK

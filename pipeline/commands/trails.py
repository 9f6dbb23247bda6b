"""A command of the trail, over one module in this process or over several in one each; and who is told of it."""

from __future__ import annotations

import io
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from pipeline.adapters.ci import ci_system
from pipeline.adapters.globbing import expand
from pipeline.adapters.host import has_colour
from pipeline.commands.again import find_again
from pipeline.failures import explained
from pipeline.outcomes import Outcome, failed, worst
from pipeline.report.terminal import Terminal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pipeline.errors import ExitCode

__all__ = ["TRAIL", "run_trail"]

TRAIL = frozenset(
    {"mapa_nc", "plano_correcao", "modulo_reescrito", "parecer_ia", "checklist", "pipeline", "evidencias"}
)
"""Commands that work on modules, and so on many of them."""


def run_trail(options: argparse.Namespace) -> ExitCode:
    """Run it, and tell the outcome to whoever waits for one; of several modules the worst counts."""
    modules = expand(options.module)
    out = io.StringIO() if options.json else sys.stdout  # what is told then is one document
    terminal = Terminal(out, sys.stderr, quiet=options.quiet, colour=has_colour(sys.stdout, os.environ))
    if len(modules) > 1:
        from pipeline.commands.many import ManyModules  # noqa: PLC0415

        many = ManyModules(options, modules, terminal)
        with _told(options, terminal, many.outcomes):
            many.run()
        return worst([each.exit_code for each in many.outcomes])
    options.module = modules[0] if modules else None
    outcomes: list[Outcome] = []
    with _told(options, terminal, outcomes):
        begun = time.monotonic()
        try:
            outcomes.append(_run_one(options, terminal, out))
        except Exception as error:
            outcomes.append(failed(str(options.module or ""), explained(error), time.monotonic() - begun))
            raise
    return outcomes[0].exit_code


def _run_one(options: argparse.Namespace, terminal: Terminal, out: TextIO) -> Outcome:
    """What an earlier launch made, where nothing has changed since; else the command."""
    found = find_again(options, terminal.progress)
    if found is not None:
        terminal.again(found, str(options.artifacts))
        return found
    from pipeline.commands.launch import Launcher  # noqa: PLC0415  # a launch that finds nothing to do needs nothing of it
    from pipeline.commands.trail import TrailCommands  # noqa: PLC0415

    launcher = Launcher(options, out=out)
    code: ExitCode = getattr(TrailCommands(launcher), options.command)()
    return launcher.outcome or Outcome(named=str(options.module or ""), exit_code=code)


@contextmanager
def _told(options: argparse.Namespace, terminal: Terminal, outcomes: Sequence[Outcome]) -> Iterator[None]:
    """Tell what has come out, however it ends."""
    begun = time.monotonic()
    try:
        yield
    finally:
        asked = options.json or options.summary is not None or os.environ.get("GITHUB_STEP_SUMMARY")
        if outcomes and (len(outcomes) > 1 or asked or ci_system(os.environ)):
            from pipeline.commands.telling import tell  # noqa: PLC0415  # a person at a terminal has been told already

            tell(outcomes, options, terminal, os.environ, seconds=time.monotonic() - begun)

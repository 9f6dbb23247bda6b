"""Many modules in one launch: a process each, one artifacts folder, one index, one answer.

What has not changed since an earlier launch is told by this process itself; the rest is worth a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from argparse import Namespace
from dataclasses import asdict, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.adapters.workers import Workers
from pipeline.commands.again import find_again
from pipeline.errors import ExitCode, Terminated, ToolError, UsageError
from pipeline.failures import explained
from pipeline.outcomes import Outcome, failed
from pipeline.report.summary import state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pipeline.adapters.workers import Ended
    from pipeline.report.terminal import Terminal

__all__ = ["LOADED", "ManyModules"]

# What a trail imports as it goes: loaded once, before the first process is forked, it is shared by all of them.
LOADED = (
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "jinja2",
    "jsonpatch",
    "jsonschema_rs",
    "pygal",
    "securesystemslib.dsse",
    "securesystemslib.signer",
    "pipeline.commands.asking",
    "pipeline.audit.schema",
    "pipeline.commands.evidence",
    "pipeline.flow.checking",
    "pipeline.commands.launch",
    "pipeline.measuring",
    "pipeline.report.checklist",
    "pipeline.report.machine",
    "pipeline.report.mapa",
    "pipeline.report.opinion_html",
    "pipeline.report.plan",
    "pipeline.report.sarif",
    "pipeline.reread",
    "pipeline.commands.trail",
)
_FOR_ONE = {"baseline": "--baseline", "branch": "--branch", "replay": "--replay", "dry_run": "--dry-run"}


class ManyModules:
    """One launch of a command over several modules; ``outcomes`` has those that have ended, however it ends.

    UsageError for an option that belongs to one module.
    """

    def __init__(self, options: Namespace, modules: Sequence[Path], terminal: Terminal) -> None:
        for name, option in _FOR_ONE.items():
            if getattr(options, name, None):
                raise UsageError(f"{option} vale para um módulo só", mend="rode um módulo de cada vez com esta opção")
        self._options = options
        self._modules = modules
        self._terminal = terminal
        self._jobs = min(options.jobs or _processors(), len(modules))
        self.outcomes: list[Outcome] = []

    def run(self) -> None:
        """Run them all. A module that fails, or whose process dies, is an outcome like any other."""
        with Workers(self._work, jobs=self._jobs) as workers:
            for task in range(len(self._modules)):
                found = self._unchanged(task)
                if found is not None:
                    self._tell(found)
                    continue
                _load()
                while workers.full:
                    self._collect(workers.wait())
                workers.start(task)
            while not workers.idle:
                self._collect(workers.wait())

    def _for(self, task: int) -> Namespace:
        return Namespace(**{**vars(self._options), "module": self._modules[task], "quiet": True})

    def _unchanged(self, task: int) -> Outcome | None:
        """What an earlier launch came to, told in this process: it reads and hashes, and interprets nothing."""
        begun, options = time.monotonic(), self._for(task)
        try:
            found = find_again(options, self._terminal.progress)
        except Exception as error:  # it concerns this module alone
            return failed(str(options.module), explained(error), time.monotonic() - begun)
        return None if found is None else replace(found, seconds=time.monotonic() - begun)

    def _work(self, task: int) -> bytes:
        """In a process of its own: the command on one module; its outcome as JSON."""
        from pipeline.commands.launch import Launcher  # noqa: PLC0415  # where nothing has changed nobody needs it
        from pipeline.commands.trail import TrailCommands  # noqa: PLC0415

        options = self._for(task)
        named = str(options.module)
        try:
            launcher = Launcher(options)
            getattr(TrailCommands(launcher), options.command)()
            outcome = launcher.outcome or failed(named, ToolError("não disse a que chegou"), 0.0)
        except Exception as error:
            if options.verbose:
                traceback.print_exc()
            outcome = failed(named, explained(error), 0.0)
        except (KeyboardInterrupt, Terminated) as interrupted:
            outcome = _interrupted(named, interrupted)
        return json.dumps(asdict(outcome)).encode("ascii")

    def _collect(self, ended: Iterable[Ended]) -> None:
        for each in ended:
            if each.status == 0:
                facts = json.loads(each.answer)
                outcome = Outcome(**{**facts, "exit_code": ExitCode(facts["exit_code"]), "seconds": each.seconds})
                for line in each.said.splitlines():
                    self._terminal.warn(f"{outcome.named}: {line.removeprefix('aviso: ')}")
            else:
                outcome = failed(str(self._modules[each.task]), _death(each), each.seconds)
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        why = "sem mudança" if outcome.unchanged else f"{outcome.seconds:.1f} s".replace(".", ",")
        place = f"{len(self.outcomes)}/{len(self._modules)}"
        self._terminal.note(f"{place} {outcome.named}: {state_of(outcome)} ({why})")


@cache
def _load() -> None:
    for name in LOADED:
        import_module(name)
    from pipeline.rules.catalog import load_rules  # noqa: PLC0415

    load_rules()


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _interrupted(named: str, interrupted: BaseException) -> Outcome:
    code = ExitCode.INTERRUPTED if isinstance(interrupted, KeyboardInterrupt) else ExitCode.TERMINATED
    return Outcome(named=named, exit_code=code, error="interrompido")


def _death(ended: Ended) -> ToolError:
    """A process that gave no answer: by a signal, or by a defect that it could still print."""
    if ended.status < 0:
        number = -ended.status
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return ToolError(
            f"o processo do módulo morreu pelo sinal {name}", mend="confira a memória; rode-o sozinho com -v"
        )
    last = ended.said.strip().rpartition("\n")[2]
    return ToolError(
        f"o processo do módulo terminou sem resposta ({last})", mend="rode-o sozinho com -v e relate o defeito"
    )

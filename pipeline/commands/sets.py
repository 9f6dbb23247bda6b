"""The ``applicationset`` command: write, check, preview or compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.rendered import write_rendered
from pipeline.appset.preview import dump_applications, preview
from pipeline.codec import visible
from pipeline.errors import ExitCode, GateError, UsageError
from pipeline.report.console import ApplicationChanges
from pipeline.report.text import counted
from pipeline.sets import DRIFT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from pipeline.appset.changes import ApplicationDiff
    from pipeline.inputs import Inputs
    from pipeline.ports import FileReader, Git
    from pipeline.report.console import Console

__all__ = ["SetCommands"]


class SetCommands:
    """One run of the command, over the ApplicationSets that the configuration names."""

    def __init__(
        self, options: argparse.Namespace, *, console: Console, inputs: Inputs, reader: FileReader, git: Git
    ) -> None:
        self._options = options
        self._console = console
        self._inputs = inputs
        self._reader = reader
        self._git = git

    def run(self) -> ExitCode:
        """Write, check, preview or compare the ApplicationSets."""
        options, console = self._options, self._console
        if options.preview:
            path = Path(options.preview)
            console.data(
                dump_applications(preview(self._reader.read_file(path), where=visible(options.preview))).decode()
            )
            return ExitCode.OK
        sets = self._inputs.appsets
        if sets is None:
            raise UsageError(
                "não há ApplicationSets configurados", mend="escreva [applicationset] values em appgear.toml"
            )
        if options.preview is not None:
            console.data(sets.applications().decode())
            return ExitCode.OK
        if options.diff:
            return self._show_diffs(sets.diff(self._git, options.diff, offline=options.offline))
        drift = sets.drift
        if options.check:
            console.lines(
                line for each in drift for line in (f"{each.path}: {DRIFT[each.kind]}", *each.diff.split("\n"))
            )
            if drift:
                raise GateError(
                    f"{counted(len(drift), 'arquivo diverge', 'arquivos divergem')} dos valores",
                    where=visible(str(sets.values)),
                    mend="rode `applicationset` e faça o commit",
                )
            console.lines([f"{counted(len(sets.rendered), 'arquivo confere', 'arquivos conferem')} com {sets.values}"])
            return ExitCode.OK
        changed = {each.path: sets.rendered[each.path] for each in drift if each.kind != "surplus"}
        write_rendered(sets.folder, changed)
        console.lines(f"escrito: {sets.folder}/{path}" for path in changed)
        console.lines(f"sobra, apague à mão: {sets.folder}/{each.path}" for each in drift if each.kind == "surplus")
        if not drift:
            console.lines(["nada mudou"])
        return ExitCode.OK

    def _show_diffs(self, diffs: Mapping[str, ApplicationDiff]) -> ExitCode:
        """Every file's changes; 10 when one deletes too much."""
        for path, diff in diffs.items():
            changes = ApplicationChanges(
                added=diff.added,
                changed=tuple((each.name, tuple(field.path for field in each.fields)) for each in diff.changed),
                deleted=tuple((each.name, each.cascades) for each in diff.deleted),
            )
            self._console.application_diff(path, changes)
        blocked = {path: diff.blocked for path, diff in diffs.items() if diff.blocked}
        for path, reason in blocked.items():
            raise GateError(reason, where=visible(path), mend="confirme a remoção com o CCB antes de seguir")
        return ExitCode.OK

"""The commands about the index: ``indice`` lists, measures, draws and merges; ``retencao`` lets go what may go."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.adapters.ci import pipeline_name
from pipeline.adapters.host import describe_host
from pipeline.codec import visible
from pipeline.domain.execution import Hold, Removal
from pipeline.errors import ExitCode, InputError, IntegrityError, UsageError
from pipeline.evidence.manifest import RAPID
from pipeline.evidence.rapid import nonces_of
from pipeline.kpi.figures import Selection, SprintCalendar, build_report
from pipeline.ledger import INDEX, Execution, is_run, parse_ledger
from pipeline.merging import MergeSource, merge_folders
from pipeline.ports import CATEGORIES, show_path
from pipeline.records import dump_record
from pipeline.removals import held_runs, reduce_run, removed_runs, run_sums
from pipeline.report.index_text import columns, criteria_lines, kpi_csv, kpi_lines, line_rows, lines_csv
from pipeline.report.text import counted
from pipeline.retaining import plan_retention
from pipeline.store import MAX_INDEX_BYTES, Store
from pipeline.store_verify import verify_store

if TYPE_CHECKING:
    import argparse

    from pipeline.config import Config
    from pipeline.domain.kpi import Grouping, IndexReport
    from pipeline.ledger import IndexLine
    from pipeline.ports import ArtifactFolder
    from pipeline.report.console import Console
    from pipeline.retaining import RetentionCase

__all__ = ["IndexCommands"]


class IndexCommands:
    """One command's options, its console, and the configuration."""

    def __init__(self, options: argparse.Namespace, console: Console, config: Config) -> None:
        self._options = options
        self._console = console
        self._config = config

    # --- indice

    def indice(self) -> ExitCode:
        """List and measure what is selected, as the options ask, or merge."""
        options = self._options
        if options.merge:
            return self._merge([Path(each) for each in options.merge])
        selection = self._selection()
        with open_artifacts_to_check(options.artifacts) as folder:
            lines = _lines(folder)
        report = self._report(lines, selection, options.by)
        if options.html is not None:
            self._draw(lines, selection, report)
        elif options.json:
            self._console.data(dump_record(report).decode())
        elif options.csv:
            self._console.data(kpi_csv(report) if options.kpi else lines_csv(report.lines))
        else:
            self._show(report)
        return ExitCode.OK

    def _report(self, lines: tuple[IndexLine, ...], selection: Selection, by: Grouping) -> IndexReport:
        return build_report(lines, selection, self._calendar(), by=by)

    def _calendar(self) -> SprintCalendar:
        return SprintCalendar(start=self._config.kpi.sprint_start, days=self._config.kpi.sprint_days)

    def _selection(self) -> Selection:
        options = self._options
        return Selection(
            modules=frozenset(each.upper() for each in options.module_id),
            branches=frozenset(options.branch),
            verdicts=frozenset(options.verdict),
            sprints=frozenset(options.sprint),
            since=_day(options.since, "--since"),
            until=_day(options.until, "--until"),
        )

    def _show(self, report: IndexReport) -> None:
        if not report.lines:
            self._console.lines(["nenhuma linha do índice corresponde ao que se pediu"])
            return
        if not self._options.kpi:
            self._console.lines([*line_rows(report.lines), ""])
        self._console.lines([*kpi_lines(report), "", *criteria_lines(report.total)])

    def _draw(self, lines: tuple[IndexLine, ...], selection: Selection, report: IndexReport) -> None:
        from pipeline.adapters.rendered import write_rendered  # noqa: PLC0415  # only who draws needs it
        from pipeline.report.panel import Panel, render_panel  # noqa: PLC0415

        path: Path = self._options.html
        panel = Panel(
            sprints=self._report(lines, selection, "sprint"),
            modules=self._report(lines, selection, "module"),
            branches=self._report(lines, selection, "branch"),
            selected=_told(selection, self._calendar()),
        )
        write_rendered(path.parent, {path.name: render_panel(panel)})
        self._console.lines([f"painel: {show_path(path)} ({counted(len(report.lines), 'linha', 'linhas')} do índice)"])

    def _merge(self, folders: list[Path]) -> ExitCode:
        target: Path = self._options.artifacts
        for path in folders:
            if target.exists() and path.exists() and path.samefile(target):
                raise UsageError("a pasta de destino é também origem", where=show_path(path), mend="indique as outras")
        with ExitStack() as stack:
            sources = [
                MergeSource(name=show_path(path), folder=stack.enter_context(open_artifacts_to_check(path)), root=path)
                for path in folders
            ]
            folder = stack.enter_context(open_artifacts(target))
            if folder.digest(INDEX) is not None:
                _refuse_broken(folder, show_path(target))
            result = merge_folders(Store(folder), folder, sources, now=datetime.now(UTC))
        runs = len({each.partition("/")[2] for each in result.places})
        self._console.lines(
            [
                f"reunido em {show_path(target)}, de {counted(len(folders), 'pasta', 'pastas')}",
                f"linhas novas: {result.added}   linhas que já estavam: {result.known}   runs gravados: {runs}",
            ]
        )
        return ExitCode.OK

    # --- retencao

    def retencao(self) -> ExitCode:
        """Say what may go and why the rest stays; with ``--apply`` take it away; record or end a legal hold."""
        options = self._options
        now, today = datetime.now(UTC), _day(options.today, "--today")
        if options.hold or options.release:
            with open_artifacts(options.artifacts) as folder:
                return self._hold(Store(folder), now)
        with open_artifacts_to_check(options.artifacts) as folder:
            cases = plan_retention(_lines(folder), _present(folder), now=now, today=today)
            if options.apply:
                _refuse_broken(folder, show_path(options.artifacts))
        self._list(cases)
        leaving = sum(each.state == "sai" for each in cases)
        if not options.apply:
            hint = "; nada foi apagado, use --apply" if leaving else ""
            self._console.lines(["", f"{counted(leaving, 'run sai', 'runs saem')}{hint}"])
            return ExitCode.OK
        with open_artifacts(options.artifacts) as folder:
            self._let_go(folder, now, today)
        return ExitCode.OK

    def _let_go(self, folder: ArtifactFolder, now: datetime, today: date | None) -> None:
        """Take away what may go as the index stands now, and what a killed command left of it."""
        store = Store(folder)
        with store.writing() as index:
            lines = parse_ledger(index).lines
            unfinished = [run for run, line in removed_runs(lines).items() if reduce_run(folder, line)]
            for case in plan_retention(lines, _present(folder), now=now, today=today):
                if case.state == "sai":
                    reduce_run(folder, store.record(self._removal(folder, lines, case, now)))
                    unfinished.append(case.run)
        self._console.lines(["", *(f"removido: {run}" for run in unfinished)] if unfinished else ["", "nada a remover"])

    def _list(self, cases: tuple[RetentionCase, ...]) -> None:
        heads = ("RUN", "MÓDULO", "GUARDAR ATÉ", "SITUAÇÃO", "POR QUÊ")
        rows = [
            (each.run, each.module, f"{each.until:%d/%m/%Y}" if each.until else "", each.state, each.reason)
            for each in cases
        ]
        self._console.lines(columns(heads, rows, most=120))

    def _removal(
        self, folder: ArtifactFolder, lines: tuple[IndexLine, ...], case: RetentionCase, now: datetime
    ) -> Execution:
        found = {category: run_sums(folder, f"{category}/{case.run}") for category in CATEGORIES}
        there = {category: each for category, each in found.items() if each is not None}
        spoken = folder.read(f"reports/{case.run}/{RAPID}", limit=MAX_INDEX_BYTES)
        last = [line for line in lines if line.run == case.run][-1]
        removal = Removal(
            sums={category: digest for category, (digest, _) in there.items()},
            files=sum(len(listed) for _, listed in there.values()),
            nonces=tuple(nonces_of(spoken)) if spoken else (),
        )
        return self._word(last, "removido", now, removal=removal)

    def _hold(self, store: Store, now: datetime) -> ExitCode:
        options = self._options
        run: str = options.hold or options.release
        if options.hold and options.release:
            raise UsageError("--hold e --release juntos", mend="use um de cada vez")
        if not options.owner or not options.reason:
            raise UsageError("faltam --owner e --reason", mend="diga quem responde e por quê")
        with store.writing() as index:
            lines = parse_ledger(index).lines
            own = [line for line in lines if line.run == run]
            if not own:
                raise UsageError(f"o índice não registra o run {visible(run)}", mend="veja a lista com `retencao`")
            held = run in held_runs(lines)
            if held == bool(options.hold):
                state = "já está" if held else "não está"
                raise UsageError(f"o run {run} {state} sob retenção legal", mend="veja a lista com `retencao`")
            hold = Hold(
                action="hold" if options.hold else "release", owner=_words(options.owner), reason=_words(options.reason)
            )
            verdict = "retencao-legal" if options.hold else "retencao-liberada"
            store.record(self._word(own[-1], verdict, now, hold=hold))
        what = "sob retenção legal" if options.hold else "livre da retenção legal"
        self._console.lines([f"registrado: {run} {what}"])
        return ExitCode.OK

    def _word(
        self, line: IndexLine, verdict: str, now: datetime, *, hold: Hold | None = None, removal: Removal | None = None
    ) -> Execution:
        """A word about a run: it names no manifest, and so stands between no two packs."""
        return Execution(
            run=line.run,
            module=line.module,
            command="retencao",
            pipeline=pipeline_name(os.environ),
            branch=line.branch,
            commit=line.commit,
            verdict=verdict,
            manifest_sha256=None,
            started=now,
            finished=now,
            details=describe_host(os.environ),
            retention_days=self._config.retention_days,
            hold=hold,
            removal=removal,
        )


def _lines(folder: ArtifactFolder) -> tuple[IndexLine, ...]:
    with folder.locked(shared=True):
        data = folder.read(INDEX, limit=MAX_INDEX_BYTES)
    lines = parse_ledger(data or b"").lines
    if not lines:
        raise InputError("nenhuma execução registrada", where=INDEX, mend="rode uma etapa, ou confira --artifacts")
    return lines


def _present(folder: ArtifactFolder) -> set[str]:
    return {each.path for each in folder.entries("reports") if is_run(each.path)}


def _refuse_broken(folder: ArtifactFolder, where: str) -> None:
    found = verify_store(folder, now=datetime.now(UTC))
    if found.problems:
        problems = counted(len(found.problems), "problema", "problemas")
        mend = "rode `verificar` e restaure a cópia original"
        raise IntegrityError(f"{found.problems[0]} ({problems} de integridade)", where=where, mend=mend)


def _day(given: str | None, option: str) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise UsageError(f"{option} não é uma data: {visible(given)}", mend="use AAAA-MM-DD") from error


def _words(text: str) -> str:
    """One line without controls, as the index keeps it."""
    return " ".join(visible(text).split())


def _told(selection: Selection, calendar: SprintCalendar) -> str:
    """What was selected, in words."""
    parts = [
        ("módulo", sorted(selection.modules)),
        ("branch", sorted(selection.branches)),
        ("veredito", sorted(selection.verdicts)),
        ("sprint", [calendar.label(each) for each in sorted(selection.sprints)]),
        ("desde", [f"{selection.since:%d/%m/%Y}"] if selection.since else []),
        ("até", [f"{selection.until:%d/%m/%Y}"] if selection.until else []),
    ]
    told = [f"{name} {', '.join(values)}" for name, values in parts if values]
    return "; ".join(told) or "Todos os módulos e branches"

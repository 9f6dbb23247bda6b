"""The ``ci`` command: explain, write and check the jobs; and what they call around their session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.adapters.artifacts import open_artifacts_to_check
from pipeline.adapters.output import write_tree_atomic
from pipeline.adapters.rendered import write_rendered
from pipeline.ci.explain import explain_job, list_jobs
from pipeline.ci.table import JOBS, job_named
from pipeline.codec import visible
from pipeline.domain.artifact import Checklist, MapaNc
from pipeline.errors import ExitCode, GateError, ToolError, UsageError
from pipeline.ports import MAX_FILE_BYTES, show_path
from pipeline.records import load_record
from pipeline.report.ci import ModuleReports, merge_code_quality, merge_sarif, render_ci_summary
from pipeline.report.text import counted
from pipeline.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.ports import FileReader
    from pipeline.report.console import Console

__all__ = ["CiCommands"]

_LAUNCHER = "ci/nox"
_MEND = "rode `ci write` e faça o commit"


class CiCommands:
    """One action of the command. ``audit`` runs ``mapa_nc`` on modules, for ``changed``."""

    def __init__(
        self,
        options: argparse.Namespace,
        *,
        console: Console,
        reader: FileReader,
        modules: Callable[[], Sequence[str]],
        audit: Callable[[Sequence[str]], ExitCode],
    ) -> None:
        self._options = options
        self._console = console
        self._reader = reader
        self._modules = modules
        self._audit = audit

    def run(self) -> ExitCode:
        """The action that was asked for."""
        actions: dict[str, Callable[[], ExitCode]] = {
            "explain": self._explain,
            "write": self._write,
            "check": self._check,
            "modules": self._list_modules,
            "changed": self._changed,
            "collect": self._collect,
        }
        return actions[self._options.action]()

    def _explain(self) -> ExitCode:
        name: str | None = self._options.job
        if name is None:
            self._console.lines(list_jobs(_LAUNCHER))
            return ExitCode.OK
        job = job_named(name)
        if job is None:
            known = ", ".join(each.name for each in JOBS)
            raise UsageError(f"não há job {visible(name)}", mend=f"use um de {known}")
        self._console.lines(explain_job(job, _LAUNCHER))
        return ExitCode.OK

    # --- generated files

    def _write(self) -> ExitCode:
        folder: Path = self._options.folder
        rendered = _rendered()
        changed = {path: data for path, data in rendered.items() if self._present(folder, path) != data}
        write_rendered(folder, changed)
        self._console.lines(f"escrito: {show_path(folder / path)}" for path in changed)
        self._console.lines([] if changed else ["nada mudou"])
        return ExitCode.OK

    def _check(self) -> ExitCode:
        folder: Path = self._options.folder
        rendered = _rendered()
        drift = [
            (path, "falta" if present is None else "mudou")
            for path, data in sorted(rendered.items())
            if (present := self._present(folder, path)) != data
        ]
        self._console.lines(f"{path}: {kind}" for path, kind in drift)
        if drift:
            raise GateError(
                f"{counted(len(drift), 'arquivo de CI diverge', 'arquivos de CI divergem')} da tabela de jobs",
                where=show_path(folder),
                mend=_MEND,
            )
        self._console.lines([f"{counted(len(rendered), 'arquivo confere', 'arquivos conferem')} com a tabela de jobs"])
        return ExitCode.OK

    def _present(self, folder: Path, path: str) -> bytes | None:
        place = folder / path
        return self._reader.read_file(place, limit=MAX_FILE_BYTES) if place.exists() else None

    # --- what jobs call

    def _list_modules(self) -> ExitCode:
        """The modules as one JSON array, which is all of stdout: what a fan-out takes."""
        self._console.data(json.dumps(list(self._modules()), ensure_ascii=False) + "\n")
        return ExitCode.OK

    def _changed(self) -> ExitCode:
        """Audit the modules that hold one of the files."""
        files: list[str] = self._options.files
        found = [each for each in self._modules() if any(f"{name}/".startswith(f"{each}/") for name in files)]
        if not found:
            self._console.lines(["nenhum módulo mudou"])
            return ExitCode.OK
        return self._audit(found)

    def _collect(self) -> ExitCode:
        """Gather the newest run of each module into one folder: summary, SARIF, JUnit, Code Quality."""
        artifacts: Path = self._options.artifacts
        folder: Path = self._options.folder
        modules = self._newest(artifacts)
        if not modules:
            raise ToolError(
                "nenhuma execução a recolher", where=show_path(artifacts), mend="rode a sessão do job antes"
            )
        files = {
            "resumo.md": render_ci_summary(modules, artifacts=str(artifacts)),
            "mapa_nc.sarif": merge_sarif(each.sarif for each in modules),
            "codequality.json": merge_code_quality(each.code_quality for each in modules),
            **{f"junit/{each.run}.xml": each.junit for each in modules},
        }
        write_tree_atomic(folder, files, outside=[artifacts])
        self._console.lines([f"recolhido: {counted(len(modules), 'módulo', 'módulos')} em {show_path(folder)}"])
        return ExitCode.OK

    def _newest(self, artifacts: Path) -> list[ModuleReports]:
        """Of each module the run that was executed last, in the order of their ids."""
        if not artifacts.is_dir():
            return []
        with open_artifacts_to_check(artifacts) as folder:
            store = Store(folder)
            runs = dict.fromkeys(line.run for line in store.history())
            read = [each for run in runs if (each := _read_reports(store, run)) is not None]
        latest = {(each.mapa.module.id, each.mapa.module.document): each for each in read}
        return sorted(latest.values(), key=lambda each: (each.mapa.module.id, each.run))


def _read_reports(store: Store, run: str) -> ModuleReports | None:
    """The reports of a run, hashed again; None where it audited nothing (the toolkit's own tests)."""
    if not store.has(run, "reports", "mapa_nc.json"):
        return None
    where = f"reports/{run}"
    judged = store.has(run, "reports", "checklist.json")
    return ModuleReports(
        run=run,
        mapa=load_record(store.read(run, "reports", "mapa_nc.json"), MapaNc, where=f"{where}/mapa_nc.json"),
        checklist=load_record(store.read(run, "reports", "checklist.json"), Checklist, where=f"{where}/checklist.json")
        if judged
        else None,
        sarif=store.read(run, "reports", "mapa_nc.sarif"),
        junit=store.read(run, "reports", "mapa_nc.junit.xml"),
        code_quality=store.read(run, "reports", "mapa_nc.codequality.json"),
    )


def _rendered() -> dict[str, bytes]:
    try:
        from pipeline.ci.render import render_ci  # noqa: PLC0415  # only who generates pays for Hera
    except ModuleNotFoundError as error:
        raise ToolError("falta o Hera, que monta os arquivos do Argo", mend="pip install hera") from error
    return render_ci()

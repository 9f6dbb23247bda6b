"""Commands, composed: adapters meet the pure rooms here, and only here are clock and environment read."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.files import DiskReader
from pipeline.adapters.git import SafeGit
from pipeline.adapters.host import describe_host, pipeline_name, toolkit_digest, toolkit_version
from pipeline.codec import dump_json, sha256_hex, sort_sums, visible
from pipeline.config import Config, load_config
from pipeline.domain.artifact import MapaNc
from pipeline.domain.finding import Severity
from pipeline.errors import ExitCode, InputError, ToolError, UsageError
from pipeline.intake import read_source
from pipeline.ledger import Execution
from pipeline.ports import BranchAuthor
from pipeline.records import load_record
from pipeline.report.console import Console
from pipeline.rules.catalog import load_rules
from pipeline.stages import Trail
from pipeline.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from pipeline.audit.rule import Rule
    from pipeline.domain.finding import NonConformity
    from pipeline.intake import Source

__all__ = ["run_command"]

_DEFAULT_CONFIG = "appgear.toml"
_VERDICT_EXIT = {
    "aprovado": ExitCode.OK,
    "condicional": ExitCode.CONDITIONAL,
    "bloqueado": ExitCode.BLOCKED,
}
_STRICTNESS = (ExitCode.OK, ExitCode.CONDITIONAL, ExitCode.BLOCKED)


def run_command(options: argparse.Namespace) -> ExitCode:
    """Run what the command line asks for."""
    app = _App(options)
    commands: dict[str, Callable[[], ExitCode]] = {
        "mapa_nc": app.mapa_nc,
        "plano_correcao": app.plano_correcao,
        "modulo_reescrito": app.modulo_reescrito,
        "checklist": app.checklist,
        "pipeline": app.checklist,
        "applicationset": app.applicationset,
        "verificar": app.verificar,
        "regras": app.regras,
        "registrar_testes": app.registrar_testes,
    }
    return commands[options.command]()


@dataclass(kw_only=True)
class _Started:
    """A run that has begun, and what its index line will say."""

    trail: Trail
    verdict: str = "sem-veredito"
    manifest: str | None = None


class _App:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.console = Console(sys.stdout, sys.stderr, quiet=options.quiet, colour=colour)
        self.reader = DiskReader()
        self.git = SafeGit()

    # --- inputs

    @cached_property
    def config_folder(self) -> Path:
        path: Path | None = self.options.config
        return (path or Path(_DEFAULT_CONFIG)).parent

    @cached_property
    def config(self) -> Config:
        path: Path | None = self.options.config
        if path is None and not Path(_DEFAULT_CONFIG).exists():
            return Config()
        chosen = path or Path(_DEFAULT_CONFIG)
        if path is None:
            self._refuse_audited_config(chosen)
        return load_config(self.reader.read_file(chosen), where=visible(str(chosen)))

    def _refuse_audited_config(self, chosen: Path) -> None:
        """The tree under audit must not configure its audit; a file named on the command line is the user's word."""
        for given in (self.options.module, self.options.gitops and Path(self.options.gitops)):
            if given is not None and given.is_dir() and chosen.resolve().is_relative_to(given.resolve()):
                raise UsageError(
                    "a configuração está dentro da árvore auditada",
                    where=visible(str(chosen)),
                    mend="mova-a para fora ou nomeie-a com --config",
                )

    @cached_property
    def source(self) -> Source:
        module: Path | None = self.options.module
        if module is None and self.options.gitops is None:
            if not self.config.module:
                raise UsageError("falta o módulo", mend="use --module ou escreva [module] path em appgear.toml")
            module = self.config_folder / self.config.module
        return read_source(module, self.options.gitops, reader=self.reader, git=self.git, offline=self.options.offline)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        return load_rules()

    @cached_property
    def baseline(self) -> tuple[tuple[NonConformity, ...], str]:
        """Findings of ``--baseline`` and the digest of the file; empty without one."""
        path: Path | None = self.options.baseline
        if path is None:
            return (), ""
        data = self.reader.read_file(path)
        mapa = load_record(data, MapaNc, where=visible(str(path)))
        if mapa.module.id != self.source.snapshot.id:
            raise InputError(
                f"a referência é do módulo {mapa.module.id}, e não do {self.source.snapshot.id}",
                where=visible(str(path)),
                mend="aponte --baseline para o mapa_nc.json deste módulo",
            )
        return mapa.non_conformities, sha256_hex(data)

    def _inputs(self) -> dict[str, str]:
        """Everything that can change a byte of the run."""
        snapshot, config = self.source.snapshot, self.config
        state = snapshot.source
        return {
            "module": snapshot.id,
            "content": snapshot.sha256,
            "document": self.source.document_prefix + (snapshot.document.path if snapshot.document else ""),
            "tree": self.source.tree_prefix,
            "commit": state.commit or "",
            "branch": state.branch or "",
            "dirty": str(state.dirty).lower(),
            "toolkit": toolkit_digest(),
            "version": toolkit_version(),
            "config": sha256_hex(dump_json(asdict(config))),
            "retention_days": str(config.retention_days),
            "baseline": self.baseline[1],
        }

    # --- running

    @contextmanager
    def _started(self) -> Iterator[_Started]:
        """Open the artifacts, begin the run, and record the execution however it ends."""
        source, baseline, inputs = self.source, self.baseline[0], self._inputs()
        begun = datetime.now(UTC)
        outside = [path for path in (self.options.module,) if path is not None and path.is_dir()]
        with open_artifacts(self.options.artifacts, outside=outside) as folder:
            store = Store(folder)
            run = store.begin(inputs)
            started = _Started(
                trail=Trail(
                    source=source,
                    rules=self.rules,
                    config=self.config,
                    run=run,
                    store=store,
                    baseline=baseline,
                    told=self.console.progress,
                )
            )
            try:
                yield started
            except BaseException as error:
                started.verdict = "erro" if isinstance(error, Exception) else "interrompido"
                raise
            finally:
                self._record(started, store, begun)

    def _record(self, started: _Started, store: Store, begun: datetime) -> None:
        state = self.source.snapshot.source
        store.append(
            Execution(
                run=started.trail.run,
                module=self.source.snapshot.id,
                command=self.options.command,
                pipeline=pipeline_name(os.environ),
                branch=state.branch,
                commit=state.commit,
                verdict=started.verdict,
                manifest_sha256=sha256_hex(sort_sums(store.digests(started.trail.run, "reports"))),
                started=begun,
                finished=datetime.now(UTC),
                details=describe_host(os.environ),
                retention_days=self.config.retention_days,
            )
        )

    def _report(self, trail: Trail, name: str) -> str:
        return f"relatório: {self.options.artifacts}/reports/{trail.run}/{name}"

    # --- commands of the trail

    def mapa_nc(self) -> ExitCode:
        with self._started() as started:
            mapa = started.trail.mapa
            self.console.mapa(mapa, self._report(started.trail, "mapa_nc.md"))
            crashed = sorted({each.rule for each in mapa.not_run if each.crashed})
            if crashed:
                raise ToolError(f"regras que falharam: {', '.join(crashed)}", mend="relate o erro com a saída de -v")
            if not any(mapa.examined.values()):
                raise ToolError("nada foi examinado: nenhuma regra encontrou objeto no módulo", mend="confira --module")
            return self._gate(mapa)

    def plano_correcao(self) -> ExitCode:
        with self._started() as started:
            self.console.plan(started.trail.plan, self._report(started.trail, "plano_correcao.md"))
            return self._gate(started.trail.mapa)

    def modulo_reescrito(self) -> ExitCode:
        with self._started() as started:
            trail = started.trail
            self.console.rewrite(trail.rewritten, self._report(trail, "modulo_reescrito.json"))
            self._commit(trail)
            return self._gate(trail.mapa)

    def checklist(self) -> ExitCode:
        with self._started() as started:
            trail = started.trail
            trail.publish_applications()
            verdict = trail.checklist.verdict
            started.verdict = verdict
            self.console.mapa(trail.mapa, self._report(trail, "mapa_nc.md"))
            self.console.plan(trail.plan, self._report(trail, "plano_correcao.md"))
            self.console.rewrite(trail.rewritten, self._report(trail, "modulo_reescrito.patch"))
            self.console.checklist(trail.checklist, self._report(trail, "fluxo.md"))
            self._commit(trail)
            return max(_VERDICT_EXIT[verdict], self._gate(trail.mapa), key=_STRICTNESS.index)

    def _gate(self, mapa: MapaNc) -> ExitCode:
        """``--fail-on``: 10 when a finding that bad is open."""
        if self.options.fail_on is None:
            return ExitCode.OK
        limit = Severity(self.options.fail_on).rank
        worst = [each for each in Severity if mapa.summary.by_severity.get(each) and each.rank <= limit]
        return ExitCode.BLOCKED if worst else ExitCode.OK

    def _commit(self, trail: Trail) -> None:
        """``--branch``: the rewritten files as a commit on a new branch of the repository they came from."""
        name: str | None = self.options.branch
        if name is None:
            return
        if self.source.repository is None or self.source.separate_tree:
            raise UsageError("--branch precisa de um módulo dentro de um repositório git", mend="use o patch gerado")
        commit = self.git.create_branch(
            self.source.repository,
            name,
            trail.changed_files(),
            f"fix({trail.module.id.lower()}): aplica o PLANO_CORRECAO da execução {trail.run}",
            author=BranchAuthor(name="appgear-pipeline", email="appgear-pipeline@localhost", timestamp=self._epoch()),
        )
        self.console.lines([f"branch {name}: commit {commit}"])

    @staticmethod
    def _epoch() -> int:
        """``SOURCE_DATE_EPOCH``, else now."""
        given = os.environ.get("SOURCE_DATE_EPOCH", "")
        return int(given) if given.isascii() and given.isdigit() else int(datetime.now(UTC).timestamp())

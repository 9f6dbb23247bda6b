"""Commands, composed: adapters meet the pure rooms here, and only here are clock and environment read.

What one command alone needs is imported where it is used: starting is most of the time that a small module takes.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.artifacts import open_artifacts_to_check
from pipeline.adapters.files import DiskReader
from pipeline.adapters.git import SafeGit
from pipeline.adapters.host import describe_host, pipeline_name
from pipeline.adapters.runner import SealedRunner
from pipeline.codec import sha256_hex, visible
from pipeline.domain.finding import Severity
from pipeline.errors import ExitCode, InputError, IntegrityError, ToolError, UsageError
from pipeline.inputs import Inputs
from pipeline.ledger import Execution
from pipeline.ports import BranchAuthor
from pipeline.records import dump_record
from pipeline.report.console import Console
from pipeline.report.opinion import opinion_lines
from pipeline.report.text import counted
from pipeline.stages import AppsetState, Trail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from pipeline.domain.artifact import MapaNc
    from pipeline.domain.opinion import Consultation
    from pipeline.evidence_commands import EvidenceCommands
    from pipeline.store import Store

__all__ = ["run_command"]

_VERDICT_EXIT = {
    "aprovado": ExitCode.OK,
    "condicional": ExitCode.CONDITIONAL,
    "bloqueado": ExitCode.BLOCKED,
}
_RECOMMENDATION_EXIT = {
    "liberar": ExitCode.OK,
    "liberar_com_condicoes": ExitCode.CONDITIONAL,
    "bloquear": ExitCode.BLOCKED,
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
        "pipeline": app.pipeline,
        "evidencias": app.evidencias,
        "rapid": app.rapid,
        "parecer_ia": app.parecer_ia,
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
        runner = SealedRunner(search_path=_search_path())
        self.git = SafeGit(runner)
        self.inputs = Inputs(options, reader=self.reader, git=self.git, runner=runner, today=_today())

    @cached_property
    def evidence(self) -> EvidenceCommands:
        from pipeline.evidence_commands import EvidenceCommands  # noqa: PLC0415  # other commands must not pay for it

        return EvidenceCommands(self.options, self.console, self.reader)

    # --- running

    @contextmanager
    def _started(self, *, judged: bool = False) -> Iterator[_Started]:
        """Open the artifacts, begin the run, and record the execution however it ends.

        ``judged`` commands give a verdict, and so take a consultation of the gateway as an input where there is one.
        """
        inputs, begun = self.inputs.of_run(), datetime.now(UTC)
        asked = self._consultation(inputs) if judged else None
        if asked is not None:
            inputs["consultation"] = sha256_hex(dump_record(asked))
        with self.inputs.open_store() as store:
            run = store.begin(inputs)
            started = _Started(trail=self._trail(run, store, asked))
            try:
                yield started
            except BaseException as error:
                started.verdict = "erro" if isinstance(error, Exception) else "interrompido"
                raise
            finally:
                self._record(started, store, begun)

    def _trail(self, run: str, store: Store, asked: Consultation | None = None) -> Trail:
        return Trail(
            source=self.inputs.source,
            rules=self.inputs.rules,
            config=self.inputs.config,
            run=run,
            store=store,
            baseline=self.inputs.baseline[0],
            waivers=self.inputs.waivers[0],
            references=self.inputs.references[0],
            version=pipeline.__version__,
            appset=self._appset_state(),
            tests=self.inputs.tests[0],
            consultation=asked,
            author=self._author,
            told=self.console.progress,
        )

    def _consultation(self, inputs: dict[str, str]) -> Consultation | None:
        from pipeline.asking import obtain_consultation  # noqa: PLC0415  # only a verdict needs it

        return obtain_consultation(
            self.inputs.config.opinion,
            replay=self.options.replay,
            offline=self.options.offline,
            reader=self.reader,
            environment=os.environ,
            make_trail=lambda store: self._trail(store.begin(inputs), store),
        )

    def _author(self) -> str:
        commit, root = self.inputs.source.snapshot.source.commit, self.inputs.source.repository
        found = self.git.commit_author(root, commit) if root is not None and commit is not None else None
        return found.name if found is not None else ""

    def _appset_state(self) -> AppsetState | None:
        if self.inputs.appsets is None:
            return None
        return AppsetState(drift=self.inputs.appsets.drifted, applications=self.inputs.appsets.applications())

    def _record(self, started: _Started, store: Store, begun: datetime) -> None:
        state = self.inputs.source.snapshot.source
        store.append(
            Execution(
                run=started.trail.run,
                module=self.inputs.source.snapshot.id,
                command=self.options.command,
                pipeline=pipeline_name(os.environ),
                branch=state.branch,
                commit=state.commit,
                verdict=started.verdict,
                manifest_sha256=store.digests(started.trail.run, "reports").get("manifest.json"),
                started=begun,
                finished=datetime.now(UTC),
                details=describe_host(os.environ),
                retention_days=self.inputs.config.retention_days,
            )
        )

    def _report(self, trail: Trail, name: str) -> str:
        return f"relatório: {self.options.artifacts}/reports/{trail.run}/{name}"

    # --- commands of the trail

    def mapa_nc(self) -> ExitCode:
        with self._started() as started:
            mapa = started.trail.mapa
            self.console.mapa(mapa, self._report(started.trail, "mapa_nc.md"))
            _refuse_unjudged(mapa)
            return self._gate(mapa)

    def plano_correcao(self) -> ExitCode:
        with self._started() as started:
            self.console.plan(started.trail.plan, self._report(started.trail, "plano_correcao.md"))
            _refuse_unjudged(started.trail.mapa)
            return self._gate(started.trail.mapa)

    def modulo_reescrito(self) -> ExitCode:
        with self._started() as started:
            trail = started.trail
            self.console.rewrite(trail.rewritten, self._report(trail, "modulo_reescrito.json"))
            _refuse_unjudged(trail.mapa)
            self._commit(trail)
            return self._gate(trail.mapa)

    def parecer_ia(self) -> ExitCode:
        """The AI opinion and its gate; ``--dry-run`` shows what would be sent, and sends nothing."""
        if self.options.dry_run:
            return self._show_request()
        with self._started(judged=True) as started:
            trail = started.trail
            trail.publish_applications()
            opinion = trail.opinion
            if opinion is None:
                self.console.lines(["parecer desligado na configuração ([opinion] mode)"])
                return self._gate(trail.mapa)
            started.verdict = opinion.recommendation
            self.console.lines(opinion_lines(opinion))
            self.console.lines([f"relatório: {self.options.artifacts}/ai_reports/{trail.run}/parecer.md"])
            gate = _RECOMMENDATION_EXIT[opinion.recommendation] if opinion.mode == "enforcing" else ExitCode.OK
            return max(gate, self._gate(trail.mapa), key=_STRICTNESS.index)

    def _show_request(self) -> ExitCode:
        from pipeline.asking import scratch_store  # noqa: PLC0415  # one use
        from pipeline.opining import show_request  # noqa: PLC0415

        with scratch_store() as store:
            request, unresolved = show_request(self._trail(store.begin(self.inputs.of_run()), store))
        if unresolved:
            raise InputError(
                f"o pacote ainda mostra {', '.join(unresolved)}: nada seria enviado",
                where="parecer.pedido.json",
                mend="retire o segredo do módulo",
            )
        self.console.data(request.decode())
        return ExitCode.OK

    def checklist(self) -> ExitCode:
        return self._checklist(packed=lambda: False)

    def evidencias(self) -> ExitCode:
        """The whole trail, and the signed pack of it."""
        return self._checklist(packed=lambda: True)

    def pipeline(self) -> ExitCode:
        """The whole trail, and the pack where there is a key to sign it with."""
        return self._checklist(packed=self.evidence.can_sign)

    def _checklist(self, *, packed: Callable[[], bool]) -> ExitCode:
        with self._started(judged=True) as started:
            trail = started.trail
            trail.publish_applications()
            verdict = trail.checklist.verdict
            started.verdict = verdict
            self.console.mapa(trail.mapa, self._report(trail, "mapa_nc.md"))
            self.console.plan(trail.plan, self._report(trail, "plano_correcao.md"))
            self.console.rewrite(trail.rewritten, self._report(trail, "modulo_reescrito.patch"))
            if trail.opinion is not None:
                self.console.lines(opinion_lines(trail.opinion))
            self.console.checklist(trail.checklist, self._report(trail, "fluxo.md"))
            self._commit(trail)
            gate = _VERDICT_EXIT[verdict]
            released = self._pack(trail) if packed() else self._released(trail)
            if gate is ExitCode.CONDITIONAL and released:
                gate = ExitCode.OK
            return max(gate, self._gate(trail.mapa), key=_STRICTNESS.index)

    def _pack(self, trail: Trail) -> bool:
        """Make the evidence pack; whether a recorded decision on exactly this content releases it."""
        source = trail.mapa.source
        epoch, days = self._epoch(), self.inputs.config.retention_days
        pack = self.evidence.pack(
            trail.store, trail.run, source=source, tests=trail.tests, epoch=epoch, retention_days=days
        )
        return pack.board.released

    def _released(self, trail: Trail) -> bool:
        spoken = trail.store.has(trail.run, "reports", "rapid.jsonl")
        return spoken and self.evidence.released(trail.store, trail.run)

    def rapid(self) -> ExitCode:
        """Record a decision, show who is missing, or print the minute."""
        return self.evidence.rapid()

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
        if self.inputs.source.repository is None or self.inputs.source.separate_tree:
            raise UsageError("--branch precisa de um módulo dentro de um repositório git", mend="use o patch gerado")
        commit = self.git.create_branch(
            self.inputs.source.repository,
            name,
            trail.changed_files(),
            f"fix({trail.module.id.lower()}): aplica o PLANO_CORRECAO da execução {trail.run}",
            author=BranchAuthor(name="appgear-pipeline", email="appgear-pipeline@localhost", timestamp=self._epoch()),
        )
        self.console.lines([f"branch {name}: commit {commit}"])

    def _epoch(self) -> int:
        """``SOURCE_DATE_EPOCH``, else the time of the commit that was read."""
        given = os.environ.get("SOURCE_DATE_EPOCH", "")
        if given.isascii() and given.isdigit():
            return int(given)
        commit, root = self.inputs.source.snapshot.source.commit, self.inputs.source.repository
        author = self.git.commit_author(root, commit) if root is not None and commit is not None else None
        return author.timestamp if author is not None else 0

    # --- the other commands

    def applicationset(self) -> ExitCode:
        """Write, check, preview or compare the ApplicationSets."""
        from pipeline.set_commands import SetCommands  # noqa: PLC0415

        commands = SetCommands(self.options, console=self.console, inputs=self.inputs, reader=self.reader, git=self.git)
        return commands.run()

    def verificar(self) -> ExitCode:
        """Check an artifacts folder from its files alone."""
        from pipeline.store_verify import verify_store  # noqa: PLC0415

        path: Path = self.options.folder or self.options.artifacts
        if self.evidence.is_pack(path):
            return self.evidence.verify_pack(path)
        path, run = (path.parent.parent, path.name) if path.parent.name == "reports" else (path, None)
        with open_artifacts_to_check(path) as folder:
            result = verify_store(folder, now=datetime.now(UTC))
        for note in result.notes:
            self.console.lines([f"nota: {note}"])
        for problem in result.problems:
            self.console.warn(str(problem))
        count = len(result.problems) + self.evidence.verify_runs(path, run)
        if count:
            raise IntegrityError(
                f"{counted(count, 'problema', 'problemas')} de integridade",
                where=visible(str(path)),
                mend="restaure a cópia original",
            )
        counts = f"{result.runs} execuções distintas, {result.files} arquivos, {result.executions} linhas de índice"
        self.console.lines([f"íntegro: {counts}"])
        return ExitCode.OK

    def regras(self) -> ExitCode:
        """The catalogue, or one rule."""
        from pipeline.rule_commands import show_rules  # noqa: PLC0415

        return show_rules(self.options, self.inputs.rules, self.console)

    def registrar_testes(self) -> ExitCode:
        """Keep the results of the toolkit's own tests as evidence for this version of it."""
        from pipeline.suite import SUITE_FILES, read_suite, suite_files  # noqa: PLC0415

        folder: Path = self.options.results
        files = suite_files({name: self.reader.read_file(folder / name) for name in SUITE_FILES})
        with self.inputs.open_store() as store:
            run = store.begin(self.inputs.of_tests)
            store.publish(run, "tests", files.tests, stage="registrar_testes", supersedes=files.tests.keys())
            store.publish(run, "coverage", files.coverage, stage="registrar_testes", supersedes=files.coverage.keys())
            results = read_suite(store, run)
        if results is not None:
            self.console.lines(
                [f"testes registrados: {results.passed} passaram, {results.coverage:.1f} % de cobertura"]
            )
        return ExitCode.OK


def _search_path() -> str:
    """The user's PATH without what depends on the current folder, where an audited tree could put a program."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())


def _today() -> date:
    """The day that waivers are held against: of ``SOURCE_DATE_EPOCH`` where it is set, else this one in UTC."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(given), UTC) if given.isascii() and given.isdigit() else datetime.now(UTC)
    return moment.date()


def _refuse_unjudged(mapa: MapaNc) -> None:
    """What no rule judged is never a pass. The checklist says the same by its verdict."""
    crashed = [each for each in mapa.not_run if each.crashed]
    if crashed:
        rules = ", ".join(sorted({each.rule for each in crashed}))
        raise ToolError(f"não rodaram: {rules} ({crashed[0].reason})", mend="corrija a política, ou relate o defeito")
    if not any(mapa.examined.values()):
        raise ToolError("nada foi examinado: nenhuma regra encontrou objeto no módulo", mend="confira --module")

"""The commands of the trail: each runs it as far as its name says, tells what came of it, and holds its gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.errors import ExitCode, InputError, ToolError, UsageError
from pipeline.outcomes import worst
from pipeline.ports import BranchAuthor
from pipeline.report.opinion import opinion_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.commands.launch import Launcher, Started
    from pipeline.domain.artifact import MapaNc
    from pipeline.stages import Trail

__all__ = ["TrailCommands"]

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


class TrailCommands:
    """One launch of the trail."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self.options = launcher.options
        self.console = launcher.console
        self.inputs = launcher.inputs
        self.git = launcher.git

    def _report(self, trail: Trail, name: str) -> str:
        return f"relatório: {self.options.artifacts}/reports/{trail.run}/{name}"

    def mapa_nc(self) -> ExitCode:
        with self._launcher.started() as started:
            mapa = started.trail.mapa
            self.console.mapa(mapa, self._report(started.trail, "mapa_nc.md"))
            _refuse_unjudged(mapa)
            return self._ends(started, self._gate(mapa), "reports", "mapa_nc.md")

    def plano_correcao(self) -> ExitCode:
        with self._launcher.started() as started:
            self.console.plan(started.trail.plan, self._report(started.trail, "plano_correcao.md"))
            _refuse_unjudged(started.trail.mapa)
            return self._ends(started, self._gate(started.trail.mapa), "reports", "plano_correcao.md")

    def modulo_reescrito(self) -> ExitCode:
        with self._launcher.started() as started:
            trail = started.trail
            self.console.rewrite(trail.rewritten, self._report(trail, "modulo_reescrito.json"))
            _refuse_unjudged(trail.mapa)
            self._commit(trail)
            return self._ends(started, self._gate(trail.mapa), "reports", "modulo_reescrito.json")

    def parecer_ia(self) -> ExitCode:
        """The AI opinion and its gate; ``--dry-run`` shows what would be sent, and sends nothing."""
        if self.options.dry_run:
            return self._show_request()
        with self._launcher.started(judged=True) as started:
            trail = started.trail
            trail.publish_applications()
            opinion = trail.opinion
            if opinion is None:
                self.console.lines(["parecer desligado na configuração ([opinion] mode)"])
                return self._ends(started, self._gate(trail.mapa), "reports", "mapa_nc.md")
            started.verdict = opinion.recommendation
            self.console.lines(opinion_lines(opinion))
            self.console.lines([f"relatório: {self.options.artifacts}/ai_reports/{trail.run}/parecer.md"])
            gate = _RECOMMENDATION_EXIT[opinion.recommendation] if opinion.mode == "enforcing" else ExitCode.OK
            code = worst([gate, self._gate(trail.mapa)])
            return self._ends(started, code, "ai_reports", "parecer.md")

    def _show_request(self) -> ExitCode:
        from pipeline.commands.asking import scratch_store  # noqa: PLC0415  # one use
        from pipeline.opining import show_request  # noqa: PLC0415

        with scratch_store() as store:
            request, unresolved = show_request(self._launcher.trail(store.begin(self.inputs.of_run()), store))
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
        return self._checklist(packed=self._launcher.evidence.can_sign)

    def _checklist(self, *, packed: Callable[[], bool]) -> ExitCode:
        with self._launcher.started(judged=True) as started:
            trail = started.trail
            trail.publish_applications()
            self._list_components(trail)
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
            code = worst([gate, self._gate(trail.mapa)])
            if started.failed is None:
                return self._ends(started, code, "reports", "fluxo.md")
        raise started.failed

    def _list_components(self, trail: Trail) -> None:
        """The SBOMs of the run, where an image releases the module; why there is none, for the checklist to say."""
        if trail.image is None or trail.image.failure:
            return
        from pipeline.commands.sbom import SbomCommands  # noqa: PLC0415  # heavy, and only an image needs it

        trail.sbom = SbomCommands(self._launcher).of_release(trail)

    def _ends(self, started: Started, code: ExitCode, category: str, report: str) -> ExitCode:
        named = str(self.options.module or self.options.gitops or "")
        return started.ends(code, named=named, report=f"{category}/{started.trail.run}/{report}")

    def _pack(self, trail: Trail) -> bool:
        """Make the evidence pack; whether a recorded decision on exactly this content releases it."""
        epoch, days = self._launcher.epoch(), self.inputs.config.retention_days
        pack = self._launcher.evidence.pack(trail, epoch=epoch, retention_days=days)
        return pack.board.released

    def _released(self, trail: Trail) -> bool:
        spoken = trail.store.has(trail.run, "reports", "rapid.jsonl")
        return spoken and self._launcher.evidence.released(trail.store, trail.run)

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
            author=BranchAuthor(
                name="appgear-pipeline", email="appgear-pipeline@localhost", timestamp=self._launcher.epoch()
            ),
        )
        self.console.lines([f"branch {name}: commit {commit}"])


def _refuse_unjudged(mapa: MapaNc) -> None:
    """What no rule judged is never a pass. The checklist says the same by its verdict."""
    crashed = [each for each in mapa.not_run if each.crashed]
    if crashed:
        rules = ", ".join(sorted({each.rule for each in crashed}))
        raise ToolError(f"não rodaram: {rules} ({crashed[0].reason})", mend="corrija a política, ou relate o defeito")
    if not any(mapa.examined.values()):
        raise ToolError("nada foi examinado: nenhuma regra encontrou objeto no módulo", mend="confira --module")

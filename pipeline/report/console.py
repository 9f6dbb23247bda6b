"""The stages of the trail as a terminal or a CI log shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.codec import harmless
from pipeline.domain.finding import FixMode, Severity
from pipeline.report.terminal import Terminal
from pipeline.report.text import counted, open_findings

if TYPE_CHECKING:
    from pipeline.domain.artifact import Checklist, CorrectionPlan, MapaNc, Rewrite

__all__ = ["ApplicationChanges", "Console"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationChanges:
    """Names added; names with the fields that changed; names deleted and whether that reaches the cluster."""

    added: tuple[str, ...]
    changed: tuple[tuple[str, tuple[str, ...]], ...]
    deleted: tuple[tuple[str, bool], ...]


class Console(Terminal):
    """A terminal that knows the stages of the trail."""

    def mapa(self, mapa: MapaNc, report: str) -> None:
        """Counts of a MAPA_NC and where to read it."""
        found = open_findings(mapa)
        self.title("MAPA_NC", harmless(f"{mapa.module.id} {mapa.module.title}"))
        self.row([f"{self.paint(each)} {mapa.summary.by_severity.get(each, 0)}" for each in Severity])
        modes = {mode: sum(each.correction.mode is mode for each in found) for mode in FixMode}
        self.row(
            [
                f"total {len(found)}",
                f"automáticas {modes[FixMode.AUTO]}",
                f"com parâmetro {modes[FixMode.PARAM]}",
                f"manuais {modes[FixMode.MANUAL]}",
            ]
        )
        judged = sum(mapa.examined.values())
        active = sum(1 for count in mapa.examined.values() if count)
        self.row(
            [f"{counted(judged, 'verificação', 'verificações')} por {active} regras em {len(mapa.files)} arquivos"]
        )
        if mapa.summary.waived:
            self.row([f"{mapa.summary.waived} NC sob exceção"])
        for ignored in mapa.ignored_waivers:
            self.warn(f"{ignored.place} não vale: {ignored.reason}")
        if mapa.not_run:
            self.row([f"{counted(len(mapa.not_run), 'item não pôde', 'itens não puderam')} ser julgado(s)"])
        self._open(report)

    def plan(self, plan: CorrectionPlan, report: str) -> None:
        """Counts of a plan."""
        waiting = sum(1 for each in plan.actions if each.decisions)
        self.title("PLANO_CORRECAO", counted(len(plan.actions), "ação", "ações"))
        modes = {mode: sum(each.mode is mode for each in plan.actions) for mode in FixMode}
        self.row(
            [
                f"automáticas {modes[FixMode.AUTO]}",
                f"com parâmetro {modes[FixMode.PARAM]} ({waiting} esperam decisão)",
                f"manuais {modes[FixMode.MANUAL]}",
            ]
        )
        self._open(report)

    def rewrite(self, rewrite: Rewrite, report: str) -> None:
        """What a rewrite did and proved."""
        changed = sum(1 for each in rewrite.files if each.sha256 != each.before)
        self.title("MODULO_REESCRITO", counted(changed, "arquivo mudou", "arquivos mudaram"))
        proof = rewrite.proof
        self.row(
            [
                f"NC antes {proof.open_before}, depois {proof.open_after}",
                "estável" if proof.idempotent else "instável",
                f"{len(rewrite.not_applied)} mudanças não aplicadas",
            ]
        )
        self._open(report)

    def checklist(self, checklist: Checklist, report: str) -> None:
        """The verdict, and what is not OK."""
        results = [each.result for each in checklist.items]
        self.title("CHECKLIST", self.paint(checklist.verdict))
        self.row([f"{name} {results.count(name)}" for name in ("OK", "NOK", "N.A.")])
        for each in checklist.items:
            if each.result == "NOK":
                self.row([f"NOK {self.paint(each.severity)} {harmless(each.question)} {harmless(each.reason)}"])
        self._open(report)

    def application_diff(self, path: str, diff: ApplicationChanges) -> None:
        """What a change adds, changes and deletes in one file."""
        self.title("APPLICATIONS", harmless(path))
        for name in diff.added:
            self.row([f"+ {harmless(name)}"])
        for name, fields in diff.changed:
            self.row([f"~ {harmless(name)}: {harmless(', '.join(fields))}"])
        for name, cascades in diff.deleted:
            self.row([f"- {harmless(name)}" + (" (apaga também os recursos do cluster)" if cascades else "")])
        if not (diff.added or diff.changed or diff.deleted):
            self.row(["nada muda"])

    def _open(self, report: str) -> None:
        self.write(" " * 18 + harmless(report))

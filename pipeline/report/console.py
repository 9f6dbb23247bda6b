"""What a terminal or a CI log shows: plain lines, colour only where a person looks, nothing that a log would obey."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from pipeline.codec import visible
from pipeline.domain.finding import FixMode, Severity
from pipeline.report.text import counted, open_findings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.artifact import Checklist, CorrectionPlan, MapaNc, Rewrite

__all__ = ["ApplicationChanges", "Console"]

_COLOURS = {"CRITICA": "1;31", "ALTA": "31", "MEDIA": "33", "BAIXA": "36", "bloqueado": "1;31", "condicional": "1;33",
            "aprovado": "1;32"}  # fmt: skip
# Words at the start of a line that CI systems act on.
_CI_COMMAND = re.compile(r"^(\s*)(::|##\[|##vso|section_(?:start|end):|##teamcity)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationChanges:
    """Names added; names with the fields that changed; names deleted and whether that reaches the cluster."""

    added: tuple[str, ...]
    changed: tuple[tuple[str, tuple[str, ...]], ...]
    deleted: tuple[tuple[str, bool], ...]


class Console:
    """Writes progress to ``err`` and results to ``out``; ``quiet`` leaves results and progress out."""

    def __init__(self, out: TextIO, err: TextIO, *, quiet: bool, colour: bool) -> None:
        self._out = out
        self._err = err
        self._quiet = quiet
        self._colour = colour

    def progress(self, line: str) -> None:
        """A step that begins."""
        if not self._quiet:
            self._err.write(_safe(line) + "…\n")

    def warn(self, line: str) -> None:
        """Something that the reader must know, even when quiet."""
        self._err.write("aviso: " + _safe(line) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Result lines."""
        if not self._quiet:
            for line in lines:
                self._out.write(_safe(line) + "\n")

    def data(self, text: str) -> None:
        """A result that was asked for by name (a preview, a diff): shown even when quiet, controls escaped."""
        self._out.write(visible(text))

    def mapa(self, mapa: MapaNc, report: str) -> None:
        """Counts of a MAPA_NC and where to read it."""
        found = open_findings(mapa)
        self._title("MAPA_NC", _safe(f"{mapa.module.id} {mapa.module.title}"))
        self._row([f"{self._paint(each)} {mapa.summary.by_severity.get(each, 0)}" for each in Severity])
        modes = {mode: sum(each.correction.mode is mode for each in found) for mode in FixMode}
        self._row(
            [
                f"total {len(found)}",
                f"automáticas {modes[FixMode.AUTO]}",
                f"com parâmetro {modes[FixMode.PARAM]}",
                f"manuais {modes[FixMode.MANUAL]}",
            ]
        )
        judged = sum(mapa.examined.values())
        active = sum(1 for count in mapa.examined.values() if count)
        self._row(
            [f"{counted(judged, 'verificação', 'verificações')} por {active} regras em {len(mapa.files)} arquivos"]
        )
        if mapa.summary.waived:
            self._row([f"{mapa.summary.waived} NC sob exceção"])
        for ignored in mapa.ignored_waivers:
            self.warn(f"{ignored.place} não vale: {ignored.reason}")
        if mapa.not_run:
            self._row([f"{counted(len(mapa.not_run), 'item não pôde', 'itens não puderam')} ser julgado(s)"])
        self._open(report)

    def plan(self, plan: CorrectionPlan, report: str) -> None:
        """Counts of a plan."""
        waiting = sum(1 for each in plan.actions if each.decisions)
        self._title("PLANO_CORRECAO", counted(len(plan.actions), "ação", "ações"))
        modes = {mode: sum(each.mode is mode for each in plan.actions) for mode in FixMode}
        self._row(
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
        self._title("MODULO_REESCRITO", counted(changed, "arquivo mudou", "arquivos mudaram"))
        proof = rewrite.proof
        self._row(
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
        self._title("CHECKLIST", self._paint(checklist.verdict))
        self._row([f"{name} {results.count(name)}" for name in ("OK", "NOK", "N.A.")])
        for each in checklist.items:
            if each.result == "NOK":
                self._row([f"NOK {self._paint(each.severity)} {_safe(each.question)} {_safe(each.reason)}"])
        self._open(report)

    def application_diff(self, path: str, diff: ApplicationChanges) -> None:
        """What a change adds, changes and deletes in one file."""
        self._title("APPLICATIONS", _safe(path))
        for name in diff.added:
            self._row([f"+ {_safe(name)}"])
        for name, fields in diff.changed:
            self._row([f"~ {_safe(name)}: {_safe(', '.join(fields))}"])
        for name, cascades in diff.deleted:
            self._row([f"- {_safe(name)}" + (" (apaga também os recursos do cluster)" if cascades else "")])
        if not (diff.added or diff.changed or diff.deleted):
            self._row(["nada muda"])

    def _title(self, stage: str, text: str) -> None:
        self._write(f"{stage:<17} {text}")

    def _row(self, parts: list[str]) -> None:
        self._write(" " * 18 + "   ".join(parts))

    def _open(self, report: str) -> None:
        self._write(" " * 18 + _safe(report))

    def _write(self, line: str) -> None:
        if not self._quiet:
            self._out.write(line + "\n")

    def _paint(self, word: str) -> str:
        return f"\x1b[{_COLOURS[word]}m{word}\x1b[0m" if self._colour else word


def _safe(text: str) -> str:
    return _CI_COMMAND.sub(lambda found: f"{found[1]}·{found[2]}", visible(text).replace("\n", " "))

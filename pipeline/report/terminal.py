"""Lines for a terminal or a CI log: colour only where a person looks, nothing that a log would obey."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from pipeline.codec import harmless, is_harmless, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.outcomes import Outcome

__all__ = ["Terminal"]

_COLOURS = {"CRITICA": "1;31", "ALTA": "31", "MEDIA": "33", "BAIXA": "36", "bloqueado": "1;31", "condicional": "1;33",
            "aprovado": "1;32", "erro": "1;31"}  # fmt: skip
_SEVERITIES = ("CRITICA", "ALTA", "MEDIA", "BAIXA")


class Terminal:
    """Writes progress to ``err`` and results to ``out``; ``quiet`` leaves results and progress out.

    ``stop`` is a word that nobody can guess, by which GitHub's runner is told to obey nothing for a while; else empty.
    """

    def __init__(self, out: TextIO, err: TextIO, *, quiet: bool, colour: bool, stop: str = "") -> None:
        self._out = out
        self._err = err
        self._quiet = quiet
        self._colour = colour
        self._stop = stop

    def progress(self, line: str) -> None:
        """A step that begins."""
        if not self._quiet:
            self._err.write(harmless(line) + "…\n")

    def note(self, line: str) -> None:
        """A step that has ended."""
        if not self._quiet:
            self._err.write(harmless(line) + "\n")

    def warn(self, line: str) -> None:
        """Something that the reader must know, even when quiet."""
        self._err.write("aviso: " + harmless(line) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Result lines."""
        for line in lines:
            self.write(harmless(line))

    def data(self, text: str) -> None:
        """A result that was asked for by name (a preview, a diff): shown even when quiet, controls escaped.

        Its bytes are for other programs, so that what a CI system would obey is fenced in, not reworded.
        """
        shown = visible(text)
        if self._stop and not is_harmless(shown):
            end = "" if shown.endswith("\n") else "\n"
            shown = f"::stop-commands::{self._stop}\n{shown}{end}::{self._stop}::\n"
        self._out.write(shown)

    def commands(self, lines: Iterable[str]) -> None:
        """Lines that a CI system is meant to obey: written as they are, beside the results, never among data."""
        for line in lines:
            self._err.write(line + "\n")

    def again(self, outcome: Outcome, artifacts: str) -> None:
        """A launch that found everything as an earlier one had left it."""
        self.title("SEM MUDANÇA", harmless(f"{outcome.module} {outcome.title}"))
        self.row([harmless(f"execução {outcome.run}: {outcome.unchanged}")])
        self.row([f"{self.paint(each)} {outcome.severities.get(each, 0)}" for each in _SEVERITIES])
        if outcome.verdict in _COLOURS:
            self.row([self.paint(outcome.verdict)])
        self.row([harmless(f"relatório: {artifacts}/{outcome.report}")])

    def title(self, stage: str, text: str) -> None:
        """The first line of a part."""
        self.write(f"{stage:<17} {text}")

    def row(self, parts: list[str]) -> None:
        """A line below a title."""
        self.write(" " * 18 + "   ".join(parts))

    def write(self, line: str) -> None:
        """A line that is harmless already."""
        if not self._quiet:
            self._out.write(line + "\n")

    def paint(self, word: str) -> str:
        """A word in the colour that it has everywhere."""
        return f"\x1b[{_COLOURS[word]}m{word}\x1b[0m" if self._colour and word in _COLOURS else word

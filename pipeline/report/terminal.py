"""Lines for a terminal or a CI log: colour only where a person looks, nothing that a log would obey."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.outcomes import Outcome

__all__ = ["Terminal", "harmless"]

_COLOURS = {"CRITICA": "1;31", "ALTA": "31", "MEDIA": "33", "BAIXA": "36", "bloqueado": "1;31", "condicional": "1;33",
            "aprovado": "1;32", "erro": "1;31"}  # fmt: skip
_SEVERITIES = ("CRITICA", "ALTA", "MEDIA", "BAIXA")
# What CI systems act on: at the start of a line, after any white space; GitHub's older form and Azure's anywhere in it.
_COMMAND = re.compile(r"^(\s*)(::|section_(?:start|end):|##teamcity)|(##)(\[|vso)", re.MULTILINE)


def harmless(text: str) -> str:
    """One line of any text, without control characters and without commands for the CI system that shows it."""
    return _COMMAND.sub(_broken, visible(text).replace("\n", " "))


def _broken(found: re.Match[str]) -> str:
    return f"{found[1]}·{found[2]}" if found[2] else f"{found[3]}·{found[4]}"


class Terminal:
    """Writes progress to ``err`` and results to ``out``; ``quiet`` leaves results and progress out."""

    def __init__(self, out: TextIO, err: TextIO, *, quiet: bool, colour: bool) -> None:
        self._out = out
        self._err = err
        self._quiet = quiet
        self._colour = colour

    def progress(self, line: str) -> None:
        """A step that begins."""
        if not self._quiet:
            self._err.write(harmless(line) + "…\n")

    def warn(self, line: str) -> None:
        """Something that the reader must know, even when quiet."""
        self._err.write("aviso: " + harmless(line) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Result lines."""
        for line in lines:
            self.write(harmless(line))

    def data(self, text: str) -> None:
        """A result that was asked for by name (a preview, a diff): shown even when quiet, controls escaped."""
        self._out.write(visible(text))

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

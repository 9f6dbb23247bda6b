"""The module document by sections: which lines stand under which heading, and what is prose."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from pipeline.domain.finding import TextChange
from pipeline.rules.documents import fold, section_of

if TYPE_CHECKING:
    from pipeline.audit.views import CommandView, DocumentView
    from pipeline.domain.snapshot import Heading

__all__ = [
    "COMMANDS",
    "ERRORS",
    "NEEDS",
    "SAVE",
    "VERIFY",
    "WHY",
    "append_after",
    "heading_above",
    "is_in",
    "section_lines",
    "section_start",
]

WHY, NEEDS, COMMANDS, VERIFY, ERRORS, SAVE = 1, 2, 3, 4, 5, 6


def section_start(view: DocumentView, section: int) -> Heading | None:
    """Heading of one of the seven sections (its index in ``documents.SECTIONS``)."""
    return next((each for each in view.document.headings if each.level == 2 and section_of(each) == section), None)


def section_lines(view: DocumentView, section: int) -> list[tuple[int, str]]:
    """Numbered lines from the section's heading to the next of level 2 or 1; fences included."""
    start = section_start(view, section)
    if start is None:
        return []
    ends = (each.line for each in view.document.headings if each.level <= 2 and each.line > start.line)
    end = next(ends, len(view.document.lines) + 1)
    return [(number, view.document.lines[number - 1]) for number in range(start.line, end)]


def heading_above(view: DocumentView, line: int) -> str:
    """Text of the nearest heading above a line, folded; empty where there is none."""
    lines = [each.line for each in view.document.headings]
    at = bisect_right(lines, line) - 1
    return fold(view.document.headings[at].text) if at >= 0 else ""


def is_in(command: CommandView, *titles: str) -> bool:
    """Whether a command stands in a section whose level-2 heading has one of these folded texts in it."""
    section = fold(command.command.section)
    return any(title in section for title in titles)


def append_after(view: DocumentView, line: int, text: str) -> TextChange:
    """Add ``text`` as a paragraph of its own after a line."""
    column = len(view.document.lines[line - 1]) + 1
    return TextChange(path="doc", line=line, column=column, end_line=line, end_column=column, old="", new=f"\n\n{text}")

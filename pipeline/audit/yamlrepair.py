"""YAML that does not parse for a known reason, as it must have been meant, where only one reading is possible.

Known are: a TAB in the indentation, a list that stands left of its key, and ``: `` inside a plain value. A repair
touches the lines that the parser stops at, those below that begin with a TAB too, and the lines of a displaced list.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.yamldoc import load_yaml, relocate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.yamldoc import YamlFile

__all__ = ["LineEdit", "Repair", "repair_yaml"]

_LEAD = re.compile(r"[ \t]*(?:-[ \t]+)*")
_PAIR = re.compile(r"(\s*(?:- +)?[\w./-]+:[ \t]+)([^\s\"'\[{&*!|>#].*)$")
_OPENS = re.compile(r"([ ]*(?:- +)*)[^\s#'\"-][^#'\"]*:\s*(?:#.*)?$")
_WIDTHS = (2, 4, 8)
_MAX_CHARS = 200_000
_MAX_READ = 1_500_000  # characters read in all attempts together
_MAX_STEPS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class LineEdit:
    """On one line (from 1), at one column (from 1), ``old`` becomes ``new``."""

    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The edits, at most one on each line, and the file read with them, its places those of the text as it stands."""

    edits: tuple[LineEdit, ...]
    file: YamlFile


def repair_yaml(text: str, cost: Callable[[list[Any]], int] = lambda _values: 0) -> Repair | None:
    """The one repair after which the whole text parses; None where it does already, or where none or several do.

    Of several readings the one that costs least counts, if it is alone; ``cost`` is given the values of the documents.
    Bounded in size and in attempts.
    """
    if len(text) > _MAX_CHARS:
        return None
    search = _Search(text.split("\n"))
    if not search.problem_line(search.lines):
        return None
    for width in _WIDTHS if "\t" in text else _WIDTHS[:1]:
        search.follow(search.lines, {}, width)
    ranked = sorted(((cost(values), _size(edits), edits) for edits, values in search.found), key=lambda each: each[:2])
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    edits = tuple(ranked[0][2][line] for line in sorted(ranked[0][2]))
    return Repair(edits=edits, file=_relocated(_applied(search.lines, edits), edits))


def _size(edits: dict[int, LineEdit]) -> int:
    return sum(len(each.new) for each in edits.values())


class _Search:
    """Tries repairs depth first; ``found`` holds one set of edits for each distinct reading."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.found: list[tuple[dict[int, LineEdit], list[Any]]] = []
        self._read_so_far = 0

    def problem_line(self, lines: list[str]) -> int:
        """Line of the first syntax problem, 0 where there is none."""
        return self._read(lines)[0]

    def _read(self, lines: list[str]) -> tuple[int, list[Any] | None]:
        read = load_yaml("\n".join(lines))
        self._read_so_far += 200 + sum(map(len, lines))
        if not read.problems:
            return 0, [document.value for document in read.documents]
        first = min((each.line for each in read.problems if each.code == "syntax"), default=0)
        return first, None

    def follow(self, lines: list[str], edits: dict[int, LineEdit], width: int, depth: int = 0) -> None:
        """Repair the line at which parsing stops, in every way that is known, and go on from there."""
        if self._read_so_far >= _MAX_READ or depth > _MAX_STEPS:
            return
        at, values = self._read(lines)
        if values is not None:
            if all(values != known for _, known in self.found):
                self.found.append((edits, values))
            return
        if not 0 < at <= len(lines):
            return
        for made in _candidates(lines, at, width):
            if not any(each.line in edits for each in made):
                self.follow(_applied(lines, made), edits | {each.line: each for each in made}, width, depth + 1)


def _applied(lines: list[str], edits: tuple[LineEdit, ...]) -> list[str]:
    lines = list(lines)
    for each in edits:
        line, start = lines[each.line - 1], each.column - 1
        lines[each.line - 1] = line[:start] + each.new + line[start + len(each.old) :]
    return lines


def _candidates(lines: list[str], at: int, width: int) -> Iterator[tuple[LineEdit, ...]]:
    line = lines[at - 1]
    found = _LEAD.match(line)
    lead = found[0] if found else ""
    if "\t" in lead:
        last = at
        while last < len(lines) and lines[last].startswith("\t"):
            last += 1
        yield tuple(_without_tabs(lines[number - 1], number, width) for number in range(at, last + 1))
    elif line.lstrip(" ").startswith(("- ", "-\n")) or line.strip() == "-":
        yield from _moved_lists(lines, at)
    pair = _PAIR.match(line.rstrip("\r"))
    if pair is not None and " #" not in pair[2]:
        value = pair[2].rstrip()
        quoted = "'" + value.replace("'", "''") + "'"
        yield (LineEdit(line=at, column=len(pair[1]) + 1, old=value, new=quoted),)


def _without_tabs(line: str, number: int, width: int) -> LineEdit:
    found = _LEAD.match(line)
    lead = found[0] if found else ""
    if not line.strip():
        return LineEdit(line=number, column=1, old=line.rstrip("\r"), new="")
    return LineEdit(line=number, column=1, old=lead, new=_untabbed(lead, width))


def _untabbed(lead: str, width: int) -> str:
    """Spaces for tabs: ``width`` in the indentation, one after a dash."""
    indent = lead[: len(lead) - len(lead.lstrip(" \t"))]
    return indent.replace("\t", " " * width) + lead[len(indent) :].replace("\t", " ")


def _moved_lists(lines: list[str], at: int) -> Iterator[tuple[LineEdit, ...]]:
    """The list moved to the column of the key above it; what stands at the key's column may be no part of it."""
    above = next((line for line in reversed(lines[: at - 1]) if line.strip() and not line.lstrip().startswith("#")), "")
    opened = _OPENS.match(above.rstrip("\r"))
    dash = _indent(lines[at - 1])
    if opened is None or len(opened[1]) <= dash:
        return
    key = len(opened[1])
    block = [at]
    ends: list[int] = []
    for number in range(at + 1, len(lines) + 1):
        line = lines[number - 1]
        if line.strip():
            indent = _indent(line)
            if indent < dash or (indent == dash and not line[indent:].startswith("-")) or "\t" in line[:indent]:
                break
            if indent == key and not line[indent:].startswith("-"):
                ends.append(len(block))
            block.append(number)
    pad = " " * (key - dash)
    for end in [len(block), *reversed(ends[-12:])]:
        yield tuple(
            LineEdit(
                line=number, column=1, old=" " * _indent(lines[number - 1]), new=pad + " " * _indent(lines[number - 1])
            )
            for number in block[:end]
        )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _relocated(lines: list[str], edits: tuple[LineEdit, ...]) -> YamlFile:
    return relocate(load_yaml("\n".join(lines)), _Back(edits))


class _Back:
    """From places in the repaired text to places in the text as it stands."""

    def __init__(self, edits: tuple[LineEdit, ...]) -> None:
        self._edits = edits
        self._lines = [each.line for each in edits]

    def convert(self, line: int, column: int) -> tuple[int, int]:
        """Line and column from 0."""
        at = bisect_left(self._lines, line + 1)
        if at == len(self._lines) or self._lines[at] != line + 1:
            return line, column
        edit = self._edits[at]
        start = edit.column - 1
        if column <= start:
            return line, column
        if column < start + len(edit.new):
            return line, min(column, start + len(edit.old))
        return line, column + len(edit.old) - len(edit.new)

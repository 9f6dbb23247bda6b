"""What a correction would change, as a diff for people: computed on the text at hand, never applied."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.codec import shows
from pipeline.domain.finding import CreateFile, PatchChange, TextChange
from pipeline.flow.edits import document_spans, edit_yaml, habits_of
from pipeline.flow.merging import OperationLog
from pipeline.flow.planning import fill_change
from pipeline.flow.splices import Refusal, apply_splices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.domain.finding import Change
    from pipeline.flow.edits import Habits
    from pipeline.flow.planning import Parameters

__all__ = ["ChangeViewer"]

_MAX_LINES = 60
_NEAR = 3  # text changes this many lines apart are shown together
_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")


class ChangeViewer:
    """Diffs of changes to ``texts`` (by path, ``doc`` for the document); what a file costs is paid once."""

    def __init__(self, texts: Mapping[str, str], parameters: Parameters) -> None:
        self._texts = texts
        self._parameters = parameters
        self._layout = lru_cache(maxsize=None)(self._read_layout)

    def show(self, changes: Sequence[Change]) -> str:
        """A unified diff of these changes; empty when none of them fits the texts.

        A parameter without a value is shown by its name between ‹ and ›.
        """
        filled = [fill_change(change, self._parameters, missing="‹{}›") for change in changes]
        merged, _ = OperationLog().add("", filled)
        shown: list[str] = []
        for path in dict.fromkeys(change.path for change in merged):
            hunks = list(self._file([change for change in merged if change.path == path], path))
            if hunks:
                name = "documento" if path.startswith("doc") else path
                shown += [f"--- {name}", f"+++ {name}", *hunks]
        if len(shown) > _MAX_LINES:
            shown = [*shown[:_MAX_LINES], f"… e mais {len(shown) - _MAX_LINES} linhas no patch"]
        return "\n".join(shown)

    def _file(self, changes: Sequence[Change], path: str) -> Iterator[str]:
        for change in changes:
            if isinstance(change, CreateFile):
                yield from _hunks("", change.content, 1)
            elif isinstance(change, PatchChange):
                yield from self._document(change)
        texts = sorted((each for each in changes if isinstance(each, TextChange)), key=lambda each: each.line)
        if texts:
            lines = self._texts.get(path, "").split("\n")
            for near in _clusters(texts):
                yield from _lines_changed(lines, near)

    def _document(self, change: PatchChange) -> Iterator[str]:
        text = self._texts.get(change.path, "")
        spans, habits = self._layout(change.path)
        if change.document >= len(spans):
            return
        start, end = spans[change.document]
        part = text[start:end]
        index = change.document if (start, end) == (0, len(text)) else 0
        try:
            after = apply_splices(part, edit_yaml(part, index, change.operations, habits))
        except Refusal:
            return
        yield from _hunks(part, after, text.count("\n", 0, start) + 1)

    def _read_layout(self, path: str) -> tuple[list[tuple[int, int]], Habits]:
        text = self._texts.get(path, "")
        return document_spans(text), habits_of(text)


def _clusters(changes: Sequence[TextChange]) -> Iterator[list[TextChange]]:
    near: list[TextChange] = []
    for change in changes:
        if near and change.line - near[-1].end_line > _NEAR:
            yield near
            near = []
        near.append(change)
    yield near


def _lines_changed(lines: Sequence[str], changes: Sequence[TextChange]) -> Iterator[str]:
    """The hunk of text changes that stand close together; nothing where one no longer fits."""
    first, last = changes[0].line - 1, max(change.end_line for change in changes)
    if first < 0 or last > len(lines):
        return
    begin, end = max(first - 1, 0), min(last + 1, len(lines))
    before = after = "\n".join(lines[begin:end])
    for change in reversed(changes):
        start = _offset(after, change.line - begin, change.column)
        stop = _offset(after, change.end_line - begin, change.end_column)
        if not shows(change.old, after[start:stop]):
            return
        after = after[:start] + str(change.new) + after[stop:]
    yield from _hunks(before, after, begin + 1)


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return start + column - 1


def _hunks(before: str, after: str, first_line: int) -> Iterator[str]:
    """Hunks without file names; ``first_line`` is the line of the file where ``before`` begins."""
    old, new = before.split("\n"), after.split("\n")
    same = next(
        (i for i, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
    kept = max(same - 1, 0)
    for line in list(difflib.unified_diff(old[kept:], new[kept:], n=1, lineterm=""))[2:]:
        place = _HUNK.fullmatch(line)
        if place is None:
            yield line.removesuffix("\r")
        else:
            shift = first_line - 1 + kept
            one, other = int(place[1]) + shift, int(place[3]) + shift
            yield f"@@ -{one}{place[2] or ''} +{other}{place[4] or ''} @@"

"""Edits of files that a Markdown document embeds, as edits of the document itself."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from pipeline.flow.splices import LineIndex, Refusal, Splice, apply_splices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.domain.snapshot import Document, Segment, SourceFile

__all__ = ["Embedding", "check_new_lines"]

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t\r]*")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ACTIVE = re.compile(r"[$`\\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Owned:
    first: int
    last: int
    file: int
    segment: Segment


class Embedding:
    """Where each embedded file stands in the document."""

    def __init__(self, document: Document, files: Sequence[SourceFile]) -> None:
        self.index = LineIndex(document.text)
        self._files = files
        self._owned = sorted(
            (
                _Owned(
                    first=segment.document_line,
                    last=segment.document_line + segment.line_count - 1,
                    file=number,
                    segment=segment,
                )
                for number, file in enumerate(files)
                for segment in file.segments
                if segment.line_count
            ),
            key=lambda owned: owned.first,
        )

    def owner(self, first: int, last: int) -> tuple[int, Segment] | None:
        """The file (by number) whose lines the document's lines are; None outside; Refusal across a border."""
        at = bisect_right(self._owned, last, key=lambda owned: owned.first) - 1
        if at < 0 or self._owned[at].last < first:
            return None
        owned = self._owned[at]
        if owned.first > first or owned.last < last:
            raise Refusal("o trecho atravessa a fronteira de um arquivo embutido no documento")
        return owned.file, owned.segment

    def to_document(self, number: int, text: LineIndex, splices: Sequence[Splice]) -> list[Splice]:
        """Edits of the ``number``-th file (whose original is ``text``) in offsets of the document."""
        file = self._files[number]
        return [self._splice(file, text, splice) for splice in splices]

    def reread(self, number: int, splices: Sequence[Splice]) -> str:
        """The file as it reads in the edited document through its shifted segments, line prefixes taken off again."""
        file = self._files[number]
        parts = []
        for segment in file.segments:
            start = self.index.start(segment.document_line)
            end = self.index.start(segment.document_line + segment.line_count)
            inner = [
                Splice(splice.start - start, splice.end - start, splice.text)
                for splice in splices
                if start <= splice.start and splice.end <= end
            ]
            region = apply_splices(self.index.text[start:end], inner)
            longest = self._longest(segment)
            parts += [_undressed(line, longest) for line in _LINE.findall(region)]
        return "".join(parts)

    def undress(self, segment: Segment, text: str, *, whole: bool) -> str:
        """Text of the document as it reads in the file: what stands before its lines taken off.

        ``whole`` says that the text begins at the start of a line; the first line is left as it is otherwise.
        """
        head, *rest = text.split("\n")
        longest = self._longest(segment)
        return "\n".join((_undressed(head, longest) if whole else head, *(_undressed(line, longest) for line in rest)))

    def line_shift(self, splices: Sequence[Splice]) -> Callable[[int], int]:
        """From lines of the document to lines after ``splices`` (sorted); what is inserted at a line's start is its."""
        ends = [splice.end for splice in splices]
        grown = (splice.text.count("\n") - self.index.text.count("\n", splice.start, splice.end) for splice in splices)
        totals = [0, *accumulate(grown)]

        def shifted(line: int) -> int:
            at = self.index.start(line)
            number = bisect_right(ends, at)
            while number and splices[number - 1].start == at:
                number -= 1
            return line + totals[number]

        return shifted

    def _splice(self, file: SourceFile, text: LineIndex, splice: Splice) -> Splice:
        line, column = text.place(splice.start)
        last, last_column = text.place(splice.end)
        whole = column == 0 and last_column == 0 and (not splice.text or splice.text.endswith("\n"))
        inserts = splice.start == splice.end
        anchor = line - 1 if whole and inserts and line > 1 else line
        segment = _segment(file, anchor)
        closing = last - 1 if whole and not inserts else anchor if whole else last
        if last_column == 0 and splice.end == len(text.text) and not whole and last > 1:
            closing = last - 1
        if _segment(file, closing) is not segment:
            raise Refusal("a edição atravessa dois trechos do documento que formam este arquivo")
        crlf = self._adds_returns(segment, text.text)
        prefix = self._near_prefix(segment, anchor)
        if whole:
            shown = "".join(_dressed(part, prefix) for part in _LINE.findall(splice.text))
            start = self._line(segment, anchor + 1 if anchor != line else line)
            end = start if inserts else self._line(segment, last)
        else:
            head, *rest = splice.text.split("\n")
            shown = "\n".join((head, *(_dressed(part, prefix) for part in rest)))
            start = self._line(segment, line) + self._dropped(segment, line) + column
            end = self._line(segment, last)
            if closing == last and not (last_column == 0 and splice.text.endswith("\n")):
                end += self._dropped(segment, last) + last_column
        return Splice(start, end, shown.replace("\n", "\r\n") if crlf else shown)

    def _line(self, segment: Segment, line: int) -> int:
        return self.index.start(segment.document_line + line - segment.first_line)

    @staticmethod
    def _dropped(segment: Segment, line: int) -> int:
        return segment.dropped[line - segment.first_line]

    def _prefix(self, segment: Segment, number: int) -> str:
        start = self.index.start(segment.document_line + number)
        return self.index.text[start : start + segment.dropped[number]]

    def _longest(self, segment: Segment) -> str:
        return max((self._prefix(segment, number) for number in range(segment.line_count)), key=len, default="")

    def _near_prefix(self, segment: Segment, line: int) -> str:
        """What the document has before lines here: the nearest line's with ``<<-`` tabs, else the fence's whole one."""
        prefixes = [self._prefix(segment, number) for number in range(segment.line_count)]
        longest = max(prefixes, key=len, default="")
        if "\t" not in longest:
            return longest
        at = line - segment.first_line
        return next((prefixes[number] for number in range(at, -1, -1) if prefixes[number]), longest)

    def _adds_returns(self, segment: Segment, text: str) -> bool:
        """The document has CRLF where the file, as read, has LF."""
        end = self.index.start(segment.document_line + 1)
        return "\r" not in text and self.index.text[end - 2 : end] == "\r\n"


def check_new_lines(file: SourceFile, document: Document, before: str, after: str, splices: Sequence[Splice]) -> None:
    """Refusal for text that would not reach the file as it stands: expanded by the shell, or ending the block early."""
    if file.expands and any(_ACTIVE.search(splice.text) for splice in splices):
        raise Refusal("o heredoc expande variáveis: o texto novo tem `$`, crase ou barra invertida")
    fresh = set(after.split("\n")) - set(before.split("\n"))
    for segment in file.segments:
        closing = document.lines[segment.document_line + segment.line_count - 1 :][:1]
        if file.origin.kind == "heredoc" and closing and any(line.strip() == closing[0].strip() for line in fresh):
            raise Refusal(f"o texto novo tem a linha `{closing[0].strip()}`, que encerraria o heredoc")
        opening = document.lines[segment.document_line - 2] if segment.document_line > 1 else ""
        if file.origin.kind == "heredoc" and "<<-" in opening and any(line.startswith("\t") for line in fresh):
            raise Refusal("o texto novo tem linha que começa com TAB, que o heredoc `<<-` descarta")
    if any(_FENCE.fullmatch(line.strip(" \t")) for line in fresh):
        raise Refusal("o texto novo tem uma linha que encerraria o bloco de código do documento")


def _segment(file: SourceFile, line: int) -> Segment:
    for segment in file.segments:
        if segment.first_line <= line < segment.first_line + segment.line_count:
            return segment
    raise Refusal("a edição cai fora das linhas que o documento tem deste arquivo")


def _dressed(line: str, prefix: str) -> str:
    return prefix + line if line.strip("\r\n") else prefix.rstrip() + line


def _undressed(line: str, prefix: str) -> str:
    """Take off what the reader takes off: every tab of ``<<-``, up to the fence's spaces, or a quote's own marks."""
    fixed = prefix.rstrip("\t")
    if fixed.strip(" "):
        return line[len(fixed) :] if line.startswith(fixed) else line.removeprefix(fixed.rstrip())
    spaces = len(line) - len(line.lstrip(" "))
    line = line[min(spaces, len(fixed)) :]
    return line.lstrip("\t") if "\t" in prefix else line

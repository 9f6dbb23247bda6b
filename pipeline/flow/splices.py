"""Edits as data: disjoint replacements of a text that stay in the coordinates of the original."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["LineIndex", "Refusal", "Splice", "SplicedText", "apply_splices", "line_end_of"]


class Refusal(Exception):  # noqa: N818 - not an error of the program: one change that is reported as not applied
    """A change that must not be applied; the message is the reason in pt-BR."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace ``[start, end)`` (characters) by ``text``."""

    start: int
    end: int
    text: str


def apply_splices(text: str, splices: Iterable[Splice]) -> str:
    """Text with disjoint splices applied; two insertions at one place keep the order given."""
    parts: list[str] = []
    at = 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        if splice.start < at:
            raise Refusal("edições que se sobrepõem")
        parts += (text[at : splice.start], splice.text)
        at = splice.end
    return "".join((*parts, text[at:]))


def line_end_of(text: str) -> str:
    """The line end that most lines of ``text`` have; LF where there is none."""
    crlf = text.count("\r\n")
    return "\r\n" if crlf * 2 > text.count("\n") else "\n"


class LineIndex:
    """Lines and columns (from 1, lines end at LF) to character offsets of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0]
        at = text.find("\n") + 1
        while at:
            self._starts.append(at)
            at = text.find("\n", at) + 1

    @property
    def count(self) -> int:
        """Number of lines, the empty one after a final LF included."""
        return len(self._starts)

    def start(self, line: int) -> int:
        """Where ``line`` begins; the end of the text for the line after the last."""
        return self._starts[line - 1] if line <= self.count else len(self.text)

    def offset(self, line: int, column: int) -> int:
        """Refusal where the text has no such place."""
        if not 1 <= line <= self.count or column < 1:
            raise Refusal(f"o texto não tem a linha {line}, coluna {column}")
        offset = self.start(line) + column - 1
        if offset > self.start(line + 1):
            raise Refusal(f"o texto não tem a linha {line}, coluna {column}")
        return offset

    def place(self, offset: int) -> tuple[int, int]:
        """Line from 1 and column from 0."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]


class SplicedText:
    """A text and the edits made to it so far, kept disjoint, sorted and in the coordinates of ``original``."""

    def __init__(self, original: str, splices: Sequence[Splice] = ()) -> None:
        self.original = original
        self._splices = list(splices)

    @property
    def splices(self) -> tuple[Splice, ...]:
        return tuple(self._splices)

    def copy(self) -> SplicedText:
        return SplicedText(self.original, self._splices)

    def text(self) -> str:
        return apply_splices(self.original, self._splices)

    def part(self, start: int, end: int) -> str:
        """What ``original[start:end]`` has become; Refusal where an edit crosses one of the two borders."""
        low, high = self._within(start, end)
        shifted = [Splice(s.start - start, s.end - start, s.text) for s in self._splices[low:high]]
        return apply_splices(self.original[start:end], shifted)

    def edit_part(self, start: int, end: int, splices: Iterable[Splice]) -> None:
        """Apply ``splices``, which count in ``part(start, end)``."""
        low, high = self._within(start, end)
        inner = self._splices[low:high]
        for splice in sorted(splices, key=lambda splice: (splice.start, splice.end), reverse=True):
            inner = _compose(inner, start, splice)
        self._splices[low:high] = [s for s in inner if self.original[s.start : s.end] != s.text]

    def edit_original(self, start: int, end: int, text: str) -> None:
        """Replace ``original[start:end]``; Refusal where an earlier edit already touched that range."""
        low = bisect_left(self._splices, start, key=lambda splice: splice.end)
        while low < len(self._splices) and (self._splices[low].start, self._splices[low].end) <= (start, end):
            low += 1
        for near in self._splices[max(0, low - 1) : low + 1]:
            if near.start < end and start < near.end:
                raise Refusal("o trecho já foi alterado por outra ação")
        if self.original[start:end] != text:
            self._splices.insert(low, Splice(start, end, text))

    def _within(self, start: int, end: int) -> tuple[int, int]:
        """Edits of a part: an insertion on a border belongs to the part that it ends, save at the very start."""
        low = bisect_right(self._splices, start, key=lambda splice: splice.start) if start else 0
        high = bisect_right(self._splices, end, key=lambda splice: splice.end)
        if low and self._splices[low - 1].end > start:
            raise Refusal("o trecho já foi alterado por outra ação")
        if high < len(self._splices) and self._splices[high].start < end:
            raise Refusal("o trecho já foi alterado por outra ação")
        return low, max(low, high)


def _compose(splices: list[Splice], base: int, new: Splice) -> list[Splice]:
    """Add ``new``, which counts in the text as ``splices`` leave it (position 0 is ``base`` of the original)."""
    delta = -base  # current position = original position + delta, up to the splice looked at
    before: list[Splice] = []
    touched: list[tuple[int, Splice]] = []
    for number, splice in enumerate(splices):
        first = splice.start + delta
        last = first + len(splice.text)
        if last < new.start:
            before.append(splice)
            delta += len(splice.text) - (splice.end - splice.start)
            continue
        if first > new.end:
            break
        touched.append((number, splice))
        if len(touched) == 1:
            entry_delta = delta
        delta += len(splice.text) - (splice.end - splice.start)
    if not touched:
        return [*before, Splice(new.start - delta, new.end - delta, new.text), *splices[len(before) :]]
    first_splice, last_splice = touched[0][1], touched[-1][1]
    first = first_splice.start + entry_delta
    last = last_splice.end + delta
    head = first_splice.text[: max(0, new.start - first)]
    tail = last_splice.text[len(last_splice.text) - max(0, last - new.end) :] if last > new.end else ""
    start = min(first_splice.start, new.start - entry_delta)
    end = max(last_splice.end, new.end - delta)
    return [*before, Splice(start, end, head + new.text + tail), *splices[touched[-1][0] + 1 :]]

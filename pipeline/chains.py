"""Index chains of many workers as one: which lines are new, in which order, and how they stand in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex
from pipeline.domain.execution import LineOrigin
from pipeline.ledger import IndexLine, Ledger, merged_row, packs_before, parse_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["Chain", "MergedLine", "merge_chains", "read_chain"]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """An index that was walked from its first line. ``rows`` are the lines' own bytes."""

    ledger: Ledger
    rows: tuple[bytes, ...] = field(repr=False)

    @property
    def lines(self) -> tuple[IndexLine, ...]:
        return self.ledger.lines

    @cached_property
    def identities(self) -> frozenset[str]:
        """Digests of its lines where they were first written."""
        return frozenset(each.identity for each in self.lines)

    @cached_property
    def packs(self) -> dict[tuple[str, str], str | None]:
        """The pack before each one, as this chain has it."""
        return packs_before(self.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedLine:
    """A line to be added, the line that it was in ``sources[source]``, and where it was first written."""

    row: bytes
    line: IndexLine
    origin: LineOrigin
    source: int


def read_chain(data: bytes, *, where: str) -> Chain:
    """IntegrityError names the first line that does not fit. What a crash left after the last line is no part of it."""
    ledger = parse_ledger(data, where=where)
    whole = data[: len(data) - len(ledger.torn)]
    return Chain(ledger=ledger, rows=tuple(whole.splitlines(keepends=True)))


def merge_chains(target: Chain, sources: Sequence[Chain]) -> tuple[MergedLine, ...]:
    """The lines of ``sources`` that ``target`` does not know, as they go on from its end.

    The same set of lines gives the same bytes, in whatever order the sources are named; a line that is known already,
    by whatever way it came, is not added again. A line never stands before the one that it followed in its own chain;
    otherwise time decides, then the digest.
    """
    known = target.identities
    order = _Order([target, *sources])
    fresh: dict[str, tuple[int, int]] = {}
    for number, source in enumerate(sources):
        for at, line in enumerate(source.lines):
            if line.identity not in known:
                fresh.setdefault(line.identity, (number, at))
    merged = []
    sequence, previous = target.ledger.next_sequence, target.ledger.head
    for identity in sorted(fresh, key=order.key):
        number, at = fresh[identity]
        source = sources[number]
        origin = _origin(source, at)
        row = merged_row(json.loads(source.rows[at]), origin, sequence=sequence, previous=previous)
        merged.append(MergedLine(row=row, line=source.lines[at], origin=origin, source=number))
        sequence, previous = sequence + 1, sha256_hex(row)
    return tuple(merged)


def _origin(chain: Chain, at: int) -> LineOrigin:
    line = chain.lines[at]
    if line.origin is not None:
        return line.origin
    return LineOrigin(
        chain=chain.lines[0].sha256,
        sequence=line.sequence,
        previous=line.previous,
        sha256=line.sha256,
        schema_version=json.loads(chain.rows[at])["schema_version"],
        previous_pack=chain.packs.get((line.module, line.manifest_sha256 or "")),
    )


class _Order:
    """Where each line stands among all that are known, whichever chain shows it."""

    def __init__(self, chains: Sequence[Chain]) -> None:
        self._lines: dict[str, tuple[IndexLine, str]] = {}
        self._names: dict[str, str] = {}  # digest of a line, as any chain has it, to its identity
        for chain in chains:
            for line in chain.lines:
                first = line.origin.chain if line.origin is not None else chain.lines[0].sha256
                self._lines.setdefault(line.identity, (line, first))
                self._names[line.sha256] = line.identity
        self._places: dict[str, tuple[datetime, int]] = {}

    def key(self, identity: str) -> tuple[datetime, int, str, str]:
        """Sorts a line after the one that it followed, whatever the clock said."""
        return (*self._place(identity), self._lines[identity][1], identity)

    def _place(self, identity: str) -> tuple[datetime, int]:
        """Latest time on the way to the line, and how many lines it follows."""
        way: list[str] = []
        at: str | None = identity
        while at is not None and at not in self._places:
            way.append(at)
            at = self._before(at)
        for each in reversed(way):
            line = self._lines[each][0]
            before = self._before(each)
            if before is None:
                place = (line.recorded_at, line.origin.sequence if line.origin is not None else line.sequence)
            else:
                latest, depth = self._places[before]
                place = (max(latest, line.recorded_at), depth + 1)
            self._places[each] = place
        return self._places[identity]

    def _before(self, identity: str) -> str | None:
        line = self._lines[identity][0]
        previous = line.origin.previous if line.origin is not None else line.previous
        return self._names.get(previous)

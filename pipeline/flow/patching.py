"""A patch that ``git apply`` takes, from the bytes before and after; nothing of git is run."""

from __future__ import annotations

import difflib
import hashlib
import unicodedata
from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["build_patch", "unsafe_path"]

_CONTEXT = 3
_SMALL = 250_000  # lines of one side times lines of the other that difflib may compare
_EDITS = 300  # lines that may differ where no line is unique and difflib would take too long
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
# Characters that HFS+ ignores in names, so that they can hide ``.git``.
_IGNORED = dict.fromkeys((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))

_Change = tuple[int, int, int, int]  # lines [0, 1) of the old side become lines [2, 3) of the new


def build_patch(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bytes:
    """Git-style unified diff from ``old`` to ``new``, files in the order of their path's bytes; empty when equal.

    Lines end at LF only; any bytes are allowed. InputError for a path that git would refuse or that leaves the tree.
    """
    parts: list[bytes] = []
    for path in sorted(old.keys() | new.keys(), key=_encoded):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        reason = unsafe_path(path)
        if reason:
            raise InputError(f"caminho recusado no patch: {reason}", where=ascii(path))
        parts += _file_patch(path, before, after)
    return b"".join(parts)


def unsafe_path(path: str) -> str:
    """Why a path may not be written, in pt-BR; empty when it may: relative, normalised, inside, not git's own."""
    if not path or path.startswith(("/", "~")) or path[1:2] == ":":
        return "não é relativo à raiz"
    if "\\" in path or any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in path):
        return "tem barra invertida ou caractere de controle"
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            return "não está normalizado ou sai da árvore"
        plain = unicodedata.normalize("NFC", part.translate(_IGNORED)).casefold().split(":")[0].rstrip(". ")
        if plain == ".git" or plain.startswith("git~"):
            return "pertence ao próprio git"
    return ""


def _file_patch(path: str, before: bytes | None, after: bytes | None) -> Iterator[bytes]:
    source, target = _quoted("a/", path), _quoted("b/", path)
    yield b"diff --git %s %s\n" % (source, target)
    if before is None:
        yield b"new file mode 100644\n"
    if after is None:
        yield b"deleted file mode 100644\n"
    yield b"index %s..%s\n" % (_blob(before), _blob(after))
    if not before and not after:
        return
    yield b"--- %s\n" % (b"/dev/null" if before is None else _with_tab(source))
    yield b"+++ %s\n" % (b"/dev/null" if after is None else _with_tab(target))
    yield from _hunks(_lines(before or b""), _lines(after or b""))


def _hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    group: list[_Change] = []
    for change in _changes(old, new):
        if group and change[0] - group[-1][1] > 2 * _CONTEXT:
            yield from _hunk(old, new, group)
            group = []
        group.append(change)
    if group:
        yield from _hunk(old, new, group)


def _hunk(old: Sequence[bytes], new: Sequence[bytes], group: list[_Change]) -> Iterator[bytes]:
    lead = min(_CONTEXT, group[0][0])
    trail = min(_CONTEXT, len(old) - group[-1][1])
    first_old, last_old = group[0][0] - lead, group[-1][1] + trail
    first_new, last_new = group[0][2] - lead, group[-1][3] + trail
    yield b"@@ -%s +%s @@\n" % (_range(first_old, last_old), _range(first_new, last_new))
    at = first_old
    for low, high, first, last in group:
        yield from _marked(b" ", old[at:low])
        yield from _marked(b"-", old[low:high])
        yield from _marked(b"+", new[first:last])
        at = high
    yield from _marked(b" ", old[at:last_old])


def _marked(mark: bytes, lines: Sequence[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line if line.endswith(b"\n") else mark + line + b"\n\\ No newline at end of file\n"


def _range(first: int, last: int) -> bytes:
    """Counted from 1; an empty range names the line before it."""
    return b"%d,%d" % (first + 1 if last > first else first, last - first)


def _changes(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[_Change]:
    """What differs, in order: lines unique to both sides anchor the comparison, so that big files stay linear."""
    pending: list[_Change] = [(0, len(old), 0, len(new))]
    while pending:
        low, high, first, last = pending.pop()
        while low < high and first < last and old[low] == new[first]:
            low, first = low + 1, first + 1
        while low < high and first < last and old[high - 1] == new[last - 1]:
            high, last = high - 1, last - 1
        if low == high and first == last:
            continue
        if low == high or first == last:
            yield low, high, first, last
            continue
        anchors = _anchors(old[low:high], new[first:last])
        if anchors:
            edges = [(low - 1, first - 1), *((low + one, first + other) for one, other in anchors), (high, last)]
            gaps = [
                (one + 1, next_one, other + 1, next_other) for (one, other), (next_one, next_other) in pairwise(edges)
            ]
            pending += reversed(gaps)
            continue
        for one, two, three, four in _compared(old[low:high], new[first:last]):
            yield low + one, low + two, first + three, first + four


def _compared(old: Sequence[bytes], new: Sequence[bytes]) -> list[_Change]:
    """Two runs of lines that no unique line anchors."""
    if len(old) * len(new) <= _SMALL:
        codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        return [(one, two, three, four) for tag, one, two, three, four in codes if tag != "equal"]
    return _greedy(old, new) or [(0, len(old), 0, len(new))]


def _greedy(old: Sequence[bytes], new: Sequence[bytes]) -> list[_Change]:
    """Myers' shortest edit script; empty where it would be longer than ``_EDITS`` lines."""
    reach = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(_EDITS + 1):
        trace.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
            one = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
            other = one - diagonal
            while one < len(old) and other < len(new) and old[one] == new[other]:
                one, other = one + 1, other + 1
            reach[diagonal] = one
            if one >= len(old) and other >= len(new):
                return _walk_back(trace, one, other)
    return []


def _walk_back(trace: list[dict[int, int]], one: int, other: int) -> list[_Change]:
    changes: list[_Change] = []
    for edits in range(len(trace) - 1, 0, -1):
        reach, diagonal = trace[edits], one - other
        down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
        before = diagonal + 1 if down else diagonal - 1
        one = reach[before]
        other = one - before
        step = (one, one, other, other + 1) if down else (one, one + 1, other, other)
        if changes and (step[1], step[3]) == (changes[-1][0], changes[-1][2]):
            step = (step[0], changes[-1][1], step[2], changes[-1][3])
            changes.pop()
        changes.append(step)
    return changes[::-1]


def _anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int]]:
    """Longest increasing run of the lines that stand once on each side (patience diff)."""
    seen_old, seen_new = Counter(old), Counter(new)
    places = {line: number for number, line in enumerate(new) if seen_new[line] == 1}
    pairs = [(number, places[line]) for number, line in enumerate(old) if seen_old[line] == 1 and line in places]
    tails: list[int] = []
    tops: list[int] = []
    links: list[int] = []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
        tops[at : at + 1] = [number]
        links.append(tops[at - 1] if at else -1)
    run: list[tuple[int, int]] = []
    number = tops[-1] if tops else -1
    while number >= 0:
        run.append(pairs[number])
        number = links[number]
    return run[::-1]


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    last = parts.pop()
    return [part + b"\n" for part in parts] + ([last] if last else [])


def _blob(data: bytes | None) -> bytes:
    """Git's name of the content, so that ``git apply --3way`` finds it."""
    if data is None:
        return b"0" * 40
    digest = hashlib.sha1(b"blob %d\x00" % len(data) + data, usedforsecurity=False)
    return digest.hexdigest().encode()


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _quoted(prefix: str, path: str) -> bytes:
    """A name as git writes it: C-style quotes where a byte is a control, a quote, a backslash or not ASCII."""
    raw = _encoded(prefix + path)
    if all(0x20 <= byte < 0x7F and byte not in _ESCAPES for byte in raw):
        return raw
    shown = "".join(
        f"\\{_ESCAPES[byte]}" if byte in _ESCAPES else chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"
        for byte in raw
    )
    return f'"{shown}"'.encode()


def _with_tab(name: bytes) -> bytes:
    """Git ends a name that has spaces with a TAB, so that readers know where it stops."""
    return name + b"\t" if b" " in name else name

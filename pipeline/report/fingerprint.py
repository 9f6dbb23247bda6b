"""The line fingerprint that code scanning computes itself, so that an alert is the same however it was uploaded.

Rolling hash of GitHub's ``primaryLocationLineHash``: base 37 modulo 2^64 over 100 UTF-16 units from the start of the
line, spaces and tabs skipped, CR and CRLF as LF, 65535 at the end of the file and zeros after it; then the occurrence.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

__all__ = ["line_hashes"]

_WINDOW = 100
_BASE = 37
_MASK = 2**64 - 1


def line_hashes(text: str) -> list[str]:
    """``hash:occurrence`` of every line, from line 1.

    >>> line_hashes("")
    ['c129715d7a2bc9a3:1']
    """
    kept = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "").encode("utf-16-le")
    units = [*memoryview(kept).cast("H"), 65535]
    starts = [0, *(index + 1 for index, unit in enumerate(units) if unit == 10)]
    units += [0] * _WINDOW
    prefixes = list(accumulate(units, lambda total, unit: (total * _BASE + unit) & _MASK, initial=0))
    first = pow(_BASE, _WINDOW, 2**64)
    seen: Counter[int] = Counter()
    hashes = []
    for start in starts:
        value = (prefixes[start + _WINDOW] - prefixes[start] * first) & _MASK
        seen[value] += 1
        hashes.append(f"{value:x}:{seen[value]}")
    return hashes

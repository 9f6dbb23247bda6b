"""The line fingerprint that code scanning computes itself, so that an alert is the same however it was uploaded.

Rolling hash of GitHub's ``primaryLocationLineHash``: base 37 modulo 2^64 over 100 UTF-16 units from the start of the
line, spaces and tabs skipped, CR and CRLF as LF, 65535 at the end of the file and zeros after it; then the occurrence.
"""

from __future__ import annotations

from collections import Counter
from operator import mul

__all__ = ["LineHashes"]

_WINDOW = 100
_UNIT_BYTES = 2
_MASK = 2**64 - 1
_POWERS = [pow(37, exponent, 2**64) for exponent in range(_WINDOW - 1, -1, -1)]
_END = b"\xff\xff" + bytes(_UNIT_BYTES * _WINDOW)


class LineHashes:
    """``hash:occurrence`` of the lines of a text; the hash is computed for the lines that are asked for.

    >>> LineHashes("").of(1)
    'c129715d7a2bc9a3:1'
    """

    def __init__(self, text: str) -> None:
        kept = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
        units = kept.encode("utf-16-le") + _END
        seen: Counter[bytes] = Counter()
        self._windows: list[tuple[bytes, int]] = []
        start = 0
        for line in kept.split("\n"):
            window = units[start : start + _UNIT_BYTES * _WINDOW]
            seen[window] += 1
            self._windows.append((window, seen[window]))
            start += _UNIT_BYTES * (1 + len(line) + (0 if line.isascii() else sum(char > "\uffff" for char in line)))

    def __len__(self) -> int:
        return len(self._windows)

    def of(self, line: int) -> str:
        """Of ``line``, from 1."""
        window, occurrence = self._windows[line - 1]
        return f"{sum(map(mul, memoryview(window).cast('H'), _POWERS)) & _MASK:x}:{occurrence}"

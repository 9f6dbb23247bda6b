"""Words without which nothing is found in a text: looked for once, all of them together.

For speed alone: a hint may be told that is not there, but none is left out that is.
"""

from __future__ import annotations

from functools import lru_cache

from ahocorasick_rs import BytesAhoCorasick

__all__ = ["EVERY_HINT", "TAKEN_FOR_ASCII", "Hints", "hint", "hints_in"]

EVERY_HINT = -1


class Hints:
    """Words that are compared as ``folded`` (256 bytes, one for each) leaves them and the text."""

    def __init__(self, folded: bytes) -> None:
        self._folded = folded
        self._declared: list[tuple[str, ...]] = []

    def hint(self, *words: str) -> int:
        """A new hint: a bit that a text has where it holds one of ``words``."""
        self._declared.append(words)
        return 1 << (len(self._declared) - 1)

    def held_by(self, text: bytes) -> int:
        """The hints that a text has, their bits together."""
        automaton, bits = self._compiled(len(self._declared))
        held = 0
        for found, _, _ in automaton.find_matches_as_indexes(text.translate(self._folded), overlapping=True):
            held |= bits[found]
        return held

    @lru_cache(maxsize=4)  # noqa: B019  # there are two, and they live as long as the program
    def _compiled(self, _count: int) -> tuple[BytesAhoCorasick, list[int]]:
        """The automaton of all that was declared so far, and the bit of each of its words."""
        words = [(word, 1 << index) for index, words in enumerate(self._declared) for word in words]
        folded = [word.encode().translate(self._folded) for word, _ in words]
        return BytesAhoCorasick(folded), [bit for _, bit in words]


_OF_RULES = Hints(bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"))


# Letters beyond ASCII that a pattern which ignores case takes for one of its letters.
TAKEN_FOR_ASCII = "\u0130\u0131\u017f\u212a"
_taken_for_ascii = _OF_RULES.hint(*TAKEN_FOR_ASCII)


def hint(*words: str) -> int:
    """A hint of a rule: ``FileView.hints`` has the bit where the file holds one of ``words``, in whatever case."""
    return _OF_RULES.hint(*words)


def hints_in(text: bytes) -> int:
    """The hints of rules that a text in UTF-8 has."""
    held = _OF_RULES.held_by(text)
    return EVERY_HINT if held & _taken_for_ascii else held

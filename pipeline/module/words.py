"""Words of a shell: quoting, substitutions, parameters. The base of the reader in ``shell``."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NoReturn

from pipeline.module.script import ProblemCode, Scope, ShellProblem, SimpleCommand, Word

__all__ = ["StopReadingError", "WordReader"]

_MAX_DEPTH = 40  # nesting of $( ), ${ }, ( ) and backticks

_PLAIN = re.compile(r"[^ \t\n\"'\\$`;&|<>()]+")
_BLANKS = re.compile(r"(?:[ \t]++|\\\n)++")
_HOLE = re.compile(r"<[A-Za-zÀ-ÿ_][\w.:/@-]{0,100}>")
_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!_-])")
_ANSI_C = re.compile(r"\$'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_DOUBLE_PLAIN = re.compile(r"[^\"\\$`]+")
_BRACE_PLAIN = re.compile(r"[^\\'\"$`}]+")
_PARENS = re.compile(r"[^()]*+[()]")
_GLOB = re.compile(r"[*?\[{]")


class StopReadingError(Exception):
    """The rest of the text cannot be read; carries why."""

    def __init__(self, problem: ShellProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Parts:
    """A word while it is read."""

    values: list[str] = field(default_factory=list)
    quoted: bool = False
    active: bool = False
    hole: bool = False

    def word(self) -> Word:
        return Word(value="".join(self.values), quoted=self.quoted, active=self.active, hole=self.hole)


class WordReader(ABC):
    """A cursor over the text; every loop moves it on, so that the time is linear."""

    def __init__(self, text: str, max_words: int) -> None:
        self.items: list[SimpleCommand | Scope] = []
        self.problems: list[ShellProblem] = []
        self.words_left = max_words  # words and their quoted or expanded pieces
        self._text = text
        self._size = len(text)
        self._pos = 0
        self._closers: list[str] = []
        self._cuts: list[tuple[int, int]] = []  # here-document bodies passed over, in order
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    @abstractmethod
    def read_list(self, closer: str) -> None:
        """Read commands up to ``closer``, or to the end when it is empty."""

    def _read_word(self) -> Word:
        self._spend()
        parts = _Parts()
        start = self._pos
        while self._pos < self._size:
            found = _PLAIN.match(self._text, self._pos)
            if found:
                chunk = found.group()
                parts.active |= bool(_GLOB.search(chunk)) or (self._pos == start and chunk[0] == "~")
                parts.values.append(chunk)
                self._pos = found.end()
            elif not self._read_special(parts, at_start=self._pos == start):
                break
        return parts.word()

    def _read_special(self, parts: _Parts, *, at_start: bool) -> bool:
        """Read what begins with a character that means something in a word; False where the word ends."""
        self._spend()
        char = self._text[self._pos]
        following = self._text[self._pos + 1 : self._pos + 2]
        if char == "'":
            self._read_single(parts)
        elif char == '"':
            self._read_double(parts)
        elif char == "\\":
            if following != "\n":
                parts.values.append(following or char)
                parts.quoted = True
            self._pos += 2 if following else 1
        elif char == "$":
            self._read_dollar(parts, in_double=False)
        elif char == "`" and self._closers[-1] != "`":
            self._read_substitution(parts, 1, "`")
        elif char in "<>(":
            return self._read_bracket(parts, following, at_start=at_start)
        else:
            return False
        return True

    def _read_bracket(self, parts: _Parts, following: str, *, at_start: bool) -> bool:
        """Read a placeholder, a process substitution or the list of an array, else False."""
        char = self._text[self._pos]
        if char == "(" and parts.values and parts.values[-1].endswith("="):
            self._read_array(parts)
        elif char != "(" and following == "(" and at_start:
            self._read_substitution(parts, 2, ")")
        elif found := _HOLE.match(self._text, self._pos):
            parts.values.append(found.group())
            parts.hole = True
            self._pos = found.end()
        else:
            return False
        return True

    def _read_single(self, parts: _Parts) -> None:
        end = self._text.find("'", self._pos + 1)
        if end < 0:
            self._stop_unclosed(self._pos, "aspas simples")
        parts.values.append(self._text[self._pos + 1 : end])
        parts.quoted = True
        self._pos = end + 1

    def _read_double(self, parts: _Parts) -> None:
        opened = self._pos
        parts.quoted = True
        self._pos += 1
        while self._pos < self._size:
            self._spend()
            char = self._text[self._pos]
            if char == '"':
                self._pos += 1
                return
            if char == "\\":
                following = self._text[self._pos + 1 : self._pos + 2]
                if following != "\n":
                    parts.values.append(following if following and following in '$`"\\' else char + following)
                self._pos += 2
            elif char == "$":
                self._read_dollar(parts, in_double=True)
            elif char == "`":
                self._read_substitution(parts, 1, "`")
            else:
                found = _DOUBLE_PLAIN.match(self._text, self._pos)
                assert found is not None  # noqa: S101  # the branches above take every other character
                parts.values.append(found.group())
                self._pos = found.end()
        self._stop_unclosed(opened, "aspas duplas")

    def _read_dollar(self, parts: _Parts, *, in_double: bool) -> None:
        following = self._text[self._pos + 1 : self._pos + 2]
        if following == "(" and not self._text.startswith("$((", self._pos):
            self._read_substitution(parts, 2, ")")
        elif following == "(":
            start = self._pos
            self._pos += 1
            self._skip_parens()
            self._take(parts, start)
        elif following == "{":
            self._read_parameter(parts, in_double=in_double)
        elif found := _NAME.match(self._text, self._pos):
            start, self._pos = self._pos, found.end()
            self._take(parts, start)
        elif not in_double and following == '"':
            self._pos += 1
        elif not in_double and (found := _ANSI_C.match(self._text, self._pos)):
            parts.values.append(found[1])
            parts.quoted = True
            self._pos = found.end()
        else:
            parts.values.append("$")
            self._pos += 1

    def _read_substitution(self, parts: _Parts, opening: int, closer: str) -> None:
        """``$( )``, `` ` ` `` and ``<( )``: the commands inside are read where they stand; the word keeps the text."""
        start, cut = self._pos, len(self._cuts)
        self._pos += opening
        self.items.append(Scope(enter=True))
        self.read_list(closer)
        self.items.append(Scope(enter=False))
        self._take(parts, start, cut)

    def _read_parameter(self, parts: _Parts, *, in_double: bool) -> None:
        start, cut = self._pos, len(self._cuts)
        self._enter("}")
        self._pos += 2
        inner = _Parts()
        while self._pos < self._size and self._text[self._pos] != "}":
            char = self._text[self._pos]
            if found := _BRACE_PLAIN.match(self._text, self._pos):
                self._pos = found.end()
            elif char == "'" and in_double:
                self._pos += 1
            elif char == '"' and in_double:  # the quotes inside "${x:-"y"}" are their own
                self._read_double(inner)
            elif not self._read_special(inner, at_start=False):
                self._pos += 1
        if self._pos >= self._size:
            self._stop_unclosed(start, "“${”")
        self._pos += 1
        self._leave()
        self._take(parts, start, cut)

    def _read_array(self, parts: _Parts) -> None:
        start, cut = self._pos, len(self._cuts)
        self._enter(")")
        self._pos += 1
        while self._pos < self._size and self._text[self._pos] != ")":
            before = self._pos
            self._read_word()
            if self._pos == before:
                self._pos += 1
        if self._pos >= self._size:
            self._stop_unclosed(start, "“(”")
        self._pos += 1
        self._leave()
        self._take(parts, start, cut)

    def _skip_parens(self) -> None:
        """Pass over an arithmetic expression, which holds no commands."""
        opened, depth = self._pos, 0
        while found := _PARENS.match(self._text, self._pos):
            self._pos = found.end()
            depth += 1 if found.group()[-1] == "(" else -1
            self._spend()
            if depth == 0:
                if re.search("<<[^\n]*\n", self._text[opened : self._pos]):
                    self.problems.append(
                        ShellProblem(code="unsupported", message="heredoc dentro de “((”", line=self._line(opened))
                    )
                return
        self._stop_unclosed(opened, "“((”")

    def _take(self, parts: _Parts, start: int, cut: int | None = None) -> None:
        """Put the text since ``start`` into the word as it stands."""
        parts.values.append(self._slice(start, self._pos, len(self._cuts) if cut is None else cut))
        parts.active = True

    def _spend(self) -> None:
        """Count one piece of a word against the limit."""
        self.words_left -= 1
        if self.words_left < 0:
            self._stop("limit", "palavras demais em blocos de shell", self._pos)

    def _at_hole(self) -> bool:
        return _HOLE.match(self._text, self._pos) is not None

    def _skip_blanks(self) -> None:
        if found := _BLANKS.match(self._text, self._pos):
            self._pos = found.end()

    def _slice(self, start: int, end: int, cut: int) -> str:
        """Text without the here-document bodies in it, of which the first is the ``cut``-th."""
        pieces = []
        for first, last in self._cuts[cut:]:
            pieces.append(self._text[start:first])
            start = last
        return "".join([*pieces, self._text[start:end]])

    def _line(self, pos: int) -> int:
        return bisect_right(self._starts, pos)

    def _enter(self, closer: str) -> None:
        self._closers.append(closer)
        if len(self._closers) > _MAX_DEPTH:
            self._stop("limit", f"mais de {_MAX_DEPTH} níveis de substituições e subshells", self._pos)

    def _leave(self) -> None:
        self._closers.pop()

    def _stop_unclosed(self, pos: int, what: str) -> NoReturn:
        self._stop("unclosed", f"{what} sem fim: o resto do bloco não foi lido", pos)

    def _stop(self, code: ProblemCode, message: str, pos: int) -> NoReturn:
        raise StopReadingError(ShellProblem(code=code, message=message, line=self._line(pos)))

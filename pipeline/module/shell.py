"""Reads shell text into simple commands, redirections and here-documents. Nothing is executed or expanded.

Words, quoting and here-documents follow POSIX.1-2024 XCU 2.2, 2.3 and 2.7 as bash 5.2 reads them. One thing is read
otherwise on purpose: a placeholder such as ``<env>``, which a shell takes for two redirections, is part of its word and
marked as a hole, since documents name what their reader must fill in this way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipeline.module.script import HereDoc, Redirection, Scope, Script, ShellProblem, SimpleCommand, Word
from pipeline.module.words import StopReadingError, WordReader

__all__ = ["MAX_WORDS", "read_script"]

MAX_WORDS = 500_000

_CONTROL = re.compile(r"&&|\|\||;;&|;&|;;|\|&|[;|]|&(?!>)")
_REDIRECT = re.compile(r"(?P<fd>\d{0,4})(?P<op><<<|<<-?|<>|<&|>>|>\||>&|[<>](?!\())|(?P<both>&>>?)")
_CONTINUED = re.compile(r"(?<![ \t])[ \t]*+\\\n[ \t]*+")

_LEADING = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})
_HEADERS = frozenset({"for", "case", "select", "function"})


def read_script(text: str, *, max_words: int = MAX_WORDS) -> Script:
    """Read ``text``; lines count from 1. Never raises: what cannot be read is a problem, and ends the reading."""
    reader = _Reader(text, max_words)
    try:
        reader.read_list("")
    except StopReadingError as stop:
        reader.problems.append(stop.problem)
    return Script(
        items=tuple(reader.items), heredocs=tuple(reader.heredocs), problems=tuple(reader.problems),
        word_count=max_words - reader.words_left,
    )  # fmt: skip


@dataclass(slots=True)
class _Draft:
    before: str
    cut: int  # how many here-document bodies had been cut out before it
    start: int = -1
    end: int = 0
    words: list[Word] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    compound: bool = False
    header: bool = False

    @property
    def in_test(self) -> bool:
        return bool(self.words) and self.words[0].value == "[[" and self.words[-1].value != "]]"


class _Reader(WordReader):
    """Recursive descent over lists of commands."""

    def __init__(self, text: str, max_words: int) -> None:
        super().__init__(text, max_words)
        self.heredocs: list[HereDoc] = []
        self._pending: list[tuple[int, bool]] = []  # here-documents whose body follows the next newline, with "<<-"

    def read_list(self, closer: str) -> None:
        self._enter(closer)
        outer, self._pending = self._pending, []
        opened = self._pos
        draft = self._draft("")
        while True:
            self._skip_blanks()
            char = self._text[self._pos] if self._pos < self._size else ""
            if char == closer:
                self._finish(draft, "")
                break
            if not char:
                self._stop_unclosed(opened, f"“{closer}”")
            draft = self._step(draft, char)
        if closer:
            self._pos += 1
        else:
            self._read_bodies()
        # bash reads the body after the line of the closer when the list ends on the line of the operator
        self._pending = outer + self._pending
        self._leave()

    def _step(self, draft: _Draft, char: str) -> _Draft:
        if char == "\n":
            if draft.words or draft.redirections or draft.compound:
                draft = self._finish(draft, char)
            self._pos += 1
            self._read_bodies()
        elif char == "#":
            end = self._text.find("\n", self._pos)
            self._pos = self._size if end < 0 else end
        elif draft.in_test and char in "<>()&|":
            self._pos += 1
            self._append(draft, Word(value=char), self._pos - 1)
        elif found := _CONTROL.match(self._text, self._pos):
            self._pos = found.end()
            draft = self._finish(draft, found.group())
        elif char == "(":
            draft = self._read_paren(draft)
        elif char == ")":  # the end of a pattern of "case"
            self._pos += 1
            draft = self._draft("")
        elif not self._read_redirection(draft):
            self._read_command_word(draft)
        return draft

    def _read_paren(self, draft: _Draft) -> _Draft:
        arithmetic = self._text.startswith("((", self._pos)
        if draft.words and not (arithmetic and draft.header):  # "name ()": the function's body is read in place
            self._pos += 1
            self._skip_blanks()
            if self._text.startswith(")", self._pos):
                self._pos += 1
            return self._draft("")
        start = self._pos
        if arithmetic:
            self._skip_parens()
        else:
            self._pos += 1
            self.items.append(Scope(enter=True))
            self.read_list(")")
            self.items.append(Scope(enter=False))
        draft.compound = True
        draft.start = start if draft.start < 0 else draft.start
        draft.end = self._pos
        return draft

    def _read_redirection(self, draft: _Draft) -> bool:
        found = None if self._at_hole() else _REDIRECT.match(self._text, self._pos)
        if found is None:
            return False
        self._pos = found.end()
        self._skip_blanks()
        target = self._read_word()
        operator = found["op"] or found["both"]
        heredoc = None
        if operator in ("<<", "<<-"):
            heredoc = len(self.heredocs)
            line = self._line(found.start())
            self.heredocs.append(
                HereDoc(line=line, delimiter=target.value, expands=not target.quoted, first_line=line + 1)
            )
            self._pending.append((heredoc, operator == "<<-"))
        descriptor = int(found["fd"]) if found["fd"] else None
        draft.redirections.append(Redirection(operator=operator, descriptor=descriptor, target=target, heredoc=heredoc))
        draft.start = found.start() if draft.start < 0 else draft.start
        draft.end = self._pos
        return True

    def _read_command_word(self, draft: _Draft) -> None:
        start = self._pos
        word = self._read_word()
        if self._pos == start:  # a character that begins nothing
            self._pos += 1
            return
        if not draft.words and not word.quoted:
            if word.value in _LEADING and not draft.redirections:
                return
            if word.value in _CLOSING:
                draft.compound = True
                draft.start, draft.end = start, self._pos
                return
            draft.header = word.value in _HEADERS
        self._append(draft, word, start)

    def _append(self, draft: _Draft, word: Word, start: int) -> None:
        draft.words.append(word)
        draft.start = start if draft.start < 0 else draft.start
        draft.end = self._pos

    def _draft(self, before: str) -> _Draft:
        return _Draft(before, len(self._cuts))

    def _finish(self, draft: _Draft, after: str) -> _Draft:
        words = () if draft.header or draft.compound else tuple(draft.words)
        if words or draft.redirections:
            command = SimpleCommand(
                line=self._line(draft.start), text=_CONTINUED.sub(" ", self._slice(draft.start, draft.end, draft.cut)),
                words=words, redirections=tuple(draft.redirections), before=draft.before, after=after,
                compound=draft.compound or draft.header,
            )  # fmt: skip
            self.items.append(command)
        return self._draft(after)

    # Here-documents

    def _read_bodies(self) -> None:
        pending, self._pending = self._pending, []
        for index, strip in pending:
            self._read_body(index, strip=strip)

    def _read_body(self, index: int, *, strip: bool) -> None:
        heredoc = self.heredocs[index]
        first, lines, dropped, closed = self._pos, [], [], False
        while self._pos < self._size and not closed:
            pieces = [self._read_line()]
            while heredoc.expands and _is_continued(pieces[-1]) and self._pos < self._size:
                pieces.append(self._read_line())
            logical = "".join(piece[:-1] for piece in pieces[:-1]) + pieces[-1]
            tabs = len(pieces[0]) - len(pieces[0].lstrip("\t")) if strip else 0
            closed = (logical.lstrip("\t") if strip else logical) == heredoc.delimiter
            if not closed:
                lines += [pieces[0][tabs:], *pieces[1:]]
                dropped += [tabs, *(0 for _ in pieces[1:])]
        self._cuts.append((first, self._pos))
        self.heredocs[index] = HereDoc(
            line=heredoc.line, delimiter=heredoc.delimiter, expands=heredoc.expands, first_line=self._line(first),
            lines=tuple(lines), dropped=tuple(dropped), closed=closed,
        )  # fmt: skip
        if not closed:
            message = f"heredoc sem a linha final “{heredoc.delimiter[:80]}”"
            self.problems.append(ShellProblem(code="unclosed", message=message, line=heredoc.line))

    def _read_line(self) -> str:
        end = self._text.find("\n", self._pos)
        end = self._size if end < 0 else end
        line = self._text[self._pos : end]
        self._pos = min(end + 1, self._size)
        return line


def _is_continued(line: str) -> bool:
    """Whether the line ends in a backslash that is not itself escaped."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1

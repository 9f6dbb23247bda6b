"""Headings and fenced blocks of a Markdown text, by the block structure of CommonMark 0.31 (§§3-5), in linear time.

Only what decides where a fence or a heading stands is followed: block quotes, list items, paragraphs with lazy
continuation, indented code, HTML blocks, fences. Inline markup and link reference definitions are not. A full parser
costs as much to import as the whole audit may take to start; the tests compare this scanner with one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.domain.snapshot import Heading

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Block", "scan_blocks"]

_MAX_DEPTH = 12  # deeper quotes and lists are read as text, which bounds the cost of a line
_INDENTED_CODE = 4

_FENCE = re.compile(r"(?P<mark>`{3,})(?P<info>[^`]*)$|(?P<tilde>~{3,})(?P<tilde_info>.*)$")
_ATX = re.compile(r"(#{1,6})(?=[ \t]|$)")
_ATX_CLOSE = re.compile(r"(?:^|[ \t])#+$")
_SETEXT = re.compile(r"(=+|-+)[ \t]*$")
_RULE = re.compile(r"(?:(?:\*[ \t]*+){3,}+|(?:-[ \t]*+){3,}+|(?:_[ \t]*+){3,}+)$")
_MARKER = re.compile(r"[-+*](?=[ \t]|$)|(?P<number>\d{1,9})[.)](?=[ \t]|$)")
_FRONT_KEY = re.compile(r"[\w-]+:(?: |$)")

_BLOCK_TAGS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|"
    "menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|"
    "track|ul"
)
_ATTRIBUTE = r"(?:[ \t]++[A-Za-z_:][\w:.-]*+(?:[ \t]*+=[ \t]*+(?:[^\s\"'=<>`]++|'[^']*+'|\"[^\"]*+\"))?)"
# (start, end) of HTML block kinds 1 to 5; kinds 6 and 7 end at a blank line.
_HTML_SPANS = (
    (
        re.compile(r"<(?:script|pre|style|textarea)(?=[\s>]|$)", re.IGNORECASE),
        re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE),
    ),
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<\?"), re.compile(r"\?>")),
    (re.compile(r"<![A-Za-z]"), re.compile(r">")),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>")),
)
_HTML_TAG = re.compile(rf"</?(?:{_BLOCK_TAGS})(?=[ \t]|/?>|$)", re.IGNORECASE)
_HTML_ANY = re.compile(
    rf"(?:<[A-Za-z][A-Za-z0-9-]*+{_ATTRIBUTE}*+[ \t]*+/?>|</[A-Za-z][A-Za-z0-9-]*+[ \t]*+>)[ \t]*$",
    re.IGNORECASE,
)
_BLANK_LINE = re.compile(r"(?!)")  # never found within a line: the end of kinds 6 and 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One fenced block. Lines count from 1; ``dropped`` holds, per content line, the characters cut before it.

    A tab that container or fence indentation covers only in part stays whole in the content, so that every content line
    is the tail of its document line. ``last_line`` is the closing fence, or the last content line where there is none.
    """

    info: str
    line: int
    last_line: int
    indent: int
    closed: bool
    content: tuple[str, ...]
    dropped: tuple[int, ...]


@dataclass(slots=True)
class _Container:
    kind: Literal["quote", "item"]
    width: int = 0  # columns that a line of the item must be indented by
    used: bool = False  # an item that begins with a blank line ends at a second one


@dataclass(slots=True)
class _OpenFence:
    mark: str
    info: str
    line: int
    column: int
    indent: int
    content: list[str]
    dropped: list[int]


def scan_blocks(lines: Sequence[str]) -> tuple[tuple[Heading, ...], tuple[Block, ...]]:
    """Headings outside quotes and lists, and every fenced block, in document order.

    ``lines`` carry no line ends. A YAML front matter between ``---`` lines at the very top holds neither.
    """
    scanner = _Scanner()
    for number, line in enumerate(lines[_front_matter(lines) :], _front_matter(lines) + 1):
        scanner.read(number, line)
    scanner.close_fence(closed=False, line=len(lines))
    return tuple(scanner.headings), tuple(scanner.blocks)


def _front_matter(lines: Sequence[str]) -> int:
    """Number of lines that a front matter takes."""
    if len(lines) < 2 or lines[0].rstrip() != "---" or not _FRONT_KEY.match(lines[1]):
        return 0
    return next((index + 1 for index in range(1, len(lines)) if lines[index].rstrip() == "---"), 0)


def _indent(line: str, pos: int, column: int) -> tuple[int, int]:
    """Position and column of the next character that is no space or tab."""
    size = len(line)
    while pos < size:
        char = line[pos]
        if char == " ":
            column += 1
        elif char == "\t":
            column += 4 - column % 4
        else:
            break
        pos += 1
    return pos, column


def _skip(line: str, pos: int, column: int, count: int) -> tuple[int, int]:
    """Consume ``count`` columns of white space; a tab covered in part keeps its position and gives its columns."""
    goal = column + count
    while pos < len(line) and column < goal:
        char = line[pos]
        if char == "\t":
            stop = column + 4 - column % 4
            if stop > goal:
                return pos, goal
            column = stop
        elif char == " ":
            column += 1
        else:
            break
        pos += 1
    return pos, column


class _Scanner:
    """State between lines: the open containers and the open leaf."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.blocks: list[Block] = []
        self._containers: list[_Container] = []
        self._paragraph: list[str] | None = None
        self._paragraph_line = 0
        self._fence: _OpenFence | None = None
        self._html: re.Pattern[str] | None = None

    def read(self, number: int, line: str) -> None:
        matched, pos, column = self._match(line)
        whole = matched == len(self._containers)
        if self._fence is not None:
            if whole:
                self._read_fence(number, line, pos, column)
                return
            self.close_fence(closed=False, line=number - 1)
        if self._html is not None:
            if whole:
                blank = _indent(line, pos, column)[0] == len(line)
                if (blank and self._html is _BLANK_LINE) or self._html.search(line, pos):
                    self._html = None
                return
            self._html = None
        self._open(number, line, matched, pos, column)

    def _match(self, line: str) -> tuple[int, int, int]:
        """How many open containers the line goes on with, and where its rest begins."""
        pos = column = 0
        for index, container in enumerate(self._containers):
            start, indented = _indent(line, pos, column)
            blank = start == len(line)
            if container.kind == "quote":
                if blank or indented - column >= _INDENTED_CODE or line[start] != ">":
                    return index, pos, column
                pos, column = _skip(line, start + 1, indented + 1, 1)
            elif blank:
                if not container.used:
                    return index, pos, column
                pos, column = _skip(line, pos, column, container.width)
            elif indented - column >= container.width:
                pos, column = _skip(line, pos, column, container.width)
            else:
                return index, pos, column
        return len(self._containers), pos, column

    def _read_fence(self, number: int, line: str, pos: int, column: int) -> None:
        fence = self._fence
        assert fence is not None  # noqa: S101  # for the type checker: the caller asked
        start, indented = _indent(line, pos, column)
        rest = line[start:].rstrip(" \t") if line.startswith(fence.mark, start) else ""
        if rest and indented - column < _INDENTED_CODE and rest == fence.mark[0] * len(rest):
            self.close_fence(closed=True, line=number)
            return
        pos, _ = _skip(line, pos, column, fence.column)
        fence.content.append(line[pos:])
        fence.dropped.append(pos)

    def close_fence(self, *, closed: bool, line: int) -> None:
        """End the open fence, if there is one, at ``line``."""
        fence, self._fence = self._fence, None
        if fence is None:
            return
        content, dropped = tuple(fence.content), tuple(fence.dropped)
        block = Block(
            info=fence.info, line=fence.line, last_line=line, indent=fence.indent, closed=closed, content=content,
            dropped=dropped,
        )  # fmt: skip
        self.blocks.append(block)

    def _open(self, number: int, line: str, matched: int, pos: int, column: int) -> None:
        """Begin the blocks that the rest of the line begins, else add it to a paragraph."""
        lazy = matched < len(self._containers)
        containers = self._containers[:matched]
        in_paragraph = self._paragraph is not None
        fresh = False  # a container was opened on this line
        while True:
            start, indented = _indent(line, pos, column)
            blank = start == len(line)
            interrupts = in_paragraph and not lazy and not fresh
            if blank or indented - column >= _INDENTED_CODE:
                break
            width = indented - column
            if line[start] == ">" and len(containers) < _MAX_DEPTH:
                pos, column = _skip(line, start + 1, indented + 1, 1)
                self._add(containers, _Container("quote"))
                fresh = True
                continue
            after_text = in_paragraph and not fresh
            if self._leaf(number, line, start, containers, width, interrupts=interrupts, after_text=after_text):
                return
            found = None if len(containers) >= _MAX_DEPTH else _MARKER.match(line, start)
            if found is None or (interrupts and not _may_interrupt(line, found)):
                break
            pos, column = found.end(), indented + found.end() - start
            after, after_column = _indent(line, pos, column)
            gap = after_column - column
            spaces = gap if after < len(line) and gap <= _INDENTED_CODE else 1
            self._add(containers, _Container("item", width + column - indented + spaces))
            pos, column = _skip(line, pos, column, spaces)
            fresh = True
        if blank:
            self._paragraph = None
            self._containers = containers
            return
        if in_paragraph and not fresh:
            if lazy or self._paragraph is None:
                return  # lazy continuation: the containers stay open
            self._paragraph.append(line[start:])
            return
        self._set(containers)
        if indented - column < _INDENTED_CODE:
            self._paragraph = [line[start:]]
            self._paragraph_line = number

    def _leaf(
        self,
        number: int,
        line: str,
        start: int,
        containers: list[_Container],
        indent: int,
        *,
        interrupts: bool,
        after_text: bool,
    ) -> bool:
        """Begin and, where it is one line long, end the leaf at ``start``; False when only a paragraph can be there.

        ``interrupts``: a paragraph of the same containers goes before; ``after_text``: any open paragraph does.
        """
        char = line[start]
        if char in "`~" and (found := _FENCE.match(line, start)):
            self._set(containers)
            info = found["info"] if found["mark"] else found["tilde_info"]
            self._fence = _OpenFence(found["mark"] or found["tilde"], info.strip(), number, indent, start, [], [])
            return True
        if char == "#" and (found := _ATX.match(line, start)):
            self._set(containers)
            self._heading(len(found[1]), _ATX_CLOSE.sub("", line[found.end() :].strip(" \t")).strip(" \t"), number)
            return True
        if char == "<" and (end := _html_end(line, start, after_text=after_text)) is not None:
            self._set(containers)
            self._html = None if end.search(line, start) else end
            return True
        if char in "=-" and interrupts and (found := _SETEXT.match(line, start)):
            text = " ".join(part.strip() for part in self._paragraph or ())
            self._set(containers)
            self._heading(1 if char == "=" else 2, text, self._paragraph_line)
            return True
        if char in "*-_" and _RULE.match(line, start):
            self._set(containers)
            return True
        return False

    def _heading(self, level: int, text: str, line: int) -> None:
        if not self._containers:
            self.headings.append(Heading(level=level, text=text, line=line))

    def _add(self, containers: list[_Container], container: _Container) -> None:
        if containers:
            containers[-1].used = True
        containers.append(container)

    def _set(self, containers: list[_Container]) -> None:
        """Close what the line did not go on with; the innermost container now has content."""
        self._paragraph = None
        self._containers = containers
        if containers:
            containers[-1].used = True


def _may_interrupt(line: str, marker: re.Match[str]) -> bool:
    """Whether a list item may end a paragraph: it has text, and a number only if that is 1."""
    return bool(line[marker.end() :].strip(" \t")) and marker["number"] in (None, "1")


def _html_end(line: str, start: int, *, after_text: bool) -> re.Pattern[str] | None:
    """What ends the HTML block that begins at ``start``; None when none begins."""
    for begin, end in _HTML_SPANS:
        if begin.match(line, start):
            return end
    if _HTML_TAG.match(line, start) or (not after_text and _HTML_ANY.match(line, start)):
        return _BLANK_LINE
    return None

"""A YAML document as a tree of places: where every value, indicator and comment-bearing line begins and ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from pipeline.flow.splices import Refusal
from pipeline.yamldoc import resolve_plain

__all__ = ["BlockScalar", "Node", "Tree", "read_tree"]

_HEADER = re.compile(r"[|>](?P<signs>[0-9+-]*)")


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """One value. Offsets count characters: ``start`` with anchor and tag, ``body`` without, ``end`` of the content.

    ``style`` of scalars is ``""`` (plain) or one of ``' " | >``; of collections ``{`` (flow) or ``""`` (block).
    ``marks`` holds the offset of each item's dash, or of each pair's colon (-1 where there is none).
    """

    kind: Literal["scalar", "mapping", "sequence", "alias"]
    start: int
    body: int
    end: int
    style: str = ""
    value: str = ""
    anchor: str | None = None
    tagged: bool = False
    keys: list[Node] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)

    @property
    def collection(self) -> bool:
        return self.kind in {"mapping", "sequence"}

    @property
    def flow(self) -> bool:
        return self.style == "{"

    @property
    def block(self) -> bool:
        """A collection written in lines."""
        return self.collection and not self.style

    @property
    def literal(self) -> bool:
        return self.kind == "scalar" and self.style in {"|", ">"}

    @property
    def empty(self) -> bool:
        """A null that is written as nothing at all."""
        return self.kind == "scalar" and self.body == self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockScalar:
    """``core_end`` ends the header's own characters; content lines stand in ``[first, last)``, ``last`` a line end."""

    signs: str
    core_end: int
    first: int
    last: int
    indent: int


@dataclass(slots=True, eq=False)
class Tree:
    """``roots`` are the documents that hold something, as yamldoc counts them."""

    text: str
    roots: list[Node]
    eol: str
    shared: frozenset[str]
    commas: list[int]
    questions: list[int]

    def line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def column(self, offset: int) -> int:
        return offset - self.line_start(offset)

    def line_end(self, offset: int) -> int:
        """Where the line ends, before its CR and LF."""
        end = self.text.find("\n", offset)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    def next_line(self, offset: int) -> int:
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end + 1

    def leads(self, offset: int) -> bool:
        """Only white space stands before ``offset`` on its line."""
        return not self.text[self.line_start(offset) : offset].strip(" ")

    def comma_after(self, offset: int, limit: int) -> int:
        """First comma of the enclosing flow collection in ``[offset, limit)``, or -1."""
        found = bisect_left(self.commas, offset)
        return self.commas[found] if found < len(self.commas) and self.commas[found] < limit else -1

    def explicit(self, node: Node) -> bool:
        """Some key of the mapping is written with ``?``."""
        found = bisect_left(self.questions, node.start)
        return found < len(self.questions) and self.questions[found] <= node.end

    def extent(self, end: int, column: int) -> int:
        """Start of the line after a value that ends at ``end``, with the comment lines that are indented into it."""
        after = self.next_line(end)
        at = after
        while at < len(self.text):
            line = self.text[at : self.line_end(at)]
            bare = line.lstrip(" \t")
            if bare.startswith("#") and len(line) - len(bare) > column:
                after = self.next_line(at)
            elif bare:
                break
            at = self.next_line(at)
        return after

    def block_scalar(self, node: Node) -> BlockScalar:
        return _block_geometry(self.text, node)


def read_tree(text: str, eol: str) -> Tree:
    """Read ``text``, which yamldoc must have accepted (it bounds depth); Refusal where libyaml does not take it.

    ``eol`` is the line end that new lines get.
    """
    shift = 1 if text.startswith("\ufeff") else 0
    try:
        tokens = _Tokens(text, shift)
        builder = _Builder(text, shift, tokens)
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise Refusal("o arquivo não é YAML válido") from error
    roots = [root for root in builder.roots if not _is_null(root)]
    return Tree(text, roots, eol, frozenset(builder.aliased), tokens.commas, tokens.questions)


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and not node.style and not node.tagged and resolve_plain(node.value) is None


class _Tokens:
    """Offsets of the indicators, which events do not give."""

    def __init__(self, text: str, shift: int) -> None:
        self.dashes: list[int] = []
        self.colons: list[int] = []
        self.commas: list[int] = []
        self.questions: list[int] = []
        self.contents: list[int] = []
        content = (yaml.ScalarToken, yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
        for token in yaml.scan(text, Loader=yaml.CSafeLoader):
            at = token.start_mark.index + shift
            if isinstance(token, yaml.BlockEntryToken):
                self.dashes.append(at)
            elif isinstance(token, yaml.ValueToken):
                self.colons.append(at)
            elif isinstance(token, yaml.FlowEntryToken):
                self.commas.append(at)
            elif isinstance(token, yaml.KeyToken) and token.end_mark.index > token.start_mark.index:
                self.questions.append(at)
            elif isinstance(token, content):
                self.contents.append(at)

    def dash_before(self, offset: int) -> int:
        return self.dashes[bisect_left(self.dashes, offset) - 1]

    def colon_between(self, key_end: int, value_start: int) -> int:
        found = bisect_left(self.colons, key_end)
        return self.colons[found] if found < len(self.colons) and self.colons[found] < value_start else -1

    def content_from(self, offset: int, end: int) -> int:
        found = bisect_left(self.contents, offset)
        return self.contents[found] if found < len(self.contents) and self.contents[found] < end else end


class _Builder:
    def __init__(self, text: str, shift: int, tokens: _Tokens) -> None:
        self._text = text
        self._shift = shift
        self._tokens = tokens
        self._open: list[Node] = []
        self.roots: list[Node] = []
        self.aliased: set[str] = set()

    def take(self, event: yaml.Event) -> None:
        start, end = self._offset(event.start_mark), self._offset(event.end_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, start, end)
        elif isinstance(event, yaml.AliasEvent):
            name = event.anchor or ""
            self.aliased.add(name)
            self._place(Node(kind="alias", start=start, body=start, end=end, value=name))
        elif isinstance(event, yaml.CollectionStartEvent):
            body = self._tokens.content_from(start, len(self._text)) if event.flow_style else start
            node = Node(kind="sequence", start=start, body=body, end=-1, style="{" if event.flow_style else "")
            if isinstance(event, yaml.MappingStartEvent):
                node.kind = "mapping"
            node.anchor, node.tagged = event.anchor, event.tag is not None
            self._open.append(node)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._open.pop(), end)

    def _offset(self, mark: Any) -> int:
        """Libyaml counts characters, a byte order mark left out."""
        return int(mark.index) + self._shift

    def _scalar(self, event: yaml.ScalarEvent, start: int, end: int) -> None:
        props = bool(event.anchor) or event.tag is not None
        node = Node(kind="scalar", start=start, body=start, end=end, style=event.style or "", value=event.value)
        node.anchor, node.tagged = event.anchor, event.tag is not None
        if props:
            node.body = self._tokens.content_from(start, end)
        if node.literal:
            node.end = _block_geometry(self._text, node).last
        self._place(node)

    def _close(self, node: Node, end: int) -> None:
        if node.kind == "mapping":
            node.keys, node.items = node.items[::2], node.items[1::2]
            pairs = zip(node.keys, node.items, strict=True)
            node.marks = [self._tokens.colon_between(key.end, max(key.end + 1, item.start)) for key, item in pairs]
        elif node.block:
            node.marks = [self._tokens.dash_before(item.start) for item in node.items]
        if node.flow:
            node.end = end
        else:
            last = node.items[-1]
            node.end = max(last.end, node.keys[-1].end) if node.keys else last.end
            if last.empty and node.marks[-1] < 0:
                node.end = node.keys[-1].end
            node.body = node.keys[0].start if node.keys else node.marks[0]
        self._place(node)

    def _place(self, node: Node) -> None:
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.roots.append(node)


def _block_geometry(text: str, node: Node) -> BlockScalar:
    header = _HEADER.match(text, node.body)
    if header is None:  # pragma: no cover - libyaml calls only such text a block scalar
        raise Refusal("texto em bloco sem cabeçalho")
    signs = header["signs"]
    newline = text.find("\n", node.body)
    first = len(text) if newline < 0 else newline + 1
    lines = text[first : max(first, node.end)].split("\n")
    if lines[-1] == "" or node.end <= first:
        lines.pop()
    sizes = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    indent = sizes[0] if sizes else max((len(line.rstrip("\r")) for line in lines), default=0)
    digit = next((int(sign) for sign in signs if sign.isdigit()), 0)
    if digit and sizes:
        indent = min(indent, *sizes)
    if "+" not in signs:
        while lines and not lines[-1].strip(" \r") and len(lines[-1].rstrip("\r")) <= indent:
            lines.pop()
    last = first + sum(len(line) + 1 for line in lines) - 1 if lines else _header_end(text, node.body)
    if lines and text[last - 1 : last] == "\r":
        last -= 1
    return BlockScalar(signs=signs, core_end=header.end(), first=first, last=min(last, len(text)), indent=indent)


def _header_end(text: str, offset: int) -> int:
    newline = text.find("\n", offset)
    end = len(text) if newline < 0 else newline
    return end - 1 if end and text[end - 1] == "\r" else end

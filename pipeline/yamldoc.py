"""YAML with positions, guarded and typed the way Kubernetes reads it (sigs.k8s.io/yaml, that is go-yaml v2).

libyaml parses; this module bounds it first (nesting crashes its composer), resolves plain scalars by go-yaml's table,
finds the node of any value, and reports duplicate keys, cycles and limits instead of choosing in silence.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import yaml

from pipeline.yamlparse import (
    LIMITS,
    PLAIN,
    TEXT,
    Limits,
    LineMap,
    Lines,
    YamlProblem,
    compose,
    line_breaks,
    line_map,
    refuse,
    syntax_problem,
)
from pipeline.yamlplain import resolve_plain, resolved

if TYPE_CHECKING:
    from pipeline.domain.finding import PathKey

__all__ = [
    "Limits",
    "Lines",
    "Position",
    "YamlDocument",
    "YamlFile",
    "YamlProblem",
    "json_pointer",
    "load_yaml",
    "relocate",
    "resolve_plain",
    "yaml_path",
]

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Lines and columns from 1, end exclusive; lines are counted at LF only."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlDocument:
    """``value`` is plain dicts, lists and scalars, keys always text.

    ``index`` counts from 0 over the documents of the file that hold something.
    """

    index: int
    value: Any
    _source: _Source = field(repr=False)
    _number: int = field(repr=False)
    _lines: Lines | None = field(repr=False, default=None)

    @property
    def node(self) -> yaml.Node:
        """The PyYAML node that ``value`` was built from."""
        return self._source.root(self._number)

    def find(self, path: tuple[PathKey, ...]) -> tuple[yaml.Node | None, yaml.Node]:
        """Key node (None for list items and the root) and value node of ``path``, or of its nearest parent."""
        key: yaml.Node | None = None
        node = self.node
        for part in path:
            step = _child(node, part)
            if step is None:
                break
            key, node = step
        return key, node

    def position(self, path: tuple[PathKey, ...]) -> Position:
        """Where ``path`` stands: from its key (or list item) to the end of its value; a parent's where it is absent.

        The value of an alias stands elsewhere: then it is the key alone.
        """
        key, node = self.find(path)
        start = (key or node).start_mark
        end = node.end_mark if key is None or node.end_mark.index > key.start_mark.index else key.end_mark
        return self.span(start, end)

    def value_position(self, path: tuple[PathKey, ...]) -> Position:
        """Where the value of ``path`` itself stands."""
        _, node = self.find(path)
        return self.span(node.start_mark, node.end_mark)

    def text_line(self, path: tuple[PathKey, ...], line: int) -> int | None:
        """Line (from 1) where ``line`` (from 0) of the text at ``path`` stands; None where no ``|`` block holds it."""
        node = self.find(path)[1]
        if not isinstance(node, yaml.ScalarNode) or node.style != "|" or self._lines is not None:
            return None
        at = int(node.start_mark.line) + 2 + line
        return at if at <= int(node.end_mark.line) + 1 else None

    def relocated(self, lines: Lines) -> YamlDocument:
        """The same document, with every place given by ``lines`` after its own."""
        return replace(self, _lines=_Both(self._lines, lines))

    def span(self, start: Any, end: Any) -> Position:
        """Two marks of PyYAML as a Position."""
        first, last = (start.line, start.column), (end.line, end.column)
        if self._lines is not None:
            first, last = self._lines.convert(*first), self._lines.convert(*last)
        return Position(line=first[0] + 1, column=first[1] + 1, end_line=last[0] + 1, end_column=last[1] + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlFile:
    """Every document that could be read, and every problem: a file with a syntax problem may still hold documents."""

    documents: tuple[YamlDocument, ...]
    problems: tuple[YamlProblem, ...]

    @property
    def parsed(self) -> bool:
        """False when some text of the file was not understood."""
        return not self.problems or not any(
            problem.code in {"syntax", "depth", "nodes", "cycle"} for problem in self.problems
        )


def load_yaml(text: str, *, limits: Limits = LIMITS) -> YamlFile:
    """Read every document of ``text``. Never raises: what is wrong is in ``problems``, with its place.

    Where one document does not parse, the others (between ``---`` lines) are still read.
    """
    lines = line_map(text)
    refused = refuse(text, limits, lines)
    if refused is not None:
        return YamlFile(documents=(), problems=(refused,))
    reader = _Reader(limits, lines, shares="*" in text and "&" in text)
    try:
        reader.read(text)
    except yaml.YAMLError as error:
        starts = [found.start() for found in _SEPARATOR.finditer(text)]
        if not starts:
            reader.problems.append(syntax_problem(error, text, lines))
            return reader.result()
        reader = _Reader(limits, lines, shares="*" in text and "&" in text)
        padding = ""
        for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
            _read_chunk(reader, padding + text[start:end], lines)
            padding += "\n" * line_breaks(text, start, end)
    return reader.result()


def relocate(file: YamlFile, lines: Lines) -> YamlFile:
    """The same documents, with every place given by ``lines`` after their own."""
    return YamlFile(documents=tuple(each.relocated(lines) for each in file.documents), problems=file.problems)


def json_pointer(path: tuple[PathKey, ...]) -> str:
    """RFC 6901 pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def yaml_path(path: tuple[PathKey, ...]) -> str:
    """A path as people write it: ``spec.containers[0].image``, ``metadata.labels["appgear.io/tier"]``."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_][\w-]*", part):
            shown += f".{part}" if shown else part
        else:
            shown += '["' + part.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return shown


def _read_chunk(reader: _Reader, chunk: str, lines: LineMap | None) -> None:
    """Read one document on its own; blank lines before it keep its line numbers."""
    try:
        reader.read(chunk)
    except yaml.YAMLError as error:
        reader.problems.append(syntax_problem(error, chunk, lines))


def _child(node: yaml.Node, part: PathKey) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # the last of duplicate keys is the one whose value was kept
            if key.value == part:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


class _Both:
    """One map of places after another."""

    def __init__(self, first: Lines | None, second: Lines) -> None:
        self._first = first
        self._second = second

    def convert(self, line: int, column: int) -> tuple[int, int]:
        at = (line, column) if self._first is None else self._first.convert(line, column)
        return self._second.convert(*at)


class _Source:
    """Nodes of one text, composed again when a place in it is asked for.

    Nodes take ten times the memory of the values, and as much of the garbage collector's time; few files are asked.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._roots: list[yaml.Node] = []

    def root(self, number: int) -> yaml.Node:
        """Root of the ``number``-th document (from 0) that composing meets."""
        if not self._roots:
            with suppress(yaml.YAMLError):  # told when the text was read; what stands before the error counts
                for node in compose(self._text):
                    self._roots.append(node)
        return self._roots[number]


class _Reader:
    """Builds values from nodes and gathers problems."""

    def __init__(self, limits: Limits, lines: LineMap | None, *, shares: bool) -> None:
        self._limits = limits
        self._lines = lines
        self._shares = shares
        self._documents: list[YamlDocument] = []
        self.problems: list[YamlProblem] = []

    def result(self) -> YamlFile:
        return YamlFile(documents=tuple(self._documents), problems=tuple(self.problems))

    def read(self, text: str) -> None:
        """Take every document of ``text``. YAMLError where it ends to parse; the documents before stay."""
        source = _Source(text)
        for number, node in enumerate(compose(text)):
            self._add(node, source, number)

    def _add(self, node: yaml.Node, source: _Source, number: int) -> None:
        """Take one document; an empty one is left out."""
        if self._shares and not self._bounded(node):
            return
        problems = len(self.problems)
        value = self._build(node, ())
        if any(problem.code == "depth" for problem in self.problems[problems:]):
            return
        if value is not None:
            self._documents.append(
                YamlDocument(
                    index=len(self._documents), value=value, _source=source, _number=number, _lines=self._lines
                )
            )

    def _bounded(self, root: yaml.Node) -> bool:
        """Refuse cycles and alias bombs by the size that expansion would have, before expanding anything."""
        sizes: dict[int, int] = {}
        open_nodes: set[int] = set()
        stack: list[tuple[yaml.Node, bool]] = [(root, False)]
        while stack:
            node, closing = stack.pop()
            children = _children(node)
            if closing:
                open_nodes.discard(id(node))
                sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
                if sizes[id(node)] > self._limits.nodes:
                    self._report("nodes", f"aliases expandem para mais de {self._limits.nodes} nós: recusado", node)
                    return False
            elif id(node) in open_nodes:
                self._report("cycle", "alias que contém a si mesmo: recusado", node)
                return False
            elif id(node) not in sizes:
                open_nodes.add(id(node))
                stack.append((node, True))
                stack.extend((child, False) for child in children)
        return True

    def _build(self, node: yaml.Node, path: tuple[PathKey, ...]) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if len(path) > self._limits.depth:
            if not any(problem.code == "depth" for problem in self.problems):
                self._report("depth", f"mais de {self._limits.depth} níveis de aninhamento: recusado", node)
            return None
        if isinstance(node, yaml.SequenceNode):
            return [
                _scalar(item) if item.__class__ is yaml.ScalarNode else self._build(item, (*path, index))
                for index, item in enumerate(node.value)
            ]
        return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else None

    def _mapping(self, node: yaml.MappingNode, path: tuple[PathKey, ...]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._report("key", "chave que não é texto: o Kubernetes a recusa", key, path)
                continue
            name = key.value
            if name == "<<" and key.tag == PLAIN:
                merged.append(item)
                continue
            if name in value:
                first = next(other for other, _ in node.value if other.value == name)
                line = self._place(first.start_mark)[0] + 1
                message = f"chave `{name}` repetida (a primeira está na linha {line}); só a última vale"
                self._report("duplicate-key", message, key, (*path, name))
            value[name] = _scalar(item) if item.__class__ is yaml.ScalarNode else self._build(item, (*path, name))
        for item in merged:
            for source in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                if isinstance(source, yaml.MappingNode):
                    value = self._build(source, path) | value
        return value

    def _report(
        self,
        code: Literal["duplicate-key", "cycle", "depth", "nodes", "key"],
        message: str,
        node: yaml.Node,
        path: tuple[PathKey, ...] = (),
    ) -> None:
        line, column = self._place(node.start_mark)
        self.problems.append(YamlProblem(code=code, message=message, line=line + 1, column=column + 1, path=path))

    def _place(self, mark: Any) -> tuple[int, int]:
        return self._lines.convert(mark.line, mark.column) if self._lines else (mark.line, mark.column)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []


def _scalar(node: yaml.ScalarNode) -> object:
    """Typed value of a scalar: plain by go-yaml's table, quoted and block as text, explicit core tags obeyed."""
    tag, text = node.tag, node.value
    if tag is PLAIN:
        return resolved(text)
    if tag in (TEXT, "!") or not tag.startswith("tag:yaml.org,2002:"):
        return text
    return resolved(text)

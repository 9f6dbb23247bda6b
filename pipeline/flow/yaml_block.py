"""Single edits of block YAML: put a value, add or remove a key or an item, always in whole lines of its own."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.flow.splices import Refusal, Splice
from pipeline.flow.yaml_emit import Style, block_lines, in_line, is_literal, literal_lines

if TYPE_CHECKING:
    from pipeline.flow.yaml_tree import Node, Tree

__all__ = ["Slot", "add_item", "add_pair", "put_value", "remove_item", "remove_pair"]

_DIFF_LINES = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """Where a value stands: its node, the ``indicator`` (colon or dash) before it, the column its lines must exceed."""

    node: Node
    indicator: int
    column: int
    item: bool


def put_value(tree: Tree, slot: Slot, value: object, style: Style) -> list[Splice]:
    """Replace the value of a block mapping's key or a block sequence's item."""
    node = slot.node
    if node.literal and isinstance(value, str) and is_literal(value, style):
        return _reline(tree, slot, value)
    if not _wants_lines(node, value, style):
        return _put_line(tree, slot, in_line(value, style, like=node.style, flow=node.flow), [])
    if node.block and not tree.leads(node.body):
        head, rest = _lines_of(value, tree.column(node.body), style, compact=True)
        return _put_line(tree, slot, head, rest)
    if node.block:
        column = tree.column(node.body)
        same = (node.kind == "mapping") == isinstance(value, dict)
        indent = column if (same or column > slot.column) and not is_literal(value, style) else -1
        head, rest = _lines_of(value, indent if indent >= 0 else _indent(slot, value, style), style, compact=False)
        return _put_line(tree, slot, head, rest)
    own_line = tree.leads(node.start) and not node.empty
    compact = (slot.item or own_line) and not is_literal(value, style)
    if compact:
        gap = 2 if node.empty or slot.indicator < tree.line_start(node.start) else node.start - slot.indicator
        indent = tree.column(node.start) if own_line else slot.column + gap
    else:
        indent = _indent(slot, value, style)
    head, rest = _lines_of(value, indent, style, compact=compact)
    return _put_line(tree, slot, head, rest)


def add_pair(tree: Tree, node: Node, key: str, value: object, style: Style) -> list[Splice]:
    """Add a key after the content of a block mapping's last one."""
    column = tree.column(node.body)
    lines = block_lines({key: value}, column, style)
    return [_insert(tree, tree.extent(node.end, column), lines)]


def add_item(tree: Tree, node: Node, index: int, value: object, style: Style) -> list[Splice]:
    """Insert before item ``index`` of a block sequence, or after the last."""
    near = max(0, min(index, len(node.items)) - 1)
    column = tree.column(node.marks[near])
    item = node.items[near]
    between = tree.text[node.marks[near] + 1 : item.start]
    gap = 1 + len(between) if between and not between.strip(" ") else 2
    if isinstance(value, (dict, list, tuple)) and value:
        head, *rest = block_lines(value, column + gap, style)
        lines = [" " * column + "-" + " " * (gap - 1) + head[column + gap :], *rest]
    else:
        head, *rest = block_lines([value], column, style)
        lines = [head[: column + 1] + " " * (gap - 1) + head[column + 2 :], *rest]
    if index > 0:
        return [_insert(tree, tree.extent(item.end, column), lines)]
    dash = node.marks[0]
    if tree.leads(dash):
        return [_insert(tree, tree.line_start(dash), lines)]
    return [Splice(dash, dash, tree.eol.join((lines[0][column:], *lines[1:])) + tree.eol + " " * column)]


def remove_pair(tree: Tree, node: Node, index: int) -> list[Splice]:
    """Remove a key of a block mapping that has others."""
    start, end = node.keys[index].start, max(node.items[index].end, node.keys[index].end)
    if node.items[index].empty and node.marks[index] < 0:
        end = node.keys[index].end
    return _remove(tree, start, end, tree.column(node.body))


def remove_item(tree: Tree, node: Node, index: int) -> list[Splice]:
    """Remove an item of a block sequence that has others."""
    dash = node.marks[index]
    return _remove(tree, dash, max(dash + 1, node.items[index].end), tree.column(dash))


def _wants_lines(node: Node, value: object, style: Style) -> bool:
    if is_literal(value, style):
        return True
    if not isinstance(value, (dict, list, tuple)) or not value:
        return False
    return not node.flow or not node.items


def _indent(slot: Slot, value: object, style: Style) -> int:
    if slot.item:
        return slot.column + 2
    return slot.column + (style.dash if isinstance(value, (list, tuple)) else style.step)


def _lines_of(value: object, indent: int, style: Style, *, compact: bool) -> tuple[str, list[str]]:
    """What goes on the indicator's line, and the lines below it."""
    if isinstance(value, str):
        sign, lines = literal_lines(value, indent)
        return f"|{sign}", lines
    lines = block_lines(value, indent, style)
    return (lines[0][indent:], lines[1:]) if compact else ("", lines)


def _put_line(tree: Tree, slot: Slot, head: str, rest: list[str]) -> list[Splice]:
    """Put ``head`` where the value begins and ``rest`` on the lines after, in place of the old value's own lines."""
    node = slot.node
    if node.literal:
        shape = tree.block_scalar(node)
        return [_head(tree, slot, shape.core_end, head), *_swap_lines(tree, node.body, shape.first, node.end, rest)]
    if node.block and tree.leads(node.body):
        at = _after_properties(tree, slot)
        splices = [Splice(at, at, " " + head)] if head else []
        first = tree.line_start(node.body)
        return splices + _swap_lines(tree, at, first, node.end, rest)
    if node.block:
        text = tree.eol.join((head, *rest))
        return [Splice(node.body, node.end, text)]
    splices = [_head(tree, slot, node.end, head)]
    return [*splices, _insert(tree, tree.next_line(node.end), rest)] if rest else splices


def _head(tree: Tree, slot: Slot, end: int, head: str) -> Splice:
    """Replace what stands on the value's first line; an anchor stays, an explicit tag goes with the value."""
    node = slot.node
    if node.tagged:
        anchor = f"&{node.anchor}" if node.anchor else ""
        shown = " ".join(part for part in (anchor, head) if part)
        start = node.start
    else:
        shown, start = head, node.body
    if start == end or (node.empty and not node.tagged):
        return Splice(end, end, f" {shown}" if shown else "")
    if not shown:
        while start and tree.text[start - 1] in " \t" and start - 1 > slot.indicator:
            start -= 1
    return Splice(start, end, shown)


def _after_properties(tree: Tree, slot: Slot) -> int:
    node = slot.node
    if node.tagged:
        raise Refusal("o valor tem etiqueta explícita (!…)")
    if node.anchor is None:
        return slot.indicator + 1
    return tree.text.index("&" + node.anchor, node.start) + 1 + len(node.anchor)


def _swap_lines(tree: Tree, at: int, first: int, last: int, lines: list[str]) -> list[Splice]:
    """Replace the lines from offset ``first`` up to the one that ``last`` stands in; none where ``last`` is before."""
    if last < first:
        return [_insert(tree, tree.next_line(at), lines)] if lines else []
    if not lines:
        return [_cut(tree, first, tree.next_line(last))]
    return [Splice(first, tree.line_end(last), tree.eol.join(lines))]


def _reline(tree: Tree, slot: Slot, value: str) -> list[Splice]:
    """Change only the lines of a block text that differ; header comments and blank lines after it stay."""
    node = slot.node
    shape = tree.block_scalar(node)
    if node.style == ">" or any(sign.isdigit() for sign in shape.signs) or node.end < shape.first:
        indent = shape.indent if node.end > shape.first else _indent(slot, value, Style())
        sign, lines = literal_lines(value, indent)
        return _put_line(tree, slot, f"|{sign}", lines)
    old = tree.text[shape.first : node.end].split("\n")
    sign, new = literal_lines(value, shape.indent)
    starts = [shape.first]
    for line in old:
        starts.append(starts[-1] + len(line) + 1)
    keep = "+" if "+" in shape.signs and value.endswith("\n") and not node.value.endswith("\n\n") else sign
    splices = [] if shape.signs == keep else [Splice(node.body, shape.core_end, f"|{keep}")]
    bare = [_unindented(line, shape.indent) for line in old]
    wanted = [_unindented(line, shape.indent) for line in new]
    for low, high, first, last in _changed(bare, wanted):
        text = "".join(line + tree.eol for line in new[first:last])
        if high == len(old):
            text, end = text.removesuffix(tree.eol), node.end
            if first == last:  # the lines that end the text go, with the line end before them
                splices.append(Splice(starts[low] - len(tree.eol), end, ""))
                continue
            if low == high:
                splices.append(Splice(end, end, tree.eol + text))
                continue
            splices.append(Splice(starts[low], end, text))
        else:
            splices.append(Splice(starts[low], starts[high], text))
    return splices


def _unindented(line: str, indent: int) -> str:
    return line.removesuffix("\r")[indent:]


def _changed(old: list[str], new: list[str]) -> list[tuple[int, int, int, int]]:
    if max(len(old), len(new)) <= _DIFF_LINES:
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        return [tuple(code[1:]) for code in matcher.get_opcodes() if code[0] != "equal"]  # type: ignore[misc]
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return [(head, len(old) - tail, head, len(new) - tail)]


def _remove(tree: Tree, start: int, end: int, column: int) -> list[Splice]:
    if tree.leads(start):
        return [_cut(tree, tree.line_start(start), tree.extent(end, column))]
    # The first entry of a collection that begins on its parent's line: what follows moves up to its place.
    at = tree.extent(end, column)
    while at < len(tree.text) and tree.text[at] in " \t\r\n":
        at += 1
    return [Splice(start, at, "")]


def _cut(tree: Tree, start: int, end: int) -> Splice:
    """Remove whole lines; at the end of a text without final line end those before go too, so that none is added."""
    text = tree.text
    if end == len(text) and not text.endswith("\n"):
        while start and not text[tree.line_start(start - 1) : start].strip():
            start = tree.line_start(start - 1)
        start -= 2 if text[:start].endswith("\r\n") else 1 if start else 0
    return Splice(start, end, "")


def _insert(tree: Tree, at: int, lines: list[str]) -> Splice:
    """Insert lines at the start of a line, or at the end of a text that may lack its final line end."""
    text = tree.eol.join(lines)
    if at == len(tree.text) and at and tree.text[-1] != "\n":
        return Splice(at, at, tree.eol + text)
    return Splice(at, at, text + tree.eol)

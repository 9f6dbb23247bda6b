"""Single edits of flow YAML and JSON: ``{…}`` and ``[…]`` on one line or on several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.flow.splices import Refusal, Splice
from pipeline.flow.yaml_emit import as_key, in_line

if TYPE_CHECKING:
    from pipeline.flow.yaml_emit import Style
    from pipeline.flow.yaml_tree import Node, Tree

__all__ = ["add_to_flow", "put_in_flow", "remove_from_flow"]


def put_in_flow(node: Node, key: Node | None, mark: int, value: object, style: Style) -> list[Splice]:
    """Replace a value inside a flow collection; ``key`` and ``mark`` (its colon) for a mapping's."""
    text = in_line(value, style, like=node.style)
    if node.empty and key is not None and mark < 0:
        return [Splice(key.end, key.end, f": {text}")]
    if node.empty and not node.tagged:
        return [Splice(max(mark + 1, 0) or node.end, node.end, f" {text}")]
    start = node.body
    if node.tagged:
        start, text = node.start, (f"&{node.anchor} {text}" if node.anchor else text)
    return [Splice(start, node.end, text)]


def add_to_flow(tree: Tree, node: Node, index: int, key: str | None, value: object, style: Style) -> list[Splice]:
    """Insert before entry ``index`` (or after the last): a pair where ``key`` is given, else an item."""
    _check_brackets(tree, node)
    text = in_line(value, style)
    if key is not None:
        text = f"{as_key(key, style, flow=True)}: {text}"
    spans = _spans(node)
    if not spans:
        return [Splice(node.body + 1, node.body + 1, text)]
    if index < len(spans):
        start = spans[index][0]
        own_line = tree.leads(start)
        return [Splice(start, start, f"{text}," + (tree.eol + " " * tree.column(start) if own_line else " "))]
    start, end = spans[-1]
    comma = tree.comma_after(end, node.end)
    comma = -1 if comma < 0 or comma > node.end else comma
    if tree.leads(start) and tree.line_end(end) < node.end - 1:
        line = tree.eol + " " * tree.column(start) + text
        after = tree.line_end(max(end, comma))
        if comma >= 0:
            return [Splice(after, after, f"{line},")]
        return [Splice(end, end, "," + line)] if after == end else [Splice(end, end, ","), Splice(after, after, line)]
    if comma >= 0:
        return [Splice(comma + 1, comma + 1, f" {text},")]
    return [Splice(end, end, f", {text}")]


def remove_from_flow(tree: Tree, node: Node, index: int) -> list[Splice]:
    """Remove an entry and one comma; comments between entries stay."""
    _check_brackets(tree, node)
    spans = _spans(node)
    start, end = spans[index]
    after = tree.comma_after(end, node.end)
    if len(spans) == 1:
        inner = Splice(node.body + 1, node.end - 1, "")
        return (
            [inner]
            if "#" not in tree.text[inner.start : start] + tree.text[end : inner.end]
            else [Splice(start, max(end, after + 1), "")]
        )
    if index < len(spans) - 1:
        following = spans[index + 1][0]
        if not tree.text[end:following].replace(",", "", 1).strip(" \t\r\n"):
            return [Splice(start, following, "")]
        return [Splice(start, after + 1, "")]
    before = spans[index - 1][1]
    if not tree.text[before:start].replace(",", "", 1).strip(" \t\r\n"):
        return [Splice(before, end, "")]
    comma = tree.comma_after(before, start)
    return [Splice(comma, comma + 1, ""), Splice(start, end, "")]


def _spans(node: Node) -> list[tuple[int, int]]:
    if node.kind == "sequence":
        return [(item.start, item.end) for item in node.items]
    spans = []
    for key, item, mark in zip(node.keys, node.items, node.marks, strict=True):
        spans.append((key.start, max(key.end, mark + 1, key.end if item.empty and mark < 0 else item.end)))
    return spans


def _check_brackets(tree: Tree, node: Node) -> None:
    if tree.text[node.body] not in "{[":
        raise Refusal("par solto dentro de uma lista em linha, sem chaves")

"""JSON values as YAML text that go-yaml (Kubernetes) and PyYAML 1.1 read back as the same value."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from pipeline.flow.splices import Refusal
from pipeline.yamldoc import resolve_plain

if TYPE_CHECKING:
    from pipeline.flow.yaml_tree import Tree

__all__ = ["Style", "as_key", "as_scalar", "block_lines", "detect_style", "in_line", "is_literal", "literal_lines"]

# go-yaml v3 takes one-digit months and days as timestamps, which PyYAML's own table does not.
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_FLOW_SIGNS = re.compile(r"[\[\]{},:?]")
_KEY_LIMIT = 128
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How a file is written. ``step`` indents mappings, ``dash`` lists under a key; ``json`` quotes every key and text.

    ``literals`` allows ``|`` for texts of several lines.
    """

    step: int = 2
    dash: int = 2
    quote: str = '"'
    json: bool = False
    literals: bool = True


def detect_style(tree: Tree, default: Style) -> Style:
    """The habits of a text, the most common of each; ``default`` where it shows none."""
    steps: dict[int, int] = {}
    dashes: dict[int, int] = {}
    quotes = {"'": 0, '"': 0}
    stack = list(tree.roots)
    while stack:
        node = stack.pop()
        for part in (*node.keys, *node.items):
            if part.style in quotes:
                quotes[part.style] += 1
        if node.block and node.kind == "mapping":
            column = tree.column(node.body)
            for item in node.items:
                if item.block and tree.leads(item.body):
                    seen = dashes if item.kind == "sequence" else steps
                    size = tree.column(item.body) - column
                    seen[size] = seen.get(size, 0) + 1
        stack.extend(node.items)
    roots = [root for root in tree.roots if root.flow]
    as_json = bool(roots) and all(key.style == '"' for root in roots for key in root.keys)
    step = _most(steps, default.step)
    quote = default.quote if quotes["'"] == quotes['"'] else max(quotes, key=quotes.__getitem__)
    return Style(step=step, dash=_most(dashes, default.dash), quote=quote, json=as_json)


def as_scalar(value: object, style: Style, *, like: str = "", flow: bool = False) -> str:
    """One line for a scalar; ``like`` is the quoting to keep where the value can be said in it."""
    if isinstance(value, str):
        return _text(value, style, like=like, flow=flow)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    raise Refusal(f"valor que não é JSON ({type(value).__name__})")


def as_key(key: object, style: Style, *, flow: bool = False) -> str:
    if not isinstance(key, str):
        raise Refusal("chave que não é texto")
    shown = _text(key, style, like='"' if style.json else "", flow=flow)
    return shown if len(shown) <= _KEY_LIMIT else _double(key)


def in_line(value: object, style: Style, *, like: str = "", flow: bool = True) -> str:
    """Any value on one line: collections in flow style."""
    if isinstance(value, dict):
        pairs = (f"{as_key(key, style, flow=True)}: {in_line(item, style)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(in_line(item, style) for item in value) + "]"
    return as_scalar(value, style, like='"' if style.json else like, flow=flow)


def block_lines(value: object, indent: int, style: Style) -> list[str]:
    """Lines, without ends, of a mapping or list that is not empty."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in _pair_lines(key, item, indent, style)]
    lines: list[str] = []
    for item in value if isinstance(value, (list, tuple)) else ():
        lines += _item_lines(item, indent, style)
    return lines


def is_literal(value: object, style: Style) -> bool:
    """Whether a text can and should be written as a ``|`` block."""
    if not isinstance(value, str) or not style.literals or "\n" not in value or value[0] in " \t\n":
        return False
    lines = value.removesuffix("\n").split("\n")
    return bool(lines[-1].strip()) and all(line.replace("\t", "").isprintable() for line in lines)


def literal_lines(value: str, indent: int) -> tuple[str, list[str]]:
    """Chomping sign and content lines of a text that ``is_literal``."""
    sign = "" if value.endswith("\n") else "-"
    lines = value.removesuffix("\n").split("\n")
    return sign, [" " * indent + line if line else "" for line in lines]


def _pair_lines(key: object, item: object, indent: int, style: Style) -> list[str]:
    head = " " * indent + as_key(key, style) + ":"
    if isinstance(item, str) and is_literal(item, style):
        sign, lines = literal_lines(item, indent + style.step)
        return [f"{head} |{sign}", *lines]
    if isinstance(item, (dict, list, tuple)) and item:
        return [head, *block_lines(item, indent + (style.step if isinstance(item, dict) else style.dash), style)]
    return [f"{head} {in_line(item, style, flow=False)}"]


def _item_lines(item: object, indent: int, style: Style) -> list[str]:
    dash = " " * indent + "- "
    if isinstance(item, str) and is_literal(item, style):
        sign, lines = literal_lines(item, indent + 2)
        return [f"{dash}|{sign}", *lines]
    if isinstance(item, (dict, list, tuple)) and item:
        first, *rest = block_lines(item, indent + 2, style)
        return [dash + first[indent + 2 :], *rest]
    return [dash + in_line(item, style, flow=False)]


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise Refusal("número que JSON não tem (infinito ou NaN)")
    shown = repr(value)
    mantissa, _, exponent = shown.partition("e")
    # PyYAML 1.1 takes 1e+16 for a text: it wants the dot.
    return shown if not exponent or "." in mantissa else f"{mantissa}.0e{exponent}"


def _text(value: str, style: Style, *, like: str, flow: bool) -> str:
    if like not in {"'", '"'}:
        if _is_plain(value, flow=flow):
            return value
        like = '"' if style.json else style.quote
    if like == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return _double(value)


def _is_plain(value: str, *, flow: bool) -> bool:
    if not value or value != value.strip() or not value.isprintable():
        return False
    if value[0] in _INDICATORS and not _is_flag(value):
        return False
    if ": " in value or " #" in value or value.endswith(":") or value.startswith(("---", "...")):
        return False
    if flow and _FLOW_SIGNS.search(value):
        return False
    return not _is_special(value)


def _is_flag(value: str) -> bool:
    """A dash that begins a word is part of it (``--verbose``)."""
    return value[0] == "-" and len(value) > 1 and value[1] not in " ,[]{}"


def _is_special(value: str) -> bool:
    """Some reader would take the plain text for something else."""
    if not isinstance(resolve_plain(value), str) or _TIMESTAMP.match(value):
        return True
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    return any(shape.match(value) for _, shape in (*resolvers.get(value[0], ()), *resolvers.get(None, ())))


def _double(value: str) -> str:
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    point = ord(char)
    if char.isprintable() and point != 0xFEFF:
        return char
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _most(seen: dict[int, int], default: int) -> int:
    usable = {size: count for size, count in seen.items() if 0 <= size <= 8}
    return min(usable, key=lambda size: (-usable[size], size)) if usable else default

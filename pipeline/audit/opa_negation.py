"""Negation as the reference evaluator means it, written out for engines that mean it otherwise (ADR 0011).

``not startswith(input.a, "x")`` with ``input.a`` undefined: ``opa`` evaluates the arguments outside the negation, so
that the body is undefined; other engines take the undefined call for false and its negation for true. Moving the
arguments out in the text (``n := input.a; not startswith(n, "x")``) makes both say the same. Lines keep their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["move_arguments_out"]

_MOST_PASSES = 64  # nested negations take one pass each
_REFERENCES = ("RefDot", "RefBrack")
_COMPREHENSIONS = ("ArrayCompr", "SetCompr", "ObjectCompr")  # always defined

Node = dict[str, Any]


def move_arguments_out(text: str, parse: Callable[[str], Any]) -> str:
    """``text`` with nothing undefined left inside a negation; ``parse`` gives the syntax tree of regorus."""
    count = 0
    for _ in range(_MOST_PASSES):
        tree = parse(text)
        found = list(_negations(tree, _global_names(tree, text.encode())))
        innermost = [one for one in found if not any(one is not other and _within(other, one) for other in found)]
        if not innermost:
            return text
        source = text.encode()
        for negation in sorted(innermost, key=lambda one: -one["start"]):
            source, count = _rewritten(source, negation, count)
        text = source.decode()
    return text


def _within(inner: Node, outer: Node) -> bool:
    return bool(outer["start"] <= inner["start"] and inner["end"] <= outer["end"])


def _rewritten(source: bytes, negation: Node, count: int) -> tuple[bytes, int]:
    start, end = negation["start"], negation["end"]
    modifiers = source[negation["not_end"] : end]  # `with …`, which goes for the arguments too
    body = source[start:end]
    moved = b""
    for first, last in sorted(negation["terms"], reverse=True):
        name = b"moved_out_%d" % count
        count += 1
        moved = b"%s := %s%s; %s" % (name, source[first:last], modifiers, moved)
        body = body[: first - start] + name + body[last - start :]
    body = moved + body
    if negation["bare"]:  # `if not …` without braces holds one expression only
        body = b"{ " + body + b" }"
    return source[:start] + body + source[end:], count


def _global_names(tree: object, source: bytes) -> frozenset[str]:
    """Names that stand for rules or imports: references, though they look like variables."""
    names: set[str] = set()
    root = tree[0]["ast"] if isinstance(tree, list) else {}
    for rule in root.get("rules", ()):
        head = next(iter(rule.values()))
        part = head.get("head", head)
        part = next(iter(part.values())) if isinstance(part, dict) and len(part) == 1 else part
        reference = part.get("refr") if isinstance(part, dict) else None
        while isinstance(reference, dict):
            kind, node = next(iter(reference.items()))
            if kind == "Var":
                names.add(str(node["value"]))
            reference = node.get("refr") if isinstance(node, dict) else None
    for imported in root.get("imports", ()):
        alias, reference = imported.get("as"), imported.get("refr", {})
        field = reference.get("RefDot", {}).get("field", [None, ""])
        names.add(source[alias["start"] : alias["end"]].decode() if isinstance(alias, dict) else str(field[1]))
    return frozenset(names)


def _negations(tree: object, names: frozenset[str]) -> Iterator[Node]:
    """Negated statements with terms to move; queries come before their statements to tell bodies without braces."""
    if isinstance(tree, list):
        for part in tree:
            yield from _negations(part, names)
    if not isinstance(tree, dict):
        return
    for statement in tree.get("stmts", ()):
        literal = statement["literal"].get("NotExpr") if isinstance(statement["literal"], dict) else None
        terms = list(_terms_of_negated(literal["expr"], names)) if literal else []
        if literal and terms:
            yield {
                "start": literal["span"]["start"],
                "not_end": literal["span"]["end"],
                "end": statement["span"]["end"],
                "bare": tree["span"]["start"] == statement["span"]["start"],
                "terms": terms,
            }
    for part in tree.values():
        yield from _negations(part, names)


def _terms_of_negated(expression: Node, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    kind, node = next(iter(expression.items()))
    if kind in _REFERENCES or kind == "Var":
        yield from _brackets(expression, names)
    elif kind == "AssignExpr" or (kind == "BoolExpr" and node["op"] == "Eq"):
        for side in (node["lhs"], node["rhs"]):
            whole = next(iter(side)) not in (*_REFERENCES, "Var")
            yield from _terms(side, names) if whole else _brackets(side, names)
    else:
        yield from _children(kind, node, names)


def _brackets(expression: Node, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Terms inside the brackets of a reference, which itself may stay undefined: that is what `not` asks."""
    kind, node = next(iter(expression.items()))
    if kind not in _REFERENCES:
        return
    yield from _brackets(node["refr"], names)
    if kind == "RefBrack":
        yield from _terms(node["index"], names)


def _terms(expression: Node, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    """The largest references and calls in a term: once they are defined, so is the term."""
    kind, node = next(iter(expression.items()))
    if kind in (*_REFERENCES, "Call") or (kind == "Var" and node["value"] in names):
        yield node["span"]["start"], node["span"]["end"]
    elif kind not in _COMPREHENSIONS:
        yield from _children(kind, node, names)


def _children(kind: str, node: Node, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    parts: list[Any] = []
    if kind == "Call":
        parts = node["params"]
    elif kind in ("Array", "Set"):
        parts = node["items"]
    elif kind == "Object":
        parts = [part for field in node["fields"] for part in field if isinstance(part, dict) and "line" not in part]
    else:
        parts = [node.get(name) for name in ("lhs", "rhs", "key", "value", "collection", "expr")]
    for part in parts:
        if isinstance(part, dict):
            yield from _terms(part, names)

"""RFC 6902 operations as the smallest text edits of a YAML document, each proven by reading the result back.

Nothing is reformatted: what an operation does not touch keeps its bytes. The result is compared with what ``jsonpatch``
makes of the value; where they differ, or where an edit would change another place too, the change is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.flow.operations import patched, pointer_parts, refuse_params, same_value, steps_of
from pipeline.flow.splices import LineIndex, Refusal, Splice, SplicedText, apply_splices, line_end_of
from pipeline.flow.yaml_block import Slot, add_item, add_pair, put_value, remove_item, remove_pair
from pipeline.flow.yaml_emit import Style, detect_style
from pipeline.flow.yaml_flow import add_to_flow, put_in_flow, remove_from_flow
from pipeline.flow.yaml_tree import Node, Tree, read_tree
from pipeline.yamldoc import load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.finding import Operation

__all__ = ["Habits", "document_spans", "edit_yaml", "habits_of", "patch_yaml"]

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
# One edit reads the same text several times, and the next edit begins with what proved the one before.
_read_values = lru_cache(maxsize=4)(load_yaml)
_read_tree = lru_cache(maxsize=4)(read_tree)
_WHOLE = "substituir a raiz do documento não é possível sem reescrevê-lo"


def patch_yaml(text: str, document: int, operations: Sequence[Operation]) -> str:
    """Apply operations to the ``document``-th document (from 0, as yamldoc counts) of a YAML text; Refusal if not."""
    spans = document_spans(text)
    if not 0 <= document < len(spans):
        raise Refusal(_no_document(document))
    start, end = spans[document]
    index = 0 if (start, end) != (0, len(text)) else document
    edited = SplicedText(text)
    edited.edit_part(start, end, edit_yaml(text[start:end], index, operations, habits_of(text)))
    return edited.text()


def document_spans(text: str) -> list[tuple[int, int]]:
    """Per document, the part of ``text`` that can be edited alone; all of it where ``---`` lines do not tell."""
    index = LineIndex(text)
    cuts = [0, *(found.start() for found in _SEPARATOR.finditer(text) if found.start()), len(text)]
    documents = _read_values(text).documents
    if len(cuts) == 2:
        return [(0, len(text))] * len(documents)
    spans = []
    for document in documents:
        position = document.position(())
        at = bisect_right(cuts, index.offset(position.line, position.column), hi=len(cuts) - 1)
        span = (cuts[at - 1], cuts[at])
        part = _read_values(text[span[0] : span[1]])
        alone = len(part.documents) == 1 and same_value(part.documents[0].value, document.value)
        spans.append(span if alone else (0, len(text)))
    return spans


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """How a whole file is written: its line end, and the style where an edited part shows none of its own."""

    eol: str
    style: Style


def habits_of(text: str) -> Habits:
    eol = line_end_of(text)
    try:
        return Habits(eol=eol, style=detect_style(_read_tree(text, eol), Style()))
    except Refusal:  # some document of the file does not parse
        return Habits(eol=eol, style=Style())


def edit_yaml(text: str, document: int, operations: Sequence[Operation], habits: Habits) -> tuple[Splice, ...]:
    """The proven edits, in offsets of ``text``, that apply the operations; Refusal, with the reason, if they cannot be.

    An operation whose result is already there costs no edit.
    """
    for operation in operations:
        refuse_params(operation.value)
    before = _read_values(text)
    if not 0 <= document < len(before.documents):
        raise Refusal(_no_document(document))
    edited = SplicedText(text)
    values = [found.value for found in before.documents]
    for operation in operations:
        for step in steps_of(values[document], operation):
            values[document] = patched(values[document], step)
            _apply(edited, document, step, _Wanted(values=values, problems=len(before.problems)), habits)
    return edited.splices


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What every document of the text must read as, with no more problems than before."""

    values: list[Any]
    problems: int


def _apply(edited: SplicedText, document: int, step: Operation, wanted: _Wanted, habits: Habits) -> None:
    """Make one edit and prove it; a text that cannot stand as a ``|`` block where it would go is tried in quotes."""
    whole = (0, len(edited.original))
    text = edited.part(*whole)
    tree = _read_tree(text, habits.eol)
    if len(tree.roots) != len(wanted.values):
        raise Refusal("o arquivo tem um documento YAML que não se deixa editar")
    style = detect_style(tree, habits.style)
    for candidate in (style, replace(style, literals=False)):
        splices = _splices(tree, tree.roots[document], step, candidate)
        trial = apply_splices(text, splices)
        if _reads_as(trial, wanted):
            edited.edit_part(*whole, splices)
            return
    raise Refusal(f"a edição de {step.path} não deu o valor esperado quando relida (prova falhou)")


def _reads_as(text: str, wanted: _Wanted) -> bool:
    found = _read_values(text)
    same = same_value([document.value for document in found.documents], wanted.values)
    return same and len(found.problems) <= wanted.problems


def _splices(tree: Tree, root: Node, step: Operation, style: Style) -> list[Splice]:
    if not step.path:
        raise Refusal(_WHOLE)
    *outer, last = pointer_parts(step.path)
    chain = _walk(tree, root, outer)
    parent = chain[-1][1]
    _refuse_shared(tree, parent)
    if parent.kind == "mapping":
        return _edit_mapping(tree, chain, last, step, style)
    if parent.kind == "sequence":
        return _edit_sequence(tree, chain, last, step, style)
    raise Refusal(f"o pai de {step.path} não é mapa nem lista")


_Chain = list[tuple[int, Node]]  # the nodes from the root to a parent, each with its index in the one before


def _walk(tree: Tree, root: Node, parts: list[str]) -> _Chain:
    chain = [(-1, root)]
    for part in parts:
        node = chain[-1][1]
        _refuse_shared(tree, node)
        if node.kind == "mapping":
            index = _key_index(node, part)
            if index < 0:
                raise Refusal(f"a chave `{part}` vem de uma mesclagem (<<) ou não está escrita neste mapa")
        elif node.kind == "sequence":
            index = int(part)
        else:
            raise Refusal(f"o caminho passa por `{part}`, que não está em um mapa nem em uma lista")
        chain.append((index, node.items[index]))
    return chain


def _edit_mapping(tree: Tree, chain: _Chain, key: str, step: Operation, style: Style) -> list[Splice]:
    parent = chain[-1][1]
    if tree.explicit(parent):
        raise Refusal("o mapa tem chave explícita (?), forma que não é editada")
    index = _key_index(parent, key)
    if index < 0 and step.op == "remove":
        raise Refusal(f"a chave `{key}` vem de uma mesclagem (<<) e não está escrita neste mapa")
    if step.op == "remove":
        if parent.flow:
            return remove_from_flow(tree, parent, index)
        return remove_pair(tree, parent, index) if len(parent.items) > 1 else _put(tree, chain, {}, style)
    if index >= 0:
        return _put(tree, [*chain, (index, parent.items[index])], step.value, style)
    if not parent.items and _in_block(chain):
        return _put(tree, chain, {key: step.value}, style)
    if parent.flow:
        return add_to_flow(tree, parent, len(parent.items), key, step.value, style)
    return add_pair(tree, parent, key, step.value, style)


def _edit_sequence(tree: Tree, chain: _Chain, last: str, step: Operation, style: Style) -> list[Splice]:
    parent = chain[-1][1]
    index = len(parent.items) if last == "-" else int(last)
    if step.op == "remove":
        if parent.flow:
            return remove_from_flow(tree, parent, index)
        return remove_item(tree, parent, index) if len(parent.items) > 1 else _put(tree, chain, [], style)
    if step.op == "replace":
        return _put(tree, [*chain, (index, parent.items[index])], step.value, style)
    if not parent.items and _in_block(chain):
        return _put(tree, chain, [step.value], style)
    if parent.flow:
        return add_to_flow(tree, parent, index, None, step.value, style)
    return add_item(tree, parent, index, step.value, style)


def _in_block(chain: _Chain) -> bool:
    return len(chain) > 1 and chain[-2][1].block


def _put(tree: Tree, chain: _Chain, value: object, style: Style) -> list[Splice]:
    """Replace the last node of ``chain``."""
    index, node = chain[-1]
    if node.kind != "alias":
        _refuse_shared(tree, node)
    if len(chain) == 1:
        if node.block and not value:
            return [Splice(node.body, node.end, "{}" if node.kind == "mapping" else "[]")]
        raise Refusal(_WHOLE)
    parent = chain[-2][1]
    mark = parent.marks[index] if parent.marks else -1
    if parent.flow:
        return put_in_flow(node, parent.keys[index] if parent.keys else None, mark, value, style)
    if mark < 0 or tree.explicit(parent):
        raise Refusal("o mapa tem chave explícita (?), forma que não é editada")
    item = parent.kind == "sequence"
    column = tree.column(mark if item else parent.body)
    return put_value(tree, Slot(node=node, indicator=mark, column=column, item=item), value, style)


def _key_index(node: Node, key: str) -> int:
    """Index of a written key, -1 where there is none; Refusal where it, or another of the mapping, is written twice."""
    names = [written.value for written in node.keys if written.kind == "scalar"]
    if len(names) != len(set(names)):
        raise Refusal("o mapa tem chave repetida: resolva a repetição antes")
    for index, written in enumerate(node.keys):
        if written.kind == "scalar" and written.value == key and (key != "<<" or written.style):
            return index
    return -1


def _refuse_shared(tree: Tree, node: Node) -> None:
    if node.kind == "alias":
        raise Refusal(f"o valor é um alias (*{node.value}): a edição mudaria outros lugares")
    if node.anchor in tree.shared:
        raise Refusal(f"o valor tem a âncora &{node.anchor}, usada em outros lugares que a edição mudaria")


def _no_document(document: int) -> str:
    return f"o arquivo não tem o documento YAML nº {document + 1}, ou ele não pôde ser lido"

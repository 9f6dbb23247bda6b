"""libyaml, bounded: nodes of a text, and what is wrong with it in words and places that people know."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs leave it out of __all__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.finding import PathKey

__all__ = [
    "PLAIN",
    "TEXT",
    "Limits",
    "LineMap",
    "Lines",
    "YamlProblem",
    "compose",
    "line_breaks",
    "line_map",
    "refuse",
    "syntax_problem",
]

TEXT = "tag:yaml.org,2002:str"
PLAIN = "plain"
# libyaml breaks lines here as YAML 1.1 says; git and editors break at LF alone.
_OTHER_BREAKS = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
# libyaml's own words, for people who do not read them.
_SAID = {
    "mapping values are not allowed in this context": "dois-pontos onde não pode começar um novo par chave: valor",
    "found character that cannot start any token": "caractere que não pode iniciar um valor (TAB, @, % ou crase)",
    "did not find expected key": "esperava uma chave: confira a indentação desta linha e das anteriores",
    "could not find expected ':'": "falta o ':' depois da chave",
    "did not find expected '-' indicator": "esperava um item de lista '-': confira a indentação",
    "did not find expected node content": "esperava um valor",
    "did not find expected <document start>": "esperava o início de um documento ('---')",
    "found undefined alias": "alias (*nome) sem a âncora (&nome) correspondente",
    "found unexpected end of stream": "fim do arquivo dentro de um texto entre aspas",
    "did not find expected ',' or ']'": "falta ',' ou ']' na lista",
    "did not find expected ',' or '}'": "falta ',' ou '}' no mapa",
    "found a tab character that violates indentation": "TAB na indentação: YAML só aceita espaços",
    "found a tab character where an indentation space is expected": "TAB na indentação: YAML só aceita espaços",
    "block sequence entries are not allowed in this context": "item de lista '-' onde não pode haver lista",
    "control characters are not allowed": "caractere de controle não permitido",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of one YAML text; ``nodes`` counts aliases expanded. Figures of threats.md §7."""

    depth: int = 100
    nodes: int = 1_000_000


LIMITS = Limits()


class Lines(Protocol):
    """Where places of the text that was parsed stand in the text that people see."""

    def convert(self, line: int, column: int) -> tuple[int, int]:
        """Line and column from 0 to line and column from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlProblem:
    code: Literal["syntax", "duplicate-key", "cycle", "depth", "nodes", "key"]
    message: str
    line: int
    column: int
    path: tuple[PathKey, ...] = ()


class _Parser(CParser):
    """libyaml's parser with a resolver that only tells plain scalars from the rest."""

    def resolve(self, kind: type[yaml.Node], _value: str | None, implicit: Any) -> str:
        return PLAIN if kind is yaml.ScalarNode and implicit[0] else TEXT

    def descend_resolver(self, current: object, index: object) -> None: ...

    def ascend_resolver(self) -> None: ...


def compose(text: str) -> Iterator[yaml.Node]:
    parser = _Parser(text)
    try:
        while parser.check_node():
            node = parser.get_node()
            if node is not None:
                yield node
    finally:
        parser.dispose()


def refuse(text: str, limits: Limits, lines: LineMap | None) -> YamlProblem | None:
    """Count depth and nodes on events, which libyaml gives without recursing, where the text could reach a limit.

    Composing recurses in C and dies with SIGSEGV near 50 000 levels. A flow level needs a bracket and a block level a
    column, so short lines with few brackets cannot nest deeper than the first test allows.
    """
    brackets = text.count("[") + text.count("{")
    deepest = brackets + 2 * max((len(line) for line in text.split("\n")), default=0)
    if deepest <= 2_000 and len(text) <= 500_000:
        return None
    parser = _Parser(text)
    depth = nodes = 0
    try:
        while parser.check_event():
            event = parser.get_event()
            if event is None:
                break
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            nodes += isinstance(event, yaml.NodeEvent)
            if depth > limits.depth:
                return _limit_problem("depth", limits.depth, event.start_mark, lines)
            if nodes > limits.nodes:
                return _limit_problem("nodes", limits.nodes, event.start_mark, lines)
    except yaml.YAMLError:
        return None  # composing will stop at the same place, and say so
    finally:
        parser.dispose()
    return None


def _limit_problem(code: Literal["depth", "nodes"], limit: int, mark: Any, lines: LineMap | None) -> YamlProblem:
    line, column = lines.convert(mark.line, mark.column) if lines else (mark.line, mark.column)
    what = f"mais de {limit} níveis de aninhamento" if code == "depth" else f"mais de {limit} nós"
    return YamlProblem(code=code, message=f"{what}: recusado por segurança", line=line + 1, column=column + 1)


def syntax_problem(error: yaml.YAMLError, text: str, lines: LineMap | None) -> YamlProblem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "erro de sintaxe"
        at = (mark.line, mark.column) if mark else (0, 0)
    else:
        said = str(getattr(error, "reason", "")) or "caractere inválido"
        offset = int(getattr(error, "position", 0) or 0)
        before = text.encode("utf-8", "replace")[:offset].decode("utf-8", "ignore")
        ends = [found.end() for found in _LINE_BREAK.finditer(before)]
        at = (len(ends), len(before) - (ends[-1] if ends else 0))
    at = lines.convert(*at) if lines else at
    message = next((shown for known, shown in _SAID.items() if known in said), said)
    return YamlProblem(code="syntax", message=message, line=at[0] + 1, column=at[1] + 1)


def line_map(text: str) -> LineMap | None:
    """Where libyaml's lines are not those of git and editors, the way from one to the other."""
    plain = text.isascii() and "\r" not in text
    return None if plain or _OTHER_BREAKS.search(text) is None else LineMap(text)


def line_breaks(text: str, start: int, end: int) -> int:
    """Number of libyaml's line breaks in a part of a text."""
    return sum(1 for _ in _LINE_BREAK.finditer(text, start, end))


class LineMap:
    """From libyaml's lines, broken at NEL, LS, PS and lone CR too, to lines broken at LF."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]
        self._feeds = [0, *(found.end() for found in re.finditer("\n", text))]

    def convert(self, line: int, column: int) -> tuple[int, int]:
        """Line and column from 0 to line and column from 0."""
        offset = self._starts[min(line, len(self._starts) - 1)] + column
        row = bisect_right(self._feeds, offset) - 1
        return row, offset - self._feeds[row]

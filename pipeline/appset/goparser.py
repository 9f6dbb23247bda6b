"""Syntax tree of Go's text/template (package text/template/parse, parse.go), without define, block and template."""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.golexer import KEYWORDS, Token, tokenize
from pipeline.appset.gonodes import (
    Action,
    Branch,
    Chain,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Nil,
    Node,
    Number,
    Operand,
    Pipe,
    Text,
    Variable,
)

__all__ = ["parse_template"]

_MAX_DEPTH = 100
_INT64 = 1 << 63
_MAX_DIGITS = 40


@lru_cache(maxsize=4096)
def parse_template(source: str, known: frozenset[str]) -> tuple[Node, ...]:
    """The nodes of ``source``; ``known`` are the functions that Argo CD defines.

    Raises Refused where Go's parser fails, Inexact for what this subset leaves out.
    """
    return _Parser(tokenize(source), known).parse()


class _Parser:
    def __init__(self, tokens: list[Token], known: frozenset[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._known = known
        self._variables = [""]
        self._ranges = 0
        self._depth = 0

    def parse(self) -> tuple[Node, ...]:
        nodes, stop = self._list()
        if stop:
            raise Refused(f"'{stop}' sem abertura correspondente")
        return nodes

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind != "eof"
        return token

    def _skip(self) -> Token:
        """The next token that is no space, not consumed."""
        while self._peek().kind == "space":
            self._at += 1
        return self._peek()

    def _take(self) -> Token:
        self._skip()
        return self._next()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Inexact(f"mais de {_MAX_DEPTH} níveis de aninhamento")

    def _list(self) -> tuple[tuple[Node, ...], str]:
        """Nodes up to ``end``, ``else`` or the end of the text, and which of them it was (empty at the end)."""
        nodes: list[Node] = []
        while True:
            token = self._next()
            if token.kind == "eof":
                return tuple(nodes), ""
            if token.kind == "text":
                nodes.append(Text(token.value))
                continue
            word = self._skip()
            if word.kind == "word" and word.value in ("end", "else"):
                self._take()
                return tuple(nodes), word.value
            nodes.append(self._statement(word))

    def _statement(self, word: Token) -> Node:
        if word.kind != "word" or word.value not in KEYWORDS or word.value == "nil":
            return Action(self._pipeline("comando", "right"))
        self._take()
        if word.value in ("if", "with", "range"):
            return self._branch(word.value)
        if word.value in ("break", "continue"):
            if not self._ranges:
                raise Refused(f"'{word.value}' fora de range")
            self._closing(word.value)
            return Jump(word.value)
        raise Inexact(f"ação '{word.value}'")

    def _closing(self, context: str) -> None:
        if self._take().kind != "right":
            raise Refused(f"conteúdo inesperado em '{context}'")

    def _branch(self, keyword: str) -> Branch:
        self._deeper()
        scope = len(self._variables)
        pipe = self._pipeline(keyword, "right")
        self._ranges += keyword == "range"
        body, stop = self._list()
        self._ranges -= keyword == "range"
        otherwise: tuple[Node, ...] = ()
        following = self._skip()
        if stop == "else" and following.kind == "word" and following.value == keyword != "range":
            self._take()
            otherwise = (self._branch(keyword),)
        elif stop == "else":
            self._closing("else")
            otherwise, stop = self._list()
            self._ended(stop, keyword)
        else:
            self._ended(stop, keyword)
        del self._variables[scope:]
        self._depth -= 1
        return Branch(keyword, pipe, body, otherwise)

    def _ended(self, stop: str, keyword: str) -> None:
        if stop != "end":
            raise Refused(f"'{keyword}' sem 'end'")
        self._closing("end")

    def _pipeline(self, context: str, end: str) -> Pipe:
        self._deeper()
        variables, assigns = self._declarations(context)
        commands: list[Command] = []
        while True:
            token = self._skip()
            if (token.value if token.kind == "punct" else token.kind) == end:
                self._next()
                break
            commands.append(self._command())
        if not commands:
            raise Refused(f"falta o valor de '{context}'")
        for command in commands[1:]:
            first = command.args[0]
            if isinstance(first, Literal | Number | Nil) or first == Field(()):
                raise Refused("um valor literal não pode receber o resultado de '|'")
        self._depth -= 1
        return Pipe(tuple(commands), variables, assigns)

    def _declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        while self._skip().kind == "variable":
            start = self._at
            name = self._next().value
            sign = self._skip()
            if sign.kind == "punct" and sign.value in (":=", "="):
                self._next()
                names.append(name)
                self._variables.append(name)
                return tuple(names), sign.value == "="
            if sign.kind != "punct" or sign.value != ",":
                self._at = start
                break
            self._next()
            names.append(name)
            self._variables.append(name)
            if context != "range" or len(names) > 1:
                raise Refused(f"declarações demais em '{context}'")
            if self._skip().kind != "variable":
                raise Refused("range só pode declarar variáveis")
        if names:
            # "range $i, $v" without ":=" declares in Go as well; nobody writes it.
            raise Inexact("range com variáveis e sem ':='")
        return (), False

    def _command(self) -> Command:
        args: list[Operand] = []
        while True:
            self._skip()
            operand = self._operand()
            if operand is not None:
                args.append(operand)
            token = self._peek()
            if token.kind == "space":
                self._next()
                continue
            if token.kind == "right" or (token.kind == "punct" and token.value == ")"):
                break
            if token.kind == "punct" and token.value == "|":
                self._next()
                break
            raise Refused(f"{token.value or token.kind!r} inesperado na ação")
        if not args:
            raise Refused("comando vazio")
        return Command(tuple(args))

    def _operand(self) -> Operand | None:
        term = self._term()
        names: list[str] = []
        while term is not None and self._peek().kind == "field":
            names.append(self._next().value)
        if term is None or not names:
            return term
        if isinstance(term, Field) and term.names:
            return Field((*term.names, *names))
        if isinstance(term, Variable):
            return Variable(term.name, (*term.names, *names))
        if isinstance(term, Literal | Number | Nil | Field):
            raise Refused("'.' inesperado depois de um valor")
        return Chain(term, tuple(names))

    def _term(self) -> Operand | None:
        token = self._skip()
        simple: Operand
        match token.kind:
            case "word":
                simple = self._word(token.value)
            case "dot":
                simple = Field(())
            case "field":
                simple = Field((token.value,))
            case "variable":
                if token.value not in self._variables:
                    raise Refused(f"variável ${token.value} não definida")
                simple = Variable(token.value)
            case "string":
                simple = Literal(token.value)
            case "number":
                simple = _number(token.value)
            case "char":
                simple = Number(ord(token.value), ord(token.value))
            case "punct" if token.value == "(":
                self._next()
                return self._pipeline("parênteses", ")")
            case _:
                return None
        self._next()
        return simple

    def _word(self, word: str) -> Operand:
        if word in ("true", "false"):
            return Literal(word == "true")
        if word == "nil":
            return Nil()
        if word in KEYWORDS:
            raise Refused(f"'{word}' inesperado na ação")
        if word not in self._known:
            raise Refused(f"função {word!r} não definida")
        return Function(word)


def _number(text: str) -> Number:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        integer = int(text) if len(text) <= _MAX_DIGITS else _INT64
        if not -_INT64 <= integer < _INT64:
            raise Refused(f"{text} não cabe em int")
        return Number(integer, integer)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Refused(f"{text} não cabe em float64")
    whole = int(value) if value.is_integer() and abs(value) < _INT64 else None
    return Number(value, whole)

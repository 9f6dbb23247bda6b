"""Tokens of Go's text/template (package text/template/parse, lex.go): text, actions, trim markers, comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pipeline.appset.errors import Inexact, Refused

__all__ = ["KEYWORDS", "Token", "TokenKind", "tokenize"]

TokenKind = Literal[
    "text", "left", "right", "space", "field", "dot", "variable", "word", "string", "number", "char", "punct", "eof"
]
KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with"})

_SPACES = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]+")
_WORD = re.compile(r"\w+")
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?")
_NUMBERISH = re.compile(r"[+-]?[\w.]*")
_QUOTED = {
    "`": re.compile(r"`[^`]*`"),
    '"': re.compile(r'"(?:[^"\\\n]|\\[^\n])*"'),
    "'": re.compile(r"'(?:[^'\\\n]|\\[^\n])*'"),
}
_TERMINATORS = frozenset(".,|:)(" + _SPACES)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ASCII = 0x80


@dataclass(frozen=True, slots=True)
class Token:
    """``value`` is the text of the token, strings already unquoted, fields and variables without their mark."""

    kind: TokenKind
    value: str = ""


def tokenize(source: str) -> list[Token]:
    """Every token up to ``eof``. Refused where Go's lexer stops."""
    tokens: list[Token] = []
    position = 0
    trim = False
    while True:
        start = source.find("{{", position)
        text = source[position:] if start < 0 else source[position:start]
        if trim:
            text = text.lstrip(_SPACES)
        if start < 0:
            break
        inside = start + 2
        if source.startswith("-", inside) and source[inside + 1 : inside + 2] in tuple(_SPACES):
            text, inside = text.rstrip(_SPACES), inside + 2
        if text:
            tokens.append(Token("text", text))
        position, trim = (
            _comment(source, inside) if source.startswith("/*", inside) else _action(source, inside, tokens)
        )
    if text:
        tokens.append(Token("text", text))
    tokens.append(Token("eof"))
    return tokens


def _right_delimiter(source: str, position: int) -> tuple[int, bool] | None:
    """Where the text goes on after a closing delimiter at ``position``, and whether it is trimmed."""
    if source.startswith("}}", position):
        return position + 2, False
    if source[position : position + 1] in tuple(_SPACES) and source.startswith("-}}", position + 1):
        return position + 4, True
    return None


def _comment(source: str, position: int) -> tuple[int, bool]:
    end = source.find("*/", position)
    if end < 0:
        raise Refused("comentário não fechado")
    closing = _right_delimiter(source, end + 2)
    if closing is None:
        raise Refused("o comentário termina antes de '}}'")
    return closing


def _action(source: str, position: int, tokens: list[Token]) -> tuple[int, bool]:
    tokens.append(Token("left"))
    depth = 0
    while True:
        closing = _right_delimiter(source, position)
        if closing is not None:
            if depth:
                raise Refused("parêntese não fechado")
            tokens.append(Token("right"))
            return closing
        if position >= len(source):
            raise Refused("ação '{{' não fechada")
        token, position = _next(source, position)
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "punct" else 0
        if depth < 0:
            raise Refused("parêntese ')' a mais")
        tokens.append(token)


def _next(source: str, position: int) -> tuple[Token, int]:
    char = source[position]
    if char in _SPACES:
        end = _space_end(source, position)
        return Token("space"), end
    if char in _QUOTED:
        return _match_quoted(_QUOTED[char], source, position)
    if char == "$":
        return _name("variable", source, position)
    if char == "." and not source[position + 1 : position + 2].isdigit():
        return _name("field", source, position)
    if char in "+-." or char in "0123456789":
        return _number(source, position)
    if source.startswith(":=", position):
        return Token("punct", ":="), position + 2
    if char == ":":
        raise Refused("esperava ':='")
    word = _WORD.match(source, position)
    if word:
        _terminated(source, word.end())
        _ascii(word.group())
        return Token("word", word.group()), word.end()
    if "\x21" <= char <= "\x7e":
        return Token("punct", char), position + 1
    raise Refused(f"caractere inesperado U+{ord(char):04X} na ação")


def _space_end(source: str, position: int) -> int:
    found = _SPACE.match(source, position)
    end = found.end() if found else position + 1
    # The last space may belong to a trimming delimiter " -}}".
    return end - 1 if end - position > 1 and source.startswith("-}}", end) else end


def _match_quoted(pattern: re.Pattern[str], source: str, position: int) -> tuple[Token, int]:
    found = pattern.match(source, position)
    if not found:
        raise Refused("texto entre aspas não terminado")
    raw = found.group()
    if raw[0] == "`":
        return Token("string", raw[1:-1].replace("\r", "")), found.end()
    value = _ESCAPE.sub(lambda escape: _unescape(escape, raw[0]), raw[1:-1])
    if raw[0] == '"':
        return Token("string", value), found.end()
    if len(value) != 1:
        raise Refused("constante de caractere malformada")
    return Token("char", value), found.end()


def _unescape(found: re.Match[str], delimiter: str) -> str:
    hexadecimal, octal, short, long, plain = found.groups()
    if plain is not None:
        if plain == delimiter:
            return plain
        if plain not in _ESCAPES:
            raise Refused("sequência de escape inválida")
        return _ESCAPES[plain]
    if short or long:
        point = int(short or long, 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise Refused("sequência de escape inválida")
        return chr(point)
    point = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
    if point >= _ASCII:
        raise Inexact("escape de byte acima de 0x7f")
    return chr(point)


def _name(kind: Literal["field", "variable"], source: str, position: int) -> tuple[Token, int]:
    word = _WORD.match(source, position + 1)
    end = word.end() if word else position + 1
    _terminated(source, end)
    if word:
        _ascii(word.group())
        return Token(kind, word.group()), end
    return Token("dot") if kind == "field" else Token("variable", ""), end


def _number(source: str, position: int) -> tuple[Token, int]:
    candidate = _FLOAT.match(source, position) or _INTEGER.match(source, position)
    whole = _NUMBERISH.match(source, position)
    end = candidate.end() if candidate else position
    if candidate is None or (whole and whole.end() > end) or source[end : end + 1] in ("+", "-"):
        raise Inexact(f"forma numérica {source[position : position + 12]!r}")
    return Token("number", candidate.group()), end


def _terminated(source: str, position: int) -> None:
    following = source[position : position + 1]
    if following and following not in _TERMINATORS and not source.startswith("}}", position):
        raise Refused(f"caractere {following!r} inesperado na ação")


def _ascii(name: str) -> None:
    """Python and Go draw the line of letters and digits differently beyond ASCII."""
    if not name.isascii():
        raise Inexact(f"identificador não ASCII {name!r}")

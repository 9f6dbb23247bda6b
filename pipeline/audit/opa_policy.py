"""Rego files as data: dialect, package, rules that report, annotations. Nothing is evaluated here.

The text is scanned, not parsed: strings and comments are blanked, and only what stands outside every bracket counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.codec import visible
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Annotation", "Dialect", "PolicyError", "PolicyModule", "PolicyRule", "read_policy", "read_severity"]

Dialect = Literal["v0", "v1", "any"]
Level = Literal["deny", "warn", "violation"]

_MAX_BYTES = 256 * 1024
_MAX_NESTING = 12  # brackets in brackets: the in-process parser needs twice the time for each level more
_NOISE = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*')
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*"|`[^`]*`)|#[^\n]*')
_TOKEN = re.compile(r"[A-Za-z_]\w*|:=|[=!<>]=|\S")
_PACKAGE = re.compile(r"package\s+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\"[^\"\n]+\"\])*)")
_PART = re.compile(r'\["([^"]+)"\]|\.?([A-Za-z_]\w*)')
_ENTRY = re.compile(r"(deny|warn|violation)(?:_\w+)?")
_REFERENCE = re.compile(r"(?<![\w.])data((?:\.[A-Za-z_]\w*)+)")
_REVIEW = re.compile(r'(?<![\w.])input\s*(?:\.\s*review\b|\[\s*"review"\s*\])')
_REQUEST = re.compile(r'(?<![\w.])input\s*(?:\.\s*request\b|\[\s*"request"\s*\])')
# Network, environment, clock and chance: a verdict must follow from the module alone, offline, and tomorrow too.
_FORBIDDEN = re.compile(r"\b(http\.send|net\.lookup_ip_addr|opa\.runtime|rand\.intn|uuid\.rfc4122|time\.now_ns)\s*\(")
_METADATA = re.compile(r"#\s*METADATA\s*")
_OPERATORS = frozenset(
    {"=", ":=", "==", "!=", "if", "contains", "in", "|", "&", "+", "-", "*", "/", "<", ">", ",", "not"}
)
_SEVERITIES = {
    "critica": Severity.CRITICA,
    "crítica": Severity.CRITICA,
    "critical": Severity.CRITICA,
    "alta": Severity.ALTA,
    "high": Severity.ALTA,
    "error": Severity.ALTA,
    "media": Severity.MEDIA,
    "média": Severity.MEDIA,
    "medium": Severity.MEDIA,
    "moderate": Severity.MEDIA,
    "warning": Severity.MEDIA,
    "baixa": Severity.BAIXA,
    "low": Severity.BAIXA,
    "info": Severity.BAIXA,
}


class PolicyError(Exception):
    """A policy file that cannot be taken as it is: ``message`` in pt-BR, ``line`` from 1."""

    def __init__(self, message: str, *, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """What a METADATA comment says; ``ids`` holds ``custom.id`` first, then the references of ``related_resources``."""

    title: str = ""
    description: str = ""
    severity: Severity | None = None
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRule:
    """One definition of a rule that reports."""

    name: str
    level: Level
    line: int
    annotation: Annotation | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyModule:
    """One Rego file. ``dialect`` is ``any`` where both read it alike; ``references`` are the paths below ``data``.

    ``shape`` is what the text takes ``input`` for: the object itself, a Gatekeeper review, an admission request.
    """

    path: str
    text: str
    dialect: Dialect
    package: tuple[str, ...]
    rules: tuple[PolicyRule, ...]
    annotation: Annotation | None
    references: frozenset[tuple[str, ...]]
    shape: Literal["object", "review", "request"]


def read_policy(path: str, text: str) -> PolicyModule:
    """PolicyError where the file has no package, is too large, is not reproducible, or has a wrong annotation."""
    if len(text.encode("utf-8", "replace")) > _MAX_BYTES:
        raise PolicyError(f"arquivo de política acima de {_MAX_BYTES // 1024} KiB")
    code = _NOISE.sub(_blank, text)
    _check_nesting(code)
    forbidden = _FORBIDDEN.search(code)
    if forbidden:
        raise PolicyError(
            f"`{forbidden.group(1)}` não é permitido: o resultado deixaria de depender só do módulo",
            line=_line(code, forbidden.start()),
        )
    statements = list(_statements(code))
    package = next((start for name, start in statements if name == "package"), None)
    named = _PACKAGE.match(text, package) if package is not None else None
    if named is None:
        raise PolicyError("falta a declaração `package`")
    annotations = dict(_annotations(text, [(_line(code, start), name) for name, start in statements]))
    spoken = _COMMENT.sub(lambda found: found.group(1) or "", text)
    shape: Literal["object", "review", "request"] = "object"
    if _REVIEW.search(spoken):
        shape = "review"
    elif _REQUEST.search(spoken):
        shape = "request"
    return PolicyModule(
        path=path,
        text=text,
        dialect=_dialect(code),
        package=tuple(quoted or plain for quoted, plain in _PART.findall(named.group(1))),
        rules=tuple(_rules(code, statements, annotations)),
        annotation=annotations.get(_line(code, package or 0)),
        references=frozenset(tuple(found[1:].split(".")) for found in _REFERENCE.findall(code)),
        shape=shape,
    )


def read_severity(word: object) -> Severity | None:
    """Severity by its word in Portuguese or English, in any case; None for any other value."""
    return _SEVERITIES.get(word.strip().casefold()) if isinstance(word, str) else None


def _blank(found: re.Match[str]) -> str:
    """Same length and same lines, nothing that could be taken for code; a string stays recognisable as a value."""
    text = found.group()
    if text.startswith("#"):
        return " " * len(text)
    return '"' + "".join(char if char == "\n" else "_" for char in text[1:-1]) + '"'


def _check_nesting(code: str) -> None:
    depth = 0
    for bracket in re.finditer(r"[(\[{}\])]", code):
        depth += 1 if bracket.group() in "([{" else -1
        if depth > _MAX_NESTING:
            raise PolicyError(f"mais de {_MAX_NESTING} colchetes aninhados", line=_line(code, bracket.start()))


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _outside(code: str) -> Iterator[tuple[str, int, str]]:
    """Tokens outside every bracket, with their offset and the token before; opening brackets are among them."""
    depth, before = 0, ""
    for token in _TOKEN.finditer(code):
        word = token.group()
        if word in ")]}":
            depth = max(0, depth - 1)
        elif depth == 0:
            yield word, token.start(), before
        if word in ("(", "[", "{"):
            depth += 1
        before = f".{word}" if before == "." else word  # the `in` of `future.keywords.in` is no operator


def _statements(code: str) -> Iterator[tuple[str, int]]:
    """First words of the statements and their offsets; ``default deny`` counts as ``deny``."""
    default_at: int | None = None
    for word, offset, before in _outside(code):
        if default_at is not None:
            yield word, default_at
            default_at = None
        elif _starts_line(code, offset) and word[0].isidentifier() and before not in _OPERATORS and word != "else":
            if word == "default":
                default_at = offset
            else:
                yield word, offset


def _starts_line(code: str, offset: int) -> bool:
    return not code[code.rfind("\n", 0, offset) + 1 : offset].strip()


def _dialect(code: str) -> Dialect:
    """v0 where a rule has a body without ``if``, v1 where a head says ``if`` or ``contains``; else both read it."""
    modern = False
    seen_if = False
    starts = {offset for _, offset in _statements(code)}
    for word, offset, before in _outside(code):
        if offset in starts:
            seen_if = False
        if word in ("if", "contains"):
            modern = True
            seen_if = seen_if or word == "if"
        if word == "{" and not seen_if and before not in _OPERATORS and before:
            return "v0"
    return "v1" if modern or re.search(r"^\s*import\s+rego\.v1\b", code, re.MULTILINE) else "any"


def _rules(code: str, statements: list[tuple[str, int]], annotations: dict[int, Annotation]) -> Iterator[PolicyRule]:
    for word, start in statements:
        entry = _ENTRY.fullmatch(word)
        head = re.compile(rf"(?:default\s+)?{word}\s*(.?)", re.DOTALL).match(code, start) if entry else None
        if entry is None or head is None or head.group(1) == "(":  # a function of that name reports nothing
            continue
        line = _line(code, start)
        level: Any = entry.group(1)
        yield PolicyRule(name=word, level=level, line=line, annotation=annotations.get(line))


def _annotations(text: str, statements: list[tuple[int, str]]) -> Iterator[tuple[int, Annotation]]:
    """Annotations by the line of the statement they stand before."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        number += 1
        if not _METADATA.fullmatch(lines[number - 1].rstrip("\r")):
            continue
        first = number
        block = []
        while number < len(lines) and lines[number].startswith("#"):
            block.append(lines[number][1:].rstrip("\r"))
            number += 1
        target = next((line for line, _ in statements if line > number), None)
        if target is not None:
            yield target, _annotation("\n".join(block), first)


def _annotation(block: str, line: int) -> Annotation:
    import yaml  # noqa: PLC0415  # only policies with annotations need it

    try:
        said = yaml.load(block, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise PolicyError("o comentário METADATA não é YAML válido", line=line) from error
    if not isinstance(said, dict):
        raise PolicyError("o comentário METADATA não é um mapa", line=line)
    custom = said.get("custom") or {}
    if not isinstance(custom, dict):
        raise PolicyError("`custom` do METADATA não é um mapa", line=line)
    resources = said.get("related_resources")
    listed = [item.get("ref") if isinstance(item, dict) else item for item in resources or [] if item]
    ids = custom.get("id", ())
    return Annotation(
        title=_text(said.get("title")),
        description=_text(said.get("description")),
        severity=_severity(custom.get("severity"), line),
        ids=tuple(_text(one) for one in [*(ids if isinstance(ids, list | tuple) else [ids]), *listed] if one),
    )


def _severity(word: object, line: int) -> Severity | None:
    if word is None:
        return None
    known = read_severity(word)
    if known is None:
        raise PolicyError(
            f"`custom.severity` desconhecida: {_text(word)}; use CRITICA, ALTA, MEDIA ou BAIXA", line=line
        )
    return known


def _text(value: object) -> str:
    return "" if value is None else " ".join(visible(str(value)).split())[:500]

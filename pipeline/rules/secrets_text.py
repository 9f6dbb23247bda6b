"""Finds literal secrets in text: assignments in any usual syntax, addresses with a password, headers, keys, tokens."""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.audit.hints import hint
from pipeline.rules.secrets_words import classify, is_sensitive, name_words, names_resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.texts import Syntax

__all__ = ["Secret", "in_pair", "in_text", "in_value", "may_be_formed", "may_form", "redact"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A literal secret. ``what`` says in pt-BR what holds it and shows nothing of it.

    ``literal`` is the text to hide, empty where the line itself shows none; ``weak`` marks a placeholder; ``row`` and
    ``column`` (from 0) are where it begins in the text; ``name`` is the key it stands under, if any.
    """

    what: str
    literal: str
    weak: bool = False
    name: str = ""
    row: int = 0
    column: int = 0


_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]{1,20})://([^\s/@:'\"<>]{0,200}):([^\s/@'\"]{1,400})@([\w.${}-]{0,120})", re.IGNORECASE
)
_USERS = frozenset({"user", "username", "usuario", "usuário", "login"})
_PASSES = frozenset({"pass", "password", "passwd", "pwd", "senha", "secret"})
_HEADER = re.compile(
    r"\bauthorization[\"']?\s{0,8}[:=,]\s{0,8}[\"']?(?:bearer|basic|token|apikey)\s{1,8}([^\s\"'`,;)]{3,4000})|"
    r"\bbearer\s{1,8}(?=[A-Za-z._~+/-]{0,60}\d)([\w.~+/-]{16,4000}={0,2})",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?<![\w-])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|glpat-[\w-]{20,}|"
    r"xox[abprs]-[\w-]{10,}|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|hv[sbr]\.[\w-]{20,}|AIza[\w-]{35}|"
    r"eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]*|[rs]k_live_\w{16,}|dckr_pat_[\w-]{20,}|npm_[A-Za-z0-9]{36}|"
    r"tskey-[a-z]+-[\w-]{10,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_HINTS = (
    "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "hvs.", "hvb.",
    "hvr.", "AIza", "eyJ", "k_live_", "dckr_pat_", "npm_", "tskey-", "SG.", "PRIVATE KEY", "earer", "EARER",
)  # fmt: skip
_SCHEMES = ("bearer", "basic", "token", "apikey")
_FORMED = hint("private", *(word for word in _HINTS if " " not in word))
_ADDRESS, _ACCOUNT = hint("://"), hint("@")
_HEADED, _SCHEMED = hint("uthorization"), hint(*_SCHEMES)
_MASK = "•••"
_MOST_ON_A_LINE = 50
_LONGEST = 20_000  # characters; no credential is longer
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_NOT_A_KEY = re.compile(r"(?:\\n|\s)*(?:\.\.\.|…|<|\{\{|\$|\[|x{3,})", re.IGNORECASE)
_NAMES = ("pass", "pwd", "senha", "secret", "token", "key", "credential", "masterauth", "identified", "clearvalue")
_NAME = re.compile("|".join(_NAMES), re.IGNORECASE)
_PAIR = re.compile(
    r"(?<![\w.$@/])(?P<quote>[\"']?)(?P<key>[A-Za-z_][\w.-]{0,100})(?P=quote)[ \t]{0,20}(?::=|=>|=|:(?!:))[ \t]{0,20}"
    r"(?P<value>\"(?:[^\"\\\n]|\\.){0,4000}\"|'[^'\n]{0,4000}'|"
    r"(?:\$\{[^}\n]{0,200}\}|\$\([^)\n]{0,200}\)|\{\{[^}\n]{0,200}\}\}|<[^>\n]{0,200}>|[^\s,;\"'{}<>`]){1,4000})?"
)
_TYPED = re.compile(r"\b(?P<key>\w{1,100})\s?:\s?[\w.\[\]|]{1,60}\s?=\s?(?P<value>\"[^\"\n]*\"|'[^'\n]*')")
_GETTER = re.compile(
    r"(?:getenv|environ\.get|env)\(\s{0,4}[\"'](?P<key>\w{1,100})[\"']\s{0,4},\s{0,4}(?P<value>\"[^\"\n]*\"|'[^'\n]*')"
)
_OR = re.compile(r"process\.env\.(?P<key>\w{1,100})\s{0,4}(?:\|\||\?\?)\s{0,4}(?P<value>\"[^\"\n]*\"|'[^'\n]*')")
_SQL = re.compile(r"\b(?P<key>password|identified\s{1,4}by)\s{1,4}(?P<value>'[^'\n]{1,400}')", re.IGNORECASE)
_XML = re.compile(r"<(?P<key>[\w:.-]{1,100})>(?P<value>[^<>\n]{1,400})</")
_DIRECTIVE = re.compile(r"^\s*(?P<key>requirepass|masterauth)\s+(?P<value>\S+)", re.IGNORECASE)
_DOCKER = re.compile(r"^\s*(?:ENV|ARG)\s+(?P<key>\w{1,100})\s+(?P<value>\S+)", re.IGNORECASE)
_NAMED = re.compile(r"[\s{,-]*[\"']?(?:name|key|type|variable|parameter)[\"']?\s{0,8}:\s{0,8}[\"']?([\w.-]{1,100})")
_VALUED = re.compile(
    r"[\s{,-]*[\"']?value[\"']?\s{0,8}:\s{0,8}(?P<value>\"[^\"\n]{0,4000}\"|'[^'\n]{0,4000}'|[^\s,;}]{1,4000})"
)
_NAMED_VALUE = re.compile(
    r"\b(?:name|key|type|variable|parameter)[\"']?\s{0,8}[:=]\s{0,8}[\"']?(?P<key>[\w.-]{1,100})[\"']?[^{}\n]{0,120}?"
    r"\bvalue[\"']?\s{0,8}[:=]\s{0,8}(?P<value>\"[^\"\n]{0,4000}\"|'[^'\n]{0,4000}'|[^\s,;}]{1,4000})"
)
_COMMENT = re.compile(r"\s*(?:#(?!\{)|//|;|--\s|\*\s|/\*|<!--)")
_AFTER_VALUE = re.compile(r"\s*(?:#.*|//.*|[,;\]})].*|)$")
_QUOTED = ('"', "'")
_FORMS = ((_HEADER, "um cabeçalho de autorização traz a credencial"), (_TOKEN, "há um token de acesso"))


def in_pair(
    name: str, value: str, *, structured: bool = False, formed: bool = True, code: bool = False
) -> Secret | None:
    """A secret under a key.

    ``structured`` says that the key is a field of a schema, where Secrets have names too; ``formed`` False that
    ``in_value`` is known to find nothing; ``code`` that no Secret is referred to by its name.
    """
    if len(value) > _LONGEST:
        return None
    found = in_value(value) if formed else None
    if found is not None:
        return replace(found, name=name)
    if not is_sensitive(name):
        return None
    if not code and names_resource(name, value.strip().strip("\"'"), structured=structured):
        return None
    verdict = classify(value)
    if verdict is None:
        return None
    weak = verdict[0] == "placeholder"
    what = f"`{name}` tem um valor de exemplo no lugar de uma referência" if weak else f"`{name}` tem valor literal"
    return Secret(what=what, literal=verdict[1], weak=weak, name=name, column=max(value.find(verdict[1]), 0))


def in_value(value: str) -> Secret | None:
    """A secret that shows by its own form, whatever the key."""
    return next(_formed(value), None) if may_be_formed(value) else None


def may_form(hints: int) -> bool:
    """As ``may_be_formed``, of a text's hints; True more often."""
    return bool(hints & _FORMED or (hints & _ADDRESS and hints & _ACCOUNT) or (hints & _HEADED and hints & _SCHEMED))


def may_be_formed(text: str) -> bool:
    """Whether ``in_value`` can find anything in the text or in a part of it: cheap, and never wrongly False."""
    if "://" in text and "@" in text:
        return True
    if "uthorization" in text and any(scheme in text.lower() for scheme in _SCHEMES):
        return True
    for word in _HINTS:  # noqa: SIM110  # a generator would take three times as long, and every scalar comes here
        if word in text:
            return True
    return False


def _formed(text: str) -> Iterator[Secret]:
    taken = _Spans()
    lines = _Lines(text)
    for found in _URL.finditer(text):
        secret = _in_url(found)
        if secret is not None:
            taken.add(*found.span(3))
            yield lines.place(secret, found.start(3))
    for pattern, what in _FORMS:
        for found in pattern.finditer(text):
            group = next((index for index in range(1, pattern.groups + 1) if found[index]), 0)
            start, end = found.span(group)
            verdict = classify(found[group][:_LONGEST])
            if verdict is not None and not taken.touch(start, end):
                taken.add(start, end)
                yield lines.place(Secret(what=what, literal=found[group], weak=verdict[0] == "placeholder"), start)
    for found in _PRIVATE_KEY.finditer(text):
        if not _NOT_A_KEY.match(text, found.end()):
            yield lines.place(Secret(what="há uma chave privada", literal=_body(text, found.end())), found.start())


class _Spans:
    """Ranges of a text that do not overlap."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        insort(self._ends, (end, start))

    def touch(self, start: int, end: int) -> bool:
        """Whether the range overlaps one of them."""
        index = bisect_right(self._ends, (start, len(self._ends) and self._ends[-1][0]))
        return index < len(self._ends) and self._ends[index][1] < end


def _body(text: str, start: int) -> str:
    """What follows the first line of a private key on that line, for a key written on one line."""
    end = text.find("\n", start)
    return text[start : len(text) if end < 0 else end].partition("-----END")[0].strip()


def _in_url(found: re.Match[str]) -> Secret | None:
    user, password = found[2], found[3]
    if password.isdigit() and len(password) < 6 and not user:  # a port
        return None
    verdict = classify(password)
    if verdict is None:
        return None
    weak = verdict[0] == "placeholder" or (user.lower() in _USERS and password.lower() in _PASSES)
    what = f"a URL `{found[1]}://…@{found[4]}` traz usuário e senha"
    return Secret(what=what, literal=verdict[1] if verdict[1] in password else password, weak=weak)


class _Lines:
    """From offsets of a text to rows and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, secret: Secret, offset: int) -> Secret:
        row = bisect_right(self._starts, offset) - 1
        return replace(secret, row=row, column=offset - self._starts[row])


def _may_name(text: str) -> bool:
    """Whether a word stands in the text that names of secrets have; ``_NAME`` alone takes ten times as long."""
    if not text.isascii():
        return _NAME.search(text) is not None
    lowered = text.lower()
    return any(name in lowered for name in _NAMES)


def in_text(text: str, syntax: Syntax) -> Iterator[Secret]:
    """Every secret in a text; in comments only tokens and private keys count, in policies and prose nothing else.

    Of a line that holds more than fifty the first fifty are given.
    """
    counted: dict[int, int] = {}
    for secret in _in_text(text, syntax):
        counted[secret.row] = counted.get(secret.row, 0) + 1
        if counted[secret.row] <= _MOST_ON_A_LINE:
            yield secret


def _in_text(text: str, syntax: Syntax) -> Iterator[Secret]:
    lines = text.split("\n")
    shown: dict[int, list[str]] = {}
    for secret in _formed(text) if may_be_formed(text) else ():
        always = "://" not in secret.what and "cabeçalho" not in secret.what
        if always or not _COMMENT.match(lines[secret.row]):
            if len(shown.setdefault(secret.row, [])) <= _MOST_ON_A_LINE:
                shown[secret.row].append(secret.literal)
            yield secret
    if syntax in {"policy", "prose"} or not _may_name(text):
        return
    for secret in _in_lines(lines, syntax):
        known = shown.get(secret.row, ())
        if not any(secret.literal in literal or literal in secret.literal for literal in known):
            yield secret


def redact(text: str) -> str:
    """The text with ``•••`` in place of every literal secret that can be told, placeholders too; for any text shown."""
    lines = text.split("\n")
    found = sorted(in_text(text, "env"), key=lambda secret: (secret.row, -len(secret.literal)))
    for secret in found:
        if secret.literal:
            lines[secret.row] = lines[secret.row].replace(secret.literal, _MASK)
    inside = False
    for row, line in enumerate(lines):
        begins = _PRIVATE_KEY.search(line) is not None
        if inside and not begins and "-----END" not in line:
            lines[row] = _MASK
        inside = (inside or begins) and "-----END" not in line
    return "\n".join(lines)


def _in_lines(lines: list[str], syntax: Syntax) -> Iterator[Secret]:
    named = ("", -9)
    for row, line in enumerate(lines):
        if len(line) > _LONGEST or _COMMENT.match(line):
            continue
        name = _NAMED.match(line)
        named = (name[1], row) if name else named
        if _may_name(line):
            for secret in _assigned(line, syntax):
                yield replace(secret, row=row)
        elif row - named[1] <= 2 and is_sensitive(named[0]):  # ``value`` just below its ``name``
            value = _VALUED.match(line)
            found = in_pair(named[0], value["value"], structured=True) if value else None
            if found is not None and value is not None:
                yield replace(found, row=row, column=value.start("value") + found.column)


def _assigned(line: str, syntax: Syntax) -> Iterator[Secret]:
    patterns = [_PAIR, _SQL]
    if "value" in line:
        patterns.append(_NAMED_VALUE)
    if syntax == "code":
        patterns += [_TYPED, _GETTER, _OR]
    if "</" in line:
        patterns.append(_XML)
    if syntax == "docker":
        patterns.append(_DOCKER)
    if syntax == "config":
        patterns.append(_DIRECTIVE)
    seen: set[int] = set()
    for pattern in patterns:
        for found in pattern.finditer(line):
            value = found["value"] or ""
            if not value or found.start("value") in seen or not _is_value(line, found, syntax, pattern):
                continue
            key = "password" if pattern is _SQL else found["key"]
            secret = in_pair(key, value, structured=syntax == "config", code=syntax == "code")
            if secret is not None and not (syntax == "code" and pattern is _PAIR and _names_field(key, secret.literal)):
                seen.add(found.start("value"))
                yield replace(secret, column=found.start("value") + secret.column)


def _names_field(key: str, literal: str) -> bool:
    """Whether a string in code is a field's name: ``PASSWORD_FIELD = "password"``, ``TYPE = "refresh_token"``."""
    if not is_sensitive(literal) or any(char.isdigit() for char in literal):
        return False
    return len(name_words(literal)) > 1 or name_words(literal) == name_words(key)


def _is_value(line: str, found: re.Match[str], syntax: Syntax, pattern: re.Pattern[str]) -> bool:
    """Whether what stands at the right is a value: in code only a string is, in prose-like text only one word is."""
    quoted = found["value"].startswith(_QUOTED)
    if syntax == "code":
        return quoted or pattern is _XML
    if quoted or pattern is not _PAIR:
        return True
    if syntax in {"shell", "docker"}:
        return line[found.start("value") - 1] in "=:" or line[found.start("value") - 2 : found.start("value")] == ": "
    return syntax == "env" or bool(_AFTER_VALUE.match(line, found.end()))

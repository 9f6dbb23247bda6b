"""Literal secrets in the values of objects and YAML documents, with the reference that should stand there."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.audit.hints import EVERY_HINT, hint
from pipeline.audit.objects import entries_of
from pipeline.audit.texts import ValuesView, syntax_of
from pipeline.audit.views import ObjectView
from pipeline.domain.finding import Operation, Param, Severity
from pipeline.rules.secrets_shell import in_words
from pipeline.rules.secrets_text import Secret, in_pair, in_text, in_value, may_be_formed, may_form
from pipeline.rules.secrets_words import is_sensitive, name_words
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.texts import Syntax
    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import Change, PathKey

__all__ = ["breaches_in_values", "hide", "severity_of"]

_Values = ObjectView | ValuesView

_PASSWORDS = frozenset({"password", "passwd", "pwd", "pass", "senha", "passphrase"})
# Last words of the keys of a Secret that are no secret by themselves.
_OPEN_WORDS = (
    "user username login url uri host hostname hosts port database db dbname type name server endpoint region bucket "
    "email project namespace issuer id crt cert pub path domain realm role scope scopes provider org organization "
    "version schema driver sslmode tenant method enabled ca"
)
_OPEN_NAMES = frozenset(_OPEN_WORDS.split())
_SCRIPT_KEYS = frozenset({"command", "args", "entrypoint", "source", "script", "run"})
# What a name that promises a secret holds, and a line that ``in_text`` looks at.
_NAMED = hint(
    "pass", "pwd", "senha", "secret", "token", "key", "credential", "masterauth", "identified", "clear", "salt"
)
_ASSIGNED = re.compile(
    r"(?:pass|pwd|secret|token|senha|key)[\w.-]{0,40}=", re.IGNORECASE
)  # options, connection strings
# Fields beside a ``secretKey`` that say it names a key of a Secret.
_NAMING = frozenset({"remoteRef", "secretName", "sourceRef", "name", "envName", "objectName", "property"})
_OPENING = ("{", "[")  # of a text that is JSON on one line
_DATA = frozenset({"data", "stringData"})


def _telling_files(module: ModuleView) -> Iterator[frozenset[str]]:
    """Paths of the files in which some text may be a secret by its own form."""
    yield frozenset(file.path for file in module.files if may_form(file.hints) and may_be_formed(file.text))


def severity_of(secret: Secret, *, topology_a: bool) -> Severity:
    if secret.weak:
        return Severity.MEDIA
    return Severity.ALTA if topology_a else Severity.CRITICA


def hide(made: Breach, secret: Secret, *more: str) -> Breach:
    return replace(made, secrets=tuple(text for text in (secret.literal, *more) if text))


def breaches_in_values(found: _Values) -> Iterator[Breach]:
    """Every scalar by its key, by the name beside it, or by its own form; texts by their lines; Secrets by entry."""
    is_secret = isinstance(found, ObjectView) and found.kind == "Secret" and not found.group
    if not is_secret and not found.hints & _NAMED and not may_form(found.hints):
        return
    formed = found.hints == EVERY_HINT or found.file.path in found.module.select(_telling_files)[0]
    if isinstance(found, ObjectView) and is_secret:
        yield from _in_secret(found)
    for holder, key, value in entries_of(found.value):
        kind = value.__class__  # this loop sees every scalar of these files: no call before it is needed
        if kind is str:
            telling = "=" in value or "\n" in value or value[:1] in _OPENING
        elif kind is not int:
            continue
        else:
            telling = False
        if telling or formed or key == "value" or key.__class__ is int or is_sensitive(key):
            path = (*holder, key)
            if not (is_secret and path[0] in _DATA):
                yield from _at_value(found, path, value, formed=formed)


def _at_value(found: _Values, path: tuple[PathKey, ...], value: str | int, *, formed: bool) -> Iterator[Breach]:
    """What is told of one scalar; ``formed`` as for ``_judged``."""
    key = path[-1]
    is_text = isinstance(value, str) and ("\n" in value or value[:1] in _OPENING)
    if isinstance(value, str) and is_text and "\n" in value.strip():
        yield from _nested(found, path, value)
        return
    secret, whole = None, True
    if formed or key == "value" or isinstance(key, int) or is_sensitive(key):
        secret = _judged(found, path, value, formed=formed)
    if secret is None and isinstance(value, str) and "=" in value and _ASSIGNED.search(value):
        secret, whole = next(in_text(value, "shell"), None), False
    if secret is not None:
        yield _found(found, path, secret, whole=whole)
    elif isinstance(value, str) and is_text:
        yield from _nested(found, path, value)


def _judged(found: _Values, path: tuple[PathKey, ...], value: str | int, *, formed: bool) -> Secret | None:
    """The secret that a value is; ``formed`` says that it may be one by its own form."""
    key = path[-1]
    if isinstance(value, int):
        last = name_words(key)[-1:] if isinstance(key, str) else ()
        return in_pair(str(key), str(value)) if last and last[0] in _PASSWORDS else None
    if path[0] == "metadata" or "annotations" in path:
        return in_value(value) if formed else None
    if isinstance(key, int):
        return _in_item(found, path, value)
    if key == "secretKey" and not _NAMING.isdisjoint(_at(found, path[:-1])):
        return None
    if key == "value" or is_sensitive(key):
        name = _name_beside(found, path) if key == "value" else key
        structured = not name.isupper() and not (isinstance(found, ValuesView) and found.is_compose)
        return in_pair(name, value, structured=structured, formed=formed)
    secret = in_value(value) if formed else None
    return secret and replace(secret, name=key)


def _at(found: _Values, path: tuple[PathKey, ...]) -> Any:
    value: Any = found.value
    for part in path:
        value = value[part]
    return value


def _name_beside(found: _Values, path: tuple[PathKey, ...]) -> str:
    """Name of a ``name``/``value`` pair, in the spellings that are used for one."""
    beside = _at(found, path[:-1])
    for field in ("name", "key", "parameter", "type", "variable"):
        name = beside.get(field)
        if isinstance(name, str) and is_sensitive(name):
            return name
    return "value"


def _in_item(found: _Values, path: tuple[PathKey, ...], value: str) -> Secret | None:
    """A list item: ``KEY=VALUE``, an argument, or the value of the option before it."""
    index = path[-1]
    if any(part in _SCRIPT_KEYS for part in path[-3:-1]):
        before = _at(found, path[:-1])[index - 1] if isinstance(index, int) and index else ""
        if isinstance(before, str) and before.startswith("--") and "=" not in before and is_sensitive(before):
            return in_pair(before.lstrip("-"), value)
        return next(in_words([value]), None)
    name, equals, rest = value.partition("=")
    return in_pair(name, rest) if equals else in_value(value)


def _found(found: _Values, path: tuple[PathKey, ...], secret: Secret, *, whole: bool) -> Breach:
    """``whole`` says that the value is the secret, and not a text of which it is a part."""
    topology_a = isinstance(found, ValuesView) and found.is_compose
    name = secret.name or str(path[-1])
    place = f"{found.kind} `{found.name}`" if isinstance(found, ObjectView) else f"`{found.file.name}`"
    made = found.breach(
        f"{secret.what} em {place}",
        *path,
        key=name,
        changes=_reference(found, path) if whole else (),
        severity=severity_of(secret, topology_a=topology_a),
    )
    return hide(made, secret)


def _nested(found: _Values, path: tuple[PathKey, ...], value: str) -> Iterator[Breach]:
    """The lines of a text value: a script, or the configuration of an application."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    syntax: Syntax = "shell" if key in _SCRIPT_KEYS else syntax_of(key)
    topology_a = isinstance(found, ValuesView) and found.is_compose
    for secret in in_text(value, syntax):
        made = found.breach(
            f"{secret.what} no texto `{key}`",
            *path,
            key=secret.name or secret.what,
            severity=severity_of(secret, topology_a=topology_a),
        )
        yield replace(hide(made, secret), inside=(secret.row, secret.column))


def _reference(found: _Values, path: tuple[PathKey, ...]) -> tuple[Change, ...]:
    """The value as a reference, where the schema has one: a container's ``env``, a Compose ``environment``."""
    if isinstance(found, ObjectView):
        in_env = len(path) > 2 and path[-1] == "value" and path[-3] == "env"  # env, index, value
        name = _at(found, path[:-1]).get("name") if in_env else None
        if found.pod is None or not isinstance(name, str):
            return ()
        secret = Param(
            name=f"secrets.{found.name}/{name}",
            question=f"Qual Secret (de um ExternalSecret ou do Vault) guarda `{name}` de `{found.name}`?",
        )
        item = path[:-1]
        reference = {"secretKeyRef": {"name": secret, "key": name}}
        add = Operation(op="add", path=json_pointer((*item, "valueFrom")), value=reference)
        return (found.patch(add, Operation(op="remove", path=json_pointer(path))),)
    if not found.is_compose or "environment" not in path:
        return ()
    listed = isinstance(path[-1], int)
    name = str(_at(found, path)).partition("=")[0] if listed else str(path[-1])
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        return ()
    to = f"{name}=${{{name}}}" if listed else f"${{{name}}}"
    return (found.patch(Operation(op="replace", path=json_pointer(path), value=to)),)


def _in_secret(found: ObjectView) -> Iterator[Breach]:
    """What a Secret object holds: every entry counts but those that name an account or an address."""
    for field in ("data", "stringData"):
        held = found.get(field)
        for name, written in held.items() if isinstance(held, dict) else ():
            if not isinstance(written, str | int) or isinstance(written, bool):
                continue
            text = str(written)
            value = _decoded(text) if field == "data" else text
            if value is None:
                continue
            secret = _entry(name, value)
            if secret is not None:
                what = "há um valor de exemplo" if secret.weak else "há um valor literal"
                made = found.breach(
                    f"{what} em `{field}.{name}` do Secret `{found.name}`",
                    field,
                    name,
                    key=name,
                    severity=severity_of(secret, topology_a=False),
                )
                yield hide(made, secret, text.strip(), *value.strip().split("\n")[:1])


_AUTH = re.compile(r"\"auth\"\s*:\s*\"([^\"]+)\"")  # of a registry: user and password in base64


def _entry(name: str, value: str) -> Secret | None:
    found = in_pair(name, value) or in_value(value)
    if found is not None:
        return found
    if "\n" in value.strip() or value[:1] in _OPENING:
        found = next(in_text(value, syntax_of(name)), None)
        auth = _AUTH.search(value) if found is None else None
        return in_pair("secret", auth[1]) if auth else found
    words = name_words(name)
    if not words or words[-1] in _OPEN_NAMES:
        return None
    return in_pair("secret", value)


def _decoded(text: str) -> str | None:
    """Text of a base64 value; what is no base64 is read as it stands, what is no text counts as bytes in Latin-1."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return text

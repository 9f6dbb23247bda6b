"""Validation of one object against the schema of its kind: closed objects, one message per fault.

The schema says what the API server would refuse or drop; CEL rules and admission are out of reach (ADR 0010).
"""

from __future__ import annotations

import base64
import binascii
import difflib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.schemas import find_schema, served_versions
from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import jsonschema_rs

__all__ = ["SchemaResult", "SchemaViolation", "validate_object"]

Path = tuple[str | int, ...]

_MOST_VIOLATIONS = 25  # of one object: more would bury the others
_SHOWN = 8  # alternatives that a message lists
_WORDS = {
    "string": "texto",
    "integer": "número inteiro",
    "number": "número",
    "boolean": "true ou false",
    "array": "lista",
    "object": "mapa",
}
_BOUNDS = {
    "minimum": "número abaixo do mínimo ({limit})",
    "maximum": "número acima do máximo ({limit})",
    "exclusiveMinimum": "o número deve ser maior que {limit}",
    "exclusiveMaximum": "o número deve ser menor que {limit}",
    "multipleOf": "o número deve ser múltiplo de {limit}",
    "minLength": "texto curto demais (mínimo de caracteres: {limit})",
    "maxLength": "texto longo demais (máximo de caracteres: {limit})",
    "minItems": "lista curta demais (mínimo de itens: {limit})",
    "maxItems": "lista longa demais (máximo de itens: {limit})",
    "minProperties": "mapa com chaves de menos (mínimo: {limit})",
    "maxProperties": "mapa com chaves demais (máximo: {limit})",
}
_FIXED = {
    "uniqueItems": "lista com itens repetidos",
    "not": "combinação de campos que o esquema não aceita",
    "format": "texto fora do formato que o campo exige (data RFC 3339 ou base64)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaViolation:
    """One fault. ``path`` leads to the offending key or element.

    ``message`` is one short clause in pt-BR without the value found there: it never shows a secret.
    """

    path: Path
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaResult:
    """``known`` is False where no schema could judge the object or a part of it: never a pass."""

    known: bool
    violations: tuple[SchemaViolation, ...] = ()


_UNKNOWN = SchemaResult(known=False)
_VALID = SchemaResult(known=True)


def validate_object(value: Mapping[str, object], *, kubernetes_version: str | None = None) -> SchemaResult:
    """Judge one parsed manifest; ``List`` is judged item by item.

    A core kind under an ``apiVersion`` that Kubernetes does not serve it in is a violation, not an unknown kind.
    UsageError for a ``kubernetes_version`` without schemas, ToolError where the schemas are not installed.
    """
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return _UNKNOWN
    if (api_version, kind) == ("v1", "List"):
        return _validate_list(value, kubernetes_version)
    judge = _judge(api_version, kind, kubernetes_version)
    if judge is None:
        return _not_served(api_version, kind, kubernetes_version)
    instance = value if isinstance(value, dict) else dict(value)
    try:
        if judge.validator.is_valid(instance):
            return _VALID
        errors = list(judge.validator.iter_errors(instance))
    except ValueError:  # a value that JSON does not have, or nesting beyond the validator's bound
        return _UNKNOWN
    return SchemaResult(known=True, violations=_bounded(judge.explain(error) for error in _distinct(errors)))


def _validate_list(value: Mapping[str, object], kubernetes_version: str | None) -> SchemaResult:
    items = value.get("items")
    if not isinstance(items, list):
        missing = SchemaViolation(path=("items",), message="o campo obrigatório `items` deve ser lista")
        return SchemaResult(known=True, violations=(missing,))
    known = True
    found = [
        SchemaViolation(path=(key,), message=_unknown_field(key, ("metadata", "items"), "List"))
        for key in value
        if key not in ("apiVersion", "kind", "metadata", "items")
    ]
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            found.append(SchemaViolation(path=("items", index), message="esperava mapa: cada item é um objeto"))
            continue
        result = validate_object(item, kubernetes_version=kubernetes_version)
        known = known and result.known
        found += [
            SchemaViolation(path=("items", index, *inner.path), message=inner.message) for inner in result.violations
        ]
    return SchemaResult(known=known, violations=tuple(found))


@functools.lru_cache(maxsize=1024)
def _not_served(api_version: str, kind: str, kubernetes_version: str | None) -> SchemaResult:
    """A core kind that is written in another version, group or case than the one it is served in."""
    group = api_version.rpartition("/")[0]
    served = [
        pair
        for pair in served_versions(kind, kubernetes_version)
        if "." not in group or pair[0].rpartition("/")[0] == group
    ]
    if not served:
        return _UNKNOWN
    right_version, right_kind = next((pair for pair in served if pair[0] == api_version), served[0])
    if right_version == api_version:
        path, wrong, right = ("kind",), kind, right_kind
    else:
        path, wrong, right = ("apiVersion",), api_version, right_version
    message = f"o Kubernetes não serve `{right_kind}` em `{visible(wrong)}`; use `{right}`"
    if path == ("kind",):
        message = f"tipo desconhecido `{visible(wrong)}`; quis dizer `{right}`?"
    return SchemaResult(known=True, violations=(SchemaViolation(path=path, message=message),))


@functools.lru_cache(maxsize=1024)
def _judge(api_version: str, kind: str, kubernetes_version: str | None) -> _Judge | None:
    schema = find_schema(api_version, kind, kubernetes_version)
    return None if schema is None else _Judge(schema)


class _Judge:
    """A compiled validator and the schema it came from, which the messages look up."""

    def __init__(self, schema: dict[str, Any]) -> None:
        import jsonschema_rs  # noqa: PLC0415  # a large extension module: loaded by those who validate

        self._schema = schema
        self.validator = jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=True,
            formats={"byte": _is_base64},
            pattern_options=jsonschema_rs.RegexOptions(),  # the linear-time engine
        )

    def explain(self, error: jsonschema_rs.ValidationError) -> list[SchemaViolation]:
        path: Path = tuple(error.instance_path)
        kind: Any = error.kind
        keyword = kind.name
        if keyword == "additionalProperties":
            parent = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
            known = tuple(self._at(error.evaluation_path[:-1]).get("properties", ()))
            return [
                SchemaViolation(path=(*path, name), message=_unknown_field(name, known, parent))
                for name in kind.unexpected
            ]
        if keyword == "required":
            return [SchemaViolation(path=path, message=f"falta o campo obrigatório `{visible(str(kind.property))}`")]
        if keyword in ("oneOf", "anyOf"):
            return [SchemaViolation(path=path, message=_junction(error, self._at(error.evaluation_path)))]
        return [SchemaViolation(path=path, message=_message(keyword, kind, error.instance))]

    def _at(self, evaluation_path: Iterable[str | int]) -> Any:  # a part of a JSON schema
        part: Any = self._schema
        for step in evaluation_path:
            part = part[step]
            while isinstance(part, str) and part.startswith("#/$defs/"):
                part = self._schema["$defs"][part.removeprefix("#/$defs/")]
        return part


def _distinct(errors: list[jsonschema_rs.ValidationError]) -> list[jsonschema_rs.ValidationError]:
    """One error for what is wrong in one place: a value of the wrong type breaks every other keyword too."""
    useful = [_most_useful(error) for error in errors]
    mistyped = {tuple(error.instance_path) for error in useful if error.kind.name == "type"}
    return [error for error in useful if error.kind.name == "type" or tuple(error.instance_path) not in mistyped]


def _most_useful(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """Of the branches of a failed ``oneOf`` or ``anyOf``, the error of the one that came nearest to holding."""
    kind: Any = error.kind
    branches = getattr(kind, "context", None)
    if not branches or not all(branches):  # no junctor, or several branches hold
        return error
    nearest = min(branches, key=lambda errors: (-max(len(e.instance_path) for e in errors), len(errors)))
    deepest: jsonschema_rs.ValidationError = max(nearest, key=lambda e: len(e.instance_path))
    return _most_useful(deepest) if len(deepest.instance_path) > len(error.instance_path) else error


def _junction(error: jsonschema_rs.ValidationError, branches: object) -> str:
    """``oneOf`` and ``anyOf`` of custom resources choose between fields: say which."""
    named = _named_fields(branches)
    if not named:
        return "valor que não cabe em nenhuma das formas aceitas"
    fields = ", ".join(f"`{name}`" for name in named[:_SHOWN])
    present = [name for name in named if isinstance(error.instance, dict) and name in error.instance]
    return f"use só um destes campos: {fields}" if len(present) > 1 else f"falta um destes campos: {fields}"


def _named_fields(branches: object) -> list[str]:
    if not isinstance(branches, list):
        return []
    names: dict[str, None] = {}
    for branch in branches:
        if isinstance(branch, dict):
            names |= dict.fromkeys(branch.get("required", ()))
    return list(names)


def _unknown_field(name: str, known: Iterable[str], parent: str) -> str:
    near = _nearest(name, known)
    said = f"campo desconhecido `{_short(name)}`"
    if near:
        return f"{said}; quis dizer `{near}`?"
    return f"{said} em `{_short(parent)}`" if parent else said


def _message(keyword: str, kind: Any, instance: object) -> str:  # one class per keyword, no common base
    if keyword == "type":
        return _wrong_type(kind.types, instance)
    if keyword == "enum":
        return _not_listed(kind.options, instance)
    if keyword == "pattern":
        quantity = "numkMGTPE" in kind.pattern
        return "quantidade fora do formato; exemplos: `500m`, `512Mi`" if quantity else "texto fora do padrão do campo"
    if keyword in _BOUNDS:
        return _BOUNDS[keyword].format(limit=kind.limit if hasattr(kind, "limit") else kind.value)
    return _FIXED.get(keyword, f"o valor não cumpre `{keyword}` do esquema")


def _wrong_type(types: list[str], instance: object) -> str:
    wanted = [_WORDS[name] for name in types if name in _WORDS]
    said = f"esperava {' ou '.join(wanted)}, há {_word(instance)}"
    quotable = "string" in types and isinstance(instance, bool | int | float)
    return f"{said}: ponha entre aspas" if quotable else said


def _word(instance: object) -> str:
    if instance is None:
        return "nulo"
    if isinstance(instance, bool):
        return "true ou false"
    names = ((str, "texto"), (int, "número"), (float, "número"), (list, "lista"))
    return next((word for known, word in names if isinstance(instance, known)), "mapa")


def _not_listed(options: list[object], instance: object) -> str:
    words = [str(option) for option in options if option is not None]
    near = _nearest(instance, words) if isinstance(instance, str) else None
    if near:
        return f"valor fora da lista; quis dizer `{near}`?"
    more = ", …" if len(words) > _SHOWN else ""
    return f"valor fora da lista; aceitos: {', '.join(f'`{word}`' for word in words[:_SHOWN])}{more}"


def _nearest(name: str, known: Iterable[str]) -> str | None:
    folded = {option.replace("_", "").replace("-", "").casefold(): option for option in known}
    near = difflib.get_close_matches(name[:63].replace("_", "").replace("-", "").casefold(), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near else None


def _short(text: str) -> str:
    return visible(text if len(text) <= 63 else text[:62] + "…").replace("`", "'").replace("\n", "\\n")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (ValueError, binascii.Error):
        return False
    return True


def _bounded(explained: Iterable[list[SchemaViolation]]) -> tuple[SchemaViolation, ...]:
    """Without repetitions, in an order that does not depend on the validator's, and not without end."""
    distinct = dict.fromkeys(violation for found in explained for violation in found)
    ordered = sorted(distinct, key=lambda one: ([(isinstance(p, str), str(p).zfill(9)) for p in one.path], one.message))
    kept = tuple(ordered[:_MOST_VIOLATIONS])
    if len(ordered) == len(kept):
        return kept
    rest = SchemaViolation(path=(), message=f"e mais {len(ordered) - len(kept)} violações neste objeto")
    return (*kept, rest)

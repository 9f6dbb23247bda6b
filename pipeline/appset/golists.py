"""Sprig's functions over lists, maps and defaults (sprig 3.3), JSON, and Argo CD's YAML functions."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.gonumbers import to_int
from pipeline.appset.gosignature import GoFunction, function
from pipeline.appset.gostrings import split_text, strval
from pipeline.appset.govalue import (
    INVALID,
    Shuffled,
    StringList,
    deep_equal,
    json_text,
    kind,
    to_float64,
)
from pipeline.appset.toyaml import to_yaml
from pipeline.appset.yamlvalue import read_yaml_value

__all__ = ["LISTS"]

_MAX_ITEMS = 100_000
_MAX_TEXT = 1 << 20


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(f"a função espera uma lista e recebe um valor {kind(value)}")
    return list(value)


def _some(value: Any) -> list[Any]:
    """Items of a list that has any: without, sprig gives a nil list, which JSON tells from an empty one."""
    items = _items(value)
    if not items:
        raise Inexact("rest ou initial de uma lista vazia")
    return items


def _empty(value: Any) -> bool:
    return value is INVALID or not value


def _strings(value: Any) -> StringList:
    """Sprig's strslice: nil items are left out."""
    if value is None:
        return StringList()
    items = value if isinstance(value, list) else [value]
    return StringList(strval(item) for item in items if item is not None)


def _join(separator: str, value: Any) -> str:
    items = _strings(value)
    if len(separator) * len(items) > _MAX_TEXT:
        raise Inexact(f"texto com mais de {_MAX_TEXT} caracteres")
    return separator.join(items)


def _sort_alpha(value: Any) -> StringList:
    return StringList(sorted(_strings(value))) if isinstance(value, list) else StringList([strval(value)])


def _default(fallback: Any, *given: Any) -> Any:
    return fallback if not given or _empty(given[0]) else given[0]


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not _empty(value)), None)


def _contains(items: list[Any], needle: Any) -> bool:
    return any(deep_equal(needle, item) for item in items)


def _has(needle: Any, haystack: Any) -> bool:
    return haystack is not None and _contains(_items(haystack), needle)


def _uniq(value: Any) -> list[Any]:
    found: list[Any] = []
    for item in _items(value):
        if not _contains(found, item):
            found.append(item)
    return found


def _slice(value: Any, *indices: Any) -> Any:
    items = _items(value)
    if not items:
        return None
    start = to_int(indices[0]) if indices else 0
    end = to_int(indices[1]) if len(indices) > 1 else len(items)
    if not 0 <= start <= end <= len(items):
        raise Refused("slice além do fim da lista")
    return type(value)(items[start:end])


def _concat(*lists: Any) -> list[Any]:
    joined = [item for value in lists for item in _items(value)]
    if not joined:
        raise Inexact("concat sem nenhum item")
    return joined


def _dict(*pairs: Any) -> dict[str, Any]:
    return {strval(pairs[i]): pairs[i + 1] if i + 1 < len(pairs) else "" for i in range(0, len(pairs), 2)}


def _keys(*maps: dict[str, Any]) -> StringList:
    return Shuffled(key for mapping in maps for key in mapping)


def _dig(*path: Any) -> Any:
    if len(path) < 3:  # one key, the default, the map
        raise Refused("dig espera ao menos três argumentos")
    *names, fallback, value = path
    for name in names:
        if not isinstance(name, str) or not isinstance(value, dict):
            raise Refused("dig por um valor que não é mapa")
        if name not in value:
            return fallback
        value = value[name]
    return value


def _until(start: int, stop: int, step: int) -> list[int]:
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return []
    numbers = range(start, stop, step)
    if len(numbers) > _MAX_ITEMS:
        raise Inexact(f"lista com mais de {_MAX_ITEMS} itens")
    return list(numbers)


def _from_json(text: str) -> Any:
    def constant(name: str) -> Any:
        raise ValueError(name)

    try:
        value = json.loads(text, parse_int=lambda digits: to_float64(int(digits)), parse_constant=constant)
    except (ValueError, RecursionError, Refused) as error:
        raise Inexact("fromJson de um texto que não é JSON") from error
    if re.search(r"(?i)\\ud[89a-f]", text) or _has_infinity(value):
        raise Inexact("fromJson com número ou caractere fora do alcance")
    return value


def _has_infinity(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_infinity, value.values()))
    if isinstance(value, list):
        return any(map(_has_infinity, value))
    return isinstance(value, float) and math.isinf(value)


def _from_yaml(text: str) -> dict[str, Any]:
    value = read_yaml_value(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("fromYaml de um texto que não é um mapa")
    return value


def _from_yaml_array(text: str) -> list[Any]:
    value = read_yaml_value(text)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused("fromYamlArray de um texto que não é uma lista")
    return value


def _with_must(functions: dict[str, GoFunction], names: str) -> dict[str, GoFunction]:
    return functions | {f"must{name[0].upper()}{name[1:]}": functions[name] for name in names.split()}


LISTS: dict[str, GoFunction] = _with_must(
    {
        "list": function(lambda *values: list(values), "any..."),
        "tuple": function(lambda *values: list(values), "any..."),
        "first": function(lambda value: next(iter(_items(value)), None), "any"),
        "last": function(lambda value: next(iter(_items(value)[-1:]), None), "any"),
        "rest": function(lambda value: _some(value)[1:], "any"),
        "initial": function(lambda value: _some(value)[:-1], "any"),
        "append": function(lambda value, item: [*_items(value), item], "any any"),
        "push": function(lambda value, item: [*_items(value), item], "any any"),
        "prepend": function(lambda value, item: [item, *_items(value)], "any any"),
        "reverse": function(lambda value: _items(value)[::-1], "any"),
        "compact": function(lambda value: [item for item in _items(value) if not _empty(item)], "any"),
        "uniq": function(_uniq, "any"),
        "without": function(
            lambda value, *out: [x for x in _items(value) if not _contains(list(out), x)], "any any..."
        ),
        "has": function(_has, "any any", orderless=True),
        "slice": function(_slice, "any any..."),
        "toJson": function(json_text, "any"),
        "toPrettyJson": function(lambda value: json_text(value, indent="  "), "any"),
        "toRawJson": function(lambda value: json_text(value, escape_html=False), "any"),
        "fromJson": function(_from_json, "string"),
    },
    "first last rest initial append push prepend reverse compact uniq without has slice "
    "toJson toPrettyJson toRawJson fromJson",
) | {
    "concat": function(_concat, "any..."),
    "join": function(_join, "string any"),
    "sortAlpha": function(_sort_alpha, "any", orderless=True),
    "splitList": function(lambda separator, text: StringList(split_text(separator, text)), "string string"),
    "toStrings": function(_strings, "any"),
    "until": function(lambda count: _until(0, count, -1 if count < 0 else 1), "int"),
    "untilStep": function(_until, "int int int"),
    "default": function(_default, "any any..."),
    "empty": function(_empty, "any", orderless=True),
    "coalesce": function(_coalesce, "any..."),
    "all": function(lambda *values: not any(map(_empty, values)), "any..."),
    "any": function(lambda *values: not all(map(_empty, values)), "any..."),
    "ternary": function(lambda yes, no, condition: yes if condition else no, "any any bool"),
    "dict": function(_dict, "any..."),
    "get": function(lambda mapping, key: mapping.get(key, ""), "map string"),
    "hasKey": function(lambda mapping, key: key in mapping, "map string"),
    "pluck": function(lambda key, *maps: [item[key] for item in maps if key in item], "string map..."),
    "keys": function(_keys, "map..."),
    "pick": function(lambda mapping, *keys: {k: mapping[k] for k in keys if k in mapping}, "map string..."),
    "omit": function(lambda mapping, *keys: {k: v for k, v in mapping.items() if k not in keys}, "map string..."),
    "dig": function(_dig, "any..."),
    "kindOf": function(kind, "any"),
    "kindIs": function(lambda name, value: kind(value) == name, "string any"),
    "toYaml": function(to_yaml, "any"),
    "fromYaml": function(_from_yaml, "string"),
    "fromYamlArray": function(_from_yaml_array, "string"),
}

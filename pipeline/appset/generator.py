"""Parameters of a list generator: elements, elementsYaml, the selector that filters them (Argo CD 3.5, generators/)."""

from __future__ import annotations

import re
from typing import Any

from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.govalue import format_value
from pipeline.appset.yamlvalue import as_interface, read_yaml_value

__all__ = ["LABEL_KEY", "MAX_ELEMENTS", "list_parameters", "list_section"]

MAX_ELEMENTS = 10_000
_OTHERS = frozenset(
    ["clusters", "git", "scmProvider", "clusterDecisionResource", "pullRequest", "matrix", "merge", "plugin", "oci"]
)
_LIST_FIELDS = frozenset({"elements", "elementsYaml", "template"})
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def list_section(generator: Any) -> dict[str, Any]:
    """The ``list`` section of a generator. Inexact names any other kind, Refused what Argo CD does not know."""
    if not isinstance(generator, dict):
        raise Refused("um gerador deveria ser um mapa")
    kinds = [key for key, value in generator.items() if value is not None and key != "selector"]
    for key in kinds:
        if key in _OTHERS:
            raise Inexact(f"gerador {key}")
        if key != "list":
            raise Refused(f"gerador {key!r} não existe")
    section = generator.get("list")
    if not isinstance(section, dict):
        raise Refused("gerador sem tipo: esperava 'list'")
    for key in section:
        if key not in _LIST_FIELDS:
            raise Inexact(f"campo list.{key}, que a API não tem (Argo CD 3.5)")
    return section


def list_parameters(generator: dict[str, Any], *, go_template: bool) -> list[tuple[int | None, dict[str, Any]]]:
    """Parameters of every selected element, in order, with its index (None for elementsYaml).

    With ``go_template`` an element is the parameter itself, numbers float64; without, only text is allowed and
    ``values`` becomes ``values.key``.
    """
    section = list_section(generator)
    elements = section.get("elements") or []
    if not isinstance(elements, list):
        raise Refused("list.elements deveria ser uma lista")
    read = _nested if go_template else _flat
    found = [(index, read(element, index)) for index, element in enumerate(elements)]
    rows: list[tuple[int | None, dict[str, Any]]] = [*found, *_from_text(section.get("elementsYaml"))]
    if len(rows) > MAX_ELEMENTS:
        raise Inexact(f"mais de {MAX_ELEMENTS} elementos")
    selector = generator.get("selector")
    return rows if selector is None else [row for row in rows if _selects(selector, row[1])]


def _nested(element: Any, index: int) -> dict[str, Any]:
    if not isinstance(element, dict):
        raise Refused(f"o elemento {index} não é um mapa")
    value = as_interface(element)
    return dict(value)


def _flat(element: Any, index: int) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for key, value in _nested(element, index).items():
        if key != "values":
            params[key] = _only_text(value, key, index)
            continue
        if not isinstance(value, dict):
            raise Refused(f"values do elemento {index} não é um mapa")
        for name, item in value.items():
            params[f"values.{name}"] = _only_text(item, f"values.{name}", index)
    return params


def _only_text(value: Any, key: str, index: int) -> str:
    if not isinstance(value, str):
        raise Refused(f"sem goTemplate, {key} do elemento {index} tem de ser texto (use aspas)")
    return value


def _from_text(text: Any) -> list[tuple[None, dict[str, Any]]]:
    if text in (None, ""):
        return []
    if not isinstance(text, str):
        raise Refused("list.elementsYaml deveria ser texto")
    items = read_yaml_value(text)
    if not isinstance(items, list | None):
        raise Refused("elementsYaml não é uma lista")
    for item in items or []:
        if not isinstance(item, dict | None):
            raise Refused("elementsYaml tem um item que não é um mapa")
    return [(None, item or {}) for item in items or []]


def _selects(selector: Any, params: dict[str, Any]) -> bool:
    labels: dict[str, str] = {}
    _flatten(params, "", labels)
    if not isinstance(selector, dict) or set(selector) - {"matchLabels", "matchExpressions"}:
        raise Refused("selector inválido")
    wanted = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    if not isinstance(wanted, dict) or not isinstance(rules, list):
        raise Refused("selector inválido")
    for key, value in wanted.items():
        if not LABEL_KEY.fullmatch(key) or not isinstance(value, str):
            raise Refused(f"selector.matchLabels inválido em {key!r}")
    verdicts = [labels.get(key) == value for key, value in wanted.items()]
    return all([*verdicts, *(_matches(rule, labels) for rule in rules)])


def _matches(rule: Any, labels: dict[str, str]) -> bool:
    if not isinstance(rule, dict) or set(rule) - {"key", "operator", "values"}:
        raise Refused("selector.matchExpressions inválido")
    key, operator, values = rule.get("key"), rule.get("operator"), rule.get("values") or []
    listed = isinstance(values, list) and all(isinstance(value, str) for value in values)
    if not isinstance(key, str) or not LABEL_KEY.fullmatch(key) or operator not in _OPERATORS or not listed:
        raise Refused("selector.matchExpressions inválido")
    if bool(values) != (operator in ("In", "NotIn")):
        raise Refused(f"selector: o operador {operator} não aceita esses valores")
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _flatten(value: Any, prefix: str, out: dict[str, str]) -> None:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(item, (dict, list)):
            _flatten(item, name, out)
            continue
        text = format_value(item)
        if out.setdefault(name, text) != text:
            raise Inexact(f"selector sobre a chave ambígua {name!r}")

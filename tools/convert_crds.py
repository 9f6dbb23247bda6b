# ruff: noqa: INP001  # a script, not a package
"""Reduce CustomResourceDefinition files to the closed JSON Schemas of ``pipeline/audit/schemas`` (ADR 0010).

Usage: ``python tools/convert_crds.py GROUP SOURCE CRD.yaml… > pipeline/audit/schemas/GROUP.json``, where SOURCE names
the project, its version and its licence. Only field names, types and bounds are kept: no descriptions, defaults or CEL.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

_TEXT = {"type": "string"}
_METADATA = {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
_STATUS = {"type": ["object", "null"]}
_BOUNDS = (
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "multipleOf",
    "required",
)
_SHARED_SIZE = 60  # characters of canonical JSON from which a repeated subschema becomes a definition


def convert(crd: dict[str, Any], *, optional: bool = False) -> dict[str, Any]:
    """A structural schema as draft 2020-12: objects closed where the API server prunes, optional fields nullable."""
    found: dict[str, Any] = {key: crd[key] for key in _BOUNDS if key in crd and crd[key] != []}
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if crd.get(strict):
            found[strict] = found.pop(bound)
    kind = ["integer", "string"] if crd.get("x-kubernetes-int-or-string") else crd.get("type")
    if kind and (optional or crd.get("nullable")):
        kind = [*([kind] if isinstance(kind, str) else kind), "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    if kind:
        found["type"] = kind
    if "items" in crd:
        found["items"] = convert(crd["items"])
    found |= _object(crd)
    for junctor in ("allOf", "anyOf", "oneOf"):
        if junctor in crd and not crd.get("x-kubernetes-int-or-string"):
            found[junctor] = [_condition(branch) for branch in crd[junctor]]
    if "not" in crd:
        found["not"] = _condition(crd["not"])
    return found


def _object(crd: dict[str, Any]) -> dict[str, Any]:
    if crd.get("type") != "object":
        return {}
    needed = crd.get("required", [])
    properties = {
        name: convert(field, optional=name not in needed) for name, field in crd.get("properties", {}).items()
    }
    found: dict[str, Any] = {"properties": properties} if properties else {}
    if crd.get("x-kubernetes-embedded-resource"):
        found["properties"] = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA} | properties
    rest = crd.get("additionalProperties")
    if isinstance(rest, dict):
        found["additionalProperties"] = convert(rest)
    elif not rest and not crd.get("x-kubernetes-preserve-unknown-fields"):
        found["additionalProperties"] = False
    return found


def _condition(crd: dict[str, Any]) -> dict[str, Any]:
    """A branch of a junctor: it only constrains, so its objects stay open and its types as written."""
    found: dict[str, Any] = {key: crd[key] for key in (*_BOUNDS, "type") if key in crd}
    for key in ("items", "not", "additionalProperties"):
        if isinstance(crd.get(key), dict):
            found[key] = _condition(crd[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in crd:
            found[key] = [_condition(branch) for branch in crd[key]]
    if "properties" in crd:
        found["properties"] = {name: _condition(field) for name, field in crd["properties"].items()}
    return found


def _kind_schema(schema: dict[str, Any]) -> dict[str, Any]:
    found = convert(schema)
    found["type"] = "object"
    # a root that keeps unknown fields still has the three that every object has
    found.setdefault("properties", {})
    found["properties"] |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA}
    if "status" in found["properties"]:
        found["properties"]["status"] = _STATUS
    return found


class _Shared:
    """Repeated subschemas, moved to ``$defs`` and referred to."""

    def __init__(self, kinds: dict[str, Any]) -> None:
        self._seen: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}
        for schema in kinds.values():
            self._count(schema)

    def _count(self, schema: dict[str, Any]) -> None:
        key = json.dumps(schema, sort_keys=True)
        self._seen[key] += 1
        if self._seen[key] == 1:
            for part in _parts(schema):
                self._count(part)

    def fold(self, schema: dict[str, Any], *, root: bool = False) -> dict[str, Any]:
        key = json.dumps(schema, sort_keys=True)
        if key in self._names:
            return {"$ref": f"#/$defs/{self._names[key]}"}
        folded = dict(schema)
        if "properties" in schema:
            folded["properties"] = {name: self.fold(field) for name, field in schema["properties"].items()}
        for name in ("items", "additionalProperties"):
            if isinstance(schema.get(name), dict):
                folded[name] = self.fold(schema[name])
        if root or self._seen[key] == 1 or len(key) < _SHARED_SIZE or "$ref" in schema:
            return folded
        self._names[key] = f"s{len(self._names)}"
        self.definitions[self._names[key]] = folded
        return {"$ref": f"#/$defs/{self._names[key]}"}


def _parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    parts = list(schema.get("properties", {}).values())
    return parts + [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]


def main(group: str, source: str, files: list[str]) -> None:
    kinds: dict[str, Any] = {}
    for file in files:
        for crd in yaml.load_all(Path(file).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            if not crd or crd.get("kind") != "CustomResourceDefinition" or crd["spec"]["group"] != group:
                continue
            for version in crd["spec"]["versions"]:
                name = f"{version['name']}/{crd['spec']['names']['kind']}"
                kinds[name] = _kind_schema(version["schema"]["openAPIV3Schema"])
    shared = _Shared(kinds)
    folded = {name: shared.fold(schema, root=True) for name, schema in sorted(kinds.items())}
    content = {"source": source, "kinds": folded, "$defs": shared.definitions}
    sys.stdout.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

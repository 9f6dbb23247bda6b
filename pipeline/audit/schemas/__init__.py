"""JSON Schemas of Kubernetes objects: core kinds from ``kubernetes-validate``, the others from the files beside this.

Every schema handed out is self-contained (its ``$defs`` are the definitions that the kind reaches) and closed.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["find_schema", "served_versions"]

_HERE = Path(__file__).parent
_API_VERSION = re.compile(r"(?:([a-z0-9][-a-z0-9.]{0,252})/)?(v[0-9][a-z0-9]{0,15})")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_FOLDER = re.compile(r"v([0-9]+)\.([0-9]+)\.[0-9]+-local-strict")
_VERSION = re.compile(r"v?([0-9]+)\.([0-9]+)(?:\.[0-9]+)?")
_QUANTITY = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$"
# The published data calls these two oneOf, which null, accepted by both branches, would fail.
_CORRECTED: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer", "null"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number", "null"], "pattern": _QUANTITY},
}
# What a manifest says in `status` the API server drops: it can be wrong in no way but by not being an object.
_STATUS = {"type": ["object", "null"]}


def find_schema(api_version: str, kind: str, kubernetes_version: str | None = None) -> dict[str, Any] | None:
    """Schema of the kind; None for a kind that is not known here.

    ``kubernetes_version`` (``1.31``) chooses the core kinds; the newest by default. UsageError when there is none such,
    ToolError when the package that carries the core kinds is not installed.
    """
    split = _API_VERSION.fullmatch(api_version)
    if split is None or _KIND.fullmatch(kind) is None:
        return None
    group, version = split.group(1) or "", split.group(2)
    file = _HERE / f"{group}.json"
    if group and file.is_file():
        return _custom_schema(file, f"{version}/{kind}", kubernetes_version)
    return _core_schema(group, version, kind, kubernetes_version)


def served_versions(kind: str, kubernetes_version: str | None = None) -> tuple[tuple[str, str], ...]:
    """Pairs (apiVersion, kind) of the core kinds whose name is ``kind`` but for case, stable versions first."""
    found = []
    for name in _core_files(kubernetes_version).get(kind.lower(), ()):
        content = json.loads((_core_folder(kubernetes_version) / name).read_bytes())
        for served in content.get("x-kubernetes-group-version-kind", ()):
            prefix = f"{served['group']}/" if served["group"] else ""
            found.append((f"{prefix}{served['version']}", served["kind"]))
    return tuple(sorted(set(found), key=lambda pair: ("alpha" in pair[0], "beta" in pair[0], pair)))


def _custom_schema(file: Path, name: str, kubernetes_version: str | None) -> dict[str, Any] | None:
    content = _load(file)
    root = content["kinds"].get(name)
    if root is None:
        return None
    shared, core = content["$defs"], _core_definitions(kubernetes_version)
    return _closed(root, lambda wanted: shared[wanted] if wanted in shared else core(wanted))


def _core_schema(group: str, version: str, kind: str, kubernetes_version: str | None) -> dict[str, Any] | None:
    middle = f"-{group.split('.', maxsplit=1)[0]}" if group else ""
    file = _core_folder(kubernetes_version) / f"{kind.lower()}{middle}-{version}.json"
    if not file.is_file():
        return None
    root = json.loads(file.read_bytes())
    # The file name has but the first label of the group and no capitals: the content decides.
    if {"group": group, "version": version, "kind": kind} not in root.get("x-kubernetes-group-version-kind", ()):
        return None
    if "status" in root["properties"]:
        root["properties"]["status"] = _STATUS
    return _closed(root, _core_definitions(kubernetes_version))


def _closed(root: dict[str, Any], definition: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """``root`` with the definitions it reaches, references made local and nothing the validator does not need."""
    schema: dict[str, Any] = _local(root)
    reached: dict[str, Any] = {}
    waiting = _references(schema)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = _local(definition(name))
            waiting += _references(reached[name])
    return schema | {"$defs": reached}


def _references(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    if not isinstance(schema, dict):
        return []
    reference = schema.get("$ref")
    own = [reference.rpartition("/")[2]] if isinstance(reference, str) else []
    return own + [name for part in schema.values() for name in _references(part)]


def _local(schema: Any) -> Any:  # any JSON value
    if isinstance(schema, list):
        return [_local(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {"$ref": f"#/$defs/{schema['$ref'].rpartition('/')[2]}"}
    return {
        key: _local_part(key, part)
        for key, part in schema.items()
        if key not in ("description", "$id", "$schema") and not key.startswith("x-")
    }


def _local_part(key: str, part: Any) -> Any:  # any JSON value
    if key in ("enum", "required"):
        return part
    if key == "properties":  # its keys are names of fields, which may be called anything
        return {name: _local(field) for name, field in part.items()}
    return _local(part)


@functools.cache
def _core_definitions(kubernetes_version: str | None) -> Callable[[str], dict[str, Any]]:
    definitions: dict[str, dict[str, Any]] = _load(_core_folder(kubernetes_version) / "_definitions.json")["$defs"]
    definitions |= _CORRECTED
    return definitions.__getitem__


@functools.cache
def _core_files(kubernetes_version: str | None) -> dict[str, list[str]]:
    """File names by lower-case kind, without the messages of the API itself (Status, WatchEvent)."""
    files: dict[str, list[str]] = {}
    for name in sorted(file.name for file in _core_folder(kubernetes_version).iterdir()):
        if "-meta-" not in name:
            files.setdefault(name.partition("-")[0], []).append(name)
    return files


@functools.cache
def _load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_bytes())
    return content


@functools.cache
def _core_folder(kubernetes_version: str | None) -> Path:
    """Folder of the strict schemas; the package is found, not imported: that would cost more than the whole audit."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError(
            "os esquemas do Kubernetes não estão instalados",
            where="kubernetes-validate",
            mend="instale o pacote kubernetes-validate",
        )
    root = Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema"
    folders = {
        (int(named.group(1)), int(named.group(2))): folder
        for folder in sorted(root.iterdir())
        if (named := _FOLDER.fullmatch(folder.name))
    }
    if kubernetes_version is None:
        return folders[max(folders)]
    asked = _VERSION.fullmatch(kubernetes_version)
    wanted = (int(asked.group(1)), int(asked.group(2))) if asked else None
    if wanted is None or wanted not in folders:
        known = ", ".join(f"{major}.{minor}" for major, minor in sorted(folders))
        raise UsageError(f"versão do Kubernetes sem esquemas: {kubernetes_version}", mend=f"use uma destas: {known}")
    return folders[wanted]

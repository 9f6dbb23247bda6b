"""What the controller does to an Application template: overrides, replacement in every string, patch, normalisation.

Follows Argo CD 3.5: applicationset/generators (mergo), applicationset/utils (Render),
applicationset/controllers/template (strategic merge), util/argo (NormalizeApplicationSpec). Templates are dicts as
``appfields.decode`` gives them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from pipeline.appset.appfields import TYPES, decode, split_type
from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.govalue import json_text
from pipeline.appset.yamlvalue import as_interface

__all__ = ["apply_patch", "disable_automated", "merge_override", "normalize_spec", "replace_strings"]

Replace = Callable[[str], str]
# Kustomize options that do not count when the controller asks whether the section is empty.
_WITHOUT_WEIGHT = {
    "forceCommonLabels",
    "forceCommonAnnotations",
    "commonAnnotationsEnvsubst",
    "labelWithoutSelector",
    "labelIncludeTemplates",
}
_MAX_INTEGRAL = 1e21  # from here on encoding/json writes an exponent
_PATCHABLE = {"metadata": "ApplicationSetTemplateMeta", "spec": "ApplicationSpec"}


def merge_override(name: str, own: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """``own`` (a generator's template) completed from ``base`` (the set's): what is empty in it is filled in."""
    merged = dict(own)
    for key, value in base.items():
        shape, inner = split_type(TYPES[name][key])
        mine = merged.get(key)
        if mine is None:
            merged[key] = value
        elif inner in TYPES and shape in ("", "*"):
            merged[key] = merge_override(inner, mine, value)
        elif shape == "map[]":
            merged[key] = {**value, **{entry: text for entry, text in mine.items() if text or entry not in value}}
        elif not mine and shape != "[]" and inner != "raw":
            merged[key] = value or mine
    return merged


def replace_strings(value: Any, replace: Replace, *, path: str = "", spelled: str = "ApplicationSetTemplate") -> Any:
    """Every text and every key of a map, replaced; a free-form object loses the nulls of its maps."""
    shape, name = split_type(spelled)
    if name == "raw":
        return _replace_free(as_interface(value), replace, path)
    if shape == "[]":
        return [replace_strings(item, replace, path=f"{path}[{i}]", spelled=name) for i, item in enumerate(value)]
    if shape == "map[]":
        return _replace_keys(value, replace, path, lambda item, at: _text(item, replace, at))
    if name in TYPES:
        fields = TYPES[name]
        return {
            key: replace_strings(item, replace, path=f"{path}.{key}" if path else key, spelled=fields[key])
            for key, item in value.items()
        }
    return _text(value, replace, path)


def _text(value: Any, replace: Replace, path: str) -> Any:
    if not isinstance(value, str) or "{{" not in value:
        return value
    try:
        return replace(value)
    except Refused as error:
        raise Refused(f"{path}: {error}") from error
    except Inexact as error:
        raise Inexact(f"{error} em {path}") from error


def _replace_keys(
    value: dict[str, Any], replace: Replace, path: str, change: Callable[[Any, str], Any]
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, item in value.items():
        name = _text(key, replace, path)
        if name in out:
            raise Inexact(f"chave repetida {name!r} em {path} depois da expansão")
        out[name] = change(item, f"{path}.{key}")
    return out


def _replace_free(value: Any, replace: Replace, path: str) -> Any:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if item is not None}
        return _replace_keys(kept, replace, path, lambda item, at: _replace_free(item, replace, at))
    if isinstance(value, list):
        return [_replace_free(item, replace, f"{path}[{i}]") for i, item in enumerate(value)]
    return _text(_written(value), replace, path)


def _written(value: Any) -> Any:
    """A number of JSON as the controller writes it on: the digits that Go writes, beyond 2^53 not the exact ones."""
    if isinstance(value, dict):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_INTEGRAL:
        return int(json_text(value))
    return value


def apply_patch(application: dict[str, Any], patch: Any) -> dict[str, Any]:
    """``application`` (metadata and spec) after the strategic merge of a rendered ``templatePatch``.

    ``spec.project`` never changes. Raises Refused where Argo CD fails, Inexact for directives and other parts of the
    object than metadata and spec.
    """
    if not isinstance(patch, dict):
        raise Refused("templatePatch não resulta em um mapa")
    out = dict(application)
    for key, value in patch.items():
        if key in ("apiVersion", "kind"):
            continue
        if key not in _PATCHABLE:
            raise Inexact(f"templatePatch com {key}")
        _check_types(_PATCHABLE[key], value, f"templatePatch.{key}")
        merged = {} if value is None else _merge(application.get(key) or {}, _written(value), _PATCHABLE[key], key)
        out[key] = decode(_PATCHABLE[key], merged, key) or {}
    project = application["spec"].get("project")
    out["spec"] = {key: value for key, value in out["spec"].items() if key != "project"}
    if project is not None:
        out["spec"]["project"] = project
    return out


def _check_types(name: str, value: Any, path: str) -> None:
    """Types and field names, the way decoding the patch into an Application checks them; directives are refused."""
    _refuse_directives(value)
    decode(name, value, path)


def _refuse_directives(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("$"):
                raise Inexact(f"diretiva {key} em templatePatch")
            _refuse_directives(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_directives(item)


def _merge(original: dict[str, Any], patch: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    fields = TYPES.get(name)
    out = dict(original)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
            continue
        mine = out.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            if name == "raw":
                raise Refused(f"templatePatch não pode mesclar {path}.{key} com o do template")
            inner = split_type(fields[key])[1] if fields else ""
            out[key] = _merge(mine, value, inner, f"{path}.{key}")
        elif name == "raw" and isinstance(mine, list) and isinstance(value, list):
            raise Refused(f"templatePatch não pode mesclar {path}.{key} com o do template")
        elif key == "finalizers" and path == "metadata" and mine and isinstance(value, list):
            out[key] = _merge_finalizers(mine, value)
        else:
            out[key] = value if isinstance(mine, list) else _without_nulls(value)
    return out


def _merge_finalizers(mine: list[str], patch: list[str]) -> list[str]:
    """Both, once each: the patch's own order wins, what it does not name goes in where it stood."""
    first = list(dict.fromkeys(patch))
    kept = [item for item in mine if item not in first]
    out: list[str] = []
    while kept and first:
        before = first[0] in mine and mine.index(kept[0]) < mine.index(first[0])
        out.append(kept.pop(0) if before else first.pop(0))
    return [*out, *first, *kept]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def normalize_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec as the controller stores it: default project, empty policies and tool sections left out."""
    out = {**spec, "project": spec.get("project") or "default"}
    if not out.get("syncPolicy", True):
        del out["syncPolicy"]
    if out.get("sources"):
        out["sources"] = [_normalize_source(source) for source in out["sources"]]
    elif "source" in out:
        out["source"] = _normalize_source(out["source"])
    return out


def _normalize_source(source: dict[str, Any]) -> dict[str, Any]:
    out = dict(source)
    for tool in ("kustomize", "helm"):
        if tool in out and not set(out[tool]) - _WITHOUT_WEIGHT:
            del out[tool]
    directory = out.get("directory")
    if directory is not None and not directory.get("recurse") and not directory.get("jsonnet"):
        kept = {key: directory[key] for key in ("exclude", "include") if key in directory}
        out.pop("directory")
        if kept:
            out["directory"] = kept
    return out


def disable_automated(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec under an active RollingSync: the controller starts the syncs, ``automated.enabled`` is false."""
    out = copy.deepcopy(spec)
    automated = out.get("syncPolicy", {}).get("automated")
    if automated is not None:
        automated["enabled"] = False
    return out

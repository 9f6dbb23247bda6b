"""The typed fields of an Application (argoproj.io/v1alpha1, Argo CD 3.5), how they are decoded and written.

The API server keeps the fields it knows; the controller replaces templates in them alone and leaves zero values out
when it writes. A value is decoded into plain dicts that hold only what is set: zero values of Go are dropped, pointers
(``*``) keep theirs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pipeline.appset.errors import Inexact, Refused

__all__ = ["TYPES", "decode", "encode", "split_type"]

# "!" marks a field that is written even when empty; "raw" is free-form JSON.
_HELM = {
    "valueFiles": "[]string",
    "parameters": "[]HelmParameter",
    "releaseName": "string",
    "values": "string",
    "fileParameters": "[]HelmFileParameter",
    "version": "string",
    "passCredentials": "bool",
    "ignoreMissingValueFiles": "bool",
    "skipCrds": "bool",
    "valuesObject": "raw",
    "namespace": "string",
    "kubeVersion": "string",
    "apiVersions": "[]string",
    "skipTests": "bool",
    "skipSchemaValidation": "bool",
}
_KUSTOMIZE = {
    "namePrefix": "string",
    "nameSuffix": "string",
    "images": "[]string",
    "commonLabels": "map[]string",
    "version": "string",
    "commonAnnotations": "map[]string",
    "forceCommonLabels": "bool",
    "forceCommonAnnotations": "bool",
    "namespace": "string",
    "commonAnnotationsEnvsubst": "bool",
    "replicas": "[]KustomizeReplica",
    "patches": "[]KustomizePatch",
    "components": "[]string",
    "ignoreMissingComponents": "bool",
    "labelWithoutSelector": "bool",
    "kubeVersion": "string",
    "apiVersions": "[]string",
    "labelIncludeTemplates": "bool",
}
_TOOLS = {
    "helm": "*ApplicationSourceHelm",
    "kustomize": "*ApplicationSourceKustomize",
    "directory": "*ApplicationSourceDirectory",
    "plugin": "*ApplicationSourcePlugin",
}
TYPES: dict[str, dict[str, str]] = {
    "ApplicationSetTemplate": {"metadata": "ApplicationSetTemplateMeta", "spec": "ApplicationSpec"},
    "ApplicationSetTemplateMeta": {
        "name": "string",
        "namespace": "string",
        "labels": "map[]string",
        "annotations": "map[]string",
        "finalizers": "[]string",
    },
    "ApplicationSpec": {
        "source": "*ApplicationSource",
        "destination": "ApplicationDestination",
        "project": "string!",
        "syncPolicy": "*SyncPolicy",
        "ignoreDifferences": "[]ResourceIgnoreDifferences",
        "info": "[]Info",
        "revisionHistoryLimit": "*int",
        "sources": "[]ApplicationSource",
        "sourceHydrator": "*SourceHydrator",
    },
    "ApplicationSource": {
        "repoURL": "string!",
        "path": "string",
        "targetRevision": "string",
        **_TOOLS,
        "chart": "string",
        "ref": "string",
        "name": "string",
        "tagPrefix": "string",
    },
    "ApplicationDestination": {"server": "string", "namespace": "string", "name": "string"},
    "SyncPolicy": {
        "automated": "*SyncPolicyAutomated",
        "syncOptions": "[]string",
        "retry": "*RetryStrategy",
        "managedNamespaceMetadata": "*ManagedNamespaceMetadata",
    },
    "ResourceIgnoreDifferences": {
        "group": "string",
        "kind": "string!",
        "name": "string",
        "namespace": "string",
        "jsonPointers": "[]string",
        "jqPathExpressions": "[]string",
        "managedFieldsManagers": "[]string",
    },
    "Info": {"name": "string!", "value": "string!"},
    "SourceHydrator": {"drySource": "DrySource", "syncSource": "SyncSource", "hydrateTo": "*HydrateTo"},
    "ApplicationSourceHelm": _HELM,
    "ApplicationSourceKustomize": _KUSTOMIZE,
    "ApplicationSourceDirectory": {
        "recurse": "bool",
        "jsonnet": "ApplicationSourceJsonnet?",
        "exclude": "string",
        "include": "string",
    },
    "ApplicationSourcePlugin": {
        "name": "string",
        "env": "[]EnvEntry",
        "parameters": "[]ApplicationSourcePluginParameter",
    },
    "SyncPolicyAutomated": {"prune": "*bool", "selfHeal": "*bool", "allowEmpty": "*bool", "enabled": "*bool"},
    "RetryStrategy": {"limit": "int", "backoff": "*Backoff", "refresh": "bool"},
    "ManagedNamespaceMetadata": {"labels": "map[]string", "annotations": "map[]string"},
    "DrySource": {"repoURL": "string!", "targetRevision": "string!", "path": "string!", **_TOOLS},
    "SyncSource": {"targetBranch": "string!", "path": "string!", "repoURL": "string"},
    "HydrateTo": {"targetBranch": "string!"},
    "HelmParameter": {"name": "string", "value": "string", "forceString": "bool"},
    "HelmFileParameter": {"name": "string", "path": "string"},
    "KustomizeReplica": {"name": "string!", "count": "intstr!"},
    "KustomizePatch": {
        "path": "string",
        "patch": "string",
        "target": "*KustomizeSelector",
        "options": "map[]bool",
    },
    "ApplicationSourceJsonnet": {"extVars": "[]JsonnetVar", "tlas": "[]JsonnetVar", "libs": "[]string"},
    "EnvEntry": {"name": "string!", "value": "string!"},
    "ApplicationSourcePluginParameter": {
        "name": "string!",
        "string": "*string",
        "map": "map[]string!",
        "array": "[]string!",
    },
    "Backoff": {"duration": "string", "factor": "*int", "maxDuration": "string"},
    "KustomizeSelector": {
        "group": "string",
        "version": "string",
        "kind": "string",
        "name": "string",
        "namespace": "string",
        "annotationSelector": "string",
        "labelSelector": "string",
    },
    "JsonnetVar": {"name": "string!", "value": "string!", "code": "bool"},
}
_PARAMETER_COLLECTIONS = frozenset({"map[]string!", "[]string!"})  # set or not, even when empty


@cache
def split_type(spelled: str) -> tuple[str, str]:
    """Shape (``*``, ``[]``, ``map[]`` or empty) and element type of a field."""
    name = spelled.rstrip("!?")
    for shape in ("map[]", "[]", "*"):
        if name.startswith(shape):
            return shape, name.removeprefix(shape)
    return "", name


def decode(spelled: str, value: Any, path: str) -> Any:
    """``value`` (JSON) as the typed field keeps it; None where it is nil or Go's zero.

    Raises Refused for a wrong type, Inexact for a field that this version of the API does not have.
    """
    shape, name = split_type(spelled)
    if value is None:
        return None
    if shape == "[]":
        items = [_element(name, item, f"{path}[{i}]") for i, item in enumerate(_expect(list, value, path))]
        return items if items or spelled in _PARAMETER_COLLECTIONS else None
    if shape == "map[]":
        entries = {k: _element(name, v, f"{path}.{k}") for k, v in _expect(dict, value, path).items()}
        return entries if entries or spelled in _PARAMETER_COLLECTIONS else None
    if name in TYPES:
        return _struct(name, _expect(dict, value, path), path)
    if name == "raw":
        return _expect(dict, value, path)
    scalar = _scalar(name, value, path)
    return scalar if shape == "*" or scalar or name == "intstr" else None


def _element(name: str, value: Any, path: str) -> Any:
    if name in TYPES:
        return _struct(name, {} if value is None else _expect(dict, value, path), path)
    return {"string": "", "bool": False}[name] if value is None else _scalar(name, value, path)


def _struct(name: str, value: dict[str, Any], path: str) -> dict[str, Any]:
    fields = TYPES[name]
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if key not in fields:
            raise Inexact(f"campo {path}.{key}, que a API de Application não tem (Argo CD 3.5)")
        found = decode(fields[key], item, f"{path}.{key}")
        if found is not None:
            kept[key] = found
    return kept


def _expect(kind: type, value: Any, path: str) -> Any:
    if not isinstance(value, kind):
        raise Refused(f"{path} deveria ser {'uma lista' if kind is list else 'um mapa'}")
    return value


def _scalar(name: str, value: Any, path: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and name in ("int", "intstr") and value == int(value):
        return int(value)
    if isinstance(value, str) and name in ("string", "intstr"):
        return value
    if isinstance(value, bool) and name == "bool":
        return value
    wanted = {"string": "texto (use aspas)", "bool": "true ou false"}.get(name, "um número inteiro")
    raise Refused(f"{path} deveria ser {wanted}")


def encode(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """A decoded struct as the controller writes it: fields in the order of the type, mandatory ones always there."""
    out: dict[str, Any] = {}
    for key, spelled in TYPES[name].items():
        shape, inner = split_type(spelled)
        item = value.get(key)
        if inner in TYPES and shape in ("", "*"):
            if item or (item is not None and shape) or (not shape and not spelled.endswith("?")):
                out[key] = encode(inner, item or {})
        elif inner in TYPES and item:
            out[key] = [encode(inner, entry) for entry in item]
        elif item is not None:
            out[key] = item
        elif spelled.endswith("!") and spelled not in _PARAMETER_COLLECTIONS:
            out[key] = 0 if inner == "intstr" else ""
    return out

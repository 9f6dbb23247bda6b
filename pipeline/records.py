"""Artifact documents to bytes and back: canonical JSON, closed on reading."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pipeline.codec import dump_json
from pipeline.domain.base import Record
from pipeline.domain.finding import Param
from pipeline.errors import InputError

__all__ = ["dump_record", "load_record", "record_schema"]

Kind = TypeVar("Kind", bound=Record)


def dump_record(record: Record) -> bytes:
    """Canonical JSON of a document."""
    return dump_json(msgspec.to_builtins(record, str_keys=True))


def load_record(data: bytes, kind: type[Kind], *, where: str) -> Kind:
    """Decode a document. InputError where it is no such document: wrong version, unknown or missing key, wrong type."""
    try:
        record = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"não é um documento deste formato ({error})", where=where, mend="gere-o de novo") from error
    return msgspec.convert(_restore(msgspec.to_builtins(record)), kind) if b'"$param"' in data else record


def record_schema(kind: type[Record]) -> dict[str, Any]:
    """JSON Schema 2020-12 of a document, as it is written: every key is there, those with a default too."""
    schema: dict[str, Any] = msgspec.json.schema(kind)
    for each in schema["$defs"].values():
        if "required" in each:
            each["required"] = sorted(each["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.__name__} | schema


def _restore(value: Any) -> Any:
    """Parameters inside free JSON values back to Param."""
    if isinstance(value, list | tuple):
        return [_restore(item) for item in value]
    if isinstance(value, dict):
        if "$param" in value:
            return msgspec.convert(value, Param)
        return {key: _restore(item) for key, item in value.items()}
    return value

"""Artifact documents to bytes and back: canonical JSON, closed on reading."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import force_setattr

from pipeline.codec import dump_json, indent_json
from pipeline.domain.base import Record
from pipeline.domain.finding import Operation, Param
from pipeline.errors import InputError

__all__ = ["dump_record", "load_record", "record_schema", "settle_record"]

Kind = TypeVar("Kind", bound=Record)
_PLAIN = (str, int, float, NoneType)


def dump_record(record: Record) -> bytes:
    """Canonical JSON of a document."""
    if any(_holds_float(each.value) for each in _operations(record)):  # msgspec writes them, and no number, otherwise
        return dump_json(msgspec.to_builtins(record, str_keys=True))
    try:
        return _written(record)
    except UnicodeEncodeError:  # lone surrogates
        return dump_json(msgspec.to_builtins(record, str_keys=True))


def _written(record: Record) -> bytes:
    """The document piece by piece: its compact form and ours would stand in memory beside each other."""
    made = BytesIO()
    before = b"{\n  "
    for name in sorted(record.__struct_fields__):
        value = getattr(record, name)
        made.write(b'%s"%s": ' % (before, name.encode()))
        before = b",\n  "
        if isinstance(value, tuple) and value and isinstance(value[0], Record):
            for number, each in enumerate(value):
                made.write((b",\n    " if number else b"[\n    ") + _indented(each).replace(b"\n", b"\n    "))
            made.write(b"\n  ]")
        else:
            made.write(_indented(value).replace(b"\n", b"\n  "))
    made.write(b"\n}\n")
    return made.getvalue()


def _indented(value: object) -> bytes:
    return indent_json(msgspec.json.encode(value, order="sorted").decode())


def settle_record(record: Record) -> None:
    """Make a document just made equal, in the order of every map too, to the one that reading its file would give.

    A stage that goes on from the document then gives the bytes of one that reads the file.
    """
    for each in _parts(record):
        for name in _open_fields(each.__class__):
            value = getattr(each, name)
            if isinstance(value, dict) or (isinstance(each, Operation) and isinstance(value, list | tuple)):
                force_setattr(each, name, _ordered(value))


def _ordered(value: object) -> object:
    """A JSON value as it is read: maps by key, lists and no tuples."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value


def load_record(data: bytes, kind: type[Kind], *, where: str) -> Kind:
    """Decode a document. InputError where it is no such document: wrong version, unknown or missing key, wrong type."""
    try:
        record = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"não é um documento deste formato ({error})", where=where, mend="gere-o de novo") from error
    if b'"$param"' in data:
        for each in _operations(record):
            if isinstance(each.value, dict | list):
                force_setattr(each, "value", _restore(each.value))
    return record


def _operations(record: Record) -> list[Operation]:
    """Every operation in a document: nothing else holds JSON values of any shape."""
    return [each for each in _parts(record) if isinstance(each, Operation)]


def _parts(record: Record) -> list[Record]:
    """The document and every record in it."""
    found: list[Record] = []
    pending: list[object] = [record]
    while pending:
        each = pending.pop()
        if isinstance(each, Record):
            found.append(each)
            pending += [getattr(each, name) for name in _open_fields(each.__class__)]
        elif isinstance(each, tuple):
            pending += each
    return found


@cache
def _open_fields(kind: type[Record]) -> tuple[str, ...]:
    """Fields that may hold records or maps, however deep: there are ten of others for each."""
    return tuple(name for name, hint in get_type_hints(kind).items() if not _is_plain(hint))


def _is_plain(hint: Any) -> bool:
    if get_origin(hint) in (tuple, UnionType):
        return all(each is Ellipsis or _is_plain(each) for each in get_args(hint))
    return get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, _PLAIN))


def _holds_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_float, value.values()))
    return any(map(_holds_float, value)) if isinstance(value, list) else isinstance(value, float)


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

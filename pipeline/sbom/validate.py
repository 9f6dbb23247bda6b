"""The documents held against their standards before anything is written: CycloneDX's schemas, SPDX's own library.

The libraries are heavy, and needed where an SBOM is made alone: import this module there.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.xml import XmlValidator
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from pipeline.codec import visible
from pipeline.errors import ToolError

__all__ = ["verify_cyclonedx", "verify_cyclonedx_xml", "verify_spdx"]

_SCHEMAS = "http://cyclonedx.org/schema/"
_MEND = "relate o defeito com o arquivo que o causou"
_SHOWN = 200


def verify_cyclonedx(data: bytes, *, where: str) -> None:
    """ToolError unless the JSON meets the strict schema of CycloneDX 1.6, formats of dates and addresses too.

    The schema is that of cyclonedx-python-lib; its own validator takes half a minute for a thousand components.
    """
    error = next(_validator().iter_errors(json.loads(data)), None)
    if error is not None:
        raise _refused(f"{'/'.join(map(str, error.instance_path))}: {error.message}", where)


@lru_cache(maxsize=1)
def _validator() -> jsonschema_rs.Draft7Validator:
    held = files("cyclonedx.schema._res")
    others = ("spdx", "cryptography-defs", "jsf-0.82")
    registry = jsonschema_rs.Registry(
        [(f"{_SCHEMAS}{name}.SNAPSHOT.schema.json", _json(held / f"{name}.SNAPSHOT.schema.json")) for name in others]
    )
    schema = _json(held / "bom-1.6.SNAPSHOT.schema.json")
    return jsonschema_rs.Draft7Validator(schema, registry=registry, validate_formats=True)


def _json(path: Any) -> Any:
    return json.loads(path.read_bytes())


def verify_cyclonedx_xml(data: bytes, *, where: str) -> None:
    """ToolError unless the XML meets the schema of CycloneDX 1.6."""
    error = XmlValidator(SchemaVersion.V1_6).validate_str(data.decode())
    if error is not None:
        raise _refused(str(error), where)


def verify_spdx(data: bytes, *, where: str) -> None:
    """ToolError unless spdx-tools reads the document and finds nothing to say against it."""
    try:
        document = JsonLikeDictParser().parse(json.loads(data))  # type: ignore[no-untyped-call]
    except SPDXParsingError as error:
        said = error.get_messages()  # type: ignore[no-untyped-call]
        raise _refused("; ".join(said), where) from error
    messages = validate_full_spdx_document(document, "SPDX-2.3")
    if messages:
        raise _refused(messages[0].validation_message, where)


def _refused(message: str, where: str) -> ToolError:
    return ToolError(f"o SBOM não segue o padrão ({visible(message)[:_SHOWN]})", where=where, mend=_MEND)

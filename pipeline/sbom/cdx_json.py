"""The graph as CycloneDX 1.6 JSON, and the serial number that every format of it carries."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from pipeline.codec import dump_json, sha256_hex
from pipeline.sbom.licences import licences_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.sbom import Component, Digest, Sbom

__all__ = ["DECLARED", "completeness", "dump_cyclonedx", "licence_choice", "serial_number"]

DECLARED = "appgear:licence:declared"
_PROPERTY = re.compile(r"[\r\n\t]+")


def serial_number(sbom: Sbom) -> str:
    """``urn:uuid:…`` of the content (UUID version 5 of its SHA-256): other content, other number; same, same."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{sha256_hex(dump_json(_document(sbom)))}").urn


def dump_cyclonedx(sbom: Sbom, serial: str) -> bytes:
    """Canonical JSON of the document."""
    return dump_json(_document(sbom) | {"serialNumber": serial})


def licence_choice(component: Component) -> tuple[str, str]:
    """How CycloneDX says the licence: ``id``, ``name`` or ``expression``, and the text; ``("", "")`` for none."""
    from cyclonedx.spdx import is_supported_id  # noqa: PLC0415  # only SBOMs need it

    expression = component.licence
    if not expression or licences_in(expression) != (expression,) or " WITH " in expression:
        return ("expression", expression) if expression else ("", "")
    if is_supported_id(expression):
        return "id", expression
    return ("name", expression) if expression.startswith("LicenseRef-") else ("expression", expression)


def completeness(sbom: Sbom) -> Iterator[tuple[str, list[str], list[str]]]:
    """What is known to be complete: aggregate, assemblies, refs whose dependencies it speaks of."""
    unsure = set(sbom.incomplete)
    known = [each.ref for each in sbom.components if each.ecosystem not in unsure]
    guessed = [each.ref for each in sbom.components if each.ecosystem in unsure]
    yield "unknown" if guessed else "complete", [sbom.root.ref], []
    if known:
        yield "complete", [], known
    if guessed:
        yield "unknown", [], guessed


def _document(sbom: Sbom) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "authors": [{"name": sbom.author}] if sbom.author else [],
        "component": _component(sbom.root),
        "lifecycles": [{"phase": "build"}],
        "properties": _properties(sbom.properties),
        "supplier": {"name": sbom.root.supplier} if sbom.root.supplier else {},
        "timestamp": sbom.created,
        "tools": {
            "components": [
                {"type": "application", "name": each.name, "version": each.version, "supplier": {"name": each.supplier}}
                for each in sbom.tools
            ]
        },
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": _filled(metadata),
        "components": [_component(each) for each in sbom.components],
        "dependencies": [{"ref": ref, "dependsOn": list(needed)} for ref, needed in sbom.dependencies],
        "compositions": [
            _filled({"aggregate": aggregate, "assemblies": assemblies, "dependencies": refs})
            for aggregate, assemblies, refs in completeness(sbom)
        ],
    }


def _component(component: Component) -> dict[str, Any]:
    kind, text = licence_choice(component)
    licence = {"expression": text} if kind == "expression" else {"license": {kind: text}}
    declared = ((DECLARED, component.declared),) if component.declared else ()
    return _filled(
        {
            "type": component.kind,
            "bom-ref": component.ref,
            "name": component.name,
            "version": component.version,
            "purl": component.purl,
            "cpe": component.cpe,
            "supplier": {"name": component.supplier} if component.supplier else {},
            "licenses": [licence] if kind else [],
            "hashes": _hashes(component.digests),
            "externalReferences": [
                {"type": "distribution", "url": each.url, "comment": each.comment, "hashes": _hashes(each.digests)}
                for each in component.distributions
            ],
            "evidence": {"occurrences": [{"location": each} for each in component.places]} if component.places else {},
            "properties": _properties((*component.properties, *declared)),
        }
    )


def _hashes(digests: Sequence[Digest]) -> list[dict[str, str]]:
    return [{"alg": each.algorithm, "content": each.content} for each in digests]


def _properties(rows: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    # XML gives tab and newline of a property back as spaces: both formats say the same only without them.
    return [{"name": name, "value": _PROPERTY.sub(" ", value)} for name, value in rows]


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each not in ("", [], {})}

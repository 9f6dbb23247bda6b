"""Small SBOMs for tests, and what the standards' own libraries read out of our documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.domain.sbom import Component, Digest, Distribution, Sbom, SbomTool
from pipeline.sbom.graph import anchored

__all__ = ["ROOT_REF", "component", "read_json", "read_spdx", "read_xml", "sbom"]

ROOT_REF = "pkg:oci/portal@sha256:aa"
SHA256 = Digest(algorithm="SHA-256", content="ab" * 32)


def component(name: str, version: str = "1.0.0", *, kind: str = "npm", **facts: Any) -> Component:
    """A package with everything known; ``facts`` say otherwise."""
    purl = f"pkg:{kind}/{name.replace('@', '%40')}@{version}"
    known: dict[str, Any] = {"ref": purl, "purl": purl, "licence": "MIT", "supplier": "Alguém", "digests": (SHA256,)}
    return Component(name=name, version=version, **(known | facts))


def sbom(*components: Component, edges: dict[str, list[str]] | None = None, **facts: Any) -> Sbom:
    """A graph below one image; ``edges`` are by name, the root being ``""``."""
    root = Component(
        ref=ROOT_REF,
        kind="container",
        name="portal",
        version="1.0.0",
        purl=ROOT_REF,
        licence="Apache-2.0",
        supplier="AppGear",
        digests=(SHA256,),
        properties=(("appgear:source:commit", "a" * 40),),
    )
    refs = {each.name: each.ref for each in components}
    given = edges or {}
    needs = {refs[name]: [refs[other] for other in given.get(name, ())] for name in refs}
    known: dict[str, Any] = {
        "tools": (SbomTool(name="appgear-pipeline", version="0.1.0", supplier="AppGear"),),
        "created": "2026-11-22T10:00:00Z",
        "author": "AppGear",
        "properties": (("appgear:run", "m07-0011223344556677"),),
    }
    return Sbom(
        root=root,
        components=tuple(sorted(components, key=lambda each: each.ref)),
        dependencies=anchored(root.ref, [refs[name] for name in given.get("", ())], needs),
        **(known | facts),
    )


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a library understood: facts by bom-ref, and edges."""

    serial: str
    components: dict[str, tuple[Any, ...]]
    edges: dict[str, set[str]]


def read_json(data: bytes) -> Read:
    """Through cyclonedx-python-lib."""
    from cyclonedx.model.bom import Bom

    return _read(Bom.from_json(json.loads(data)))  # type: ignore[attr-defined]  # added by its serializer


def read_xml(data: bytes) -> Read:
    """Through cyclonedx-python-lib."""
    from io import StringIO

    from cyclonedx.model.bom import Bom

    return _read(Bom.from_xml(StringIO(data.decode())))  # type: ignore[attr-defined]  # as above


def _read(bom: Any) -> Read:
    everything = [*bom.components, bom.metadata.component]
    return Read(
        serial=str(bom.serial_number),
        components={str(each.bom_ref): _facts(each) for each in everything},
        edges={str(each.ref): {str(other.ref) for other in each.dependencies} for each in bom.dependencies},
    )


def _facts(each: Any) -> tuple[Any, ...]:
    return (
        each.name,
        each.version,
        str(each.type),
        str(each.purl or ""),
        each.cpe,
        each.supplier.name if each.supplier else "",
        sorted(str(getattr(row, "value", None) or row.id or row.name) for row in each.licenses),
        sorted((str(row.alg), row.content) for row in each.hashes),
        sorted((row.name, row.value) for row in each.properties),
        sorted((str(row.url), row.comment, sorted(h.content for h in row.hashes)) for row in each.external_references),
        sorted(row.location for row in (each.evidence.occurrences if each.evidence else ())),
    )


def read_spdx(data: bytes) -> Any:
    """Through spdx-tools, which must have nothing to say against it."""
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = JsonLikeDictParser().parse(json.loads(data))  # type: ignore[no-untyped-call]
    assert not validate_full_spdx_document(document, "SPDX-2.3")
    return document


def distribution(url: str, comment: str, *contents: str) -> Distribution:
    """A file of a component with SHA-256 digests."""
    digests = tuple(Digest(algorithm="SHA-256", content=each) for each in contents)
    return Distribution(url=url, comment=comment, digests=digests)

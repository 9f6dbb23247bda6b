"""CycloneDX JSON back to a graph: our own files, and those of other tools as far as they say the same things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.sbom import Component, ComponentKind, Digest, Distribution, Sbom, SbomTool
from pipeline.errors import InputError
from pipeline.sbom.cdx_json import DECLARED
from pipeline.sbom.licences import normalise
from pipeline.sbom.texts import clean, clean_cpe, clean_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["load_cyclonedx"]

_KINDS: dict[str, ComponentKind] = {
    "application": "application",
    "container": "container",
    "framework": "framework",
    "operating-system": "operating-system",
}
_MAX_DEPTH = 32  # components within components
_MEND = "indique um SBOM CycloneDX em JSON, de 1.4 a 1.6"


class _Named(msgspec.Struct):
    name: str = ""


class _Hash(msgspec.Struct):
    alg: str
    content: str


class _Licence(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Choice(msgspec.Struct):
    license: _Licence | None = None
    expression: str = ""


class _Reference(msgspec.Struct):
    type: str
    url: str
    comment: str = ""
    hashes: list[_Hash] = []


class _Property(msgspec.Struct):
    name: str
    value: str = ""


class _Occurrence(msgspec.Struct):
    location: str


class _Evidence(msgspec.Struct):
    occurrences: list[_Occurrence] = []


class _Component(msgspec.Struct, rename={"bom_ref": "bom-ref", "external_references": "externalReferences"}):
    name: str
    type: str = "library"
    bom_ref: str = ""
    group: str = ""
    version: str = ""
    purl: str = ""
    cpe: str = ""
    supplier: _Named | None = None
    licenses: list[_Choice] = []
    hashes: list[_Hash] = []
    external_references: list[_Reference] = []
    evidence: _Evidence | None = None
    properties: list[_Property] = []
    components: list[_Component] = []


class _Tools(msgspec.Struct):
    components: list[_Component] = []


class _Metadata(msgspec.Struct):
    timestamp: str = ""
    tools: _Tools | list[msgspec.Raw] = []  # a list up to CycloneDX 1.4
    authors: list[_Named] = []
    component: _Component | None = None
    properties: list[_Property] = []


class _Dependency(msgspec.Struct, rename="camel"):
    ref: str
    depends_on: list[str] = []


class _Composition(msgspec.Struct):
    aggregate: str
    dependencies: list[str] = []


class _Bom(msgspec.Struct, rename="camel"):
    bom_format: str
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    components: list[_Component] = []
    dependencies: list[_Dependency] = []
    compositions: list[_Composition] = []


def load_cyclonedx(data: bytes, *, where: str) -> Sbom:
    """The graph of a document; of one that we wrote, the very same. InputError where it is no CycloneDX JSON.

    Nested components stand beside the others; a dependency on what the document does not hold is left out.
    """
    try:
        bom = msgspec.json.decode(data, type=_Bom)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("não é um SBOM CycloneDX em JSON", where=where, mend=_MEND) from error
    if bom.bom_format != "CycloneDX":
        raise InputError("não é um SBOM CycloneDX", where=where, mend=_MEND)
    meta = bom.metadata
    root = _component(meta.component) if meta.component else Component(ref="root", kind="application", name="")
    found = {each.ref: each for each in map(_component, _flat(bom.components))}
    found.pop(root.ref, None)
    tools = meta.tools.components if isinstance(meta.tools, _Tools) else []
    unsure = {ref for each in bom.compositions if each.aggregate != "complete" for ref in each.dependencies}
    return Sbom(
        root=root,
        components=tuple(found[ref] for ref in sorted(found)),
        dependencies=_edges(bom.dependencies, root.ref, found),
        tools=tuple(
            SbomTool(
                name=clean(each.name),
                version=clean(each.version),
                supplier=clean(each.supplier.name) if each.supplier else "",
            )
            for each in tools
        ),
        created=clean(meta.timestamp),
        author=clean(meta.authors[0].name) if meta.authors else "",
        properties=_properties(meta.properties),
        incomplete=tuple(sorted({each.ecosystem for each in found.values() if each.ref in unsure})),
    )


def _flat(components: Iterable[_Component], depth: int = 0) -> Iterator[_Component]:
    for each in components:
        yield each
        if depth < _MAX_DEPTH:
            yield from _flat(each.components, depth + 1)


def _component(raw: _Component) -> Component:
    name = f"{raw.group}/{raw.name}" if raw.group else raw.name
    declared = next((each.value for each in raw.properties if each.name == DECLARED), "")
    said = [
        choice.expression or (choice.license.id or choice.license.name if choice.license else "")
        for choice in raw.licenses
    ]
    places = raw.evidence.occurrences if raw.evidence else []
    return Component(
        ref=clean(raw.bom_ref or raw.purl or f"{name}@{raw.version}"),
        kind=_KINDS.get(raw.type, "library"),
        name=clean(name),
        version=clean(raw.version),
        purl=clean_purl(raw.purl),
        licence=normalise(said),
        declared=clean(declared),
        supplier=clean(raw.supplier.name) if raw.supplier else "",
        digests=_digests(raw.hashes),
        distributions=tuple(
            Distribution(url=clean(each.url), comment=clean(each.comment), digests=_digests(each.hashes))
            for each in raw.external_references
            if each.type == "distribution" and each.hashes
        ),
        cpe=clean_cpe(raw.cpe),
        places=tuple(clean(each.location) for each in places),
        properties=tuple(row for row in _properties(raw.properties) if row[0] != DECLARED),
    )


def _digests(hashes: Iterable[_Hash]) -> tuple[Digest, ...]:
    return tuple(Digest(algorithm=clean(each.alg), content=clean(each.content)) for each in hashes)


def _properties(rows: Iterable[_Property]) -> tuple[tuple[str, str], ...]:
    return tuple((clean(each.name), clean(each.value)) for each in rows)


def _edges(
    listed: Iterable[_Dependency], root: str, found: dict[str, Component]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    known = {root, *found}
    needs: dict[str, set[str]] = {ref: set() for ref in (root, *sorted(found))}
    for each in listed:
        if each.ref in known:
            needs[each.ref].update(ref for ref in each.depends_on if ref in known and ref != each.ref)
    return tuple((ref, tuple(sorted(others))) for ref, others in needs.items())

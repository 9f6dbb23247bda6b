"""The graph as CycloneDX 1.6 XML: the elements in the order of its schema, one a line, the same facts as the JSON."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.sbom.cdx_json import DECLARED, completeness, licence_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.sbom import Component, Digest, Sbom

__all__ = ["render_cyclonedx_xml"]

_NAMESPACE = "http://cyclonedx.org/schema/bom/1.6"


def render_cyclonedx_xml(sbom: Sbom, serial: str) -> bytes:
    """The document, UTF-8 with a final newline."""
    root = ET.Element("bom", {"xmlns": _NAMESPACE, "serialNumber": serial, "version": "1"})
    _metadata(ET.SubElement(root, "metadata"), sbom)
    components = ET.SubElement(root, "components")
    for each in sbom.components:
        _component(components, each)
    dependencies = ET.SubElement(root, "dependencies")
    for ref, needed in sbom.dependencies:
        node = ET.SubElement(dependencies, "dependency", {"ref": ref})
        for other in needed:
            ET.SubElement(node, "dependency", {"ref": other})
    compositions = ET.SubElement(root, "compositions")
    for aggregate, assemblies, refs in completeness(sbom):
        node = ET.SubElement(compositions, "composition")
        _text(node, "aggregate", aggregate)
        for name, kind, listed in (("assemblies", "assembly", assemblies), ("dependencies", "dependency", refs)):
            if listed:
                group = ET.SubElement(node, name)
                for ref in listed:
                    ET.SubElement(group, kind, {"ref": ref})
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _metadata(node: ET.Element, sbom: Sbom) -> None:
    _text(node, "timestamp", sbom.created)
    _text(ET.SubElement(ET.SubElement(node, "lifecycles"), "lifecycle"), "phase", "build")
    if sbom.tools:
        tools = ET.SubElement(ET.SubElement(node, "tools"), "components")
        for each in sbom.tools:
            tool = ET.SubElement(tools, "component", {"type": "application"})
            _text(ET.SubElement(tool, "supplier"), "name", each.supplier)
            _text(tool, "name", each.name)
            _text(tool, "version", each.version)
    if sbom.author:
        _text(ET.SubElement(ET.SubElement(node, "authors"), "author"), "name", sbom.author)
    _component(node, sbom.root)
    if sbom.root.supplier:
        _text(ET.SubElement(node, "supplier"), "name", sbom.root.supplier)
    _properties(node, sbom.properties)


def _component(parent: ET.Element, component: Component) -> None:
    node = ET.SubElement(parent, "component", {"type": component.kind, "bom-ref": component.ref})
    if component.supplier:
        _text(ET.SubElement(node, "supplier"), "name", component.supplier)
    _text(node, "name", component.name)
    _text(node, "version", component.version)
    _hashes(node, component.digests)
    kind, text = licence_choice(component)
    if kind:
        licences = ET.SubElement(node, "licenses")
        if kind != "expression":
            licences = ET.SubElement(licences, "license")
        _text(licences, kind, text)
    _text(node, "cpe", component.cpe)
    _text(node, "purl", component.purl)
    if component.distributions:
        references = ET.SubElement(node, "externalReferences")
        for each in component.distributions:
            reference = ET.SubElement(references, "reference", {"type": "distribution"})
            _text(reference, "url", each.url)
            _text(reference, "comment", each.comment)
            _hashes(reference, each.digests)
    declared = ((DECLARED, component.declared),) if component.declared else ()
    _properties(node, (*component.properties, *declared))
    if component.places:
        occurrences = ET.SubElement(ET.SubElement(node, "evidence"), "occurrences")
        for place in component.places:
            _text(ET.SubElement(occurrences, "occurrence"), "location", place)


def _hashes(node: ET.Element, digests: Sequence[Digest]) -> None:
    if digests:
        group = ET.SubElement(node, "hashes")
        for each in digests:
            ET.SubElement(group, "hash", {"alg": each.algorithm}).text = each.content


def _properties(node: ET.Element, rows: Sequence[tuple[str, str]]) -> None:
    if rows:
        group = ET.SubElement(node, "properties")
        for name, value in rows:
            ET.SubElement(group, "property", {"name": name}).text = visible(value)


def _text(node: ET.Element, name: str, value: str) -> None:
    if value:
        ET.SubElement(node, name).text = visible(value)

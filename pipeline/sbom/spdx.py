"""The graph as SPDX 2.3 JSON: the same packages, licences, digests and dependencies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.codec import dump_json, sha256_hex
from pipeline.sbom.licences import UNKNOWN, licences_in

if TYPE_CHECKING:
    from pipeline.domain.sbom import Component, Sbom

__all__ = ["dump_spdx"]

_DOCUMENT = "SPDXRef-DOCUMENT"
_PURPOSES = {
    "application": "APPLICATION",
    "container": "CONTAINER",
    "framework": "FRAMEWORK",
    "library": "LIBRARY",
    "operating-system": "OPERATING-SYSTEM",
}
_EPOCH = "1970-01-01T00:00:00Z"  # SPDX knows no document without a time


def dump_spdx(sbom: Sbom, serial: str) -> bytes:
    """Canonical JSON of the document; its namespace holds the serial number of the CycloneDX documents."""
    names = {each.ref: _identifier(each.ref) for each in (sbom.root, *sbom.components)}
    relations = [(_DOCUMENT, "DESCRIBES", names[sbom.root.ref])]
    relations += [(names[ref], "DEPENDS_ON", names[other]) for ref, needed in sbom.dependencies for other in needed]
    creators = [f"Tool: {each.name}-{each.version}" for each in sbom.tools]
    if sbom.author:
        creators.insert(0, f"Organization: {_actor(sbom.author)}")
    document = {
        "SPDXID": _DOCUMENT,
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "name": sbom.root.name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{_slug(sbom.root.name)}-{serial.rpartition(':')[2]}",
        "creationInfo": {"created": sbom.created or _EPOCH, "creators": creators},
        "comment": "; ".join(f"{name}={value}" for name, value in sbom.properties),
        "packages": [_package(each, names[each.ref]) for each in (sbom.root, *sbom.components)],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
        "hasExtractedLicensingInfos": _extracted(sbom),
    }
    return dump_json({key: value for key, value in document.items() if value not in ("", [])})


def _package(component: Component, identifier: str) -> dict[str, Any]:
    references = [("PACKAGE-MANAGER", "purl", component.purl), ("SECURITY", "cpe23Type", component.cpe)]
    comment = [*component.places[:1], *([f"declara: {component.declared}"] if component.declared else ())]
    comment += [
        f"{each.comment}: {digest.algorithm} {digest.content}"
        for each in component.distributions
        for digest in each.digests
    ]
    package = {
        "SPDXID": identifier,
        "name": component.name,
        "versionInfo": component.version,
        "supplier": f"Organization: {_actor(component.supplier)}" if component.supplier else UNKNOWN,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": component.licence or UNKNOWN,
        "copyrightText": UNKNOWN,
        "primaryPackagePurpose": _PURPOSES[component.kind],
        "checksums": [
            {"algorithm": each.algorithm.replace("-", ""), "checksumValue": each.content} for each in component.digests
        ],
        "externalRefs": [
            {"referenceCategory": category, "referenceType": kind, "referenceLocator": locator}
            for category, kind, locator in references
            if locator
        ],
        "comment": "\n".join(comment),
    }
    return {key: value for key, value in package.items() if value not in ("", [])}


def _extracted(sbom: Sbom) -> list[dict[str, str]]:
    """SPDX wants a text for each licence that it does not know: the package's own words are in it, not with us."""
    expressions = {each.licence for each in (sbom.root, *sbom.components)}
    named = {name for each in expressions for name in licences_in(each) if name.startswith("LicenseRef-")}
    return [
        {
            "licenseId": name,
            "name": name.removeprefix("LicenseRef-"),
            "extractedText": f"O texto de {name.removeprefix('LicenseRef-')} está no próprio pacote.",
        }
        for name in sorted(named)
    ]


def _identifier(ref: str) -> str:
    """Readable, and one for each ref."""
    return f"SPDXRef-{_slug(ref)[:80]}-{sha256_hex(ref.encode())[:12]}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-") or "sbom"


def _actor(name: str) -> str:
    """SPDX reads what stands in parentheses as an address."""
    return name.replace("(", "[").replace(")", "]")

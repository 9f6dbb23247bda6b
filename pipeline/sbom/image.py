"""An image as a graph: what syft found, each package once, with everything that the image itself says of it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.sbom import Component, Digest, Sbom
from pipeline.errors import ToolError
from pipeline.sbom.graph import anchored
from pipeline.sbom.licences import normalise
from pipeline.sbom.listing import known_cpe, known_version
from pipeline.sbom.suppliers import supplier_of
from pipeline.sbom.texts import clean, clean_cpe, clean_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.domain.sbom import ComponentKind, SbomTool
    from pipeline.sbom.listing import Found, Listing
    from pipeline.sbom.oci import ImageFacts

__all__ = ["Collected", "Naming", "build_image", "collect"]

_LABELS = "org.opencontainers.image."
_MODULES = re.compile(r"(.*/)?node_modules/(?:@[^/]+/)?[^/]+/")
_KNOWN = frozenset({"apk", "deb", "rpm"})  # package managers whose status says what needs what
_MAX_PLACES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """In whose name the SBOM speaks, and of what. ``created`` is UTC, empty without a time."""

    name: str
    version: str
    supplier: str
    author: str
    created: str
    tools: tuple[SbomTool, ...]
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """Packages by ref and what they need. ``complete`` are ecosystems of which every need is known.

    ``folded`` are manifests that are no packages of their own, by their path.
    """

    components: Mapping[str, Component]
    needs: Mapping[str, frozenset[str]]
    complete: frozenset[str] = _KNOWN
    folded: tuple[str, ...] = ()


def collect(listing: Listing) -> Collected:
    """Everything that syft found, each package once however often it lies in the image.

    A ``package.json`` without a version inside another package (a test's, an example's) is that package's own file and
    no package. ToolError when nothing is found: an image of nothing is none that anybody runs.
    """
    places = {place: each for each in listing.artifacts for place in _places(each) if each.type == "npm"}
    owners = {each.id: owner for each in listing.artifacts if (owner := _owner(each, places)) is not None}
    grouped: dict[str, list[Found]] = defaultdict(list)
    folded = []
    for each in listing.artifacts:
        if each.id in owners and not known_version(each.version):
            folded += _places(each)
        else:
            grouped[_ref(each)].append(each)
    if not grouped:
        raise ToolError("não achou componente algum na imagem", where="syft", mend="confira a imagem")
    refs = {each.id: ref for ref, group in grouped.items() for each in group}
    needs: dict[str, set[str]] = {ref: set() for ref in grouped}
    for relation in listing.artifact_relationships:
        one, other = refs.get(relation.parent), refs.get(relation.child)
        if one is not None and other is not None:
            if relation.type == "dependency-of":
                needs[other].add(one)
            elif relation.type == "ownership-by-file-overlap":
                needs[one].add(other)
    for inner, owner in owners.items():
        if inner in refs and owner.id in refs:
            needs[refs[owner.id]].add(refs[inner])
    return Collected(
        components={ref: _component(ref, group) for ref, group in grouped.items()},
        needs={ref: frozenset(others) for ref, others in needs.items()},
        folded=tuple(sorted(folded)),
    )


def build_image(facts: ImageFacts, listing: Listing, collected: Collected, naming: Naming) -> Sbom:
    """The graph below the image, which is its root by the digest of its manifest."""
    root = _root(facts, naming)
    components, needs = collected.components, collected.needs
    found = {each.ecosystem for each in components.values()}
    distro = clean(listing.distro.pretty_name or f"{listing.distro.id} {listing.distro.version_id}")
    return Sbom(
        root=root,
        components=tuple(components[ref] for ref in sorted(components)),
        dependencies=anchored(root.ref, (), needs),
        tools=naming.tools,
        created=naming.created,
        author=naming.author,
        properties=(*naming.properties, *((("appgear:image:os", distro),) if distro else ())),
        incomplete=tuple(sorted(found - collected.complete)),
    )


def _root(facts: ImageFacts, naming: Naming) -> Component:
    slug = re.sub(r"[^a-z0-9._-]+", "-", naming.name.lower()).strip("-") or "imagem"
    architecture = facts.platform.split("/")[1] if "/" in facts.platform else ""
    purl = clean_purl(f"pkg:oci/{slug}@{facts.digest}{f'?arch={architecture}' if architecture else ''}")
    told = {
        "appgear:image:config": facts.config_digest,
        "appgear:image:platform": facts.platform,
        "appgear:source:commit": facts.labels.get(f"{_LABELS}revision", ""),
        "appgear:source:repository": facts.labels.get(f"{_LABELS}source", ""),
    }
    declared = facts.labels.get(f"{_LABELS}licenses", "")
    licence = normalise((declared,))
    return Component(
        ref=purl,
        kind="container",
        name=clean(naming.name),
        version=clean(naming.version),
        purl=purl,
        licence=licence,
        declared=declared if licence != declared else "",
        supplier=clean(naming.supplier),
        digests=(Digest(algorithm="SHA-256", content=facts.digest.removeprefix("sha256:")),),
        properties=tuple((name, value) for name, value in told.items() if value),
    )


def _ref(found: Found) -> str:
    """The purl, which names a package wherever it lies; without one, what syft calls it."""
    return clean_purl(found.purl) or clean(f"{found.type}:{found.name}@{found.version}")


def _component(ref: str, group: Sequence[Found]) -> Component:
    first = group[0]
    purl = clean_purl(first.purl)
    said = sorted({clean(row.value) for each in group for row in each.licenses if row.value})
    licence = normalise(row.spdx_expression or row.value for each in group for row in each.licenses)
    cpe = clean_cpe(known_cpe(first))
    ecosystem = purl.partition(":")[2].partition("/")[0]
    name = clean(first.name)
    suppliers = (supplier_of(ecosystem, name, each.metadata or {}, cpe=cpe) for each in group)
    declared = " / ".join(said)
    return Component(
        ref=ref,
        kind=_kind(group),
        name=name,
        version=clean(known_version(first.version)),
        purl=purl,
        licence=licence,
        declared=clean(declared) if declared != licence else "",
        supplier=next(filter(None, suppliers), ""),
        cpe=cpe,
        places=tuple(sorted({place for each in group for place in _places(each)})[:_MAX_PLACES]),
    )


def _kind(group: Iterable[Found]) -> ComponentKind:
    """A program, or a package that nothing installed as a module of another; all else is a library."""
    for each in group:
        if each.type == "binary":
            return "application"
        if each.type == "npm" and all("/node_modules/" not in place for place in _places(each)):
            return "application"
    return "library"


def _places(found: Found) -> list[str]:
    """The files that are the evidence itself."""
    primary = [each.path for each in found.locations if each.annotations.get("evidence") == "primary"]
    return [place for each in primary or [row.path for row in found.locations] if (place := clean(each))]


def _owner(found: Found, places: Mapping[str, Found]) -> Found | None:
    """The installed npm package that this one's manifest lies in; None where it stands by itself."""
    if found.type != "npm":
        return None
    for place in _places(found):
        inside = _MODULES.match(place)
        if inside is not None and place != f"{inside.group()}package.json":
            owner = places.get(f"{inside.group()}package.json")
            if owner is not None and owner.id != found.id:
                return owner
    return None

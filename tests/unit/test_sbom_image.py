"""From what syft lists to one graph: each package once, nothing invented, nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.domain.sbom import Sbom, SbomTool
from pipeline.errors import ToolError
from pipeline.sbom.documents import render_documents
from pipeline.sbom.image import Collected, Naming, build_image, collect
from pipeline.sbom.listing import read_listing
from pipeline.sbom.minimum import verify_graph
from pipeline.sbom.oci import ImageFacts
from pipeline.sbom.suppliers import supplier_of

FACTS = ImageFacts(
    digest="sha256:" + "ab" * 32,
    config_digest="sha256:" + "cd" * 32,
    platform="linux/arm64/v8",
    tag="1.0",
    created="",
    labels={"org.opencontainers.image.revision": "f" * 40, "org.opencontainers.image.licenses": "Apache License"},
)
DISTRO = b'"distro": {"id": "debian", "versionID": "13"}'
NAMING = Naming(
    name="Portal AppGear",
    version="1.0",
    supplier="AppGear",
    author="AppGear",
    created="2026-11-22T10:00:00Z",
    tools=(SbomTool(name="syft", version="1.18.1", supplier="Anchore"),),
)


def found(name: str, version: str = "1.0.0", *, kind: str = "npm", at: str = "", **facts: Any) -> dict[str, Any]:
    """An artifact as syft lists it."""
    place = at or f"/app/node_modules/{name}/package.json"
    return {
        "id": facts.pop("id", f"{kind}-{name}-{version}-{place}"),
        "name": name,
        "version": version,
        "type": kind,
        "purl": f"pkg:{kind}/{name}@{version}",
        "locations": [{"path": place, "annotations": {"evidence": "primary"}}, {"path": "/elsewhere"}],
        **facts,
    }


def collected(*artifacts: dict[str, Any], relations: list[tuple[str, str, str]] | None = None) -> Collected:
    value = {
        "artifacts": list(artifacts),
        "artifactRelationships": [{"parent": a, "child": b, "type": kind} for a, b, kind in relations or ()],
        "descriptor": {"name": "syft", "version": "1.18.1"},
        "distro": {"id": "debian", "versionID": "13"},
    }
    return collect(read_listing(json.dumps(value).encode()))


def graph(of: Collected) -> Sbom:
    listing = read_listing(b'{"artifacts": [], "descriptor": {"name": "syft", "version": "1"}, %s}' % DISTRO)
    made = build_image(FACTS, listing, of, NAMING)
    verify_graph(made, where="x")
    return made


def test_the_root_is_the_image() -> None:
    root = graph(collected(found("a"))).root
    assert root.purl == f"pkg:oci/portal-appgear@{FACTS.digest}?arch=arm64"
    assert root.kind == "container"
    assert [each.content for each in root.digests] == ["ab" * 32]
    assert dict(root.properties)["appgear:source:commit"] == "f" * 40
    assert (root.licence, root.declared) == ("LicenseRef-Apache-License", "Apache License")


def test_a_package_in_many_places_is_one() -> None:
    licence = [{"value": "MIT", "spdxExpression": "MIT"}]
    places = [found("a", at=f"/app/{n}/node_modules/a/package.json", licenses=licence if n else []) for n in (0, 1, 2)]
    (one,) = collected(*places).components.values()
    assert one.places == tuple(f"/app/{n}/node_modules/a/package.json" for n in (0, 1, 2))
    assert one.licence == "MIT"


def test_manifests_inside_a_package_are_its_own_or_hang_on_it() -> None:
    of = collected(
        found("a"),
        found("fixture", "", at="/app/node_modules/a/test/fixture/package.json"),
        found("other", "UNKNOWN", at="/app/node_modules/a/other/package.json"),
        found("vendored", "2.0.0", at="/app/node_modules/a/vendor/vendored/package.json"),
        found("alone", "UNKNOWN", at="/srv/alone/package.json"),
    )
    assert {each.name for each in of.components.values()} == {"a", "vendored", "alone"}
    assert of.folded == ("/app/node_modules/a/other/package.json", "/app/node_modules/a/test/fixture/package.json")
    assert of.needs["pkg:npm/a@1.0.0"] == {"pkg:npm/vendored@2.0.0"}
    assert of.components["pkg:npm/alone@UNKNOWN"].version == ""
    assert of.components["pkg:npm/alone@UNKNOWN"].kind == "application"


def test_edges_are_the_package_managers() -> None:
    of = collected(
        found("libc6", kind="deb", id="1"),
        found("node", kind="deb", id="2"),
        found("a", id="3"),
        relations=[
            ("1", "2", "dependency-of"),
            ("2", "3", "ownership-by-file-overlap"),
            ("1", "9", "dependency-of"),
            ("1", "3", "contains"),
        ],
    )
    assert of.needs["pkg:deb/node@1.0.0"] == {"pkg:deb/libc6@1.0.0", "pkg:npm/a@1.0.0"}
    made = graph(of)
    assert dict(made.dependencies)[made.root.ref] == ("pkg:deb/node@1.0.0",)
    assert made.incomplete == ("npm",)
    assert dict(made.properties)["appgear:image:os"] == "debian 13"


def test_guessed_names_of_products_are_left_out() -> None:
    guessed = {"cpe": "cpe:2.3:a:a:a:1:*:*:*:*:*:*:*", "source": "syft-generated"}
    known = {"cpe": "cpe:2.3:a:nodejs:node.js:24.0.0:*:*:*:*:*:*:*", "source": "nvd-cpe-dictionary"}
    of = collected(found("node", kind="binary", cpes=[guessed, known]), found("a", cpes=[guessed]))
    node, other = of.components["pkg:binary/node@1.0.0"], of.components["pkg:npm/a@1.0.0"]
    assert (node.cpe, node.kind, node.supplier) == (known["cpe"], "application", "nodejs")
    assert other.cpe == ""


def test_an_image_of_nothing_is_an_error() -> None:
    with pytest.raises(ToolError, match="não achou componente algum"):
        collected()


def test_hostile_names_stand_in_every_format() -> None:
    hostile = "\x1b[31m<script>&\"'\u202e ]]> \ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    of = collected(
        found(
            hostile,
            hostile,
            at=f"/{hostile}",
            purl="not a purl",
            licenses=[{"value": hostile}],
            metadata={"author": hostile},
        ),
        found("x" * 5000, licenses=[{"value": "y" * 5000}], metadata={"author": ["z" * 5000] * 9}),
    )
    documents = render_documents(graph(of), "x", spdx=True)
    for data in documents.values():
        assert b"\x1b" not in data
        assert "\u202e" not in data.decode()


@pytest.mark.parametrize(
    ("ecosystem", "name", "metadata", "supplier"),
    [
        ("deb", "libc6", {"maintainer": "GNU Libc Maintainers <a@example.org>"}, "GNU Libc Maintainers"),
        ("deb", "x", {"maintainer": "<a@example.org>"}, "a@example.org"),
        ("rpm", "x", {"vendor": "Fedora Project"}, "Fedora Project"),
        ("npm", "x", {"author": "Ana (https://ana.example)"}, "Ana"),
        ("npm", "x", {"author": "", "url": "git+https://github.com/owner/x.git"}, "github.com/owner"),
        ("npm", "x", {"url": "git@github.com:owner/x.git"}, "github.com/owner"),
        ("npm", "x", {"url": "github:owner/x"}, "github.com/owner"),
        ("npm", "x", {"homepage": "https://example.org/x"}, "npm: x"),
        ("npm", "x", {"url": "https://[bad"}, "npm: x"),
        ("npm", "@scope/x", {}, "npm: @scope"),
        ("npm", "x", {"private": True}, ""),
        ("gem", "x", {"authors": ["Ana", {"name": "Bia <b@example.org>"}, 3]}, "Ana, Bia"),
        ("golang", "github.com/a/b/v2", {}, "github.com/a"),
        ("golang", "stdlib", {}, "stdlib"),
        ("maven", "x", {"pomProperties": {"groupId": "org.example"}}, "Maven: org.example"),
        ("maven", "x", {"pomProperties": {}}, "Maven: x"),
        ("generic", "x", {}, ""),
        ("npm", "x", {"author": "unknown"}, "npm: x"),
    ],
)
def test_a_supplier_is_said_found_or_registered(
    ecosystem: str, name: str, metadata: dict[str, Any], supplier: str
) -> None:
    assert supplier_of(ecosystem, name, metadata) == supplier

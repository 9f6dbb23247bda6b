"""One graph in three formats: each is valid, and all say the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pipeline.domain.sbom import Sbom
from pipeline.errors import InputError, ToolError
from pipeline.sbom.cdx_json import dump_cyclonedx, serial_number
from pipeline.sbom.cdx_load import load_cyclonedx
from pipeline.sbom.documents import render_documents
from pipeline.sbom.validate import verify_cyclonedx, verify_cyclonedx_xml, verify_spdx
from sbomkit import ROOT_REF, component, distribution, read_json, read_spdx, read_xml, sbom


@pytest.fixture(scope="module")
def graph() -> Sbom:
    """Everything that a component can say."""
    return sbom(
        component("a", licence="MIT OR Apache-2.0", properties=(("appgear:x", "y z"),)),
        component("@s/b", "2.0.0-rc.1", licence="LicenseRef-own", declared="GPL <&> \"'"),
        component("c", licence="", supplier="", digests=()),
        component("d", licence="GPL-2.0-only WITH Classpath-exception-2.0", places=("/app/d", "/app/é ü")),
        component("e", kind="deb", cpe="cpe:2.3:a:nodejs:node.js:24.0.0:*:*:*:*:*:*:*"),
        component("f", licence="BSD-3-Clause", distributions=(distribution("https://a.example/f", "zip", "cd" * 32),)),
        edges={"": ["a"], "a": ["@s/b", "c"], "@s/b": ["d"], "d": ["a"]},
        incomplete=("deb",),
    )


@pytest.fixture(scope="module")
def documents(graph: Sbom) -> dict[str, bytes]:
    return render_documents(graph, "x", spdx=True)


def test_json_and_xml_are_the_same_to_another_reader(documents: dict[str, bytes], graph: Sbom) -> None:
    one, other = read_json(documents["x.cdx.json"]), read_xml(documents["x.cdx.xml"])
    assert one == other
    assert one.components.keys() == {ROOT_REF, *(each.ref for each in graph.components)}
    assert one.edges == {ref: set(needed) for ref, needed in graph.dependencies}
    assert one.serial == serial_number(graph).removeprefix("urn:uuid:")


def test_spdx_has_the_same_packages(documents: dict[str, bytes], graph: Sbom) -> None:
    document = read_spdx(documents["x.spdx.json"])
    known = {each.name: each for each in (graph.root, *graph.components)}
    assert {each.name for each in document.packages} == known.keys()
    for package in document.packages:
        wanted = known[package.name]
        assert package.version == wanted.version
        assert [each.locator for each in package.external_references if each.reference_type == "purl"] == [wanted.purl]
        assert [each.value for each in package.checksums] == [each.content for each in wanted.digests]
        assert str(package.license_declared) == (wanted.licence or "NOASSERTION")
    names = {each.spdx_id: each.name for each in document.packages}
    refs = {each.ref: each.name for each in (graph.root, *graph.components)}
    edges = {
        (names[each.spdx_element_id], names[each.related_spdx_element_id])
        for each in document.relationships
        if each.relationship_type.name == "DEPENDS_ON"
    }
    assert edges == {(refs[ref], refs[other]) for ref, needed in graph.dependencies for other in needed}
    assert document.creation_info.document_namespace.endswith(serial_number(graph).rpartition(":")[2])


def test_our_own_json_comes_back_whole(documents: dict[str, bytes], graph: Sbom) -> None:
    assert load_cyclonedx(documents["x.cdx.json"], where="x") == graph


def test_the_serial_number_is_the_contents(graph: Sbom) -> None:
    assert serial_number(graph) == serial_number(replace(graph))
    others = [
        replace(graph, created="2026-11-22T10:00:01Z"),
        replace(graph, components=graph.components[1:]),
        replace(graph, root=replace(graph.root, version="1.0.1")),
    ]
    assert len({serial_number(each) for each in (graph, *others)}) == 4


def _mutations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Documents that are each wrong in one way."""
    wrong = [json.loads(json.dumps(document)) for _ in range(8)]
    wrong[0]["serialNumber"] = "urn:uuid:x"
    wrong[1]["metadata"]["timestamp"] = "yesterday"
    wrong[2]["components"][0]["unheardOf"] = 1
    wrong[3]["components"][0]["type"] = "thing"
    wrong[4]["components"].append(wrong[4]["components"][0])
    wrong[5]["components"][0]["licenses"] = [{"license": {"id": "NOT-SPDX"}}]
    wrong[6]["components"][0]["hashes"] = [{"alg": "SHA-256", "content": "zz"}]
    del wrong[7]["bomFormat"]
    return wrong


def test_our_strict_check_is_as_strict_as_the_librarys(documents: dict[str, bytes]) -> None:
    theirs = JsonStrictValidator(SchemaVersion.V1_6)
    document = json.loads(documents["x.cdx.json"])
    verify_cyclonedx(documents["x.cdx.json"], where="x")
    assert theirs.validate_str(json.dumps(document)) is None
    for wrong in _mutations(document):
        assert theirs.validate_str(json.dumps(wrong)) is not None
        with pytest.raises(ToolError, match="não segue o padrão"):
            verify_cyclonedx(json.dumps(wrong).encode(), where="x")


def test_wrong_xml_and_spdx_are_refused(documents: dict[str, bytes]) -> None:
    with pytest.raises(ToolError, match="não segue o padrão"):
        verify_cyclonedx_xml(documents["x.cdx.xml"].replace(b"<name>portal</name>", b""), where="x")
    for old, new in ((b"SPDX-2.3", b"SPDX-9.9"), (b'"licenseDeclared": "MIT', b'"licenseDeclared": "MTI')):
        with pytest.raises(ToolError, match="não segue o padrão"):
            verify_spdx(documents["x.spdx.json"].replace(old, new), where="x")
    broken = json.loads(documents["x.spdx.json"])
    del broken["packages"][0]["name"]
    with pytest.raises(ToolError, match="não segue o padrão"):
        verify_spdx(json.dumps(broken).encode(), where="x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"bomFormat": "SPDX"}',
        b'{"bomFormat": "CycloneDX", "components": [{}]}',
        b"[" * 9000,
    ],
)
def test_what_is_no_cyclonedx_is_told(data: bytes) -> None:
    with pytest.raises(InputError, match="não é um SBOM CycloneDX"):
        load_cyclonedx(data, where="x.json")


def test_documents_of_other_tools_are_read_as_far_as_they_go() -> None:
    other = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "metadata": {"tools": [{"name": "syft"}]},
        "components": [
            {"name": "b", "group": "@g", "licenses": [{"license": {"name": "GPL 2"}}], "components": [{"name": "c"}]},
            {"name": "d", "version": "1", "type": "file"},
        ],
        "dependencies": [{"ref": "@g/b@", "dependsOn": ["nowhere", "d@1", "@g/b@"]}, {"ref": "nowhere"}],
    }
    graph = load_cyclonedx(json.dumps(other).encode(), where="x")
    assert [each.name for each in graph.components] == ["@g/b", "c", "d"]
    assert dict(graph.dependencies)["@g/b@"] == ("d@1",)
    assert dump_cyclonedx(graph, serial_number(graph))

"""What changed between two SBOMs."""

from __future__ import annotations

from typing import Any

from pipeline.domain.sbom import Component, Digest
from pipeline.report.sbom import change_lines
from pipeline.sbom.compare import compare
from pipeline.sbom.licences import judge_licences
from sbomkit import component, sbom

OTHER = (Digest(algorithm="SHA-256", content="cd" * 32),)


def changed(before: list[Component], after: list[Component]) -> list[tuple[Any, ...]]:
    change = compare(sbom(*before), sbom(*after))
    return [(each.name, each.before, each.after, each.altered) for each in change.changed]


def test_nothing_changed() -> None:
    graph = sbom(component("a"), component("b"))
    change = compare(graph, graph)
    assert (change.added, change.removed, change.changed, change.licences_new, change.licences_gone) == ((),) * 5
    assert "nenhum componente mudou" in list(change_lines(change, ()))


def test_added_removed_and_new_licences() -> None:
    change = compare(
        sbom(component("a"), component("b", licence="ISC")),
        sbom(component("a"), component("c", licence="MIT AND 0BSD"), component("a", kind="deb")),
    )
    assert [(each.ecosystem, each.name) for each in change.added] == [("deb", "a"), ("npm", "c")]
    assert [each.name for each in change.removed] == ["b"]
    assert (change.licences_new, change.licences_gone) == (("0BSD",), ("ISC",))
    assert (change.total_before, change.total_after) == (2, 3)


def test_versions_side_by_side_are_one_package() -> None:
    before = [component("a", "1.0.0"), component("a", "2.0.0")]
    assert changed(before, [component("a", "1.0.0"), component("a", "2.1.0")]) == [("a", ("2.0.0",), ("2.1.0",), False)]
    assert changed(before, [component("a", "2.0.0")]) == [("a", ("1.0.0",), (), False)]
    assert changed([component("a", "1.0.0")], before) == [("a", (), ("2.0.0",), False)]


def test_the_same_version_with_another_file_is_told() -> None:
    assert changed([component("a")], [component("a", digests=OTHER)]) == [("a", ("1.0.0",), ("1.0.0",), True)]
    assert not changed([component("a")], [component("a", digests=())])
    change = compare(sbom(component("a")), sbom(component("a", digests=OTHER)))
    assert any("mesma versão, outro arquivo" in line for line in change_lines(change, ()))


def test_another_licence_of_the_same_version_is_told() -> None:
    change = compare(sbom(component("a")), sbom(component("a", licence="BUSL-1.1")))
    (found,) = change.changed
    assert (found.licence_before, found.licence_after, found.altered) == ("MIT", "BUSL-1.1", False)
    lines = list(
        change_lines(change, judge_licences(sbom(component("a", licence="BUSL-1.1")), deny=["BUSL-1.1"], warn=[]))
    )
    assert "~ npm a 1.0.0 → 1.0.0; licença MIT → BUSL-1.1" in lines
    assert "! licença negada (CRITICA): a 1.0.0: BUSL-1.1 (por BUSL-1.1)" in lines

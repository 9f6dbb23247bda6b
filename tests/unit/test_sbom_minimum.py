"""An SBOM that lost something is found out, and its gaps are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.sbom import Sbom
from pipeline.errors import ToolError
from pipeline.report.sbom import Bill, render_sboms
from pipeline.sbom.graph import anchored
from pipeline.sbom.minimum import check_minimum, summarise, verify_graph
from sbomkit import ROOT_REF, component, sbom

WHOLE = sbom(component("a"), component("b"), edges={"": ["a"], "a": ["b"]})


def test_a_whole_one_has_every_element() -> None:
    assert check_minimum(WHOLE).percent == 100.0
    verify_graph(WHOLE, where="x")


@pytest.mark.parametrize(
    ("element", "graph"),
    [
        ("supplier", sbom(component("a", supplier=""))),
        ("version", sbom(component("a", ""))),
        ("identifier", sbom(component("a", purl=""))),
        ("name", replace(WHOLE, root=replace(WHOLE.root, name=""))),
        ("author", replace(WHOLE, author="")),
        ("timestamp", replace(WHOLE, created="")),
        ("relationship", replace(WHOLE, dependencies=((ROOT_REF, ()), *WHOLE.dependencies[1:]))),
    ],
)
def test_each_element_that_lacks_is_named(element: str, graph: Sbom) -> None:
    minimum = check_minimum(graph)
    assert [each.name for each in minimum.elements if each.missing] == [element]
    assert minimum.percent < 100.0


def test_one_of_very_many_is_not_rounded_away() -> None:
    many = sbom(component("z", supplier=""), *(component(f"a{number}") for number in range(3000)))
    assert check_minimum(many).percent == 99.9


@pytest.mark.parametrize(
    ("said", "graph"),
    [
        ("nenhum componente", sbom()),
        ("a raiz não tem nome", replace(WHOLE, root=replace(WHOLE.root, version=""))),
        ("duas vezes", replace(WHOLE, components=(*WHOLE.components, WHOLE.components[0]))),
        ("não cobrem", replace(WHOLE, dependencies=WHOLE.dependencies[:-1])),
        ("quem não está", replace(WHOLE, dependencies=(*WHOLE.dependencies[:-1], (WHOLE.components[1].ref, ("x",))))),
        ("não alcança", replace(WHOLE, dependencies=((ROOT_REF, ()), *WHOLE.dependencies[1:]))),
    ],
)
def test_a_graph_that_does_not_hold_together_is_refused(said: str, graph: Sbom) -> None:
    with pytest.raises(ToolError, match=said):
        verify_graph(graph, where="x")


def test_every_component_hangs_on_the_root() -> None:
    edges = anchored("r", ["a"], {"a": ["b", "a", "gone"], "b": [], "c": ["b"], "d": ["e"], "e": ["d"]})
    assert edges == (("r", ("a", "c", "d")), ("a", ("b",)), ("b", ()), ("c", ("b",)), ("d", ("e",)), ("e", ("d",)))


def test_the_summary_counts_what_is_not_known() -> None:
    graph = sbom(component("a", licence="", digests=()), component("b", supplier=""), component("c", kind="deb"))
    summary = summarise(graph)
    assert summary.total == 3
    assert summary.by_ecosystem == {"deb": 1, "npm": 2}
    assert summary.licences == {"MIT": 2, "NOASSERTION": 1}
    assert summary.unknown_licence == summary.unhashed == ("pkg:npm/a@1.0.0",)
    assert summary.unknown_supplier == ("pkg:npm/b@1.0.0",)
    bill = Bill(name="x", title="Imagem | `x`", files=("x.cdx.json",), sbom=graph, summary=summary, findings=())
    report = render_sboms([bill]).decode()
    assert "| licença | 1 | `pkg:npm/a@1.0.0` |" in report
    assert "## Imagem \\| `x`" in report
    assert "Elementos mínimos da NTIA: 95,4 %" in report

"""Whatever packages say of themselves, the documents are valid and say it alike."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codec import visible
from pipeline.domain.sbom import Component, Sbom
from pipeline.sbom.cdx_load import load_cyclonedx
from pipeline.sbom.compare import compare
from pipeline.sbom.documents import render_documents
from pipeline.sbom.licences import licences_in, normalise
from pipeline.sbom.texts import clean, clean_purl
from sbomkit import component, read_json, read_xml, sbom

TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
LICENCES = st.lists(
    st.one_of(
        TEXTS,
        st.sampled_from(
            ["MIT", "GPL-2.0+", "GPL", "(ISC OR 0BSD)", "BSD-3-Clause AND foo", "a WITH b", "MIT AND", ")"]
        ),
    ),
    max_size=3,
)


@st.composite
def components(draw: st.DrawFn) -> Component:
    name = clean(draw(TEXTS)) or "x"
    declared = draw(LICENCES)
    return component(
        name,
        clean(draw(TEXTS)),
        ref=f"r{draw(st.integers(0, 10**6))}",
        purl=clean_purl(f"pkg:npm/{name}"),
        licence=normalise(declared),
        declared=clean(" ".join(declared)),
        supplier=clean(draw(TEXTS)),
        places=tuple(place for each in draw(st.lists(TEXTS, max_size=2, unique=True)) if (place := clean(each))),
    )


@st.composite
def graphs(draw: st.DrawFn) -> Sbom:
    made = draw(
        st.lists(components(), min_size=1, max_size=4, unique_by=(lambda each: each.ref, lambda each: each.name))
    )
    names = [each.name for each in made]
    edges = draw(st.dictionaries(st.sampled_from(names), st.lists(st.sampled_from(names), max_size=3), max_size=4))
    return sbom(*made, edges=edges)


@given(graphs())
@settings(max_examples=40)
def test_every_format_takes_any_text(graph: Sbom) -> None:
    made = render_documents(graph, "x", spdx=True)
    assert load_cyclonedx(made["x.cdx.json"], where="x") == graph
    assert read_json(made["x.cdx.json"]) == read_xml(made["x.cdx.xml"])
    for data in made.values():
        assert visible(data.decode()) == data.decode()
    assert not compare(graph, graph).changed


@given(LICENCES)
@settings(max_examples=300)
def test_a_licence_stays_what_it_became(declared: list[str]) -> None:
    once = normalise(declared)
    assert normalise([once]) == once
    assert bool(licences_in(once)) == bool(once)


@given(TEXTS)
def test_a_clean_text_stays(text: str) -> None:
    assert clean(clean(text)) == clean(text)

"""What an SBOM must have at least: NTIA's elements, and no component that nobody can reach."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.domain.sbom import Minimum, MinimumElement, SbomSummary
from pipeline.errors import ToolError
from pipeline.sbom.graph import reach
from pipeline.sbom.licences import UNKNOWN, licences_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.domain.sbom import Component, Sbom

__all__ = ["check_minimum", "summarise", "verify_graph"]

_SHOWN = 20
_COMPONENT_ELEMENTS: tuple[tuple[str, Callable[[Component], bool]], ...] = (
    ("supplier", lambda each: bool(each.supplier)),
    ("name", lambda each: bool(each.name)),
    ("version", lambda each: bool(each.version)),
    ("identifier", lambda each: bool(each.purl or each.cpe)),
)


def check_minimum(sbom: Sbom) -> Minimum:
    """NTIA's seven data fields ("The Minimum Elements For a Software Bill of Materials", July 2021).

    Supplier, name, version, another unique identifier and dependency relationship of every component, the root too;
    author and timestamp of the document.
    """
    everything = (sbom.root, *sbom.components)
    related = reach({sbom.root.ref}, dict(sbom.dependencies))
    elements = [
        _element(name, [each.ref for each in everything if not has(each)], len(everything))
        for name, has in _COMPONENT_ELEMENTS
    ]
    elements.append(
        _element("relationship", [each.ref for each in everything if each.ref not in related], len(everything))
    )
    elements.append(_element("author", [] if sbom.author else [sbom.root.ref], 1))
    elements.append(_element("timestamp", [] if sbom.created else [sbom.root.ref], 1))
    present, total = sum(each.present for each in elements), sum(each.total for each in elements)
    # Rounded down: 100 is said only where nothing lacks.
    return Minimum(elements=tuple(elements), percent=present * 1000 // total / 10)


def _element(name: str, missing: list[str], total: int) -> MinimumElement:
    return MinimumElement(name=name, present=total - len(missing), total=total, missing=tuple(missing[:_SHOWN]))


def verify_graph(sbom: Sbom, *, where: str) -> None:
    """ToolError when the graph is empty or does not hold together: an SBOM of nothing is never written."""
    refs = [sbom.root.ref, *(each.ref for each in sbom.components)]
    known = set(refs)
    faults = [
        *(["nenhum componente"] if not sbom.components else []),
        *(["a raiz não tem nome ou versão"] if not (sbom.root.name and sbom.root.version) else []),
        *(["duas vezes a mesma referência"] if len(known) != len(refs) else []),
        *(["dependências não cobrem os componentes"] if [ref for ref, _ in sbom.dependencies] != refs else []),
        *(["dependência de quem não está lá"] if any(set(to) - known for _, to in sbom.dependencies) else []),
        *(["componente que a raiz não alcança"] if known - reach({sbom.root.ref}, dict(sbom.dependencies)) else []),
    ]
    if faults:
        raise ToolError(
            f"o SBOM não se sustenta: {'; '.join(faults)}", where=where, mend="confira a imagem e a ferramenta"
        )


def summarise(sbom: Sbom) -> SbomSummary:
    """The SBOM in figures, and what it does not know. ``licences`` counts components by single licence."""
    components = sbom.components
    named = Counter(name for each in components for name in licences_in(each.licence) or (UNKNOWN,))
    ecosystems = Counter(each.ecosystem or "outro" for each in components)
    return SbomSummary(
        total=len(components),
        by_ecosystem=dict(sorted(ecosystems.items())),
        licences=dict(sorted(named.items(), key=lambda row: (-row[1], row[0]))),
        unknown_licence=tuple(each.ref for each in components if not each.licence),
        unknown_supplier=tuple(each.ref for each in components if not each.supplier),
        unknown_version=tuple(each.ref for each in components if not each.version),
        unhashed=tuple(each.ref for each in components if not _is_hashed(each)),
        edges=sum(len(needed) for _, needed in sbom.dependencies),
        incomplete=sbom.incomplete,
        minimum=check_minimum(sbom),
    )


def _is_hashed(component: Component) -> bool:
    return bool(component.digests) or any(each.digests for each in component.distributions)

"""``sbom.md``, the lines of the console, and a comparison as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.report.text import code, counted, encode, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.sbom import ChangedComponent, LicenceFinding, NamedComponent, Sbom, SbomChange, SbomSummary

__all__ = ["Bill", "change_lines", "render_sboms", "sbom_lines"]

_ELEMENTS = {
    "supplier": "fornecedor",
    "name": "nome",
    "version": "versão",
    "identifier": "outro identificador único",
    "relationship": "relação de dependência",
    "author": "autor do SBOM",
    "timestamp": "data",
}
_RULES = {"deny": "negada", "warn": "aviso"}
_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """One SBOM as reports need it. ``name`` is what its files are called, ``title`` what it is of."""

    name: str
    title: str
    files: tuple[str, ...]
    sbom: Sbom
    summary: SbomSummary
    findings: tuple[LicenceFinding, ...]


def sbom_lines(bill: Bill) -> Iterator[str]:
    """What the console says of one SBOM."""
    summary = bill.summary
    kinds = " · ".join(f"{name} {count}" for name, count in summary.by_ecosystem.items())
    yield f"SBOM              {plain(bill.title)}: {counted(summary.total, 'componente', 'componentes')} ({kinds})"
    licences = f"{counted(len(summary.licences), 'licença', 'licenças')}, {_unknown(summary)}"
    yield f"                  {licences}; elementos mínimos da NTIA: {_percent(summary)}"
    for each in bill.findings:
        yield f"                  licença {_RULES[each.rule]} ({each.severity}): {_finding(each)}"


def render_sboms(bills: Sequence[Bill]) -> bytes:
    """``sbom.md``: counts, licences, and what is not known."""
    return encode(["# SBOM", *(part for bill in bills for part in _sections(bill))])


def _sections(bill: Bill) -> Iterator[str]:
    root, summary = bill.sbom.root, bill.summary
    yield f"## {plain(bill.title)}"
    facts = [
        ("componente raiz", f"{plain(root.name)} {plain(root.version)}"),
        *((each.algorithm, code(each.content)) for each in root.digests),
        ("data", plain(bill.sbom.created) or "nenhuma: defina SOURCE_DATE_EPOCH"),
        ("feito com", ", ".join(plain(f"{each.name} {each.version}") for each in bill.sbom.tools)),
        *((plain(name), code(value)) for name, value in bill.sbom.properties),
    ]
    yield table(("fato", "valor"), facts)
    yield f"Arquivos: {', '.join(code(name) for name in bill.files)}."
    yield "### Componentes"
    yield table(("ecossistema", "componentes"), [(plain(name), str(n)) for name, n in summary.by_ecosystem.items()])
    edges = counted(summary.edges, "dependência direta", "dependências diretas")
    known = "todas conhecidas" if not summary.incomplete else f"incompletas em {plain(', '.join(summary.incomplete))}"
    yield f"{counted(summary.total, 'componente', 'componentes')}, {edges} ({known})."
    yield "### Licenças"
    yield table(("licença", "componentes"), [(code(name), str(count)) for name, count in summary.licences.items()])
    if bill.findings:
        rows = [(each.severity, _RULES[each.rule], plain(_finding(each))) for each in bill.findings]
        yield "### Licenças que a política não quer"
        yield table(("severidade", "regra", "componente"), rows)
    yield from _gaps(summary)


def _gaps(summary: SbomSummary) -> Iterator[str]:
    yield "### O que não se sabe"
    gaps = (
        ("licença", summary.unknown_licence),
        ("fornecedor", summary.unknown_supplier),
        ("versão", summary.unknown_version),
        ("hash do arquivo de origem", summary.unhashed),
    )
    yield table(("falta", "componentes", "quais"), [(name, str(len(refs)), _listed(refs)) for name, refs in gaps])
    yield f"### Elementos mínimos da NTIA: {_percent(summary)}"
    yield table(
        ("elemento", "presente em", "falta em"),
        [
            (_ELEMENTS[each.name], f"{each.present} de {each.total}", _listed(each.missing))
            for each in summary.minimum.elements
        ],
    )


def change_lines(change: SbomChange, findings: Sequence[LicenceFinding]) -> Iterator[str]:
    """A comparison for the terminal; nothing is left out."""
    yield f"componentes: {change.total_before} antes, {change.total_after} depois"
    for sign, rows in (("+", change.added), ("-", change.removed)):
        for each in rows:
            yield f"{sign} {_named(each)}"
    for changed in change.changed:
        yield f"~ {_changed(changed)}"
    if not (change.added or change.removed or change.changed):
        yield "nenhum componente mudou"
    for sign, names in (("+", change.licences_new), ("-", change.licences_gone)):
        for name in names:
            yield f"{sign} licença {name}"
    for found in findings:
        yield f"! licença {_RULES[found.rule]} ({found.severity}): {_finding(found)}"


def _named(each: NamedComponent) -> str:
    return f"{each.ecosystem or 'outro'} {each.name} {each.version} ({each.licence or 'licença desconhecida'})"


def _changed(each: ChangedComponent) -> str:
    before, after = ", ".join(each.before) or "(fica)", ", ".join(each.after) or "(sai)"
    told = f"{each.ecosystem or 'outro'} {each.name} {before} → {after}"
    if each.altered:
        told = f"{each.ecosystem or 'outro'} {each.name} {after}: mesma versão, outro arquivo (hash diferente)"
    if each.licence_before != each.licence_after:
        told += f"; licença {each.licence_before or 'desconhecida'} → {each.licence_after or 'desconhecida'}"
    return told


def _finding(each: LicenceFinding) -> str:
    return f"{each.component} {each.version}: {each.licence} (por {', '.join(each.matched)})"


def _unknown(summary: SbomSummary) -> str:
    count = len(summary.unknown_licence)
    return f"{counted(count, 'componente', 'componentes')} sem licença conhecida"


def _percent(summary: SbomSummary) -> str:
    return f"{summary.minimum.percent:.1f} %".replace(".", ",")


def _listed(refs: Sequence[str]) -> str:
    shown = ", ".join(code(each) for each in refs[:_SHOWN])
    return f"{shown} e mais {len(refs) - _SHOWN}" if len(refs) > _SHOWN else shown or "–"

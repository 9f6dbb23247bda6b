"""The executive panel: what the index tells about sprints, modules and branches, as one page with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity
from pipeline.domain.kpi import MATURITY_LEVELS
from pipeline.report.charts import Cell, Event, Line, matrix_svg, timeline_svg, trend_svg
from pipeline.report.pages import page_template
from pipeline.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.kpi import IndexReport, IndexRow, KpiRow
    from pipeline.report.charts import Kind, Level, Picture

__all__ = ["Panel", "render_panel"]

_MAX_LINES = 30
_MAX_MODULES = 18
_KINDS: dict[str, Kind] = {"aprovado": "ok", "condicional": "media", "bloqueado": "crit", "erro": "crit"}
_TAGS = {"aprovado": "ok", "condicional": "media", "bloqueado": "crit", "erro": "crit", "interrompido": "crit"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The same selection by sprint, by module and by branch. ``selected`` says in pt-BR what was asked for."""

    sprints: IndexReport
    modules: IndexReport
    branches: IndexReport
    selected: str


def render_panel(panel: Panel) -> bytes:
    """The page: no script, nothing fetched, no time of its own; the same index gives the same bytes."""
    lines = panel.sprints.lines
    text = page_template("painel.html.j2").render(
        panel=panel,
        total=panel.sprints.total,
        level=MATURITY_LEVELS[panel.sprints.total.maturity],
        first=lines[0].recorded_at if lines else "",
        last=lines[-1].recorded_at if lines else "",
        modules=len(panel.modules.rows),
        pictures=_pictures(panel),
        growth=_growth(panel.sprints.rows),
        tables=(("Por sprint", panel.sprints), ("Por módulo", panel.modules), ("Por branch", panel.branches)),
        lines=lines[: -_MAX_LINES - 1 : -1],
        severities=tuple(Severity),
        tags=_TAGS,
        number=_number,
        counted=counted,
    )
    return text.encode()


def _pictures(panel: Panel) -> tuple[tuple[str, Picture], ...]:
    rows = panel.sprints.rows
    return (
        (
            "Risco residual",
            _over(
                "risco", "Risco residual por sprint, de 0 a 100", rows, ceiling=100,
                lines=(
                    ("Pior", [each.residual_worst for each in rows]),
                    ("Médio", [each.residual_mean for each in rows]),
                ),
            ),
        ),
        (
            "Não conformidades em aberto",
            _over(
                "nc", "NC em aberto no fim de cada sprint", rows,
                lines=tuple(
                    (name, [_open(each, severities) for each in rows])
                    for name, severities in (
                        ("Crítica", (Severity.CRITICA,)),
                        ("Alta", (Severity.ALTA,)),
                        ("Média e baixa", (Severity.MEDIA, Severity.BAIXA)),
                    )
                ),
            ),
        ),
        (
            "Velocidade de resolução",
            _over(
                "dias", "Dias até resolver uma NC, por sprint em que foi resolvida", rows,
                lines=(
                    ("Média", [each.resolution.mean_days for each in rows]),
                    ("Mediana", [each.resolution.median_days for each in rows]),
                ),
                unit=" d",
            ),
        ),
        (
            "Cobertura de testes e de SBOM",
            _over(
                "cobertura", "Cobertura de testes e de SBOM por sprint", rows, ceiling=100,
                lines=(("Testes", [each.coverage for each in rows]), ("SBOM", [each.sbom for each in rows])),
                unit=" %",
            ),
        ),
        ("Onde estão as NC", _matrix(panel.modules.rows)),
        ("Os módulos no tempo", _timeline(panel.sprints.lines)),
    )  # fmt: skip


def _growth(rows: Sequence[KpiRow]) -> Picture:
    return _over(
        "maturidade",
        "Maturidade da esteira por sprint, de 0 a 5",
        rows,
        lines=(("Nível", [each.maturity for each in rows]),),
        ceiling=5,
    )


def _over(
    name: str,
    title: str,
    rows: Sequence[KpiRow],
    *,
    lines: Sequence[tuple[str, Sequence[float | None]]],
    ceiling: float | None = None,
    unit: str = "",
) -> Picture:
    return trend_svg(
        name,
        title,
        [each.label for each in rows],
        [Line(name=line, values=tuple(values)) for line, values in lines],
        ceiling=ceiling,
        unit=unit,
    )


def _open(row: KpiRow, severities: Sequence[Severity]) -> float | None:
    return sum(row.open.get(each, 0) for each in severities) if row.measured else None


def _matrix(rows: Sequence[KpiRow]) -> Picture:
    """Modules by severity, those with the worst findings on top."""
    worst = sorted(rows, key=lambda each: (*(-each.open.get(severity, 0) for severity in Severity), each.label))
    shown = worst[:_MAX_MODULES]
    title = "NC em aberto por módulo e severidade"
    more = f" (os {len(shown)} piores de {len(rows)} módulos)" if len(rows) > len(shown) else ""
    levels: tuple[Level, ...] = ("top", "high", "mid", "low")
    return matrix_svg(
        "modulos",
        title + more,
        rows=[each.label for each in shown],
        columns=[str(each) for each in Severity],
        cells={
            (y, x): Cell(level=levels[x], count=each.open.get(severity, 0))
            for y, each in enumerate(shown)
            for x, severity in enumerate(Severity)
        },
    )


def _timeline(lines: Sequence[IndexRow]) -> Picture:
    """Each module from its first to its newest execution, in the colour of its newest verdict."""
    found: dict[str, list[IndexRow]] = {}
    for each in lines:
        found.setdefault(each.module, []).append(each)
    events = []
    for module, own in sorted(found.items()):
        judged = [each for each in own if each.verdict in _KINDS]
        start, end = (date.fromisoformat(each.recorded_at[:10]) for each in (own[0], own[-1]))
        verdict = judged[-1].verdict if judged else "sem veredito"
        events.append(
            Event(
                name=module,
                start=start,
                end=end if end != start else None,
                kind=_KINDS.get(verdict, "soft"),
                note=f"{verdict}, {counted(len(own), 'execução', 'execuções')}",
            )
        )
    return timeline_svg("tempo", "Da primeira à última execução de cada módulo", events)


def _number(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{value:.1f}".removesuffix(".0").replace(".", ",") + unit

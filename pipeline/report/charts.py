"""Pictures for the pages: trend, timeline and risk matrix as inline SVG, and every value again as a table.

pygal computes the geometry, ``chart_shapes`` says what of it reaches a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pipeline.codec import visible
from pipeline.report.chart_shapes import LIGHT, WIDTH, Picture, draw, paint_axes, plotting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "CHART_CSS",
    "Cell",
    "Event",
    "Kind",
    "Level",
    "Line",
    "Picture",
    "matrix_svg",
    "timeline_svg",
    "trend_svg",
]

Level = Literal["low", "mid", "high", "top"]
Kind = Literal["ok", "media", "crit", "baixa", "soft"]

CHART_CSS = """.chart { display: block; width: 100%; min-width: 28rem; max-width: 46rem; height: auto; }
.chart .tick { fill: var(--soft); } .chart .grid { stroke: var(--line); }
.chart .count { fill: var(--fg); } .chart .count.strong { fill: #fff; } .chart .empty { opacity: .3; }
.chart .s0 { stroke: var(--link); } .chart .s1 { stroke: var(--alta); } .chart .s2 { stroke: var(--ok); }
.chart .cell { stroke: var(--bg); } .chart .low { fill: var(--low); } .chart .mid { fill: var(--mid); }
.chart .high { fill: var(--high); } .chart .top { fill: var(--top); }
.chart .ok { stroke: var(--ok); } .chart .media { stroke: var(--media); } .chart .crit { stroke: var(--crit); }
.chart .baixa { stroke: var(--baixa); } .chart .soft { stroke: var(--soft); } .chart .dot { fill: var(--bg); }
@media print { .chart { min-width: 0; max-width: 100%; } }
"""
"""The pictures in the variables of ``evidencias.html``; the figure's container scrolls sideways where it is narrow."""

_STROKES = ("contínua", "tracejada", "pontilhada")
_CHARACTER = 8  # width of one in a label, generously
_LABEL_CHARACTERS = 22
_MAX_ROWS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One value for each label; None where there is none, which interrupts the line."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A row of the timeline: from ``start`` to ``end``, or a moment without one. ``note`` stands in the table."""

    name: str
    start: date
    end: date | None = None
    kind: Kind = "soft"
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """``level`` colours the cell, which is pale where ``count`` is 0."""

    level: Level
    count: int = 0


def trend_svg(
    name: str, title: str, labels: Sequence[str], lines: Sequence[Line], *, ceiling: float | None = None, unit: str = ""
) -> Picture:
    """One to three lines over the same labels, from 0 to ``ceiling`` or the greatest value.

    ``name`` (``[a-z0-9-]``) begins the picture's ids: each of a page needs its own.
    """
    heads = ("Período", *(line.name for line in lines))
    if not labels:
        return draw(None, name, title, heads=heads)
    known = [value for line in lines for value in line.values if value is not None]
    many = len(lines) > 1
    chart = plotting().Line(
        **_options(260),
        range=(0, ceiling or _round_up(max([1.0, *known]))),
        allow_interruptions=True,
        x_labels_major_every=_label_step(labels),
        margin_right=8 + _label_width(labels) // 2,  # half of the last label stands outside the plot
        margin_left=max(8, _label_width(labels) // 2 - 30),  # of the first one the vertical axis leaves room for some
        show_minor_x_labels=False,
        show_legend=many,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(lines),
        max_scale=6,
    )
    chart.value_formatter = _number
    chart.x_labels = [_short(each) for each in labels]
    for index, line in enumerate(lines):
        chart.add(f"{_short(line.name)} ({_STROKES[index]})", list(line.values))
    told = "; ".join(_course(line, labels, unit) for line in lines) if known else "nenhum valor"
    rows = [(label, *(_amount(line.values[at], unit) for line in lines)) for at, label in enumerate(labels)]
    return draw(chart, name, title, told=told, heads=heads, rows=rows, paint=_paint_trend)


def timeline_svg(name: str, title: str, events: Sequence[Event]) -> Picture:
    """A row for each event, the first on top. The picture shows the first 40, the table all."""
    heads = ("O quê", "De", "Até", "Observação")
    shown = events[:_MAX_ROWS]
    if not shown:
        return draw(None, name, title, heads=heads)
    days = [day.toordinal() for each in shown for day in (each.start, each.end or each.start)]
    margin = max(1, (max(days) - min(days)) // 30)
    chart = plotting().XY(
        **_options(50 + 28 * len(shown)),
        range=(-0.5, len(shown) - 0.5),
        xrange=(min(days) - margin, max(days) + margin),
        show_legend=False,
    )
    chart.x_labels = [{"value": each, "label": _day(each)} for each in _ticks(min(days), max(days))]
    places = range(len(shown) - 1, -1, -1)
    chart.y_labels = [{"value": y, "label": _short(each.name)} for y, each in zip(places, shown, strict=True)]
    for y, each in zip(places, shown, strict=True):
        chart.add("", [(each.start.toordinal(), y), ((each.end or each.start).toordinal(), y)])
    kinds = [each.kind for each in shown]

    def paint(tag: str, classes: frozenset[str], series: int) -> tuple[str, str] | None:
        if tag == "path" and "series" in classes:
            return kinds[series], f'fill="none" stroke-width="9" stroke-linecap="round" {LIGHT[kinds[series]]}'
        if tag == "circle":
            return f"{kinds[series]} dot", f'fill="#fff" stroke-width="2.5" {LIGHT[kinds[series]]}'
        return paint_axes(tag, classes)

    told = "; ".join(f"{each.name}: {_span(each)}" for each in shown)
    rows = [
        (each.name, f"{each.start:%d/%m/%Y}", f"{each.end:%d/%m/%Y}" if each.end else "", each.note) for each in events
    ]
    return draw(chart, name, title, told=told, heads=heads, rows=rows, paint=paint)


def matrix_svg(
    name: str,
    title: str,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, int], Cell],
    axis: str = "",
) -> Picture:
    """A cell for each row (0 on top) and column, with its number in it; ``axis`` stands below the columns."""
    if not rows or not columns:
        return draw(None, name, title, heads=(axis, *columns))
    grid = [[cells.get((y, x), Cell(level="low")) for x in range(len(columns))] for y in range(len(rows))]
    chart = plotting().StackedBar(
        **_options(40 + 44 * len(rows) + (24 if axis else 0)),
        range=(0, len(rows)),
        show_legend=False,
        print_values=True,
    )
    chart.x_title = visible(axis) or None
    chart.x_labels = [_short(each) for each in columns]
    chart.y_labels = [{"value": len(rows) - y - 0.5, "label": _short(each)} for y, each in enumerate(rows)]
    for cells_of_row in reversed(grid):
        chart.add("", [{"value": 1, "formatter": _Said(str(each.count or "–"))} for each in cells_of_row])
    painted = [each for line in reversed(grid) for each in line]
    bars, texts = iter(painted), iter(painted)

    def paint(tag: str, classes: frozenset[str], _series: int) -> tuple[str, str] | None:
        if tag == "rect" and "bars" in classes:
            cell = next(bars)
            pale = "" if cell.count else ' opacity=".3"'
            return f"{cell.level} cell{'' if cell.count else ' empty'}", f"{LIGHT[cell.level]} {LIGHT['cell']}{pale}"
        if tag == "text" and "text-overlay" in classes:
            cell = next(texts)
            kind = "count strong" if cell.count and cell.level in {"high", "top"} else "count"
            return kind, LIGHT[kind]
        return None if tag == "path" else paint_axes(tag, classes)

    told = [
        f"{rows[y]} com {columns[x]}: {cell.count}"
        for y, line in enumerate(grid)
        for x, cell in enumerate(line)
        if cell.count
    ]
    body = [(rows[y], *(str(cell.count) for cell in line)) for y, line in enumerate(grid)]
    empty = "nada em nenhuma célula"
    return draw(chart, name, title, told="; ".join(told) or empty, heads=(axis, *columns), rows=body, paint=paint)


# --- what all share


@dataclass(frozen=True, slots=True)
class _Said:
    """What pygal prints for one value, whatever the value is."""

    text: str

    def __call__(self, *_value: object) -> str:
        return self.text


def _options(height: int) -> dict[str, Any]:
    return {
        "js": (),
        "css": (),
        "style": plotting().style.Style(
            label_font_size=13, major_label_font_size=13, legend_font_size=13, title_font_size=13, value_font_size=17
        ),
        "width": WIDTH,
        "height": height,
        "margin": 8,
        "dots_size": 4,
        "legend_box_size": 10,
        "no_data_text": "",
        "truncate_label": -1,
        "truncate_legend": -1,
    }


def _paint_trend(tag: str, classes: frozenset[str], series: int) -> tuple[str, str] | None:
    key = f"s{series}"
    solid = LIGHT[key].partition(" stroke-dasharray")[0]
    if tag == "path" and "series" in classes:
        return key, f'fill="none" {LIGHT[key]}'
    if tag == "rect" and "legend" in classes:
        return key, f'fill="none" {solid}'
    if tag == "circle":
        return f"{key} dot", f'fill="#fff" {solid}'
    return paint_axes(tag, classes)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …: scales whose marks are round numbers."""
    power = 10.0 ** (len(str(int(value))) - 1)
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0").replace(".", ",")


def _amount(value: float | None, unit: str) -> str:
    return "sem dado" if value is None else f"{_number(value)}{unit}"


def _short(text: str) -> str:
    shown = " ".join(visible(text).split()) or "–"
    return shown if len(shown) <= _LABEL_CHARACTERS else f"{shown[: _LABEL_CHARACTERS - 1]}…"


def _label_step(labels: Sequence[str]) -> int:
    """Every how many labels one is shown, so that none runs into the next."""
    return max(1, -(-len(labels) * (_label_width(labels) + 16) // (WIDTH - 60)))


def _label_width(labels: Sequence[str]) -> int:
    return _CHARACTER * min(_LABEL_CHARACTERS, max(map(len, labels)))


def _day(ordinal: int) -> str:
    return f"{date.fromordinal(ordinal):%d/%m/%y}"


def _ticks(first: int, last: int) -> list[int]:
    """At most six days, evenly spaced, both ends among them."""
    steps = min(5, last - first)
    return [first + (last - first) * step // steps for step in range(steps + 1)] if steps else [first]


def _span(event: Event) -> str:
    return f"{event.start:%d/%m/%Y}" + (f" a {event.end:%d/%m/%Y}" if event.end else "")


def _course(line: Line, labels: Sequence[str], unit: str) -> str:
    known = [(label, value) for label, value in zip(labels, line.values, strict=True) if value is not None]
    if not known:
        return f"{line.name}: nenhum valor"
    values = [value for _, value in known]
    ends = " → ".join(f"{_number(value)}{unit} em {label}" for label, value in dict.fromkeys((known[0], known[-1])))
    return f"{line.name}: {ends}; de {_number(min(values))}{unit} a {_number(max(values))}{unit}"

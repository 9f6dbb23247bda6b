"""pygal's trees to inline SVG: shapes alone, under classes of our own, and the table that says the same.

What pygal writes around its geometry (script, style sheet, the day's date, ids by chance) is left out, so that the same
values give the same bytes. Colours are attributes, those of a light page; ``CHART_CSS`` of ``charts`` turns them into
variables of the page's theme.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from markupsafe import Markup

    Paint = Callable[[str, frozenset[str], int], tuple[str, str] | None]
    """From a shape's tag, the classes above it and the number of its series to its class and attributes."""

__all__ = ["LIGHT", "WIDTH", "Picture", "draw", "paint_axes", "plotting"]

WIDTH = 620
LIGHT = {
    "tick": 'fill="#57606a" font-size="13"',
    "grid": 'fill="none" stroke="#d0d7de"',
    "count": 'fill="#1b1f24" font-size="17" font-weight="700" text-anchor="middle"',
    "count strong": 'fill="#fff" font-size="17" font-weight="700" text-anchor="middle"',
    "s0": 'stroke="#0550ae" stroke-width="2.5"',
    "s1": 'stroke="#9a4b00" stroke-width="2.5" stroke-dasharray="7 4"',
    "s2": 'stroke="#1a6b32" stroke-width="2.5" stroke-dasharray="2 3"',
    "cell": 'stroke="#fff" stroke-width="4"',
    "low": 'fill="#8fbf9f"',
    "mid": 'fill="#e3b341"',
    "high": 'fill="#c2580a"',
    "top": 'fill="#a40e26"',
    "ok": 'stroke="#1a6b32"',
    "media": 'stroke="#7d5c00"',
    "crit": 'stroke="#a40e26"',
    "baixa": 'stroke="#0550ae"',
    "soft": 'stroke="#57606a"',
}
_PLACES = {
    "path": ("d",),
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "text": ("x", "y"),
}
_FRACTION = re.compile(r"-?\d+\.\d+")
_SERIES = re.compile(r"\b(?:serie|color)-(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """``svg`` with a title and a description; ``table`` says the same in rows, as a whole ``<table>``."""

    svg: Markup
    table: Markup


def plotting() -> Any:
    """pygal, less the hook of the old kind that it hangs into every import: Python 3.11 warns of it at each miss."""
    import pygal  # noqa: PLC0415  # only a page with pictures needs it

    hooks = pygal.sys.meta_path
    hooks[:] = [each for each in hooks if not isinstance(each, pygal.PluginImportFixer)]
    return pygal


def draw(
    chart: Any,
    name: str,
    title: str,
    *,
    heads: Sequence[str],
    told: str = "sem dados",
    rows: Iterable[Sequence[str]] = (),
    paint: Paint | None = None,
) -> Picture:
    """The picture of a pygal chart; without one it says that there is nothing to show."""
    from markupsafe import Markup  # noqa: PLC0415  # comes with Jinja2, which only pages need

    if chart is None or paint is None:
        height = 60
        nothing = '<text class="tick" {} text-anchor="middle" x="{}" y="34">sem dados</text>'
        body = Markup(nothing).format(Markup(LIGHT["tick"]), WIDTH // 2)  # noqa: S704  # texts of our own
    else:
        height = chart.config.height
        body = Markup("").join(_shapes(chart.render_tree(), paint, frozenset(), 0))
    svg = Markup(
        '<svg class="chart" role="img" aria-labelledby="{0}-t {0}-d" viewBox="0 0 {1} {2}" xmlns="http://www.w3.org/2000/svg">'
        '<title id="{0}-t">{3}</title><desc id="{0}-d">{4}</desc>{5}</svg>'
    ).format(name, WIDTH, height, visible(title), visible(told), body)
    return Picture(svg=svg, table=_table(title, heads, rows))


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    from markupsafe import Markup  # noqa: PLC0415  # as above

    head = Markup("").join(Markup('<th scope="col">{}</th>').format(visible(each)) for each in heads)
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            visible(row[0]), Markup("").join(Markup("<td>{}</td>").format(visible(each)) for each in row[1:])
        )
        for row in rows
    )
    table = Markup("<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>")
    return table.format(visible(title), head, lines)


def _shapes(node: Any, paint: Paint, above: frozenset[str], series: int) -> Iterator[Markup]:
    """The shapes below a node of pygal's tree, each as ``paint`` wants it: class and attributes, or not at all."""
    from markupsafe import Markup  # noqa: PLC0415  # as above

    own = str(node.get("class") or "")
    classes = above | frozenset(own.split())
    found = _SERIES.search(own)
    series = int(found.group(1)) if found else series
    places = _PLACES.get(node.tag)
    if places is None:
        inner = Markup("").join(
            shape for child in node if isinstance(child.tag, str) for shape in _shapes(child, paint, classes, series)
        )
        moved = node.get("transform")
        yield Markup('<g transform="{}">{}</g>').format(_rounded(moved), inner) if moved and inner else inner
        return
    painted = paint(node.tag, classes, series)
    if painted is not None:
        at = Markup(" ").join(Markup('{}="{}"').format(key, _rounded(str(node.get(key)))) for key in places)
        text = str(node.text or "") if node.tag == "text" else ""
        yield Markup('<{0} class="{1}" {2} {3}>{4}</{0}>').format(node.tag, painted[0], Markup(painted[1]), at, text)  # noqa: S704  # attributes of our own


def paint_axes(tag: str, classes: frozenset[str]) -> tuple[str, str] | None:
    """Texts around the plot and its horizontal lines, the same in each kind of picture."""
    if tag == "text" and classes & {"axis", "legend", "titles"}:
        anchor = "end" if "y" in classes else "middle" if classes & {"x", "titles"} else "start"
        return "tick", f'{LIGHT["tick"]} text-anchor="{anchor}"'
    return ("grid", LIGHT["grid"]) if tag == "path" and {"axis", "y"} <= classes else None


def _rounded(text: str) -> str:
    return _FRACTION.sub(lambda found: f"{float(found.group()):.1f}".removesuffix(".0"), text)

"""Seconds by number of files, both axes logarithmic, as an SVG that reads in light and dark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["draw"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 380, 70, 20, 110, 50
_COLOURS = ("#1a7f37", "#0969da", "#bc4c00")
_STYLE = (
    "text{font:13px sans-serif;fill:#57606a}.g{stroke:#8c959f;stroke-opacity:.35}"
    "polyline{fill:none;stroke-width:2.5}.n{font-weight:600}"
)


def draw(series: Mapping[str, Mapping[int, float]]) -> str:
    """``series`` gives, by name, seconds by number of files."""
    sizes = sorted({size for each in series.values() for size in each})
    times = [seconds for each in series.values() for seconds in each.values()]
    first, last = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def across(size: int) -> float:
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def down(seconds: float) -> float:
        share = (math.log10(seconds) - first) / (last - first)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Segundos de uma auditoria pelo número de arquivos</title>",
        f"<style>{_STYLE}</style>",
    ]
    for power in range(first, last + 1):
        at = down(10.0**power)
        parts.append(f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{f"{10.0**power:g}".replace(".", ",")} s</text>'
        )
    for size in sizes:
        at = across(size)
        parts.append(f'<line class="g" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{size}</text>')
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">arquivos</text>'
    )
    for colour, (name, each) in zip(_COLOURS, series.items(), strict=False):
        points = [(across(size), down(seconds)) for size, seconds in sorted(each.items())]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" stroke="{colour}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        x, y = points[-1]
        parts.append(f'<text class="n" x="{x + 10:.1f}" y="{y + 4:.1f}" style="fill:{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"

"""The risk matrix as an inline picture: numbers in words and figures, colours only beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

__all__ = ["LIKELIHOODS", "draw_matrix", "likelihood"]

LIKELIHOODS = ("1 vez", "2 a 3", "4 a 9", "10 ou mais")
_BOUNDS = (1, 3, 9)
_IMPACTS = tuple(Severity)
_WIDTH, _HEIGHT, _LEFT, _TOP = 74, 44, 78, 8
_LEVELS = ("low", "mid", "high", "top")


def likelihood(count: int) -> int:
    """Column 0 to 3 for a rule that was broken ``count`` times in the module."""
    return sum(count > bound for bound in _BOUNDS)


def draw_matrix(cells: Mapping[tuple[Severity, int], int], name: str) -> Markup:
    """SVG of 4 × 4 cells; a text alternative names each cell that is not empty. Nothing in it comes from outside."""
    from markupsafe import Markup  # noqa: PLC0415  # comes with Jinja2, which only the page needs

    told = [
        f"{severity} com {LIKELIHOODS[column]}: {count}" for (severity, column), count in sorted(cells.items()) if count
    ]
    parts = [
        f'<svg class="matrix" role="img" aria-labelledby="m-{name}-t m-{name}-d" viewBox="0 0 380 226">',
        f'<title id="m-{name}-t">Matriz de risco {name}: {sum(cells.values())} NC</title>',
        f'<desc id="m-{name}-d">{"; ".join(told) or "nenhuma NC em aberto"}</desc>',
    ]
    for row, severity in enumerate(_IMPACTS):
        y = _TOP + row * _HEIGHT
        parts.append(f'<text class="axis" x="{_LEFT - 8}" y="{y + 27}" text-anchor="end">{severity}</text>')
        for column in range(len(LIKELIHOODS)):
            parts.extend(_cell(_LEFT + column * _WIDTH, y, _level(row, column), cells.get((severity, column), 0)))
    for column, label in enumerate(LIKELIHOODS):
        x = _LEFT + column * _WIDTH + _WIDTH // 2
        parts.append(f'<text class="axis" x="{x}" y="{_TOP + 4 * _HEIGHT + 16}" text-anchor="middle">{label}</text>')
    x, y = _LEFT + 2 * _WIDTH, _TOP + 4 * _HEIGHT + 34
    parts.append(f'<text class="axis" x="{x}" y="{y}" text-anchor="middle">recorrência da regra</text>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  # numbers and our own words


def _cell(x: int, y: int, level: str, count: int) -> list[str]:
    empty = "" if count else " empty"
    return [
        f'<rect class="{level}{empty}" x="{x}" y="{y}" width="{_WIDTH - 4}" height="{_HEIGHT - 4}" rx="5"/>',
        f'<text class="count{empty}" x="{x + _WIDTH // 2 - 2}" y="{y + 27}" text-anchor="middle">{count or "–"}</text>',
    ]


def _level(row: int, column: int) -> str:
    """How dark a cell is: impact and likelihood add up, and CRITICA is never less than high."""
    return "top" if row == 0 else _LEVELS[min(3, max(0, 2 - row + (column + 1) // 2))]

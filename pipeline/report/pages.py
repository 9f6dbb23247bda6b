"""Templates of the pages: every text in them escaped, and shown without controls and bidi marks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.report.charts import CHART_CSS

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup

__all__ = ["page_template"]

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def page_template(name: str) -> Template:
    """A template of ours. ``chart_css`` is the pictures' style; ``coded`` shows what is between backticks as code."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # only pages need it
    from markupsafe import Markup  # noqa: PLC0415  # comes with Jinja2

    environment: Environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # by decree: Jinja2 would look at the file's ending, and miss
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals["chart_css"] = Markup(CHART_CSS)  # noqa: S704  # a constant of our own
    environment.filters["coded"] = _coded
    environment.filters["day"] = lambda text: f"{text[8:10]}/{text[5:7]}/{text[:4]}" if text else ""
    environment.filters["percent"] = lambda part, whole: f"{100 * part // whole} %" if whole else "–"
    return environment.get_template(name)


def _coded(text: str) -> Markup:
    """Text with what stands between backticks as code; both are escaped."""
    from markupsafe import Markup  # noqa: PLC0415  # comes with Jinja2

    parts = re.split(r"`([^`]+)`", visible(text))
    shown = (Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts))
    return Markup("").join(shown)


def _shown(value: object) -> object:
    """Every text that the page prints, without controls and bidi marks; markup of our own stays markup."""
    if type(value) is str:
        return visible(value)
    return "" if value is None else value

"""The default template language of ApplicationSets: ``{{name}}`` replaced by text, anything else left as it is."""

from __future__ import annotations

from typing import Any

from pipeline.appset.errors import Refused
from pipeline.appset.govalue import SPACES

__all__ = ["replace_tags"]


def replace_tags(text: str, params: dict[str, Any]) -> str:
    """Tags whose trimmed name is a parameter of type text are replaced, once; others stay. Refused for an open tag."""
    if not any(_holds_tag(line) for line in text.split("\n")):
        return text
    out: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            raise Refused("'{{' sem '}}' correspondente")
        tag = text[start + 2 : end]
        name = tag.strip(SPACES)
        value = params.get(name)
        out += (text[position:start], value if name and isinstance(value, str) else f"{{{{{tag}}}}}")
        position = end + 2
    return "".join((*out, text[position:]))


def _holds_tag(line: str) -> bool:
    """Argo CD looks for a whole tag on one line before it lets the library parse the text."""
    start = line.find("{{")
    return start >= 0 and line.rfind("}}") >= start + 2

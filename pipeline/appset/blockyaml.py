"""Block YAML for the values of manifests: one form per value, keys in the order given, no anchors, no tags."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline.appset.govalue import json_text
from pipeline.yamldoc import resolve_plain

__all__ = ["dump_block", "scalar_text"]

# Text that no YAML reader takes for a number, a date, a base-60 integer, a boolean, an indicator or a template.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/_.@-]*(?:=[A-Za-z0-9/_.@-]+)?|https://[A-Za-z0-9/_.:@-]*[A-Za-z0-9/_.@-]")
# What YAML does not allow, or would fold, even between double quotes.
_HIDDEN = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


def scalar_text(value: Any) -> str:
    """One YAML scalar on one line: plain where that is safe in every reader, JSON-quoted otherwise."""
    if not isinstance(value, str):
        return json_text(value)
    if _PLAIN.fullmatch(value) and isinstance(resolve_plain(value), str):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


def dump_block(value: dict[str, Any]) -> str:
    """A mapping as block YAML with a final newline."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> list[str]:
    out: list[str] = []
    if isinstance(value, list) and value:
        for item in value:
            first, *rest = _lines(item)
            out.append(f"- {first}")
            out += [f"  {line}" for line in rest]
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            inner = _lines(item)
            if isinstance(item, (dict, list)) and item:
                out.append(f"{scalar_text(key)}:")
                out += [f"  {line}" for line in inner]
            else:
                out.append(f"{scalar_text(key)}: {inner[0]}")
    else:
        out.append(scalar_text(value))
    return out

"""YAML as people read it: order kept, text of several lines in blocks, a note where the file comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["render_yaml"]

_NOTE = "# Gerado por `appgear-pipeline ci write` a partir de pipeline/ci/table.py: mude lá, não aqui.\n"
_WIDTH = 140


class _Dumper(yaml.SafeDumper):
    """PyYAML's own with list items set in, and no anchors: a reader follows no reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render_yaml(documents: Iterable[object]) -> bytes:
    """The documents as one file."""
    texts = [
        yaml.dump(each, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False)
        for each in documents
    ]
    return (_NOTE + "---\n".join(texts)).encode()

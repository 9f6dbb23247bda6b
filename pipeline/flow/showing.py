"""What a correction would change, as a diff for people: computed on the text at hand, never applied."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pipeline.codec import shows
from pipeline.domain.finding import CreateFile, PatchChange, TextChange
from pipeline.flow.edits import patch_yaml
from pipeline.flow.merging import OperationLog
from pipeline.flow.planning import fill_change
from pipeline.flow.splices import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.domain.finding import Change
    from pipeline.flow.planning import Parameters

__all__ = ["show_changes"]

_MAX_LINES = 60


def show_changes(texts: Mapping[str, str], changes: Sequence[Change], parameters: Parameters) -> str:
    """A unified diff of ``texts`` (by path, ``doc`` for the document) under these changes; empty when there is none.

    A parameter without a value is shown by its name between ‹ and ›.
    """
    merged, _ = OperationLog().add("", [fill_change(change, parameters, missing="‹{}›") for change in changes])
    shown: list[str] = []
    for path in dict.fromkeys(change.path for change in merged):
        before = texts.get(path, "")
        try:
            after = _apply(before, [change for change in merged if change.path == path])
        except Refusal:
            continue
        name = "documento" if path.startswith("doc") else path
        lines = difflib.unified_diff(before.split("\n"), after.split("\n"), name, name, n=1, lineterm="")
        shown += [line.removesuffix("\r") for line in lines]
    if len(shown) > _MAX_LINES:
        shown = [*shown[:_MAX_LINES], f"… e mais {len(shown) - _MAX_LINES} linhas no patch"]
    return "\n".join(shown)


def _apply(text: str, changes: Sequence[Change]) -> str:
    for change in sorted(changes, key=_from_the_end):
        if isinstance(change, PatchChange):
            text = patch_yaml(text, change.document, change.operations)
        elif isinstance(change, CreateFile):
            text = change.content
        else:
            text = _replace(text, change)
    return text


def _from_the_end(change: Change) -> tuple[bool, int, int]:
    """Text ranges last line first, so that none moves under another; patches, which find their own place, after."""
    if isinstance(change, TextChange):
        return False, -change.line, -change.column
    return True, 0, 0


def _replace(text: str, change: TextChange) -> str:
    lines = text.split("\n")
    if not 0 < change.line <= change.end_line <= len(lines):
        raise Refusal("o trecho não existe")
    start = sum(len(line) + 1 for line in lines[: change.line - 1]) + change.column - 1
    end = sum(len(line) + 1 for line in lines[: change.end_line - 1]) + change.end_column - 1
    if not shows(change.old, text[start:end]):
        raise Refusal("o trecho já é outro")
    return text[:start] + str(change.new) + text[end:]

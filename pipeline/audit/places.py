"""Where a view stands, and what is made there: breaches, edits of text, patches of a YAML document."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from pipeline.audit.rule import Breach
from pipeline.domain.finding import Operation, PatchChange, TextChange
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from pipeline.audit.views import FileView
    from pipeline.domain.finding import Change, Param, PathKey, Severity
    from pipeline.yamldoc import YamlDocument

__all__ = ["DocumentPlace", "Extras", "TextPlace"]


class Extras(TypedDict, total=False):
    """What a breach says beside its text and its place; ``Breach`` explains each."""

    key: str
    changes: tuple[Change, ...]
    severity: Severity | None


class TextPlace:
    """What has lines. Lines and columns count from 1, in the view's own text."""

    def _home(self, line: int, column: int) -> tuple[FileView | None, int, int]:
        """The file, None for the module document, and the line and column in it."""
        raise NotImplementedError

    def breach(self, detail: str, *, line: int = 1, column: int = 1, **extras: Unpack[Extras]) -> Breach:
        """A breach at a line of the text."""
        file, line, column = self._home(line, column)
        return Breach(detail=detail, file=file, line=line, column=column, **extras)

    def replace(self, line: int, column: int, old: str, new: str | Param) -> TextChange:
        """Replace ``old``, which stands at ``line``/``column`` on one line, by ``new``."""
        file, line, column = self._home(line, column)
        return TextChange(
            path="doc" if file is None else file.path,
            line=line,
            column=column,
            end_line=line,
            end_column=column + len(old),
            old=old,
            new=new,
        )


class DocumentPlace:
    """What stands at ``base`` of a YAML document. Paths and pointers start there."""

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...]

    def breach(self, detail: str, *path: PathKey, **extras: Unpack[Extras]) -> Breach:
        """A breach at ``path``; where that does not exist, at its nearest parent."""
        return Breach(detail=detail, file=self.file, document=self.document, path=(*self.base, *path), **extras)

    def patch(self, *operations: Operation) -> PatchChange:
        """A change of what stands here."""
        base = json_pointer(self.base)
        moved = tuple(Operation(op=each.op, path=base + each.path, value=each.value) for each in operations)
        return PatchChange(path=self.file.path, document=self.document.index, operations=moved)

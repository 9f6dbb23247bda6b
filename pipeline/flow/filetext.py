"""One file while it is being rewritten: its edits, and what of it is worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.flow.edits import Habits, document_spans, habits_of
from pipeline.flow.operations import same_value
from pipeline.flow.splices import LineIndex, Refusal, SplicedText, line_end_of
from pipeline.yamldoc import load_yaml

if TYPE_CHECKING:
    from pipeline.domain.snapshot import SourceFile

__all__ = ["FileText", "encode", "open_file", "verify_yaml"]

_NOT_TEXT = "o arquivo não é UTF-8 válido: não pode ser editado sem perda"


@dataclass(slots=True, eq=False)
class FileText:
    """One file (``number`` in the snapshot; None for the document and for new files) and its edits."""

    path: str
    text: SplicedText | None
    number: int | None = None
    source: SourceFile | None = None
    patched: set[int] = field(default_factory=set)
    retyped: bool = False
    _index: LineIndex | None = None
    _spans: list[tuple[int, int]] | None = None
    _habits: Habits | None = None
    _sound: bool | None = None
    _eol: str = ""

    @property
    def embedded(self) -> bool:
        return self.source is not None and bool(self.source.segments)

    @property
    def spliced(self) -> SplicedText:
        if self.text is None:
            raise Refusal(_NOT_TEXT)
        return self.text

    def share(self, index: LineIndex) -> None:
        self._index = index

    @property
    def index(self) -> LineIndex:
        if self._index is None:
            self._index = LineIndex(self.spliced.original)
        return self._index

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Parts of the original that hold one YAML document each, as the original or the text made of it reads."""
        if self._spans is None:
            self._spans = document_spans(self.spliced.original)
        if not self.retyped:
            return self._spans
        if self._sound is None:
            self._sound = load_yaml(self.spliced.original).parsed
        if self._sound:
            return self._spans
        mended = load_yaml(self.spliced.text())  # it did not parse, and its documents are counted as it does
        return [(0, len(self.spliced.original))] * len(mended.documents) if mended.parsed else self._spans

    @property
    def eol(self) -> str:
        self._eol = self._eol or line_end_of(self.spliced.original)
        return self._eol

    @property
    def habits(self) -> Habits:
        if self._habits is None:
            self._habits = habits_of(self.spliced.original)
        return self._habits


def open_file(number: int, file: SourceFile) -> FileText:
    try:
        text = SplicedText(file.content.decode("utf-8"))
    except UnicodeDecodeError:
        return FileText(file.path, None, number, file)
    return FileText(file.path, text, number, file)


def verify_yaml(text: FileText) -> None:
    """Documents that were not meant to change have not; what parsed still parses."""
    if not text.patched and not (text.retyped and text.path.endswith((".yaml", ".yml"))):
        return
    before, after = load_yaml(text.spliced.original), load_yaml(text.spliced.text())
    if before.parsed and not after.parsed:
        raise Refusal("a edição deixaria o YAML inválido")
    if text.retyped:
        return
    kept = len(before.documents) == len(after.documents) and len(after.problems) <= len(before.problems)
    for one, other in zip(before.documents, after.documents, strict=False):
        kept = kept and (one.index in text.patched or same_value(one.value, other.value))
    if not kept:
        raise Refusal("a edição mudaria outro documento YAML do arquivo")


def encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal("o texto novo tem caractere que UTF-8 não representa") from error

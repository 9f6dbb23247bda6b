"""The module while it is being rewritten: one edited text per file, undo, and the proof of what came out."""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex, shows
from pipeline.domain.finding import Param
from pipeline.domain.rewrite import RewrittenFile
from pipeline.domain.snapshot import Origin
from pipeline.flow.edits import edit_yaml
from pipeline.flow.embedding import Embedding, check_new_lines
from pipeline.flow.filetext import FileText, encode, open_file, verify_yaml
from pipeline.flow.patching import unsafe_path
from pipeline.flow.splices import Refusal, Splice, SplicedText, apply_splices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.domain.finding import CreateFile, PatchChange, TextChange
    from pipeline.domain.snapshot import Document, ModuleSnapshot, SourceFile

__all__ = ["Workspace"]

_BOM = b"\xef\xbb\xbf"
_TREE = Origin(kind="tree")


_Saved = dict[FileText, tuple[SplicedText | None, frozenset[int], bool]]


class Workspace:
    """Changes go in one by one; each either takes effect whole or raises Refusal (call ``restore`` then)."""

    def __init__(
        self,
        snapshot: ModuleSnapshot,
        twins: Sequence[SourceFile],
        read: Callable[[bytes], Mapping[str, bytes]] | None,
    ) -> None:
        self._snapshot = snapshot
        self._read = read
        files = (*snapshot.files, *twins)
        document = snapshot.document
        self._source = _document_bytes(document) if document else None
        self._document = FileText("doc", SplicedText(document.text) if document and self._source is not None else None)
        self._embedding = Embedding(document, files) if document else None
        self._texts = [open_file(number, file) for number, file in enumerate(files)]
        if self._embedding is not None:
            self._document.share(self._embedding.index)
        self._created: dict[str, FileText] = {}
        self._by_path: dict[str, list[FileText]] = {}
        for text in self._texts:
            self._by_path.setdefault(text.path, []).append(text)
        self._journal: _Saved = {}
        self._unproven: set[FileText] = set()

    # Undo

    def save(self) -> frozenset[str]:
        self._journal = {}
        return frozenset(self._created)

    def restore(self, created: frozenset[str]) -> None:
        """Undo everything since ``save`` returned ``created``."""
        for text, (spliced, patched, retyped) in self._journal.items():
            text.text, text.patched, text.retyped = spliced, set(patched), retyped
            if spliced is not None and not spliced.splices:
                self._unproven.discard(text)
        for path in self._created.keys() - created:
            self._by_path.pop(path)
            self._unproven.discard(self._created.pop(path))

    def _touch(self, text: FileText) -> SplicedText:
        spliced = text.spliced
        if text not in self._journal:
            self._journal[text] = (spliced.copy(), frozenset(text.patched), text.retyped)
        return spliced

    # Changes

    def patch(self, change: PatchChange) -> bool:
        """Apply operations to every file of that path; whether anything changed."""
        changed = False
        for text in self._named(change.path):
            spliced = self._touch(text)
            if not 0 <= change.document < len(text.spans):
                raise Refusal(f"o arquivo não tem o documento YAML nº {change.document + 1}, ou ele não pôde ser lido")
            start, end = text.spans[change.document]
            index = 0 if (start, end) != (0, len(spliced.original)) else change.document
            edits = edit_yaml(spliced.part(start, end), index, change.operations, text.habits)
            if edits:
                self._edit(text, partial(spliced.edit_part, start, end, edits), edits)
                text.patched.add(change.document)
                changed = True
        return changed

    def replace(self, change: TextChange) -> bool:
        """Replace a range of text in the document or in every file of that path; whether anything changed."""
        if isinstance(change.new, Param):
            raise Refusal(f"parâmetro {change.new.name} sem valor")
        if change.path == "doc":
            return self._replace_in_document(change, change.new)
        changed = False
        for text in self._named(change.path):
            self._touch(text)
            start, end = _range(text, change)
            changed |= self._retype(text, start, end, change.new)
        return changed

    def create(self, change: CreateFile) -> bool:
        """Add a file to the tree; whether it was not there already."""
        reason = unsafe_path(change.path)
        if reason:
            raise Refusal(f"caminho recusado: {reason}")
        content = encode(change.content)
        for text in self._by_path.get(change.path, ()):
            if self._content(text) != content:
                raise Refusal("o arquivo já existe, com outro conteúdo")
        if change.path in self._by_path:
            return False
        names = {_folded(path): path for path in self._by_path}
        names |= {_folded(self._snapshot.document.path): "o documento"} if self._snapshot.document else {}
        folded = _folded(change.path)
        clash = names.get(folded) or next(
            (names[name] for name in names if name.startswith(f"{folded}/") or folded.startswith(f"{name}/")), None
        )
        if clash:
            raise Refusal(f"o caminho se confunde com outro que já existe ({clash})")
        text = FileText(change.path, SplicedText(change.content))
        self._created[change.path] = text
        self._by_path[change.path] = [text]
        return True

    def _replace_in_document(self, change: TextChange, new: str) -> bool:
        self._touch(self._document)
        start, end = _range(self._document, change)
        last = change.end_line if change.end_column > 1 or change.end_line == change.line else change.end_line - 1
        assert self._embedding is not None  # noqa: S101  # for the type checker: there is a document
        owner = self._embedding.owner(change.line, last)
        if owner is None:
            return self._retype(self._document, start, end, new)
        number, segment = owner
        text = self._texts[number]
        self._touch(text)
        shift = segment.first_line - segment.document_line
        places = []
        for line, column in ((change.line, change.column), (change.end_line, change.end_column)):
            within = line - segment.document_line < segment.line_count
            dropped = segment.dropped[line - segment.document_line] if within and column > 1 else 0
            if column - 1 < dropped:
                raise Refusal("o trecho começa ou termina na indentação que o documento dá ao arquivo embutido")
            places.append(text.index.offset(line + shift, column - dropped))
        shown = self._embedding.undress(segment, new, whole=change.column == 1)
        changed = False
        for twin in self._by_path[text.path]:
            if twin.spliced.original != text.spliced.original:
                raise Refusal("a árvore tem outra versão deste arquivo: alinhe as duas antes")
            changed |= self._retype(twin, places[0], places[1], shown)
        return changed

    def _retype(self, text: FileText, start: int, end: int, new: str) -> bool:
        spliced = self._touch(text)
        shown = new.replace("\r\n", "\n").replace("\n", text.eol)
        if spliced.original[start:end] == shown:
            return False
        self._edit(text, partial(spliced.edit_original, start, end, shown), (Splice(start, end, shown),))
        text.retyped = True
        return True

    def _edit(self, text: FileText, edit: Callable[[], None], splices: tuple[Splice, ...]) -> None:
        """Make an edit and, in an embedded file, see that the document can hold it."""
        for splice in splices:
            encode(splice.text)
        embedded = text.embedded
        before = text.spliced.text() if embedded else ""
        edit()
        self._unproven.add(text)
        if not embedded:
            return
        document, source = self._snapshot.document, text.source
        if document is None or source is None or self._embedding is None or self._document.text is None:
            raise Refusal("o documento não é UTF-8 válido: não pode ser editado sem perda")
        check_new_lines(source, document, before, text.spliced.text(), splices)
        self._embedding.to_document(text.number or 0, text.index, text.spliced.splices)

    def _named(self, path: str) -> list[FileText]:
        if path not in self._by_path:
            raise Refusal("o arquivo não existe no módulo")
        return self._by_path[path]

    # What came out

    def source(self) -> bytes | None:
        """The document as it was."""
        return self._source

    def document(self) -> bytes | None:
        """The rewritten document; None where there is none, or its bytes are not known exactly."""
        if self._source is None:
            return None
        text = self._document.spliced.original
        bom = _BOM if self._source.startswith(_BOM) and not text.startswith("\ufeff") else b""
        return bom + encode(apply_splices(text, self._document_splices()))

    def files(self) -> Iterator[RewrittenFile]:
        splices = self._document_splices() if self._document.text is not None else []
        shifted = self._embedding.line_shift(splices) if self._embedding is not None else int
        for text in self._texts:
            source = text.source
            assert source is not None  # noqa: S101  # for the type checker: texts of the snapshot have one
            line = source.origin.document_line
            line = None if line is None else shifted(line)
            path = f"doc@{line}" if source.fragment and line is not None else source.path
            content = self._content(text)
            origin = Origin(kind=source.origin.kind, document_line=line)
            changed = content != source.content
            yield RewrittenFile(path=path, content=content, origin=origin, fragment=source.fragment, changed=changed)
        for path, text in self._created.items():
            yield RewrittenFile(path=path, content=self._content(text), origin=_TREE, changed=True, created=True)

    def verify(self) -> None:
        """Prove what was edited since the last proof; Refusal, naming the file, where it does not hold."""
        for text in self._unproven:
            verify_yaml(text)
        if any(text is self._document or text.embedded for text in self._unproven):
            self._verify_document()
        self._unproven = set()

    def _verify_document(self) -> None:
        splices = self._document_splices()
        if self._read is None:
            for number, text in enumerate(self._texts):
                if text in self._unproven and text.embedded:
                    assert self._embedding is not None  # noqa: S101  # for the type checker
                    found = self._embedding.reread(number, splices)
                    if found.replace("\r\n", "\n") != text.spliced.text().replace("\r\n", "\n"):
                        raise Refusal(f"relido do documento novo, {text.path} não é o que a edição devia dar")
            return
        read = self._read(self.document() or b"")
        for file in self.files():
            if file.origin.kind != "tree" and read.get(file.path) != file.content:
                raise Refusal(f"relido do documento novo, {file.path} não é o que a edição devia dar")

    def _document_splices(self) -> list[Splice]:
        """Every edit of the document: its own and those of the files it embeds."""
        splices = list(self._document.spliced.splices)
        for number, text in enumerate(self._texts):
            if text.embedded and text.text is not None and text.text.splices and self._embedding:
                splices += self._embedding.to_document(number, text.index, text.text.splices)
        return sorted(splices, key=lambda splice: (splice.start, splice.end))

    def _content(self, text: FileText) -> bytes:
        if text.text is None or (text.source is not None and not text.text.splices):
            return text.source.content if text.source else b""
        return encode(text.text.text())


def _document_bytes(document: Document) -> bytes | None:
    """The document's bytes, which the snapshot holds as text; None where the text does not give them back."""
    try:
        data = document.text.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return next((each for each in (data, _BOM + data) if sha256_hex(each) == document.sha256), None)


def _range(text: FileText, change: TextChange) -> tuple[int, int]:
    """Offsets of what the change replaces; Refusal where its ``old`` does not stand there."""
    start = text.index.offset(change.line, change.column)
    end = text.index.offset(change.end_line, change.end_column)
    found = text.index.text[start:end].replace("\r\n", "\n")
    if end < start or not shows(change.old.replace("\r\n", "\n"), found):
        raise Refusal("o texto que devia estar ali já é outro")
    return start, end


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())

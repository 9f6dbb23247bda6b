"""One module from its document and its tree: which file counts, what it is called, its digest."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from pipeline.domain.snapshot import ModuleSnapshot, ReadProblem
from pipeline.module.collector import quote_name
from pipeline.module.paths import fold_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.snapshot import Document, SourceFile, SourceState

__all__ = ["build_snapshot"]

_HEADING_ID = re.compile(r"(?:M(\d{2})\b|M[óo]dulo\s+(\d{1,2})\b)\s*[-–—:.]*\s*", re.IGNORECASE)
_FILE_ID = re.compile(r"(?:^|[^a-z])(?:module|modulo|módulo|mod|m)[-_ ]?(\d{1,2})(?!\d)", re.IGNORECASE)
_VERSION_LINE = re.compile(r"Vers[ãa]o\s+do\s+m[óo]dulo\W{0,8}?:\W{0,8}?(v?\d[\w.+-]*)", re.IGNORECASE)
_HEADING_VERSION = re.compile(r"\s*\((v\d[\w.+-]*)\)\s*$", re.IGNORECASE)


def build_snapshot(
    *,
    document: Document | None,
    tree: tuple[SourceFile, ...],
    problems: tuple[ReadProblem, ...] = (),
    source: SourceState,
    fallback_id: str,
) -> ModuleSnapshot:
    """Merge the files of document and tree; where both have one the document's counts, and a difference is a conflict.

    Files stand in document order, then the rest of the tree by path. ``sha256`` is over path, NUL, length, NUL and
    content of the document (with an empty path) and of each file by path.
    """
    embedded = document.files if document else ()
    paths = {file.path for file in embedded}
    rest = tuple(sorted((file for file in tree if file.path not in paths), key=lambda file: file.path.encode()))
    files = embedded + rest
    heading = _first_heading(document)
    found = tuple(document.problems) if document else ()
    return ModuleSnapshot(
        id=_read_id(document, fallback_id),
        title=_HEADING_VERSION.sub(
            "", _HEADING_ID.sub("", heading, count=1) if _HEADING_ID.match(heading) else heading
        ),
        version=_read_version(document, heading),
        sha256=_digest(document, files),
        document=document,
        files=files,
        problems=(*found, *_differences(embedded, tree), *_twins(embedded, rest), *problems),
        source=source,
    )


def _first_heading(document: Document | None) -> str:
    """The text of the first level-1 heading, composed (NFC)."""
    headings = document.headings if document else ()
    return unicodedata.normalize("NFC", next((heading.text for heading in headings if heading.level == 1), ""))


def _read_id(document: Document | None, fallback: str) -> str:
    if document is None:
        return fallback
    for level in (1, 2):
        for heading in document.headings:
            if heading.level == level and (found := _HEADING_ID.match(unicodedata.normalize("NFC", heading.text))):
                return f"M{int(found[1] or found[2]):02d}"
    name = unicodedata.normalize("NFC", document.path.replace("\\", "/").rsplit("/", 1)[-1])
    named = _FILE_ID.search(name)
    return f"M{int(named[1]):02d}" if named else fallback


def _read_version(document: Document | None, heading: str) -> str:
    if document is None:
        return ""
    for _, line in document.prose():
        if ":" in line and (found := _VERSION_LINE.search(unicodedata.normalize("NFC", line[:500]))):
            return found[1].rstrip(".")
    named = _HEADING_VERSION.search(heading)
    return named[1] if named else ""


def _digest(document: Document | None, files: Iterable[SourceFile]) -> str:
    digest = hashlib.sha256()
    parts = [("", document.text.encode())] if document else []
    parts += sorted(((file.path, file.content) for file in files), key=lambda part: part[0].encode())
    for path, content in parts:
        digest.update(b"%s\0%d\0" % (path.encode(), len(content)))
        digest.update(content)
    return digest.hexdigest()


def _differences(embedded: Iterable[SourceFile], tree: Iterable[SourceFile]) -> list[ReadProblem]:
    by_path = {file.path: file for file in embedded}
    problems = []
    for file in tree:
        own = by_path.get(file.path)
        if own is not None and own.content != file.content:
            line = own.origin.document_line
            message = (
                f"{quote_name(file.path)} da árvore difere do que o documento traz na linha {line}; vale o documento"
            )
            problems.append(ReadProblem(code="conflict", message=message, path=file.path, document_line=line))
    return problems


def _twins(embedded: Iterable[SourceFile], rest: Iterable[SourceFile]) -> list[ReadProblem]:
    """Tree files whose path equals another but for case or Unicode form."""
    seen = {fold_path(file.path): file.path for file in embedded}
    problems = []
    for file in rest:
        twin = seen.setdefault(fold_path(file.path), file.path)
        if twin != file.path:
            message = f"{quote_name(file.path)} e {quote_name(twin)} diferem só em maiúsculas ou na forma Unicode"
            problems.append(ReadProblem(code="collision", message=message, path=file.path))
    return problems

"""Gathers the files that a document embeds, in order, and what could not be taken over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pipeline.codec import sha256_hex, visible
from pipeline.domain.snapshot import Origin, ReadProblem, Segment, SourceFile
from pipeline.errors import InputError
from pipeline.module.paths import fold_path

__all__ = ["Collector", "Passage", "ProblemKind", "quote_name"]

_MAX_FILES = 10_000
_MAX_PROBLEMS = 10_000
_MAX_NAME = 200  # characters of a name in a message

ProblemKind = Literal["unsafe-target", "expansion", "conflict", "collision", "unsupported", "unclosed", "limit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """Consecutive lines of the document, each cut by ``dropped`` characters.

    ``document_line`` is the first line's, ``opened`` that of the fence or of the ``<<`` that begins it. ``altered``: a
    shell would write something else than the lines.
    """

    kind: Literal["heredoc", "fence"]
    lines: tuple[str, ...]
    opened: int
    document_line: int
    dropped: tuple[int, ...]
    expands: bool = False
    altered: bool = False


@dataclass(slots=True)
class _Entry:
    path: str
    directory: str
    passages: list[Passage]

    def lines(self) -> list[str]:
        return [line for passage in self.passages for line in passage.lines]


def quote_name(name: str) -> str:
    """The name in quotes for a message: harmless to show, cut where it is absurdly long."""
    return f"“{visible(name[:_MAX_NAME])}{'…' if len(name) > _MAX_NAME else ''}”"


class Collector:
    """Files by path, as successive blocks create, replace and extend them.

    InputError beyond 10 000 files or 10 000 problems.
    """

    def __init__(self, where: str) -> None:
        self.problems: list[ReadProblem] = []
        self._where = where
        self._entries: dict[str, _Entry] = {}
        self._fragments: list[_Entry] = []
        self._slots: dict[tuple[str, str], str] = {}
        self._folded: dict[str, str] = {}
        self._folders: set[str] = set()

    def report(self, code: ProblemKind, message: str, line: int, path: str | None = None) -> None:
        if len(self.problems) >= _MAX_PROBLEMS:
            raise InputError(f"mais de {_MAX_PROBLEMS} problemas de leitura", where=self._where, mend="divida o módulo")
        self.problems.append(
            ReadProblem(code=code, message=message, path=path and path[:_MAX_NAME], document_line=line)
        )

    def put(self, path: str, passage: Passage, *, directory: str = "", append: bool = False) -> None:
        """Create, replace or, with ``append``, extend the file at the safe path ``path``.

        Outside the tree (``directory``) equal paths of different folders are different files: the later one gets the
        folder's name in front. A labelled fence names no folder and means whichever file has its path.
        """
        name = path if passage.kind == "fence" and path in self._entries else self._slot(path, directory)
        entry = self._entries.get(name)
        if entry is None:
            if self._is_free(name, passage.opened):
                self._count()
                self._entries[name] = _Entry(name, directory, [passage])
        elif append:
            entry.passages.append(passage)
        elif entry.lines() != list(passage.lines):
            both = f"nas linhas {entry.passages[-1].opened} e {passage.opened}"
            self.report(
                "conflict", f"{quote_name(name)} tem conteúdos diferentes {both}; vale o último", passage.opened, name
            )
            entry.passages = [passage]

    def put_fragment(self, passage: Passage) -> None:
        """Keep a whole manifest that has no path of its own."""
        self._count()
        path = f"doc@{passage.document_line}"
        self._fragments.append(_Entry(path, "", [passage]))

    def files(self) -> tuple[SourceFile, ...]:
        """Everything gathered, in order of the document."""
        named = [_build(entry, fragment=False) for entry in self._entries.values()]
        loose = [_build(entry, fragment=True) for entry in self._fragments]
        return tuple(sorted(named + loose, key=lambda file: file.origin.document_line or 0))

    def _slot(self, path: str, directory: str) -> str:
        key = (path, directory)
        if key not in self._slots:
            holder = self._entries.get(path)
            self._slots[key] = path
            if holder is not None and holder.directory != directory:
                if directory:
                    self._slots[key] = f"{_folder_name(directory)}/{path}"
                else:  # the tree's own file keeps its name
                    self._move(holder)
        return self._slots[key]

    def _move(self, entry: _Entry) -> None:
        moved = f"{_folder_name(entry.directory)}/{entry.path}"
        self._slots[entry.path, entry.directory] = moved
        self._entries[moved] = self._entries.pop(entry.path)
        entry.path = moved

    def _is_free(self, path: str, line: int) -> bool:
        """Whether the file can stand beside the others; twins are kept, files that are also folders are not."""
        folded = fold_path(path)
        parts = folded.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts))]
        clash = next((folder for folder in above if folder in self._folded), None)
        if clash is not None or folded in self._folders:
            message = f"{quote_name(path)} não pode existir: o mesmo nome é arquivo e pasta"
            self.report("conflict", message, line, path)
            return False
        twin = self._folded.setdefault(folded, path)
        if twin != path:
            message = f"{quote_name(path)} e {quote_name(twin)} diferem só em maiúsculas ou na forma Unicode"
            self.report("collision", message, line, path)
        self._folders.update(above)
        return True

    def _count(self) -> None:
        if len(self._entries) + len(self._fragments) >= _MAX_FILES:
            raise InputError(f"mais de {_MAX_FILES} arquivos", where=self._where, mend="divida o módulo")


def _folder_name(directory: str) -> str:
    """A safe relative path that tells one outside folder from another."""
    names = (re.sub(r"[^\w.-]", "_", name).strip(".")[:60] for name in directory.split("/"))
    return "/".join([name for name in names if name][-8:]) or "_"


def _build(entry: _Entry, *, fragment: bool) -> SourceFile:
    content = "".join(f"{line}\n" for line in entry.lines()).encode()
    segments = []
    first = 1
    for passage in entry.passages:
        if passage.lines:
            segment = Segment(
                first_line=first, line_count=len(passage.lines), document_line=passage.document_line,
                dropped=passage.dropped,
            )  # fmt: skip
            segments.append(segment)
            first += segment.line_count
    start = entry.passages[0]
    # Without a line of its own it stands where it is opened: the next line may be past the document's end.
    origin = Origin(kind=start.kind, document_line=start.document_line if start.lines else start.opened)
    expands = any(passage.expands for passage in entry.passages)
    return SourceFile(
        path=entry.path, content=content, sha256=sha256_hex(content), origin=origin, segments=tuple(segments),
        fragment=fragment, expands=expands, directory=entry.directory,
    )  # fmt: skip

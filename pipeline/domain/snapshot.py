"""What was read: the module document, the files it embeds, the tree; bytes with their place of origin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Command",
    "Document",
    "Fence",
    "Heading",
    "ModuleSnapshot",
    "Origin",
    "ReadProblem",
    "Segment",
    "SourceFile",
    "SourceState",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Consecutive lines of an embedded file that are consecutive lines of the document.

    ``first_line`` and ``document_line`` count from 1. ``dropped`` holds, per line, the number of characters that the
    document has before the embedded line begins (the tabs of ``<<-``, the indentation of a fence inside a list).
    """

    first_line: int
    line_count: int
    document_line: int
    dropped: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a file came from; ``document_line`` is the line of its first byte in the document, None for a tree."""

    kind: Literal["heredoc", "fence", "tree"]
    document_line: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file of the module. ``path`` is relative, normalised, ``/``-separated.

    A ``fragment`` has no path of its own: a whole manifest in an unlabelled fence, or fed to a command's standard input
    by a heredoc. Its ``path`` is ``doc@LINE`` (first content line) and reports show it as ``doc``. ``expands`` says a
    shell would expand ``$`` and backticks in the content (a heredoc with an unquoted delimiter). ``directory`` is the
    folder outside the tree, as the document names it, in which a heredoc wrote the file; "" in the tree.
    """

    path: str
    content: bytes
    sha256: str
    origin: Origin
    segments: tuple[Segment, ...] = ()
    fragment: bool = False
    expands: bool = False
    directory: str = ""

    @property
    def text(self) -> str:
        """Content as text; bytes that are not UTF-8 become U+FFFD (the reader has reported them)."""
        return self.content.decode("utf-8", "replace")

    def document_line(self, line: int) -> int | None:
        """Line of the document where ``line`` of this file stands; None for a tree file."""
        for segment in self.segments:
            if segment.first_line <= line < segment.first_line + segment.line_count:
                return segment.document_line + line - segment.first_line
        return None

    def dropped(self, line: int) -> int:
        """Characters that the document has before ``line`` of this file begins."""
        for segment in self.segments:
            if segment.first_line <= line < segment.first_line + segment.line_count:
                return segment.dropped[line - segment.first_line]
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    level: int
    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """A fenced block: ``line`` of the opening fence, ``first_line`` of the content, from 1.

    ``content`` is dedented by ``indent`` characters as CommonMark says; ``label`` is the path that the line before
    names, if any; ``section`` the text of the level-2 heading it stands under. ``dropped`` holds, per content line, the
    characters that the document has before it: less than ``indent`` on blank lines, more inside a block quote.
    """

    language: str
    info: str
    line: int
    first_line: int
    line_count: int
    indent: int
    content: str
    label: str | None
    section: str
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One simple shell command of a shell fence, continuation lines joined, comments and heredoc bodies left out.

    ``words`` are as a shell would split them without expanding anything; ``directory`` is the folder that ``cd`` had
    led to, relative to the module's tree or absolute; ``section`` the text of the level-2 heading it stands under.
    """

    line: int
    text: str
    words: tuple[str, ...]
    directory: str
    section: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The Markdown document. ``lines`` are without their ends, split at LF only, so that numbers agree with git.

    ``files`` are those that it embeds, in the order in which they first appear, fragments included.
    """

    path: str
    text: str
    sha256: str
    lines: tuple[str, ...]
    headings: tuple[Heading, ...]
    fences: tuple[Fence, ...]
    commands: tuple[Command, ...]
    fenced_lines: frozenset[int] = field(repr=False)
    files: tuple[SourceFile, ...] = ()
    problems: tuple[ReadProblem, ...] = ()

    def prose(self) -> list[tuple[int, str]]:
        """Lines outside fences with their numbers."""
        return [(number, line) for number, line in enumerate(self.lines, 1) if number not in self.fenced_lines]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadProblem:
    """What reading could not take over: each becomes an NC, none is passed over in silence.

    ``code``: ``unsafe-target`` (path leaves the tree), ``expansion`` (unquoted delimiter with ``$`` or backticks in the
    body), ``conflict`` (two blocks write one file with different content), ``collision`` (paths equal but for case or
    Unicode form), ``unsupported`` (a redirection that is not read), ``unclosed`` (heredoc or fence without end),
    ``encoding`` (not UTF-8), ``special`` (link, FIFO, device, submodule), ``limit``.
    """

    code: Literal[
        "unsafe-target", "expansion", "conflict", "collision", "unsupported", "unclosed", "encoding", "special", "limit"
    ]
    message: str
    path: str | None = None
    document_line: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceState:
    """Where the input stands in version control; all None/False outside a repository."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleSnapshot:
    """One module as read. ``sha256`` covers the document and every file (path and content), nothing else."""

    id: str
    title: str
    version: str
    sha256: str
    document: Document | None
    files: tuple[SourceFile, ...]
    problems: tuple[ReadProblem, ...] = ()
    source: SourceState = SourceState()

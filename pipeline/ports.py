"""What stages and the store need from the outside, and the values that cross that border."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from pipeline.domain.snapshot import ReadProblem, SourceFile, SourceState

__all__ = [
    "CATEGORIES",
    "MAX_FILE_BYTES",
    "ArtifactFolder",
    "Blob",
    "BranchAuthor",
    "Content",
    "Entry",
    "FileReader",
    "Git",
    "Limits",
    "Outcome",
    "Publication",
    "Published",
    "PublishedFile",
    "Runner",
    "Tool",
    "TreeLimits",
    "TreeReading",
    "path_fault",
    "show_path",
]

CATEGORIES = ("ai_reports", "reports", "coverage", "tests", "docker", "sbom")
MAX_FILE_BYTES = 20 * 1024 * 1024
_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 1024
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A file of a content-addressed cache of ours, by its SHA-256: it is linked where the disk can, else copied."""

    path: Path
    sha256: str


Content = bytes | Path | Blob
"""Bytes, or a private file whose bytes are streamed while it is copied, or a blob, hashed where it is published."""


def path_fault(path: str) -> str | None:
    r"""Why ``path`` (pt-BR) may not stand below a folder of ours; None when it may.

    Safe means: relative, ``/``-separated, normalised, UTF-8, without ``\``, control, bidi or zero-width characters, so
    that ``sha256sum`` lists it without escapes and no program reads it as another path.
    """
    if not path:
        return "caminho vazio"
    if visible(path) != path or "\\" in path or "\t" in path or "\n" in path:
        return "caractere de controle, invisível ou barra invertida no caminho"
    if path.startswith(("/", "~")) or _DRIVE.match(path):
        return "caminho absoluto"
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "caminho não normalizado ou que sai da pasta"
    if len(path.encode()) > _MAX_PATH_BYTES or any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        return "caminho longo demais"
    return None


def show_path(path: str | Path) -> str:
    """A path on one line: controls, bidi marks, tabs, newlines and lone surrogates shown as escapes."""
    return visible(str(path)).replace("\n", "\\x0a").replace("\t", "\\x09")


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeLimits:
    """Upper bounds for one tree; ``file_bytes`` skips a file with a problem, the others refuse the whole tree."""

    files: int = 10_000
    file_bytes: int = MAX_FILE_BYTES
    total_bytes: int = 200 * 1024 * 1024
    depth: int = 64


TreeReading = tuple[tuple["SourceFile", ...], tuple["ReadProblem", ...]]


class FileReader(Protocol):
    """Files that nobody vouches for."""

    def read_file(self, path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes: ...

    def read_tree(self, root: Path, *, limits: TreeLimits = ...) -> TreeReading: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchAuthor:
    """Who signs a commit and when: ``timestamp`` in seconds since 1970, always recorded as UTC."""

    name: str
    email: str
    timestamp: int


class Git(Protocol):
    """Version control, read without running anything that the repository names."""

    def repository_root(self, location: Path) -> Path | None: ...

    def describe(self, location: Path, contents: Mapping[str, bytes]) -> SourceState: ...

    def read_gitops(
        self, spec: str, *, offline: bool = False, limits: TreeLimits = ...
    ) -> tuple[tuple[SourceFile, ...], tuple[ReadProblem, ...], SourceState]: ...

    def read_folder_at(
        self, folder: Path, revision: str, *, only: Collection[str] | None = None
    ) -> tuple[str, dict[str, bytes]]:
        """The commit that ``revision`` names and the files of ``folder`` in it; none where it did not exist yet."""

    def create_branch(
        self,
        repository: Path,
        name: str,
        files: Mapping[str, bytes],
        message: str,
        *,
        author: BranchAuthor,
        base: str = "HEAD",
    ) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A program as it was found: one absolute path, the digest of its bytes, the first line of its version output."""

    name: str
    path: Path
    sha256: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of one tool run: wall-clock seconds, bytes of stdout and stderr together, address space and file size."""

    seconds: float = 60.0
    output_bytes: int = 64 * 1024 * 1024
    memory_bytes: int | None = None
    file_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A finished run. ``isolated`` says whether the host gave it a network and process namespace of its own."""

    tool: Tool
    arguments: tuple[str, ...]
    status: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float
    isolated: bool


class Runner(Protocol):
    """The sealed runner of threats §4."""

    def find(self, name: str, *, hint: str, version_arguments: Sequence[str] = ("--version",)) -> Tool: ...

    def run(
        self,
        tool: Tool,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        limits: Limits = ...,
        network: bool = False,
        accept: Collection[int] = (0,),
    ) -> Outcome: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One name below a folder; ``path`` is relative to the folder that was listed."""

    path: str
    kind: Literal["file", "folder", "link", "other"]


class ArtifactFolder(Protocol):
    """The artifacts folder behind one descriptor. Paths are relative to it; no link is ever followed.

    Writing methods are durable when they return and need the exclusive lock; each is whole or not at all.
    """

    def locked(self, *, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the folder's lock, which the operating system releases when the holder dies."""

    def read(self, path: str, *, limit: int) -> bytes | None:
        """Bytes of a regular file; None where there is none; IntegrityError for anything else."""

    def digest(self, path: str) -> str | None:
        """SHA-256 of a regular file, streamed; None where there is none."""

    def entries(self, path: str) -> tuple[Entry, ...]:
        """Direct children, sorted by bytes; empty where there is no such folder. Names are shown by ``visible``."""

    def walk(self, path: str) -> Iterator[Entry]:
        """Every name below, depth first, sorted by bytes."""

    def put(self, path: str, data: bytes) -> None:
        """Write one file, replacing it."""

    def append(self, path: str, data: bytes) -> None:
        """Add to the end of a file; on failure the file is as before."""

    def move(self, source: str, target: str) -> None:
        """Rename a file, making the target's folder."""

    def remove(self, path: str) -> None:
        """Unlink one regular file of ours."""

    def replace_folder(
        self, path: str, files: Mapping[str, Content], *, keep: Collection[str], digests: Mapping[str, str]
    ) -> None:
        """Publish a folder with these files and, of the present ones, those in ``keep``; readers see old or new.

        InputError when a streamed file no longer has its entry in ``digests`` while it is copied.
        """

    def remove_folder(self, path: str) -> None:
        """Take a run's folder away, ``<category>/<run>``, by one rename; what is left of it then is removed."""

    def digest_outside(self, path: Path) -> str:
        """SHA-256 of a private file that is going to be published."""

    def clean(self, *, spare: Collection[str]) -> None:
        """Mend what a killed process left: undo its half renames, remove its ``.tmp-`` names but those in ``spare``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFile:
    """A file of a publication; ``size`` in bytes. Its bytes must have the digest wherever they are read from."""

    name: str
    media_type: str
    sha256: str
    size: int
    content: bytes | Path = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """A pack on its way to a place that keeps it. ``files`` are in the order in which they are sent, the list last.

    ``key`` names it there, the same for the same bytes: ``<run>/<16 digits of the zip's digest>``. ``keep_until`` is
    its retention date, ``held`` says that it is under a legal hold.
    """

    run: str
    module: str
    root: str
    key: str
    keep_until: datetime
    held: bool
    files: tuple[PublishedFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Where a publication is, and what the place vouches for; ``new`` is False where all of it was there before."""

    place: str
    new: bool
    kept: str

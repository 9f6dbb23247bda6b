"""What a launch reads, noted while it is read: a later one can tell by contents alone whether it would be the same.

A note holds the digest of the very bytes that were used. Whoever asks later reads the same places again: no time stamp,
size or inode is ever believed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.files import read_file, read_tree
from pipeline.adapters.gitdir import find_repository, head_state
from pipeline.adapters.host import find_program, package_version, toolkit_digest
from pipeline.errors import PipelineError
from pipeline.ports import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import date

    from pipeline.adapters.git import SafeGit
    from pipeline.domain.snapshot import ReadProblem, SourceFile, SourceState
    from pipeline.ports import BranchAuthor, FileReader, TreeLimits, TreeReading

__all__ = ["Notes", "Places", "RecordingGit", "RecordingReader"]

_SHOWN = {"day": "o dia das exceções", "toolkit": "a versão desta ferramenta"}


class Notes:
    """Rows of kind, place and digest. ``lost`` says that something cannot be read again in the same way."""

    def __init__(self, search_path: str) -> None:
        self._search_path = search_path
        self._rows: set[tuple[str, str, str]] = set()
        self.lost = False

    def add(self, kind: str, place: str | Path, digest: str) -> None:
        self._rows.add((kind, str(place), digest))

    def day(self, day: date) -> None:
        """The result depends on this day."""
        self.add("day", "", day.isoformat())

    def absent(self, path: Path) -> None:
        """A file that would have counted, had it been there."""
        self.add("absent", path, "")

    def rego_engines(self) -> None:
        """What decides on the evaluator of policies (``adapters.opa.find_engine``)."""
        for name in ("opa", "conftest"):
            self.add("program", name, _program(name, self._search_path))
        self.add("package", "gordon-to-regorus", package_version("gordon-to-regorus"))

    def rows(self) -> tuple[tuple[str, str, str], ...] | None:
        """As they are recorded; None where one place was lost, or gave two answers in one launch."""
        self.add("toolkit", "", toolkit_digest())
        places = {(kind, place) for kind, place, _ in self._rows}
        return None if self.lost or len(places) != len(self._rows) else tuple(sorted(self._rows))


class RecordingReader:
    """The port ``FileReader``, with a note of everything that it gave."""

    def __init__(self, reader: FileReader, notes: Notes) -> None:
        self._reader = reader
        self._notes = notes

    def read_file(self, path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
        data = self._reader.read_file(path, limit=limit)
        self._notes.add("file", path, _digest(data))
        return data

    def read_tree(self, root: Path, *, limits: TreeLimits | None = None) -> TreeReading:
        reading = self._reader.read_tree(root) if limits is None else self._reader.read_tree(root, limits=limits)
        self._notes.add("tree", root, _tree_digest(*reading))
        return reading


class RecordingGit:
    """The port ``Git``, with a note of the commit that each answer stands on."""

    def __init__(self, git: SafeGit, notes: Notes) -> None:
        self._git = git
        self._notes = notes

    def repository_root(self, location: Path) -> Path | None:
        self._notes.add("root", location, _root(location))
        return self._git.repository_root(location)

    def describe(self, location: Path, contents: Mapping[str, bytes]) -> SourceState:
        before = head_state(location)
        state = self._git.describe(location, contents)
        self._note_head(location, before, state.commit)
        return state

    def commit_author(self, location: Path, commit: str) -> BranchAuthor | None:
        return self._git.commit_author(location, commit)  # a commit never changes

    def read_gitops(
        self, spec: str, *, offline: bool = False, limits: TreeLimits | None = None
    ) -> tuple[tuple[SourceFile, ...], tuple[ReadProblem, ...], SourceState]:
        from pipeline.adapters.gitspec import parse_gitops  # noqa: PLC0415  # only who names a tree pays for it

        named = parse_gitops(spec, offline=offline)
        folder = named.folder or Path()
        before = head_state(folder) if named.url is None else None
        files, problems, state = self._git.read_gitops(spec, offline=offline, limits=limits)
        if named.url is not None:
            # What a server calls by a name may be another commit tomorrow; a commit's own id may not.
            self._notes.lost |= named.revision != state.commit
        elif named.revision is None:
            self._notes.add("tree", folder, _tree_digest(files, problems))
            self._note_head(folder, before, state.commit)
        else:
            self._note_revision(folder, named.revision, state.commit)
        if named.url is not None or named.revision is not None:
            self._notes.absent(Path(spec))  # a folder of that very name would win
        return files, problems, state

    def read_folder_at(
        self, folder: Path, revision: str, *, only: Collection[str] | None = None
    ) -> tuple[str, dict[str, bytes]]:
        commit, files = self._git.read_folder_at(folder, revision, only=only)
        self._note_revision(folder, revision, commit)
        return commit, files

    def create_branch(
        self,
        repository: Path,
        name: str,
        files: Mapping[str, bytes],
        message: str,
        *,
        author: BranchAuthor,
        base: str = "HEAD",
    ) -> str:
        self._notes.lost = True  # what a launch writes into a repository is asked for each time
        return self._git.create_branch(repository, name, files, message, author=author, base=base)

    def _note_head(self, location: Path, before: str | None, commit: str | None) -> None:
        """The state that git's answer stood on; lost where the repository moved, or its files alone do not tell."""
        after = head_state(location)
        if after is None or after != before or (commit or "") != after.rpartition("\n")[2]:
            self._notes.lost = True
        else:
            self._notes.add("head", location, after)

    def _note_revision(self, folder: Path, revision: str, commit: str | None) -> None:
        if revision == commit:
            return  # a commit never changes
        state = self._git.revision_state(folder, revision)
        self._notes.add("revision", f"{folder}@{revision}", state)
        self._notes.lost |= commit not in state.split("\n")


class Places:
    """The same places, read again. ``today`` and ``search_path`` are those of this launch."""

    def __init__(self, *, today: date, search_path: str) -> None:
        self._today = today
        self._search_path = search_path
        self._seen: dict[tuple[str, str], str | None] = {}

    def first_change(self, rows: Iterable[tuple[str, str, str]]) -> str | None:
        """What is no longer as noted, as a person would call it; None where all is. An unknown kind is a change."""
        for kind, place, digest in rows:
            if (kind, place) not in self._seen:
                self._seen[kind, place] = self._read(kind, place)
            if self._seen[kind, place] != digest:
                return _SHOWN.get(kind, place)
        return None

    def _read(self, kind: str, place: str) -> str | None:
        readers: dict[str, Callable[[], str | None]] = {
            "file": lambda: _digest(read_file(Path(place))),
            "tree": lambda: _tree_digest(*read_tree(Path(place))),
            "absent": lambda: None if os.path.lexists(place) else "",
            "head": lambda: head_state(Path(place)),
            "root": lambda: _root(Path(place)),
            "revision": lambda: _revision(place, self._search_path),
            "toolkit": toolkit_digest,
            "day": self._today.isoformat,
            "program": lambda: _program(place, self._search_path),
            "package": lambda: package_version(place),
        }
        try:
            return readers[kind]() if kind in readers else None
        except (PipelineError, OSError):
            return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tree_digest(files: Iterable[SourceFile], problems: Iterable[ReadProblem]) -> str:
    digest = hashlib.sha256()
    for each in files:
        digest.update(f"{each.path}\0{each.sha256}\0".encode("utf-8", "surrogateescape"))
    for found in problems:
        row = f"{found.code}\0{found.path}\0{found.document_line}\0{found.message}\0"
        digest.update(row.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _root(location: Path) -> str:
    repository = find_repository(location)
    return "" if repository is None else _digest(os.fsencode(str(repository.root)))


def _revision(place: str, search_path: str) -> str:
    from pipeline.adapters.git import SafeGit  # noqa: PLC0415  # only who names a revision pays for it
    from pipeline.adapters.runner import SealedRunner  # noqa: PLC0415

    folder, _, revision = place.rpartition("@")
    return SafeGit(SealedRunner(search_path=search_path)).revision_state(Path(folder), revision)


def _program(name: str, search_path: str) -> str:
    """Digest of the program that this name finds; empty where there is none."""
    found = find_program(name, search_path)
    if found is None:
        return ""
    with Path(found).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""From what the command line names to one snapshot: document, folder, GitOps tree, and where each stands in git."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.codec import dump_json, sha256_hex, sort_sums, visible
from pipeline.domain.snapshot import SourceState
from pipeline.errors import InputError
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.domain.snapshot import ModuleSnapshot, ReadProblem, SourceFile
    from pipeline.ports import FileReader, Git

__all__ = ["Base", "Source", "problems_digest", "read_base", "read_source", "tree_digest"]

_DOCUMENT_NAME = re.compile(r"m[oó]dul[oe]?[-_ ]?\d{1,2}\b.*\.md|m\d{2}\b.*\.md", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A module as read, and how its paths are written in a patch.

    ``tree`` holds every file of the tree, those that the document embeds too; ``document_bytes`` is empty without one.
    ``document_prefix`` and ``tree_prefix`` lead from the repository's root to the folder that paths are relative to,
    empty at the root and outside a repository. ``separate_tree`` is True when the tree comes from another repository,
    so that document and tree need a patch each.
    """

    snapshot: ModuleSnapshot
    tree: tuple[SourceFile, ...]
    document_bytes: bytes
    document_prefix: str
    tree_prefix: str
    separate_tree: bool
    repository: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """The module's files at an earlier revision, by the paths of its document and tree; ``commit`` is a full id."""

    commit: str
    files: dict[str, bytes]


def read_base(source: Source, module: Path | None, gitops: Path | None, revision: str, *, git: Git) -> Base:
    """What document and tree were at ``revision``; a folder that did not exist then had no file.

    ``gitops`` is the local folder of the tree, where it is not the module's own. InputError for an unknown revision and
    outside a repository.
    """
    commit, files = "", dict[str, bytes]()
    if gitops is not None:
        commit, files = git.read_folder_at(gitops, revision)
    if module is not None:
        document = source.snapshot.document
        alone = not module.is_dir() or gitops is not None
        only = [document.path] if alone and document is not None else None
        commit, found = git.read_folder_at(module if module.is_dir() else module.parent, revision, only=only)
        files |= found
    return Base(commit=commit, files=files)


def read_source(module: Path | None, gitops: str | None, *, reader: FileReader, git: Git, offline: bool) -> Source:
    """Read ``module`` (document or folder), ``gitops`` (folder or git URL with an optional revision), or both.

    With both, the tree is that of ``gitops`` and ``module`` gives the document alone. InputError where there is nothing
    to audit: no document and no file.
    """
    document_path, tree, problems = _read_module(module, reader, with_tree=gitops is None)
    document = None
    data = b""
    contents: dict[str, bytes] = {}
    if document_path is not None:
        data = reader.read_file(document_path)
        _refuse_empty(data, document_path)
        document = read_document(data, path=document_path.name)
        contents[document_path.name] = data
    root = git.repository_root(module) if module is not None else None
    state = SourceState()
    if module is not None:
        folder = module if module.is_dir() else module.parent
        contents |= {each.path: each.content for each in tree}
        state = git.describe(folder, contents)
    if gitops is not None:
        tree, problems, tree_state = git.read_gitops(gitops, offline=offline)
        state = tree_state if module is None else state
    if document is None and not tree:
        raise InputError(
            "nada a auditar: nenhum documento de módulo e nenhum arquivo",
            where=visible(str(module or gitops)),
            mend="aponte --module para o documento .md ou para a pasta do módulo",
        )
    prefix = _prefix(root, module)
    fallback = module.stem if module is not None else "modulo"
    return Source(
        snapshot=build_snapshot(
            document=document, tree=tree, problems=problems, source=state, fallback_id=_identifier(fallback)
        ),
        tree=tree,
        document_bytes=data,
        document_prefix=prefix,
        tree_prefix=prefix if gitops is None else "",
        separate_tree=gitops is not None and document is not None,
        repository=root,
    )


def tree_digest(tree: tuple[SourceFile, ...]) -> str:
    """Digest of a tree's paths and contents, whichever files the document replaces."""
    return sha256_hex(sort_sums({each.path: each.sha256 for each in tree}))


def problems_digest(problems: tuple[ReadProblem, ...]) -> str:
    """Digest of what could not be read: it is found as much as what could."""
    return sha256_hex(dump_json([asdict(each) for each in problems]))


def _read_module(
    module: Path | None, reader: FileReader, *, with_tree: bool
) -> tuple[Path | None, tuple[SourceFile, ...], tuple[ReadProblem, ...]]:
    if module is None:
        return None, (), ()
    if not module.is_dir():
        return module, (), ()
    tree, problems = reader.read_tree(module)
    names = [each.path for each in tree if "/" not in each.path and _DOCUMENT_NAME.fullmatch(each.path)]
    if len(names) > 1:
        raise InputError(
            f"mais de um documento de módulo na pasta: {', '.join(visible(name) for name in names)}",
            where=visible(str(module)),
            mend="aponte --module para um deles",
        )
    document = module / names[0] if names else None
    files = tuple(each for each in tree if each.path not in names) if with_tree else ()
    return document, files, problems if with_tree else ()


def _refuse_empty(data: bytes, path: Path) -> None:
    """Nothing examined is never a pass."""
    if not data.strip():
        raise InputError("o documento está vazio", where=visible(str(path)), mend="aponte --module para outro")


def _prefix(root: Path | None, module: Path | None) -> str:
    """Folder of the module from the repository's root, with a final slash; empty at the root."""
    if root is None or module is None:
        return ""
    folder = module if module.is_dir() else module.parent
    relative = folder.resolve().relative_to(root.resolve()).as_posix()
    return "" if relative == "." else f"{relative}/"


def _identifier(name: str) -> str:
    """A short upper-case id for a module whose document names none."""
    letters = re.sub(r"[^A-Za-z0-9]", "", name).upper()
    return letters[:12] or "MODULO"

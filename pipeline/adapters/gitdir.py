"""A repository seen through a private git folder: its refs and objects, never its configuration (threats M1, T10)."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import kind_of, naming
from pipeline.adapters.files import read_file, read_tree
from pipeline.errors import InputError
from pipeline.ports import TreeLimits, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GitFolder", "PrivateGit", "find_repository", "head_state", "make_private", "opened_private"]

_MAX_REF_BYTES = 4096
_MAX_PACKED_BYTES = 64 * 1024 * 1024
_REF_LIMITS = TreeLimits(files=50_000, file_bytes=_MAX_REF_BYTES)
_ID = re.compile(rb"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")
_CONFIG = """[core]
\trepositoryformatversion = 1
\tbare = true
\thooksPath = /dev/null
\tfsmonitor = false
\tcommitGraph = false
[extensions]
\tobjectFormat = {format}
[gc]
\tauto = 0
[maintenance]
\tauto = false
[transfer]
\tfsckObjects = true
[http]
\tfollowRedirects = false
[i18n]
\tcommitEncoding = UTF-8
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class GitFolder:
    """A repository: ``root`` is its work tree (None when bare), ``own`` holds HEAD, ``common`` refs and objects."""

    root: Path | None
    own: Path
    common: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateGit:
    """``folder`` is a git folder of ours with a copy of the refs; ``objects`` the repository's own object store.

    ``head_branch`` is the branch that HEAD names, also when it has no commit yet; None when HEAD is detached.
    """

    folder: Path
    objects: Path
    head_branch: str | None
    object_format: str


def find_repository(location: Path) -> GitFolder | None:
    """The repository that holds ``location`` (a file or a folder), or None.

    A ``.git`` file is followed only for a linked work tree or a submodule whose two ends point at each other;
    InputError names the reason for any other one, and for a ``.git`` that is a link.
    """
    with naming(location):
        start = location.resolve(strict=True)
        device = start.stat().st_dev
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        if folder.stat().st_dev != device:
            return None
        marker = folder / ".git"
        with naming(marker):
            mode = marker.lstat().st_mode if os.path.lexists(marker) else None
        if mode is None:
            if folder == start and _is_git_folder(folder):
                return GitFolder(root=None, own=folder, common=folder)
        elif stat.S_ISREG(mode):
            return _follow(marker, folder)
        elif not stat.S_ISDIR(mode):
            raise InputError(f".git é {kind_of(mode)}", where=show_path(marker), mend="use o repositório real")
        elif _is_git_folder(marker):
            return GitFolder(root=folder, own=marker, common=marker)
    return None


def _is_git_folder(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def _follow(marker: Path, root: Path) -> GitFolder:
    text = read_file(marker, limit=_MAX_REF_BYTES).decode("utf-8", "surrogateescape")
    where = show_path(marker)
    if not text.startswith("gitdir: "):
        raise InputError("o arquivo .git não diz onde está o repositório", where=where, mend="clone de novo")
    with naming(marker):
        own = (root / text.removeprefix("gitdir: ").rstrip("\n")).resolve()
    common = own.parent.parent
    back = own / "gitdir"
    if own.parent.name == "worktrees" and back.is_file():
        named = read_file(back, limit=_MAX_REF_BYTES).decode("utf-8", "surrogateescape").rstrip("\n")
        if (own / named).resolve() == marker and _is_git_folder(common):
            return GitFolder(root=root, own=own, common=common)
    above = (each / ".git" / "modules" for each in root.parents)
    if any(own.is_relative_to(each) for each in above) and _is_git_folder(own):
        return GitFolder(root=root, own=own, common=own)
    raise InputError(
        "o arquivo .git aponta para fora deste repositório", where=where, mend="indique o repositório real"
    )


def head_state(location: Path) -> str | None:
    """What HEAD names, from the repository's files alone and without git: folder below its top, branch, commit.

    A line each; empty outside a repository. None where only git could tell (a ref that names another ref).
    """
    repository = find_repository(location)
    if repository is None or repository.root is None:
        return ""
    place = location.resolve()
    folder = (place if place.is_dir() else place.parent).relative_to(repository.root).as_posix()
    head = read_file(repository.own / "HEAD", limit=_MAX_REF_BYTES)
    branch = _branch_of(head)
    named = head.strip() if branch is None else _ref_value(repository.common, f"refs/heads/{branch}")
    if named and _ID.fullmatch(named) is None:
        return None
    return f"{folder}\n{branch or ''}\n{named.decode()}"


def _ref_value(common: Path, name: str) -> bytes:
    """What a loose or packed ref holds; empty before its first commit."""
    loose = common / name
    if loose.is_file():
        return read_file(loose, limit=_MAX_REF_BYTES).strip()
    packed = _optional(common / "packed-refs", _MAX_PACKED_BYTES)
    found = re.search(rb"^([0-9a-f]+) " + re.escape(os.fsencode(name)) + rb"$", packed, re.MULTILINE)
    return found[1] if found else b""


@contextmanager
def opened_private(repository: GitFolder) -> Iterator[PrivateGit]:
    """A private git folder over the repository's objects; InputError names why a repository cannot be read so."""
    _check_store(repository.common)
    head = read_file(repository.own / "HEAD", limit=_MAX_REF_BYTES)
    packed = _optional(repository.common / "packed-refs", _MAX_PACKED_BYTES)
    refs, _ = read_tree(repository.common / "refs", limits=_REF_LIMITS)
    known = next(
        (found for text in (head, packed, *(each.content for each in refs)) if (found := _ID.search(text))), None
    )
    form = "sha256" if known is not None and len(known.group()) == 64 else "sha1"
    with make_private(form) as folder:
        (folder / "HEAD").write_bytes(head)
        (folder / "packed-refs").write_bytes(packed)
        shallow = _optional(repository.common / "shallow", _MAX_PACKED_BYTES)
        if shallow:
            (folder / "shallow").write_bytes(shallow)
        for each in refs:
            if not each.path.startswith("replace/"):
                target = folder / "refs" / each.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(each.content)
        yield PrivateGit(
            folder=folder,
            objects=repository.common / "objects",
            head_branch=_branch_of(head),
            object_format=form,
        )


@contextmanager
def make_private(form: str = "sha1") -> Iterator[Path]:
    """An empty bare git folder of ours, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="appgear-git-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "refs").mkdir()
        (folder / "objects").mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "config").write_text(_CONFIG.format(format=form))
        yield folder


def _branch_of(head: bytes) -> str | None:
    text = head.decode("utf-8", "backslashreplace").rstrip("\n")
    return text.removeprefix("ref: refs/heads/") if text.startswith("ref: refs/heads/") else None


def _optional(path: Path, limit: int) -> bytes:
    return read_file(path, limit=limit) if os.path.lexists(path) else b""


def _check_store(common: Path) -> None:
    where = show_path(common)
    if (common / "reftable").is_dir():
        raise InputError("repositório no formato reftable", where=where, mend="git refs migrate --ref-format=files")
    for name in ("objects", "refs", "objects/info", "objects/pack"):
        if (common / name).is_symlink():
            raise InputError(f"{name} é um link simbólico", where=where, mend="use um clone comum")
    for name in ("objects/info/alternates", "objects/info/http-alternates"):
        if os.path.lexists(common / name):
            raise InputError(
                "o repositório toma objetos de outro (alternates)",
                where=where,
                mend="rode git repack -a -d e apague objects/info/alternates",
            )

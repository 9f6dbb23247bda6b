"""A commit on a new branch by GitPython's object database: new objects and one ref, nothing else (threats R3, T10).

Importing this module imports GitPython, which takes 200 ms: import it where a branch is made.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from git import Actor, Commit, GitCmdObjectDB, Repo, Tree
from gitdb import IStream, LooseObjectDB  # type: ignore[import-untyped]  # it ships no types

from pipeline.adapters.descriptors import FOLDER, naming, opened, opened_below, sync_folder, write_new
from pipeline.errors import InputError
from pipeline.ports import path_fault, show_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.adapters.gitdir import PrivateGit
    from pipeline.adapters.gitplumbing import Plumbing
    from pipeline.ports import BranchAuthor

__all__ = ["BranchChange", "write_branch"]

_TREE, _FILE, _EXECUTABLE = 0o040000, 0o100644, 0o100755
# Names that some file system takes for ``.git``: NTFS short names, streams, trailing dots and spaces.
_DOT_GIT = re.compile(r"(\.git|git~\d+)[ .]*(:.*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchChange:
    """What is asked for: ``name`` has passed git's grammar, ``files`` go from the repository's root."""

    name: str
    files: Mapping[str, bytes]
    message: str
    author: BranchAuthor


@dataclass(slots=True)
class _Folder:
    files: dict[bytes, bytes] = field(default_factory=dict)
    folders: dict[bytes, _Folder] = field(default_factory=dict)


class _Objects(GitCmdObjectDB):
    """GitPython's object store that writes the loose file itself: its own ``store`` would start git unsealed."""

    store = LooseObjectDB.store


def write_branch(common: Path, private: PrivateGit, plumbing: Plumbing, change: BranchChange, *, base: str) -> str:
    """Write the commit on top of ``base`` (a full id) and the ref; return the commit's id."""
    if private.object_format != "sha1":
        raise InputError("repositório sha256: o GitPython não o escreve", where=show_path(common), mend="use o .patch")
    _refuse_existing(common, private, change.name)
    _check_text(change.message, change.author)
    top = _arrange(change.files)
    with Repo(str(private.folder), expand_vars=False) as repo:
        repo.odb = _Objects(str(private.objects), repo.git)
        commit = _Writer(repo, private, plumbing).commit(change, top, base)
    _write_ref(common, change.name, commit)
    return commit


def _refuse_existing(common: Path, private: PrivateGit, name: str) -> None:
    """Before any object is written; the ref's own write refuses again, whatever happened meanwhile."""
    packed = (private.folder / "packed-refs").read_bytes().decode("utf-8", "surrogateescape").splitlines()
    taken = {line.partition(" refs/heads/")[2] for line in packed if " refs/heads/" in line}
    parents = [name[: match.start()] for match in re.finditer("/", name)]
    heads = common / "refs" / "heads"
    clash = (
        name == private.head_branch
        or not taken.isdisjoint({name, *parents})
        or any(each.startswith(f"{name}/") for each in taken)
        or os.path.lexists(heads / name)
        or any(os.path.lexists(heads / each) and not (heads / each).is_dir() for each in parents)
    )
    if clash:
        raise InputError("o ramo já existe", where=show_path(name), mend="escolha outro nome")


def _check_text(message: str, author: BranchAuthor) -> None:
    if "\0" in message or not message.strip():
        raise InputError("mensagem de commit inválida", mend="escreva uma linha de texto")
    if any(character in text for text in (author.name, author.email) for character in "<>\n\0") or not author.name:
        raise InputError("autor de commit inválido", mend="use nome e e-mail sem <, > e quebras de linha")


def _arrange(files: Mapping[str, bytes]) -> _Folder:
    top = _Folder()
    for path, content in files.items():
        fault = path_fault(path)
        if fault is None and any(_DOT_GIT.fullmatch(part) for part in path.split("/")):
            fault = "caminho interno do git"
        if fault is not None:
            raise InputError(fault, where=show_path(path), mend="corrija o caminho")
        *folders, name = path.encode().split(b"/")
        place = top
        for folder in folders:
            place = place.folders.setdefault(folder, _Folder())
        place.files[name] = content
    return top


class _Writer:
    """Reads trees through the sealed plumbing, writes objects through GitPython."""

    def __init__(self, repo: Repo, private: PrivateGit, plumbing: Plumbing) -> None:
        self._repo = repo
        self._private = private
        self._plumbing = plumbing

    def commit(self, change: BranchChange, top: _Folder, base: str) -> str:
        (old,) = self._plumbing.resolve(self._private, f"{base}:")
        if old is None:
            raise InputError("o commit de base não tem árvore", where=base, mend="rode git fsck")
        tree = self._tree(bytes.fromhex(old), top, "")
        if tree.hex() == old:
            raise InputError("o ramo não mudaria nada", where=show_path(change.name), mend="não há o que gravar")
        signature = Actor(change.author.name, change.author.email)
        moment = f"{change.author.timestamp} +0000"
        made = Commit.create_from_tree(
            self._repo,
            Tree(self._repo, tree),
            change.message,
            parent_commits=[Commit(self._repo, bytes.fromhex(base))],
            head=False,
            author=signature,
            committer=signature,
            author_date=moment,
            commit_date=moment,
        )
        return made.hexsha

    def _tree(self, old: bytes | None, change: _Folder, where: str) -> bytes:
        """Id of the tree ``old`` with the change applied; only trees on the way to a changed file are written."""
        entries = {} if old is None else _parse_tree(self._plumbing.read_object(self._private, "tree", old.hex()))
        for name, below in change.folders.items():
            place = f"{where}{name.decode()}"
            mode, child = entries.get(name, (_TREE, None))
            if mode != _TREE or name in change.files:
                raise InputError("o caminho passa por um arquivo, link ou submódulo", where=show_path(place))
            entries[name] = (_TREE, self._tree(child, below, f"{place}/"))
        for name, content in change.files.items():
            mode, _ = entries.get(name, (_FILE, None))
            if mode not in {_FILE, _EXECUTABLE}:
                raise InputError("já há outra coisa nesse caminho", where=show_path(f"{where}{name.decode()}"))
            entries[name] = (mode, self._store(b"blob", content))
        return self._store(b"tree", _dump_tree(entries))

    def _store(self, kind: bytes, data: bytes) -> bytes:
        stored: bytes = self._repo.odb.store(IStream(kind, len(data), io.BytesIO(data))).binsha
        return stored


def _parse_tree(data: bytes) -> dict[bytes, tuple[int, bytes | None]]:
    entries: dict[bytes, tuple[int, bytes | None]] = {}
    while data:
        head, _, rest = data.partition(b"\0")
        mode, _, name = head.partition(b" ")
        entries[name] = (int(mode, 8), rest[:20])
        data = rest[20:]
    return entries


def _dump_tree(entries: Mapping[bytes, tuple[int, bytes | None]]) -> bytes:
    ordered = sorted(entries.items(), key=lambda row: row[0] + b"/" if row[1][0] == _TREE else row[0])
    return b"".join(b"%o %s\0%s" % (mode, name, oid or b"") for name, (mode, oid) in ordered)


def _write_ref(common: Path, name: str, commit: str) -> None:
    """Make the ref under git's own lock file; a link, not a rename, so that an existing ref is never replaced."""
    *folders, leaf = f"refs/heads/{name}".split("/")
    lock = f"{leaf}.lock"
    with naming(name), opened(common, FOLDER) as root, opened_below(root, folders, create=True) as parent:
        try:
            write_new(parent, lock, f"{commit}\n".encode())
        except FileExistsError as error:
            raise InputError(
                "outro git está gravando este ramo", where=show_path(name), mend="repita depois"
            ) from error
        try:
            os.link(lock, leaf, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
        except FileExistsError as error:
            raise InputError("o ramo já existe", where=show_path(name), mend="escolha outro nome") from error
        finally:
            os.unlink(lock, dir_fd=parent)
            sync_folder(parent)

"""Version control through plumbing alone, run by the sealed runner over a private git folder (threats M1, M2, T10)."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.files import read_tree
from pipeline.adapters.gitdir import find_repository, make_private, opened_private
from pipeline.adapters.gitplumbing import ENVIRONMENT, FULL_ID, REGULAR, Plumbing, blob_id
from pipeline.adapters.gitremote import Remote
from pipeline.adapters.gitspec import check_revision, parse_gitops
from pipeline.adapters.runner import SealedRunner
from pipeline.domain.snapshot import SourceState
from pipeline.errors import InputError
from pipeline.ports import BranchAuthor, TreeLimits, show_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pipeline.domain.snapshot import ReadProblem, SourceFile
    from pipeline.ports import Runner, Tool

__all__ = ["SafeGit"]


class SafeGit:
    """The port ``Git``. Nothing that a repository names (hook, filter, helper, monitor, alternate) ever runs or counts.

    ``network`` holds the variables that a fetch may see (agent socket, proxy); others are left out.
    """

    def __init__(self, runner: Runner | None = None, *, network: Mapping[str, str] | None = None) -> None:
        self._plumbing = Plumbing(runner or SealedRunner())
        self._remote = Remote(self._plumbing, network or {})

    def repository_root(self, location: Path) -> Path | None:
        """Top of the work tree that holds ``location``; None outside a repository and in a bare one."""
        repository = find_repository(location)
        return None if repository is None else repository.root

    def describe(self, location: Path, contents: Mapping[str, bytes], *, whole: bool = False) -> SourceState:
        """Commit, branch and whether ``contents`` (path below ``location`` → bytes as read) differ from that commit.

        Compared are bytes, without filters or line-end conversion; a file that HEAD does not have counts as a
        difference, and with ``whole`` a file of HEAD that is missing in ``contents`` too. All None/False outside a
        repository; ``commit`` None and ``dirty`` True before the first commit.
        """
        repository = find_repository(location)
        if repository is None or repository.root is None:
            return SourceState()
        folder = location.resolve()
        prefix = _below(folder if folder.is_dir() else folder.parent, repository.root)
        with opened_private(repository) as private:
            commit, tree = self._plumbing.resolve(private, "HEAD^{commit}", f"HEAD:{prefix}")
            if commit is None:
                return SourceState(branch=private.head_branch, dirty=True)
            deep = whole or any("/" in path for path in contents)
            entries = self._plumbing.list_tree(private, tree, deep=deep, sizes=False) if tree is not None else []
        committed = {each.path: each.oid for each in entries if each.mode in REGULAR}
        read = {os.fsencode(path): blob_id(data, private.object_format) for path, data in contents.items()}
        dirty = read != committed if whole else any(committed.get(path) != oid for path, oid in read.items())
        return SourceState(commit=commit, branch=private.head_branch, dirty=dirty)

    def commit_author(self, location: Path, commit: str) -> BranchAuthor | None:
        """Author and committer time of a full commit id; None outside a repository or when it is not there."""
        repository = find_repository(location)
        if repository is None or FULL_ID.fullmatch(commit) is None:
            return None
        with opened_private(repository) as private:
            if self._plumbing.resolve(private, f"{commit}^{{commit}}") == [None]:
                return None
            text = self._plumbing.read_object(private, "commit", commit).decode("utf-8", "replace")
        author = re.search(r"^author (.*) <(.*)> ", text, re.MULTILINE)
        moment = re.search(r"^committer .*> (\d+) ", text, re.MULTILINE)
        if author is None or moment is None:
            return None
        return BranchAuthor(name=author[1], email=author[2], timestamp=int(moment[1]))

    def read_gitops(
        self, spec: str, *, offline: bool = False, limits: TreeLimits | None = None
    ) -> tuple[tuple[SourceFile, ...], tuple[ReadProblem, ...], SourceState]:
        """The tree that ``--gitops`` names. A folder without a revision is read as files; all else as git objects.

        InputError for refused protocols, a network address with ``offline``, an unknown revision, and whatever
        ``read_tree`` refuses; ToolError when git cannot do its part.
        """
        named = parse_gitops(spec, offline=offline)
        limits = limits or TreeLimits()
        if named.url is not None:
            with make_private() as empty:
                private, commit, branch = self._remote.fetch(empty, named.url, named.revision)
                files, problems = self._plumbing.read_commit(private, commit, "", limits, show_path(named.url))
            return files, problems, SourceState(commit=commit, branch=branch)
        folder = named.folder or Path()
        if named.revision is not None:
            return self._read_revision(folder, named.revision, limits)
        files, problems = read_tree(folder, limits=limits)
        return files, problems, self.describe(folder, {each.path: each.content for each in files}, whole=True)

    def read_folder_at(
        self, folder: Path, revision: str, *, only: Collection[str] | None = None
    ) -> tuple[str, dict[str, bytes]]:
        """The commit that ``revision`` names and the files of ``folder`` in it; none where it did not exist yet.

        ``only`` names the files that are wanted. Links and submodules are left out. InputError outside a repository and
        for a revision that it does not hold.
        """
        where = f"{show_path(folder)}@{show_path(revision)}"
        repository = find_repository(folder)
        if repository is None:
            raise InputError("não está em um repositório git", where=where, mend="tire a opção --base")
        prefix = "" if repository.root is None else _below(folder.resolve(), repository.root)
        check_revision(revision, where=where)
        with opened_private(repository) as private:
            commit, tree = self._plumbing.resolve(private, f"{revision}^{{commit}}", f"{revision}:{prefix}")
            if commit is None:
                mend = "busque o histórico (git fetch; em CI, clone com profundidade bastante) ou confira o nome"
                raise InputError("revisão não encontrada", where=where, mend=mend)
            if tree is None:
                return commit, {}
            files, _ = self._plumbing.read_commit(private, commit, prefix, TreeLimits(), where, only=only)
        return commit, {each.path: each.content for each in files}

    def revision_state(self, folder: Path, revision: str) -> str:
        """What a revision names now: folder below the top, branch of HEAD, commit, tip of the branch of that name."""
        repository = find_repository(folder)
        if repository is None:
            raise InputError("não está em um repositório git", where=show_path(folder), mend="confira o caminho")
        check_revision(revision, where=show_path(folder))
        prefix = "" if repository.root is None else _below(folder.resolve(), repository.root)
        with opened_private(repository) as private:
            named = f"refs/heads/{revision.removeprefix('refs/heads/')}"
            commit, tip = self._plumbing.resolve(private, f"{revision}^{{commit}}", named)
            return "\n".join((prefix, private.head_branch or "", commit or "", tip or ""))

    def _read_revision(
        self, folder: Path, revision: str, limits: TreeLimits
    ) -> tuple[tuple[SourceFile, ...], tuple[ReadProblem, ...], SourceState]:
        where = f"{show_path(folder)}@{revision}"
        repository = find_repository(folder)
        if repository is None:
            raise InputError("não está em um repositório git", where=where, mend="tire o @REV")
        prefix = "" if repository.root is None else _below(folder.resolve(), repository.root)
        name = revision.removeprefix("refs/heads/")
        with opened_private(repository) as private:
            commit, tip = self._plumbing.resolve(private, f"{revision}^{{commit}}", f"refs/heads/{name}")
            if commit is None:
                raise InputError("revisão não encontrada", where=where, mend="confira com git log")
            files, problems = self._plumbing.read_commit(private, commit, prefix, limits, where)
        is_branch = tip == commit and not set(name) & set("~^")
        branch = private.head_branch if revision == "HEAD" else name if is_branch else None
        return files, problems, SourceState(commit=commit, branch=branch)

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
        """Commit ``files`` (path from the repository's root → bytes) on top of ``base`` as the new branch ``name``.

        Returns the commit id. Only new objects and one new ref are written: work tree, index, HEAD, configuration,
        hooks and existing refs stay as they are. InputError for a name that git refuses or that exists, an unsafe path,
        a path through a link or submodule, and a commit that would change nothing.
        """
        found = find_repository(repository)
        if found is None:
            raise InputError("não está em um repositório git", where=show_path(repository), mend="indique outra pasta")
        self._check_name(name)
        with opened_private(found) as private:
            (commit,) = self._plumbing.resolve(private, f"{check_revision(base, where=show_path(base))}^{{commit}}")
            if commit is None:
                raise InputError("revisão não encontrada", where=show_path(base), mend="faça o primeiro commit")
            with _gitpython(self._plumbing.tool()):
                from pipeline.adapters.gitbranch import BranchChange, write_branch  # noqa: PLC0415 - GitPython takes 200 ms

                change = BranchChange(name=name, files=files, message=message, author=author)
                return write_branch(found.common, private, self._plumbing, change, base=commit)

    def _check_name(self, name: str) -> None:
        where = show_path(name)
        if name.startswith("-") or name in {"HEAD", "@"} or "\0" in name:
            raise InputError("nome de ramo inválido", where=where, mend="use letras, números, - e /")
        outcome = self._plumbing.runner.run(
            self._plumbing.tool(), ["check-ref-format", f"refs/heads/{name}"], environment=ENVIRONMENT, accept=(0, 1)
        )
        if outcome.status:
            raise InputError("nome de ramo inválido", where=where, mend="use letras, números, - e /")


def _below(folder: Path, root: Path) -> str:
    """Path of ``folder`` from the work tree's top as git writes it: empty for the top itself."""
    path = folder.relative_to(root).as_posix()
    return "" if path == "." else path


@contextmanager
def _gitpython(git: Tool) -> Iterator[None]:
    """GitPython with the one git that was resolved (it runs ``git version`` when imported) and no GIT_* of ours."""
    before = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
    for name in before:
        del os.environ[name]
    os.environ.update({"GIT_PYTHON_GIT_EXECUTABLE": str(git.path), "GIT_PYTHON_REFRESH": "quiet"})
    try:
        yield
    finally:
        del os.environ["GIT_PYTHON_GIT_EXECUTABLE"], os.environ["GIT_PYTHON_REFRESH"]
        os.environ.update(before)

"""Fetching one revision from a server into a git folder of ours: https and ssh only (threats T10, T11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.adapters.gitdir import PrivateGit
from pipeline.adapters.gitplumbing import ENVIRONMENT, FULL_ID, LISTING_BYTES, Plumbing
from pipeline.adapters.runner import ToolRunError
from pipeline.errors import InputError, ToolError
from pipeline.ports import Limits, show_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.ports import Outcome

__all__ = ["Remote"]

_NETWORK_LIMITS = Limits(seconds=300.0, output_bytes=LISTING_BYTES, file_bytes=1024**3)
_NETWORK_VARIABLES = frozenset({"SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE"})
_REMOTE_ENVIRONMENT = {
    **ENVIRONMENT,
    "GIT_ALLOW_PROTOCOL": "https:ssh",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oPermitLocalCommand=no -oClearAllForwardings=yes",
    "GIT_SSH_VARIANT": "ssh",
}
_TARGET = "refs/appgear/target"
_FETCH = ("--quiet", "--no-tags", "--depth=1", "--no-write-fetch-head", "--no-recurse-submodules")


class Remote:
    """A server; ``network`` holds the variables that a fetch may see (agent socket, proxy), others are left out."""

    def __init__(self, plumbing: Plumbing, network: Mapping[str, str]) -> None:
        self._plumbing = plumbing
        self._network = {key: value for key, value in network.items() if key in _NETWORK_VARIABLES}

    def fetch(self, folder: Path, url: str, revision: str | None) -> tuple[PrivateGit, str, str | None]:
        """Bring one commit into the empty git folder ``folder``: where to read it, its id, and its branch."""
        where = show_path(url)
        source, branch = self._choose(folder, url, revision)
        self._run(folder, ["fetch", *_FETCH, "--", url, f"{source}:{_TARGET}"], where)
        private = PrivateGit(folder=folder, objects=folder / "objects", head_branch=branch, object_format="sha1")
        (commit,) = self._plumbing.resolve(private, f"{_TARGET}^{{commit}}")
        if commit is None:
            raise InputError("a revisão não é um commit", where=where, mend="use um ramo ou uma etiqueta")
        return private, commit, branch

    def _choose(self, folder: Path, url: str, revision: str | None) -> tuple[str, str | None]:
        """What to fetch, and the branch that it is."""
        where = show_path(url)
        if revision is not None and FULL_ID.fullmatch(revision):
            return revision, None
        names = ["HEAD"] if revision is None else [revision, f"refs/heads/{revision}", f"refs/tags/{revision}"]
        outcome = self._run(folder, ["ls-remote", "--symref", "--", url, *names], where)
        rows = [line.partition("\t")[::2] for line in outcome.stdout.decode("utf-8", "replace").splitlines()]
        if revision is None:
            heads = [value for value, name in rows if name == "HEAD" and value.startswith("ref: refs/heads/")]
            return "HEAD", heads[0].removeprefix("ref: refs/heads/") if heads else None
        found = [name for name in names if any(name == row for _, row in rows)]
        if len(found) != 1:
            reason = "é ramo e etiqueta ao mesmo tempo" if found else "não foi encontrada no servidor"
            raise InputError(
                f"a revisão {show_path(revision)} {reason}", where=where, mend="use refs/heads/… ou o id inteiro"
            )
        return found[0], found[0].removeprefix("refs/heads/") if found[0].startswith("refs/heads/") else None

    def _run(self, folder: Path, arguments: Sequence[str], where: str) -> Outcome:
        environment = {**_REMOTE_ENVIRONMENT, **self._network, "GIT_DIR": str(folder)}
        try:
            return self._plumbing.runner.run(
                self._plumbing.tool(), arguments, environment=environment, limits=_NETWORK_LIMITS, network=True
            )
        except ToolRunError as error:
            raise ToolError(f"{where}: {error.message}", where="git", mend="confira o endereço e o acesso") from error

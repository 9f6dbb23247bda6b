"""Git's plumbing over a private git folder: names to ids, trees to files (threats M2, T10)."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.adapters.collect import Collector
from pipeline.errors import InputError, ToolError
from pipeline.ports import Limits, Tool, show_path

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.adapters.gitdir import PrivateGit
    from pipeline.ports import Outcome, Runner, TreeLimits, TreeReading

__all__ = ["ENVIRONMENT", "FULL_ID", "LISTING_BYTES", "REGULAR", "Plumbing", "TreeEntry", "blob_id"]

_HINT = "instale o git 2.32 ou mais novo"
_VERSION = re.compile(r"git version (\d+)\.(\d+)")
_MINIMUM = (2, 32)  # the first that takes GIT_CONFIG_GLOBAL
REGULAR = {b"100644", b"100755", b"100664"}
FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LISTING_BYTES = 64 * 1024 * 1024
ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_ALLOW_PROTOCOL": "none",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeEntry:
    """One row of a listing; ``path`` is relative to the tree that was listed, ``size`` 0 for what is no blob."""

    mode: bytes
    oid: str
    size: int
    path: bytes


class Plumbing:
    """The few commands that run nothing of a repository, through the sealed runner."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def tool(self) -> Tool:
        tool = self.runner.find("git", hint=_HINT)
        version = _VERSION.match(tool.version)
        if version is None or (int(version[1]), int(version[2])) < _MINIMUM:
            raise ToolError(f"versão sem suporte: {tool.version}", where="git", mend=_HINT)
        return tool

    def run(
        self, private: PrivateGit, arguments: Sequence[str], *, stdin: bytes = b"", output_bytes: int = LISTING_BYTES
    ) -> Outcome:
        environment = {
            **ENVIRONMENT,
            "GIT_DIR": str(private.folder),
            "GIT_OBJECT_DIRECTORY": str(private.objects),
        }
        limits = Limits(seconds=120.0, output_bytes=output_bytes)
        return self.runner.run(self.tool(), arguments, stdin=stdin, environment=environment, limits=limits)

    def resolve(self, private: PrivateGit, *names: str) -> list[str | None]:
        """Full id of each commit, or tree for a name with ``:``; None where there is none.

        Names go by stdin: none can be an option.
        """
        if any("\n" in name for name in names):
            return [None] * len(names)
        asked = "".join(f"{name}\n" for name in names)
        rows = self.run(private, ["cat-file", "--batch-check"], stdin=os.fsencode(asked)).stdout.splitlines()
        found: list[str | None] = []
        for name, row in zip(names, rows, strict=True):
            oid, _, rest = row.partition(b" ")
            kind = b"tree " if ":" in name else b"commit "
            found.append(oid.decode() if rest.startswith(kind) else None)
        return found

    def read_object(self, private: PrivateGit, kind: str, oid: str) -> bytes:
        """Bytes of one object by its full id."""
        return self.run(private, ["cat-file", kind, oid]).stdout

    def list_tree(self, private: PrivateGit, tree: str, *, deep: bool, sizes: bool = True) -> list[TreeEntry]:
        options = ["-z", "--full-tree", *(["-r"] if deep else []), *(["-l"] if sizes else [])]
        outcome = self.run(private, ["ls-tree", *options, "--end-of-options", tree])
        entries = []
        for row in outcome.stdout.split(b"\0")[:-1]:
            meta, _, path = row.partition(b"\t")
            mode, _kind, oid, *size = meta.split()
            count = int(size[0]) if size and size[0].isdigit() else 0
            entries.append(TreeEntry(mode=mode, oid=oid.decode(), size=count, path=path))
        return entries

    def read_commit(
        self,
        private: PrivateGit,
        commit: str,
        prefix: str,
        limits: TreeLimits,
        where: str,
        *,
        only: Collection[str] | None = None,
    ) -> TreeReading:
        """Files of the folder ``prefix`` at a commit, each checked against the id that the tree gives it.

        ``only`` names the files that are wanted, where that is not all of them.
        """
        chosen = None if only is None else {os.fsencode(each) for each in only}
        (tree,) = self.resolve(private, f"{commit}:{prefix}")
        if tree is None:
            raise InputError("a pasta não existe nessa revisão", where=where, mend="confira o caminho")
        collector = Collector(limits, where=where)
        wanted: list[tuple[str, TreeEntry]] = []
        deep = chosen is None or any(b"/" in each for each in chosen)
        for entry in self.list_tree(private, tree, deep=deep):
            if chosen is not None and entry.path not in chosen:
                continue
            if entry.mode in REGULAR:
                path = collector.admit(entry.path, entry.size)
                if path is not None:
                    wanted.append((path, entry))
            else:
                collector.special(entry.path, "submódulo" if entry.mode == b"160000" else "link simbólico")
        for (path, entry), content in zip(wanted, self._blobs(private, [each for _, each in wanted]), strict=True):
            if blob_id(content, private.object_format) != entry.oid:
                raise InputError("objeto git corrompido", where=f"{where}: {show_path(path)}", mend="rode git fsck")
            collector.add(path, content)
        return collector.result()

    def _blobs(self, private: PrivateGit, entries: Sequence[TreeEntry]) -> list[bytes]:
        asked = "".join(f"{each.oid}\n" for each in entries).encode()
        room = sum(each.size + 200 for each in entries) + 1024
        data = memoryview(self.run(private, ["cat-file", "--batch"], stdin=asked, output_bytes=room).stdout)
        blobs = []
        at = 0
        for entry in entries:
            end = bytes(data[at : at + 200]).find(b"\n")
            header = bytes(data[at : at + max(end, 0)]).split(b" ")
            if header[1:] != [b"blob", str(entry.size).encode()]:
                raise InputError(f"objeto git ilegível: {entry.oid}", mend="rode git fsck")
            start = at + end + 1
            blobs.append(bytes(data[start : start + entry.size]))
            at = start + entry.size + 1
        return blobs


def blob_id(content: bytes, form: str) -> str:
    """What git would call these bytes; SHA-1 here names, it does not protect."""
    return hashlib.new(form, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

"""Vetting of names and contents that come from a folder or from git objects; shared so that both refuse alike."""

from __future__ import annotations

import unicodedata
from typing import Literal

from pipeline.codec import sha256_hex
from pipeline.domain.snapshot import Origin, ReadProblem, SourceFile
from pipeline.errors import InputError
from pipeline.ports import TreeLimits, TreeReading, path_fault, show_path

__all__ = ["Collector"]

_TREE = Origin(kind="tree")
_BINARY_PROBE = 8192  # the bytes that git looks at when it tells binary from text
_TEXT_SUFFIXES = (".yaml", ".yml", ".json", ".md", ".toml", ".tf", ".rego", ".sh", ".env", ".txt", ".tpl", ".j2")


class Collector:
    """Takes names, then contents; holds the bounds of ``limits`` over the whole tree."""

    def __init__(self, limits: TreeLimits, *, where: str) -> None:
        self._limits = limits
        self._where = where
        self._files: dict[str, SourceFile] = {}
        self._admitted: set[str] = set()
        self._problems: list[ReadProblem] = []
        self._seen = 0
        self._bytes = 0

    def admit(self, raw: bytes, size: int) -> str | None:
        """Path of a regular file that may be read now; None when its name or size became a problem."""
        self._seen += 1
        if self._seen > self._limits.files:
            raise InputError(
                f"mais de {self._limits.files} arquivos", where=self._where, mend="indique uma pasta mais específica"
            )
        path = self.name(raw)
        if path is None:
            return None
        if path in self._admitted:
            self.problem("collision", "o mesmo caminho aparece duas vezes", path)
            return None
        if size > self._limits.file_bytes:
            self.problem("limit", f"{size} bytes, acima do limite de {self._limits.file_bytes}; não foi lido", path)
            return None
        self._admitted.add(path)
        self._bytes += size
        if self._bytes > self._limits.total_bytes:
            raise InputError(
                f"mais de {self._limits.total_bytes} bytes ao todo",
                where=self._where,
                mend="indique uma pasta mais específica",
            )
        return path

    def name(self, raw: bytes) -> str | None:
        """A name as text; None, with a problem, when it is not UTF-8 or could be read as another path."""
        try:
            path = raw.decode()
        except UnicodeDecodeError:
            self.problem("encoding", "nome que não é UTF-8; não foi lido", raw.decode("utf-8", "backslashreplace"))
            return None
        fault = path_fault(path)
        if fault is not None:
            self.problem("unsafe-target", f"{fault}; não foi lido", path)
            return None
        return path

    def special(self, raw: bytes, kind: str) -> None:
        """Something that is never read: its own name is told, never where it leads."""
        self.problem("special", f"{kind}; não foi lido", raw.decode("utf-8", "backslashreplace"))

    def problem(
        self,
        code: Literal["collision", "encoding", "limit", "special", "unsafe-target"],
        message: str,
        path: str,
    ) -> None:
        self._problems.append(ReadProblem(code=code, message=message, path=show_path(path)))

    def add(self, path: str, content: bytes) -> None:
        self._files[path] = SourceFile(path=path, content=content, sha256=sha256_hex(content), origin=_TREE)
        is_binary = b"\0" in content[:_BINARY_PROBE] and not path.lower().endswith(_TEXT_SUFFIXES)
        if is_binary:
            return
        try:
            content.decode()
        except UnicodeDecodeError as error:
            self.problem("encoding", f"não é UTF-8: byte {error.start} (0x{content[error.start]:02x})", path)

    def result(self) -> TreeReading:
        """Files and problems, both sorted by the bytes of their paths."""
        ordered = sorted(self._files, key=str.encode)
        self._report_twins(ordered)
        problems = sorted(self._problems, key=lambda each: ((each.path or "").encode(), each.code, each.message))
        return tuple(self._files[path] for path in ordered), tuple(problems)

    def _report_twins(self, paths: list[str]) -> None:
        spelling: dict[str, str] = {}
        for path in paths:
            parts = path.split("/")
            for end in range(1, len(parts) + 1):
                prefix = "/".join(parts[:end])
                first = spelling.setdefault(unicodedata.normalize("NFC", prefix.casefold()), prefix)
                if first != prefix:
                    message = f"difere de {show_path(first)} só em maiúsculas ou na forma Unicode"
                    self.problem("collision", message, path)
                    break

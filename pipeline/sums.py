"""Reading ``SHA256SUMS`` more strictly than coreutils does (threats M11, input 66); ``codec.sort_sums`` writes it."""

from __future__ import annotations

import re

from pipeline.codec import sort_sums
from pipeline.errors import IntegrityError
from pipeline.ports import path_fault, show_path

__all__ = ["SUMS", "parse_sums"]

SUMS = "SHA256SUMS"
_ROW = re.compile(r"([0-9a-f]{64})  (.+)")
_OTHER = re.compile(r"[0-9a-fA-F]{32,128} [ *].+")


def parse_sums(data: bytes, *, where: str) -> dict[str, str]:
    """Path → digest, in the file's order; only the canonical form that ``sort_sums`` writes is accepted.

    IntegrityError names ``where:line`` and the reason: not UTF-8, CRLF, no final newline, no row, garbage, upper-case
    or other digest, unsafe path, the list's own name, a path twice, wrong order.
    """
    if not data:
        raise IntegrityError("lista de hashes vazia", where=where, mend="restaure a cópia original")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _bad("não é UTF-8", where, data.count(b"\n", 0, error.start) + 1) from error
    if not text.endswith("\n"):
        raise _bad("falta a quebra de linha no fim", where, text.count("\n") + 1)
    rows: dict[str, str] = {}
    for number, line in enumerate(text[:-1].split("\n"), 1):
        digest, path = _parse_row(line, where, number)
        if path in rows:
            raise _bad(f"caminho repetido: {show_path(path)}", where, number)
        rows[path] = digest
    if sort_sums(rows) != data:
        raise _bad("linhas fora de ordem", where, 1)
    return rows


def _parse_row(line: str, where: str, number: int) -> tuple[str, str]:
    if line.endswith("\r"):
        raise _bad("fim de linha CRLF", where, number)
    match = _ROW.fullmatch(line)
    if match is None:
        shape = "hash de outro algoritmo ou em maiúsculas" if _OTHER.fullmatch(line) else "linha que não é de hash"
        raise _bad(shape, where, number)
    digest, path = match.groups()
    fault = path_fault(path)
    if fault is not None:
        raise _bad(fault, where, number)
    if path == SUMS:
        raise _bad("a lista cita a si mesma", where, number)
    return digest, path


def _bad(reason: str, where: str, line: int) -> IntegrityError:
    return IntegrityError(reason, where=f"{where}:{line}", mend="restaure a cópia original")

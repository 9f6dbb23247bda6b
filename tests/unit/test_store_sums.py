"""Threats input 66: every way in which a SHA256SUMS can be wrong, and the one way in which it is right."""

from __future__ import annotations

import pytest

from pipeline.codec import sort_sums
from pipeline.errors import IntegrityError
from pipeline.ports import path_fault, show_path
from pipeline.sums import parse_sums

ONE = "a" * 64
TWO = "b" * 64


def test_canonical_form_is_read_back() -> None:
    rows = {"a.txt": ONE, "dir/ç.txt": TWO}
    assert parse_sums(sort_sums(rows), where="S") == rows


@pytest.mark.parametrize(
    ("data", "where", "reason"),
    [
        ("", "S", "vazia"),
        (f"{ONE}  a\r\n", "S:1", "CRLF"),
        (f"{ONE}  a\nlixo\n", "S:2", "não é de hash"),
        (f"{ONE}  a\n\n", "S:2", "não é de hash"),
        (f"{ONE}  a\n{TWO}  a\n", "S:2", "repetido"),
        (f"{ONE.upper()}  a\n", "S:1", "maiúsculas"),
        (f"{ONE[:40]}  a\n", "S:1", "outro algoritmo"),
        (f"{ONE}{ONE}  a\n", "S:1", "outro algoritmo"),
        (f"{ONE} *a\n", "S:1", "outro algoritmo"),
        (f"\\{ONE}  a\n", "S:1", "não é de hash"),
        (f"{ONE}  ../a\n", "S:1", "sai da pasta"),
        (f"{ONE}  a/./b\n", "S:1", "não normalizado"),
        (f"{ONE}  /etc/passwd\n", "S:1", "absoluto"),
        (f"{ONE}  SHA256SUMS\n", "S:1", "si mesma"),
        (f"{ONE}  a", "S:1", "falta a quebra"),
        (f"{ONE}  a\n{TWO}  b", "S:2", "falta a quebra"),
        (f"{ONE}  b\n{TWO}  a\n", "S:1", "fora de ordem"),
        (f"{ONE}  a\\b\n", "S:1", "barra invertida"),
        (f"{ONE}  a\u202eb\n", "S:1", "invisível"),
        (f"\ufeff{ONE}  a\n", "S:1", "não é de hash"),
    ],
)
def test_anything_else_is_refused(data: str, where: str, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason) as caught:
        parse_sums(data.encode(), where="S")
    assert caught.value.where == where


def test_not_utf8_names_the_line() -> None:
    with pytest.raises(IntegrityError, match="UTF-8") as caught:
        parse_sums(f"{ONE}  a\n{TWO}  ".encode() + b"\xff\n", where="S")
    assert caught.value.where == "S:2"


@pytest.mark.parametrize(
    "path",
    ["", "/a", "~/a", "C:a", "a//b", "a/", "./a", "a/..", "..", "a\0b", "a\nb", "a\tb", "a\\b", "a\u200bb", "\ud800",
     "x" * 256, "/".join(["x" * 200] * 6)],
)  # fmt: skip
def test_unsafe_paths(path: str) -> None:
    assert path_fault(path)


@pytest.mark.parametrize("path", ["a", "a b.yaml", "é/ç", ".github/x", "-rf", "a..b", "x" * 255])
def test_safe_paths(path: str) -> None:
    assert path_fault(path) is None


def test_shown_paths_stay_on_one_line() -> None:
    assert show_path("a\n\x1b[2Jb\tc\ud800") == "a\\x0a\\x1b[2Jb\\x09c\\ud800"

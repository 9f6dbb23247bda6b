"""docs/ameacas.md: every threat has its row, and every test that a row names exists."""

from __future__ import annotations

import ast
import re

from conftest import ROOT

_DOCUMENT = (ROOT / "docs" / "ameacas.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (T\d\d) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_NAMED = re.compile(r"`(test_\w+)::(test_\w+)`")
_THREATS = 46


def test_every_threat_has_one_row_with_a_test() -> None:
    rows = {found[1]: found[4] for found in _ROW.finditer(_DOCUMENT)}
    assert sorted(rows) == [f"T{number:02}" for number in range(1, _THREATS + 1)]
    assert all(_NAMED.search(proof) for proof in rows.values())


def test_every_named_test_exists() -> None:
    missing = []
    for module, name in sorted(set(_NAMED.findall(_DOCUMENT))):
        files = list((ROOT / "tests").rglob(f"{module}.py"))
        found = {
            node.name
            for path in files
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.FunctionDef)
        }
        if name not in found:
            missing.append(f"{module}::{name}")
    assert missing == []


def test_what_is_not_promised_is_printed_in_the_pack() -> None:
    recipe = (ROOT / "pipeline" / "report" / "templates" / "VERIFICAR.md.j2").read_text(encoding="utf-8")
    for words in ("aprovou", "cópia", "texto do modelo", "cluster", "vulnerabilidades"):
        assert words in recipe, words

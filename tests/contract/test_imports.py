"""The house's layers hold, and the contracts that say so are able to fail."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trailcli import ROOT, environment

_PURE = (
    "appset",
    "audit",
    "ci",
    "domain",
    "evidence",
    "flow",
    "image",
    "kpi",
    "module",
    "opinion",
    "report",
    "rules",
    "sbom",
)
# What reads the disk, prints or runs text; rooms that are pure get bytes and give bytes.
_CALLS = frozenset({"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"})
_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob", "mkdir", "unlink"})
# Data files of the package itself, read when it is loaded.
_OWN_DATA = {"audit/schemas/__init__.py", "report/pack_recipe.py", "report/pages.py", "sbom/validate.py"}


def _lint(folder: Path) -> subprocess.CompletedProcess[bytes]:
    program = Path(sys.executable).parent / "lint-imports"
    if not program.is_file():
        pytest.skip("import-linter is in the group lint")
    variables = {name: value for name, value in environment().items() if not name.startswith("COV")}
    return subprocess.run(
        [program, "--no-cache"],
        cwd=folder,
        env=variables | {"PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
    )


def test_the_contracts_hold() -> None:
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("flow/splices.py", "import subprocess", "What is pure"),
        ("domain/base.py", "import os", "What is pure"),
        ("sets.py", "import git", "Programs, sockets"),
        ("stages.py", "from pipeline.adapters.files import DiskReader", "Each layer"),
        ("report/text.py", "from pipeline.flow.splices import Refusal", "Each layer"),
        ("audit/texts.py", "from pipeline.rules.shapes import __all__", "Each layer"),
        ("nova.py", "X = 1", "Each layer"),
    ],
)
def test_a_breach_is_seen(module: str, line: str, broken: str, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "pipeline" / module
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    done = _lint(tmp_path)
    assert done.returncode != 0
    shown = [row for row in done.stdout.decode().splitlines() if row.endswith("BROKEN")]
    # A module that stands in no layer stops the check before any contract is judged.
    assert shown == [] or [row for row in shown if row.startswith(broken)]


@pytest.mark.parametrize("room", _PURE)
def test_pure_rooms_read_and_write_nothing(room: str) -> None:
    found = []
    base = ROOT / "pipeline"
    for path in sorted((base / room).rglob("*.py")):
        name = path.relative_to(base).as_posix()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.Call) or name in _OWN_DATA:
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in _CALLS:
                found.append(f"{name}:{node.lineno}: {called.id}")
            if isinstance(called, ast.Attribute) and called.attr in _METHODS:
                found.append(f"{name}:{node.lineno}: .{called.attr}")
    assert found == []


def test_only_commands_and_inputs_build_adapters() -> None:
    users = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        name = path.relative_to(ROOT / "pipeline").as_posix()
        imported = {
            node.module
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        if not name.startswith("adapters/") and any(each.startswith("pipeline.adapters") for each in imported):
            users.add(name)
    assert {name for name in users if not name.startswith("commands/")} <= {"app.py", "inputs.py"}

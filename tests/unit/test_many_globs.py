"""Patterns of modules against what a real shell expands, and what a pattern must not do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.adapters import globbing
from pipeline.adapters.globbing import expand
from pipeline.errors import InputError
from trailcli import write_tree

FILES = [
    "a/m1.md", "a/m2.md", "a/M10.md", "a/.oculto.md", "a/b/m1.md", "a/b/c/m3.md", "a/.git/m9.md", "x[1].md", "x1.md",
    "é.md",
]  # fmt: skip
PATTERNS = [
    "a/*.md", "a/m?.md", "a/[mM]*.md", "a/[!m]*.md", "a/.*.md", "*/*/m1.md", "**/m1.md", "a/**/*.md", "**/c/*", "*.md",
    "a/b/**/m3.md", "./a/*.md", "**/.git/*", "?.md",
]  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write_tree(tmp_path, dict.fromkeys(FILES, "x")))
    return tmp_path


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_what_bash_makes_of_it(pattern: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    script = f"shopt -s globstar nullglob; printf '%s\\n' {pattern}"
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8"})
    wanted = {
        os.path.normpath(line)
        for line in done.stdout.splitlines()
        if line.rstrip("/") not in ("a", "./a") or "**" not in pattern
    }
    assert {os.path.normpath(each) for each in expand([Path(pattern)])} == wanted


@pytest.mark.usefixtures("tree")
def test_the_order_is_that_of_the_bytes_and_nothing_comes_twice() -> None:
    assert [str(each) for each in expand([Path("a/*.md"), Path("x1.md"), Path("./a/m1.md")])] == [
        "a/M10.md",
        "a/m1.md",
        "a/m2.md",
        "x1.md",
    ]
    assert expand([]) == ()


def test_what_exists_as_written_is_no_pattern(tree: Path) -> None:
    assert expand([Path("x[1].md")]) == (Path("x[1].md"),)
    assert expand([Path("nada.md")]) == (Path("nada.md"),)
    assert expand([tree / "a" / "m*.md"]) == (tree / "a/m1.md", tree / "a/m2.md")


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("pattern", ["nada/*.md", "*.yaml", "a/m1.md/*", "a/[", "**/nada"])
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(InputError, match="nenhum caminho casa com o padrão"):
        expand([Path(pattern)])


def test_links_are_named_and_never_gone_through(tree: Path) -> None:
    (tree / "a" / "volta").symlink_to(tree, target_is_directory=True)
    (tree / "a" / "solto.md").symlink_to("nada")
    assert Path("a/volta/a/m1.md") not in expand([Path("**/m1.md")])
    assert Path("a/solto.md") in expand([Path("a/*.md")])


@pytest.mark.usefixtures("tree")
def test_a_pattern_that_looks_at_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globbing, "_MAX_NAMES", 3)
    with pytest.raises(InputError, match="olha mais de 3 nomes"):
        expand([Path("**/*.md")])

"""A branch is made without touching anything else (threats R3, T10, input 42): listings before and after."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.adapters.git import SafeGit
from pipeline.adapters.runner import SYSTEM_PATH
from pipeline.codec import sha256_hex
from pipeline.errors import InputError
from pipeline.ports import BranchAuthor

ENVIRONMENT = {
    "PATH": SYSTEM_PATH, "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org", "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org", "GIT_COMMITTER_DATE": "1700000000 +0000",
}  # fmt: skip
AUTHOR = BranchAuthor(name="Robô", email="robo@example.org", timestamp=1_700_000_000)


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, check=check)
    return done.stdout.decode().strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "d" / "e").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for path, text in {"doc.md": "1\n", "d/a.yaml": "a: 1\n", "d/e/f.yaml": "f: 1\n", "run.sh": "#!/bin/sh\n"}.items():
        (folder / path).write_text(text)
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("doc.md")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "um")
    return folder


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below: type, content or link target, mode, inode and mtime (of folders neither, they gain names)."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        name, state = str(path.relative_to(folder)), path.lstat()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()), state.st_mtime_ns)
        elif path.is_dir():
            found[name] = ("folder", state.st_mode)
        else:
            found[name] = (sha256_hex(path.read_bytes()), state.st_mode, state.st_ino, state.st_mtime_ns)
    return found


def added(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> set[str]:
    assert {path: row for path, row in after.items() if path in before} == before
    return {path for path in after.keys() - before.keys() if after[path][0] != "folder"}


def test_a_branch_holds_the_files_and_nothing_else_changes(repo: Path) -> None:
    before = listing(repo)
    files = {"doc.md": b"2\n", "d/e/f.yaml": b"f: 2\n", "novo/x/y.yaml": b"y: 1\n", "run.sh": b"#!/bin/sh\nexit\n"}
    commit = SafeGit().create_branch(repo, "correcao/m07", files, "fix: corrige\n\nção\n", author=AUTHOR)
    new = added(before, listing(repo))
    assert {path for path in new if not path.startswith(".git/objects/")} == {".git/refs/heads/correcao/m07"}
    assert git(repo, "rev-parse", "correcao/m07") == commit
    assert git(repo, "rev-parse", "correcao/m07~1") == git(repo, "rev-parse", "main")
    assert git(repo, "diff", "--name-status", "main", commit).splitlines() == [
        "M\td/e/f.yaml", "M\tdoc.md", "A\tnovo/x/y.yaml", "M\trun.sh",
    ]  # fmt: skip
    assert git(repo, "ls-tree", commit, "run.sh").startswith("100755")
    assert git(repo, "show", "--no-patch", "--format=%an|%ae|%at|%ai|%cn|%B", commit) == (
        "Robô|robo@example.org|1700000000|2023-11-14 22:13:20 +0000|Robô|fix: corrige\n\nção"
    )
    assert git(repo, "fsck", "--strict") == ""
    assert git(repo, "branch", "--show-current") == "main"


def test_the_same_inputs_give_the_same_commit(repo: Path) -> None:
    safe = SafeGit()
    one = safe.create_branch(repo, "um", {"doc.md": b"2\n"}, "m", author=AUTHOR)
    two = safe.create_branch(repo, "dois", {"doc.md": b"2\n"}, "m", author=AUTHOR)
    assert one == two


def test_a_repository_in_the_middle_of_everything(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "lado")
    (repo / "doc.md").write_text("lado\n")
    git(repo, "commit", "-q", "-am", "lado")
    git(repo, "checkout", "-q", "main")
    (repo / "doc.md").write_text("principal\n")
    git(repo, "commit", "-q", "-am", "principal")
    git(repo, "rebase", "lado", check=False)
    assert (repo / ".git" / "rebase-merge").is_dir()
    (repo / "staged").write_text("x")
    git(repo, "add", "staged")
    (repo / "segredo.env").write_text("SENHA=1")
    (repo / "d" / "a.yaml").write_text("sujo")
    (repo / ".git" / "index.lock").write_text("")
    (repo / ".git" / "HEAD.lock").write_text("")
    before = listing(repo)
    commit = SafeGit().create_branch(repo, "novo", {"d/a.yaml": b"a: 2\n"}, "m", author=AUTHOR, base="main")
    new = added(before, listing(repo))
    assert {path for path in new if not path.startswith(".git/objects/")} == {".git/refs/heads/novo"}
    assert git(repo, "diff", "--name-only", "main", commit) == "d/a.yaml"
    assert "segredo" not in git(repo, "ls-tree", "-r", "--name-only", commit)


def test_packed_refs_and_packed_objects(repo: Path) -> None:
    git(repo, "branch", "velho")
    git(repo, "gc", "-q")
    git(repo, "pack-refs", "--all")
    safe = SafeGit()
    for name in ("velho", "velho/mais"):
        with pytest.raises(InputError, match="já existe"):
            safe.create_branch(repo, name, {"doc.md": b"2"}, "m", author=AUTHOR)
    safe.create_branch(repo, "outro", {"doc.md": b"2"}, "m", author=AUTHOR)
    assert git(repo, "show", "outro:doc.md") == "2"


def test_a_linked_work_tree_writes_to_the_common_store(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "lado", str(tmp_path / "linked"))
    before = listing(tmp_path / "linked")
    SafeGit().create_branch(tmp_path / "linked", "novo", {"doc.md": b"2"}, "m", author=AUTHOR)
    assert listing(tmp_path / "linked") == before
    assert git(repo, "show", "novo:doc.md") == "2"


@pytest.mark.parametrize(
    "name",
    ["main", "main/x", "-rf", "HEAD", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a.lock", ".a", "a/",
     "/a", "a//b", "@", "a@{1}", "a\x1b", "a\nb", "a\0b", "", "../../config", "refs/../x"],
)  # fmt: skip
def test_names_that_are_refused(repo: Path, name: str) -> None:
    before = listing(repo)
    with pytest.raises(InputError) as caught:
        SafeGit().create_branch(repo, name, {"doc.md": b"2"}, "m", author=AUTHOR)
    assert "\n" not in str(caught.value)
    assert added(before, listing(repo)) == set()


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", ".git/config", "d/.GIT/x", "git~1/x", ".git./x", ".git ", ".git:x", "a\0", "a\nb", "", "link",
     "link/x", "doc.md/x", "d", ".g\u200cit/config"],
)  # fmt: skip
def test_paths_that_are_refused(repo: Path, path: str) -> None:
    with pytest.raises(InputError):
        SafeGit().create_branch(repo, "novo", {path: b"2"}, "m", author=AUTHOR)
    assert git(repo, "branch", "--list", "novo") == ""


def test_other_refusals(repo: Path, tmp_path: Path) -> None:
    safe = SafeGit()
    other = BranchAuthor(name="x <y>", email="x\n", timestamp=0)
    for files, message, author, base, reason in (
        ({"doc.md": b"1\n"}, "m", AUTHOR, "HEAD", "não mudaria nada"),
        ({}, "m", AUTHOR, "HEAD", "não mudaria nada"),
        ({"doc.md": b"2"}, " ", AUTHOR, "HEAD", "mensagem"),
        ({"doc.md": b"2"}, "a\0b", AUTHOR, "HEAD", "mensagem"),
        ({"doc.md": b"2"}, "m", other, "HEAD", "autor"),
        ({"doc.md": b"2"}, "m", AUTHOR, "nada", "não encontrada"),
        ({"doc.md": b"2"}, "m", AUTHOR, "--all", "revisão inválida"),
        ({"a": b"", "a/b": b""}, "m", AUTHOR, "HEAD", "passa por um arquivo"),
    ):
        with pytest.raises(InputError, match=reason):
            safe.create_branch(repo, "novo", files, message, author=author, base=base)
    with pytest.raises(InputError, match="não está em um repositório"):
        safe.create_branch(tmp_path, "novo", {"a": b""}, "m", author=AUTHOR)
    empty = tmp_path / "vazio"
    empty.mkdir()
    git(empty, "init", "-q", "-b", "main")
    with pytest.raises(InputError, match="primeiro commit"):
        safe.create_branch(empty, "novo", {"a": b""}, "m", author=AUTHOR)
    (repo / ".git" / "refs" / "heads" / "novo.lock").write_text("")
    with pytest.raises(InputError, match="outro git"):
        safe.create_branch(repo, "novo", {"a": b""}, "m", author=AUTHOR)
    assert git(repo, "branch", "--list") == "* main"


def test_links_in_the_ref_store_are_not_followed(repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "fora"
    outside.mkdir()
    (repo / ".git" / "refs" / "heads" / "pasta").symlink_to(outside)
    (repo / ".git" / "refs" / "heads" / "folha").symlink_to(outside / "folha")
    for name in ("pasta/x", "folha"):
        with pytest.raises(InputError):
            SafeGit().create_branch(repo, name, {"a": b""}, "m", author=AUTHOR)
    assert list(outside.iterdir()) == []


def test_names_that_are_not_utf8_in_the_tree_are_kept(repo: Path) -> None:
    Path(os.fsdecode(os.fsencode(repo) + b"/d/n\xff")).write_text("x")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "dois")
    commit = SafeGit().create_branch(repo, "novo", {"d/a.yaml": b"2"}, "m", author=AUTHOR)
    assert git(repo, "diff", "--name-only", "main", commit) == "d/a.yaml"

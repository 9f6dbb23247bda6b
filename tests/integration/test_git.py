"""Version control that nobody vouches for (threats M1, M2, T10, T11, inputs 40 and 42)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.adapters.git import SafeGit
from pipeline.adapters.runner import SYSTEM_PATH, SealedRunner
from pipeline.domain.snapshot import SourceState
from pipeline.errors import InputError, ToolError
from pipeline.ports import BranchAuthor, TreeLimits

ENVIRONMENT = {
    "PATH": SYSTEM_PATH, "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org", "GIT_AUTHOR_DATE": "1700000000 -0300",
    "GIT_COMMITTER_NAME": "Bia", "GIT_COMMITTER_EMAIL": "bia@example.org", "GIT_COMMITTER_DATE": "1700000060 +0000",
    "GIT_ALLOW_PROTOCOL": "file",
}  # fmt: skip
AUTHOR = BranchAuthor(name="Robô", email="robo@example.org", timestamp=1_700_000_000)


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT, input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def commit(folder: Path, files: dict[str, bytes], message: str = "m") -> str:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(
        folder,
        {"doc.md": b"# M07\n", "gitops/a.yaml": b"a: 1\n", "gitops/b/c.yaml": b"c: 1\n", "run.sh": b"#!/bin/sh\n"},
    )
    return folder


@pytest.fixture
def safe() -> SafeGit:
    return SafeGit()


def read(safe: SafeGit, spec: str) -> tuple[dict[str, bytes], SourceState]:
    files, problems, state = safe.read_gitops(spec, offline=True)
    assert problems == ()
    return {each.path: each.content for each in files}, state


# ------------------------------------------------------------------ state


def test_a_clean_document_and_a_changed_one(repo: Path, safe: SafeGit) -> None:
    head = git(repo, "rev-parse", "HEAD")
    assert safe.describe(repo, {"doc.md": b"# M07\n"}) == SourceState(commit=head, branch="main", dirty=False)
    assert safe.describe(repo / "doc.md", {"doc.md": b"# M07\n"}).dirty is False
    assert safe.describe(repo, {"doc.md": b"# M07\r\n"}).dirty
    assert safe.describe(repo, {"novo.md": b""}).dirty
    assert safe.describe(repo / "gitops", {"b/c.yaml": b"c: 1\n"}).dirty is False
    assert safe.describe(repo / "gitops", {"b/c.yaml": b"c: 1\n"}, whole=True).dirty
    (repo / "untracked").mkdir()
    assert safe.describe(repo / "untracked", {"x": b""}).dirty
    assert safe.repository_root(repo / "gitops" / "b") == repo


def test_outside_a_repository(tmp_path: Path, safe: SafeGit) -> None:
    assert safe.describe(tmp_path, {"x": b""}) == SourceState()
    assert safe.repository_root(tmp_path) is None
    assert safe.commit_author(tmp_path, "0" * 40) is None
    with pytest.raises(InputError, match="não existe"):
        safe.describe(tmp_path / "falta", {})


def test_heads_of_every_kind(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q", "-b", "trunk")
    assert safe.describe(empty, {"x": b""}) == SourceState(branch="trunk", dirty=True)
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "--detach")
    assert safe.describe(repo, {"doc.md": b"# M07\n"}) == SourceState(commit=head, branch=None)
    git(repo, "pack-refs", "--all")
    git(repo, "checkout", "-q", "main")
    git(repo, "gc", "-q")
    assert safe.describe(repo, {"doc.md": b"# M07\n"}) == SourceState(commit=head, branch="main")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    assert safe.describe(tmp_path / "shallow", {"doc.md": b"# M07\n"}).commit == head


def test_author_and_time_of_a_commit(repo: Path, safe: SafeGit) -> None:
    head = git(repo, "rev-parse", "HEAD")
    assert safe.commit_author(repo, head) == BranchAuthor(name="Ana", email="ana@example.org", timestamp=1_700_000_060)
    assert safe.commit_author(repo, "f" * 40) is None
    assert safe.commit_author(repo, "HEAD") is None


def test_linked_work_trees_and_submodules(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    linked = commit(tmp_path / "linked", {"doc.md": b"outro\n"})
    assert safe.describe(tmp_path / "linked", {"doc.md": b"outro\n"}) == SourceState(commit=linked, branch="other")
    host = tmp_path / "host"
    host.mkdir()
    git(host, "init", "-q")
    git(host, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo), "sub")
    commit(host, {"x": b""})
    assert safe.describe(host / "sub", {"doc.md": b"# M07\n"}).commit == git(repo, "rev-parse", "main")
    files, problems, _ = safe.read_gitops(f"{host}@HEAD")
    assert [each.path for each in files] == [".gitmodules", "x"]
    assert [(each.code, each.path) for each in problems] == [("special", "sub")]


def test_a_git_file_that_points_elsewhere_is_refused(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "doc.md").write_text("x")
    own = evil / "fake" / "worktrees" / "w"
    own.mkdir(parents=True)
    shutil.copy(repo / ".git" / "HEAD", own / "HEAD")
    (own / "commondir").write_text(str(repo / ".git"))
    (own / "gitdir").write_text(str(evil / ".git"))
    for text in (f"gitdir: {repo}/.git\n", f"gitdir: {own}\n", "lixo\n", "gitdir: /nada\n"):
        (evil / ".git").write_text(text)
        with pytest.raises(InputError) as caught:
            safe.describe(evil, {"doc.md": b"x"})
        assert "\n" not in str(caught.value)
        assert str(repo) not in str(caught.value)
    (evil / ".git").unlink()
    (evil / ".git").symlink_to(repo / ".git")
    with pytest.raises(InputError, match="link simbólico"):
        safe.repository_root(evil)


def test_stores_that_reach_outside_are_refused_with_the_reason(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(repo), "shared")
    with pytest.raises(InputError, match="alternates"):
        safe.read_gitops(f"{tmp_path}/shared@HEAD")
    shutil.copytree(repo, tmp_path / "linked-objects")
    shutil.rmtree(tmp_path / "linked-objects" / ".git" / "objects")
    (tmp_path / "linked-objects" / ".git" / "objects").symlink_to(repo / ".git" / "objects")
    with pytest.raises(InputError, match="objects é um link"):
        safe.read_gitops(f"{tmp_path}/linked-objects@HEAD")
    shutil.copytree(repo, tmp_path / "linked-head")
    (tmp_path / "linked-head" / ".git" / "HEAD").unlink()
    (tmp_path / "linked-head" / ".git" / "HEAD").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="link simbólico"):
        safe.describe(tmp_path / "linked-head", {})
    (repo / ".git" / "reftable").mkdir()
    with pytest.raises(InputError, match="reftable"):
        safe.describe(repo, {})


# ------------------------------------------------------------------ trees


def test_a_folder_is_read_as_files_and_a_revision_as_objects(repo: Path, safe: SafeGit) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "v1")
    (repo / "gitops" / "a.yaml").write_bytes(b"a: 2\n")
    now, state = read(safe, str(repo / "gitops"))
    assert (now, state) == (
        {"a.yaml": b"a: 2\n", "b/c.yaml": b"c: 1\n"},
        SourceState(commit=first, branch="main", dirty=True),
    )
    second = commit(repo, {})
    assert read(safe, str(repo / "gitops"))[1] == SourceState(commit=second, branch="main", dirty=False)
    old = {"a.yaml": b"a: 1\n", "b/c.yaml": b"c: 1\n"}
    for revision in ("v1", "HEAD~1", "main~", first, first[:10], "refs/tags/v1"):
        assert read(safe, f"{repo}/gitops@{revision}") == (old, SourceState(commit=first))
    assert read(safe, f"{repo}/gitops@main")[1] == SourceState(commit=second, branch="main")
    assert read(safe, f"{repo}/gitops@refs/heads/main")[1].branch == "main"
    assert sorted(read(safe, f"file://{repo}@v1")[0]) == ["doc.md", "gitops/a.yaml", "gitops/b/c.yaml", "run.sh"]
    assert read(safe, f"file://{repo}")[1] == SourceState(commit=second, branch="main")


def test_a_bare_repository_and_a_branch_with_a_slash(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    git(repo, "branch", "feature/x")
    git(tmp_path, "clone", "-q", "--bare", "--no-local", str(repo), "b@re.git")
    for branch in ("main", "feature/x"):
        files, state = read(safe, f"{tmp_path}/b@re.git@{branch}")
        assert (len(files), state.branch) == (4, branch)
    assert safe.describe(tmp_path / "b@re.git", {}) == SourceState()


def test_revisions_that_are_not_there(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    for spec, reason in (
        (f"{repo}@nada", "revisão não encontrada"),
        (f"{repo}@main:doc.md", "revisão inválida"),
        (f"{repo}@-rf", "revisão inválida"),
        (f"{repo}@a..b", "revisão inválida"),
        (f"{repo}@@{{1}}", "revisão inválida|não existe"),
        (f"{repo}/doc.md@main", "a pasta não existe nessa revisão"),
        (f"{tmp_path}@main", "não está em um repositório"),
        (str(tmp_path / "falta"), "não existe"),
        (f"{tmp_path}/falta@main", "não existe"),
    ):
        with pytest.raises(InputError, match=reason):
            safe.read_gitops(spec)
    (repo / "untracked").mkdir()
    with pytest.raises(InputError, match="não existe nessa revisão"):
        safe.read_gitops(f"{repo}/untracked@main")


def test_objects_get_the_vetting_that_files_get(repo: Path, safe: SafeGit) -> None:
    (repo / "link").symlink_to("/etc/passwd")
    os.link(repo / "doc.md", repo / "hard.md")
    (repo / "A.md").write_text("")
    (repo / "a.md").write_text("")
    commit(repo, {"big": b"x" * 2000, "latin.txt": b"\xe7", "esc\x1b": b"", os.fsdecode(b"n\xff"): b""})
    files, problems, _ = safe.read_gitops(f"{repo}@HEAD", limits=TreeLimits(file_bytes=1000))
    assert {(each.code, each.path) for each in problems} == {
        ("special", "link"), ("limit", "big"), ("encoding", "latin.txt"), ("unsafe-target", "esc\\x1b"),
        ("encoding", "n\\xff"), ("collision", "a.md"),
    }  # fmt: skip
    assert "passwd" not in str((files, problems))
    with pytest.raises(InputError, match="mais de 3 arquivos"):
        safe.read_gitops(f"{repo}@HEAD", limits=TreeLimits(files=3))


def test_a_tree_object_with_hostile_names(repo: Path, safe: SafeGit) -> None:
    blob = git(repo, "hash-object", "-w", "--stdin", stdin=b"x")
    rows = b"".join(b"100644 %s\0%s" % (name, bytes.fromhex(blob)) for name in (b"..", b".git", b"a", b"a", b"b\nc"))
    tree = git(repo, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=rows)
    head = git(repo, "commit-tree", tree, "-m", "x")
    files, problems, _ = safe.read_gitops(f"{repo}@{head}")
    assert {each.path for each in files} <= {".git", "a"}
    assert {("unsafe-target", ".."), ("unsafe-target", "b\\x0ac"), ("collision", "a")} <= {
        (each.code, each.path) for each in problems
    }


def test_a_replaced_object_does_not_count_and_a_corrupted_one_is_seen(repo: Path, safe: SafeGit) -> None:
    old = git(repo, "rev-parse", "HEAD:doc.md")
    new = git(repo, "hash-object", "-w", "--stdin", stdin=b"trocado")
    git(repo, "replace", old, new)
    assert read(safe, f"{repo}@HEAD")[0]["doc.md"] == b"# M07\n"
    assert safe.describe(repo, {"doc.md": b"# M07\n"}).dirty is False
    store = repo / ".git" / "objects"
    target = store / old[:2] / old[2:]
    target.chmod(0o644)
    shutil.copy(store / new[:2] / new[2:], target)
    with pytest.raises((InputError, ToolError)) as caught:
        safe.read_gitops(f"{repo}@HEAD")
    assert "\n" not in str(caught.value)
    target.unlink()
    with pytest.raises((InputError, ToolError)):
        safe.read_gitops(f"{repo}@HEAD")


def test_a_sha256_repository_is_read(safe: SafeGit, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", "--object-format=sha256")
    head = commit(folder, {"a": b"1"})
    assert read(safe, f"{folder}@main") == ({"a": b"1"}, SourceState(commit=head, branch="main"))
    assert safe.describe(folder, {"a": b"1"}) == SourceState(commit=head, branch="main")
    with pytest.raises(InputError, match="sha256"):
        safe.create_branch(folder, "x", {"a": b"2"}, "m", author=AUTHOR)


# ------------------------------------------------------------------ hostile repositories


def plant(repo: Path, marks: Path) -> None:
    """Name a program in every place of a repository that git is known to run one from."""
    marks.mkdir()
    trap = marks.parent / "trap"
    trap.write_text(f'#!/bin/sh\ntouch "{marks}/$$"\nexec cat\n')
    trap.chmod(0o755)
    hooks = repo / ".git" / "hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman",
                 "pre-auto-gc", "post-commit", "commit-msg", "prepare-commit-msg", "update", "pre-push"):  # fmt: skip
        shutil.copy(trap, hooks / name)
    (repo / ".gitattributes").write_text("* filter=evil diff=evil merge=evil text ident working-tree-encoding=UTF-16\n")
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")
    (repo / ".git" / "evil.inc").write_text(f"[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n")
    with (repo / ".git" / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n\teditor = {trap}\n\tpager = {trap}\n"
            f"\taskPass = {trap}\n\talternateRefsCommand = {trap}\n\tgitProxy = {trap}\n"
            f"\thooksPath = {hooks}\n\tworktree = /etc\n"
            f'[filter "evil"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tprocess = {trap}\n\trequired = true\n'
            f'[diff]\n\texternal = {trap}\n[diff "evil"]\n\tcommand = {trap}\n\ttextconv = {trap}\n'
            f'[merge "evil"]\n\tdriver = {trap}\n[gpg]\n\tprogram = {trap}\n[log]\n\tshowSignature = true\n'
            f"[credential]\n\thelper = {trap}\n[uploadpack]\n\tpackObjectsHook = {trap}\n"
            f"[alias]\n\tcat-file = !{trap}\n\tls-tree = !{trap}\n[include]\n\tpath = evil.inc\n"
            f'[includeIf "gitdir:/"]\n\tpath = {repo}/.git/evil.inc\n[trace2]\n\teventTarget = {marks}/trace\n'
            f'[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\tpromisor = true\n\turl = file:///\n'
            f'\tuploadpack = {trap}\n\tpartialclonefilter = blob:none\n[tar "x"]\n\tcommand = {trap}\n'
            f"[interactive]\n\tdiffFilter = {trap}\n[sequence]\n\teditor = {trap}\n[gc]\n\trecentObjectsHook = {trap}\n"
        )  # fmt: skip


def test_nothing_that_a_hostile_repository_names_ever_runs(repo: Path, safe: SafeGit, tmp_path: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    plant(repo, tmp_path / "marks")
    proof = subprocess.run(["git", "add", "-A"], cwd=repo, env=ENVIRONMENT, check=False, capture_output=True)
    assert proof.returncode or list((tmp_path / "marks").iterdir()), "the traps do work for an ordinary git"
    for mark in (tmp_path / "marks").iterdir():
        mark.unlink()
    assert safe.describe(repo, {"doc.md": b"# M07\n"}) == SourceState(commit=head, branch="main")
    assert safe.repository_root(repo / "gitops") == repo
    assert read(safe, f"{repo}/gitops@main")[1].commit == head
    assert "doc.md" in read(safe, str(repo))[0]
    assert safe.commit_author(repo, head) is not None
    made = safe.create_branch(repo, "correcao", {"doc.md": b"# novo\n"}, "m", author=AUTHOR)
    missing = git_objects(repo) / head[:2] / head[2:]
    missing.rename(tmp_path / "away")
    with pytest.raises((InputError, ToolError)):
        safe.read_gitops(f"{repo}@{made}~1")
    assert list((tmp_path / "marks").iterdir()) == []


def git_objects(repo: Path) -> Path:
    return repo / ".git" / "objects"


def test_a_planted_git_and_hostile_variables_do_not_count(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_DIR", "/nada")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(fake))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(fake))
    safe = SafeGit()
    assert safe.describe(repo, {"doc.md": b"# M07\n"}).dirty is False
    safe.create_branch(repo, "x", {"a": b""}, "m", author=AUTHOR)
    assert not (tmp_path / "ran").exists()


def test_git_that_is_missing_or_too_old(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"git: ferramenta não encontrada — instale o git"):
        SafeGit(SealedRunner(search_path=str(tmp_path))).describe(repo, {})
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.20.1\n")
    (tmp_path / "git").chmod(0o755)
    with pytest.raises(ToolError, match=r"versão sem suporte: git version 2\.20\.1"):
        SafeGit(SealedRunner(search_path=str(tmp_path))).describe(repo, {})

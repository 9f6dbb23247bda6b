"""Our patches in the hands of the real git: it must take each one, and arrive at the same bytes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain.finding import CreateFile
from pipeline.domain.rewrite import PlannedChange
from pipeline.errors import InputError
from pipeline.flow import patching
from pipeline.flow.patching import build_patch, unsafe_path
from pipeline.flow.rewriting import rewrite
from rewrite_modules import patch, snapshot_of, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LINES = st.sampled_from(
    [b"a\n", b"b\n", b"\n", b"c\r\n", b"\xe2\x80\xa8\n", b"\xff\x00\n", b"d \t\n", b"e\x0c\n", b"\\ No newline\n"]
)
CONTENT = st.builds(
    lambda lines, tail: b"".join(lines) + tail, st.lists(LINES, max_size=25), st.sampled_from([b"", b"z", b"\r"])
)


def _git(folder: Path, *words: str, data: bytes = b"") -> None:
    done = subprocess.run(["git", *words], cwd=folder, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_applies(folder: Path, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bytes:
    """Git accepts the patch on ``old`` and arrives at ``new``."""
    made = build_patch(old, new)
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for name, data in old.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    if made:
        _git(folder, "apply", "--check", "-", data=made)
        _git(folder, "apply", "-", data=made)
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == dict(new)
    return made


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENT, CONTENT, st.one_of(st.none(), CONTENT), st.booleans())
def test_git_applies_what_we_write(tmp_path: Path, old: bytes, new: bytes, created: bytes | None, small: bool) -> None:
    before, after = {"dir/é b.md": old, "same": b"x"}, {"dir/é b.md": new, "same": b"x"}
    if created is not None:
        after["new file"] = created
    limit = patching._SMALL
    patching._SMALL = limit if small else 0  # the way that big files go
    try:
        assert_applies(tmp_path, before, after)
    finally:
        patching._SMALL = limit


@pytest.mark.parametrize("name", ["a b", 'q"q', "ção", "tab-less\u2028", "d/e f/ü.md", "-x", "a'b", "$x", "😀"])
def test_odd_names_are_quoted_as_git_does(tmp_path: Path, name: str) -> None:
    _git(tmp_path, "init", "-q")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"old\n")
    _git(tmp_path, "add", "-A")
    (tmp_path / name).write_bytes(b"new\n")
    words = ["git", "-c", "core.abbrev=40", "diff", "--full-index", "--no-ext-diff"]
    theirs = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout
    ours = build_patch({name: b"old\n"}, {name: b"new\n"})
    assert ours.split(b"\n@@", 1)[0] == theirs.split(b"\n@@", 1)[0].replace(b" 100644\n", b"\n")


def test_created_emptied_and_deleted_files(tmp_path: Path) -> None:
    old = {"gone": b"a\n", "emptied": b"a\nb", "filled": b""}
    made = assert_applies(tmp_path, old, {"emptied": b"", "filled": b"x", "empty": b"", "full": b"y\n"})
    assert made.count(b"new file mode 100644\n") == 2
    assert made.count(b"deleted file mode 100644\n") == 1


def test_equal_trees_give_no_patch() -> None:
    assert build_patch({"a": b"x"}, {"a": b"x"}) == b""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "../a",
        "a/../b",
        "a//b",
        "./a",
        ".git/config",
        "a/.GIT",
        ".git.",
        ".g\u200cit",
        "git~1",
        "a\\b",
        "a\nb",
        "C:a",
        "~/a",
    ],
)
def test_paths_that_leave_the_tree_are_refused(name: str) -> None:
    assert unsafe_path(name)
    with pytest.raises(InputError):
        build_patch({}, {name: b"x"})


def test_few_edits_of_a_big_file_give_a_small_patch(tmp_path: Path) -> None:
    rows = [b"line %d\n" % (number % 500) for number in range(120_000)]
    old = b"".join(rows)
    rows[3] = b"first\n"
    rows[119_990] = b"last\n"
    del rows[60_000]
    assert len(assert_applies(tmp_path, {"big.md": old}, {"big.md": b"".join(rows)})) < 1_000


def test_very_different_big_files_are_still_patched(tmp_path: Path) -> None:
    old, new = b"a\nb\n" * 2_000, b"b\na\na\n" * 2_000
    assert_applies(tmp_path, {"big.md": old}, {"big.md": new})


def test_the_patch_of_a_rewrite_leads_to_the_rewrite(tmp_path: Path) -> None:
    source = "# T\r\n```bash\r\ncat > a.yaml <<'EOF'\r\na: 1\r\nEOF\r\n```\r\nfim"
    tree = {"k/a b.yaml": b"a: 1", "é.yaml": b"x: [1]\n"}
    changes = [
        patch("a.yaml", ("add", "/b", ["x"])),
        patch("k/a b.yaml", ("add", "/b", 2)),
        patch("é.yaml", ("add", "/x/-", 2)),
        text("doc", 7, 1, "fim", "FIM"),
        PlannedChange(action="A", change=CreateFile(path="n/new.yaml", content="z: 1\n")),
    ]
    result = rewrite(snapshot_of(source, tree), changes)
    assert not result.not_applied
    assert result.document is not None
    old = {"docs/m.md": source.encode(), **tree}
    new = {file.path: file.content for file in result.files if file.origin.kind == "tree"}
    assert assert_applies(tmp_path, old, {"docs/m.md": result.document, **new}) == result.patch

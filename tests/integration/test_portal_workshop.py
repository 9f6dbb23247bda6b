"""Results of stages: found by key, whole or absent, hashed before use, the last two kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.adapters.workshop import copy_tree, digest_tree, link_tree, opened_workshop, write_tree
from pipeline.errors import InputError


def _file(tree: Path, text: str = "x") -> None:
    (tree / "folder").mkdir()
    (tree / "folder/file").write_text(text, encoding="utf-8")


def test_a_stage_is_made_once_for_a_key(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(tree: Path) -> None:
        made.append(tree)
        _file(tree)

    for _ in range(2):
        with opened_workshop(tmp_path / "work") as bench:
            assert (bench.stage("one", "key", make) / "folder/file").read_text() == "x"
    assert len(made) == 1


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with opened_workshop(tmp_path / "work") as bench:
            tree = bench.stage("one", "key", _file)
    finally:
        os.umask(before)
    assert tree.stat().st_mode & 0o777 == 0o755
    assert (tree / "folder").stat().st_mode & 0o777 == 0o755
    assert (tree / "folder/file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "mode", "digest", "link"])
def test_a_damaged_result_is_said_and_made_again(tmp_path: Path, damage: str) -> None:
    with opened_workshop(tmp_path / "work") as bench:
        tree = bench.stage("one", "key", _file)
    file = tree / "folder/file"
    if damage == "changed":
        file.write_text("y", encoding="utf-8")
    elif damage == "added":
        (tree / "more").write_text("", encoding="utf-8")
    elif damage == "removed":
        file.unlink()
    elif damage == "mode":
        file.chmod(0o755)
    elif damage == "digest":
        (tree.parent / "digest").unlink()
    else:
        file.rename(tree / "aside")
        file.symlink_to("../aside")
    told: list[str] = []
    with opened_workshop(tmp_path / "work", told=told.append) as bench:
        assert sorted(each.name for each in bench.stage("one", "key", _file).iterdir()) == ["folder"]
    assert told == ["portal: o resultado guardado de one foi alterado; refeito"]
    assert file.read_text() == "x"


def test_what_fails_leaves_nothing_and_the_next_try_succeeds(tmp_path: Path) -> None:
    def broken(tree: Path) -> None:
        _file(tree)
        raise KeyboardInterrupt

    with opened_workshop(tmp_path / "work") as bench:
        with pytest.raises(KeyboardInterrupt):
            bench.stage("one", "key", broken)
        assert not list((tmp_path / "work/one").iterdir())
        assert bench.stage("one", "key", _file).is_dir()


def test_an_absolute_link_would_name_this_machine(tmp_path: Path) -> None:
    with opened_workshop(tmp_path / "work") as bench, pytest.raises(InputError, match="link simbólico absoluto"):
        bench.stage("one", "key", lambda tree: (tree / "link").symlink_to(tmp_path))


def test_leftovers_of_a_killed_build_go(tmp_path: Path) -> None:
    for left in ("work/.tmp-build/x", "work/one/.tmp-key/tree/x", "work/one/key/tree"):
        (tmp_path / left).mkdir(parents=True)
    with opened_workshop(tmp_path / "work"):
        pass
    assert sorted(each.name for each in (tmp_path / "work").rglob("*")) == [".lock", "key", "one", "tree"]


def test_two_results_of_a_stage_are_kept(tmp_path: Path) -> None:
    with opened_workshop(tmp_path / "work") as bench:
        for number, key in enumerate(("a", "b", "a", "c")):
            bench.stage("one", key, _file)
            os.utime(tmp_path / "work/one" / key, (number, number))
    assert sorted(each.name for each in (tmp_path / "work/one").iterdir()) == ["a", "c"]


def test_scratch_is_empty_and_goes(tmp_path: Path) -> None:
    with opened_workshop(tmp_path / "work") as bench:
        for _ in range(2):
            with bench.scratch("build") as place:
                assert not list(place.iterdir())
                _file(place)
        assert not place.exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_workshop_is_a_folder_of_ours(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "work"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.write_text("", encoding="utf-8")
    with pytest.raises(InputError), opened_workshop(place):
        pass
    assert not list(tmp_path.glob("elsewhere/*"))


def test_linking_shares_bytes_and_writing_over_does_not(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    _file(source)
    (source / "link").symlink_to("folder/file")
    link_tree(source, tmp_path / "target")
    assert digest_tree(tmp_path / "target") == digest_tree(source)
    assert (tmp_path / "target/folder/file").stat().st_ino == (source / "folder/file").stat().st_ino
    write_tree(tmp_path / "target", {"folder/file": b"other"})
    assert (source / "folder/file").read_text() == "x"


def test_copying_keeps_what_is_asked_and_no_empty_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    _file(source)
    (source / "kept").write_text("", encoding="utf-8")
    (source / "link").symlink_to("kept")
    copy_tree(source, tmp_path / "target", keep=lambda path: not path.startswith("folder"))
    assert sorted(each.name for each in (tmp_path / "target").rglob("*")) == ["kept", "link"]
    assert (tmp_path / "target/link").is_symlink()

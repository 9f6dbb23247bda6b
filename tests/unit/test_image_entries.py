"""A layer's entries: one order, safe names, nothing that leaves the root."""

from __future__ import annotations

import itertools

import pytest

from pipeline.errors import InputError
from pipeline.image.entries import Entry, link_fault, plan_layer


def file(path: str, *, mode: int = 0o644) -> Entry:
    return Entry(path=path, kind="file", mode=mode, source=b"")


def test_the_order_does_not_depend_on_how_entries_come() -> None:
    given = [file("a/b"), file("a-b"), file("a/é"), Entry(path="z", kind="folder", mode=0o1777)]
    plans = {tuple(each.path for each in plan_layer(order)) for order in itertools.permutations(given)}
    assert plans == {("a", "a-b", "a/b", "a/é", "z")}


def test_folders_that_nobody_gave_are_added_before_what_they_hold() -> None:
    planned = plan_layer([file("a/b/c")])
    assert [(each.path, each.kind, each.mode) for each in planned] == [
        ("a", "folder", 0o755),
        ("a/b", "folder", 0o755),
        ("a/b/c", "file", 0o644),
    ]


def test_the_same_folder_twice_is_one() -> None:
    first, second = Entry(path="a", kind="folder", mode=0o700), Entry(path="a", kind="folder", mode=0o755)
    assert plan_layer([first, second]) == (first,)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/", "", "a\nb", "a\\b", "~x", "C:x", "a/\u202eb"]
)
def test_unsafe_paths_are_refused(path: str) -> None:
    with pytest.raises(InputError):
        plan_layer([file(path)])


@pytest.mark.parametrize("path", [".wh.x", "a/.wh..wh..opq"])
def test_names_that_delete_in_lower_layers_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="reservado"):
        plan_layer([file(path)])


def test_names_that_begin_with_a_dot_are_names() -> None:
    assert len(plan_layer([file("app/.x"), file("@scope/a+b_c")])) == 4


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(InputError, match="duas vezes"):
        plan_layer([file("a"), file("a", mode=0o755)])


def test_a_file_is_no_folder() -> None:
    with pytest.raises(InputError, match="no lugar de uma pasta"):
        plan_layer([file("a"), file("a/b")])


def test_setuid_is_refused() -> None:
    with pytest.raises(InputError, match="setuid"):
        plan_layer([file("a", mode=0o4755)])


@pytest.mark.parametrize(
    ("path", "target", "safe"),
    [
        ("a/b", "../c", True),
        ("a/b", "../../c", False),
        ("a", "..", False),
        ("a", "b/../../c", False),
        ("a/b", "/etc/x", True),
        ("a", "", False),
        ("a", "x\0", False),
        ("a/b/c", "../../d", True),
    ],
)
def test_links_stay_below_the_root(path: str, target: str, *, safe: bool) -> None:
    assert (link_fault(path, target) is None) is safe
    entry = Entry(path=path, kind="link", mode=0o777, target=target)
    if safe:
        assert plan_layer([entry])[-1] == entry
    else:
        with pytest.raises(InputError):
            plan_layer([entry])

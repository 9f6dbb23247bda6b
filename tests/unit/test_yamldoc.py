"""YAML as Kubernetes reads it, with positions, bounded."""

from __future__ import annotations

import pytest

from pipeline.yamldoc import Limits, json_pointer, load_yaml, resolve_plain, yaml_path


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("no", False),
        ("On", True),
        ("~", None),
        ("0o17", 15),
        ("017", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("-12", -12),
        ("1_000", 1000),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("12:34:56", "12:34:56"),
        ("22:22", "22:22"),
        ("2026-01-02", "2026-01-02"),
        ("=", "="),
        ("v1.2.3", "v1.2.3"),
        ("08", 8.0),
        ("18446744073709551616", 18446744073709551616.0),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_are_typed_by_the_table_of_go_yaml(plain: str, value: object) -> None:
    assert resolve_plain(plain) == value
    assert load_yaml(f"a: {plain}\n").documents[0].value == {"a": value}


def test_quoted_scalars_and_block_scalars_stay_text() -> None:
    text = "a: 'no'\nb: \"12\"\nc: |\n  yes\nd: !!str 7\ne: !custom x\n"
    assert load_yaml(text).documents[0].value == {"a": "no", "b": "12", "c": "yes\n", "d": "7", "e": "x"}


def test_positions_are_those_of_keys_and_items_from_one() -> None:
    document = load_yaml("a: 1\nlist:\n- x\n- b:\n    c: [1, 2]\n").documents[0]
    at = document.position(("list", 1, "b", "c"))
    assert (at.line, at.column) == (5, 5)
    assert document.value_position(("list", 1, "b", "c", 1)).column == 12
    assert document.position(("list", 0)).line == 3
    assert document.position(("list", 9, "gone")).line == 2  # the nearest parent


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\u2029", "\r"])
def test_lines_are_counted_at_line_feeds_alone(separator: str) -> None:
    document = load_yaml(f"a: 'x{separator}y'\nb: 1\n").documents[0]
    assert document.position(("b",)).line == 2


def test_crlf_and_bom_do_not_move_positions() -> None:
    document = load_yaml("\ufeffa: 1\r\nb: 2\r\n").documents[0]
    assert document.value == {"a": 1, "b": 2}
    assert document.position(("b",)).line == 2


def test_documents_are_counted_and_empty_ones_left_out() -> None:
    file = load_yaml("# only a comment\n---\na: 1\n---\n---\nb: 2\n...\n")
    assert [(each.index, each.value) for each in file.documents] == [(0, {"a": 1}), (1, {"b": 2})]
    assert not file.problems


def test_other_documents_are_read_where_one_does_not_parse() -> None:
    file = load_yaml("a: 1\n---\nb: [1\n---\nc: 3\n")
    assert [each.value for each in file.documents] == [{"a": 1}, {"c": 3}]
    assert file.documents[1].position(("c",)).line == 5
    assert [problem.code for problem in file.problems] == ["syntax"]
    assert not file.parsed


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: b: c\n", 1, "dois-pontos"),
        ("a: 1\n\tb: 2\n", 2, "TAB"),
        ("a: *x\n", 1, "âncora"),
        ("a: 'x\n", 2, "aspas"),
        ("ok: 1\nx: \x01\n", 2, "controle"),
    ],
)
def test_syntax_problems_say_where_and_what(text: str, line: int, said: str) -> None:
    problem = load_yaml(text).problems[0]
    assert problem.code == "syntax"
    assert problem.line == line
    assert said in problem.message


def test_duplicate_keys_are_reported_with_both_lines_and_the_last_wins() -> None:
    file = load_yaml("m:\n  a: 1\n  a: 2\n")
    assert file.documents[0].value == {"m": {"a": 2}}
    (problem,) = file.problems
    assert (problem.code, problem.line, problem.path) == ("duplicate-key", 3, ("m", "a"))
    assert "linha 2" in problem.message
    assert file.documents[0].value_position(("m", "a")).line == 3


def test_keys_that_are_no_text_are_reported() -> None:
    assert [problem.code for problem in load_yaml("? [a, b]\n: 1\n").problems] == ["key"]


def test_merge_keys_are_taken_and_own_keys_win() -> None:
    text = "base: &b {x: 1, y: 2}\none:\n  <<: *b\n  y: 3\ntwo:\n  <<: [*b, {z: 4}]\nthree:\n  '<<': kept\n"
    value = load_yaml(text).documents[0].value
    assert value["one"] == {"x": 1, "y": 3}
    assert value["two"] == {"x": 1, "y": 2, "z": 4}
    assert value["three"] == {"<<": "kept"}


@pytest.mark.parametrize("text", ["[" * 50_000, "[" * 1_000_000, "- " * 50_000, "{a: " * 3_000])
def test_deep_nesting_is_refused_before_it_can_crash(text: str) -> None:
    file = load_yaml(text)
    assert not file.documents
    assert file.problems[0].code == "depth"


def test_depth_just_over_the_limit_is_refused_and_just_under_is_read() -> None:
    limits = Limits(depth=10)
    assert load_yaml("[" * 12 + "]" * 12, limits=limits).problems[0].code == "depth"
    assert load_yaml("[" * 9 + "]" * 9, limits=limits).documents


def test_alias_bombs_and_cycles_are_refused() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert load_yaml("l0: &l0 [1,1,1,1,1,1,1,1,1,1]\n" + levels).problems[0].code == "nodes"
    assert load_yaml("a: &a [*a]\n").problems[0].code == "cycle"
    assert load_yaml("a: &a {k: *a}\n").problems[0].code == "cycle"


def test_small_uses_of_aliases_are_read() -> None:
    assert load_yaml("a: &a [1, 2]\nb: *a\n").documents[0].value == {"a": [1, 2], "b": [1, 2]}


def test_too_many_nodes_are_refused() -> None:
    file = load_yaml("[" + "1," * 300_000 + "1]", limits=Limits(nodes=1000))
    assert [problem.code for problem in file.problems] == ["nodes"]


def test_paths_are_shown_as_people_write_them() -> None:
    path = ("spec", "containers", 0, "env.x", 'a"b')
    assert yaml_path(path) == 'spec.containers[0]["env.x"]["a\\"b"]'
    assert json_pointer(("a/b", "c~d", 3)) == "/a~1b/c~0d/3"

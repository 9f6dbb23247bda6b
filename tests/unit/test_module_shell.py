from __future__ import annotations

import pytest

from pipeline.module.script import Scope, Script, SimpleCommand
from pipeline.module.shell import read_script


def commands(text: str) -> list[SimpleCommand]:
    return [item for item in read_script(text).items if isinstance(item, SimpleCommand)]


def words(text: str) -> list[list[str]]:
    return [[word.value for word in command.words] for command in commands(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a b;c&&d||e|f|&g&h", [["a", "b"], ["c"], ["d"], ["e"], ["f"], ["g"], ["h"]]),
        ("a \\\n  b # note ; x\nc", [["a", "b"], ["c"]]),
        ("a#b #c", [["a#b"]]),
        ('a "\\$x \\" \\\\ \\q"', [["a", '$x " \\ \\q']]),
        ('a "x\\\ny"', [["a", "xy"]]),
        ("a $'b\\'c' $\"d\" $ e", [["a", "b\\'c", "d", "$", "e"]]),
        (
            'a ${x:-\'}\'} "${y:-"}"}" "${z:-\'}" ${w:-$(b)}',
            [["b"], ["a", "${x:-'}'}", '${y:-"}"}', "${z:-'}", "${w:-$(b)}"]],
        ),
        ("if a; then b; elif c; else d; fi", [["a"], ["b"], ["c"], ["d"]]),
        ("while a; do b; done", [["a"], ["b"]]),
        ("for x in 1 2; do a $x; done", [["a", "$x"]]),
        ("for ((i=0; i<3; i++)); do a; done", [["a"]]),
        ("case $x in\n a) b;;\n c|d) e;;\nesac", [["b"], ["c"], ["e"]]),
        ("f() { a; }\nf", [["a"], ["f"]]),
        ("f () (a)", [["a"]]),
        ("[[ a < b && c ]] && d", [["[[", "a", "<", "b", "&", "&", "c", "]]"], ["d"]]),
        ("((x<<2)); a $((1+(2)))", [["a", "$((1+(2)))"]]),
        ("a=(1 'x y' $z) b", [["a=(1 'x y' $z)", "b"]]),
        ("a <(b) `c`", [["b"], ["c"], ["a", "<(b)", "`c`"]]),
        ('a "`b`" "$(c "d")"', [["b"], ["c", "d"], ["a", "`b`", '$(c "d")']]),
        ("! a; { b; }; time c", [["a"], ["b"], ["c"]]),
        ("a -n ws-<workspace_id>-core <env>", [["a", "-n", "ws-<workspace_id>-core", "<env>"]]),
        ("a |\n b", [["a"], ["b"]]),
        ("\\", [["\\"]]),
        ("a \\\\", [["a", "\\"]]),
        ("", []),
        ("# only a comment", []),
        ("X=1", [["X=1"]]),
        ("a )b", [["b"]]),
    ],
)
def test_words(text: str, expected: list[list[str]]) -> None:
    assert words(text) == expected
    assert read_script(text).problems == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > f", [(">", None, "f")]),
        ("a >>f 2>&1 >|'g h'", [(">>", None, "f"), (">&", 2, "1"), (">|", None, "g h")]),
        ("a &> f &>> g", [("&>", None, "f"), ("&>>", None, "g")]),
        ("a 2> f <g <>h <<< word", [(">", 2, "f"), ("<", None, "g"), ("<>", None, "h"), ("<<<", None, "word")]),
        ("> f a", [(">", None, "f")]),
        ("a 2&>f", [("&>", None, "f")]),
        ("x12>f", [(">", None, "f")]),
        ("cat > clusters/ag-<regiao>/x.yaml", [(">", None, "clusters/ag-<regiao>/x.yaml")]),
        ("a >", [(">", None, "")]),
    ],
)
def test_redirections(text: str, expected: list[tuple[str, int | None, str]]) -> None:
    (command,) = commands(text)
    assert [(item.operator, item.descriptor, item.target.value) for item in command.redirections] == expected


def test_a_group_keeps_its_redirection() -> None:
    text = "for x in 1; do a; done > f\n{ b; } > g\n(c) > h\n"
    groups = [command for command in commands(text) if command.compound]
    assert [group.redirections[0].target.value for group in groups] == ["f", "g", "h"]


def test_text_and_lines() -> None:
    first, second = commands("vault write a \\\n  b=c   # note\n\nd <<E  |  f\nbody\nE\n")[:2]
    assert (first.line, first.text) == (1, "vault write a b=c")
    assert (second.line, second.text, second.after) == (4, "d <<E", "|")


def test_text_leaves_here_document_bodies_out() -> None:
    assert commands("x=$(cat <<E\nsecret\nE\n)")[-1].text == "x=$(cat <<E\n)"


def test_subshells_are_scopes() -> None:
    items = read_script("(a); $(b); c").items
    assert [item.enter for item in items if isinstance(item, Scope)] == [True, False, True, False]


def heredocs(script: Script) -> list[tuple[str, bool, int, tuple[str, ...], bool]]:
    return [(item.delimiter, item.expands, item.first_line, item.lines, item.closed) for item in script.heredocs]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat <<EOF\na\nEOF\n", [("EOF", True, 2, ("a",), True)]),
        ("cat << 'E F'\na\nE\nE F\n", [("E F", False, 2, ("a", "E"), True)]),
        ("cat <<E'O'F\na\nEOF", [("EOF", False, 2, ("a",), True)]),
        ("cat <<\\EOF\n$a\nEOF", [("EOF", False, 2, ("$a",), True)]),
        ('cat <<"E\\"F"\na\nE"F\n', [('E"F', False, 2, ("a",), True)]),
        ("cat <<''\na\n\nb", [("", False, 2, ("a",), True)]),
        ("cat <<EOF\n EOF\nEOF \nEOFx\nEOF", [("EOF", True, 2, (" EOF", "EOF ", "EOFx"), True)]),
        ("cat <<A <<B; x\n1\nA\n2\nB", [("A", True, 2, ("1",), True), ("B", True, 4, ("2",), True)]),
        ("x=$(cat <<A)\n1\nA\n", [("A", True, 2, ("1",), True)]),
        ('cat <<A "$(cat <<B\n1\nB\n)"\n2\nA\n', [("A", True, 5, ("2",), True), ("B", True, 2, ("1",), True)]),
        ("cat <<E\na\\\nE\nE", [("E", True, 2, ("a\\", "E"), True)]),
        ("cat <<'E'\na\\\nE", [("E", False, 2, ("a\\",), True)]),
        ("cat <<E\nE\\\n\nb", [("E", True, 2, (), True)]),
        ("cat <<E\\\nF\nx\nEF", [("EF", True, 3, ("x",), True)]),
    ],
)
def test_heredocs(text: str, expected: list[tuple[str, bool, int, tuple[str, ...], bool]]) -> None:
    assert heredocs(read_script(text)) == expected


def test_dash_strips_tabs_and_counts_them() -> None:
    (heredoc,) = read_script("cat <<-E\n\ta\n\t\tb\n  c\n\tE\n").heredocs
    assert (heredoc.lines, heredoc.dropped) == (("a", "b", "  c"), (1, 2, 0))


def test_dash_keeps_the_tabs_of_continuation_lines() -> None:
    (heredoc,) = read_script("cat <<-E\n\ta\\\n\tb\n\tE\n").heredocs
    assert (heredoc.lines, heredoc.dropped) == (("a\\", "\tb"), (1, 0))


@pytest.mark.parametrize(
    ("body", "altered"),
    [("plain", False), ("$x", True), ("`x`", True), ("\\\\", True), ("a\\", True), ("\\n", False), ('"\\""', False)],
)
def test_altered_says_whether_a_shell_changes_the_body(body: str, *, altered: bool) -> None:
    (heredoc,) = read_script(f"cat <<E\n{body}\n\nE\n").heredocs
    assert heredoc.altered is altered
    assert not read_script(f"cat <<'E'\n{body}\nE\n").heredocs[0].altered


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a\ncat <<E\nb", "unclosed", 2),
        ("cat <<E", "unclosed", 1),
        ("a\n'b", "unclosed", 2),
        ('a "b', "unclosed", 1),
        ('a "b\\', "unclosed", 1),
        ("a $(b", "unclosed", 1),
        ("a `b", "unclosed", 1),
        ("a ${b", "unclosed", 1),
        ("a=(b", "unclosed", 1),
        ("a=(b & c)", None, 0),
        ("((a", "unclosed", 1),
        ("a $((b <<E\nE\n))", "unsupported", 1),
        ("$(" * 100, "limit", 1),
        ("( " * 100, "limit", 1),
        ("a " * 30, "limit", 1),
    ],
)
def test_problems(text: str, code: str | None, line: int) -> None:
    problems = read_script(text, max_words=20 if text.startswith("a a") else 10_000).problems
    assert [(problem.code, problem.line) for problem in problems] == ([(code, line)] if code else [])

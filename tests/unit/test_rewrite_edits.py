"""Edits of YAML, one habit of writing at a time: what must stand in the text afterwards, to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.finding import Operation, Param
from pipeline.flow.edits import patch_yaml
from pipeline.flow.splices import Refusal

SERVICE = """\
# head
kind: Service   # the kind
metadata:
  name: "x"
  labels: # none
  annotations: {}
  # tail of metadata

spec:
  type: NodePort # no
  ports:
    # first
    - name: http
      port: 80 # p
    - {name: b, port: 81}
  args: [a, "b"]
  text: |  # hdr
    one
    two

    three
  # after text
# end
"""


def edit(text: str, *operations: tuple[Any, ...], document: int = 0) -> str:
    built = [Operation(op=each[0], path=each[1], value=each[2] if len(each) > 2 else None) for each in operations]
    return patch_yaml(text, document, built)


def swap(old: str, new: str, text: str = SERVICE) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        (("replace", "/spec/type", "ClusterIP"), "type: NodePort # no", "type: ClusterIP # no"),
        (("replace", "/metadata/name", "y"), 'name: "x"', 'name: "y"'),
        (("replace", "/spec/ports/0/port", "80"), "port: 80 # p", 'port: "80" # p'),
        (("add", "/metadata/labels", {"t": "on"}), "labels: # none\n", 'labels: # none\n    t: "on"\n'),
        (("add", "/metadata/labels", "v"), "labels: # none\n", "labels: v # none\n"),
        (("add", "/metadata/annotations/a", "1"), "annotations: {}\n", 'annotations:\n    a: "1"\n'),
        (("add", "/metadata/ns", "z"), "annotations: {}\n", "annotations: {}\n  ns: z\n"),
        (("add", "/spec/ports/-", {"name": "c", "port": 1}), "81}\n", "81}\n    - name: c\n      port: 1\n"),
        (("add", "/spec/ports/0", 5), "# first\n", "# first\n    - 5\n"),
        (("add", "/spec/ports/1/x", [1]), "port: 81}", "port: 81, x: [1]}"),
        (("add", "/spec/args/1", "n,m"), '"b"]', '"n,m", "b"]'),
        (("remove", "/spec/ports/0/name"), "- name: http\n      port", "- port"),
        (("remove", "/spec/ports/0"), "    - name: http\n      port: 80 # p\n", ""),
        (("remove", "/spec/args/1"), '[a, "b"]', "[a]"),
        (("remove", "/spec/args/0"), '[a, "b"]', '["b"]'),
        (("remove", "/spec/ports/1/port"), ", port: 81", ""),
        (("replace", "/spec/text", "one\n2\n\nthree\n"), "    two\n", "    2\n"),
        (("replace", "/spec/text", "one\ntwo\n\nthree"), "|  # hdr", "|-  # hdr"),
        (("replace", "/spec/text", "one\ntwo\n\nthree\nfour\n"), "    three\n", "    three\n    four\n"),
        (("replace", "/spec/text", "one\n"), "    two\n\n    three\n", ""),
        (("replace", "/spec/text", 5), "|  # hdr\n    one\n    two\n\n    three\n", "5  # hdr\n"),
        (("replace", "/spec/args", {"k": "v"}), '[a, "b"]', "{k: v}"),
        (("replace", "/spec/type", ["a", {"b": 1}]), "NodePort # no\n", "# no\n    - a\n    - b: 1\n"),
        (("replace", "/spec/type", "a\nb\n"), "NodePort # no\n", "| # no\n    a\n    b\n"),
        (("replace", "/spec/ports/0", "a\nb"), "name: http\n      port: 80 # p", '"a\\nb" # p'),
    ],
)
def test_one_edit_changes_just_its_place(operation: tuple[Any, ...], old: str, new: str) -> None:
    assert edit(SERVICE, operation) == swap(old, new)


def test_replacing_a_mapping_touches_only_what_differs() -> None:
    value = [{"name": "http", "port": 8080}, {"name": "b", "port": 81}]
    assert edit(SERVICE, ("replace", "/spec/ports", value)) == swap("port: 80 # p", "port: 8080 # p")


@pytest.mark.parametrize(
    ("text", "operation", "expected"),
    [
        ("a:\n- x\n- y\n", ("add", "/b", ["z"]), "a:\n- x\n- y\nb:\n- z\n"),
        ("a:\n    b:\n        c: 1\n", ("add", "/a/d", {"e": 1}), "a:\n    b:\n        c: 1\n    d:\n        e: 1\n"),
        ("a: 1\nb: 2", ("remove", "/b"), "a: 1"),
        ("a: 1\n\nb: 2", ("remove", "/b"), "a: 1"),
        ("a: 1\nb: 2", ("add", "/c", 3), "a: 1\nb: 2\nc: 3"),
        ("a: 1\r\nb:\r\n- x\r\n", ("add", "/b/-", {"k": 1, "l": 2}), "a: 1\r\nb:\r\n- x\r\n- k: 1\r\n  l: 2\r\n"),
        ("\ufeffa: 1\n", ("replace", "/a", 2), "\ufeffa: 2\n"),
        ("é: '😀' # ç\nb: 1\n", ("replace", "/b", 2), "é: '😀' # ç\nb: 2\n"),
        ("a:\n  b: 1\n", ("remove", "/a/b"), "a: {}\n"),
        ("a:\n- 1 # c\n", ("remove", "/a/0"), "a: []\n"),
        ("- a: 1\n", ("remove", "/0/a"), "- {}\n"),
        ("a: 1 # c\n", ("remove", "/a"), "{} # c\n"),
        ("- 1\n", ("remove", "/0"), "[]\n"),
        ("- - 1\n  - 2\n", ("remove", "/0/0"), "- - 2\n"),
        ("- - 1\n", ("add", "/0/0", 0), "- - 0\n  - 1\n"),
        ("-   a: 1\n", ("add", "/-", {"b": 2, "c": 3}), "-   a: 1\n-   b: 2\n    c: 3\n"),
        ("-   a\n", ("add", "/-", "b"), "-   a\n-   b\n"),
        ("-\n- b\n", ("replace", "/0", {"k": 1, "l": 2}), "- k: 1\n  l: 2\n- b\n"),
        ("- ~\n- b\n", ("replace", "/0", {"k": 1, "l": 2}), "- k: 1\n  l: 2\n- b\n"),
        ("a:\n  'x'\n", ("replace", "/a", {"b": 1, "c": 2}), "a:\n  b: 1\n  c: 2\n"),
        ("a:\n  x: 1\n", ("replace", "/a", "t"), "a: t\n"),
        ("a:\n  x: 1\n", ("replace", "/a", ["t"]), "a:\n  - t\n"),
        ("a:\n- x\n", ("replace", "/a", {"t": 1}), "a:\n  t: 1\n"),
        ("a: >-\n  x\n  y\n", ("replace", "/a", "x\nz\n"), "a: |\n  x\n  z\n"),
        ("a: |2-\n    x\n", ("replace", "/a", "q\nz"), "a: |-\n    q\n    z\n"),
        ("a: |+\n  x\n\n", ("replace", "/a", "y\nz\n"), "a: |\n  y\n  z\n"),
        ("a: {b: 1,}\n", ("add", "/a/c", 2), "a: {b: 1, c: 2,}\n"),
        ("a: {}\nb: [{}]\n", ("add", "/b/0/k", 1), "a: {}\nb: [{k: 1}]\n"),
        ("[\n  1, # c\n  2 # d\n]\n", ("add", "/-", 3), "[\n  1, # c\n  2, # d\n  3\n]\n"),
        ("[\n  1,\n  2, # d\n]\n", ("add", "/-", 3), "[\n  1,\n  2, # d\n  3,\n]\n"),
        ("[\n  1, # c\n  2\n]\n", ("add", "/1", 3), "[\n  1, # c\n  3,\n  2\n]\n"),
        ("[\n  1, # c\n  2\n]\n", ("remove", "/1"), "[\n  1 # c\n  \n]\n"),
        ("[\n  1, # c\n  2\n]\n", ("remove", "/0"), "[\n   # c\n  2\n]\n"),
        ("a: [ # c\n  1\n]\n", ("remove", "/a/0"), "a: [ # c\n  \n]\n"),
        ('{"a": 1}\n', ("add", "/b", "x"), '{"a": 1, "b": "x"}\n'),
        ("a: {b, c}\n", ("replace", "/a/b", 1), "a: {b: 1, c}\n"),
        ("a: {b: , c: 1}\n", ("replace", "/a/b", 1), "a: {b: 1, c: 1}\n"),
        ("a: {b: !!str 5}\n", ("replace", "/a/b", 1), "a: {b: 1}\n"),
        ("a: !!str 5\n", ("replace", "/a", 6), "a: 6\n"),
        ("a: &x !!str 5\n", ("replace", "/a", 6), "a: &x 6\n"),
        ("a: &x\n  b: 1\n", ("replace", "/a", "t"), "a: &x t\n"),
        ("a: &x 1\nb: *x\n", ("replace", "/b", 2), "a: &x 1\nb: 2\n"),
        ("a: 1\n---\nb: 1 # x\n---\n# only\n---\n", ("add", "/d", 2), "a: 1\nd: 2\n---\nb: 1 # x\n---\n# only\n---\n"),
        ("%YAML 1.1\n---\na: 1\n...\n# z\n", ("replace", "/a", 2), "%YAML 1.1\n---\na: 2\n...\n# z\n"),
        ("a:\n  b: 1\n  # in\n\n    # deeper\nc: 1\n", ("remove", "/a"), "c: 1\n"),
        ("a: 1\t# tab\n", ("replace", "/a", 2), "a: 2\t# tab\n"),
        ("a: 'x'\nb: 'y'\n", ("add", "/c", "no"), "a: 'x'\nb: 'y'\nc: 'no'\n"),
        ("a:\n  # note\nb: 1\n", ("replace", "/a", "x\ny\n"), 'a: "x\\ny\\n"\n  # note\nb: 1\n'),
    ],
)  # fmt: skip
def test_every_habit_is_kept(text: str, operation: tuple[Any, ...], expected: str) -> None:
    assert edit(text, operation) == expected


@pytest.mark.parametrize(
    ("text", "operation", "reason"),
    [
        ("a: &x {b: 1}\nc: *x\n", ("add", "/a/c", 1), "âncora &x"),
        ("a: &x {b: 1}\nc: *x\n", ("add", "/c/c", 1), "alias (*x)"),
        ("a: &x {b: 1}\nc: *x\n", ("replace", "/a", 1), "âncora &x"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", ("remove", "/c/b"), "mesclagem"),
        ("a: &x {b: {d: 1}}\nc: {<<: *x}\n", ("add", "/c/b/e", 1), "mesclagem"),
        ("a: 1\na: 2\n", ("replace", "/a", 3), "repetida"),
        ("? a\n: 1\n", ("replace", "/a", 3), "explícita"),
        ("a: 1\n", ("replace", "/b", 3), "não existe"),
        ("a: 1\n", ("add", "/a/b", 3), "não existe"),
        ("a: 1\n", ("replace", "", "x"), "raiz"),
        ("a: 1\n", ("test", "/a", True), "o teste de /a falhou"),
        ("a: 1\n", ("add", "b", 1), "ponteiro JSON"),
        ("a: 1\n", ("add", "/b", {"x": [Param(name="images.x")]}), "parâmetro images.x sem valor"),
        ("a: 1\n", ("add", "/b", float("inf")), "infinito"),
        ("a: 1\n", ("add", "/b", {"x": {1: 2}}), "chave que não é texto"),
        ("a: 1\n", ("add", "/b", object), "valor que não é JSON"),
        ("a: 1\n", ("add", "/b", "\ud800"), "prova falhou"),
        ("a: [b: 1]\n", ("add", "/a/0/c", 1), "par solto"),
        ("a: !t\n  b: 1\n", ("replace", "/a", "t"), "etiqueta"),
        ("a: [", ("add", "/b", 1), "não pôde ser lido"),
        ("", ("add", "/b", 1), "documento YAML nº 1"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused_with_its_reason(
    text: str, operation: tuple[Any, ...], reason: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        edit(text, operation)
    assert reason in str(refusal.value)


def test_a_key_that_a_merge_gives_can_be_written_over() -> None:
    text = "base: &x {b: 1}\nc:\n  <<: *x\n"
    assert edit(text, ("replace", "/c/b", 2)) == text + "  b: 2\n"


def test_passing_tests_and_present_values_cost_nothing() -> None:
    assert edit(SERVICE, ("test", "/spec/type", "NodePort"), ("add", "/metadata/name", "x")) == SERVICE


def test_long_differences_are_written_anew() -> None:
    text = "a:\n" + "".join(f"  k{number}: {number}\n" for number in range(100))
    wanted = {f"k{number}": number + 1 for number in range(100)}
    assert edit(text, ("replace", "/a", wanted)) == text.replace(
        text[3:], "".join(f"  {key}: {value}\n" for key, value in wanted.items())
    )


def test_long_block_texts_change_by_their_middle() -> None:
    rows = [f"row {number}" for number in range(3_000)]
    text = "a: |\n" + "".join(f"  {row}\n" for row in rows)
    rows[1_500] = "other"
    assert edit(text, ("replace", "/a", "\n".join(rows) + "\n")) == text.replace("row 1500\n", "other\n")


def test_the_second_document_of_a_file_that_parses_in_part() -> None:
    text = "a: [\n---\nb: 1\n---\nc: 1\n"
    assert edit(text, ("replace", "/c", 2), document=1) == "a: [\n---\nb: 1\n---\nc: 2\n"


def test_new_lines_follow_the_file_where_the_document_shows_no_habit() -> None:
    text = "a:\n- x\n---\nb: 1\n"
    assert edit(text, ("add", "/c", ["z"]), document=1) == "a:\n- x\n---\nb: 1\nc:\n- z\n"

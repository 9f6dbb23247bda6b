"""The byte-preserving editor against jsonpatch, PyYAML and the text it was given, over random YAML."""

from __future__ import annotations

import contextlib
import re
from random import Random
from typing import Any, Literal

import jsonpatch
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.finding import Operation
from pipeline.flow.edits import edit_yaml, habits_of, patch_yaml
from pipeline.flow.operations import same_value
from pipeline.flow.splices import LineIndex, Refusal, Splice, SplicedText, apply_splices
from pipeline.flow.yaml_emit import Style, as_key, as_scalar, in_line
from pipeline.yamldoc import load_yaml
from rewrite_texts import at, pointers, random_operation, random_text

SEEDS = st.integers(0, 2**48)
OPS: tuple[Literal["add", "remove", "replace", "test"], ...] = ("add", "remove", "replace", "test")
DAMAGE = ("\t", "&a ", "*a", "<<: *a\n", "---\n", "...\n", "? ", "!x ", ": ", "\r", "#", "'", "{", "\x85")
CASES = settings(max_examples=250, deadline=None)


def _case(seed: int) -> tuple[Random, str, Any]:
    random = Random(seed)  # noqa: S311 - a reproducible case, not a secret
    while True:
        text, value = random_text(random)
        read = load_yaml(text)
        if len(read.documents) == 1 and not read.problems and same_value(read.documents[0].value, value):
            return random, text, value


def _expected(value: Any, operations: list[Operation]) -> Any:
    steps = [{"op": each.op, "path": each.path, "value": each.value} for each in operations]
    return jsonpatch.apply_patch(value, steps)


@CASES
@given(SEEDS)
def test_result_reads_as_jsonpatch_says(seed: int) -> None:
    random, text, value = _case(seed)
    operations: list[Operation] = []
    expected = value
    for _ in range(random.randint(1, 4)):
        operations.append(random_operation(random, expected))
        expected = _expected(expected, operations[-1:])
    try:
        result = patch_yaml(text, 0, operations)
    except Refusal:
        return  # rare: test_refusals_are_rare counts them
    documents = load_yaml(result).documents
    assert same_value([document.value for document in documents], [expected])
    assert result.endswith("\n") == text.endswith("\n")
    if "\r\n" in text:
        assert not re.search(r"(?<!\r)\n", result)


def test_refusals_are_rare() -> None:
    refused = 0
    for seed in range(400):
        random, text, value = _case(seed)
        try:
            patch_yaml(text, 0, [random_operation(random, value)])
        except Refusal:
            refused += 1
    assert refused <= 2


@CASES
@given(SEEDS)
def test_comments_survive_what_removes_no_collection(seed: int) -> None:
    random, text, value = _case(seed)
    operation = random_operation(random, value)
    adds = operation.op == "add" and operation.path not in pointers(value)
    replaces = operation.op == "replace" and not isinstance(at(value, operation.path), (dict, list))
    if not adds and not replaces:
        return
    try:
        result = patch_yaml(text, 0, [operation])
    except Refusal:
        return
    comments = re.compile(r"# c\d+\.")
    assert sorted(comments.findall(result)) == sorted(comments.findall(text))


@CASES
@given(SEEDS)
def test_lines_outside_the_replaced_value_keep_their_bytes(seed: int) -> None:
    random, text, value = _case(seed)
    operation = random_operation(random, value)
    if operation.op != "replace":
        return
    try:
        result = patch_yaml(text, 0, [operation])
    except Refusal:
        return
    parts = [part.replace("~1", "/").replace("~0", "~") for part in operation.path.split("/")[1:]]
    path: list[str | int] = []
    for part in parts:
        path.append(part if isinstance(at(value, _pointer(path)), dict) else int(part))
    place = load_yaml(text).documents[0].position(tuple(path))
    index = LineIndex(text)
    first = index.start(place.line)
    if isinstance(path[-1], int) and not text[first : first + place.column - 1].strip():
        first = max(0, text.rfind("-", 0, first))  # the value begins on a line below its dash
    head = text[:first]
    tail = text[index.start(place.end_line + 1) :]
    assert result.startswith(head)
    assert result.endswith(tail)


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


@CASES
@given(SEEDS)
def test_asking_for_what_is_there_edits_nothing(seed: int) -> None:
    random, text, value = _case(seed)
    operation = random_operation(random, value)
    listed = operation.op == "add" and isinstance(at(value, operation.path.rpartition("/")[0]), list)
    if operation.op == "remove" or listed:
        return
    try:
        once = patch_yaml(text, 0, [operation])
    except Refusal:
        return
    assert edit_yaml(once, 0, [operation], habits_of(once)) == ()


@CASES
@given(SEEDS, st.integers(1, 6))
def test_damaged_text_is_edited_or_refused_but_never_breaks(seed: int, hits: int) -> None:
    random, text, value = _case(seed)
    for _ in range(hits):
        at_offset = random.randrange(len(text) + 1)
        piece = random.choice(
            ("\t", "&a ", "*a", "<<: *a\n", "---\n", "...\n", "? ", "!x ", ": ", "\r", "#", "'", "{", "\x85")
        )
        text = text[:at_offset] + piece + text[at_offset + random.randrange(2) :]
    documents = load_yaml(text).documents
    if documents and isinstance(documents[0].value, (dict, list)):
        value = documents[0].value
    operation = random_operation(random, value)
    try:
        result = patch_yaml(text, 0, [operation])
    except Refusal:
        return
    assert same_value(load_yaml(result).documents[0].value, _expected(documents[0].value, [operation]))


@CASES
@given(st.text(max_size=80), st.sampled_from(["", "/a", "/0", "/a/-", "x", "/~2"]), st.sampled_from(OPS))
def test_any_text_is_edited_or_refused(text: str, path: str, op: Literal["add", "remove", "replace", "test"]) -> None:
    with contextlib.suppress(Refusal):
        patch_yaml(text, 0, [Operation(op=op, path=path, value={"k": [1, "x"]})])


@CASES
@given(st.text(max_size=40), st.sampled_from(["", "'", '"']))
def test_texts_are_read_back_by_both_dialects(value: str, like: str) -> None:
    for quote in ('"', "'"):
        style = Style(quote=quote)
        block = f"k: {as_scalar(value, style, like=like)}\n"
        flow = f"[{as_scalar(value, style, like=like, flow=True)}, {{k: {in_line(value, style)}}}]\n"
        for text, expected in ((block, {"k": value}), (flow, [value, {"k": value}])):
            assert yaml.safe_load(text) == expected
            assert load_yaml(text).documents[0].value == expected
        if len(value) < 30:
            assert yaml.safe_load(f"{as_key(value, style)}: 1\n") == {value: 1}


@pytest.mark.parametrize(
    "value",
    [
        *("y", "Yes", "on", "NULL", "~", "0o7", "017", "1_000", "1e3", "1E5", ".5", "+1", "0x1f", "0b1", "12:30"),
        *("2001-1-1", "2001-12-14T21:59:43Z", ".inf", ".NaN", "=", "<<", "---", "- a", "-", "a: b", "a #b", "a:"),
        *(" a", "a ", "%a", "@a"),
    ],
)
def test_what_some_reader_would_take_for_something_else_is_quoted(value: str) -> None:
    assert as_scalar(value, Style()) == f'"{value}"'


@pytest.mark.parametrize(
    "value", ["core", "10Gi", "100m", "--flag=1", "nginx:1.25", "http://a:80/b", "v1.2", "1.2.3", "a b", "é", "1h"]
)
def test_what_every_reader_takes_for_text_stays_plain(value: str) -> None:
    assert as_scalar(value, Style()) == value


@given(st.text("ab", max_size=8), st.randoms(use_true_random=False))
def test_edits_compose(original: str, random: Random) -> None:
    edited = SplicedText(original)
    current = original
    for _ in range(4):
        points = sorted(random.randrange(len(current) + 1) for _ in range(4))
        splices = [Splice(points[0], points[1], random.choice(("", "X", "YZ")))]
        if points[1] < points[2]:
            splices.append(Splice(points[2], points[3], random.choice(("", "V"))))
        current = apply_splices(current, splices)
        edited.edit_part(0, len(original), splices)
        assert edited.text() == current


@given(st.text("ab\n", max_size=12), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), max_size=5))
def test_edits_in_places_of_the_original_never_touch_one_another(original: str, ranges: list[tuple[int, int]]) -> None:
    edited = SplicedText(original)
    taken: list[tuple[int, int]] = []
    for number, (first, size) in enumerate(ranges):
        start, end = min(first, len(original)), min(first + size, len(original))
        overlaps = any(one < end and start < other for one, other in taken)
        try:
            edited.edit_original(start, end, str(number))
        except Refusal:
            assert overlaps
        else:
            assert not overlaps
            taken.append((start, end))
    result = edited.text()
    assert len(result) == len(original) - sum(end - start for start, end in taken) + len(taken)

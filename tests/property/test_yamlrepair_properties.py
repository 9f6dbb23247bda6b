"""Repairs of any text: sound text stays, and no more than the offending lines change."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.yamlrepair import repair_yaml
from pipeline.yamldoc import load_yaml

KEYS = st.sampled_from(["alpha", "beta", "gamma"])
SCALARS = st.sampled_from(["um", "dois", 3, None])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=3),
    max_leaves=10,
)
MAPS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)
LINES = st.lists(
    st.sampled_from(
        ["a:", "b: 1", "- x", "- c: d", "\te: f", "  g:", "  - h", "    i: j: k", "", "# l", "\t- m", "n: ["]
    ),
    max_size=12,
).map("\n".join)


@settings(max_examples=200, deadline=None)
@given(text=LINES | st.text(alphabet="ab:- \t\n#'\"[]{}|>&*", max_size=60) | MAPS.map(yaml.safe_dump))
def test_sound_text_stays_and_only_the_edited_lines_change(text: str) -> None:
    repair = repair_yaml(text)
    if not load_yaml(text).problems:
        assert repair is None
    if repair is None:
        return
    before = text.split("\n")
    after = list(before)
    assert len({each.line for each in repair.edits}) == len(repair.edits)
    for each in repair.edits:
        line, start = before[each.line - 1], each.column - 1
        assert line[start : start + len(each.old)] == each.old
        after[each.line - 1] = line[:start] + each.new + line[start + len(each.old) :]
        plain = after[each.line - 1].split() == line.split()
        assert plain or each.new == "'" + each.old.replace("'", "''") + "'"
    read = load_yaml("\n".join(after))
    assert not read.problems
    assert [each.value for each in read.documents] == [each.value for each in repair.file.documents]


@settings(max_examples=100, deadline=None)
@given(value=MAPS, data=st.data())
def test_every_place_of_a_repaired_text_is_in_the_text(value: dict[str, Any], data: st.DataObject) -> None:
    lines = yaml.safe_dump(value, indent=2).split("\n")
    indented = [number for number, line in enumerate(lines) if line.startswith("  ")]
    if not indented:
        return
    at = data.draw(st.sampled_from(indented))
    lines[at] = "\t" + lines[at][2:]
    text = "\n".join(lines)
    repair = repair_yaml(text)
    if repair is None:
        return
    for document in repair.file.documents:
        for path in paths(document.value):
            place = document.position(path)
            assert 1 <= place.line <= len(lines)
            assert 1 <= place.column <= len(lines[place.line - 1]) + 1
            key = path[-1]
            if isinstance(key, str):
                assert lines[place.line - 1][place.column - 1 :].startswith(key)


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in items for path in ((*at, key), *paths(item, (*at, key)))]

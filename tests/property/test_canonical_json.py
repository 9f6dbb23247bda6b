"""Canonical JSON is what the standard library writes with an indent, less what could deceive whoever prints it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.codec import dump_json, load_json, visible

_TEXTS = st.text(st.characters(codec="utf-8"))
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=30,
)


@given(_VALUES, st.sampled_from([0, 16_384]))
def test_bytes_are_those_of_the_standard_library(value: object, size: int) -> None:
    value = [value, "x" * size]
    expected = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False) + "\n"
    shown = "".join(char if visible(char) == char else f"\\u{ord(char):04x}" for char in expected)
    assert dump_json(value) == shown.encode()
    assert load_json(dump_json(value), where="x") == value

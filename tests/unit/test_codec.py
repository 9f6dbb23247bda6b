"""Canonical bytes and the sanitiser."""

from __future__ import annotations

import pytest

from pipeline.codec import dump_json, load_json, sort_sums, visible
from pipeline.errors import ExitCode, GateError, InputError


def test_json_is_canonical() -> None:
    assert dump_json({"b": 1, "a": "ç"}) == '{\n  "a": "ç",\n  "b": 1\n}\n'.encode()


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dump_json(float("nan"))


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"\xff"])
def test_bad_json_is_one_error_that_names_the_file(data: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.json"):
        load_json(data, where="x.json")


def test_control_bidi_and_invisible_characters_are_shown() -> None:
    assert visible("a\x1b[31m\r\u202eb\u200b\ud800\t\n") == "a\\x1b[31m\\x0d\\u202eb\\u200b\\ud800\t\n"


def test_sums_are_as_coreutils_writes_them() -> None:
    assert sort_sums({"b": "1" * 64, "a": "0" * 64}) == f"{'0' * 64}  a\n{'1' * 64}  b\n".encode()


def test_errors_are_one_line_with_place_and_mend() -> None:
    assert str(InputError("ruim", where="a.md:3", mend="corrija")) == "a.md:3: ruim — corrija"
    assert GateError("não").exit_code is ExitCode.BLOCKED

"""Corners of the template engines that the recorded answers of Argo CD do not reach: bounds, forms, helpers."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.appset.apptemplate import merge_override, normalize_spec
from pipeline.appset.blockyaml import dump_block
from pipeline.appset.errors import Inexact, Refused, excerpt
from pipeline.appset.fasttemplate import replace_tags
from pipeline.appset.goexec import Budget, execute, missing_key
from pipeline.appset.govalue import INVALID, Int64, deep_equal, float_text, format_value, json_text, to_float64
from pipeline.appset.yamlvalue import as_interface, read_yaml_value
from pipeline.yamldoc import load_yaml


def _run(template: str, params: dict[str, Any] | None = None) -> str:
    return execute(template, params or {"l": ["a", "b"]}, "default", Budget())


@pytest.mark.parametrize(
    "template",
    [
        "{{ repeat 100000000 `ab` }}",
        "{{ range until 99999 }}{{ range until 99999 }}x{{ end }}{{ end }}",
        "{{ range 99999999 }}{{ end }}",
        "{{ $l := list 1 }}{{ range until 90 }}{{ $l = list $l $l }}{{ end }}{{ $l }}",
        "{{ $l := list 1 }}{{ range until 90 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l }}",
        "{{ $s := `x` }}{{ range until 90 }}{{ $s = print $s $s }}{{ end }}{{ $s }}",
        "{{ $s := `x` }}{{ range until 90 }}{{ $s = cat $s $s }}{{ end }}{{ len $s }}",
        "{{ $s := repeat 900000 `x` }}{{ join $s (until 1000) }}",
        "{{ $s := repeat 9000 `x` }}{{ replace `` $s $s }}",
        "{{ indent 2000000 `a` }}",
        "{{ $l := 1 }}{{ range until 9000 }}{{ $l = list $l }}{{ end }}{{ $l }}",
        "{{ range 1000 }}" + "x" * 2000 + "{{ end }}",
        "{{ printf `%9999d` 1 }}",
        "{{ until 1000000 }}",
        "(" * 500 and "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ if true }}" * 500 + "{{ end }}" * 500,
    ],
)
def test_a_hostile_template_ends_in_one_error(template: str) -> None:
    with pytest.raises(Inexact):
        _run(template)


def test_huge_numbers_are_no_crash() -> None:
    with pytest.raises(Refused):
        _run("{{ " + "9" * 5000 + " }}")
    assert _run("{{ int .n }}", {"n": "9" * 5000}) == "0"
    with pytest.raises(Inexact):
        _run("{{ atoi .n }}", {"n": "9" * 5000})
    with pytest.raises(Refused):
        to_float64(10**400)
    with pytest.raises(Inexact):
        _run("{{ int .n }}", {"n": 1e300})


def test_data_never_becomes_template_source() -> None:
    hostile = "{{ printf `%s` .secret }}"
    assert _run("{{ .a }}", {"a": hostile, "secret": "s"}) == hostile
    assert replace_tags("{{a}}", {"a": "{{b}}", "b": "x"}) == "{{b}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("{{a}}-{{ a }}", "1-1"),
        ("{{ b }}", "{{ b }}"),
        ("{{}}", "{{}}"),
        ("{{ c }}", "{{ c }}"),
        ("{{\na}}", "{{\na}}"),
        ("{{\na}} {{a}}", "1 1"),
        ("{{a", "{{a"),
        ("}}{{", "}}{{"),
    ],
)
def test_default_language(text: str, expected: str) -> None:
    assert replace_tags(text, {"a": "1", "c": {"d": "2"}}) == expected


def test_an_open_tag_after_a_whole_one_is_refused() -> None:
    with pytest.raises(Refused):
        replace_tags("{{a}} {{b", {"a": "1"})


def test_options() -> None:
    assert missing_key(()) == "default"
    assert missing_key(("missingkey=error", "missingkey=zero")) == "zero"
    with pytest.raises(Refused):
        missing_key(("missingkey=what",))


def test_missing_key_zero() -> None:
    assert execute("{{ .a }}|{{ (split `-` `x`)._9 }}", {"b": 1.0}, "zero", Budget()) == "<no value>|"
    with pytest.raises(Refused):
        execute("{{ .a.b }}", {"b": 1.0}, "zero", Budget())


def test_values_print_as_go_prints_them() -> None:
    assert [float_text(number) for number in (float("inf"), float("-inf"), float("nan"))] == ["+Inf", "-Inf", "NaN"]
    assert format_value({"b": None, "a": [True, Int64(3)]}) == "map[a:[true 3] b:<nil>]"
    assert json_text({"b": 1e-7, "a": 1e21}) == '{"a":1e+21,"b":1e-7}'
    assert repr(INVALID) == "INVALID"
    with pytest.raises(Refused):
        json_text(float("inf"))


def test_deep_equal_minds_types() -> None:
    assert deep_equal(None, INVALID)
    assert not deep_equal(1, 1.0)
    assert not deep_equal(1, Int64(1))
    assert deep_equal([{"a": 1.0}], [{"a": 1.0}])
    assert not deep_equal([1], [1, 2])


def test_yaml_inside_values() -> None:
    assert read_yaml_value("") is None
    assert read_yaml_value("{1: a, 'y': b}") == {"1": "a", "y": "b"}
    assert as_interface({"a": [1, True, "x"]}) == {"a": [1.0, True, "x"]}
    with pytest.raises(Inexact):
        read_yaml_value("a: &x [1]\nb: [*x, *x]\non: 1\n")
    with pytest.raises(Refused):
        as_interface(float("nan"))


def test_block_yaml_reads_back() -> None:
    value = {
        "plain": "a-b",
        "words": ["no", "1", "~", "=", "2001-01-01", "12:30", "", "a b", "- x", "é🎉", "a\n\x85\u2028\x00b"],
        "nested": [[1, [2.5]], {"x": []}, {}],
        "none": None,
        "yes": True,
    }
    assert load_yaml(dump_block(value)).documents[0].value == value


def test_override_fills_only_what_is_empty() -> None:
    own = {"spec": {"syncPolicy": {"automated": {"prune": False}}, "project": "own"}}
    base = {"metadata": {"name": "n"}, "spec": {"syncPolicy": {"automated": {"prune": True}}, "project": "base"}}
    merged = merge_override("ApplicationSetTemplate", own, base)
    assert merged["metadata"] == {"name": "n"}
    assert merged["spec"] == {"syncPolicy": {"automated": {"prune": True}}, "project": "own"}


def test_normalised_spec() -> None:
    spec = {"source": {"repoURL": "r", "helm": {}, "directory": {"include": "x"}}, "syncPolicy": {}}
    assert normalize_spec(spec) == {"source": {"repoURL": "r", "directory": {"include": "x"}}, "project": "default"}


def test_excerpts_are_short_and_visible() -> None:
    assert excerpt("a\x1b\n\t") == "a\\x1b\\n\\t"
    assert len(excerpt("x" * 999)) == 61

"""Whatever the values, templates and sets: one clear error or a result that says what was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.appset.changes import diff_applications
from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.fasttemplate import replace_tags
from pipeline.appset.goexec import Budget, execute
from pipeline.appset.load import load_values
from pipeline.appset.preview import dump_applications, preview
from pipeline.appset.render import render_sets
from pipeline.appset.validate import validate_set
from pipeline.errors import PipelineError
from pipeline.yamldoc import load_yaml

_FOLDER = Path(__file__).resolve().parents[2] / "applicationsets"
_CORE = (_FOLDER / "core.yaml").read_text(encoding="utf-8")
_TEMPLATE = (_FOLDER / "templates" / "apps-core.yaml.j2").read_text(encoding="utf-8")

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_WORDS = (
    '{{ }} {{- -}} . .a .a.b $ $x := = | ( ) if else end range with break and or not eq printf list dict "%s" `r` 1 '
    "2.5 nil true , /* */ index len default toYaml fromJson \\ '"
)
_PIECES = st.sampled_from([*_WORDS.split(), "\n"])


def _helm(value: Any) -> dict[str, Any]:
    return {"valuesObject": {"v": value}}


def _show(message: str) -> None:
    """Every error is one line of text."""
    assert message
    assert "\n" not in message


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(_PIECES | st.text(max_size=3), max_size=14), params=st.dictionaries(st.just("a"), _JSON))
def test_any_template_ends_in_text_or_in_one_of_two_errors(pieces: list[str], params: dict[str, Any]) -> None:
    for source in ("{{ " + " ".join(pieces) + " }}", "".join(pieces)):
        try:
            assert isinstance(execute(source, params, "default", Budget()), str)
            assert isinstance(replace_tags(source, params), str)
        except (Refused, Inexact) as error:
            _show(str(error))


@settings(max_examples=200, deadline=None)
@given(value=_JSON, key=st.sampled_from(["generators", "template", "templatePatch", "syncPolicy", "goTemplateOptions"]))
def test_any_set_is_previewed_or_refused(value: Any, key: str) -> None:
    application_set = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "x"},
        "spec": {
            "goTemplate": True,
            "generators": [{"list": {"elements": [value]}}],
            "template": {
                "metadata": {"name": "a", "annotations": {"v": "{{ . }}"}},
                "spec": {
                    "project": "p",
                    "destination": {},
                    "source": {"repoURL": "r", "helm": {"valuesObject": {"v": value}}},
                },
            },
        },
    }
    for spec in (application_set["spec"], {**application_set["spec"], key: value}):  # type: ignore[dict-item]
        try:
            found = preview(json.dumps({**application_set, "spec": spec}).encode(), where="set.json")
        except PipelineError as error:
            _show(str(error))
        else:
            written = load_yaml(dump_applications(found).decode())
            assert [document.value for document in written.documents] == [app.manifest for app in found]
            assert diff_applications(found, found).empty
    validate_set({**application_set, "spec": value})
    validate_set({"spec": {key: value, "generators": [value], "template": value}})


@settings(max_examples=150, deadline=None)
@given(
    field=st.sampled_from(["core-kong", "apps/core/kong", "mod07-portal-backstage", "main", "kong", "appgear", "svc"]),
    text=st.text(max_size=12)
    | st.sampled_from(["{{ .name }}", "[[ 1 ]]", "[% x %]", "*", "a\nb", "' #", "yes", "1e3"]),
)
def test_any_value_is_refused_or_rendered_as_it_is(field: str, text: str) -> None:
    """Data never becomes template source: what is accepted stands in the result unchanged."""
    data = _CORE.replace(f": {field}\n", f": {json.dumps(text)}\n")
    try:
        values = load_values(data.encode("utf-8", "surrogatepass"), where="core.yaml")
    except PipelineError as error:
        _show(str(error))
        return
    files = render_sets(values, template=_TEMPLATE)
    names = [app.name for app in preview(next(iter(files.values())), where="set")]
    assert names == [app.name for app in values.apps]

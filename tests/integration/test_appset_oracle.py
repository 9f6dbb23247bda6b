"""Differential test of the preview against Argo CD's own code (v3.5.7), compiled from ``appset_oracle/``.

Needs Go and the module proxy (or a filled module cache). The first build takes minutes, the next ones seconds: a plain
run waits one minute and skips, ``APPSET_ORACLE=build`` waits for it, ``APPSET_ORACLE=PROGRAM`` uses one that is built.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.appset.appfields import TYPES
from pipeline.appset.errors import Inexact, Refused
from pipeline.appset.goexec import Budget, execute, missing_key
from pipeline.appset.gofunctions import KNOWN
from pipeline.appset.preview import preview
from pipeline.appset.yamlvalue import as_interface
from pipeline.errors import InputError, ToolError

_SOURCE = Path(__file__).resolve().parent / "appset_oracle"
_GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "appset"
_WARM_SECONDS, _COLD_SECONDS = 60, 1800
_RELAXED = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


class Oracle:
    """The compiled program, one JSON question and answer per line."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def fields(self) -> str:
        return subprocess.run([self._program, "fields"], check=True, capture_output=True, text=True).stdout

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


def _find_go() -> str | None:
    usual = Path("/usr/local/go/bin/go")
    return shutil.which("go") or (str(usual) if usual.exists() else None)


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    chosen = os.environ.get("APPSET_ORACLE", "")
    given = chosen not in ("", "build")
    program = Path(chosen) if given else tmp_path_factory.mktemp("oracle") / "appset-oracle"
    if not given:
        go = _find_go()
        if go is None:
            pytest.skip("Go is not installed: no oracle to compare with")
        seconds = _COLD_SECONDS if chosen else _WARM_SECONDS
        command = [go, "build", "-mod=readonly", "-o", str(program), "."]
        try:
            subprocess.run(command, cwd=_SOURCE, check=True, capture_output=True, timeout=seconds)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"no oracle (proxy out of reach, or a cold build: set APPSET_ORACLE=build): {error}")
    running = Oracle(program)
    yield running
    running.close()


def _mine(template: str, params: dict[str, Any], option: str) -> str | None:
    """Our text, or None where we say that Argo CD refuses; Inexact passes through."""
    try:
        return execute(template, as_interface(params), missing_key((option,)), Budget())
    except Refused:
        return None


def test_golden_templates_are_the_oracles(oracle: Oracle) -> None:
    golden = json.loads((_GOLDEN / "templates.json").read_text(encoding="utf-8"))
    wrong = []
    for case in golden["cases"]:
        if "inexact" in case:
            continue
        option = f"missingkey={case['missingkey']}"
        question = {"text": case["template"], "params": golden["params"], "goTemplate": True, "options": [option]}
        if oracle.ask(question).get("text") != case.get("text"):
            wrong.append(case)
    assert wrong == []


def _storable(application: dict[str, Any]) -> bool:
    """What the Kubernetes API would accept: the oracle stops before it."""
    metadata = application["metadata"]
    name = metadata.get("name", "")
    part = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    label = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
    labels = metadata.get("labels", {})
    return (
        len(name) <= 253
        and re.fullmatch(rf"{part}(\.{part})*", name) is not None
        and all(
            re.fullmatch(rf"({part}(\.{part})*/)?{label}", key) for key in (*labels, *metadata.get("annotations", {}))
        )
        and all(re.fullmatch(rf"({label})?", value) for value in labels.values())
    )


def _expected(oracle: Oracle, application_set: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The oracle's Applications, or None where Argo CD or the API refuses."""
    answer = oracle.ask({"set": application_set})
    found: list[dict[str, Any]] = answer.get("applications", [])
    if "error" in answer or not all(map(_storable, found)):
        return None
    return [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **application} for application in found]


def test_golden_sets_are_the_oracles(oracle: Oracle) -> None:
    for case in json.loads((_GOLDEN / "sets.json").read_text(encoding="utf-8")):
        if "inexact" not in case:
            assert _expected(oracle, case["set"]) == case.get("applications")


def test_every_function_is_known_to_both(oracle: Oracle) -> None:
    for name in sorted(KNOWN | {"env", "expandenv", "getHostByName", "nosuch", "toToml", "tpl", "include", "lookup"}):
        answer = oracle.ask(
            {"text": f"{{{{if false}}}}{{{{{name}}}}}{{{{end}}}}", "params": {"a": 1}, "goTemplate": True}
        )
        assert ("not defined" in answer.get("error", "")) == (name not in KNOWN), name


def test_typed_fields_are_argo_cds(oracle: Oracle) -> None:
    """The table of fields against reflection over Argo CD's types."""
    rows = [line.split("\t") for line in oracle.fields().splitlines()]
    structs: dict[str, dict[str, str]] = {}
    embedded: dict[str, list[str]] = {}
    for struct, name, spelled, optional, _patch, anonymous in rows:
        if (anonymous == "true" and name in ("", "true")) or not name:
            embedded.setdefault(struct, []).append(spelled.split(".")[-1])
            continue
        structs.setdefault(struct, {})[name] = _shape(spelled) + ("" if optional == "true" else "!")
    for name, fields in TYPES.items():
        if not name.startswith("ApplicationSetTemplate"):
            real = _flattened(name, structs, embedded)
            assert {key: _shape_of_ours(spelled) for key, spelled in fields.items()} == real, name


def _flattened(name: str, structs: dict[str, dict[str, str]], embedded: dict[str, list[str]]) -> dict[str, str]:
    found = dict(structs.get(name, {}))
    for inner in embedded.get(name, []):
        found |= _flattened(inner, structs, embedded)
    if name == "ApplicationSourcePluginParameter":
        found["name"] = "string!"  # its own MarshalJSON writes the name always
    return {key: value.rstrip("!") if _is_struct(value) else value for key, value in found.items()}


def _is_struct(spelled: str) -> bool:
    return spelled.rstrip("!").split(":")[-1] in TYPES and not spelled.startswith(("*", "[]", "map"))


_NAMED = {
    "IgnoreDifferences": "[]ResourceIgnoreDifferences",
    "ApplicationSources": "[]ApplicationSource",
    "SyncOptions": "[]string",
    "KustomizeImages": "[]string",
    "KustomizeReplicas": "[]KustomizeReplica",
    "KustomizePatches": "[]KustomizePatch",
    "Env": "[]EnvEntry",
    "ApplicationSourcePluginParameters": "[]ApplicationSourcePluginParameter",
    "*RawExtension": "raw",
    "IntOrString": "intstr",
    "int64": "int",
    "*int64": "*int",
    "map[string]string": "map[]string",
    "map[string]bool": "map[]bool",
}


def _shape(spelled: str) -> str:
    short = re.sub(r"(v1alpha1|runtime|intstr)\.", "", spelled)
    return _NAMED.get(short, short)


def _shape_of_ours(spelled: str) -> str:
    return spelled.rstrip("?")


_WORDS = st.sampled_from(
    ["a", "b-c", "core-x", "", "é ç", "true", "1", "a: b", "x\ny", "<no>", "{{.a}}", "}}", "10", "0.5"]
)
_SCALARS = st.one_of(
    _WORDS,
    st.integers(-(10**7), 10**7),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.booleans(),
    st.none(),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=6,
)
_PARAMS = st.dictionaries(st.sampled_from(["a", "b", "c", "name"]), _VALUES, max_size=4)

_ONE = "upper lower trim title quote squote toString toJson toRawJson toPrettyJson int int64 float64 len first last "
_ONE += (
    "reverse uniq sortAlpha compact empty not list floor ceil add1 b64enc sha256sum kindOf normalize nospace base dir "
)
_ONE += "ext clean untitle toYaml fromYaml fromYamlArray fromJson print atoi join toStrings keys rest initial"
_TWO = (
    "default trunc trimPrefix trimSuffix trimAll contains hasPrefix hasSuffix add sub mul div mod max min eq ne lt le "
)
_TWO += "gt ge and or index has append prepend without splitList split repeat indent nindent cat coalesce hasKey get "
_TWO += "pick omit join printf round pluck list dict concat until"
_OPERANDS = st.sampled_from(
    [
        ".a",
        ".b",
        ".c.a",
        ".name",
        ".",
        "$",
        "$.a",
        "nil",
        "true",
        "false",
        "1",
        "2.5",
        "-3",
        '"x"',
        '"a-b"',
        '"%v"',
        '"%s|%d"',
        "`raw`",
        "(list)",
        "(.a)",
        "(.c).b",
        '""',
        '"-"',
    ]
)


@st.composite
def _expressions(draw: st.DrawFn) -> str:
    text = draw(_OPERANDS)
    for _ in range(draw(st.integers(0, 3))):
        one = draw(st.booleans())
        name = draw(st.sampled_from((_ONE if one else _TWO).split()))
        other = "" if one else f" {draw(_OPERANDS)}"
        text = draw(st.sampled_from([f"({name}{other} {text})", f"({text} | {name}{other})"]))
    return text


@st.composite
def _templates(draw: st.DrawFn, depth: int = 2) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        left, right = draw(st.sampled_from([("{{", "}}"), ("{{ ", " }}"), ("{{- ", " -}}"), ("{{", " -}}")]))
        value = draw(_expressions())
        kind = draw(st.sampled_from(["text", "value", "value", "if", "with", "range", "var"] if depth else ["value"]))
        inner = draw(_templates(depth=depth - 1)) if depth and kind in ("if", "with", "range") else ""
        match kind:
            case "text":
                parts.append(draw(st.sampled_from([" x ", "\n", "a}}b", "-", "  "])))
            case "value":
                parts.append(f"{left}{value}{right}")
            case "var":
                parts.append(f"{left}$v := {value}{right}{{{{$v}}}}")
            case _:
                head = f"$i, $e := {value}" if kind == "range" and draw(st.booleans()) else value
                parts.append(f"{left}{kind} {head}{right}{inner}{left}else{right}n{left}end{right}")
    return "".join(parts)


@_RELAXED
@given(template=_templates(), params=_PARAMS, option=st.sampled_from(["default", "zero", "error"]))
def test_any_go_template_agrees(oracle: Oracle, template: str, params: dict[str, Any], option: str) -> None:
    setting = f"missingkey={option}"
    try:
        mine = _mine(template, params, setting)
    except Inexact:
        return
    answer = oracle.ask({"text": template, "params": params, "goTemplate": True, "options": [setting]})
    assert mine == answer.get("text"), answer


@_RELAXED
@given(
    text=st.lists(st.sampled_from(["{{", "}}", "a", "name", " ", "\n", "{", "}", ".", "values.x", "-"]), max_size=12),
    params=st.dictionaries(st.sampled_from(["a", "name", "values.x", "."]), _VALUES, min_size=1, max_size=3),
)
def test_any_default_template_agrees(oracle: Oracle, text: list[str], params: dict[str, Any]) -> None:
    from pipeline.appset.fasttemplate import replace_tags

    template = "".join(text)
    answer = oracle.ask({"text": template, "params": params, "goTemplate": False})
    try:
        assert replace_tags(template, params) == answer.get("text")
    except Refused:
        assert "error" in answer


_TEXTS = st.sampled_from(
    ["{{.a}}", "{{ .b }}", "x-{{.name}}", "plain", "", "{{ .c.a }}", '{{.a | default "d" | toString}}']
)
_META = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.dictionaries(st.sampled_from(["k", "{{.a}}"]), _TEXTS, max_size=2),
        "annotations": st.dictionaries(st.just("n"), _TEXTS),
        "finalizers": st.lists(st.sampled_from(["f1", "f2", "f3"]), max_size=3, unique=True),
    },
)
_HELM = st.fixed_dictionaries(
    {},
    optional={
        "values": _TEXTS,
        "valuesObject": st.dictionaries(st.sampled_from(["p", "q", "{{.name}}"]), _VALUES, max_size=2),
        "skipCrds": st.booleans(),
        "valueFiles": st.lists(_TEXTS, max_size=2),
        "parameters": st.lists(st.fixed_dictionaries({"name": _TEXTS, "value": _TEXTS}), max_size=2),
    },
)
_SPEC = st.fixed_dictionaries(
    {"project": _TEXTS, "destination": st.fixed_dictionaries({}, optional={"server": _TEXTS, "namespace": _TEXTS})},
    optional={
        "source": st.fixed_dictionaries(
            {"repoURL": _TEXTS},
            optional={
                "path": _TEXTS,
                "helm": _HELM,
                "kustomize": st.fixed_dictionaries(
                    {},
                    optional={
                        "namePrefix": _TEXTS,
                        "images": st.lists(_TEXTS, max_size=2),
                        "commonLabels": st.dictionaries(st.just("l"), _TEXTS),
                    },
                ),
                "directory": st.fixed_dictionaries(
                    {},
                    optional={
                        "recurse": st.booleans(),
                        "include": _TEXTS,
                        "jsonnet": st.fixed_dictionaries({}, optional={"libs": st.lists(_TEXTS, max_size=1)}),
                    },
                ),
            },
        ),
        "syncPolicy": st.fixed_dictionaries(
            {},
            optional={
                "automated": st.fixed_dictionaries(
                    {}, optional={"prune": st.booleans(), "selfHeal": st.booleans(), "enabled": st.booleans()}
                ),
                "syncOptions": st.lists(_TEXTS, max_size=2),
                "retry": st.fixed_dictionaries(
                    {},
                    optional={
                        "limit": st.integers(0, 3),
                        "backoff": st.fixed_dictionaries(
                            {}, optional={"factor": st.integers(0, 3), "duration": _TEXTS}
                        ),
                    },
                ),
            },
        ),
        "revisionHistoryLimit": st.integers(0, 3),
        "info": st.lists(st.fixed_dictionaries({"name": _TEXTS, "value": _TEXTS}), max_size=2),
    },
)
_TEMPLATE = st.fixed_dictionaries({"metadata": _META, "spec": _SPEC})


@_RELAXED
@given(
    elements=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), _VALUES, max_size=3), max_size=3),
    template=_TEMPLATE,
    override=st.none() | _TEMPLATE,
    patch=st.none() | st.fixed_dictionaries({}, optional={"metadata": st.none() | _META, "spec": st.none() | _SPEC}),
    go=st.booleans(),
    preserve=st.booleans(),
)
def test_any_set_agrees(
    oracle: Oracle,
    elements: list[dict[str, Any]],
    template: dict[str, Any],
    override: dict[str, Any] | None,
    patch: dict[str, Any] | None,
    go: bool,
    preserve: bool,
) -> None:
    rows = [{**element, "name": f"app{index}"} for index, element in enumerate(elements)]
    if not go:
        rows = [{key: str(value) for key, value in row.items()} for row in rows]
    template = {**template, "metadata": {**template["metadata"], "name": "{{.name}}" if go else "{{name}}"}}
    section: dict[str, Any] = {"elements": rows}
    if override is not None:
        section["template"] = override
    application_set = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "set", "namespace": "argocd"},
        "spec": {
            "goTemplate": go,
            "generators": [{"list": section}],
            "template": template,
            "syncPolicy": {"preserveResourcesOnDeletion": preserve},
        },
    }
    if patch is not None:
        application_set["spec"]["templatePatch"] = json.dumps(patch)  # type: ignore[index]
    expected = _expected(oracle, application_set)
    found: list[dict[str, Any]] | None
    try:
        found = [application.manifest for application in preview(json.dumps(application_set).encode(), where="set")]
    except ToolError:
        return
    except InputError:
        found = None
    assert found == expected

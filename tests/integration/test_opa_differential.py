# ruff: noqa: E501  # manifests and policies stand on one line each
"""Every engine must say what the reference `opa` says, over the features that policies use, in both dialects."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.audit.opa import Engine, OpaEvaluation, PolicySet, evaluate_policies
from pipeline.audit.opa_engines import ConftestEngine, InProcessEngine, OpaEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LABELS = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "appgear.io/tier",
    "appgear.io/suite",
    "appgear.io/topology",
    "appgear.io/tenant-id",
    "appgear.io/workspace-id",
)

OLD_LABELS = f"""package kubernetes.labels

required := {json.dumps(list(LABELS))}

missing[label] {{
  label := required[_]
  not input.metadata.labels[label]
}}

deny[msg] {{
  label := missing[_]
  msg := sprintf("label obrigatória ausente: %s", [label])
}}
"""
NEW_LABELS = f"""package kubernetes.labels

required := {json.dumps(list(LABELS))}

missing contains label if {{
  some label in required
  not input.metadata.labels[label]
}}

deny contains msg if {{
  some label in missing
  msg := sprintf("label obrigatória ausente: %s", [label])
}}
"""

# In the new dialect; `old()` writes the same in the old one. Each is the body of a package, with the result it is about.
POLICIES: dict[str, str] = {
    "labels": 'deny contains m if {\n  some l in ["a", "b", "c"]\n  not input.metadata.labels[l]\n  m := l\n}',
    "set of objects": 'deny contains {"msg": m, "details": {"n": 1}} if {\n  m := input.kind\n}',
    "violation": 'violation contains {"msg": m} if {\n  m := concat("-", ["x", input.kind])\n}',
    "several": 'deny contains "um" if {\n  input.kind == "Pod"\n}\ndeny contains "dois" if {\n  input.kind != "Nada"\n}',
    "named": 'deny_latest contains m if {\n  c := input.spec.containers[_]\n  endswith(c.image, ":latest")\n  m := c.image\n}',
    "warn": 'warn contains m if {\n  count(input.spec.containers) > 1\n  m := sprintf("%d", [count(input.spec.containers)])\n}',
    "complete text": 'deny := "sempre" if {\n  input.kind\n}',
    "complete bool": "deny if {\n  input.spec.hostNetwork\n}",
    "default": 'default deny := "padrão"\n\ndeny := "caso" if {\n  input.kind == "Pod"\n}',
    "else": 'size := "grande" if {\n  count(input.spec.containers) > 1\n} else := "pequeno" if {\n  input.kind\n}\n\n'
    "deny contains m if {\n  m := size\n}",
    "function": 'bad(c) if {\n  c.image == "nginx"\n}\n\ndeny contains c.name if {\n  c := input.spec.containers[_]\n  bad(c)\n}',
    "function value": 'tag(i) := t if {\n  p := split(i, ":")\n  t := p[1]\n}\n\ndeny contains m if {\n'
    "  m := tag(input.spec.containers[_].image)\n}",
    "every": 'deny contains "nem todos" if {\n  not tudo\n}\n\ntudo if {\n  every c in input.spec.containers {\n    c.image\n  }\n}',
    "some in": "deny contains m if {\n  some k, v in input.metadata.labels\n  v\n  m := k\n}",
    "in": 'deny contains "fora" if {\n  not input.kind in {"Service", "Job"}\n}',
    "comprehension": "deny contains m if {\n  n := [c.name | c := input.spec.containers[_]; c.ports]\n"
    '  count(n) > 0\n  m := concat(",", n)\n}',
    "set comprehension": 'deny contains m if {\n  s := {c.image | c := input.spec.containers[_]}\n  m := concat(",", sort(s))\n}',
    "object comprehension": "deny contains m if {\n  o := {c.name: c.image | c := input.spec.containers[_]}\n"
    "  m := json.marshal(o)\n}",
    "walk": 'deny contains m if {\n  walk(input, [p, v])\n  v == "nginx"\n  m := sprintf("%v", [p])\n}',
    "with": 'deny contains m if {\n  inner with input as {"kind": "Outro"}\n  m := input.kind\n}\n\n'
    'inner if {\n  input.kind == "Outro"\n}',
    "regex": 'deny contains m if {\n  c := input.spec.containers[_]\n  not regex.match("^registry\\\\.", c.image)\n  m := c.image\n}',
    "regex find": 'deny contains m if {\n  c := input.spec.containers[_]\n  m := regex.find_n("[a-z]+", c.image, 1)[0]\n}',
    "regex replace": 'deny contains regex.replace(input.kind, "o", "0") if {\n  input.kind\n}',
    "glob": 'deny contains m if {\n  m := input.metadata.name\n  glob.match("core-*", [], m)\n}',
    "glob delimited": 'deny contains "glob" if {\n  glob.match("*.example.com", ["."], "api.example.com")\n  input.kind\n}',
    "semver": 'deny contains "velho" if {\n  semver.compare(input.metadata.labels.v, "1.10.0") < 0\n}',
    "semver valid": 'deny contains "inválido" if {\n  not semver.is_valid(object.get(input.metadata.labels, "e", "1.0.0"))\n}',
    "time": 'deny contains m if {\n  t := time.parse_rfc3339_ns("2026-01-02T03:04:05Z")\n  [y, mo, d] := time.date(t)\n'
    '  input.kind\n  m := sprintf("%d-%d-%d", [y, mo, d])\n}',
    "units": 'deny contains "muito" if {\n  units.parse_bytes(input.spec.containers[_].memory) > 1000000000\n}',
    "sprintf": 'deny contains m if {\n  m := sprintf("%s|%v|%d|%q", [input.kind, [1, true, null], 3, "x"])\n}',
    "sprintf object": 'deny contains m if {\n  input.kind\n  m := sprintf("%v", [{"a": [1, 2], "b": {"c": "d"}}])\n}',
    "object get": 'deny contains m if {\n  m := object.get(input, ["metadata", "namespace"], "sem namespace")\n}',
    "numbers": 'deny contains m if {\n  n := (count(input.spec.containers) * 3) % 4\n  m := sprintf("%d", [n])\n}',
    "round": 'deny contains m if {\n  m := sprintf("%v %v", [round(2.5), ceil(input.spec.replicas / 2)])\n}',
    "strings": 'deny contains m if {\n  m := upper(trim_space(replace(substring(input.kind, 0, 2), "P", "q")))\n}',
    "base64 json": 'deny contains m if {\n  input.kind\n  m := json.unmarshal(base64.decode("eyJhIjoieCJ9")).a\n}',
    "sets": 'deny contains m if {\n  s := {"a", "b", input.kind} - {"a"}\n  m := s[_]\n}',
    "intersection": 'deny contains m if {\n  some m in {"Pod", "x"} & {input.kind}\n}',
    "nested not": 'deny contains "sem probe" if {\n  some c in input.spec.containers\n  not c.readinessProbe\n  not c.livenessProbe\n}',
    "numeric key": "deny contains m if {\n  m := input.spec.containers[1].name\n}",
    "null value": 'deny contains "nulo" if {\n  input.metadata.labels.n == null\n}',
    "empty value": 'deny contains "vazio" if {\n  input.metadata.labels.e == ""\n}',
    "false value": 'deny contains "falso" if {\n  not input.metadata.labels.f\n}',
    "true is not one": 'deny contains "um" if {\n  input.spec.hostNetwork\n  not input.spec.hostNetwork == 1\n}',
    "big number": 'deny contains "grande" if {\n  input.spec.big == 12345678901234567890\n}',
    "unicode": 'deny contains m if {\n  m := sprintf("é ã — %s", [input.metadata.annotations["descrição"]])\n}',
    "array value": 'deny := ["um", "dois"] if {\n  input.kind == "Pod"\n}',
    "type checks": 'deny contains m if {\n  some k, v in input.spec\n  m := sprintf("%s:%s", [k, type_name(v)])\n}',
    "array functions": 'deny contains m if {\n  m := array.concat(["a"], [input.kind])[_]\n}',
    "startswith": 'deny contains m if {\n  some m in ["core-a", "addon-b"]\n  startswith(m, "core-")\n  input.kind\n}',
    "object value": 'deny[k] := v if {\n  k := "a"\n  v := {"msg": input.kind}\n}',
    "object of true": "deny[k] := true if {\n  k := input.kind\n}",
    "true in a set": "deny contains true if {\n  input.kind\n}",
    "text that is empty": 'deny contains "" if {\n  input.kind\n}',
    "severity of one": 'deny contains {"msg": m, "severity": "baixa"} if {\n  m := input.kind\n}',
    "recursion by data": "helper := input.kind\n\ndeny contains m if {\n  m := data.p.helper\n}",
}
RUNTIME_ERRORS: dict[str, str] = {
    "to_number": 'deny contains "n" if {\n  to_number(input.metadata.name) > 1\n}',
    "division": 'deny contains m if {\n  m := sprintf("%v", [1 / (count(input.spec.containers) - 2)])\n}',
    "conflict": 'size := 1 if {\n  input.kind\n}\n\nsize := 2 if {\n  input.kind == "Pod"\n}\n\ndeny contains "c" if {\n  size == 2\n}',
    "bad regex": 'deny contains "r" if {\n  regex.match(input.metadata.name, "x")\n}',
}
COMPILE_ERRORS: dict[str, str] = {
    "unknown builtin": "deny contains m if {\n  m := appgear.unknown(input)\n}",
    "unsafe": "deny contains m if {\n  m := nobody\n}",
    "syntax": "deny contains m if {\n  m := \n}",
    "arity": 'deny contains m if {\n  f(1, 2, 3)\n  m := "x"\n}\n\nf(x) := x',
}
OBJECTS: list[dict[str, Any]] = [
    {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "core-a",
            "labels": {"a": "1", "v": "1.9.3", "n": None, "e": "", "f": False},
            "annotations": {"descrição": "açaí"},
        },
        "spec": {
            "replicas": 3,
            "hostNetwork": True,
            "big": 12345678901234567890,
            "containers": [
                {"name": "x", "image": "nginx", "ports": [{"containerPort": 80}], "memory": "2Gi"},
                {"name": "y", "image": "registry.local/a:latest", "readinessProbe": {}, "memory": "1M"},
            ],
        },
    },
    {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "12", "labels": {"v": "1.11.0", "b": "x"}}},
    {"kind": "Deployment", "metadata": {"name": "[", "namespace": "n"}, "spec": {"containers": [], "replicas": 1.5}},
    {},
]


def old(text: str) -> str:
    """The same policy without `if` and `contains`; what is new in the language is imported."""
    text = re.sub(r" contains (.+?) if \{", r"[\1] {", text)
    text = re.sub(r"\[k\] := (\w+) if \{", r"[k] = \1 {", text)
    text = re.sub(r" if \{", " {", text)
    imports = "".join(f"import future.keywords.{word}\n" for word in ("in", "every") if re.search(rf"\b{word}\b", text))
    return imports + "\n" + text


def run_tool(folder: Path, binary: str) -> Callable[[list[str], bytes, Mapping[str, bytes]], bytes]:
    runs = iter(range(10_000))

    def run(argv: list[str], stdin: bytes, files: Mapping[str, bytes]) -> bytes:
        work = folder / str(next(runs))
        for name, content in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(content)
        done = subprocess.run([binary, *argv[1:]], input=stdin, cwd=work, capture_output=True, check=False, timeout=60)
        return done.stdout or done.stderr

    return run


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH")
    return found


@pytest.fixture
def reference(tmp_path: Path) -> Engine:
    return OpaEngine(run_tool(tmp_path / "opa", program("opa")))


@pytest.fixture
def in_process() -> Engine:
    pytest.importorskip("regorus", reason="the extra [opa] is not installed")
    return InProcessEngine()


@pytest.fixture
def conftest_engine(tmp_path: Path) -> Engine:
    return ConftestEngine(run_tool(tmp_path / "conftest", program("conftest")))


def judge(
    engine: Engine, text: str, *, dialect: str, objects: Sequence[Mapping[str, Any]] = tuple(OBJECTS)
) -> OpaEvaluation:
    written = "package p\n\n" + (old(text) if dialect == "old" else text) + "\n"
    policies = PolicySet.from_texts({"policies/p.rego": written})
    assert [module.dialect for module in policies.modules] == ["v0" if dialect == "old" else "v1"]
    return evaluate_policies(policies, objects, engine)


def said(evaluation: OpaEvaluation) -> list[list[str]]:
    return [[found.message for found in results] for results in evaluation.results]


@pytest.mark.parametrize("dialect", ["old", "new"])
@pytest.mark.parametrize("name", POLICIES)
def test_in_process_says_what_opa_says(name: str, dialect: str, reference: Engine, in_process: Engine) -> None:
    expected = judge(reference, POLICIES[name], dialect=dialect)
    assert expected.problems == ()
    assert any(expected.results), "a policy that says nothing proves nothing"
    assert judge(in_process, POLICIES[name], dialect=dialect) == expected


@pytest.mark.parametrize("dialect", ["old", "new"])
@pytest.mark.parametrize(
    "expression",
    [
        'startswith(input.name, "core-")',
        "f(input.name)",
        "f(lower(input.name))",
        "f(helper)",
        'input.name == "x"',
        'input.name != "x"',
        "input.name < 3",
        'input.name in ["x"]',
        '{"x"}[input.name]',
        "table[input.name]",
        "table[input.kind]",
        "count(input.spec.containers) > 1",
        "(input.spec.replicas + 1) * 2 == 8",
        '[input.name] == ["x"]',
        '{"a": input.name} == {"a": "x"}',
        'object.get(input, "name", "") == "x"',
        "input.spec.hostNetwork",
        "count([c | c := input.spec.containers[_]; not c.ports]) > 0",
        "count([c | c := input.spec.containers[_]; not f(c.nada)]) > 1",
        'f(input.name) with input as {"name": "x"}',
        "helper",
    ],
)
def test_negation_of_what_is_undefined(expression: str, dialect: str, reference: Engine, in_process: Engine) -> None:
    text = (
        f'deny contains "negado" if {{\n  not {expression}\n}}\n\nhelper := input.metadata.namespace\n\n'
        'table := {"Pod": true, "Service": false}\n\nf(x) if {\n  x == "x"\n}'
    )
    assert judge(in_process, text, dialect=dialect) == judge(reference, text, dialect=dialect)


def test_negation_without_braces(reference: Engine, in_process: Engine) -> None:
    text = 'deny contains "a" if not startswith(input.kind, "P")\n\ndeny contains "b" if not input.kind == "Pod"'
    expected = judge(reference, text, dialect="new")
    assert said(expected) == [[], ["a", "b"], ["a", "b"], ["b"]]
    assert judge(in_process, text, dialect="new") == expected


@pytest.mark.parametrize("dialect", ["old", "new"])
@pytest.mark.parametrize("name", RUNTIME_ERRORS)
def test_errors_stop_the_object_and_not_the_others(
    name: str, dialect: str, reference: Engine, in_process: Engine
) -> None:
    expected = judge(reference, RUNTIME_ERRORS[name], dialect=dialect)
    found = judge(in_process, RUNTIME_ERRORS[name], dialect=dialect)
    assert found.results == expected.results
    assert [(one.path, one.objects) for one in found.problems] == [(one.path, one.objects) for one in expected.problems]
    assert expected.problems
    assert all(one.message.startswith("erro ao avaliar: ") and one.line > 1 for one in found.problems)


@pytest.mark.parametrize("dialect", ["old", "new"])
@pytest.mark.parametrize("name", COMPILE_ERRORS)
def test_a_policy_that_does_not_compile_silences_no_other(
    name: str, dialect: str, reference: Engine, in_process: Engine
) -> None:
    def write(text: str) -> str:
        return (old(text) if dialect == "old" else text) + "\n"

    policies = PolicySet.from_texts(
        {
            "a.rego": "package a\n\n" + write('deny contains "sempre" if {\n  true\n}'),
            "b.rego": "package b\n\n" + write(COMPILE_ERRORS[name]),
        }
    )
    for engine in (reference, in_process):
        evaluation = evaluate_policies(policies, OBJECTS, engine)
        assert said(evaluation) == [["sempre"]] * len(OBJECTS), engine.name
        assert evaluation.rules == ("a.deny",)
        (problem,) = evaluation.problems
        assert (problem.path, problem.objects) == ("b.rego", ())
        assert problem.line >= 4
        assert problem.message.startswith("a política não compila: ")


def test_regorus_refuses_what_it_cannot_read(reference: Engine, in_process: Engine) -> None:
    """A known gap of the in-process engine: a reference into a parenthesised expression. Never silence."""
    text = 'deny contains m if {\n  m := ({"a", input.kind} - {"a"})[_]\n}'
    assert said(judge(reference, text, dialect="new"))[0] == ["Pod"]
    found = judge(in_process, text, dialect="new")
    assert found.rules == ()
    assert [(one.path, one.line) for one in found.problems] == [("policies/p.rego", 4)]


@pytest.mark.parametrize("text", [OLD_LABELS, NEW_LABELS], ids=["old", "new"])
def test_label_policy_in_both_dialects(text: str, reference: Engine, in_process: Engine) -> None:
    labels: dict[str, object] = dict.fromkeys(LABELS, "x")
    objects: list[dict[str, object]] = [
        {"metadata": {"labels": labels}},
        {"metadata": {"labels": labels | {"appgear.io/tier": False}}},
        {"metadata": {"labels": labels | {"appgear.io/tier": None, "appgear.io/suite": ""}}},
        {"metadata": {"labels": dict.fromkeys(LABELS[1:], "x")}},
        {"metadata": {}},
        {},
    ]
    policies = PolicySet.from_texts({"labels_required.rego": text})
    expected = evaluate_policies(policies, objects, reference)
    assert evaluate_policies(policies, objects, in_process) == expected
    assert [len(results) for results in expected.results] == [0, 1, 0, 1, 9, 9]
    assert expected.results[1][0].message == "label obrigatória ausente: appgear.io/tier"
    assert (expected.results[1][0].package, expected.results[1][0].rule) == ("kubernetes.labels", "deny")
    assert expected.problems == ()


@pytest.mark.parametrize("dialect", ["old", "new"])
@pytest.mark.parametrize("name", [name for name in POLICIES if name != "big number"])
def test_conftest_says_what_opa_says(name: str, dialect: str, reference: Engine, conftest_engine: Engine) -> None:
    objects = [OBJECTS[0] | {"spec": OBJECTS[0]["spec"] | {"big": 1}}, *OBJECTS[1:]]
    expected = judge(reference, POLICIES[name], dialect=dialect, objects=objects)
    assert judge(conftest_engine, POLICIES[name], dialect=dialect, objects=objects) == expected


def test_conftest_does_not_judge_what_it_would_round(conftest_engine: Engine) -> None:
    found = judge(conftest_engine, POLICIES["big number"], dialect="new")
    assert [one.objects for one in found.problems] == [(0,)]
    assert not any(found.results)


@pytest.mark.parametrize("name", sorted(RUNTIME_ERRORS))
def test_conftest_reports_errors(name: str, reference: Engine, conftest_engine: Engine) -> None:
    objects = OBJECTS[1:]
    found = judge(conftest_engine, RUNTIME_ERRORS[name], dialect="new", objects=objects)
    expected = judge(reference, RUNTIME_ERRORS[name], dialect="new", objects=objects)
    assert found.results == expected.results
    assert [(one.path, one.objects) for one in found.problems] == [(one.path, one.objects) for one in expected.problems]


@pytest.mark.parametrize("name", sorted(COMPILE_ERRORS))
def test_conftest_reports_what_does_not_compile(name: str, conftest_engine: Engine) -> None:
    found = judge(conftest_engine, COMPILE_ERRORS[name], dialect="new")
    assert found.rules == ()
    (problem,) = found.problems
    assert problem.path == "policies/p.rego"
    assert problem.line >= 3

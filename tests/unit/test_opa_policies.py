# ruff: noqa: E501  # manifests and policies stand on one line each
"""Reading Rego files, and what a policy's values become; the in-process engine does the evaluating."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.audit.opa import (
    UNDEFINED,
    Cell,
    EngineFault,
    OpaEvaluation,
    PolicySet,
    Question,
    evaluate_policies,
)
from pipeline.audit.opa_engines import InProcessEngine
from pipeline.audit.opa_policy import PolicyError, read_policy, read_severity
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POD: dict[str, object] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}},
    "spec": {"containers": [{"name": "c", "image": "nginx:latest"}]},
}


class FixedEngine:
    """Gives the same cell for everything, or the fault it was made with."""

    name = "fixo"

    def __init__(self, cell: Cell, *, compiles: bool = True) -> None:
        self._cell = cell
        self._compiles = compiles

    def answer(self, question: Question) -> tuple[tuple[Cell, ...], ...] | EngineFault:
        if not self._compiles:
            assert isinstance(self._cell, EngineFault)
            return self._cell
        return tuple(tuple(self._cell for _ in texts) for texts in question.inputs)


def run(texts: Mapping[str, str], objects: Sequence[Mapping[str, object]] = (POD,)) -> OpaEvaluation:
    pytest.importorskip("regorus", reason="the extra [opa] is not installed")
    return evaluate_policies(PolicySet.from_texts(texts), objects, InProcessEngine())


def with_cell(cell: Cell, text: str = "package p\n\ndeny contains m if {\n  m := input.x\n}\n") -> OpaEvaluation:
    return evaluate_policies(PolicySet.from_texts({"p.rego": text}), [POD], FixedEngine(cell))


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ("deny[msg] { msg := input.a }", "v0"),
        ("deny {\n  input.a\n}", "v0"),
        ("f(x) = y { y := x }", "v0"),
        ("x = 1 { true } else = 2 { false }", "v0"),
        ("import future.keywords.in\n\ndeny[m] { some m in input.a }", "v0"),
        ("import future.keywords\n\ndeny contains m if { m := 1 }\n\nf(x) { x }", "v0"),
        ("deny contains msg if { msg := input.a }", "v1"),
        ("deny if input.a", "v1"),
        ('deny contains msg if {\n  msg := {"a": 1}\n}', "v1"),
        ("import rego.v1\n\ndeny contains msg if { msg := input.a }", "v1"),
        ("import rego.v1\n\nx := {}", "v1"),
        ("deny if every x in input.xs {\n  x\n}", "v1"),
        ('deny contains "a" if {\n  every x in [1] { x }\n}\nelse_ := 1', "v1"),
        ("x := 1 if {\n  input.a\n} else := 2 if {\n  input.b\n}\n", "v1"),
        ("x := 1 if {\n  input.a\n}\nelse := 2", "v1"),
        ('x := {"a": {1, 2}}\n\ny := [1]', "any"),
        ("default x := {}", "any"),
        ('# deny[m] { m := 1 }\nx := "deny { if"\ny := `p { q`', "any"),
    ],
)
def test_dialect(body: str, dialect: str) -> None:
    assert read_policy("p.rego", f"package p\n\n{body}\n").dialect == dialect


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("package a", ("a",)),
        ("# c\n\npackage kubernetes.labels # x", ("kubernetes", "labels")),
        ('package a["b-c"].d\n', ("a", "b-c", "d")),
    ],
)
def test_package(text: str, package: tuple[str, ...]) -> None:
    assert read_policy("p.rego", text).package == package


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "falta a declaração", 1),
        ("deny := 1", "falta a declaração", 1),
        ("package\n", "falta a declaração", 1),
        ("package p\n\nx := http.send({})", "`http.send` não é permitido", 3),
        ("package p\n\nx := time.now_ns()", "`time.now_ns` não é permitido", 3),
        ("package p\n" + "# x\n" * 100_000, "256 KiB", 1),
        ("package p\n\nx := " + "[" * 13 + "]" * 13, "colchetes aninhados", 3),
        ("package p\n\n# METADATA\n# title: [\ndeny := 1", "METADATA não é YAML", 3),
        ("package p\n\n# METADATA\n# x\ndeny := 1", "METADATA não é um mapa", 3),
        ("package p\n\n# METADATA\n# custom: x\ndeny := 1", "`custom` do METADATA", 3),
        ("package p\n\n# METADATA\n# custom: {severity: enorme}\ndeny := 1", "desconhecida: enorme", 3),
        ("package p\n\n# METADATA\n# custom: {severity: [alta]}\ndeny := 1", "desconhecida", 3),
    ],
)
def test_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(PolicyError, match="(?s)" + message.replace("[", r"\[")) as error:
        read_policy("p.rego", text)
    assert error.value.line == line
    (problem,) = PolicySet.from_texts({"p.rego": text}).problems
    assert (problem.path, problem.line, problem.message) == ("p.rego", line, error.value.message)


def test_forbidden_names_in_text_are_only_text() -> None:
    assert read_policy("p.rego", 'package p\n# http.send(x)\nx := "http.send(x)"\ny := my_http.sender(1)').package == (
        "p",
    )


def test_rules_that_report() -> None:
    text = """package p

default deny := false

deny if input.a

deny_latest contains "x" if input.a

warn contains "x" if input.b

violation_of(x) if x

violation contains {"msg": "m"} if deny_helper

denied := 1

  warn_indented := 1
"""
    rules = read_policy("p.rego", text).rules
    assert [(rule.name, rule.level, rule.line) for rule in rules] == [
        ("deny", "deny", 3),
        ("deny", "deny", 5),
        ("deny_latest", "deny", 7),
        ("warn", "warn", 9),
        ("violation", "violation", 13),
        ("warn_indented", "warn", 17),
    ]


def test_severity_words() -> None:
    assert read_severity(" Crítica ") is Severity.CRITICA
    assert read_severity("MEDIUM") is Severity.MEDIA
    assert read_severity(3) is None
    assert read_severity("") is None


def test_annotations_and_severities() -> None:
    text = """# METADATA
# title: Política de imagens
# custom:
#   id: POL-1
package images

# METADATA
# title: Nada de latest
# description: Duas linhas
#   juntas.
# related_resources:
# - ref: https://example.com/a
# - https://example.com/b
# custom:
#   id: [IMG-1, IMG-2]
#   severity: critical
deny contains "um" if input.kind

warn contains "dois" if input.kind

# METADATA
# custom: {severity: BAIXA}
violation contains {"msg": "três", "severity": "media"} if input.kind

violation contains {"msg": "quatro"} if input.kind
"""
    (found,) = run({"i.rego": text}).results
    said = {one.message: one for one in found}
    assert {name: one.severity for name, one in said.items()} == {
        "um": Severity.CRITICA,
        "dois": Severity.BAIXA,
        "três": Severity.MEDIA,
        "quatro": Severity.BAIXA,
    }
    assert said["um"].title == "Nada de latest"
    assert said["um"].description == "Duas linhas juntas."
    assert said["um"].ids == ("IMG-1", "IMG-2", "https://example.com/a", "https://example.com/b")
    assert (said["dois"].title, said["dois"].ids) == ("Política de imagens", ("POL-1",))
    assert said["um"].package == "images"


def test_default_severities() -> None:
    (found,) = run(
        {
            "a.rego": 'package a\n\ndeny contains "d" if input\n\nviolation contains "v" if input\n\nwarn contains "w" if input\n'
        }
    ).results
    assert [(one.rule, one.severity) for one in found] == [
        ("deny", Severity.ALTA),
        ("violation", Severity.ALTA),
        ("warn", Severity.BAIXA),
    ]


def test_gatekeeper_review() -> None:
    text = """package k8srequiredlabels

violation[{"msg": msg, "details": {"missing": missing}}] {
  provided := {label | input.review.object.metadata.labels[label]}
  missing := {"x", "z"} - provided
  count(missing) > 0
  msg := sprintf("%s/%s %s: %v", [input.review.kind.group, input.review.kind.kind, input.review.namespace, missing])
}
"""
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n"}}
    results = run({"g.rego": text}, [POD, deployment]).results
    assert [one.message for found in results for one in found] == ['/Pod n: {"z"}', 'apps/Deployment n: {"x", "z"}']


def test_admission_request() -> None:
    text = 'package a\n\ndeny contains m if {\n  m := input.request.object.metadata.name\n  input.request.operation == "CREATE"\n}\n'
    assert [one.message for one in run({"a.rego": text}, [POD, {"metadata": 3}]).results[0]] == ["a"]


def test_dialects_side_by_side_and_shared_libraries() -> None:
    evaluation = run(
        {
            "old.rego": 'package old\n\nimport data.shared\n\ndeny[m] {\n  m := concat("-", ["velho", shared.suffix])\n}\n',
            "new.rego": 'package new\n\nimport data.shared\n\ndeny contains m if {\n  m := concat("-", ["novo", shared.suffix])\n}\n',
            "shared.rego": 'package shared\n\nsuffix := "x"\n',
            "shared_test.rego": "package shared\n\nthis is not rego",
        }
    )
    assert [one.message for one in evaluation.results[0]] == ["velho-x", "novo-x"]
    assert evaluation.problems == ()
    assert evaluation.rules == ("new.deny", "old.deny")


def test_rule_of_a_file_that_both_dialects_read() -> None:
    assert [one.message for one in run({"a.rego": 'package a\n\ndeny := ["a"]\n'}).results[0]] == ["a"]


def test_data_that_nobody_provides() -> None:
    evaluation = run(
        {
            "a.rego": 'package a\n\ndeny contains "x" if {\n  not data.excecoes.lista[input.metadata.name]\n  data.a.b\n}\n\nb := 1\n'
        }
    )
    (problem,) = evaluation.problems
    assert (problem.path, problem.line, problem.objects) == ("a.rego", 4, ())
    assert "`data.excecoes.lista`" in problem.message
    assert [one.message for one in evaluation.results[0]] == ["x"]


def test_a_set_that_reports_nothing() -> None:
    policies = PolicySet.from_texts({"a.rego": "package a\n\nallow if input.x\n"})
    assert [one.message[:16] for one in policies.problems] == ["nenhuma regra `d"]
    assert evaluate_policies(policies, [POD], FixedEngine(UNDEFINED)).problems == policies.problems


def test_too_many_files() -> None:
    policies = PolicySet.from_texts({f"{number:03}.rego": "package a\n\ndeny := false\n" for number in range(201)})
    assert len(policies.modules) == 200
    (problem,) = policies.problems
    assert (problem.path, problem.message) == ("200.rego", "mais de 200 arquivos de política")


def test_object_that_is_no_json() -> None:
    evaluation = run(
        {"a.rego": 'package a\n\ndeny contains "x" if input.kind\n'}, [{"kind": float("nan")}, POD, {"kind": b"x"}]
    )
    (problem,) = evaluation.problems
    assert problem.objects == (0, 2)
    assert [len(found) for found in evaluation.results] == [0, 1, 0]


def test_no_objects_and_no_policies() -> None:
    assert run({"a.rego": "package a\n\ndeny := true\n"}, []).results == ()
    assert run({}).results == ((),)


@pytest.mark.parametrize(
    ("cell", "messages"),
    [
        (UNDEFINED, []),
        (False, []),
        ([], []),
        ({}, []),
        ("x", ["x"]),
        (["b", "a", "a"], ["a", "b"]),
        ({"msg": "x", "details": 1}, ["x"]),
        ({"message": "x"}, ["x"]),
        ({"a": True, "b": False, "c": "x", "d": ["y"]}, ["a", "x", "y"]),
        ([{"msg": {"k": "é"}}], ['{"k": "é"}']),
        ("a\x1b[31m\n  b", ["a\\x1b[31m b"]),
        (["x" * 2000], ["x" * 1000]),
        (True, ["a regra `deny` da política p vale para este objeto"]),
    ],
)
def test_values(cell: Cell, messages: list[str]) -> None:
    evaluation = with_cell(cell)
    assert [one.message for one in evaluation.results[0]] == messages
    assert evaluation.problems == ()


@pytest.mark.parametrize("cell", [3, None, [None], [{"id": 1}], {"a": {"b": 1}}, [["a"]]])
def test_values_that_are_no_report(cell: Cell) -> None:
    (problem,) = with_cell(cell).problems
    assert (problem.path, problem.line, problem.objects) == ("p.rego", 3, (0,))
    assert "não é texto nem objeto com `msg`" in problem.message


def test_faults_hide_what_they_quote() -> None:
    (problem,) = with_cell(EngineFault(message='falha: parsing "s3nh4 \\" x"\nfim\x07')).problems
    assert (problem.path, problem.line) == ("p.rego", 3)
    assert problem.message == 'erro ao avaliar: falha: parsing "…" fim\\x07'


def test_an_engine_without_an_answer() -> None:
    policies = PolicySet.from_texts({"p.rego": "package p\n\ndeny := true\n"})
    evaluation = evaluate_policies(policies, [POD], FixedEngine(EngineFault(message="morreu"), compiles=False))
    (problem,) = evaluation.problems
    assert (problem.path, problem.message) == ("p.rego", "o avaliador fixo não respondeu: morreu")
    assert evaluation.rules == ()


def test_other_packages_and_names() -> None:
    evaluation = run(
        {"a.rego": 'package a["b-c"]\n\ndeny contains "x" if input.kind\n\nwarn.sub contains "y" if input.kind\n'}
    )
    assert [(one.package, one.rule, one.message) for one in evaluation.results[0]] == [
        ("a.b-c", "deny", "x"),
        ("a.b-c", "warn", "y"),
    ]


def test_error_below_a_name_in_quotes() -> None:
    evaluation = run({"a.rego": 'package a["b-c"]\n\ndeny contains "x" if {\n  to_number(input.kind) > 1\n}\n'})
    assert [(one.path, one.line, one.objects) for one in evaluation.problems] == [("a.rego", 4, (0,))]


def test_undefined_shows_by_name() -> None:
    assert repr(UNDEFINED) == "UNDEFINED"


@pytest.mark.parametrize(
    "body",
    [
        "missing[label] {\n  label := required[_]\n  not input.metadata.labels[label]\n}\n\ndeny[label] {\n  missing[label]\n}\n",
        (
            "missing contains label if {\n  some label in required\n  not input.metadata.labels[label]\n}\n\n"
            "deny contains label if {\n  some label in missing\n}\n"
        ),
    ],
    ids=["old", "new"],
)
def test_label_policy_without_any_program(body: str) -> None:
    labels: list[dict[str, object]] = [
        {"a": "x", "b": "y"},
        {"a": None, "b": ""},
        {"a": False, "b": "y"},
        {"b": "y"},
        {},
    ]
    text = f'package labels\n\nrequired := ["a", "b"]\n\n{body}'
    evaluation = run({"labels_required.rego": text}, [{"metadata": {"labels": some}} for some in labels])
    assert [[one.message for one in found] for found in evaluation.results] == [[], [], ["a"], ["a"], ["a", "b"]]
    assert evaluation.problems == ()

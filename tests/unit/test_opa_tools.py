"""What the engines make of strange answers from the programs they run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.audit.opa import OpaEvaluation, PolicySet, evaluate_policies
from pipeline.audit.opa_engines import ConftestEngine, InProcessEngine, OpaEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY = 'package p\n\ndeny contains "x" if {\n  input.a\n}\n'
OTHER = 'package q\n\ndeny contains "y" if {\n  input.a\n}\n'


class Program:
    """A program that always says the same."""

    def __init__(self, output: bytes) -> None:
        self.runs = 0
        self._output = output

    def __call__(self, argv: list[str], stdin: bytes, files: Mapping[str, bytes]) -> bytes:
        assert argv
        assert isinstance(stdin, bytes)
        assert any(name.endswith("p0.rego") for name in files)
        self.runs += 1
        return self._output


def judge(engine: OpaEngine | ConftestEngine | InProcessEngine, *, objects: int = 3) -> OpaEvaluation:
    policies = PolicySet.from_texts({"p.rego": POLICY, "q.rego": OTHER})
    return evaluate_policies(policies, [{"a": number} for number in range(objects)], engine)


@pytest.mark.parametrize("output", [b"", b"lixo\xff", b"{}", b"[1]", b'{"errors": []}', b'{"errors": [{}]}', b"null"])
def test_opa_without_sense(output: bytes) -> None:
    evaluation = judge(OpaEngine(Program(output)))
    (problem,) = evaluation.problems
    assert problem.message.startswith("o avaliador opa não respondeu: ")
    assert evaluation.rules == ()


@pytest.mark.parametrize("output", [b"", b"lixo\xff", b"{}", b"null", b"Error: parsing"])
def test_conftest_without_sense(output: bytes) -> None:
    evaluation = judge(ConftestEngine(Program(output)))
    (problem,) = evaluation.problems
    assert problem.message.startswith("o avaliador conftest não respondeu: ")


def test_conftest_that_leaves_objects_out() -> None:
    evaluation = judge(ConftestEngine(Program(b"[]")))
    assert [problem.objects for problem in evaluation.problems] == [(0, 1, 2), (0, 1, 2)]
    assert not any(evaluation.results)


def test_opa_runs_are_bounded() -> None:
    error = {"code": "eval_builtin_error", "message": "x", "location": {"file": "p1.rego", "row": 4, "col": 1}}
    program = Program(json.dumps({"errors": [error]}).encode())
    evaluation = judge(OpaEngine(program), objects=500)
    assert program.runs < 600
    assert {problem.path for problem in evaluation.problems} == {"q.rego"}
    (problem,) = evaluation.problems
    assert problem.objects == tuple(range(500))
    assert problem.line == 4


def test_opa_that_runs_out_of_time_is_not_asked_again() -> None:
    program = Program(json.dumps({"errors": [{"code": "eval_cancel_error", "message": "caller cancelled"}]}).encode())
    evaluation = judge(OpaEngine(program))
    assert program.runs == 1
    assert [problem.message for problem in evaluation.problems] == ["o avaliador opa não respondeu: caller cancelled"]


def test_panics_of_the_extension_become_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    regorus = pytest.importorskip("regorus", reason="the extra [opa] is not installed")

    class PanicException(BaseException):
        """Named as the extension names its own."""

    class Panicking:
        """The extension's engine, but for evaluation: a panic cannot be had on demand."""

        fault: BaseException = PanicException("índice fora do vetor")

        def __init__(self) -> None:
            self._engine = real()

        def __getattr__(self, name: str) -> object:
            return getattr(self._engine, name)

        def eval_rule_as_json(self, _rule: str) -> str:
            raise self.fault

    real = regorus.Engine
    monkeypatch.setattr(regorus, "Engine", Panicking)
    evaluation = judge(InProcessEngine())
    assert [problem.message for problem in evaluation.problems] == ["erro ao avaliar: índice fora do vetor"] * 2
    monkeypatch.setattr(Panicking, "fault", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        judge(InProcessEngine())

"""Three ways to evaluate Rego: the ``opa`` program, ``conftest``, and an in-process engine (ADR 0011).

The programs are run by the caller, through a callable that knows the sealed runner; here is what goes in and comes out.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.audit.opa import UNDEFINED, Cell, EngineFault, Question
from pipeline.audit.opa_negation import move_arguments_out

if TYPE_CHECKING:
    from pipeline.audit.opa_policy import PolicyModule

__all__ = ["ConftestEngine", "InProcessEngine", "OpaEngine", "Run"]

Run = Callable[[list[str], bytes, Mapping[str, bytes]], bytes]
"""Runs ``argv`` with these bytes on stdin and these files in an empty working folder; gives stdout, or stderr where
stdout is empty, whatever the exit status. ToolError when the tool is missing, killed or over its limits."""

_TIMEOUT = "60s"
_MOST_RUNS = 64  # processes that may be spent on telling the objects that fail from the others
_OPA_NAME = re.compile(r"\bp([0-9]+)\.rego\b")
_OPA_FILE = re.compile(r"(?:.*/)?p([0-9]+)\.rego")
_CONFTEST_BUILTIN = re.compile(r"Code:\w+ Message:(.*?) Location:policy/p([0-9]+)\.rego:([0-9]+)", re.DOTALL)
_CONFTEST_PLACED = re.compile(r"policy/p([0-9]+)\.rego:([0-9]+): ((?:rego|eval)_\w+_error: .*)")
_LONG_NUMBER = re.compile(r"[0-9]{16}")
_REGORUS_PLACE = re.compile(r"--> (.*):([0-9]+):[0-9]+\n")
_REGORUS_ERROR = re.compile(r"(?:^|\n)error: (.*?)(?:\n\nStack backtrace|\Z)", re.DOTALL)
# What opa says when it loads a policy, regorus says when it first runs one.
_REGORUS_COMPILE = re.compile(
    r"is unsafe|could not find function|mismatch in number of arguments|recursion|could not schedule|undefined function"
)


class _RunFaultError(Exception):
    """A run that gave no values; ``divisible`` when a part of the rules or inputs could still give them."""

    def __init__(self, fault: EngineFault, *, divisible: bool) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.divisible = divisible


class OpaEngine:
    """The reference: one process for all rules and inputs; built-in errors are errors, never silence.

    When one input makes a built-in fail, the others are judged by halving, within a bounded number of processes.
    """

    name = "opa"

    def __init__(self, run: Run) -> None:
        self._run = run

    def answer(self, question: Question) -> tuple[tuple[Cell, ...], ...] | EngineFault:
        def ask(rules: range, inputs: range) -> list[list[Cell]]:
            return self._ask(question, rules, inputs)

        return _divide(ask, len(question.rules), len(question.inputs[0]))

    def _ask(self, question: Question, rules: range, inputs: range) -> list[list[Cell]]:
        groups: dict[tuple[str, ...], int] = {}
        for rule in rules:
            groups.setdefault(question.inputs[rule], len(groups))
        stdin = ",".join(
            f'"{number}":[{",".join(texts[inputs.start : inputs.stop])}]' for texts, number in groups.items()
        )
        query = ",".join(
            f'"{rule}":[[v | v := {_reference(question, rule)} with input as doc]'
            f' | doc := input["{groups[question.inputs[rule]]}"][_]]'
            for rule in rules
        )
        files = {f"p{number}.rego": module.text.encode() for number, module in enumerate(question.modules)}
        argv = ["opa", "eval", "--format", "json", "--strict-builtin-errors", "--stdin-input", "--timeout", _TIMEOUT]
        argv += [f"--{question.dialect}-compatible", *(word for name in files for word in ("--data", name))]
        output = self._run([*argv, "{" + query + "}"], ("{" + stdin + "}").encode(), files)
        said = _json(output)
        if not isinstance(said, dict) or "result" not in said:
            raise _opa_fault(said, output, question.modules)
        value = said["result"][0]["expressions"][0]["value"]
        return [[cell[0] if cell else UNDEFINED for cell in value[str(rule)]] for rule in rules]


def _opa_fault(said: object, output: bytes, modules: tuple[PolicyModule, ...]) -> _RunFaultError:
    errors = said.get("errors") if isinstance(said, dict) else None
    if not isinstance(errors, list) or not errors:
        return _RunFaultError(EngineFault(message=_head(output) or "sem resposta"), divisible=False)
    error = errors[0]
    place = error.get("location") or {}
    numbered = _OPA_FILE.fullmatch(str(place.get("file", "")))
    path = modules[int(numbered.group(1))].path if numbered else ""
    code = str(error.get("code", ""))
    message = _OPA_NAME.sub(lambda name: modules[int(name.group(1))].path, str(error.get("message", "")))
    fault = EngineFault(message=message, path=path, line=int(place.get("row", 1)))
    return _RunFaultError(fault, divisible=code in ("eval_builtin_error", "eval_conflict_error", "eval_type_error"))


class ConftestEngine:
    """``conftest``: one file per input.

    Of itself it passes in silence over rules that are not sets of text or of objects with ``msg``: so it is given one
    rule of ours, whose messages are the values of the others as JSON. It reads numbers as floating point: objects with
    integers that this would change get no answer.
    """

    name = "conftest"

    def __init__(self, run: Run) -> None:
        self._run = run

    def answer(self, question: Question) -> tuple[tuple[Cell, ...], ...] | EngineFault:
        def ask(rules: range, inputs: range) -> list[list[Cell]]:
            groups: dict[tuple[str, ...], list[int]] = {}
            for rule in rules:
                groups.setdefault(question.inputs[rule], []).append(rule)
            found = {rule: row for some in groups.values() for rule, row in self._ask(question, some, inputs).items()}
            return [found[rule] for rule in rules]

        return _divide(ask, len(question.rules), len(question.inputs[0]))

    def _ask(self, question: Question, rules: list[int], inputs: range) -> dict[int, list[Cell]]:
        texts = question.inputs[rules[0]]
        exact = [index for index in inputs if not _loses_digits(texts[index])]
        cells: dict[int, dict[int, Cell]] = {rule: {} for rule in rules}
        if exact:
            files = {f"policy/p{number}.rego": module.text.encode() for number, module in enumerate(question.modules)}
            files["policy/answers.rego"] = _answers(question, rules).encode()
            files |= {f"input/{index}.json": texts[index].encode() for index in exact}
            argv = ["conftest", "test", "--no-color", "--no-fail", "--output", "json", "--parser", "json"]
            argv += ["--show-builtin-errors", "--rego-version", question.dialect, "--policy", "policy"]
            output = self._run([*argv, "--namespace", _ANSWERS, "input"], b"", files)
            said = _json(output)
            if not isinstance(said, list):
                raise _conftest_fault(output, question.modules)
            for judged in said:
                index = int(str(judged["filename"]).rpartition("/")[2].removesuffix(".json"))
                for found in judged.get("failures", ()):
                    value = json.loads(found["msg"])
                    cells[found["metadata"]["rule"]][index] = value[0] if value else UNDEFINED
        return {rule: [cells[rule].get(index, _NO_ANSWER) for index in inputs] for rule in rules}


_ANSWERS = "appgear_answers"
_NO_ANSWER = EngineFault(message="conftest não dá resposta exata para este objeto; instale opa")


def _answers(question: Question, rules: list[int]) -> str:
    head = "deny contains found if" if question.dialect == "v1" else "deny[found]"
    body = "\n".join(
        f'{head} {{ found := {{"rule": {rule}, "msg": json.marshal([v | v := {_reference(question, rule)}])}} }}'
        for rule in rules
    )
    return f"package {_ANSWERS}\n\n{body}\n"


def _loses_digits(text: str) -> bool:
    """Whether an integer of the JSON text is not exact as a double."""
    if not _LONG_NUMBER.search(text):
        return False
    found: list[int] = []
    json.loads(text, parse_int=lambda digits: found.append(int(digits)))
    return any(int(float(number)) != number for number in found)


def _conftest_fault(output: bytes, modules: tuple[PolicyModule, ...]) -> _RunFaultError:
    text = output.decode("utf-8", "replace")
    builtin = _CONFTEST_BUILTIN.search(text)
    if builtin:
        message, number, line = builtin.groups()
        return _RunFaultError(
            EngineFault(message=message, path=modules[int(number)].path, line=int(line)), divisible=True
        )
    placed = _CONFTEST_PLACED.search(text)
    if placed:
        number, line, message = placed.groups()
        return _RunFaultError(
            EngineFault(message=message, path=modules[int(number)].path, line=int(line)),
            divisible=message.startswith("eval_"),
        )
    return _RunFaultError(EngineFault(message=_head(output) or "sem resposta"), divisible=False)


class InProcessEngine:
    """Regorus inside this process: no program needed. It has no time limit of its own; policies are size-limited."""

    name = "regorus"

    def answer(self, question: Question) -> tuple[tuple[Cell, ...], ...] | EngineFault:
        regorus: Any = importlib.import_module("regorus")  # the optional dependency [opa]
        engine: Any = regorus.Engine()
        engine.set_gather_prints(True)
        engine.set_rego_v0(question.dialect == "v0")

        def tree(path: str, text: str) -> object:
            alone = regorus.Engine()
            alone.set_rego_v0(question.dialect == "v0")
            alone.add_policy(path, text)
            return json.loads(alone.get_ast_as_json())

        for module in question.modules:
            try:
                engine.add_policy(module.path, move_arguments_out(module.text, partial(tree, module.path)))
            except BaseException as error:
                return _regorus_fault(error, module.path)
        cells: list[list[Cell]] = [[] for _ in question.rules]
        for index in range(len(question.inputs[0])):
            current: str | None = None
            for number, (package, name) in enumerate(question.rules):
                text = question.inputs[number][index]
                if text is not current:
                    engine.set_input_json(text)
                    current = text
                cell = _regorus_cell(engine, package, name)
                if isinstance(cell, EngineFault) and _REGORUS_COMPILE.search(cell.message):
                    return cell
                cells[number].append(cell)
        return tuple(tuple(row) for row in cells)


def _regorus_cell(engine: Any, package: tuple[str, ...], name: str) -> Cell:  # an untyped extension
    try:
        value = json.loads(engine.eval_rule_as_json(".".join(("data", *package, name))))
    except BaseException as error:
        if "not a valid rule path" in str(error):  # a name in quotes, or rules below the name (`deny.images`)
            return _regorus_query(engine, package, name)
        return _regorus_fault(error, "")
    return UNDEFINED if value == "<undefined>" else value


def _regorus_query(engine: Any, package: tuple[str, ...], name: str) -> Cell:  # an untyped extension
    reference = "data" + "".join(f"[{json.dumps(part)}]" for part in (*package, name))
    try:
        value = json.loads(engine.eval_query_as_json(f"[v | v := {reference}]"))["result"][0]["expressions"][0]["value"]
    except BaseException as error:
        return _regorus_fault(error, "")
    return value[0] if value else UNDEFINED


def _regorus_fault(error: BaseException, path: str) -> EngineFault:
    """A fault of the policy or of the engine, which panics outside ``Exception``; anything else goes on upwards."""
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error
    text = str(error)
    place, said = _REGORUS_PLACE.search(text), _REGORUS_ERROR.search(text)
    message = said.group(1) if said else text.strip().partition("\n")[0]
    return EngineFault(
        message=message, path=place.group(1) if place else path, line=int(place.group(2)) if place else 1
    )


Ask = Callable[[range, range], list[list[Cell]]]


def _divide(ask: Ask, rules: int, inputs: int) -> tuple[tuple[Cell, ...], ...] | EngineFault:
    """Cells for all rules and inputs: where a run fails on some of them, its halves are asked."""
    cells: list[list[Cell]] = [[UNDEFINED] * inputs for _ in range(rules)]
    waiting = [(range(rules), range(inputs))]
    runs = 0
    while waiting:
        some_rules, some_inputs = waiting.pop()
        runs += 1
        try:
            answer: Sequence[Sequence[Cell]] = ask(some_rules, some_inputs)
        except _RunFaultError as error:
            halves = _halves(some_rules, some_inputs) if error.divisible and runs < _MOST_RUNS else []
            if not halves and not error.divisible:
                return error.fault
            waiting += halves
            answer = [] if halves else [[error.fault] * len(some_inputs)] * len(some_rules)
        for rule, row in zip(some_rules, answer, strict=False):
            cells[rule][some_inputs.start : some_inputs.stop] = row
    return tuple(tuple(row) for row in cells)


def _halves(rules: range, inputs: range) -> list[tuple[range, range]]:
    if len(rules) > 1:
        middle = len(rules) // 2
        return [(rules[:middle], inputs), (rules[middle:], inputs)]
    if len(inputs) > 1:
        middle = len(inputs) // 2
        return [(rules, inputs[:middle]), (rules, inputs[middle:])]
    return []


def _reference(question: Question, rule: int) -> str:
    package, name = question.rules[rule]
    return "data" + "".join(f"[{json.dumps(part)}]" for part in (*package, name))


def _json(output: bytes) -> object:
    try:
        return json.loads(output)
    except ValueError:
        return None


def _head(output: bytes) -> str:
    return " ".join(output.decode("utf-8", "replace").split())[:300]

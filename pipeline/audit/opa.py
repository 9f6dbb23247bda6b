"""The platform's own Rego policies over the audited objects: what to ask an engine, and what its answers mean.

Policies come from the configuration, never from the audited tree. Whatever cannot be evaluated becomes a PolicyProblem
that names the policy file and line; an object is only taken as passed where the engine said so.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipeline.audit.opa_policy import PolicyError, PolicyModule, PolicyRule, read_policy
from pipeline.audit.opa_reports import NotAReportError, PolicyResult, ReportingRule
from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "UNDEFINED",
    "Cell",
    "Engine",
    "EngineFault",
    "OpaEvaluation",
    "PolicyProblem",
    "PolicyResult",
    "PolicySet",
    "Question",
    "evaluate_policies",
]

_MAX_FILES = 200
_DIALECTS: tuple[Literal["v0"], Literal["v1"]] = ("v0", "v1")
_SHAPES = ("object", "request", "review")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyProblem:
    """A policy that could not be evaluated: for the objects of these indexes, or for all where there are none."""

    path: str
    line: int
    message: str
    objects: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpaEvaluation:
    """``results`` has one entry per object, in the given order; ``rules`` are those that judged."""

    results: tuple[tuple[PolicyResult, ...], ...]
    problems: tuple[PolicyProblem, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineFault:
    """Why an engine has no answer; ``path`` and ``line`` where it names them. ``message`` may be in English."""

    message: str
    path: str = ""
    line: int = 1


class _Undefined:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED = _Undefined()
Cell = Any  # a JSON value, UNDEFINED or an EngineFault


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Modules of one dialect, the rules to ask (package parts and name), and for each rule the inputs as JSON text.

    ``inputs[i]`` belongs to ``rules[i]``; rules share the tuples, so an engine may send equal ones once.
    """

    dialect: Literal["v0", "v1"]
    modules: tuple[PolicyModule, ...]
    rules: tuple[tuple[tuple[str, ...], str], ...]
    inputs: tuple[tuple[str, ...], ...]


class Engine(Protocol):
    """Something that evaluates Rego."""

    name: str

    def answer(self, question: Question) -> tuple[tuple[Cell, ...], ...] | EngineFault:
        """A cell for each rule and input, or the fault that keeps the modules from compiling together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicySet:
    """Policies as read; ``problems`` are the files that could not be."""

    modules: tuple[PolicyModule, ...]
    problems: tuple[PolicyProblem, ...]

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> PolicySet:
        """Rego files by path. tests (``*_test.rego``) are left out, a set that reports nothing is a problem."""
        modules, problems = [], []
        for path in sorted(texts)[:_MAX_FILES]:
            if path.endswith("_test.rego"):
                continue
            try:
                modules.append(read_policy(path, texts[path]))
            except PolicyError as error:
                problems.append(PolicyProblem(path=path, line=error.line, message=error.message))
        if len(texts) > _MAX_FILES:
            late = sorted(texts)[_MAX_FILES]
            problems.append(PolicyProblem(path=late, line=1, message=f"mais de {_MAX_FILES} arquivos de política"))
        if modules and not any(module.rules for module in modules):
            message = "nenhuma regra `deny`, `warn` ou `violation` (nem `deny_…`): a política não diz nada"
            problems.append(PolicyProblem(path=modules[0].path, line=1, message=message))
        return cls(modules=tuple(modules), problems=tuple(problems))


def evaluate_policies(policies: PolicySet, objects: Sequence[Mapping[str, object]], engine: Engine) -> OpaEvaluation:
    """Every rule of the set on every object; the same inputs give the same results and problems."""
    run = _Run(objects)
    run.problems += policies.problems
    for dialect in _DIALECTS:
        own = tuple(module for module in policies.modules if module.dialect in (dialect, "any"))
        asked = {module.path for module in own if module.rules and dialect in (module.dialect, "v1")}
        while asked:
            fault = run.ask(engine, dialect, own, asked)
            if fault is None:
                break
            # The file at fault is left out and the others are tried without it: it must not silence them.
            run.problems.append(_compile_problem(fault, own, engine))
            kept = tuple(module for module in own if module.path != fault.path)
            if len(kept) == len(own):
                break
            own, asked = kept, asked - {fault.path}
    return run.evaluation()


class _Run:
    """One evaluation in the making."""

    def __init__(self, objects: Sequence[Mapping[str, object]]) -> None:
        self.problems: list[PolicyProblem] = []
        self._found: list[list[PolicyResult]] = [[] for _ in objects]
        self._rules: set[str] = set()
        self._texts: dict[str, tuple[str, ...]] = {}
        self._objects: list[tuple[int, Mapping[str, object]]] = []
        for index, value in enumerate(objects):
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError):
                message = "o objeto não é JSON: nenhuma política o julgou"
                self.problems.append(PolicyProblem(path="", line=1, message=message, objects=(index,)))
            else:
                self._objects.append((index, value))

    def ask(
        self, engine: Engine, dialect: Literal["v0", "v1"], modules: tuple[PolicyModule, ...], asked: set[str]
    ) -> EngineFault | None:
        """Put the rules of the ``asked`` files to the engine; the fault where the modules do not compile."""
        rules = _grouped(module for module in modules if module.path in asked)
        shapes = [_shape(modules, package) for package, _ in rules]
        question = Question(
            dialect=dialect,
            modules=modules,
            rules=tuple(rules),
            inputs=tuple(self._inputs(shape) for shape in shapes),
        )
        answer = engine.answer(question)
        if isinstance(answer, EngineFault):
            return answer
        self.problems += _unprovided(modules)
        for (package, name), cells in zip(rules, answer, strict=True):
            asked_rule = ReportingRule(package, name, rules[package, name], modules)
            self._rules.add(f"{asked_rule.package}.{name}")
            for (index, _), cell in zip(self._objects, cells, strict=True):
                self._take(asked_rule, index, cell)
        return None

    def _take(self, rule: ReportingRule, index: int, cell: Cell) -> None:
        if isinstance(cell, EngineFault):
            path, line = (cell.path, cell.line) if cell.path else (rule.path, rule.line)
            message = f"erro ao avaliar: {_plain(cell.message)}"
            self.problems.append(PolicyProblem(path=path, line=line, message=message, objects=(index,)))
        elif cell is not UNDEFINED:
            try:
                self._found[index] += sorted(rule.reports(cell), key=lambda found: (found.message, found.severity.rank))
            except NotAReportError as error:
                self.problems.append(
                    PolicyProblem(path=rule.path, line=rule.line, message=str(error), objects=(index,))
                )

    def _inputs(self, shape: str) -> tuple[str, ...]:
        if shape not in self._texts:
            self._texts[shape] = tuple(json.dumps(_shaped(value, shape)) for _, value in self._objects)
        return self._texts[shape]

    def evaluation(self) -> OpaEvaluation:
        # One problem per place for all objects: an engine may word the same fault differently for each of them.
        merged: dict[tuple[str, int, str], list[PolicyProblem]] = {}
        for problem in self.problems:
            merged.setdefault((problem.path, problem.line, "" if problem.objects else problem.message), []).append(
                problem
            )
        problems = tuple(
            PolicyProblem(
                path=path,
                line=line,
                message=min(one.message for one in same),
                objects=tuple(sorted({index for one in same for index in one.objects})),
            )
            for (path, line, _), same in sorted(merged.items(), key=lambda item: item[0])
        )
        results = tuple(tuple(dict.fromkeys(found)) for found in self._found)
        return OpaEvaluation(results=results, problems=problems, rules=tuple(sorted(self._rules)))


def _grouped(
    modules: Iterable[PolicyModule],
) -> dict[tuple[tuple[str, ...], str], list[tuple[PolicyModule, PolicyRule]]]:
    rules: dict[tuple[tuple[str, ...], str], list[tuple[PolicyModule, PolicyRule]]] = {}
    for module in modules:
        for rule in module.rules:
            rules.setdefault((module.package, rule.name), []).append((module, rule))
    return dict(sorted(rules.items(), key=lambda item: item[0]))


def _shape(modules: tuple[PolicyModule, ...], package: tuple[str, ...]) -> str:
    return max((module.shape for module in modules if module.package == package), key=_SHAPES.index)


def _shaped(value: Mapping[str, object], shape: str) -> Mapping[str, object]:
    """``input`` as the policy expects it: the object, or inside a Gatekeeper review or an admission request."""
    if shape == "object":
        return value
    group, _, version = str(value.get("apiVersion", "")).rpartition("/")
    metadata = value.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    review: dict[str, object] = {
        "kind": {"group": group, "version": version, "kind": value.get("kind")},
        "name": named.get("name", ""),
        "operation": "CREATE",
        "object": value,
    }
    if "namespace" in named:
        review["namespace"] = named["namespace"]
    return {"review": review, "parameters": {}} if shape == "review" else {"request": review}


def _unprovided(modules: tuple[PolicyModule, ...]) -> Iterator[PolicyProblem]:
    """References to data that no file of this dialect declares: they would be undefined, and rules quiet for it."""
    packages = [module.package for module in modules]
    for module in modules:
        for wanted in sorted(module.references):
            if not any(wanted[: len(name)] == name[: len(wanted)] for name in packages):
                message = f"usa `data.{'.'.join(wanted)}`, que nenhuma política do mesmo dialeto fornece"
                yield PolicyProblem(path=module.path, line=_line_of(module.text, wanted), message=message)


def _line_of(text: str, reference: tuple[str, ...]) -> int:
    return text.count("\n", 0, max(0, text.find(f"data.{'.'.join(reference)}"))) + 1


def _compile_problem(fault: EngineFault, modules: tuple[PolicyModule, ...], engine: Engine) -> PolicyProblem:
    known = any(module.path == fault.path for module in modules)
    said = _plain(fault.message)
    if known:
        return PolicyProblem(path=fault.path, line=fault.line, message=f"a política não compila: {said}")
    return PolicyProblem(path=modules[0].path, line=1, message=f"o avaliador {engine.name} não respondeu: {said}")


def _plain(message: str) -> str:
    """An engine's message on one line, without the values that it quotes: they may come from a Secret."""
    return _QUOTED.sub('"…"', " ".join(visible(message).split()))[:300]

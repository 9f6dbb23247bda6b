"""The platform's Rego policies as rules of the engine: one per package, placed and counted like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.opa import evaluate_policies
from pipeline.audit.rule import CouldNotJudge, rule
from pipeline.audit.selecting import selects
from pipeline.codec import visible
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.audit.opa import Engine, PolicyResult, PolicySet
    from pipeline.audit.rule import Breach, Rule
    from pipeline.audit.views import ModuleView, ObjectView

__all__ = ["policy_rules"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """One object with what the policies said of it, or a policy that said nothing (``object`` None)."""

    object: ObjectView | None
    results: tuple[PolicyResult, ...] = ()
    fault: str = ""


def policy_rules(policies: PolicySet, engine: Engine) -> tuple[Rule, ...]:
    """A rule ``OPA-<package>`` for each package that reports, and ``OPA`` for policies that could not be evaluated.

    All policies are evaluated once per module, when the first of these rules is run.
    """
    judge = _judge(policies, engine)
    packages = sorted({".".join(module.package) for module in policies.modules if module.rules})
    return (_faults(judge), *(_package_rule(name, judge) for name in packages))


def _judge(policies: PolicySet, engine: Engine) -> Callable[[ModuleView], tuple[_Judged, ...]]:
    def every_object(module: ModuleView) -> tuple[_Judged, ...]:
        objects = [found for found in module.objects if not found.partial]
        evaluation = evaluate_policies(policies, [found.value for found in objects], engine)
        faults: dict[int | None, str] = {}
        for problem in evaluation.problems:
            told = visible(
                f"{problem.path} linha {problem.line}: {problem.message}" if problem.path else problem.message
            )
            for index in problem.objects or (None,):
                faults[index] = "; ".join(filter(None, (faults.get(index), told)))
        judged = [
            _Judged(object=found, results=results, fault=faults.get(index, ""))
            for index, (found, results) in enumerate(zip(objects, evaluation.results, strict=True))
        ]
        return (*judged, _Judged(object=None, fault=faults.get(None, "")))

    return every_object


def _faults(judge: Callable[[ModuleView], tuple[_Judged, ...]]) -> Rule:
    """Whatever no policy could be asked: one answer for each object, and one for the set as a whole."""

    @rule(
        "OPA",
        Severity.ALTA,
        over=judge,
        title="Política Rego que não pôde ser avaliada",
        explanation="Uma política que não roda não aprova nada: o que ela julgaria fica sem resposta.",
        remedy="Corrija a política no arquivo e na linha indicados.",
        sources=("CON §4", "REG"),
        bad="",
        good="",
        responsible="Segurança",
    )
    def unanswered(judged: _Judged) -> Iterator[Breach]:
        if judged.fault:
            raise CouldNotJudge(judged.fault, failed=True)
        yield from ()

    return unanswered


def _package_rule(package: str, judge: Callable[[ModuleView], tuple[_Judged, ...]]) -> Rule:
    @selects("todo objeto")
    def answered(module: ModuleView) -> Iterator[_Judged]:
        yield from (each for each in module.select(judge) if each.object is not None and not each.fault)

    @rule(
        f"OPA-{package}",
        Severity.ALTA,
        over=answered,
        title=f"Política `{package}` da plataforma",
        explanation=f"A plataforma mantém a política Rego `{package}` e este objeto não a cumpre.",
        remedy="Faça o que a mensagem da política pede.",
        sources=(f"política {package}",),
        bad="",
        good="",
    )
    def denied(judged: _Judged) -> Iterator[Breach]:
        assert judged.object is not None  # noqa: S101  # the selector leaves the others out
        for each in judged.results:
            if each.package == package:
                told = ": ".join(filter(None, (each.title, each.message)))
                cited = f" ({', '.join(each.ids)})" if each.ids else ""
                yield judged.object.breach(
                    visible(told + cited), key=f"{each.rule}:{each.message}", severity=each.severity
                )

    return denied

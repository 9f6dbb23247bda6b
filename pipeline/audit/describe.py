"""A rule as reports show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.audit.selecting import name_of
from pipeline.domain.artifact import RuleInfo

if TYPE_CHECKING:
    from pipeline.audit.rule import Example, Rule

__all__ = ["describe_rule", "show_example", "subject_name"]


def describe_rule(rule: Rule, examined: int = 0) -> RuleInfo:
    """Its texts, without what only the engine needs."""
    return RuleInfo(
        id=rule.id,
        severity=rule.severity,
        title=rule.title,
        explanation=rule.explanation,
        remedy=rule.remedy,
        sources=rule.sources,
        fix=rule.fix,
        responsible=rule.responsible,
        due_days=rule.due_days,
        reading=rule.reading,
        examined=examined,
    )


def show_example(example: Example) -> str:
    """An example as one text: each file under its name where there is more than one, then the document."""
    given = {"modulos.yaml": example.matrix, "stack.yaml": example.stack}
    beside = {path: text for path, text in given.items() if text is not None}
    beside |= {f"{path} (árvore de referência)": text for path, text in (example.tree or {}).items()}
    alone = len(example.files) == 1 and example.document is None and not beside
    parts = [
        text.strip("\n") if alone else f"# {path}\n{text.strip(chr(10))}"
        for path, text in (beside | dict(example.files)).items()
    ]
    if example.document is not None:
        parts.append(example.document.strip("\n"))
    return "\n\n".join(parts)


def subject_name(rule: Rule) -> str:
    """What a rule examines: the kinds of ``objects(…)``, or what the selector is called by people."""
    return name_of(rule.over)

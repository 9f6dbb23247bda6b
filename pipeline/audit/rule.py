"""What a rule is: one decorated function with its texts, sources, examples and correction beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.audit.references import References
from pipeline.domain.finding import FixMode, Severity

if TYPE_CHECKING:
    from pipeline.audit.views import FileView, ModuleView
    from pipeline.domain.finding import Change, ObjectRef, PathKey
    from pipeline.domain.snapshot import ReadProblem
    from pipeline.yamldoc import YamlDocument

__all__ = ["Breach", "CouldNotJudge", "Example", "Rule", "rule"]

Subject = TypeVar("Subject")
Selector = Callable[["ModuleView"], Iterable[Subject]]


class CouldNotJudge(Exception):  # noqa: N818  # an answer, not a failure
    """Raised by a rule for a subject that it cannot judge; the reason (pt-BR) is listed, and is never a pass.

    ``failed`` says that something which should have run did not, as opposed to a kind that no rule knows.
    """

    def __init__(self, reason: str, *, failed: bool = False) -> None:
        super().__init__(reason)
        self.failed = failed


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One breach as a rule states it. The views' ``breach`` methods build it; rules do not fill it in by hand.

    ``file`` is None for the module document. The place is ``path`` inside ``document`` or ``line``/``column`` (from 1).
    ``key`` tells two breaches at one place apart, in the fingerprint too. ``changes`` is the correction, if any.
    ``inside`` is a line and column (from 0) in the text that stands at ``path``. ``secrets`` are texts of the source
    that must not be shown: the snippets and descriptions of every finding on that line have ``•••`` in their place.
    ``inherited`` says that it stands in a kustomization or patch of which ``object`` has it: one place, told once.
    """

    detail: str
    file: FileView | None = None
    document: YamlDocument | None = None
    path: tuple[PathKey, ...] = ()
    line: int = 1
    column: int = 1
    object: ObjectRef | None = None
    key: str = ""
    changes: tuple[Change, ...] = ()
    severity: Severity | None = None
    inside: tuple[int, int] | None = None
    secrets: tuple[str, ...] = ()
    inherited: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """Input that shows a rule at work: files of a tree, or a module document, or both.

    ``problems`` are those that only reading from disk would meet; ``matrix``, ``stack`` and ``tree`` the texts of what
    ``[references]`` would name.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    document: str | None = None
    problems: tuple[ReadProblem, ...] = ()
    matrix: str | None = None
    stack: str | None = None
    tree: Mapping[str, str] | None = None

    @property
    def references(self) -> References:
        return References.from_texts(matrix=self.matrix, stack=self.stack, tree=self.tree)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule of the catalogue. ``check`` yields a Breach per breach in one subject that ``over`` selects.

    ``fix`` is the best that the rule can offer; a breach without changes is manual all the same. ``due_days`` is the
    time to correct, in calendar days from the audit; ``responsible`` the RAPID role that corrects. ``reading`` says
    which of contradicting norms it follows (rules.md §2).
    """

    id: str
    severity: Severity
    over: Selector[Any]
    check: Callable[[Any], Iterable[Breach]]
    title: str
    explanation: str
    remedy: str
    sources: tuple[str, ...]
    bad: Example
    good: Example
    fix: FixMode
    responsible: str
    due_days: int
    reading: str


_DUE_DAYS = {Severity.CRITICA: 2, Severity.ALTA: 7, Severity.MEDIA: 30, Severity.BAIXA: 90}


def rule(
    rule_id: str,
    severity: Severity,
    *,
    over: Selector[Subject],
    title: str,
    explanation: str,
    remedy: str,
    sources: tuple[str, ...],
    bad: str | Example,
    good: str | Example,
    fix: FixMode = FixMode.MANUAL,
    responsible: str = "Engenharia/DevOps",
    due_days: int | None = None,
    reading: str = "",
) -> Callable[[Callable[[Subject], Iterable[Breach]]], Rule]:
    """Make a function a rule. ``bad`` and ``good`` as text are one manifest; they are the rule's first tests."""

    def declare(check: Callable[[Subject], Iterable[Breach]]) -> Rule:
        return Rule(
            id=rule_id,
            severity=severity,
            over=over,
            check=check,
            title=title,
            explanation=explanation,
            remedy=remedy,
            sources=sources,
            bad=_example(bad),
            good=_example(good),
            fix=fix,
            responsible=responsible,
            due_days=_DUE_DAYS[severity] if due_days is None else due_days,
            reading=reading,
        )

    return declare


def _example(given: str | Example) -> Example:
    return given if isinstance(given, Example) else Example(files={"exemplo.yaml": given})

"""Findings in the syntax by which a CI system shows them beside the code: the worst first, no more than it shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.codec import harmless, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ANNOTATED", "Issue", "annotate", "load_issues"]

_GRADES = ("blocker", "critical", "major", "minor", "info")
_LEVELS = {"blocker": "error", "critical": "error", "major": "warning"}  # what is left is a notice
_MAX_PER_LEVEL = 10  # GitHub shows ten of each level for a step and drops the others
_MAX_TEXT = 1000  # characters of a message


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """A finding as the Code Quality report of its run has it, or an error; ``path`` is from the repository's root."""

    grade: str
    path: str = ""
    line: int = 0
    rule: str = ""
    text: str

    @property
    def level(self) -> str:
        return _LEVELS.get(self.grade, "notice")


def load_issues(report: Iterable[dict[str, Any]]) -> list[Issue]:
    """The entries of ``mapa_nc.codequality.json``."""
    return [
        Issue(
            grade=each["severity"],
            path=each["location"]["path"],
            line=each["location"]["lines"]["begin"],
            rule=each["check_name"],
            text=each["description"],
        )
        for each in report
    ]


def annotate(issues: Iterable[Issue], system: str) -> list[str]:
    """Lines for the log of a CI system; none for one that reads annotations from a file, as GitLab does.

    Whatever the issues hold, a line is one command or none: GitHub's separators are escaped as its runner unescapes
    them, and a line for Jenkins can be no command of another system.
    """
    write = ANNOTATED.get(system)
    return [] if write is None else [write(each) for each in _worst(issues)]


def _worst(issues: Iterable[Issue]) -> Iterator[Issue]:
    shown: Counter[str] = Counter()
    for each in sorted(
        issues, key=lambda each: (_GRADES.index(each.grade), each.path, each.line, each.rule, each.text)
    ):
        shown[each.level] += 1
        if shown[each.level] <= _MAX_PER_LEVEL:
            yield each


def _github(issue: Issue) -> str:
    """``::error file=…,line=…,title=…::…`` (workflow commands of GitHub Actions)."""
    known = {"file": issue.path, "line": str(issue.line) if issue.line else "", "title": issue.rule}
    properties = ",".join(f"{name}={_property(value)}" for name, value in known.items() if value)
    return f"::{issue.level} {properties}::{_message(issue.text)}"


def _message(text: str) -> str:
    shown = visible(text)[:_MAX_TEXT]
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _jenkins(issue: Issue) -> str:
    """``path:line: warning: text [RULE]``, which the Warnings plugin reads as it reads a compiler."""
    place = f"{issue.path}:{issue.line}: " if issue.path else ""
    level = {"notice": "note"}.get(issue.level, issue.level)
    return harmless(f"{place}{level}: {issue.text[:_MAX_TEXT]} [{issue.rule}]")


ANNOTATED: dict[str, Callable[[Issue], str]] = {"github": _github, "jenkins": _jenkins}

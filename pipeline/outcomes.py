"""How one module came out of a launch, and what lets a later launch tell the same without doing it again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.codec import harmless
from pipeline.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.errors import PipelineError

__all__ = ["NO_VERDICT", "WORST_FIRST", "Outcome", "Repeat", "failed", "load_repeat", "worst"]

NO_VERDICT = "sem-veredito"
_DETAIL = "repeat"
# What could not be judged is worse than any judgement: nobody knows what it hides.
WORST_FIRST = (
    ExitCode.TERMINATED,
    ExitCode.INTERRUPTED,
    ExitCode.INTEGRITY,
    ExitCode.TOOL,
    ExitCode.INPUT,
    ExitCode.USAGE,
    ExitCode.BLOCKED,
    ExitCode.CONDITIONAL,
    ExitCode.OK,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """``named`` is the module as the command line calls it; the rest is empty where the launch did not come to it.

    ``report`` is relative to the artifacts folder. ``error`` is the one line of a failure. ``unchanged`` says why
    nothing was done again. ``seconds`` is how long it took this time.
    """

    named: str
    exit_code: ExitCode
    module: str = ""
    title: str = ""
    run: str = ""
    verdict: str = NO_VERDICT
    severities: Mapping[str, int] = field(default_factory=dict)
    report: str = ""
    error: str = ""
    unchanged: str = ""
    seconds: float = 0.0

    def facts(self) -> dict[str, object]:
        """What of it stands for a later launch too."""
        return {
            "exit_code": int(self.exit_code),
            "module": self.module,
            "title": self.title,
            "run": self.run,
            "verdict": self.verdict,
            "severities": dict(self.severities),
            "report": self.report,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """What an execution read (kind, place, digest), and wrote (run folder below the artifacts → digest of its sums).

    A folder that was not there has an empty digest. ``days`` is the retention that was asked for.
    """

    read: tuple[tuple[str, str, str], ...]
    wrote: Mapping[str, str]
    outcome: Outcome
    days: int

    def details(self) -> dict[str, object]:
        """For the execution's JSON."""
        read = [list(each) for each in self.read]
        return {_DETAIL: {"read": read, "wrote": dict(self.wrote), "outcome": self.outcome.facts(), "days": self.days}}


def load_repeat(record: bytes) -> Repeat | None:
    """Read an execution's JSON; None where it says nothing of the kind, or says it in another version's way."""
    try:
        details = json.loads(record)["details"][_DETAIL]
        facts = details["outcome"]
        return Repeat(
            read=tuple((str(kind), str(place), str(digest)) for kind, place, digest in details["read"]),
            wrote={str(place): str(digest) for place, digest in details["wrote"].items()},
            outcome=Outcome(
                named="",
                exit_code=ExitCode(facts["exit_code"]),
                severities={str(name): int(count) for name, count in facts["severities"].items()},
                module=str(facts["module"]),
                title=str(facts["title"]),
                run=str(facts["run"]),
                verdict=str(facts["verdict"]),
                report=str(facts["report"]),
            ),
            days=int(details["days"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def failed(named: str, error: PipelineError, seconds: float) -> Outcome:
    """The outcome of a module on which a command could not come to its end."""
    return Outcome(named=named, exit_code=ExitCode(error.exit_code), error=harmless(str(error)), seconds=seconds)


def worst(codes: list[ExitCode]) -> ExitCode:
    """The one exit status of many, by ``WORST_FIRST``."""
    return min(codes, key=WORST_FIRST.index)

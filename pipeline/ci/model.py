"""What a job of CI is, whatever engine runs it: a nox session with its words, what it needs, keeps and may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Input", "Job", "Kept", "Report", "Secret", "Session", "Word", "launcher_words"]

Report = Literal["junit", "codequality", "cyclonedx", "coverage", "sarif", "summary"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A value that whoever uses the jobs chooses; without ``default`` it must be given. ``summary`` is pt-BR.

    ``pattern`` is a regular expression that RE2, ECMA and Python read alike. What is ``supplied`` the engine knows
    itself, and nobody is asked for it.
    """

    name: str
    summary: str
    default: str | None = None
    pattern: str = ""
    supplied: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that carries it into a script, so that no value is ever part of a script's text."""
        return f"APPGEAR_{self.name.replace('-', '_').upper()}"


Word = str | Input


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One nox session and the words after ``--``."""

    name: str
    words: tuple[Word, ...] = ()

    @property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(word for word in self.words if isinstance(word, Input))


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Files that a job leaves: a path from the repository's root, ``*`` for one name, and its media type.

    ``report`` is what a CI system reads it as; empty where it is only kept.
    """

    path: str
    media: str
    report: Report | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """What a job may know: an environment variable, or with ``file`` the variable that holds a private file's path.

    What is not ``required`` may be missing: a proposal from a fork has no secret.
    """

    name: str
    variable: str
    summary: str
    file: bool = False
    required: bool = False

    @property
    def given(self) -> str:
        """The variable in which an engine hands over the secret file, which others may read, before it is copied."""
        return self.variable.removesuffix("_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One job: it is called as its session.

    ``always`` runs it after what it ``needs`` whatever that answered. ``accepts`` are exit codes that warn instead of
    failing. ``publishes`` keeps it from proposed changes. ``stages`` do the same one by one, for engines that give
    each a place of its own. ``minutes`` is the time limit.
    """

    session: Session
    summary: str
    minutes: int
    needs: tuple[str, ...] = ()
    always: bool = False
    accepts: tuple[int, ...] = ()
    keeps: tuple[Kept, ...] = ()
    switch: Input | None = None
    secrets: tuple[Secret, ...] = ()
    publishes: bool = False
    stages: tuple[Session, ...] = ()

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What its command line and its condition take, each once."""
        return tuple(dict.fromkeys((*((self.switch,) if self.switch else ()), *self.session.inputs)))

    @property
    def collects(self) -> bool:
        """Whether reports are gathered for the CI system after the session."""
        return any(each.report in ("sarif", "junit", "codequality", "summary") for each in self.keeps)


def launcher_words(session: Session, values: Mapping[str, str]) -> tuple[str, ...]:
    """What ``ci/nox`` is called with; ``values`` writes each input, by its name."""
    words = [word if isinstance(word, str) else values[word.name] for word in session.words]
    return ("-s", session.name, *(("--", *words) if words else ()))

"""The one error root: a code for programs, one pt-BR line for people, the exit status of contract.md."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "ExitCode",
    "GateError",
    "InputError",
    "IntegrityError",
    "PipelineError",
    "Terminated",
    "ToolError",
    "UsageError",
]


class ExitCode(IntEnum):
    """Process exit statuses; 1 is left to Python's own crash."""

    OK = 0
    USAGE = 2
    INPUT = 3
    TOOL = 4
    INTEGRITY = 5
    BLOCKED = 10
    CONDITIONAL = 11
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM, turned into an exception so that children and locks are let go."""


class PipelineError(Exception):
    """An expected failure.

    ``message`` is one line in pt-BR that says what is wrong; ``where`` names the file (and ``:line``) and
    ``mend`` the next step. All three are shown on one line; none may hold secrets.
    """

    exit_code = ExitCode.TOOL

    def __init__(self, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        mend = f" — {self.mend}" if self.mend else ""
        return f"{place}{self.message}{mend}"


class UsageError(PipelineError):
    """The command line or configuration asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class InputError(PipelineError):
    """What was given to read is bad, or was refused for safety."""

    exit_code = ExitCode.INPUT


class ToolError(PipelineError):
    """A tool is missing or failed, or a check could not run."""

    exit_code = ExitCode.TOOL


class IntegrityError(PipelineError):
    """A hash, a signature or a sequence does not match."""

    exit_code = ExitCode.INTEGRITY


class GateError(PipelineError):
    """A gate says no."""

    exit_code = ExitCode.BLOCKED

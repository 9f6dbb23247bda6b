"""Two ways an expansion ends without Applications: Argo CD would refuse, or its result cannot be known."""

from __future__ import annotations

from pipeline.codec import visible
from pipeline.errors import InputError, ToolError

__all__ = ["Inexact", "Refused", "as_input_error", "as_tool_error", "excerpt"]

_EXCERPT = 60


class Refused(Exception):  # noqa: N818  # says what Argo CD does, not that this program failed
    """Argo CD itself would stop here; the message is pt-BR and says why."""


class Inexact(Exception):  # noqa: N818  # as above
    """The result cannot be known exactly; the message is pt-BR and names the construct."""


def as_input_error(error: Refused, *, where: str, context: str) -> InputError:
    return InputError(f"o Argo CD recusaria {context}: {error}", where=where, mend="corrija o ApplicationSet")


def as_tool_error(error: Inexact, *, where: str, context: str) -> ToolError:
    return ToolError(
        f"não é possível pré-visualizar {context} com exatidão: {error}",
        where=where,
        mend="troque por uma construção suportada ou use o próprio Argo CD",
    )


def excerpt(text: str) -> str:
    """A short, one-line, control-free piece of ``text`` to show in a message."""
    line = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "…"

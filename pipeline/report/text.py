"""Text for people: Markdown that hostile names cannot break, and the words that every report shares."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.domain.finding import FixMode, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.domain.artifact import MapaNc, ModuleInfo
    from pipeline.domain.finding import NonConformity, ObjectRef, Waiver

__all__ = [
    "MODES",
    "block",
    "code",
    "counted",
    "encode",
    "header",
    "object_name",
    "open_findings",
    "place",
    "plain",
    "severity_counts",
    "table",
    "waived_findings",
]

MODES = {
    FixMode.AUTO: "automática",
    FixMode.PARAM: "automática, com um valor da plataforma",
    FixMode.MANUAL: "manual",
}
_REMEMBERED = 500  # characters
# An underscore inside a word is text in every Markdown in use.
_ACTIVE = re.compile(r"([\\`*\[<>|#~&]|(?<![^\W_])_|_(?![^\W_]))")


def plain(text: str) -> str:
    """Text as text: one line, no control characters, nothing that Markdown or HTML would act on.

    Code spans between balanced backticks stay, since rule texts use them.
    """
    return _plain(text) if len(text) < _REMEMBERED else _plain.__wrapped__(text)


@lru_cache(maxsize=1024)  # the texts of a rule come again with each finding
def _plain(text: str) -> str:
    line = " ".join(visible(text).split())
    parts = re.split(r"(`[^`]+`)", line) if "`" in line else (line,)
    return "".join(code(part[1:-1]) if index % 2 else _ACTIVE.sub(r"\\\1", part) for index, part in enumerate(parts))


def code(text: str) -> str:
    """A code span that holds any text, backticks and table bars too."""
    line = " ".join(visible(text).split()).replace("|", "\\|")
    if "`" not in line:
        return f"`{line or ' '}`"
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line or ' '}{padding}{fence}"


def block(text: str, language: str) -> str:
    """A fenced block that holds any text."""
    shown = visible(text).rstrip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are Markdown already."""
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(' --- ' for _ in heads)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def counted(number: int, one: str, many: str) -> str:
    """Number with its noun in the right number."""
    return f"{number} {one if number == 1 else many}"


def encode(lines: Iterable[str]) -> bytes:
    """Paragraphs to a file: one blank line between them, final newline."""
    return ("\n\n".join(line for line in lines if line) + "\n").encode()


def header(stage: str, module: ModuleInfo) -> str:
    """The title that every stage's report has."""
    title = plain(module.title) or plain(module.id)
    version = f" ({plain(module.version)})" if module.version and module.version not in module.title else ""
    return f"# {stage} · {plain(module.id)} · {title}{version}"


def open_findings(mapa: MapaNc) -> list[NonConformity]:
    """Findings that still stand and that no waiver covers."""
    return [each for each in mapa.non_conformities if each.is_open]


def waived_findings(mapa: MapaNc) -> list[tuple[NonConformity, Waiver]]:
    """Findings that somebody answers for until a date."""
    return [
        (each, each.waiver) for each in mapa.non_conformities if each.waiver is not None and each.status != "resolvida"
    ]


def severity_counts(mapa: MapaNc) -> str:
    """``2 CRITICA · 10 ALTA``, the empty ones left out."""
    counts = mapa.summary.by_severity
    return " · ".join(f"**{counts[each]} {each}**" for each in Severity if counts.get(each)) or "nenhuma NC"


def object_name(found: ObjectRef | None) -> str:
    """``Deployment backstage/core-backstage``."""
    if found is None:
        return ""
    return f"{found.kind} {found.namespace + '/' if found.namespace else ''}{found.name}"


def place(finding: NonConformity) -> str:
    """Line in the file and, where they differ, in the document."""
    where = finding.location
    if where.document_line is None or where.path == "doc":
        return f"linha {where.line}"
    return f"linha {where.line} (linha {where.document_line} do documento)"

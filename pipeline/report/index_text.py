"""The index for people and for spreadsheets: aligned columns, and CSV that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.domain.kpi import IndexReport, IndexRow, KpiRow

__all__ = ["columns", "criteria_lines", "kpi_csv", "kpi_lines", "line_rows", "lines_csv"]

_FORMULA = re.compile(r"^\s*[=+\-@|%\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
NONE = "–"


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]], *, most: int = 32) -> list[str]:
    """A table in plain text: each column as wide as its widest cell, of at most ``most`` characters, numbers right."""
    cells = [[_cell(each, most) for each in row] for row in rows]
    widths = [max(len(head), *(len(row[at]) for row in cells)) if cells else len(head) for at, head in enumerate(heads)]
    right = [
        bool(cells) and all(_NUMBER.fullmatch(row[at]) or row[at] == NONE for row in cells) for at in range(len(heads))
    ]

    def line(row: Sequence[str]) -> str:
        parts = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        return "  ".join(parts).rstrip()

    return [line(heads), *map(line, cells)]


def line_rows(rows: Iterable[IndexRow]) -> list[str]:
    """The index, a row for each line."""
    heads = ("LINHA", "DATA", "MÓDULO", "BRANCH", "COMANDO", "VEREDITO", "C/A/M/B", "RISCO", "RUN", "ORIGEM")
    return columns(
        heads,
        [
            (
                str(each.sequence),
                f"{each.recorded_at[:10]} {each.recorded_at[11:16]}",
                each.module,
                each.branch or NONE,
                each.command,
                each.verdict,
                NONE if each.open is None else "/".join(str(each.open.get(severity, 0)) for severity in Severity),
                _text(each.residual_risk),
                each.run,
                NONE if each.origin is None else each.origin[:12],
            )
            for each in rows
        ],
    )


def kpi_lines(report: IndexReport) -> list[str]:
    """The figures of every group, and of all together."""
    rows = [*report.rows, report.total] if len(report.rows) != 1 else list(report.rows)
    return columns(_KPI_HEADS, [_kpi_cells(each) for each in rows])


def criteria_lines(row: KpiRow) -> list[str]:
    """The maturity and what it rests on."""
    shown = [f"maturidade {row.maturity} de 5"]
    return shown + [
        f"  {'sim' if each.met else 'não'}  {each.level} {each.name}: {each.evidence}" for each in row.criteria
    ]


_KPI_HEADS = (
    "GRUPO", "EXEC.", "APROV.", "COND.", "BLOQ.", "ERRO", "C/A/M/B", "RISCO MÉD.", "PIOR", "RESOLVIDAS", "DIAS MÉD.",
    "ABERTAS", "COBERT. %", "SBOM %", "MATUR.",
)  # fmt: skip


def _kpi_cells(row: KpiRow) -> tuple[str, ...]:
    return (
        row.label,
        str(row.executions),
        *(str(row.verdicts.get(each, 0)) for each in ("aprovado", "condicional", "bloqueado")),
        str(row.failed),
        "/".join(str(row.open.get(severity, 0)) for severity in Severity) if row.measured else NONE,
        _text(row.residual_mean),
        _text(row.residual_worst),
        str(row.resolution.resolved),
        _text(row.resolution.mean_days),
        str(row.resolution.still_open),
        _text(row.coverage),
        _text(row.sbom),
        str(row.maturity),
    )


def lines_csv(rows: Iterable[IndexRow]) -> str:
    """Comma-separated, with a header; empty cells are unknown."""
    heads = [
        "linha", "data", "sprint", "modulo", "branch", "commit", "comando", "pipeline", "veredito", "run", "manifesto",
        "guardar_ate", "nc_critica", "nc_alta", "nc_media", "nc_baixa", "risco_residual", "cobertura", "origem",
    ]  # fmt: skip
    return _csv(
        heads,
        (
            [
                each.sequence, each.recorded_at, each.sprint, each.module, each.branch, each.commit, each.command,
                each.pipeline, each.verdict, each.run, each.manifest_sha256, each.keep_until,
                *((each.open or {}).get(severity) for severity in Severity), each.residual_risk, each.coverage,
                each.origin,
            ]
            for each in rows
        ),
    )  # fmt: skip


def kpi_csv(report: IndexReport) -> str:
    """The figures as ``lines_csv`` writes them, the total last."""
    heads = [
        "grupo", "execucoes", "aprovados", "condicionais", "bloqueados", "erros", "nc_critica", "nc_alta", "nc_media",
        "nc_baixa", "risco_medio", "risco_pior", "nc_abertas_no_periodo", "nc_resolvidas", "dias_medios",
        "dias_mediana", "nc_ainda_abertas", "dias_da_mais_antiga", "cobertura", "sbom", "maturidade",
    ]  # fmt: skip
    return _csv(
        heads,
        (
            [
                each.label, each.executions,
                *(each.verdicts.get(name, 0) for name in ("aprovado", "condicional", "bloqueado")), each.failed,
                *(each.open.get(severity) if each.measured else None for severity in Severity), each.residual_mean,
                each.residual_worst, each.resolution.opened, each.resolution.resolved, each.resolution.mean_days,
                each.resolution.median_days, each.resolution.still_open, each.resolution.oldest_days, each.coverage,
                each.sbom, each.maturity,
            ]
            for each in (*report.rows, report.total)
        ),
    )  # fmt: skip


def _csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_guarded(each) for each in row] for row in rows)
    return out.getvalue()


def _guarded(value: object) -> object:
    """A cell that stays text: what a spreadsheet would calculate gets an apostrophe before it; numbers are our own."""
    if not isinstance(value, str):
        return "" if value is None else value
    shown = visible(value).replace("\n", " ").replace("\t", " ")
    return f"'{shown}" if _FORMULA.match(value) else shown


def _cell(text: str, most: int) -> str:
    shown = " ".join(visible(text).split()) or NONE
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _text(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}".removesuffix(".0").replace(".", ",")

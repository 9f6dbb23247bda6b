"""What CI systems read of all modules together: a summary in Markdown, and one file of each report format."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.codec import dump_json
from pipeline.domain.finding import Severity
from pipeline.errors import ToolError
from pipeline.report.text import code, counted, encode, open_findings, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.domain.artifact import Checklist, MapaNc
    from pipeline.domain.finding import NonConformity

__all__ = ["ModuleReports", "merge_code_quality", "merge_sarif", "render_ci_summary"]

_MAX_RESULTS = 25_000  # code scanning takes no more in one upload
_MAX_MODULES = 100
_MAX_FINDINGS = 20
_VERDICTS = ("bloqueado", "condicional", "aprovado")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleReports:
    """One module's run: its documents, and the report files as they were published."""

    run: str
    mapa: MapaNc
    checklist: Checklist | None
    sarif: bytes
    junit: bytes
    code_quality: bytes

    @property
    def verdict(self) -> str:
        return self.checklist.verdict if self.checklist is not None else ""

    @property
    def weight(self) -> tuple[int, tuple[int, ...], str]:
        """Sorts the worst first: verdict, then findings by severity."""
        counts = self.mapa.summary.by_severity
        rank = _VERDICTS.index(self.verdict) if self.verdict in _VERDICTS else len(_VERDICTS)
        return rank, tuple(-counts.get(each, 0) for each in Severity), self.mapa.module.id


def render_ci_summary(modules: Sequence[ModuleReports], *, artifacts: str) -> bytes:
    """``resumo.md``: modules, findings and tests, the worst first; what does not fit is counted."""
    ordered = sorted(modules, key=lambda each: each.weight)
    parts = [f"## AppGear: {_headline(ordered)}", _modules(ordered)]
    findings = sorted(
        ((each, found) for each in ordered for found in open_findings(each.mapa)),
        key=lambda pair: pair[1].severity.rank,
    )
    if findings:
        parts += ["### O que mais pesa", _findings(findings)]
    parts += ["### Verificações (JUnit)", _tests(ordered)]
    parts.append(f"Relatórios completos em {code(f'{artifacts}/reports')}, nos artefatos deste job.")
    return encode(parts)


def _headline(modules: Sequence[ModuleReports]) -> str:
    verdicts = [each.verdict for each in modules]
    told = [f"{verdicts.count(word)} {word}" for word in _VERDICTS if word in verdicts]
    return ", ".join([counted(len(modules), "módulo", "módulos"), *told])


def _modules(modules: Sequence[ModuleReports]) -> str:
    rows = [
        (
            code(each.mapa.module.id),
            plain(each.mapa.module.title),
            each.verdict or "—",
            *(str(each.mapa.summary.by_severity.get(severity, 0)) for severity in Severity),
            str(len(each.mapa.not_run)),
        )
        for each in modules[:_MAX_MODULES]
    ]
    shown = table(("Módulo", "Título", "Veredito", *Severity, "Não julgado"), rows)
    return _with_rest(shown, len(modules) - len(rows), "módulo", "módulos")


def _findings(findings: Sequence[tuple[ModuleReports, NonConformity]]) -> str:
    rows = [
        (
            str(found.severity),
            code(found.id),
            code(found.rule),
            code(f"{found.location.path}:{found.location.line}"),
            plain(found.title),
        )
        for _, found in findings[:_MAX_FINDINGS]
    ]
    return _with_rest(
        table(("Severidade", "NC", "Regra", "Onde", "O que é"), rows), len(findings) - len(rows), "NC", "NC"
    )


def _tests(modules: Sequence[ModuleReports]) -> str:
    rows = []
    for each in modules[:_MAX_MODULES]:
        counts = _counts(each.junit)
        passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
        rows.append(
            (
                code(each.mapa.module.id),
                *(str(number) for number in (passed, counts["failures"], counts["errors"], counts["skipped"])),
            )
        )
    return table(("Módulo", "Passaram", "Falharam", "Não puderam rodar", "Puladas"), rows)


def _counts(junit: bytes) -> dict[str, int]:
    """The totals that the one suite of our own JUnit file states."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    suite = re.search(rb"<testsuite [^>]*>", junit)
    for name in counts:
        found = re.search(rb'\b%s="(\d+)"' % name.encode(), suite[0]) if suite else None
        counts[name] = int(found[1]) if found else 0
    return counts


def _with_rest(shown: str, rest: int, one: str, many: str) -> str:
    return f"{shown}\n\n… e mais {counted(rest, one, many)}." if rest > 0 else shown


def merge_code_quality(reports: Iterable[bytes]) -> bytes:
    """GitLab Code Quality of all modules as one array."""
    return dump_json([each for data in reports for each in json.loads(data)])


def merge_sarif(logs: Iterable[bytes]) -> bytes:
    """One run of all modules, so that a service replaces what it knew of the repository as a whole.

    ToolError beyond the 25 000 results that services take.
    """
    documents = [json.loads(data) for data in logs]
    merged: dict[str, Any] = documents[0]
    run = merged["runs"][0]
    run["automationDetails"] = {"id": "appgear/mapa-nc/"}
    rules = {each["id"]: each for document in documents for each in document["runs"][0]["tool"]["driver"]["rules"]}
    run["tool"]["driver"]["rules"] = list(rules.values())
    index = {name: number for number, name in enumerate(rules)}
    others = [document["runs"][0] for document in documents]
    run["results"] = [
        result | {"ruleIndex": index[result["ruleId"]]} for other in others for result in list(other["results"])
    ]
    run["invocations"] = [each for other in others for each in list(other["invocations"])]
    files = {each["location"]["uri"]: each for other in others for each in list(other["artifacts"])}
    run["artifacts"] = [files[uri] for uri in sorted(files)]
    if len(run["results"]) > _MAX_RESULTS:
        raise ToolError(
            f"{len(run['results'])} achados: o code scanning leva até {_MAX_RESULTS}", mend="divida os módulos em jobs"
        )
    return dump_json(merged)

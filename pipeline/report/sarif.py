"""``mapa_nc.sarif``: SARIF 2.1.0 with the fields that code scanning services read, inside their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.codec import SLOT, dump_json_around, visible
from pipeline.domain.finding import Severity
from pipeline.report.fingerprint import LineHashes
from pipeline.report.text import object_name, open_findings, waived_findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.domain.artifact import MapaNc, RuleInfo
    from pipeline.domain.finding import NonConformity, NotRun

__all__ = ["MAX_RESULTS", "SourceText", "render_sarif"]

_LEVELS = {Severity.CRITICA: "error", Severity.ALTA: "error", Severity.MEDIA: "warning", Severity.BAIXA: "note"}
_SCORES = {Severity.CRITICA: "9.5", Severity.ALTA: "7.5", Severity.MEDIA: "5.0", Severity.BAIXA: "2.0"}
MAX_RESULTS = 25_000
_MAX_TEXT = 1024
_MAX_HASHED = 2 * 1024 * 1024

SourceText = tuple[str, str | None]
"""A committed file: its URI path from the repository's root, and its text; None where it could not be read."""


def render_sarif(
    mapa: MapaNc,
    rules: Sequence[RuleInfo],
    sources: Mapping[str, SourceText],
    *,
    version: str,
    homepage: str,
    most: int = MAX_RESULTS,
) -> bytes:
    """The log. ``sources`` gives, for ``doc`` and each tree file, the committed file that a result points to.

    A finding in an embedded file points to the document. Of more than the 25 000 results that services take the most
    severe are given, and a notification says how many are not.
    """
    every = [*open_findings(mapa), *(each for each, _ in waived_findings(mapa))]
    found = _most_severe(every, most)
    index = {each.id: number for number, each in enumerate(rules)}
    reader = _Sources(sources)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "appgear-pipeline",
                "semanticVersion": version,
                "informationUri": homepage,
                "language": "pt-BR",
                "rules": [_rule(each, homepage) for each in rules],
            }
        },
        "automationDetails": {"id": f"appgear/mapa-nc/{quote(mapa.module.id)}/"},
        "originalUriBaseIds": {"PROJECTROOT": {"description": {"text": "A raiz do repositório auditado."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(mapa, len(found), len(every))],
        "results": [SLOT] if found else [],
        "artifacts": [
            {
                "location": {"uri": quote(uri), "uriBaseId": "PROJECTROOT"},
                "length": len(text.encode("utf-8", "replace")),
            }
            for uri, text in sorted({uri: text for uri, text in sources.values() if text is not None}.items())
        ],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return dump_json_around(log, (_result(each, index[each.rule], reader) for each in found))


class _Sources:
    """Committed files, with their lines and line hashes found once."""

    def __init__(self, sources: Mapping[str, SourceText]) -> None:
        self._sources = sources
        self._lines: dict[str, list[str]] = {}
        self._hashes: dict[str, LineHashes | None] = {}

    def place(self, finding: NonConformity) -> tuple[str, int, str, str]:
        """URI, line, its text and its hash."""
        where = finding.location
        embedded = where.document_line is not None
        uri, read = self._sources["doc" if embedded else where.path]
        text = read or ""
        line = where.document_line or where.line
        if uri not in self._lines:
            self._lines[uri] = text.split("\n")
            self._hashes[uri] = LineHashes(text) if len(text) <= _MAX_HASHED else None
        lines, hashes = self._lines[uri], self._hashes[uri]
        shown = lines[line - 1].removesuffix("\r") if line <= len(lines) else ""
        return uri, line, shown, hashes.of(line) if hashes is not None and line <= len(hashes) else ""


def _result(finding: NonConformity, rule_index: int, sources: _Sources) -> dict[str, Any]:
    uri, line, text, line_hash = sources.place(finding)
    start = len(text) - len(text.lstrip()) + 1
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(uri), "uriBaseId": "PROJECTROOT"},
            "region": {
                "startLine": line,
                "startColumn": start,
                "endLine": line,
                "endColumn": max(start + 1, len(text) + 1),
                "snippet": {"text": finding.snippet},
            },
        }
    }
    if finding.object is not None:
        name = object_name(finding.object)
        location["logicalLocations"] = [
            {"name": finding.object.name, "fullyQualifiedName": visible(name), "kind": "object"}
        ]
    fingerprints = {"appgearNc/v1": finding.fingerprint}
    if line_hash:
        fingerprints["primaryLocationLineHash"] = line_hash
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "kind": "fail",
        "message": {"text": f"{finding.title}. {_sentence(finding.description)} {finding.correction.summary}"},
        "locations": [location],
        "partialFingerprints": fingerprints,
        "properties": {"id": finding.id, "severity": finding.severity, "mode": finding.correction.mode},
    }
    if finding.waiver is not None:
        told = f"{finding.waiver.owner}, até {finding.waiver.end}: {finding.waiver.reason} ({finding.waiver.approval})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": visible(told)}]
    return result


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _rule(rule: RuleInfo, homepage: str) -> dict[str, Any]:
    family = rule.id.partition("-")[0]
    security = rule.severity in (Severity.CRITICA, Severity.ALTA) or family in {"SEC", "EDGE", "MESH", "LLM"}
    properties: dict[str, Any] = {
        "tags": ["appgear", family.lower(), *(["security"] if security else [])],
        "precision": "high",
        "problem.severity": {"error": "error", "warning": "warning", "note": "recommendation"}[_LEVELS[rule.severity]],
    }
    if security:
        properties["security-severity"] = _SCORES[rule.severity]
    sources = "; ".join(rule.sources)
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": _sentence(rule.title)[:_MAX_TEXT]},
        "fullDescription": {"text": rule.explanation[:_MAX_TEXT]},
        "help": {
            "text": f"{rule.remedy} Fonte: {sources}.",
            "markdown": f"{rule.explanation}\n\n**O que fazer:** {rule.remedy}\n\n**Fonte:** {sources}.",
        },
        "helpUri": f"{homepage}/blob/main/docs/regras.md#{rule.id.lower()}",
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": properties,
    }


def _most_severe(findings: list[NonConformity], most: int) -> list[NonConformity]:
    """The first ``most``, open before waived and the worst before the others, in the order of the report."""
    if len(findings) <= most:
        return findings
    ranks = {severity: severity.rank for severity in Severity}
    worst = sorted(
        range(len(findings)), key=lambda at: (findings[at].waiver is not None, ranks[findings[at].severity], at)
    )
    return [findings[at] for at in sorted(worst[:most])]


def _invocation(mapa: MapaNc, given: int, every: int) -> dict[str, Any]:
    crashed = any(each.crashed for each in mapa.not_run)
    notifications = [_notification(each) for each in mapa.not_run]
    if given < every:
        told = f"Aqui estão os {given} achados mais graves de {every}: é o que os serviços de code scanning aceitam."
        notifications.insert(0, {"level": "warning", "message": {"text": f"{told} Todos estão em mapa_nc.json."}})
    return {"executionSuccessful": not crashed, "toolExecutionNotifications": notifications}


def _notification(not_run: NotRun) -> dict[str, Any]:
    where = f" ({not_run.location.path}, linha {not_run.location.line})" if not_run.location else ""
    return {
        "level": "error" if not_run.crashed else "warning",
        "message": {"text": visible(f"{not_run.rule} não pôde julgar{where}: {_sentence(not_run.reason)}")},
        "associatedRule": {"id": not_run.rule},
    }

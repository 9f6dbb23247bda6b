"""The findings for machines: JUnit XML, GitLab Code Quality, and the platform's own YAML."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import yaml

from pipeline.codec import dump_json, visible
from pipeline.domain.finding import Severity
from pipeline.errors import ToolError
from pipeline.report.text import object_name, open_findings, waived_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.artifact import MapaNc, RuleInfo
    from pipeline.domain.finding import NonConformity

__all__ = ["render_audit_yaml", "render_code_quality", "render_junit"]

_GRADES = {Severity.CRITICA: "blocker", Severity.ALTA: "critical", Severity.MEDIA: "major", Severity.BAIXA: "minor"}
_MAX_JUNIT_OBJECTS = 250_000


def render_junit(mapa: MapaNc, rules: Sequence[RuleInfo]) -> bytes:
    """A suite per module: a failure per open NC, an error per thing not judged, a pass per rule that found nothing.

    Names are unique, since consumers keep the first of two equal ones. ToolError beyond what GitLab reads.
    """
    found = open_findings(mapa)
    if len(found) + len(mapa.not_run) + len(rules) > _MAX_JUNIT_OBJECTS // 2:
        raise ToolError(f"{len(found)} achados não cabem em um JUnit XML", mend="audite por partes")
    suite = ET.Element("testsuite", name=visible(f"MAPA_NC {mapa.module.id}"))
    names: Counter[tuple[str, str]] = Counter()
    for each in found:
        name = f"{object_name(each.object) or each.location.path} linha {each.location.line}"
        case = _case(suite, each.rule, name, names, each.location.path)
        failure = ET.SubElement(case, "failure", type=each.severity, message=visible(each.title))
        failure.text = visible(f"{each.id}: {each.description}\n{each.correction.summary}\n{'; '.join(each.sources)}")
    for absent in mapa.not_run:
        path = absent.location.path if absent.location else "módulo"
        case = _case(suite, absent.rule, f"{path} não julgado", names, path)
        ET.SubElement(case, "error", type="não pôde rodar", message=visible(absent.reason))
    for each, waiver in waived_findings(mapa):
        name = f"{object_name(each.object) or each.location.path} linha {each.location.line}"
        case = _case(suite, each.rule, name, names, each.location.path)
        ET.SubElement(case, "skipped", message=visible(f"exceção de {waiver.owner} até {waiver.end}: {waiver.reason}"))
    failed = {each.rule for each in mapa.non_conformities if each.status != "resolvida"} | {
        each.rule for each in mapa.not_run
    }
    for rule in rules:
        if rule.id in failed:
            continue
        case = _case(suite, rule.id, rule.title, names, mapa.module.document or ".")
        if not rule.examined:
            ET.SubElement(case, "skipped", message="nada a examinar neste módulo")
    counts = {tag: sum(1 for _ in suite.iter(tag)) for tag in ("testcase", "failure", "error", "skipped")}
    suite.set("tests", str(counts["testcase"]))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    root = ET.Element("testsuites", name="appgear-pipeline")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ET.Element, rule: str, name: str, names: Counter[tuple[str, str]], path: str) -> ET.Element:
    names[rule, name] += 1
    number = names[rule, name]
    unique = visible(name if number == 1 else f"{name} ({number})")
    return ET.SubElement(suite, "testcase", classname=rule, name=unique, file=visible(path))


def render_code_quality(mapa: MapaNc, paths: dict[str, str]) -> bytes:
    """GitLab Code Quality; ``paths`` gives, for ``doc`` and each tree file, the committed path."""
    return dump_json([_issue(each, paths) for each in open_findings(mapa)])


def _issue(finding: NonConformity, paths: dict[str, str]) -> dict[str, object]:
    where = finding.location
    embedded = where.document_line is not None
    return {
        "check_name": finding.rule,
        "description": f"{finding.title}: {finding.description}",
        "fingerprint": finding.fingerprint,
        "severity": _GRADES[finding.severity],
        "location": {
            "path": paths["doc" if embedded else where.path],
            "lines": {"begin": where.document_line or where.line},
        },
    }


def render_audit_yaml(mapa: MapaNc) -> bytes:
    """``auditoria-modulos.yaml``: the platform's own form, resolved findings included."""
    entries = [
        {
            "id": each.id,
            "severidade": str(each.severity),
            "status": each.status,
            "descricao": f"{each.rule}: {each.description}",
            "fonte": "; ".join(each.sources),
        }
        for each in mapa.non_conformities
    ]
    text = yaml.dump({mapa.module.id: entries}, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False, width=120)
    return str(text).encode()

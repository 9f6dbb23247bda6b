"""The findings for machines: JUnit XML, GitLab Code Quality, and the platform's own YAML."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import yaml

from pipeline.codec import SLOT, dump_json, visible
from pipeline.domain.finding import Severity
from pipeline.errors import ToolError
from pipeline.report.text import object_name, open_findings, waived_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.artifact import MapaNc, RuleInfo
    from pipeline.domain.finding import NonConformity

__all__ = ["render_audit_yaml", "render_code_quality", "render_junit"]

_GRADES = {Severity.CRITICA: "blocker", Severity.ALTA: "critical", Severity.MEDIA: "major", Severity.BAIXA: "minor"}
_TEXT = "tag:yaml.org,2002:str"
_REMEMBERED = 500
_OPEN_MAP = yaml.MappingStartEvent(anchor=None, tag=None, implicit=True, flow_style=False)
_CLOSE_MAP = yaml.MappingEndEvent()
_MAX_JUNIT_OBJECTS = 250_000
_OUTCOMES = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_IN_ATTRIBUTE = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#09;"}


def render_junit(mapa: MapaNc, rules: Sequence[RuleInfo]) -> bytes:
    """A suite per module: a failure per open NC, an error per thing not judged, a pass per rule that found nothing.

    Names are unique, since consumers keep the first of two equal ones. ToolError beyond what GitLab reads.
    """
    found = open_findings(mapa)
    if len(found) + len(mapa.not_run) + len(rules) > _MAX_JUNIT_OBJECTS // 2:
        raise ToolError(f"{len(found)} achados não cabem em um JUnit XML", mend="audite por partes")
    suite = _Suite()
    for each in found:
        told = visible(f"{each.id}: {each.description}\n{each.correction.summary}\n{'; '.join(each.sources)}")
        failure = _element("failure", type=each.severity, message=visible(each.title), inside=told)
        suite.add(each.rule, _subject(each), each.location.path, failure)
    for absent in mapa.not_run:
        path = absent.location.path if absent.location else "módulo"
        error = _element("error", type="não pôde rodar", message=visible(absent.reason))
        suite.add(absent.rule, f"{path} não julgado", path, error)
    for each, waiver in waived_findings(mapa):
        told = visible(f"exceção de {waiver.owner} até {waiver.end}: {waiver.reason}")
        suite.add(each.rule, _subject(each), each.location.path, _element("skipped", message=told))
    failed = {each.rule for each in mapa.non_conformities if each.status != "resolvida"} | {
        each.rule for each in mapa.not_run
    }
    for rule in rules:
        if rule.id not in failed:
            idle = "" if rule.examined else _element("skipped", message="nada a examinar neste módulo")
            suite.add(rule.id, rule.title, mapa.module.document or ".", idle)
    return suite.render(visible(f"MAPA_NC {mapa.module.id}"))


def _subject(finding: NonConformity) -> str:
    return f"{object_name(finding.object) or finding.location.path} linha {finding.location.line}"


class _Suite:
    """Test cases as text: a tree of elements for tens of thousands of findings takes ten times the memory."""

    def __init__(self) -> None:
        self._cases = BytesIO()
        self._names: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[str] = Counter()

    def add(self, rule: str, name: str, path: str, outcome: str) -> None:
        """A case with an element that says how it ended; without one it passed."""
        self._names[rule, name] += 1
        number = self._names[rule, name]
        unique = visible(name if number == 1 else f"{name} ({number})")
        inside = f"\n      {outcome}\n    " if outcome else ""
        case = _element("testcase", classname=rule, name=unique, file=visible(path), markup=inside)
        self._cases.write(f"    {case}\n".encode())
        self._outcomes[outcome[1:].partition(" ")[0]] += 1

    def render(self, name: str) -> bytes:
        counts = {attribute: str(self._outcomes[outcome]) for outcome, attribute in _OUTCOMES.items()}
        cases = f"\n{SLOT}  "
        suite = _element("testsuite", name=name, tests=str(self._outcomes.total()), **counts, markup=cases)
        root = _element("testsuites", name="appgear-pipeline", markup=f"\n  {suite}\n")
        head, _, tail = f"<?xml version='1.0' encoding='utf-8'?>\n{root}\n".partition(SLOT)
        return head.encode() + self._cases.getvalue() + tail.encode()


def _element(tag: str, *, inside: str = "", markup: str = "", **attributes: str) -> str:
    """One element, its text escaped; ``markup`` is XML already."""
    named = "".join(f' {key}="{escape(value, _IN_ATTRIBUTE)}"' for key, value in attributes.items())
    content = markup or escape(inside)
    return f"<{tag}{named}>{content}</{tag}>" if content else f"<{tag}{named} />"


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
    text = yaml.emit(_audit_events(mapa), Dumper=yaml.CSafeDumper, allow_unicode=True, width=120)
    return str(text).encode()


def _audit_events(mapa: MapaNc) -> Iterator[yaml.Event]:
    """What ``yaml.dump`` would have the emitter write, without a tree of nodes between."""
    scalar = _Scalars()
    begin = [yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False), _OPEN_MAP, scalar(mapa.module.id)]
    yield from begin
    yield yaml.SequenceStartEvent(anchor=None, tag=None, implicit=True, flow_style=not mapa.non_conformities)
    for each in mapa.non_conformities:
        yield _OPEN_MAP
        for key, value in (
            ("id", each.id),
            ("severidade", str(each.severity)),
            ("status", each.status),
            ("descricao", f"{each.rule}: {each.description}"),
            ("fonte", "; ".join(each.sources)),
        ):
            yield scalar(key)
            yield scalar(value)
        yield _CLOSE_MAP
    yield from (yaml.SequenceEndEvent(), _CLOSE_MAP, yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent())


class _Scalars:
    """Texts as events: plain where a reader would take them for texts. Each text is looked at once."""

    def __init__(self) -> None:
        self._resolver = yaml.resolver.Resolver()
        self._known: dict[str, yaml.ScalarEvent] = {}

    def __call__(self, text: str) -> yaml.ScalarEvent:
        event = self._known.get(text)
        if event is None:
            tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
            plain = tag == _TEXT
            event = yaml.ScalarEvent(anchor=None, tag=_TEXT, implicit=(plain, True), value=text)
            if len(self._known) < _REMEMBERED:
                self._known[text] = event
        return event

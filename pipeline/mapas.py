"""The MAPA_NC as a document: what an audit found, with the files it read and the counts that gates look at."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.domain.artifact import FileEntry, FileOrigin, MapaNc, SourceInfo, Summary
from pipeline.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.domain.artifact import ModuleInfo
    from pipeline.domain.finding import IgnoredWaiver, NonConformity, NonConformityMap
    from pipeline.domain.snapshot import ModuleSnapshot, SourceFile

__all__ = ["build_mapa", "open_of"]


def build_mapa(
    snapshot: ModuleSnapshot,
    result: NonConformityMap,
    findings: Sequence[NonConformity],
    *,
    run: str,
    module: ModuleInfo,
    ignored_waivers: tuple[IgnoredWaiver, ...],
) -> MapaNc:
    """The document of one audit; ``findings`` are those of ``result`` with their waivers."""
    state = snapshot.source
    return MapaNc(
        run=run,
        module=module,
        source=SourceInfo(commit=state.commit, branch=state.branch, dirty=state.dirty),
        files=tuple(_entry(each) for each in snapshot.files),
        non_conformities=tuple(findings),
        summary=_summary(findings),
        examined=result.examined,
        not_run=result.not_run,
        ignored_waivers=ignored_waivers,
    )


def open_of(findings: Iterable[NonConformity]) -> list[NonConformity]:
    """Those that still count."""
    return [each for each in findings if each.is_open]


def _entry(file: SourceFile) -> FileEntry:
    origin = FileOrigin(kind=file.origin.kind, document_line=file.origin.document_line)
    return FileEntry(path="doc" if file.fragment else file.path, sha256=file.sha256, origin=origin)


def _summary(findings: Iterable[NonConformity]) -> Summary:
    findings = list(findings)
    open_findings = open_of(findings)
    severities = Counter(each.severity for each in open_findings)
    rules = Counter(each.rule for each in open_findings)
    return Summary(
        total=len(open_findings),
        waived=sum(1 for each in findings if each.waiver is not None and each.status != "resolvida"),
        by_severity={severity: severities[severity] for severity in Severity},
        by_rule=dict(sorted(rules.items())),
    )

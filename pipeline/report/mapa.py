"""``mapa_nc.md``: the findings, file by file, as a reviewer works through them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.finding import FixMode
from pipeline.report.text import (
    MODES,
    block,
    code,
    counted,
    encode,
    header,
    object_name,
    open_findings,
    place,
    plain,
    severity_counts,
    table,
    waived_findings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.domain.artifact import MapaNc, RuleInfo
    from pipeline.domain.finding import NonConformity

__all__ = ["FindingGroup", "group_findings", "mapa_sections", "render_mapa"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingGroup:
    """Findings of one rule in one object of one file: told once, corrected together."""

    path: str
    findings: tuple[NonConformity, ...]

    @property
    def first(self) -> NonConformity:
        return self.findings[0]


def group_findings(findings: Sequence[NonConformity]) -> list[FindingGroup]:
    """Groups in the order of the findings, files together."""
    files: dict[str, dict[tuple[object, ...], list[NonConformity]]] = {}
    for each in findings:
        groups = files.setdefault(each.location.path, {})
        groups.setdefault((each.rule, each.object, each.correction.mode), []).append(each)
    return [
        FindingGroup(path=path, findings=tuple(members))
        for path, groups in files.items()
        for members in groups.values()
    ]


def render_mapa(mapa: MapaNc, rules: Sequence[RuleInfo], diffs: Mapping[str, str]) -> bytes:
    """The report. ``diffs`` holds, by the id of a group's first finding, what its correction changes."""
    return encode([header("MAPA_NC", mapa.module), *mapa_sections(mapa, rules, diffs, level=2)])


def mapa_sections(mapa: MapaNc, rules: Sequence[RuleInfo], diffs: Mapping[str, str], *, level: int) -> Iterator[str]:
    """Everything below the title; ``level`` is that of the first headings."""
    mark = "#" * level
    found = open_findings(mapa)
    yield _opening(mapa, found)
    yield _facts(mapa)
    if found:
        yield f"{mark} Resumo por regra"
        yield _by_rule(found)
        yield from _files(mapa, found, diffs, mark)
    yield from _waived(mapa, mark)
    yield from _resolved(mapa, mark)
    yield from _not_judged(mapa, mark)
    if rules:
        yield f"{mark} O que foi examinado"
        yield _examined(rules)


def _opening(mapa: MapaNc, found: Sequence[NonConformity]) -> str:
    if not found:
        judged = sum(mapa.examined.values())
        return f"> Nenhuma NC em {counted(judged, 'verificação', 'verificações')} sobre {_size(mapa)}."
    modes = Counter(each.correction.mode for each in found)
    parts = [
        f"{modes[FixMode.AUTO]} a ferramenta corrige sozinha",
        f"{modes[FixMode.PARAM]} corrige com um valor de `[parameters]`",
        f"{modes[FixMode.MANUAL]} pedem uma pessoa",
    ]
    return f"> {counted(len(found), 'NC aberta', 'NC abertas')}: {severity_counts(mapa)}. Destas, {'; '.join(parts)}."


def _size(mapa: MapaNc) -> str:
    return counted(len(mapa.files), "arquivo", "arquivos")


def _facts(mapa: MapaNc) -> str:
    source = mapa.source
    commit = f"{code(source.commit[:12])} ({plain(source.branch or 'sem branch')})" if source.commit else "fora de git"
    rows = [
        ("Documento", code(mapa.module.document) if mapa.module.document else "nenhum: só a árvore"),
        ("Arquivos lidos", str(len(mapa.files))),
        ("Commit", commit + (", com alterações não commitadas" if source.dirty else "")),
        ("SHA-256 do conteúdo", code(mapa.module.sha256)),
        ("Execução", code(mapa.run)),
    ]
    return table(("O que foi auditado", ""), rows)


def _by_rule(found: Sequence[NonConformity]) -> str:
    rows: dict[str, list[NonConformity]] = {}
    for each in sorted(found, key=lambda each: (each.severity.rank, each.rule)):
        rows.setdefault(each.rule, []).append(each)
    return table(
        ("Regra", "Severidade", "NC", "Correção", "O que é"),
        (
            (
                code(rule),
                members[0].severity,
                str(len(members)),
                ", ".join(sorted({MODES[each.correction.mode].split(",")[0] for each in members})),
                plain(members[0].title),
            )
            for rule, members in rows.items()
        ),
    )


def _files(mapa: MapaNc, found: Sequence[NonConformity], diffs: Mapping[str, str], mark: str) -> Iterator[str]:
    origins = {each.path: each.origin for each in mapa.files}
    path: str | None = None
    groups = group_findings(found)
    sizes = Counter(each.location.path for each in found)
    for group in groups:
        if group.path != path:
            path = group.path
            origin = origins.get(path)
            line = f", a partir da linha {origin.document_line} do documento" if origin and origin.document_line else ""
            name = "O próprio documento" if path == "doc" else code(path)
            yield f"{mark} {name}: {counted(sizes[path], 'NC', 'NC')}{'' if path == 'doc' else line}"
        yield from _group(group, diffs, mark + "#")


def _group(group: FindingGroup, diffs: Mapping[str, str], mark: str) -> Iterator[str]:
    first = group.first
    worst = min((each.severity for each in group.findings), key=lambda severity: severity.rank)
    owner = f" em {code(object_name(first.object))}" if first.object else ""
    yield f"{mark} {worst} · {first.rule} · {plain(first.title)}{owner}"
    yield "\n".join(_line(each) for each in group.findings)
    if len(group.findings) == 1 and first.snippet:
        yield block(f"{first.location.line} | {first.snippet}", "")  # no line of a module stands at the margin
    yield f"**Por quê:** {plain(first.explanation)} Fonte: {plain('; '.join(first.sources))}."
    yield (
        f"**O que fazer:** {plain(first.correction.summary)} Correção {MODES[first.correction.mode]}; "
        f"{plain(first.responsible)}, em até {counted(first.due_days, 'dia', 'dias')}."
    )
    if diffs.get(first.id):
        yield block(diffs[first.id], "diff")


def _line(finding: NonConformity) -> str:
    path = f", em {code(finding.location.yaml_path)}" if finding.location.yaml_path else ""
    status = " *(pendente desde antes)*" if finding.status == "pendente" else ""
    return f"- **{plain(finding.id)}**, {place(finding)}{path}: {plain(finding.description)}{status}"


def _waived(mapa: MapaNc, mark: str) -> Iterator[str]:
    waived = waived_findings(mapa)
    if waived:
        yield f"{mark} Sob exceção"
        yield "Continuam sendo NC: alguém responde por elas até a data."
        yield table(
            ("NC", "Regra", "Onde", "Responsável", "Motivo", "Risco residual", "Até", "Aprovação"),
            (
                (
                    plain(each.id),
                    code(each.rule),
                    f"{code(each.location.path)} {place(each)}",
                    plain(waiver.owner),
                    plain(waiver.reason),
                    plain(waiver.residual_risk),
                    waiver.end,
                    plain(waiver.approval),
                )
                for each, waiver in waived
            ),
        )
    if mapa.ignored_waivers:
        yield f"{mark} Exceções que não valem"
        yield "\n".join(
            f"- {plain(each.place)} ({plain(each.rule)}): {plain(each.reason)}" for each in mapa.ignored_waivers
        )


def _resolved(mapa: MapaNc, mark: str) -> Iterator[str]:
    gone = [each for each in mapa.non_conformities if each.status == "resolvida"]
    if gone:
        yield f"{mark} Resolvidas desde a referência"
        yield "\n".join(f"- {plain(each.id)}: {each.rule}, {plain(each.description)}" for each in gone)


def _not_judged(mapa: MapaNc, mark: str) -> Iterator[str]:
    if not mapa.not_run:
        return
    yield f"{mark} O que não pôde ser julgado"
    yield "Isto não é aprovação: cada item precisa de uma pessoa, ou de uma regra que o conheça."
    yield table(
        ("Regra", "Onde", "Motivo"),
        (
            (
                code(each.rule),
                f"{code(each.location.path)} linha {each.location.line}" if each.location else "o módulo",
                ("**a regra falhou**: " if each.crashed else "") + plain(each.reason),
            )
            for each in mapa.not_run
        ),
    )


def _examined(rules: Sequence[RuleInfo]) -> str:
    idle = [each.id for each in rules if not each.examined]
    judged = sorted((each for each in rules if each.examined), key=lambda each: each.id)
    shown = table(
        ("Regra", "Severidade", "Examinados", "O que verifica"),
        ((code(each.id), each.severity, str(each.examined), plain(each.title)) for each in judged),
    )
    if not idle:
        return shown
    return f"{shown}\n\nSem objeto neste módulo (nada a examinar): {', '.join(code(each) for each in idle)}."

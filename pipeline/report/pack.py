"""``evidencias.html``: the pack as one page, in the order in which a Change Control Board reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.domain.evidence import ROLES
from pipeline.domain.finding import Severity
from pipeline.report.opinion import IMPACT_WORDS, STATUS_WORDS
from pipeline.report.pack_exceptions import accepted_risks
from pipeline.report.pack_iso import INTERPRETATIONS, ISO_ROWS, NON_GOALS
from pipeline.report.pack_pictures import draw_history, draw_risk, draw_time
from pipeline.report.pack_recipe import ROLE_NAMES, WORDS
from pipeline.report.pages import page_template
from pipeline.report.text import MODES, counted, object_name, open_findings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.artifact import Checklist, CorrectionPlan, MapaNc, Rewrite
    from pipeline.domain.evidence import Board, Manifest
    from pipeline.domain.finding import NonConformity
    from pipeline.domain.opinion import Opinion
    from pipeline.flow.answers import SuiteResults
    from pipeline.report.pack_change import ApplicationChange, ComponentChange, ImageFacts, SbomFacts
    from pipeline.report.pack_pictures import Past

__all__ = ["PackPage", "render_page"]

_STATES = {
    "ok": "OK",
    "failed": "NOK (falhou)",
    "missing": "NOK (falta)",
    "could-not-run": "NOK (não pôde rodar)",
    "not-applicable": "N.A.",
}
_MAX_ROWS = 500
_MAX_PLACES = 8
_KINDS = {"CRITICA": "crit", "ALTA": "alta", "MEDIA": "media", "BAIXA": "baixa"}
_BUILDERS = {
    "laptop": "computador pessoal",
    "self-hosted": "executor próprio de CI",
    "hosted": "executor do serviço de CI",
}


@dataclass(frozen=True, kw_only=True)
class PackPage:
    """What the page shows; None is what no stage of the run has made, and the page says so.

    Changes are against the module's ``previous`` pack. ``history`` is the module's packs, this one last. ``readings``
    are (rule, title, how the norm was read). ``verified``: a trust file was given.
    """

    manifest: Manifest
    root: str
    checklist: Checklist
    mapa: MapaNc
    after: MapaNc
    plan: CorrectionPlan
    rewrite: Rewrite
    board: Board
    verified: bool
    environment: str
    tests: SuiteResults | None
    opinion: Opinion | None
    image: ImageFacts | None
    applications: ApplicationChange | None
    components: ComponentChange | None
    sboms: tuple[SbomFacts, ...]
    previous: str | None
    history: tuple[Past, ...]
    readings: tuple[tuple[str, str, str], ...]
    keyid: str
    builder: str
    version: str


def render_page(page: PackPage, *, base: str) -> bytes:
    """The page; ``base`` leads from it to the folder that the manifest's paths are relative to."""
    before, after = open_findings(page.mapa), sorted(open_findings(page.after), key=lambda each: each.severity.rank)
    nok = sorted((each for each in page.checklist.items if each.result == "NOK"), key=lambda each: each.severity.rank)
    accepted = accepted_risks(page.mapa, page.board)
    text = page_template("evidencias.html.j2").render(
        page=page,
        base=base,
        manifest=page.manifest,
        checklist=page.checklist,
        question=_question(page),
        nok=nok,
        matrices=(
            ("Antes", draw_risk(before, "antes", f"Na origem: {counted(len(before), 'NC', 'NC')} em aberto")),
            ("Depois", draw_risk(after, "depois", f"Depois da reescrita: {counted(len(after), 'NC', 'NC')} em aberto")),
        ),
        timeline=draw_time(page.manifest, page.board, accepted),
        trend=draw_history(page.history),
        counts=[(each, _KINDS[each], _count(before, each), _count(after, each)) for each in Severity],
        before=before,
        groups=_grouped(after)[:_MAX_ROWS],
        after_total=len(after),
        actions=page.plan.actions[:_MAX_ROWS],
        waiting=[each for each in page.plan.actions if each.decisions],
        states=_STATES,
        kinds=_KINDS,
        modes=MODES,
        impacts=IMPACT_WORDS,
        gateway=STATUS_WORDS,
        most=_MAX_ROWS,
        places=_MAX_PLACES,
        files=_by_stage(page.manifest),
        board=_board(page),
        accepted=accepted,
        role_names=ROLE_NAMES,
        words=WORDS,
        builder=_BUILDERS.get(page.builder.partition("/")[0], page.builder),
        iso=ISO_ROWS,
        interpretations=INTERPRETATIONS,
        non_goals=NON_GOALS,
        changed=sum(1 for each in page.rewrite.files if each.sha256 != each.before),
        object_name=object_name,
        counted=counted,
    )
    return text.encode()


def _question(page: PackPage) -> tuple[str, str]:
    """What is asked of the board, and the class that colours it."""
    board, verdict = page.board, page.manifest.verdict
    if verdict == "bloqueado":
        return "Nada a decidir: há item crítico em aberto. O pacote não pode ser liberado.", "crit"
    if board.vetoes:
        return f"Liberação negada por {board.vetoes[0].name} ({ROLE_NAMES[board.vetoes[0].decision.role]}).", "crit"
    if board.released:
        ends = min(each.decision.expires_at for each in board.accepted)
        how = "decisão registrada e verificada" if board.verified else "decisão declarada, não verificada"
        until = f"{ends[8:10]}/{ends[5:7]}/{ends[:4]}"
        return f"Liberado para {page.environment}: {how}, válida até {until}.", "ok" if board.verified else "media"
    missing = ", ".join(ROLE_NAMES[each.role] for each in board.missing)
    asked = "aprovar a entrega" if verdict == "aprovado" else "decidir sobre os itens NOK abaixo"
    return f"Pede-se ao CCB {asked} em {page.environment}. Falta a manifestação de: {missing}.", "media"


def _board(page: PackPage) -> list[tuple[str, list[Any], int]]:
    """Each role, who spoke, how many are missing."""
    lines = page.board.accepted
    missing = {each.role: each.needed for each in page.board.missing}
    return [
        (ROLE_NAMES[role], [each for each in lines if each.decision.role == role], missing.get(role, 0))
        for role in ROLES
    ]


def _grouped(findings: Iterable[NonConformity]) -> list[tuple[NonConformity, list[NonConformity]]]:
    """Findings of one rule with one correction, told once: the first, and all of them."""
    groups: dict[tuple[object, ...], list[NonConformity]] = {}
    for each in findings:
        groups.setdefault((each.rule, each.severity, each.title, each.correction.summary), []).append(each)
    return [(members[0], members) for members in groups.values()]


def _count(findings: Iterable[NonConformity], severity: Severity) -> int:
    return sum(each.severity is severity for each in findings)


def _by_stage(manifest: Manifest) -> list[tuple[str, list[Any]]]:
    stages: dict[str, list[Any]] = {}
    for each in manifest.files:
        stages.setdefault(each.stage, []).append(each)
    return sorted(stages.items())

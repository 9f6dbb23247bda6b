"""``evidencias.html``: the pack as one page, in the order in which a Change Control Board reads."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.codec import visible
from pipeline.domain.evidence import ROLES
from pipeline.domain.finding import Severity
from pipeline.report.pack_iso import INTERPRETATIONS, ISO_ROWS, NON_GOALS
from pipeline.report.pack_matrix import LIKELIHOODS, draw_matrix, likelihood
from pipeline.report.pack_recipe import ROLE_NAMES, WORDS
from pipeline.report.text import MODES, counted, object_name, open_findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2 import Environment, Template
    from markupsafe import Markup

    from pipeline.domain.artifact import Checklist, CorrectionPlan, MapaNc, Rewrite
    from pipeline.domain.evidence import Board, Manifest
    from pipeline.domain.finding import NonConformity

__all__ = ["PackPage", "render_page"]

_TEMPLATES = Path(__file__).parent / "templates"
_STATES = {
    "ok": "OK",
    "failed": "NOK (falhou)",
    "missing": "NOK (falta)",
    "could-not-run": "NOK (não pôde rodar)",
    "not-applicable": "N.A.",
}
_MAX_ROWS = 500
_KINDS = {"CRITICA": "crit", "ALTA": "alta", "MEDIA": "media", "BAIXA": "baixa"}
_BUILDERS = {
    "laptop": "computador pessoal",
    "self-hosted": "executor próprio de CI",
    "hosted": "executor do serviço de CI",
}


@dataclass(frozen=True, kw_only=True)
class PackPage:
    """What the page shows. Documents of other stages (``opinion``, ``image``) are as found, empty where absent.

    ``applications`` are multi-document YAML; ``components`` package URLs; the ``_before`` ones come from the module's
    ``previous`` pack. ``tests`` are passed, failed, coverage in per cent. ``verified``: a trust file was given.
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
    tests: tuple[int, int, float] | None
    opinion: Mapping[str, Any]
    image: Mapping[str, Any]
    applications: str | None
    applications_before: str | None
    components: frozenset[str] | None
    components_before: frozenset[str] | None
    previous: str | None
    keyid: str
    builder: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Difference:
    """Names that one state has and the other has not; ``known`` is False where there is nothing to compare with."""

    known: bool
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    total: int = field(default=0)


def render_page(page: PackPage, *, base: str) -> bytes:
    """The page; ``base`` leads from it to the folder that the manifest's paths are relative to."""
    before, after = open_findings(page.mapa), sorted(open_findings(page.after), key=lambda each: each.severity.rank)
    nok = sorted((each for each in page.checklist.items if each.result == "NOK"), key=lambda each: each.severity.rank)
    applications = _applications(page.applications)
    text = _template().render(
        page=page,
        base=base,
        manifest=page.manifest,
        checklist=page.checklist,
        question=_question(page),
        nok=nok,
        names=sorted(applications),
        matrices=(
            ("antes", "Antes", draw_matrix(_cells(before), "antes")),
            ("depois", "Depois", draw_matrix(_cells(after), "depois")),
        ),
        counts=[(each, _KINDS[each], _count(before, each), _count(after, each)) for each in Severity],
        before=before,
        after=after[:_MAX_ROWS],
        after_total=len(after),
        actions=page.plan.actions[:_MAX_ROWS],
        waiting=[each for each in page.plan.actions if each.decisions],
        states=_STATES,
        kinds=_KINDS,
        modes=MODES,
        applications=_difference(applications, _applications(page.applications_before), page.applications_before),
        has_applications=page.applications is not None,
        components=_difference(
            dict.fromkeys(page.components or ()),
            dict.fromkeys(page.components_before or ()),
            page.components_before or None,
        ),
        image=_image(page.image),
        opinion=_opinion(page.opinion),
        files=_by_stage(page.manifest),
        board=_board(page),
        exceptions=[(each.name, one) for each in page.board.accepted for one in each.decision.exceptions],
        role_names=ROLE_NAMES,
        words=WORDS,
        builder=_BUILDERS.get(page.builder.partition("/")[0], page.builder),
        iso=ISO_ROWS,
        interpretations=INTERPRETATIONS,
        non_goals=NON_GOALS,
        likelihoods=LIKELIHOODS,
        changed=sum(1 for each in page.rewrite.files if each.sha256 != each.before),
        object_name=object_name,
        counted=counted,
    )
    return text.encode()


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # only this page needs it

    environment: Environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # by decree: Jinja2 would look at the file's ending, and miss
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["coded"] = _coded
    environment.filters["day"] = lambda text: f"{text[8:10]}/{text[5:7]}/{text[:4]}" if text else ""
    return environment.get_template("evidencias.html.j2")


def _coded(text: str) -> Markup:
    """Text with what stands between backticks as code; both are escaped."""
    from markupsafe import Markup  # noqa: PLC0415  # comes with Jinja2

    parts = re.split(r"`([^`]+)`", visible(text))
    shown = (Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts))
    return Markup("").join(shown)


def _shown(value: object) -> object:
    """Every text that the page prints, without controls and bidi marks; markup of our own stays markup."""
    if type(value) is str:
        return visible(value)
    return "" if value is None else value


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
        return f"Liberado para {page.environment}: {how}, válida até {ends[:10]}.", "ok" if board.verified else "media"
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


def _count(findings: Iterable[NonConformity], severity: Severity) -> int:
    return sum(each.severity is severity for each in findings)


def _cells(findings: Iterable[NonConformity]) -> Counter[tuple[Severity, int]]:
    """Findings by impact (severity) and likelihood (how often their rule was broken here)."""
    listed = list(findings)
    often = Counter(each.rule for each in listed)
    return Counter((each.severity, likelihood(often[each.rule])) for each in listed)


def _applications(text: str | None) -> dict[str, Any]:
    """Applications by name; the YAML is this toolkit's own."""
    if not text:
        return {}
    import yaml  # noqa: PLC0415

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = (each for each in yaml.load_all(text, Loader=loader) if isinstance(each, dict))
    return {str((each.get("metadata") or {}).get("name", "")): each for each in found}


def _difference(now: Mapping[str, Any], before: Mapping[str, Any], basis: object) -> _Difference:
    if basis is None:
        return _Difference(known=False, total=len(now))
    return _Difference(
        known=True,
        added=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(sorted(name for name in now.keys() & before.keys() if now[name] != before[name])),
        removed=tuple(sorted(before.keys() - now.keys())),
        total=len(now),
    )


def _image(image: Mapping[str, Any]) -> dict[str, str]:
    base = image.get("base")
    named = base if isinstance(base, dict) else {}
    return {
        "name": str(image.get("name", "")),
        "digest": str(image.get("digest", "")),
        "base": str(named.get("reference", "")),
    }


def _opinion(opinion: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of contract.md, whatever else the document holds; empty without one."""
    if not opinion:
        return {}
    texts = ("engine", "model", "risk_score", "impact", "recommendation", "residual_risk")
    lists = ("conditions", "suggestions", "factors")
    shown: dict[str, Any] = {key: str(opinion.get(key) or "") for key in texts}
    for key in lists:
        value = opinion.get(key)
        shown[key] = [_told(each) for each in value] if isinstance(value, list) else []
    return shown


def _told(value: object) -> str:
    """A line of the opinion: a text, or a risk factor with its points."""
    if isinstance(value, dict):
        return f"{value.get('title', '')}: {value.get('points', '')} de {value.get('axis', '')}"
    return str(value)


def _by_stage(manifest: Manifest) -> list[tuple[str, list[Any]]]:
    stages: dict[str, list[Any]] = {}
    for each in manifest.files:
        stages.setdefault(each.stage, []).append(each)
    return sorted(stages.items())

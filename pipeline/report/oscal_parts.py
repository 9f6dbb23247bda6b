"""Pieces that both OSCAL documents share: identifiers, texts, observations, findings, risks with their responses."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid5

from pipeline.report.pack_pictures import LIKELIHOODS, likelihood
from pipeline.report.text import object_name, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.domain.artifact import Action, CorrectionPlan, MapaNc
    from pipeline.domain.evidence import Accepted, RiskException
    from pipeline.domain.finding import NonConformity

__all__ = ["NAMESPACE", "OscalParts", "identify", "line", "prop", "token", "without_empty"]

NAMESPACE = "https://github.com/appgear/appgear-pipeline/ns/oscal"
_SPACE = UUID("6f0d2a0e-3b0f-5c55-9a7c-0d1f5d8a5e11")  # any constant: it makes the names below ours
_TIME = "%Y-%m-%dT%H:%M:%SZ"
Audit = Literal["origem", "reescrito"]


def identify(*parts: str) -> str:
    """UUIDv5 of what the thing is: the same thing has the same identifier in every document and on every machine."""
    return str(uuid5(_SPACE, "\0".join(parts)))


def line(text: str) -> str:
    """A markup line: never empty, one line, nothing that Markdown or HTML would act on."""
    return plain(text).strip() or "(sem texto)"


def token(text: str) -> str:
    """Text as an XML name without a colon, which is what OSCAL takes for roles and objectives."""
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")
    return cleaned if re.match(r"[A-Za-z_]", cleaned) else f"_{cleaned}"


@lru_cache(maxsize=256)
def prop(name: str, value: object) -> dict[str, Any]:
    """A property of our own; its value is a text without space at its ends. Rules and severities share theirs."""
    return {"name": name, "ns": NAMESPACE, "value": line(str(value))}


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """A copy without empty lists and None: OSCAL wants a list to hold something, or to be left out."""
    return {key: each for key, each in value.items() if each is not None and each != [] and each != {}}


@dataclass(frozen=True, kw_only=True)
class OscalParts:
    """Renderer of one run's facts. ``evidence`` names the resource of each audit's file; ``decided`` counts in it.

    ``moment`` is the run's reproducible time; ``dated`` is False where there is none, and then nothing has a deadline.
    """

    mapa: MapaNc
    after: MapaNc
    plan: CorrectionPlan
    decided: tuple[Accepted, ...]
    evidence: dict[Audit, str]
    moment: str
    dated: bool

    # --- actors

    def component(self, audit: Audit, kind: Literal["tool", "module"]) -> str:
        return identify(self.mapa.run, audit, kind)

    def _origins(self, audit: Audit) -> list[dict[str, Any]]:
        """The same value each time: it stands in every finding."""
        return self._origins_of[audit]

    @cached_property
    def _origins_of(self) -> dict[Audit, list[dict[str, Any]]]:
        audits: tuple[Audit, ...] = ("origem", "reescrito")
        return {each: [{"actors": [{"type": "tool", "actor-uuid": self.component(each, "tool")}]}] for each in audits}

    def person(self, name: str) -> str:
        return identify(self.mapa.run, "person", name)

    # --- observations

    def observations(self, audit: Audit) -> list[dict[str, Any]]:
        """One for each rule that judged something, and one for each that could not."""
        mapa = self._audit(audit)
        found = Counter(each.rule for each in mapa.non_conformities if each.status != "resolvida")
        rules = sorted({rule for rule, count in mapa.examined.items() if count} | found.keys())
        shown = [self._observation(audit, rule, mapa.examined.get(rule, 0), found[rule]) for rule in rules]
        reasons: dict[str, set[str]] = {}
        for each in mapa.not_run:
            reasons.setdefault(each.rule, set()).add(each.reason)
        return shown + [self._unjudged(audit, rule, sorted(texts)) for rule, texts in sorted(reasons.items())]

    def _audit(self, audit: Audit) -> MapaNc:
        return self.mapa if audit == "origem" else self.after

    def _observation(self, audit: Audit, rule: str, examined: int, found: int) -> dict[str, Any]:
        said = f"A regra {rule} julgou {examined} itens e encontrou {found} não conformidades."
        return self._seen(audit, rule, said, "finding" if found else "control-objective")

    def _unjudged(self, audit: Audit, rule: str, reasons: list[str]) -> dict[str, Any]:
        said = f"A regra {rule} não pôde julgar tudo: {'; '.join(reasons[:5])}."
        seen = self._seen(audit, rule, said, "control-objective", name="not-run")
        return {**seen, "props": [prop("could-not-run", rule)]}

    def _seen(self, audit: Audit, rule: str, said: str, kind: str, name: str = "observation") -> dict[str, Any]:
        return {
            "uuid": identify(self.mapa.run, audit, name, rule),
            "title": line(rule),
            "description": line(said),
            "methods": ["EXAMINE"],
            "types": [kind],
            "origins": self._origins(audit),
            "subjects": [{"subject-uuid": self.component(audit, "module"), "type": "component"}],
            "relevant-evidence": [{"href": f"#{self.evidence[audit]}", "description": "Resultado da auditoria."}],
            "collected": self.moment,
        }

    # --- findings

    @cached_property
    def known(self) -> list[NonConformity]:
        """Every non-conformity of both audits, each once, as the second one left it."""
        left = {each.id: each for each in self.after.non_conformities}
        first = {each.id for each in self.mapa.non_conformities}
        return [
            *(left.get(each.id, each) for each in self.mapa.non_conformities),
            *(each for each in self.after.non_conformities if each.id not in first),
        ]

    def findings(self, audit: Audit) -> list[dict[str, Any]]:
        """The first audit's as they were found; the second's with those that the rewrite has cured."""
        listed = self.mapa.non_conformities if audit == "origem" else self.known
        return [self._finding(audit, each) for each in listed]

    def is_cured(self, found: NonConformity) -> bool:
        """Whether the second audit no longer has it."""
        return found.status == "resolvida" or found.id not in self._left

    @cached_property
    def _left(self) -> frozenset[str]:
        return frozenset(each.id for each in self.after.non_conformities if each.status != "resolvida")

    def _finding(self, audit: Audit, found: NonConformity) -> dict[str, Any]:
        cured = found.status == "resolvida" or (audit == "reescrito" and self.is_cured(found))
        place = f"{found.location.path}:{found.location.line} {object_name(found.object)}"
        reason = "pass" if cured else "other" if found.waiver else "fail"
        observed = found.rule in self._observed[audit]
        return without_empty(
            {
                "uuid": identify(self.mapa.run, audit, "finding", found.id),
                "title": line(f"{found.id}: {found.title}"),
                "description": line(found.description),
                "props": [
                    prop("nc", found.id),
                    prop("rule", found.rule),
                    prop("severity", found.severity),
                    prop("fingerprint", found.fingerprint),
                ],
                "origins": self._origins(audit),
                "target": {
                    "type": "objective-id",
                    "target-id": token(found.rule),
                    "title": line(found.rule),
                    "description": line(place),
                    "status": {"state": "satisfied" if cured else "not-satisfied", "reason": reason},
                },
                "related-observations": [
                    {"observation-uuid": identify(self.mapa.run, audit, "observation", found.rule)}
                ]
                if observed
                else [],
                "related-risks": [{"risk-uuid": self.risk_of(found.id)}] if audit == "reescrito" else [],
            }
        )

    @cached_property
    def _observed(self) -> dict[Audit, frozenset[str]]:
        audits: tuple[Audit, ...] = ("origem", "reescrito")
        return {each: frozenset(seen["title"] for seen in self.observations(each)) for each in audits}

    def finding_of(self, identifier: str) -> str:
        return identify(self.mapa.run, "reescrito", "finding", identifier)

    # --- risks

    def risk_of(self, identifier: str) -> str:
        return identify(self.mapa.run, "risk", identifier)

    @cached_property
    def _often(self) -> Counter[str]:
        return Counter(each.rule for each in self.mapa.non_conformities if each.is_open)

    @cached_property
    def _actions(self) -> dict[str, list[Action]]:
        closing: dict[str, list[Action]] = {}
        for action in self.plan.actions:
            for closed in action.closes:
                closing.setdefault(closed, []).append(action)
        return closing

    def risks(self, listed: Iterable[NonConformity]) -> list[dict[str, Any]]:
        """One for each non-conformity: its cell of the matrix, what is done about it, who accepted what stays."""
        return [self._risk(each) for each in listed]

    def _risk(self, found: NonConformity) -> dict[str, Any]:
        cured = self.is_cured(found)
        accepted = list(self._accepted(found))
        status = "closed" if cured else "deviation-approved" if found.waiver or accepted else "open"
        level = LIKELIHOODS[likelihood(max(1, self._often[found.rule]))]
        origin = self._origins("reescrito")[0]
        facets = [
            {"name": "impact", "system": NAMESPACE, "value": str(found.severity)},
            {"name": "likelihood", "system": NAMESPACE, "value": level},
        ]
        return without_empty(
            {
                "uuid": self.risk_of(found.id),
                "title": line(f"{found.id}: {found.title}"),
                "description": line(found.description),
                "statement": line(found.explanation or found.description),
                "status": status,
                "origins": [origin],
                "characterizations": [{"origin": origin, "facets": facets}],
                "mitigating-factors": list(self._mitigations(found, accepted)),
                "deadline": self._due(found.due_days) if not cured else None,
                "remediations": [
                    self._response(action, found.id, cured=cured) for action in self._actions.get(found.id, [])
                ],
                "risk-log": {"entries": entries} if (entries := list(self._log(found, accepted))) else None,
            }
        )

    def _due(self, days: int) -> str | None:
        return self._later(days) if self.dated else None

    def _later(self, days: int) -> str:
        return (datetime.strptime(self.moment, _TIME) + timedelta(days=days)).strftime(_TIME)  # noqa: DTZ007  # UTC text

    def _accepted(self, found: NonConformity) -> Iterator[tuple[Accepted, RiskException]]:
        """Exceptions of the board that name the non-conformity or an action that would close it."""
        names = {found.id, *(each.id for each in self._actions.get(found.id, []))}
        for each in self.decided:
            for one in each.decision.exceptions:
                if one.item.strip() in names:
                    yield each, one

    def _mitigations(
        self, found: NonConformity, accepted: list[tuple[Accepted, RiskException]]
    ) -> Iterator[dict[str, Any]]:
        waiver = found.waiver
        if waiver is not None:
            yield self._mitigation(found.id, "waiver", waiver.owner, waiver.residual_risk, waiver.end)
        for each, one in accepted:
            yield self._mitigation(found.id, f"exception {each.line}", one.owner, one.residual_risk, one.until)

    def _mitigation(self, identifier: str, kind: str, owner: str, residual: str, until: str) -> dict[str, Any]:
        return {
            "uuid": identify(self.mapa.run, kind, identifier),
            "description": line(f"Risco aceito até {until} por {owner}. Risco residual: {residual}"),
            "props": [prop("owner", owner), prop("until", until)],
        }

    def _response(self, action: Action, identifier: str, *, cured: bool) -> dict[str, Any]:
        timing = {"within-date-range": {"start": self.moment, "end": self._later(action.due_days)}}
        task = {
            "uuid": identify(self.mapa.run, "task", action.id, identifier),
            "type": "action",
            "title": line(action.summary),
            "props": [prop("due-days", action.due_days)],
            "timing": timing if self.dated else None,
            "responsible-roles": [{"role-id": token(action.responsible)}] if action.responsible else [],
        }
        return {
            "uuid": identify(self.mapa.run, "response", action.id, identifier),
            "lifecycle": "completed" if cured else "planned",
            "title": line(f"{action.id}: {action.summary}"),
            "description": line(self._described(action)),
            "props": [prop("action", action.id), prop("mode", action.mode)],
            "tasks": [without_empty(task)],
        }

    @staticmethod
    def _described(action: Action) -> str:
        """What the action asks for. One that closes many is told whole once, as the item of the plan."""
        return action.instructions if action.instructions and len(action.closes) == 1 else action.summary

    def _log(self, found: NonConformity, accepted: list[tuple[Accepted, RiskException]]) -> Iterator[dict[str, Any]]:
        """What the board decided on the risk: nothing on one that the rewrite has cured."""
        if self.is_cured(found):
            return
        named = {each.line for each, _ in accepted}
        for each in self.decided:
            if each.decision.role == "decide" or each.line in named:
                entry = self.log_entry(each, found.id)
                yield {**entry, "status-change": "deviation-approved"} if each.line in named else entry

    def log_entry(self, said: Accepted, about: str) -> dict[str, Any]:
        """A decision as an entry of a log; its signed line is in the back matter."""
        decision = said.decision
        how = "assinada e verificada" if said.verified else "declarada, não verificada"
        conditions = "".join(f" Condição: {each}." for each in decision.conditions)
        return {
            "uuid": identify(self.mapa.run, "log", str(said.line), about),
            "title": line(f"{decision.role}: {decision.decision} ({how})"),
            "description": line(f"{decision.justification or 'Sem justificativa.'}{conditions}"),
            "start": decision.issued_at,
            "end": decision.expires_at,
            "links": [{"href": f"#{self.line_resource(said.line)}", "rel": "evidence"}],
            "logged-by": [{"party-uuid": self.person(decision.person), "role-id": f"rapid-{decision.role}"}],
        }

    def line_resource(self, number: int) -> str:
        """Identifier of the back matter's copy of a line of ``rapid.jsonl``."""
        return identify(self.mapa.run, "rapid", str(number))

"""OSCAL 1.2.1 for tools of governance: both audits as assessment results, the plan as actions and milestones.

Every identifier is a UUIDv5 of what it names, a document's own of its content: same inputs, same bytes.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.codec import indent_json, sha256_hex
from pipeline.report.oscal_parts import NAMESPACE, OscalParts, identify, line, prop, token, without_empty
from pipeline.report.pack_recipe import ROLE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.domain.artifact import Action, CorrectionPlan, MapaNc
    from pipeline.domain.evidence import Board, Manifest
    from pipeline.report.oscal_parts import Audit

__all__ = ["OscalInput", "render_plan_of_action", "render_results"]

_VERSION = "1.2.1"
_UNKNOWN = "1970-01-01T00:00:00Z"
_AUDITS: tuple[tuple[Audit, str, str], ...] = (
    ("origem", "MAPA_NC", "Auditoria do módulo como está na origem."),
    ("reescrito", "MODULO_REESCRITO", "Segunda auditoria, do módulo com o plano aplicado."),
)


@dataclass(frozen=True, kw_only=True)
class OscalInput:
    """What the documents are made from. ``lines`` are of ``rapid.jsonl``, ``digests`` of files of ``reports`` by name.

    The documents stand in ``reports/<run>/``, beside the files that their links name.
    """

    manifest: Manifest
    root: str
    mapa: MapaNc
    after: MapaNc
    plan: CorrectionPlan
    board: Board
    lines: tuple[bytes, ...]
    digests: Mapping[str, str]
    version: str


def render_results(given: OscalInput) -> bytes:
    """``assessment-results``: a result for each audit, with the risks after the second."""
    return _Documents(given).results()


def render_plan_of_action(given: OscalInput) -> bytes | None:
    """``plan-of-action-and-milestones``; None where there is nothing to do, since OSCAL has no empty plan."""
    return _Documents(given).plan_of_action() if given.plan.actions else None


@dataclass(frozen=True)
class _Documents:
    given: OscalInput

    @property
    def _run(self) -> str:
        return self.given.manifest.run

    @property
    def _moment(self) -> str:
        return self.given.manifest.created or _UNKNOWN

    @cached_property
    def _parts(self) -> OscalParts:
        given = self.given
        return OscalParts(
            mapa=given.mapa,
            after=given.after,
            plan=given.plan,
            decided=given.board.accepted,
            evidence={"origem": self._file(self._audit_file), "reescrito": self._file("modulo_reescrito.mapa_nc.json")},
            moment=self._moment,
            dated=given.manifest.created is not None,
        )

    @property
    def _audit_file(self) -> str:
        """SARIF, unless the run has more findings than SARIF's readers take."""
        return "mapa_nc.sarif" if "mapa_nc.sarif" in self.given.digests else "mapa_nc.json"

    def results(self) -> bytes:
        plan = self._assessment_plan()
        body = {
            "metadata": self._metadata(f"Resultados da avaliação de {self.given.manifest.module.id}"),
            "import-ap": {"href": f"#{self._file('assessment-plan')}", "remarks": "Plano incluído neste documento."},
            "results": [self._result(*each) for each in _AUDITS],
            "back-matter": {"resources": [plan, *self._resources()]},
        }
        return _dump("assessment-results", body)

    def plan_of_action(self) -> bytes:
        parts = self._parts
        closed = {each for action in self.given.plan.actions for each in action.closes}
        planned = [each for each in parts.known if each.id in closed]
        rules = {line(each.rule) for each in planned}
        named = {parts.finding_of(each.id) for each in planned}
        body = {
            "metadata": self._metadata(f"Plano de ação e marcos de {self.given.manifest.module.id}"),
            "system-id": {"identifier-type": NAMESPACE, "id": line(self.given.manifest.module.id)},
            "local-definitions": {"components": self._components("reescrito")},
            "observations": [each for each in parts.observations("reescrito") if each["title"] in rules],
            "risks": parts.risks(planned),
            "findings": [each for each in parts.findings("reescrito") if each["uuid"] in named],
            "poam-items": [self._item(each) for each in self.given.plan.actions],
            "back-matter": {"resources": self._resources()},
        }
        return _dump("plan-of-action-and-milestones", without_empty(body))

    # --- pieces

    def _metadata(self, title: str) -> dict[str, Any]:
        manifest, plan = self.given.manifest, self.given.plan
        people = {each.decision.person: each.name for each in self.given.board.accepted}
        roles = {token(each.responsible): each.responsible for each in plan.actions if each.responsible}
        roles |= {f"rapid-{each.decision.role}": ROLE_NAMES[each.decision.role] for each in self.given.board.accepted}
        return without_empty(
            {
                "title": line(f"{title} · {manifest.module.title}"),
                "last-modified": self._moment,
                "version": manifest.run,
                "oscal-version": _VERSION,
                "props": [
                    prop("run", manifest.run),
                    prop("module", manifest.module.id),
                    prop("commit", manifest.source.commit or "fora de repositório"),
                    prop("verdict", manifest.verdict),
                    prop("manifest-sha256", self.given.root),
                ],
                "roles": [{"id": name, "title": line(shown)} for name, shown in sorted(roles.items())],
                "parties": [
                    {"uuid": self._parts.person(name), "type": "person", "name": line(shown)}
                    for name, shown in sorted(people.items())
                ],
                "remarks": None
                if manifest.created
                else "Módulo fora de repositório: as datas são o início da época Unix, e não há prazos em data.",
            }
        )

    def _components(self, audit: Audit) -> list[dict[str, Any]]:
        module, parts = self.given.manifest.module, self._parts
        return [
            {
                "uuid": parts.component(audit, "tool"),
                "type": "software",
                "title": "appgear-pipeline",
                "description": "Esteira que auditou o módulo.",
                "props": [{"name": "version", "value": self.given.version}],
                "status": {"state": "operational"},
            },
            {
                "uuid": parts.component(audit, "module"),
                "type": "system",
                "title": line(f"{module.id} {module.title}"),
                "description": line(f"O módulo auditado, {module.document or 'uma árvore sem documento'}."),
                "props": [prop("content-sha256", module.sha256)],
                "status": {"state": "under-development"},
            },
        ]

    def _result(self, audit: Audit, title: str, description: str) -> dict[str, Any]:
        parts = self._parts
        second = audit == "reescrito"
        log = [parts.log_entry(each, "assessment") for each in self.given.board.accepted] if second else []
        return without_empty(
            {
                "uuid": identify(self._run, audit, "result"),
                "title": title,
                "description": description,
                "start": self._moment,
                "end": self._moment,
                "local-definitions": {"components": self._components(audit)},
                "reviewed-controls": _reviewed(),
                "assessment-log": {"entries": log} if log else None,
                "observations": parts.observations(audit),
                "risks": parts.risks(parts.known) if second else [],
                "findings": parts.findings(audit),
            }
        )

    def _item(self, action: Action) -> dict[str, Any]:
        parts = self._parts
        known = {each.id: each for each in parts.known}
        closed = [known[each] for each in action.closes if each in known]
        return without_empty(
            {
                "uuid": identify(self._run, "item", action.id),
                "title": line(f"{action.id}: {action.summary}"),
                "description": line(action.instructions or action.summary),
                "props": [
                    prop("action", action.id),
                    prop("mode", action.mode),
                    prop("severity", action.severity),
                    prop("due-days", action.due_days),
                    *(prop("waits-for", each.parameter) for each in action.decisions),
                    *(prop("depends-on", each) for each in action.depends_on),
                ],
                "origins": [{"actors": [{"type": "tool", "actor-uuid": parts.component("reescrito", "tool")}]}],
                "related-findings": [{"finding-uuid": parts.finding_of(each.id)} for each in closed],
                "related-risks": [{"risk-uuid": parts.risk_of(each.id)} for each in closed],
            }
        )

    # --- back matter

    def _file(self, name: str) -> str:
        return identify(self._run, "file", name)

    def _resources(self) -> list[dict[str, Any]]:
        names = (self._audit_file, "modulo_reescrito.mapa_nc.json", "plano_correcao.json", "checklist.json")
        return [
            *(self._linked(name, self.given.digests[name]) for name in names),
            self._linked("manifest.json", self.given.root),
            *(self._line(number, self.given.lines[number - 1]) for number in self._accepted_lines),
        ]

    @property
    def _accepted_lines(self) -> list[int]:
        return [each.line for each in self.given.board.accepted]

    def _linked(self, name: str, digest: str) -> dict[str, Any]:
        return {
            "uuid": self._file(name),
            "title": name,
            "rlinks": [{"href": name, "hashes": [{"algorithm": "SHA-256", "value": digest}]}],
        }

    def _line(self, number: int, data: bytes) -> dict[str, Any]:
        return {
            "uuid": self._parts.line_resource(number),
            "title": f"Decisão da linha {number} de rapid.jsonl, como foi assinada",
            "props": [prop("sha256", sha256_hex(data))],
            "base64": _embedded(f"rapid-{number}.json", "application/json", data),
        }

    def _assessment_plan(self) -> dict[str, Any]:
        """What ``import-ap`` must lead to: a plan that says what was examined, and by which rules."""
        module = self.given.manifest.module
        system = identify(self._run, "ssp")
        body = {
            "metadata": {
                "title": line(f"Avaliação de {module.id}"),
                "last-modified": self._moment,
                "version": self._run,
                "oscal-version": _VERSION,
            },
            "import-ssp": {"href": f"#{system}", "remarks": "O módulo é descrito pelo próprio documento."},
            "reviewed-controls": _reviewed(),
            "back-matter": {
                "resources": [
                    {
                        "uuid": system,
                        "title": line(f"{module.id} {module.title}"),
                        "description": line(f"{module.document or 'árvore'}, conteúdo com o SHA-256 {module.sha256}."),
                    }
                ]
            },
        }
        return {
            "uuid": self._file("assessment-plan"),
            "title": "Plano de avaliação",
            "base64": _embedded("plano-avaliacao.oscal.json", "application/oscal+json", _dump("assessment-plan", body)),
        }


def _reviewed() -> dict[str, Any]:
    return {
        "description": "As regras do catálogo da esteira, que citam as normas da plataforma.",
        "control-selections": [{"include-all": {}}],
    }


def _embedded(name: str, kind: str, data: bytes) -> dict[str, Any]:
    return {"filename": name, "media-type": kind, "value": base64.b64encode(data).decode()}


def _dump(kind: str, body: dict[str, Any]) -> bytes:
    """The document, named by its own content, as ``dump_json`` writes it: no key of a body sorts after ``uuid``.

    Its text is made once: thousands of findings are tens of megabytes.
    """
    compact = json.dumps(body, ensure_ascii=False, sort_keys=True, allow_nan=False)
    body.clear()  # the text takes a tenth of the memory of its maps
    named = identify(kind, sha256_hex(compact.encode()))
    return indent_json(f'{{"{kind}":{compact[:-1]},"uuid":"{named}"}}}}') + b"\n"

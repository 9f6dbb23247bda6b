"""The trail as stages: each takes what came before from the store, calls one pure function and publishes its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pipeline.audit.describe import describe_rule
from pipeline.audit.engine import audit
from pipeline.audit.references import References
from pipeline.audit.waivers import WaiverFile, apply_waivers
from pipeline.codec import sha256_hex
from pipeline.domain.artifact import (
    AppliedChange,
    Checklist,
    CorrectionPlan,
    Evidence,
    MapaNc,
    ModuleInfo,
    Rewrite,
    RewrittenEntry,
    UnappliedChange,
)
from pipeline.domain.base import Record
from pipeline.errors import IntegrityError, ToolError
from pipeline.flow.planning import build_plan
from pipeline.flow.showing import ChangeViewer
from pipeline.mapas import build_mapa, open_of
from pipeline.records import dump_record, load_record, settle_record
from pipeline.rules.secrets_text import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.audit.rule import Rule
    from pipeline.config import Config
    from pipeline.domain.finding import NonConformity, NonConformityMap
    from pipeline.domain.opinion import Consultation, Opinion
    from pipeline.domain.snapshot import ModuleSnapshot
    from pipeline.flow.answers import ImageState, SbomState, SuiteResults
    from pipeline.intake import Base, Source
    from pipeline.ports import Content
    from pipeline.store import Store

__all__ = ["AppsetState", "Trail"]

_HOMEPAGE = "https://github.com/appgear/appgear-pipeline"
_MAX_DIFFS = 300
_SECOND_AUDIT = "modulo_reescrito.mapa_nc.json"

Document = TypeVar("Document", bound=Record)


@dataclass(frozen=True, kw_only=True, slots=True)
class AppsetState:
    """The ApplicationSets of this run: files that drifted from their values, and the Applications they generate."""

    drift: tuple[str, ...]
    applications: bytes


@dataclass(kw_only=True)
class Trail:
    """One run. A stage whose documents the store already holds is read from there, hashed again; never done twice.

    ``run`` is derived from every input, so what is stored under it is what would be made. ``told`` is called with a
    line of pt-BR before work that takes time; ``put_away`` keeps large files out of memory until they are published.
    """

    source: Source
    rules: Sequence[Rule]
    config: Config
    run: str
    store: Store
    baseline: Sequence[NonConformity] = ()
    base: Base | None = None
    version: str
    waivers: WaiverFile = field(default_factory=WaiverFile)
    references: References = field(default_factory=References)
    appset: AppsetState | None = None
    tests: SuiteResults | None = None
    consultation: Consultation | None = None
    image: ImageState | None = None
    sbom: SbomState | None = None
    author: Callable[[], str] = field(default=lambda: "")
    told: Callable[[str], None] = field(default=lambda _line: None)
    put_away: Callable[[bytes], Content] = field(default=lambda content: content)

    @property
    def snapshot(self) -> ModuleSnapshot:
        return self.source.snapshot

    @cached_property
    def module(self) -> ModuleInfo:
        """The module as every document of the run names it."""
        document = self.snapshot.document
        return ModuleInfo(
            id=self.snapshot.id,
            title=self.snapshot.title,
            version=self.snapshot.version,
            document=self.source.document_prefix + document.path if document else None,
            sha256=self.snapshot.sha256,
        )

    @cached_property
    def mapa(self) -> MapaNc:
        """MAPA_NC."""
        return self._stored("mapa_nc.json", MapaNc) or self._audit()

    @cached_property
    def plan(self) -> CorrectionPlan:
        """PLANO_CORRECAO."""
        return self._stored("plano_correcao.json", CorrectionPlan) or self._plan()

    @cached_property
    def rewritten(self) -> Rewrite:
        """MODULO_REESCRITO."""
        return self._stored("modulo_reescrito.json", Rewrite) or self._rewrite()

    @cached_property
    def checklist(self) -> Checklist:
        """CHECKLIST."""
        return self._stored("checklist.json", Checklist) or self._check()

    @cached_property
    def opinion(self) -> Opinion | None:
        """The AI opinion; None where the configuration switches it off."""
        from pipeline.opining import opine  # noqa: PLC0415  # only a verdict needs it

        return opine(self)

    @cached_property
    def unopined_checklist(self) -> Checklist:
        """The checklist as the opinion is given it: without the items that follow from the opinion."""
        return self._answered(None)

    def publish_applications(self) -> None:
        """The previewed Applications, where ApplicationSets are configured."""
        if self.appset is not None:
            self._publish({"applications.yaml": self.appset.applications}, "applicationset")

    def changed_files(self) -> dict[str, bytes]:
        """What the rewrite changes in the source, by path from the repository's root."""
        from pipeline.reread import apply_plan, changed_source  # noqa: PLC0415  # the audit alone does not pay for it

        return changed_source(self.source, apply_plan(self.snapshot, self.source.tree, self.plan))[1]

    def _audit(self) -> MapaNc:
        from pipeline.report.machine import (  # noqa: PLC0415  # later stages read the file and need no renderer
            render_audit_yaml,
            render_code_quality,
            render_junit,
        )
        from pipeline.report.mapa import render_mapa  # noqa: PLC0415
        from pipeline.report.sarif import MAX_RESULTS, render_sarif  # noqa: PLC0415

        self.told(f"MAPA_NC: auditando {len(self.snapshot.files)} arquivos com {len(self.rules)} regras")
        result = self._judge(self.snapshot, self.baseline)
        mapa = self._mapa_of(self.snapshot, result)
        settle_record(mapa)
        if mapa.summary.total + mapa.summary.waived > MAX_RESULTS:
            self.told(f"mapa_nc.sarif leva os {MAX_RESULTS} achados mais graves; todos estão em mapa_nc.json")
        texts = tuple(describe_rule(each, result.examined.get(each.id, 0)) for each in self.rules)
        sources = self._sources(mapa)
        committed = {name: uri for name, (uri, _) in sources.items()}
        made = self._fitting(
            {
                "mapa_nc.json": lambda: dump_record(mapa),
                "mapa_nc.md": lambda: render_mapa(mapa, texts, self._finding_diffs(mapa)),
                "mapa_nc.sarif": lambda: render_sarif(mapa, texts, sources, version=self.version, homepage=_HOMEPAGE),
                "mapa_nc.junit.xml": lambda: render_junit(mapa, texts),
                "mapa_nc.codequality.json": lambda: render_code_quality(mapa, committed),
                "auditoria-modulos.yaml": lambda: render_audit_yaml(mapa),
            }
        )
        self._publish(made, "mapa_nc")
        return mapa

    def _fitting(self, renderers: Mapping[str, Callable[[], bytes]]) -> dict[str, Content]:
        """The files that stay inside their readers' limits; the others are told, and the checklist misses them."""
        made: dict[str, Content] = {}
        for name, render in renderers.items():
            try:
                made[name] = self.put_away(render())
            except ToolError as refused:
                self.told(f"{name} não foi gravado: {refused}")
        return made

    def _judge(self, snapshot: ModuleSnapshot, baseline: Iterable[NonConformity]) -> NonConformityMap:
        return audit(snapshot, self.rules, policy=self.config.policy, references=self.references, baseline=baseline)

    def _mapa_of(self, snapshot: ModuleSnapshot, result: NonConformityMap) -> MapaNc:
        findings = apply_waivers(result.non_conformities, self.waivers.valid, module=self.module.id)
        return build_mapa(
            snapshot, result, findings, run=self.run, module=self.module, ignored_waivers=self.waivers.ignored
        )

    @cached_property
    def _texts(self) -> dict[str, str]:
        """Every text that a correction may change, by the path that changes use."""
        texts = {each.path: each.text for each in self.snapshot.files}
        return texts | ({"doc": self.snapshot.document.text} if self.snapshot.document else {})

    def _finding_diffs(self, mapa: MapaNc) -> dict[str, str]:
        """What each group of findings would change, for the first groups of a long report."""
        from pipeline.report.mapa import group_findings  # noqa: PLC0415  # as above

        viewer = ChangeViewer(self._texts, self.config.parameters)
        groups = [group for group in group_findings(open_of(mapa.non_conformities)) if group.first.correction.changes]
        return {
            group.first.id: redact(
                viewer.show([change for each in group.findings for change in each.correction.changes])
            )
            for group in groups[:_MAX_DIFFS]
        }

    def _action_diffs(self, plan: CorrectionPlan) -> dict[str, str]:
        """What each action would change on its own."""
        viewer = ChangeViewer(self._texts, {})
        return {
            each.id: redact(viewer.show(each.changes))
            for each in [each for each in plan.actions if each.changes][:_MAX_DIFFS]
        }

    def _sources(self, mapa: MapaNc) -> dict[str, tuple[str, str | None]]:
        """The committed files that findings point to: the document as ``doc``, the tree, and what was never read."""
        prefix = self.source.tree_prefix
        paths = {each.location.path for each in mapa.non_conformities}
        sources: dict[str, tuple[str, str | None]] = {path: (prefix + path, None) for path in sorted(paths)} | {
            each.path: (prefix + each.path, each.text) for each in self.snapshot.files if each.origin.kind == "tree"
        }
        document = self.snapshot.document
        if document is not None:
            sources["doc"] = (self.source.document_prefix + document.path, document.text)
        return sources

    def _plan(self) -> CorrectionPlan:
        from pipeline.report.plan import render_plan  # noqa: PLC0415

        mapa = self.mapa
        self.told(f"PLANO_CORRECAO: planejando {mapa.summary.total} correções")
        plan = build_plan(
            open_of(mapa.non_conformities),
            module=mapa.module,
            run=mapa.run,
            mapa_sha256=self._digest_of("mapa_nc.json"),
            parameters=self.config.parameters,
        )
        settle_record(plan)
        self._publish(
            {
                "plano_correcao.json": dump_record(plan),
                "plano_correcao.md": render_plan(plan, self._action_diffs(plan)),
            },
            "plano_correcao",
        )
        return plan

    def _rewrite(self) -> Rewrite:
        from pipeline.reread import (  # noqa: PLC0415  # as above
            apply_plan,
            build_patches,
            prove,
            read_rewritten,
            rewritten_files,
        )

        plan = self.plan
        self.told(f"MODULO_REESCRITO: aplicando {len(plan.actions)} ações")
        done = apply_plan(self.snapshot, self.source.tree, plan)
        rewritten = read_rewritten(done, self.snapshot)
        before = open_of(self.mapa.non_conformities)
        known = [each for each in self.mapa.non_conformities if each.status != "resolvida"]
        second = self._mapa_of(rewritten, self._judge(rewritten, known))
        patches = build_patches(self.source, done)
        files = rewritten_files(rewritten)
        record = Rewrite(
            run=self.run,
            module=self.module,
            plano_correcao_sha256=self._digest_of("plano_correcao.json"),
            files=self._entries(files),
            patch_sha256=sha256_hex(patches["modulo_reescrito.patch"]),
            applied=tuple(
                AppliedChange(action=each.action, path=each.path, summary=each.summary) for each in done.applied
            ),
            not_applied=tuple(
                UnappliedChange(action=each.action, path=each.path, reason=each.reason) for each in done.not_applied
            ),
            proof=prove(
                done,
                rewritten=rewritten,
                plan=plan,
                before=before,
                after=open_of(second.non_conformities),
                parameters=self.config.parameters,
            ),
        )
        placed = {f"modulo_reescrito/{path}": data for path, data in files.items()}
        documents = {_SECOND_AUDIT: dump_record(second), "modulo_reescrito.json": dump_record(record)}
        self._publish({**placed, **patches, **documents}, "modulo_reescrito")
        return record

    def _entries(self, files: Mapping[str, bytes]) -> tuple[RewrittenEntry, ...]:
        before = {each.path: each.sha256 for each in self.snapshot.files if not each.fragment}
        if self.snapshot.document is not None:
            before[self.snapshot.document.path] = self.snapshot.document.sha256
        return tuple(
            RewrittenEntry(path=path, sha256=sha256_hex(data), before=before.get(path))
            for path, data in sorted(files.items())
        )

    def _check(self) -> Checklist:
        from pipeline.report.checklist import render_checklist, render_flow  # noqa: PLC0415

        opinion = self.opinion
        self.told("CHECKLIST: conferindo as evidências")
        checklist, record = self._answered(opinion), self.rewritten
        self._publish(
            {
                "checklist.json": dump_record(checklist),
                "checklist.md": render_checklist(checklist),
                "fluxo.md": render_flow(self.mapa, self.plan, record, checklist, self._finding_diffs(self.mapa)),
            },
            "checklist",
        )
        return checklist

    def _answered(self, opinion: Opinion | None) -> Checklist:
        from pipeline.flow.answers import CheckInput  # noqa: PLC0415  # as above
        from pipeline.flow.checking import build_checklist  # noqa: PLC0415

        record = self.rewritten
        after = self._stored(_SECOND_AUDIT, MapaNc)
        if after is None:
            raise IntegrityError("o MODULO_REESCRITO não tem a segunda auditoria", where=self.run, mend="rode de novo")
        given = CheckInput(
            mapa=self.mapa,
            plan=self.plan,
            rewrite=record,
            after=after,
            document=self.snapshot.document,
            tests=self.tests,
            drift=None if self.appset is None else self.appset.drift,
            retention_days=self.config.retention_days,
            opinion=opinion,
            image=self.image,
            sbom=self.sbom,
            evidence=self._evidence,
        )
        return build_checklist(given)

    def _evidence(self, category: str, name: str) -> Evidence | None:
        digest = self.store.digests(self.run, category).get(name)
        return None if digest is None else Evidence(path=f"{category}/{self.run}/{name}", sha256=digest)

    def _digest_of(self, name: str) -> str:
        return self.store.digests(self.run, "reports")[name]

    def _stored(self, name: str, kind: type[Document]) -> Document | None:
        if not self.store.has(self.run, "reports", name):
            return None
        return load_record(self.store.read(self.run, "reports", name), kind, where=f"reports/{self.run}/{name}")

    def _publish(self, files: Mapping[str, Content], stage: str) -> None:
        self.store.publish(self.run, "reports", files, stage=stage)

"""What the pack's page shows, read from the store: the run's documents, and those of the module's packs before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.appset.changes import diff_applications
from pipeline.appset.preview import GeneratedApplication
from pipeline.codec import load_json
from pipeline.domain.artifact import CorrectionPlan, MapaNc, Rewrite
from pipeline.domain.base import Record
from pipeline.domain.evidence import Manifest
from pipeline.domain.opinion import Opinion
from pipeline.evidence.manifest import MANIFEST, OPINION
from pipeline.records import load_record
from pipeline.report.pack import PackPage
from pipeline.report.pack_change import (
    ApplicationChange,
    ChangedFields,
    compare_components,
    read_components,
    read_image,
    read_sbom,
    show_value,
)
from pipeline.report.pack_pictures import Past
from pipeline.report.text import open_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.artifact import Checklist
    from pipeline.evidencing import EvidencePack
    from pipeline.flow.answers import SuiteResults
    from pipeline.report.pack_change import ComponentChange, ImageFacts, SbomFacts
    from pipeline.store import Store

__all__ = ["IMAGE", "SECOND_AUDIT", "PageMaker"]

Kind = TypeVar("Kind", bound=Record)

IMAGE = "core-backstage.image.json"
SECOND_AUDIT = "modulo_reescrito.mapa_nc.json"
_BOM = ".cdx.json"
_IMAGE_BOM = f"core-backstage{_BOM}"
_APPLICATIONS = "applications.yaml"
_MOST_PAST = 12


@dataclass(frozen=True, kw_only=True)
class PageMaker:
    """What no file says: ``keyid`` that signs, ``builder`` and ``version`` that made it, ``readings`` of the norms."""

    keyid: str
    builder: str
    version: str
    readings: tuple[tuple[str, str, str], ...]
    tests: SuiteResults | None

    def read(self, pack: EvidencePack, checklist: Checklist) -> PackPage:
        """Everything of the page, re-hashed; what no stage of the run has made is None or empty."""
        run, store = pack.manifest.run, pack.bench.store
        past = _Past(store, list(_earlier(pack)))
        mapa, after = (_document(store, run, name, MapaNc) for name in ("mapa_nc.json", SECOND_AUDIT))
        return PackPage(
            manifest=pack.manifest,
            root=pack.root,
            checklist=checklist,
            mapa=mapa,
            after=after,
            plan=_document(store, run, "plano_correcao.json", CorrectionPlan),
            rewrite=_document(store, run, "modulo_reescrito.json", Rewrite),
            board=pack.board,
            verified=pack.bench.trust is not None,
            environment=pack.bench.environment,
            tests=self.tests,
            opinion=pack.opinion,
            image=_image(store, run, past.last),
            applications=_applications(store, run, past.last),
            components=_components(store, run, past.last),
            sboms=tuple(_sboms(store, run)),
            previous=past.last,
            history=(*past.read(), _past(pack.manifest, mapa, after, pack.opinion)),
            readings=self.readings,
            keyid=self.keyid,
            builder=self.builder,
            version=self.version,
        )


def _earlier(pack: EvidencePack) -> Iterator[str]:
    """Runs of the module's packs before this one's first appearance in the index, each once, the oldest first."""
    seen: set[str] = set()
    for line in pack.bench.store.history():
        if line.module != pack.manifest.module.id or line.manifest_sha256 is None:
            continue
        if line.manifest_sha256 == pack.root:
            return
        if line.run != pack.manifest.run and line.run not in seen:
            seen.add(line.run)
            yield line.run


@dataclass(frozen=True)
class _Past:
    store: Store
    runs: list[str]

    @property
    def last(self) -> str | None:
        return self.runs[-1] if self.runs else None

    def read(self) -> Iterator[Past]:
        """The newest of them; a run whose retention is over is not there any more."""
        for run in self.runs[-_MOST_PAST:]:
            if self.store.has(run, "reports", MANIFEST, "mapa_nc.json", SECOND_AUDIT):
                manifest = _document(self.store, run, MANIFEST, Manifest)
                mapa, after = (_document(self.store, run, name, MapaNc) for name in ("mapa_nc.json", SECOND_AUDIT))
                yield _past(manifest, mapa, after, _Run(self.store, run).opinion)


@dataclass(frozen=True)
class _Run:
    store: Store
    run: str

    @property
    def opinion(self) -> Opinion | None:
        if not self.store.has(self.run, "ai_reports", OPINION):
            return None
        where = f"ai_reports/{self.run}/{OPINION}"
        return load_record(self.store.read(self.run, "ai_reports", OPINION), Opinion, where=where)


def _past(manifest: Manifest, mapa: MapaNc, after: MapaNc, opinion: Opinion | None) -> Past:
    return Past(
        label=manifest.run[-16:][:6],
        before=len(open_findings(mapa)),
        after=len(open_findings(after)),
        residual=None if opinion is None else opinion.residual_risk,
    )


def _document(store: Store, run: str, name: str, kind: type[Kind]) -> Kind:
    return load_record(store.read(run, "reports", name), kind, where=f"reports/{run}/{name}")


def _json(store: Store, run: str | None, category: str, name: str) -> dict[str, Any]:
    """A document of a stage that this one does not depend on; empty where the run has none."""
    if run is None or not store.has(run, category, name):
        return {}
    value = load_json(store.read(run, category, name), where=f"{category}/{run}/{name}")
    return value if isinstance(value, dict) else {}


def _image(store: Store, run: str, before: str | None) -> ImageFacts | None:
    return read_image(_json(store, run, "docker", IMAGE), _json(store, before, "docker", IMAGE))


def _components(store: Store, run: str, before: str | None) -> ComponentChange | None:
    """Components of the image against those of the pack before."""
    if not store.has(run, "sbom", _IMAGE_BOM):
        return None
    had = before is not None and store.has(before, "sbom", _IMAGE_BOM)
    old = read_components(_json(store, before, "sbom", _IMAGE_BOM)) if had else None
    return compare_components(read_components(_json(store, run, "sbom", _IMAGE_BOM)), old)


def _sboms(store: Store, run: str) -> Iterator[SbomFacts]:
    names = sorted(store.digests(run, "sbom"))
    for name in names:
        if name.endswith(_BOM):
            stem = name.removesuffix(_BOM)
            formats = [f"sbom/{run}/{each}" for each in names if each.startswith(f"{stem}.")]
            yield read_sbom(stem, formats, _json(store, run, "sbom", name))


def _applications(store: Store, run: str, before: str | None) -> ApplicationChange | None:
    if not store.has(run, "reports", _APPLICATIONS):
        return None
    now = _generated(store, run)
    names = tuple(sorted(each.name for each in now))
    if before is None or not store.has(before, "reports", _APPLICATIONS):
        return ApplicationChange(names=names, known=False)
    diff = diff_applications(_generated(store, before), now)
    return ApplicationChange(
        names=names,
        known=True,
        added=diff.added,
        changed=tuple(
            ChangedFields(
                name=each.name,
                fields=tuple((one.path, show_value(one.old), show_value(one.new)) for one in each.fields),
            )
            for each in diff.changed
        ),
        deleted=tuple((each.name, each.cascades) for each in diff.deleted),
    )


def _generated(store: Store, run: str) -> list[GeneratedApplication]:
    """The previewed Applications; the YAML is this toolkit's own."""
    import yaml  # noqa: PLC0415  # only runs with ApplicationSets pay for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = yaml.load_all(store.read(run, "reports", _APPLICATIONS), Loader=loader)
    return [
        GeneratedApplication(
            name=str(each["metadata"]["name"]),
            namespace=each["metadata"].get("namespace"),
            application_set="",
            element=None,
            manifest=each,
        )
        for each in found
        if isinstance(each, dict)
    ]

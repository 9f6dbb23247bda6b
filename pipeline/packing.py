"""Making the evidence pack of a run: manifest, statements, page and zip, published in one step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.codec import dump_json, sha256_hex, sort_sums
from pipeline.domain.artifact import Checklist, CorrectionPlan, MapaNc, Rewrite
from pipeline.domain.base import Record
from pipeline.evidence.envelope import dump_line, sign_statement
from pipeline.evidence.manifest import (
    ATTESTATIONS,
    ENVELOPE,
    MANIFEST,
    OPINION,
    PAGE,
    PLAN_OF_ACTION,
    RAPID,
    RESULTS,
    ZIP,
    build_manifest,
)
from pipeline.evidence.rapid import split_lines, stamp
from pipeline.evidence.statement import Build, provenance, seal, test_result, verdict
from pipeline.evidence.verify import KEYS, RECIPE, SEAL
from pipeline.evidencing import EvidencePack, listed_files
from pipeline.records import dump_record, load_record
from pipeline.report.oscal import OscalInput, render_plan_of_action, render_results
from pipeline.report.pack import PackPage, render_page
from pipeline.report.pack_recipe import render_recipe
from pipeline.store import RUN_FILE
from pipeline.sums import SUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from pipeline.domain.artifact import SourceInfo
    from pipeline.evidence.envelope import SigningKey
    from pipeline.evidencing import Bench
    from pipeline.flow.checking import SuiteResults
    from pipeline.ports import Content
    from pipeline.store import Store

__all__ = ["PackMaker"]

Kind = TypeVar("Kind", bound=Record)

_IMAGE = "core-backstage.image.json"
_SBOM = "core-backstage.cdx.json"
_SECOND_AUDIT = "modulo_reescrito.mapa_nc.json"


@dataclass(frozen=True, kw_only=True)
class PackMaker:
    """Facts that no file of the run holds. ``epoch`` is SOURCE_DATE_EPOCH or the commit's time, None without either.

    ``builder`` and ``locks`` go into the provenance; ``stage_archive`` writes a zip to a private file.
    """

    bench: Bench
    key: SigningKey
    source: SourceInfo
    tests: SuiteResults | None
    epoch: datetime | None
    retention_days: int
    builder: str
    version: str
    locks: Mapping[str, str]
    stage_archive: Callable[[Iterable[tuple[str, bytes]]], AbstractContextManager[Path]] = field(repr=False)

    def make(self, run: str) -> EvidencePack:
        """Make the pack again from what is on disk and publish it whole; decisions that are there stay in it."""
        store = self.bench.store
        checklist = self._document(run, "checklist.json", Checklist)
        files = dict(sorted({**dict(listed_files(store, run)), **_cited(checklist)}.items(), key=_bytes_of))
        manifest = build_manifest(
            ((path, _read(store, path)) for path in files),
            checklist,
            self.source,
            created=stamp(self.epoch) if self.epoch else None,
            retention_days=self.retention_days,
        )
        data = dump_record(manifest)
        pack = EvidencePack(bench=self.bench, manifest=manifest, root=sha256_hex(data))
        small = {MANIFEST: data, **self._statements(pack)}
        page = self._page(pack, checklist)
        small |= self._oscal(pack, page)
        small[PAGE] = render_page(page, base="../../")
        own = {f"reports/{run}/{name}": content for name, content in small.items() if name != PAGE}
        own |= {PAGE: render_page(page, base=""), f"{KEYS}/{self.key.keyid[:16]}.pem": self.key.public_pem}
        own[RECIPE] = render_recipe(manifest)
        if pack.rapid:
            own[f"reports/{run}/{RAPID}"] = pack.rapid
        with self.stage_archive(self._entries(pack, files, own)) as archive:
            published: dict[str, Content] = {**small, ZIP: archive}
            store.publish(run, "reports", published, stage="evidencias", supersedes=published.keys())
        return pack

    def _entries(
        self, pack: EvidencePack, files: Mapping[str, str], own: Mapping[str, bytes]
    ) -> Iterator[tuple[str, bytes]]:
        """The zip's files in the order of their paths, list and seal last."""
        sums = sort_sums({**files, **{path: sha256_hex(data) for path, data in own.items()}})
        for path in sorted({*files, *own}, key=str.encode):
            yield path, own[path] if path in own else _read(self.bench.store, path)
        rapid = pack.rapid
        closing = seal(
            sha256_hex(sums),
            pack.root,
            run=pack.manifest.run,
            rapid=sha256_hex(rapid) if rapid else None,
            decisions=len(split_lines(rapid)),
        )
        yield SUMS, sums
        yield SEAL, dump_json(sign_statement(closing, self.key.signer))

    def _statements(self, pack: EvidencePack) -> dict[str, bytes]:
        manifest, root = pack.manifest, pack.root
        inputs = json.loads(self.bench.store.read(manifest.run, "reports", RUN_FILE))["inputs"]
        image = self._json(manifest.run, "docker", _IMAGE)
        base = _table(image, "base")
        reference, digest = str(base.get("reference", "")), str(base.get("digest", "")).removeprefix("sha256:")
        build = Build(
            builder=self.builder,
            version=self.version,
            inputs={str(key): str(value) for key, value in inputs.items()},
            locks=self.locks,
            base={reference: digest} if digest else {},
        )
        created = manifest.created or "1970-01-01T00:00:00Z"
        lines = [verdict(manifest, root, created=created, policy=build.inputs.get("toolkit", ""))]
        if self.tests is not None:
            evidence = {each.path: each.sha256 for each in self.tests.evidence}
            lines.append(test_result(root, passed=self.tests.passed, failed=self.tests.failed, evidence=evidence))
        signer = self.key.signer
        return {
            ENVELOPE: dump_json(sign_statement(provenance(manifest, root, build), signer)),
            ATTESTATIONS: b"".join(dump_line(sign_statement(each, signer)) for each in lines),
        }

    def _page(self, pack: EvidencePack, checklist: Checklist) -> PackPage:
        run = pack.manifest.run
        sbom = self._json(run, "sbom", _SBOM)
        before = self._previous_run(pack)
        return PackPage(
            manifest=pack.manifest,
            root=pack.root,
            checklist=checklist,
            mapa=self._document(run, "mapa_nc.json", MapaNc),
            after=self._document(run, _SECOND_AUDIT, MapaNc),
            plan=self._document(run, "plano_correcao.json", CorrectionPlan),
            rewrite=self._document(run, "modulo_reescrito.json", Rewrite),
            board=pack.board,
            verified=self.bench.trust is not None,
            environment=self.bench.environment,
            tests=None if self.tests is None else (self.tests.passed, self.tests.failed, self.tests.coverage),
            opinion=self._json(run, "ai_reports", OPINION),
            image=self._json(run, "docker", _IMAGE),
            applications=self._text(run, "applications.yaml"),
            applications_before=None if before is None else self._text(before, "applications.yaml"),
            components=None if not sbom else _components(sbom),
            components_before=None if before is None else _components(self._json(before, "sbom", _SBOM)),
            previous=before,
            keyid=self.key.keyid,
            builder=self.builder,
            version=self.version,
        )

    def _oscal(self, pack: EvidencePack, page: PackPage) -> dict[str, bytes]:
        """The same findings, plan and decisions for tools of governance."""
        given = OscalInput(
            manifest=pack.manifest,
            root=pack.root,
            mapa=page.mapa,
            after=page.after,
            plan=page.plan,
            board=page.board,
            lines=tuple(split_lines(pack.rapid)),
            digests=self.bench.store.digests(pack.manifest.run, "reports"),
            version=self.version,
        )
        plan = render_plan_of_action(given)
        return {RESULTS: render_results(given)} | ({} if plan is None else {PLAN_OF_ACTION: plan})

    def _previous_run(self, pack: EvidencePack) -> str | None:
        lines = [each for each in self.bench.store.history() if each.manifest_sha256 == pack.previous]
        return lines[-1].run if pack.previous and lines else None

    def _document(self, run: str, name: str, kind: type[Kind]) -> Kind:
        return load_record(self.bench.store.read(run, "reports", name), kind, where=f"reports/{run}/{name}")

    def _json(self, run: str, category: str, name: str) -> dict[str, Any]:
        """A document of a stage that this one does not depend on; empty where the run has none."""
        if not self.bench.store.has(run, category, name):
            return {}
        value = json.loads(self.bench.store.read(run, category, name))
        return value if isinstance(value, dict) else {}

    def _text(self, run: str, name: str) -> str | None:
        store = self.bench.store
        return store.read(run, "reports", name).decode() if store.has(run, "reports", name) else None


def _bytes_of(item: tuple[str, str]) -> bytes:
    return item[0].encode()


def _read(store: Store, path: str) -> bytes:
    category, run, name = path.split("/", 2)
    return store.read(run, category, name)


def _cited(checklist: Checklist) -> dict[str, str]:
    """Evidence that stands in another run: the recorded tests of the toolkit."""
    cited = {each.path: each.sha256 for item in checklist.items for each in item.evidence}
    return {path: digest for path, digest in cited.items() if path.split("/")[1] != checklist.run}


def _table(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _components(sbom: Mapping[str, Any]) -> frozenset[str]:
    found = sbom.get("components")
    listed = found if isinstance(found, list) else []
    return frozenset(str(each.get("purl") or each.get("name")) for each in listed if isinstance(each, dict))

"""Making the evidence pack of a run: manifest, statements, page and zip, published in one step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.codec import dump_json, load_json, sha256_hex, sort_sums
from pipeline.domain.artifact import Checklist
from pipeline.evidence.envelope import bundle_digest, dump_line, sign_statement
from pipeline.evidence.manifest import (
    ATTESTATIONS,
    ENVELOPE,
    KEYLESS,
    MANIFEST,
    PAGE,
    PDF,
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
from pipeline.page_facts import IMAGE, PageMaker
from pipeline.records import dump_record, load_record
from pipeline.report.oscal import OscalInput, render_plan_of_action, render_results
from pipeline.report.pack import render_page
from pipeline.report.pack_change import read_image
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
    from pipeline.flow.answers import SuiteResults
    from pipeline.ports import Content
    from pipeline.report.pack import PackPage
    from pipeline.store import Store

__all__ = ["PackMaker"]


@dataclass(frozen=True, kw_only=True)
class PackMaker:
    """Facts that no file of the run holds. ``epoch`` is SOURCE_DATE_EPOCH or the commit's time, None without either.

    ``builder`` and ``locks`` go into the provenance, ``readings`` of the rules into the page;
    ``stage_archive`` writes a zip to a private file; ``sign_keyless`` makes
    a Sigstore bundle, ``print_page`` a PDF of the page.
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
    readings: tuple[tuple[str, str, str], ...]
    stage_archive: Callable[[Iterable[tuple[str, bytes]]], AbstractContextManager[Path]] = field(repr=False)
    sign_keyless: Callable[[bytes], bytes] | None = None
    print_page: Callable[[bytes], bytes] | None = None

    def make(self, run: str) -> EvidencePack:
        """Make the pack again from what is on disk and publish it whole; decisions that are there stay in it."""
        store = self.bench.store
        where = f"reports/{run}/checklist.json"
        checklist = load_record(store.read(run, "reports", "checklist.json"), Checklist, where=where)
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
        small = {MANIFEST: data, **self._statements(pack), **self._keyless(pack, data)}
        page = self._page_maker.read(pack, checklist)
        small |= self._oscal(pack, page)
        small[PAGE] = render_page(page, base="../../")
        own = {f"reports/{run}/{name}": content for name, content in small.items() if name != PAGE}
        own |= {PAGE: render_page(page, base=""), f"{KEYS}/{self.key.keyid[:16]}.pem": self.key.public_pem}
        own[RECIPE] = render_recipe(manifest)
        if pack.rapid:
            own[f"reports/{run}/{RAPID}"] = pack.rapid
        with self.stage_archive(self._entries(pack, files, own)) as archive:
            published: dict[str, Content] = {**small, **self._printed(page), ZIP: archive}
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
        build = Build(
            builder=self.builder,
            version=self.version,
            inputs={str(key): str(value) for key, value in inputs.items()},
            locks=self.locks,
            base=self._base_image(manifest.run),
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

    def _keyless(self, pack: EvidencePack, manifest: bytes) -> dict[str, bytes]:
        """A bundle where one is asked for, else the one that there is, as long as it speaks of this manifest."""
        if self.sign_keyless is not None:
            return {KEYLESS: self.sign_keyless(manifest)}
        store, run = self.bench.store, pack.manifest.run
        kept = store.read(run, "reports", KEYLESS) if store.has(run, "reports", KEYLESS) else b""
        return {KEYLESS: kept} if bundle_digest(kept) == pack.root else {}

    def _printed(self, page: PackPage) -> dict[str, bytes]:
        """The page on paper; beside the zip and not in it, since its bytes depend on the fonts of the machine."""
        return {} if self.print_page is None else {PDF: self.print_page(render_page(page, base="../../"))}

    @property
    def _page_maker(self) -> PageMaker:
        return PageMaker(
            keyid=self.key.keyid, builder=self.builder, version=self.version, readings=self.readings, tests=self.tests
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
        results, plan = render_results(given), render_plan_of_action(given)
        return {RESULTS: results} | ({} if plan is None else {PLAN_OF_ACTION: plan})

    def _base_image(self, run: str) -> dict[str, str]:
        """Reference and digest of what the image stands on; empty where the run has none."""
        store = self.bench.store
        if not store.has(run, "docker", IMAGE):
            return {}
        image = read_image(load_json(store.read(run, "docker", IMAGE), where=f"docker/{run}/{IMAGE}"), {})
        digest = "" if image is None else image.base_digest.removeprefix("sha256:")
        return {image.base: digest} if image is not None and digest else {}


def _bytes_of(item: tuple[str, str]) -> bytes:
    return item[0].encode()


def _read(store: Store, path: str) -> bytes:
    category, run, name = path.split("/", 2)
    return store.read(run, category, name)


def _cited(checklist: Checklist) -> dict[str, str]:
    """Evidence that stands in another run: the recorded tests of the toolkit."""
    cited = {each.path: each.sha256 for item in checklist.items for each in item.evidence}
    return {path: digest for path, digest in cited.items() if path.split("/")[1] != checklist.run}

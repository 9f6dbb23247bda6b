"""The SBOMs of a run: made once, published whole, read back from the store after that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.sbom import Component, SbomTool
from pipeline.report.sbom import Bill, render_sboms
from pipeline.sbom.cdx_load import load_cyclonedx
from pipeline.sbom.licences import judge_licences
from pipeline.sbom.minimum import summarise
from pipeline.sbom.toolkit import build_toolkit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.domain.sbom import Sbom
    from pipeline.sbom.settings import SbomSettings
    from pipeline.sbom.toolkit import Lock
    from pipeline.store import Store

__all__ = ["CATEGORY", "SUMMARY", "TOOLKIT", "SbomMaker"]

CATEGORY = "sbom"
SUMMARY = "sbom.md"
TOOLKIT = "pipeline"
_TITLES = {TOOLKIT: "Esteira (appgear-pipeline)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SbomMaker:
    """Makes the SBOMs of one run. ``created`` is UTC, empty without a time; ``told`` gets a line before long work."""

    store: Store
    run: str
    settings: SbomSettings
    version: str
    created: str
    told: Callable[[str], None]

    def toolkit(self, lock: Lock, listed: Callable[[], bytes], lister: str) -> Bill:
        """The toolkit's own; ``listed`` asks ``cyclonedx-py`` of version ``lister`` for the lock as CycloneDX."""
        names = (f"{TOOLKIT}.cdx.json", f"{TOOLKIT}.cdx.xml")
        return self._bill(TOOLKIT, names, lambda: self._build_toolkit(lock, listed(), lister))

    def _build_toolkit(self, lock: Lock, listed: bytes, lister: str) -> Sbom:
        author = self.settings.organization
        name = f"pkg:pypi/appgear-pipeline@{self.version}"
        root = Component(
            ref=name,
            kind="application",
            name="appgear-pipeline",
            version=self.version,
            purl=name,
            licence="Apache-2.0",
            supplier=author,
        )
        tools = (
            SbomTool(name="appgear-pipeline", version=self.version, supplier=author),
            SbomTool(name="cyclonedx-bom", version=lister, supplier="CycloneDX"),
        )
        return build_toolkit(listed, lock, root=root, tools=tools, created=self.created, author=author)

    def _bill(self, name: str, files: tuple[str, ...], build: Callable[[], Sbom]) -> Bill:
        """From the store where the run has it, hashed again; else built, held against its standards and published."""
        main = f"{name}.cdx.json"
        if not self.store.has(self.run, CATEGORY, *files):
            from pipeline.sbom.documents import render_documents  # noqa: PLC0415  # heavy, and only where one is made

            self.told(f"SBOM: listando os componentes de {_TITLES[name]}")
            made = render_documents(build(), name, spdx=f"{name}.spdx.json" in files)
            self.store.publish(self.run, CATEGORY, made, stage="sbom")
        sbom = load_cyclonedx(self.store.read(self.run, CATEGORY, main), where=main)
        return Bill(
            name=name,
            title=_TITLES[name],
            files=files,
            sbom=sbom,
            summary=summarise(sbom),
            findings=judge_licences(sbom, deny=self.settings.deny, warn=self.settings.warn),
        )

    def publish_summary(self, bills: Sequence[Bill]) -> None:
        """``sbom.md`` over all of them; made again when one more has come to the run."""
        self.store.publish(self.run, CATEGORY, {SUMMARY: render_sboms(bills)}, stage="sbom", supersedes=(SUMMARY,))

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

__all__ = ["CATEGORY", "FOREIGN", "SUMMARY", "TOOLKIT", "SbomMaker", "own_tool"]

CATEGORY = "sbom"
SUMMARY = "sbom.md"
TOOLKIT = "pipeline"
FOREIGN = "image"


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
        title = "Esteira (appgear-pipeline)"
        return self._bill(TOOLKIT, title, lambda: self._build_toolkit(lock, listed(), lister), spdx=False)

    def image(self, name: str, build: Callable[[], Sbom]) -> Bill:
        """An image's; ``build`` looks into it."""
        return self._bill(name, f"Imagem ({name})" if name != FOREIGN else "Imagem", build, spdx=True)

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
        tools = (own_tool(self.version, author), SbomTool(name="cyclonedx-bom", version=lister, supplier="CycloneDX"))
        return build_toolkit(listed, lock, root=root, tools=tools, created=self.created, author=author)

    def _bill(self, name: str, title: str, build: Callable[[], Sbom], *, spdx: bool) -> Bill:
        """From the store where the run has it, hashed again; else built, held against its standards and published."""
        main = f"{name}.cdx.json"
        files = (main, f"{name}.cdx.xml", *((f"{name}.spdx.json",) if spdx else ()))
        if not self.store.has(self.run, CATEGORY, *files):
            self.told(f"SBOM: listando os componentes de {title}")
            sbom = build()
            from pipeline.sbom.documents import render_documents  # noqa: PLC0415  # heavy, and only where one is made

            self.store.publish(self.run, CATEGORY, render_documents(sbom, name, spdx=spdx), stage="sbom")
        sbom = load_cyclonedx(self.store.read(self.run, CATEGORY, main), where=main)
        return Bill(
            name=name,
            title=title,
            files=files,
            sbom=sbom,
            summary=summarise(sbom),
            findings=judge_licences(sbom, deny=self.settings.deny, warn=self.settings.warn),
        )

    def publish_summary(self, bills: Sequence[Bill]) -> None:
        """``sbom.md`` over all of them; made again when one more has come to the run."""
        self.store.publish(self.run, CATEGORY, {SUMMARY: render_sboms(bills)}, stage="sbom", supersedes=(SUMMARY,))


def own_tool(version: str, organization: str) -> SbomTool:
    """The toolkit as what made an SBOM."""
    return SbomTool(name="appgear-pipeline", version=version, supplier=organization)

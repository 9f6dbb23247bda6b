"""Looking into an image: which syft, which layout, and the graph that comes of both."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.layout import opened_image
from pipeline.adapters.syft import find_syft, scan_image
from pipeline.commands.again import given_epoch, search_path
from pipeline.domain.sbom import SbomTool
from pipeline.errors import IntegrityError
from pipeline.ports import show_path
from pipeline.sbom.image import Naming, build_image, collect
from pipeline.sbom.listing import read_listing
from pipeline.sboms import own_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.domain.sbom import Sbom
    from pipeline.ports import Runner, Tool
    from pipeline.sbom.image import Collected
    from pipeline.sbom.oci import ImageFacts

__all__ = ["Scanner"]

_LABELS = "org.opencontainers.image."


class Scanner:
    """Runs syft over layouts. Nothing below a folder of ``outside`` is ever taken for it."""

    def __init__(self, runner: Runner, *, outside: Sequence[Path], organization: str) -> None:
        self._runner = runner
        self._outside = [*outside, Path.cwd()]
        self._organization = organization

    @cached_property
    def tool(self) -> Tool:
        """The one that is run, with its digest."""
        return find_syft(self._runner, search_path=search_path(), outside=self._outside)

    def details(self) -> dict[str, object]:
        """What an execution records of it."""
        return {"syft": {"path": str(self.tool.path), "sha256": self.tool.sha256, "version": self.tool.version}}

    def scan(
        self,
        layout: Path,
        naming: Naming,
        *,
        tag: str = "",
        digest: str,
        enrich: Callable[[Collected], Collected] = lambda collected: collected,
    ) -> Sbom:
        """The graph of the layout's image, which must have this digest; ``enrich`` adds what others know of it."""
        with opened_image(layout, tag=tag) as image:
            if image.facts.digest != digest:
                raise IntegrityError(
                    f"a imagem é {image.facts.digest}, e não {digest}",
                    where=show_path(layout),
                    mend="rode image de novo",
                )
            data = scan_image(self._runner, self.tool, image.folder)
        listing = read_listing(data)
        return build_image(image.facts, listing, enrich(collect(listing)), naming)

    @property
    def tools(self) -> tuple[SbomTool, ...]:
        """What makes the graph, as it stands in it."""
        return (
            own_tool(pipeline.__version__, self._organization),
            SbomTool(name="syft", version=self.tool.version, supplier="Anchore"),
        )

    def naming(self, facts: ImageFacts) -> Naming:
        """A foreign image by what it says of itself."""
        labels = facts.labels
        tag = facts.tag.rpartition("/")[2]
        title, _, version = tag.partition("@")[0].partition(":")
        return Naming(
            name=labels.get(f"{_LABELS}title") or (title if version else "") or "imagem",
            version=labels.get(f"{_LABELS}version") or version or tag or facts.digest,
            supplier=labels.get(f"{_LABELS}vendor") or labels.get(f"{_LABELS}authors", ""),
            author=self._organization,
            created=_created(facts.created),
            tools=self.tools,
        )


def _created(said: str) -> str:
    """``SOURCE_DATE_EPOCH``, else what the image says, to the second; empty where that is no time."""
    given = given_epoch()
    try:
        when = (
            datetime.fromtimestamp(int(given), UTC)
            if given
            else datetime.fromisoformat(re.sub(r"\.\d+", "", said)).astimezone(UTC)
        )
    except (ValueError, OverflowError):
        return ""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")

"""One graph as files, each held against its standard before anybody sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.sbom.cdx_json import dump_cyclonedx, serial_number
from pipeline.sbom.cdx_xml import render_cyclonedx_xml
from pipeline.sbom.minimum import verify_graph
from pipeline.sbom.spdx import dump_spdx
from pipeline.sbom.validate import verify_cyclonedx, verify_cyclonedx_xml, verify_spdx

if TYPE_CHECKING:
    from pipeline.domain.sbom import Sbom

__all__ = ["render_documents"]


def render_documents(sbom: Sbom, name: str, *, spdx: bool) -> dict[str, bytes]:
    """``<name>.cdx.json``, ``.cdx.xml`` and, where asked for, ``.spdx.json``: the same components, one serial number.

    ToolError when the graph is empty or does not hold together, or when a document is not as its standard says.
    """
    verify_graph(sbom, where=name)
    serial = serial_number(sbom)
    made = {
        f"{name}.cdx.json": dump_cyclonedx(sbom, serial),
        f"{name}.cdx.xml": render_cyclonedx_xml(sbom, serial),
    }
    verify_cyclonedx(made[f"{name}.cdx.json"], where=f"{name}.cdx.json")
    verify_cyclonedx_xml(made[f"{name}.cdx.xml"], where=f"{name}.cdx.xml")
    if spdx:
        made[f"{name}.spdx.json"] = dump_spdx(sbom, serial)
        verify_spdx(made[f"{name}.spdx.json"], where=f"{name}.spdx.json")
    return made

"""syft's own JSON as values: what it found, where, and what needs what."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pipeline.errors import ToolError

__all__ = ["Found", "Licence", "Listing", "Place", "Relation", "read_listing"]


class Place(msgspec.Struct):
    """A file of the image; ``annotations`` say whether it is the evidence itself."""

    path: str
    annotations: dict[str, str] = {}


class Licence(msgspec.Struct, rename="camel"):
    """``value`` as the package says it, ``spdx_expression`` where syft knows what is meant."""

    value: str = ""
    spdx_expression: str = ""


class Cpe(msgspec.Struct):
    """Guessed (``syft-generated``) or known."""

    cpe: str
    source: str = ""


class Found(msgspec.Struct, rename="camel"):
    """One package at one place; ``metadata`` differs by kind."""

    id: str
    name: str
    version: str = ""
    type: str = ""
    purl: str = ""
    licenses: list[Licence] = []
    locations: list[Place] = []
    cpes: list[Cpe] = []
    metadata: dict[str, Any] | None = None


class Relation(msgspec.Struct):
    """``parent`` is a ``type`` of ``child``."""

    parent: str
    child: str
    type: str


class Distro(msgspec.Struct, rename={"version_id": "versionID", "pretty_name": "prettyName"}):
    id: str = ""
    version_id: str = ""
    pretty_name: str = ""


class _Descriptor(msgspec.Struct):
    name: str
    version: str


class Listing(msgspec.Struct, rename="camel"):
    """Everything that one run found."""

    artifacts: list[Found]
    descriptor: _Descriptor
    artifact_relationships: list[Relation] = []
    distro: Distro = msgspec.field(default_factory=Distro)


_NVD = "nvd-cpe-dictionary"
_UNKNOWN = re.compile(r"UNKNOWN|\(devel\)|", re.IGNORECASE)


def read_listing(data: bytes) -> Listing:
    """ToolError where it is not syft's JSON: nothing, cut off, or another program's."""
    try:
        listing = msgspec.json.decode(data, type=Listing)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(
            "não deu a lista no seu próprio formato", where="syft", mend="reinstale a esteira a partir do lock"
        ) from error
    if listing.descriptor.name != "syft":
        raise ToolError("não é o syft", where="syft", mend="reinstale a esteira a partir do lock")
    return listing


def known_version(version: str) -> str:
    """The version; empty where syft only says that it does not know it."""
    return "" if _UNKNOWN.fullmatch(version) else version


def known_cpe(found: Found) -> str:
    """The first name of the NVD's own dictionary; guesses are left out."""
    return next((each.cpe for each in found.cpes if each.source == _NVD), "")

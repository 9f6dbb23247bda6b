"""What a thing is made of, whatever the format: one graph, what changed between two, what an SBOM says in figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.base import Record
from pipeline.domain.finding import Severity

__all__ = [
    "ChangedComponent",
    "Component",
    "ComponentKind",
    "Digest",
    "Distribution",
    "LicenceFinding",
    "Minimum",
    "MinimumElement",
    "NamedComponent",
    "PackedFile",
    "Sbom",
    "SbomChange",
    "SbomDifference",
    "SbomSummary",
    "SbomTool",
]

ComponentKind = Literal["application", "container", "framework", "library", "operating-system"]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Digest:
    """``algorithm`` as CycloneDX writes it (SHA-256), ``content`` in lower-case hex."""

    algorithm: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """A file that the component came in. ``comment`` says, in pt-BR, which file the digests are of."""

    url: str
    comment: str
    digests: tuple[Digest, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One package. What is not known is empty, never a guess.

    ``ref`` names it in the graph and is unique there. ``licence`` is an SPDX expression, with ``LicenseRef-`` for what
    SPDX does not know; ``declared`` is what the package itself says, where that reads otherwise. ``digests`` are of
    the component's own file; those of other files stand in ``distributions``. ``places`` are paths in the image.
    """

    ref: str
    kind: ComponentKind = "library"
    name: str
    version: str = ""
    purl: str = ""
    licence: str = ""
    declared: str = ""
    supplier: str = ""
    digests: tuple[Digest, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    cpe: str = ""
    places: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def ecosystem(self) -> str:
        """The purl's type: ``npm``, ``deb``, ``pypi``, …; empty without a purl."""
        return self.purl.partition(":")[2].partition("/")[0] if self.purl.startswith("pkg:") else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedFile:
    """The file that a package came in, as a lock names it."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SbomTool:
    """What made the graph. No digest of its binary: that differs between systems where its findings do not."""

    name: str
    version: str
    supplier: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sbom:
    """The canonical graph that every format is written from.

    ``components`` are sorted by ``ref`` and do not hold the root. ``dependencies`` has every ref, the root's first,
    each with what it needs, sorted. ``created`` is UTC (``2026-11-22T10:00:00Z``), empty where nothing gives a time.
    ``incomplete`` names ecosystems of which not every dependency is known.
    """

    root: Component
    components: tuple[Component, ...]
    dependencies: tuple[tuple[str, tuple[str, ...]], ...]
    tools: tuple[SbomTool, ...] = ()
    created: str = ""
    author: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    incomplete: tuple[str, ...] = ()


class MinimumElement(Record, frozen=True, kw_only=True):
    """One of NTIA's elements: how many of ``total`` have it, and the refs of the first that do not."""

    name: str
    present: int
    total: int
    missing: tuple[str, ...] = ()


class Minimum(Record, frozen=True, kw_only=True):
    """NTIA's minimum elements; ``percent`` is of all elements of all components, 100 only when none lacks."""

    elements: tuple[MinimumElement, ...]
    percent: float


class NamedComponent(Record, frozen=True, kw_only=True):
    """A component as reports name it."""

    name: str
    ecosystem: str
    version: str
    licence: str


class ChangedComponent(Record, frozen=True, kw_only=True):
    """A component that both have and that is not the same.

    ``altered`` is true where a version stayed and its file did not: the same name and version with other digests.
    """

    name: str
    ecosystem: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    licence_before: str
    licence_after: str
    altered: bool = False


class SbomChange(Record, frozen=True, kw_only=True):
    """From one graph to another. ``licences_new`` and ``licences_gone`` are single licences, not expressions."""

    added: tuple[NamedComponent, ...]
    removed: tuple[NamedComponent, ...]
    changed: tuple[ChangedComponent, ...]
    licences_new: tuple[str, ...]
    licences_gone: tuple[str, ...]
    total_before: int
    total_after: int


class LicenceFinding(Record, frozen=True, kw_only=True):
    """A component whose licence the policy does not like. ``rule`` is ``deny`` or ``warn``."""

    rule: Literal["deny", "warn"]
    severity: Severity
    component: str
    version: str
    licence: str
    matched: tuple[str, ...]


class SbomDifference(Record, frozen=True, kw_only=True):
    """``sbom --diff --json``: the change, and the licence findings that the old one did not have."""

    schema_version: Literal["1.0"] = "1.0"
    change: SbomChange
    findings: tuple[LicenceFinding, ...]


class SbomSummary(Record, frozen=True, kw_only=True):
    """An SBOM in figures. The ``unknown_…`` and ``unhashed`` fields are refs."""

    total: int
    by_ecosystem: dict[str, int]
    licences: dict[str, int]
    unknown_licence: tuple[str, ...]
    unknown_supplier: tuple[str, ...]
    unknown_version: tuple[str, ...]
    unhashed: tuple[str, ...]
    edges: int
    incomplete: tuple[str, ...]
    minimum: Minimum

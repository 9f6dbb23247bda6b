"""What an index line may say beside who, when and which run: figures, where it was first written, holds, removals."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pipeline.domain.base import Record
from pipeline.domain.finding import Severity

__all__ = ["FINGERPRINT_CHARACTERS", "MAX_FINGERPRINTS", "Hold", "LineOrigin", "Measures", "Removal"]

FINGERPRINT_CHARACTERS = 12
MAX_FINGERPRINTS = 1000

_Count = Annotated[int, Meta(ge=0)]
_Percent = Annotated[float, Meta(ge=0, le=100)]
_Score = Annotated[int, Meta(ge=0, le=100)]
_Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Fingerprint = Annotated[str, Meta(pattern=f"^[0-9a-f]{{{FINGERPRINT_CHARACTERS}}}$")]


class Measures(Record, frozen=True, kw_only=True):
    """Figures of a run as its execution left it; None is *not measured*, never zero.

    ``open`` counts the non-conformities that no waiver covers, ``left`` those that the rewrite leaves. ``fingerprints``
    are the first 12 digits of the open ones, sorted, None above 1,000: by them a later line tells what was resolved.
    ``residual_risk`` and ``risk_score`` are the opinion's, 0 to 100; ``coverage`` is of the toolkit's own tests, per
    cent of lines. ``subjects`` are what should have an SBOM (each image, and the toolkit), ``described`` those that do.
    """

    open: dict[Severity, _Count] | None = None
    left: dict[Severity, _Count] | None = None
    waived: _Count | None = None
    fingerprints: dict[Severity, tuple[_Fingerprint, ...]] | None = None
    risk_score: _Score | None = None
    residual_risk: _Score | None = None
    tests_passed: _Count | None = None
    tests_failed: _Count | None = None
    coverage: _Percent | None = None
    subjects: _Count = 0
    described: _Count = 0


class LineOrigin(Record, frozen=True, kw_only=True):
    """Where a merged line was first written: the line as it was there has the digest ``sha256``.

    ``chain`` is the digest of that chain's first line; ``sequence``, ``previous`` and ``schema_version`` are what the
    line said there. Everything else of it stands unchanged in the merged line. ``previous_pack`` is the module's pack
    that stood before the line's own in that chain: decisions are bound to it, wherever the line is read.
    """

    chain: _Digest
    sequence: Annotated[int, Meta(ge=1)]
    previous: _Digest
    sha256: _Digest
    schema_version: Literal["1.0", "1.1"]
    previous_pack: _Digest | None = None


class Hold(Record, frozen=True, kw_only=True):
    """A legal hold on the line's run, or the end of one: the last word counts."""

    action: Literal["hold", "release"]
    owner: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=600)]


class Removal(Record, frozen=True, kw_only=True):
    """What retention took away: the digest of each category's ``SHA256SUMS``, and the nonces its decisions had used."""

    sums: dict[str, _Digest]
    files: _Count
    nonces: tuple[str, ...]

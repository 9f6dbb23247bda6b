"""``[sbom]`` of the configuration: which licences the platform refuses, and in whose name an SBOM speaks."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import UsageError

__all__ = ["SbomSettings", "verify_settings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SbomSettings:
    """``deny`` and ``warn`` are SPDX licences (``NOASSERTION`` for the unknown); ``organization`` is the author."""

    deny: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()
    organization: str = "AppGear"


def verify_settings(settings: SbomSettings, *, where: str) -> None:
    """UsageError for a licence that SPDX does not know by this name: a typing error must not let a licence pass."""
    from pipeline.sbom.licences import is_licence_id  # noqa: PLC0415  # every command reads the configuration

    for key, listed in (("deny", settings.deny), ("warn", settings.warn)):
        for each in listed:
            if not is_licence_id(each):
                raise UsageError(
                    f"[sbom] {key}: `{each}` não é um identificador SPDX",
                    where=where,
                    mend="veja spdx.org/licenses; GPL-3.0, por exemplo, é GPL-3.0-only ou GPL-3.0-or-later",
                )

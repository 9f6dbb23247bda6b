"""The ``[image]`` table of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["COMPRESSIONS", "ImageSettings", "image_fault"]

COMPRESSIONS = ("gzip", "zstd")
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_DEBIAN = re.compile(r"debian:[a-z]+")
_REGISTRY = re.compile(
    r"oci:[A-Za-z0-9.-]+(?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+(?::[\w][\w.-]{0,127})?@sha256:[0-9a-f]{64}",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSettings:
    """What the image is called and made from. Paths are relative to the configuration file.

    ``modules`` are the ids of the modules whose release this image is. ``base`` is ``debian:SUITE`` or
    ``oci:REGISTRY/NAME@sha256:…``; ``mirrors`` replace those of the host; ``keyring`` replaces Debian's own keys.
    """

    name: str = "core-backstage"
    modules: tuple[str, ...] = ()
    portal: str = "portal"
    base: str = "debian:trixie"
    mirrors: tuple[str, ...] = ()
    keyring: str = ""
    compression: str = "gzip"
    source: str = "https://github.com/appgear/appgear-pipeline"


def image_fault(values: dict[str, Any]) -> str:
    """What is wrong with the values (pt-BR); empty where nothing is."""
    if "name" in values and not _NAME.fullmatch(values["name"]):
        return "name deve ter só minúsculas, dígitos e . _ - entre eles"
    base = values.get("base", "debian:trixie")
    if not _DEBIAN.fullmatch(base) and not _REGISTRY.fullmatch(base):
        return "base deve ser debian:SUITE ou oci:REGISTRO/NOME@sha256:…"
    if values.get("compression", "gzip") not in COMPRESSIONS:
        return f"compression deve ser um de {', '.join(COMPRESSIONS)}"
    return "portal não pode ser vazio" if values.get("portal") == "" else ""

"""What packages say of themselves, as it may stand in every format."""

from __future__ import annotations

import re

from pipeline.codec import visible

__all__ = ["clean", "clean_cpe", "clean_purl"]

_MAX_CHARACTERS = 1024
_CPE = re.compile(r"cpe:2\.3:[aho*-](:([A-Za-z0-9._*?-]|\\[!-/:-@\[-`{-~])+){10}")


def clean(text: str, limit: int = _MAX_CHARACTERS) -> str:
    """One line without controls or edge blanks, at most ``limit`` characters: XML, JSON and SPDX keep it alike."""
    return " ".join(visible(text[: limit * 2]).split())[:limit].rstrip()


def clean_purl(text: str) -> str:
    """A package URL in its canonical form; empty where it is none."""
    from packageurl import PackageURL  # noqa: PLC0415  # only SBOMs need it

    try:
        return PackageURL.from_string(clean(text)).to_string()
    except ValueError:
        return ""


def clean_cpe(text: str) -> str:
    """A CPE 2.3 name; empty where it is none."""
    return text if _CPE.fullmatch(text) else ""

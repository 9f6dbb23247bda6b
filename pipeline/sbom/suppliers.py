"""Who a package comes from: as it says itself, else who owns its repository, else the name it has in its registry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.sbom.texts import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["supplier_of"]

_SAID = ("maintainer", "vendor", "author", "authors", "packager", "companyName")
_ADDRESS = re.compile(r"\s*(<[^>]*>|\([^)]*\))")
_HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")
# A name in a registry belongs to somebody who can be looked up there, whatever the package fails to say.
_REGISTRIES = {"npm": "npm", "pypi": "PyPI", "gem": "RubyGems", "cargo": "crates.io", "composer": "Packagist"}
_REGISTRIES |= {"nuget": "NuGet", "maven": "Maven", "cran": "CRAN", "luarocks": "LuaRocks", "hex": "Hex"}
_NOBODY = {"", "unknown", "none", "n/a", "null", "undefined"}


def supplier_of(ecosystem: str, name: str, metadata: Mapping[str, Any], *, cpe: str = "") -> str:
    """Empty where nothing says it. ``cpe`` is of the NVD's dictionary, which names vendors."""
    for key in _SAID:
        said = _person(metadata.get(key))
        if said:
            return said
    for key in ("url", "homepage", "source"):
        owner = _owner(metadata.get(key))
        if owner:
            return owner
    if metadata.get("private") is True:  # in no registry
        return ""
    vendor = cpe.split(":")[3] if cpe.count(":") > 3 else ""  # cpe:2.3:part:vendor:…
    return _registered(ecosystem, name, metadata) or clean(vendor.replace("\\", "").replace("_", " "))


def _registered(ecosystem: str, name: str, metadata: Mapping[str, Any]) -> str:
    """The owner's place in the registry: a scope, a group, the name itself."""
    if ecosystem == "golang":
        return _owner(f"https://{name}") or clean(name.partition("/")[0])
    if ecosystem == "maven" and isinstance(metadata.get("pomProperties"), dict):
        name = str(metadata["pomProperties"].get("groupId") or name)
    if ecosystem == "npm" and name.startswith("@"):
        name = name.partition("/")[0]
    return clean(f"{_REGISTRIES[ecosystem]}: {name}") if ecosystem in _REGISTRIES else ""


def _person(said: object) -> str:
    """``Name <address> (site)`` as the name; of several, all of them."""
    if isinstance(said, list):
        return clean(", ".join(each for each in map(_person, said[:8]) if each))
    if isinstance(said, dict):
        return _person(said.get("name"))
    if not isinstance(said, str):
        return ""
    name = clean(_ADDRESS.sub("", said)).strip("\"' ")
    if name.lower() in _NOBODY:
        name = clean(said).strip("<>() ")
    return "" if name.lower() in _NOBODY else name


def _owner(address: object) -> str:
    """``github.com/owner`` of a repository's address; empty for any other."""
    if not isinstance(address, str):
        return ""
    text = re.sub(r"^(git\+|git@|ssh://git@)", "", address.strip()).replace("github:", "https://github.com/")
    text = re.sub(r"^([\w.-]+):(?!//)", r"https://\1/", text)
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return ""
    owner = parts.path.strip("/").partition("/")[0]
    return clean(f"{host}/{owner}") if host in _HOSTS and owner else ""

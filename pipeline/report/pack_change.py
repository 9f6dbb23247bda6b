"""What a delivery changes, as the page shows it: Applications, image, components; others' documents as found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ApplicationChange",
    "ChangedFields",
    "Component",
    "ComponentChange",
    "ImageFacts",
    "SbomFacts",
    "compare_components",
    "read_components",
    "read_image",
    "read_sbom",
    "show_value",
]

_LONGEST = 80
_MIB = 1024 * 1024
_FIRST = ("os", "architecture", "variant", "name", "version")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedFields:
    """An Application that stays: (path, old value, new value), each value as ``show_value`` gives it."""

    name: str
    fields: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationChange:
    """``names`` are all that there are now; ``known`` is False where there is nothing to compare them with.

    ``deleted`` pairs a name with whether its resources go with it.
    """

    names: tuple[str, ...]
    known: bool
    added: tuple[str, ...] = ()
    changed: tuple[ChangedFields, ...] = ()
    deleted: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """``size`` in MiB of the compressed layers; ``previous`` the digest in the module's pack before, empty without."""

    name: str
    digest: str
    config: str
    size: str
    layers: int
    platform: str
    base: str
    base_digest: str
    builder: str
    previous: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """``key`` tells it from others whatever its version."""

    key: str
    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentChange:
    """``updated`` are those whose version alone differs, with the old one; ``known`` as in ``ApplicationChange``."""

    total: int
    known: bool
    added: tuple[Component, ...] = ()
    removed: tuple[Component, ...] = ()
    updated: tuple[tuple[Component, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SbomFacts:
    """A CycloneDX document and how much of it is said: of ``components`` so many have a licence, a hash, a purl."""

    name: str
    formats: tuple[str, ...]
    components: int
    licensed: int
    hashed: int
    named: int


def read_image(document: Mapping[str, Any], before: Mapping[str, Any]) -> ImageFacts | None:
    """The keys of contract.md; None without a digest. ``before`` is that of the previous pack, or empty."""
    digest = _text(document, "digest")
    if not digest:
        return None
    base, size, layers = _table(document, "base"), document.get("size"), document.get("layers")
    return ImageFacts(
        name=_text(document, "name"),
        digest=digest,
        config=_text(document, "config_digest"),
        size=f"{size / _MIB:.1f}".replace(".", ",") if isinstance(size, int) else "",
        layers=len(layers) if isinstance(layers, list) else 0,
        platform=_shown(document.get("platform"), "/"),
        base=_text(base, "reference"),
        base_digest=_text(base, "digest"),
        builder=_shown(document.get("builder"), " "),
        previous=_text(before, "digest"),
    )


def read_components(document: Mapping[str, Any]) -> tuple[Component, ...]:
    """Components of a CycloneDX document, in its order."""
    return tuple(
        Component(
            key=_text(each, "purl").split("?")[0].rpartition("@")[0] or f"{_text(each, 'type')} {_text(each, 'name')}",
            name=_full_name(each),
            version=_text(each, "version"),
        )
        for each in _listed(document)
    )


def read_sbom(name: str, formats: Iterable[str], document: Mapping[str, Any]) -> SbomFacts:
    """How complete the document is."""
    listed = _listed(document)
    return SbomFacts(
        name=name,
        formats=tuple(formats),
        components=len(listed),
        licensed=sum(bool(each.get("licenses")) for each in listed),
        hashed=sum(_has_hash(each) for each in listed),
        named=sum(bool(each.get("purl")) for each in listed),
    )


def compare_components(now: Iterable[Component], before: Iterable[Component] | None) -> ComponentChange:
    """By what a component is: the same one in another version is an update, not one added and one removed."""
    current = _by_key(now)
    total = sum(len(each) for each in current.values())
    if before is None:
        return ComponentChange(total=total, known=False)
    old = _by_key(before)
    added: list[Component] = []
    removed: list[Component] = []
    updated: list[tuple[Component, str]] = []
    for key in sorted(current.keys() | old.keys()):
        new, gone = current.get(key, {}), old.get(key, {})
        fresh, lost = sorted(new.keys() - gone.keys()), sorted(gone.keys() - new.keys())
        if len(fresh) == len(lost) == 1:
            updated.append((new[fresh[0]], lost[0]))
        else:
            added += [new[version] for version in fresh]
            removed += [gone[version] for version in lost]
    return ComponentChange(total=total, known=True, added=tuple(added), removed=tuple(removed), updated=tuple(updated))


def show_value(value: object) -> str:
    """A value of a manifest on one line, cut where it is long; ``ausente`` for none."""
    if value is None:
        return "ausente"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _has_hash(component: Mapping[str, Any]) -> bool:
    """Its own, or those of the files that it is fetched as, as lock files have them."""
    references = component.get("externalReferences")
    held = [component, *(references if isinstance(references, list) else [])]
    return any(isinstance(each, dict) and bool(each.get("hashes")) for each in held)


def _by_key(components: Iterable[Component]) -> dict[str, dict[str, Component]]:
    found: dict[str, dict[str, Component]] = {}
    for each in components:
        found.setdefault(each.key, {})[each.version] = each
    return found


def _full_name(component: Mapping[str, Any]) -> str:
    group, name = _text(component, "group"), _text(component, "name")
    return f"{group}/{name}" if group else name


def _listed(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = document.get("components")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _shown(value: object, between: str) -> str:
    """A text, or the values of a table one after the other, in the order in which ``linux/amd64`` names them."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (key not in _FIRST, _FIRST.index(key) if key in _FIRST else 0, key))
        return between.join(str(value[key]) for key in keys if value[key])
    return "" if value is None else str(value)

"""What changed between two SBOMs, by package and not by file: versions, licences, digests."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pipeline.domain.sbom import ChangedComponent, NamedComponent, SbomChange
from pipeline.sbom.licences import licences_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.sbom import Component, Sbom

__all__ = ["compare"]

_Key = tuple[str, str]


def compare(old: Sbom, new: Sbom) -> SbomChange:
    """From ``old`` to ``new``. A package is its ecosystem and name; it may stand in several versions at once.

    A version that stayed is no change, unless its licence or the digests that both know are others.
    """
    before, after = _by_package(old), _by_package(new)
    added = [each for key in after.keys() - before.keys() for each in after[key]]
    removed = [each for key in before.keys() - after.keys() for each in before[key]]
    changed = [each for key in before.keys() & after.keys() for each in _changes(key, before[key], after[key])]
    licences_before, licences_after = _licences(old), _licences(new)
    return SbomChange(
        added=_named(added),
        removed=_named(removed),
        changed=tuple(sorted(changed, key=lambda each: (each.ecosystem, each.name, each.before))),
        licences_new=tuple(sorted(licences_after - licences_before)),
        licences_gone=tuple(sorted(licences_before - licences_after)),
        total_before=len(old.components),
        total_after=len(new.components),
    )


def _by_package(sbom: Sbom) -> dict[_Key, list[Component]]:
    found: dict[_Key, list[Component]] = defaultdict(list)
    for each in sbom.components:
        found[each.ecosystem, each.name].append(each)
    return found


def _changes(key: _Key, before: Sequence[Component], after: Sequence[Component]) -> Iterator[ChangedComponent]:
    old, new = {each.version: each for each in before}, {each.version: each for each in after}
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    if gone or come:
        yield ChangedComponent(
            name=key[1],
            ecosystem=key[0],
            before=tuple(sorted(gone)),
            after=tuple(sorted(come)),
            licence_before=_together(old[version] for version in sorted(gone or old)),
            licence_after=_together(new[version] for version in sorted(come or new)),
        )
    for version in sorted(old.keys() & new.keys()):
        one, other = old[version], new[version]
        altered = _altered(one, other)
        if altered or one.licence != other.licence:
            yield ChangedComponent(
                name=key[1],
                ecosystem=key[0],
                before=(version,),
                after=(version,),
                licence_before=one.licence,
                licence_after=other.licence,
                altered=altered,
            )


def _altered(one: Component, other: Component) -> bool:
    """Whether an algorithm that both name gives different digests."""
    mine = {each.algorithm: each.content for each in one.digests}
    theirs = {each.algorithm: each.content for each in other.digests}
    return any(mine[name] != theirs[name] for name in mine.keys() & theirs.keys())


def _together(components: Iterator[Component]) -> str:
    return " / ".join(dict.fromkeys(each.licence for each in components if each.licence))


def _licences(sbom: Sbom) -> set[str]:
    return {name for each in sbom.components for name in licences_in(each.licence)}


def _named(components: Sequence[Component]) -> tuple[NamedComponent, ...]:
    rows = [
        NamedComponent(name=each.name, ecosystem=each.ecosystem, version=each.version, licence=each.licence)
        for each in components
    ]
    return tuple(sorted(rows, key=lambda each: (each.ecosystem, each.name, each.version)))

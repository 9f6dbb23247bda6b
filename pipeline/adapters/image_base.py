"""What the image stands on: Debian's packages by their lock, or an image of a registry by its digest."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.adapters.files import read_file
from pipeline.adapters.host import toolkit_digest
from pipeline.adapters.registry import Descriptor, open_registry, parse_reference
from pipeline.codec import load_json, sha256_hex, visible
from pipeline.domain.image import BasePackage, ImageBase
from pipeline.errors import InputError, ToolError
from pipeline.image.base import compose_base
from pipeline.image.deb import read_deb
from pipeline.image.entries import plan_layer
from pipeline.image.lock import load_lock
from pipeline.image.oci import Layer
from pipeline.ports import show_path
from pipeline.records import dump_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.adapters.cache import BlobCache
    from pipeline.adapters.image_cache import LayerCache
    from pipeline.adapters.image_mirror import Mirrors
    from pipeline.adapters.registry import Registry
    from pipeline.image.lock import BaseLock, LockedPackage

__all__ = ["LOCK_FILE", "DebianBase", "MadeBase", "RegistryBase"]

LOCK_FILE = "base.lock"
_DEB_BYTES = 256 * 1024 * 1024
_DOCUMENT_BYTES = 4 * 1024 * 1024
_LAYER_BYTES = 8 * 1024**3
_PREFIX = "sha256:"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LIBC = re.compile(r"(\d+)\.(\d+)")
# Docker's names for what the image specification has under names of its own; the bytes are the same.
_MEDIA_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
}
_KNOWN = frozenset({*_MEDIA_TYPES.values(), "application/vnd.oci.image.layer.v1.tar+zstd"})


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeBase:
    """Layers to stand on. ``libc`` is None where nobody knows; ``notes`` (pt-BR) tell what the lock did not foresee."""

    reference: str
    digest: str
    layers: tuple[Layer, ...]
    packages: tuple[BasePackage, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    libc: tuple[int, int] | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def as_record(self) -> ImageBase:
        """As the image's document names it."""
        return ImageBase(reference=self.reference, digest=self.digest, packages=self.packages)


@dataclass(frozen=True, kw_only=True)
class DebianBase:
    """A base of Debian's packages. ``lock_file`` may be missing: then the newest ones are taken, and that is told."""

    suite: str
    epoch: int
    architecture: str
    lock_file: Path
    mirrors: Mirrors
    cache: BlobCache
    layers: LayerCache
    told: Callable[[str], None] = field(repr=False)

    def make(self) -> MadeBase:
        """The base as locked. What has left the mirrors is resolved anew, told and noted; nothing else differs."""
        lock, notes = self._locked()
        mtime = min(self.epoch, _seconds(lock.date))
        layer = self.layers.known(self._key(lock, mtime), "base")
        if layer is None:
            gone = self.mirrors.fetch(lock.of(self.architecture))
            if gone:
                lock, notes = self._resolved(lock, gone)
                mtime = min(self.epoch, _seconds(lock.date))
            layer = self.layers.known(self._key(lock, mtime), "base") or self._made(lock, mtime)
        packages = lock.of(self.architecture)
        return MadeBase(
            reference=f"debian:{self.suite}",
            digest=_PREFIX + layer.digest,
            layers=(layer,),
            packages=tuple(_described(each) for each in packages),
            libc=_libc(packages),
            inputs=((LOCK_FILE, f"{_PREFIX}{sha256_hex(dump_record(lock))}"),),
            notes=notes,
        )

    def update(self) -> tuple[BaseLock, tuple[str, ...]]:
        """The newest base as a lock to be written, and what changes (pt-BR); the present lock where nothing does."""
        before = self._read()
        after = self.mirrors.resolve(self.suite)
        if before is not None and before.packages == after.packages and before.suite == after.suite:
            return before, ()
        return after, _changes(before.packages if before else (), after.packages)

    def _read(self) -> BaseLock | None:
        if not self.lock_file.exists():
            return None
        return load_lock(read_file(self.lock_file), where=show_path(self.lock_file))

    def _locked(self) -> tuple[BaseLock, tuple[str, ...]]:
        lock = self._read()
        if lock is not None and lock.suite == self.suite and lock.of(self.architecture):
            return lock, ()
        reason = "não há base.lock" if lock is None else f"base.lock não serve a {self.suite}/{self.architecture}"
        self.told(f"BASE: {reason}; use image --update-base para fixar os pacotes")
        return self.mirrors.resolve(self.suite), (f"{reason}: foram usados os pacotes mais novos",)

    def _resolved(self, lock: BaseLock, gone: Sequence[str]) -> tuple[BaseLock, tuple[str, ...]]:
        names = ", ".join(gone)
        self.told(f"BASE: {names} saíram dos espelhos; resolvendo de novo (image --update-base fixa o resultado)")
        found = self.mirrors.resolve(self.suite)
        still = self.mirrors.fetch(found.of(self.architecture))
        if still:
            raise ToolError(
                f"o espelho assina e não tem {', '.join(still)}", where=self.suite, mend="tente mais tarde, ou outro"
            )
        return found, (
            f"saíram dos espelhos: {names}",
            *_changes(lock.of(self.architecture), found.of(self.architecture)),
        )

    def _key(self, lock: BaseLock, mtime: int) -> str:
        """Over the packages and over the code that takes them apart."""
        digests = (each.sha256 for each in lock.of(self.architecture))
        return self.layers.key_of("debian", (toolkit_digest(), str(mtime), *digests))

    def _made(self, lock: BaseLock, mtime: int) -> Layer:
        self.told("IMAGEM: camada base")
        debs = []
        for each in lock.of(self.architecture):
            data = self.cache.read(each.sha256, limit=_DEB_BYTES)
            if data is None:
                raise ToolError("sumiu do cache durante a construção", where=each.name, mend="repita o comando")
            deb = read_deb(data, where=each.name)
            if (deb.name, deb.version) != (each.name, each.version):
                raise InputError("o pacote não é o que diz o lock", where=each.name, mend="rode image --update-base")
            debs.append(deb)
        layer = self.layers.make("base", plan_layer(compose_base(debs)), mtime=mtime)
        self.layers.remember(self._key(lock, mtime), layer)
        return layer


def _described(package: LockedPackage) -> BasePackage:
    return BasePackage(
        name=package.name, version=package.version, architecture=package.architecture, sha256=package.sha256
    )


def _changes(before: Sequence[LockedPackage], after: Sequence[LockedPackage]) -> tuple[str, ...]:
    old = {(each.name, each.architecture): each.version for each in before}
    rows = {(each.name, old.get((each.name, each.architecture), "(novo)"), each.version) for each in after}
    return tuple(f"{name} {was} → {now}" for name, was, now in sorted(rows) if was != now)


def _seconds(date: str) -> int:
    return int(datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def _libc(packages: Sequence[LockedPackage]) -> tuple[int, int] | None:
    version = next((each.version for each in packages if each.name == "libc6"), "")
    found = _LIBC.match(version.partition(":")[2] or version)
    return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, kw_only=True)
class RegistryBase:
    """A base that a registry holds. ``reference`` ends in ``@sha256:…``; what is in the cache is not fetched again."""

    reference: str
    platform: str
    cache: BlobCache
    environment: Mapping[str, str]
    offline: bool
    told: Callable[[str], None] = field(repr=False)

    def make(self) -> MadeBase:
        """Its layers, each by its digest. InputError where it has no image for the platform, or of a form unknown."""
        named = parse_reference(self.reference)
        digest = named.digest or ""
        with ExitStack() as stack:

            def connect() -> Registry:
                self.told(f"BASE: buscando {self.reference}")
                return stack.enter_context(open_registry(named, self.environment, offline=self.offline))

            source = _Source(self.cache, connect)
            manifest = self._manifest(source, digest)
            try:
                config = _parsed(source.bytes(_descriptor(manifest["config"])), self.reference)
                layers = self._layers(source, manifest["layers"], config["rootfs"]["diff_ids"])
                variables = [str(each) for each in (config.get("config") or {}).get("Env") or []]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise self._bad("o manifesto não é de uma imagem") from error
        return MadeBase(
            reference=f"oci:{self.reference.partition('@')[0]}",
            digest=digest,
            layers=layers,
            environment={each.partition("=")[0]: each.partition("=")[2] for each in variables},
            inputs=((f"oci:{self.reference.partition('@')[0]}", digest),),
        )

    def _manifest(self, source: _Source, digest: str) -> dict[str, Any]:
        document = _parsed(source.manifest(digest), self.reference)
        if "manifests" not in document:
            return document
        system, _, architecture = self.platform.partition("/")
        for each in document["manifests"]:
            place = each.get("platform") or {}
            if (place.get("os"), place.get("architecture")) == (system, architecture):
                return _parsed(source.manifest(str(each["digest"])), self.reference)
        raise self._bad(f"não há imagem para {self.platform}")

    def _layers(self, source: _Source, listed: Sequence[dict[str, Any]], diff_ids: Sequence[str]) -> tuple[Layer, ...]:
        if len(listed) != len(diff_ids) or not listed:
            raise ValueError
        made = []
        for row, diff_id in zip(listed, diff_ids, strict=True):
            descriptor = _descriptor(row)
            kind = _MEDIA_TYPES.get(descriptor.media_type, descriptor.media_type)
            if kind not in _KNOWN:
                raise self._bad(f"camada de um tipo que não se usa: {visible(kind)}")
            made.append(
                Layer(
                    origin="base",
                    digest=descriptor.digest.removeprefix(_PREFIX),
                    diff_id=str(diff_id).removeprefix(_PREFIX),
                    size=descriptor.size,
                    media_type=kind,
                    path=source.file(descriptor),
                )
            )
        return tuple(made)

    def _bad(self, reason: str) -> InputError:
        return InputError(reason, where=visible(self.reference), mend="indique outra imagem em [image] base")


class _Source:
    """Documents and blobs by digest: from the cache, else from the registry, which is opened when first needed."""

    def __init__(self, cache: BlobCache, connect: Callable[[], Registry]) -> None:
        self._cache = cache
        self._connect = connect
        self._registry: Registry | None = None

    def _opened(self) -> Registry:
        if self._registry is None:
            self._registry = self._connect()
        return self._registry

    def manifest(self, digest: str) -> bytes:
        known = self._cache.read(_hex(digest), limit=_DOCUMENT_BYTES)
        if known is not None:
            return known
        pulled = self._opened().pull_manifest(digest)
        if pulled is None:
            raise InputError("o registro não tem a imagem", where=digest, mend="confira [image] base")
        self._cache.put(pulled.data)
        return pulled.data

    def bytes(self, descriptor: Descriptor) -> bytes:
        data = self._cache.read(self.file(descriptor).name, limit=_DOCUMENT_BYTES)
        if data is None:
            raise ValueError
        return data

    def file(self, descriptor: Descriptor) -> Path:
        digest = _hex(descriptor.digest)
        known = self._cache.blob(digest)
        if known is not None:
            return known
        if descriptor.size > _LAYER_BYTES:
            raise InputError("camada grande demais", where=descriptor.digest, mend="indique outra imagem")
        with self._cache.draft() as draft:
            for part in self._opened().read_blob(descriptor):
                draft.write(part)
            return self._cache.keep(draft, digest)


def _descriptor(row: dict[str, Any]) -> Descriptor:
    return Descriptor(media_type=str(row["mediaType"]), digest=str(row["digest"]), size=int(row["size"]))


def _hex(digest: str) -> str:
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError
    return digest.removeprefix(_PREFIX)


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    value = load_json(data, where=visible(where))
    if not isinstance(value, dict):
        raise InputError("não é um documento de imagem", where=visible(where), mend="indique outra imagem")
    return value

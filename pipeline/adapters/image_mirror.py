"""Debian's packages from the host's own mirror: what the archive signed, and what the lock names, by SHA-256."""

from __future__ import annotations

import hashlib
import lzma
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.download import host_of
from pipeline.codec import visible
from pipeline.errors import InputError, IntegrityError, PipelineError, ToolError, UsageError
from pipeline.image.base import is_base_package, select_packages
from pipeline.image.debian import parse_packages, parse_release, parse_sources
from pipeline.image.lock import ARCHITECTURES, BaseLock, lock_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.adapters.cache import BlobCache
    from pipeline.adapters.download import Downloads
    from pipeline.adapters.openpgp import Keyring
    from pipeline.image.debian import Package, Release
    from pipeline.image.lock import LockedPackage

__all__ = ["Mirrors", "apt_sources"]

_APT = Path("/etc/apt")
_RELEASE_BYTES = 8 * 1024 * 1024
_INDEX_BYTES = 128 * 1024 * 1024
_UNPACKED_BYTES = 1024 * 1024 * 1024
_SUITES = ("{}", "{}-updates", "{}-security")
# The component as the archive's own and the security archive's Releases list it.
_INDEX_PATHS = ("main/binary-{}/Packages.xz", "updates/main/binary-{}/Packages.xz")


def apt_sources(folder: Path = _APT) -> tuple[str, ...]:
    """Addresses that this host's apt takes packages from, in apt's order; empty on hosts without apt."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    found: list[str] = []
    for path in files:
        if path.suffix not in {".list", ".sources"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += parse_sources(text, deb822=path.suffix == ".sources")
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, kw_only=True)
class Mirrors:
    """Where packages are looked for, in order. ``now`` is what a Release's expiry is held against.

    ``told`` is called with a line of pt-BR before work that takes time.
    """

    urls: Sequence[str]
    keyring: Keyring
    downloads: Downloads
    cache: BlobCache
    now: datetime
    told: Callable[[str], None] = field(repr=False)

    def resolve(self, suite: str) -> BaseLock:
        """The newest base that the archive offers for every architecture, with updates and security ones.

        IntegrityError where a signature or digest is wrong; InputError where the suite is offered nowhere.
        """
        dates: list[datetime] = []
        offered: dict[str, list[Package]] = {each: [] for each in ARCHITECTURES}
        self.told(f"BASE: lendo {suite} nos espelhos Debian")
        for url, path, release in self._releases(suite):
            dates.append(release.date)
            for architecture in ARCHITECTURES:
                offered[architecture] += self._packages(url, path, release, architecture)
        if not dates:
            raise self._not_found(suite)
        chosen = [each for offers in offered.values() for each in select_packages(offers, where=suite)]
        return BaseLock(suite=suite, date=max(dates).strftime("%Y-%m-%dT%H:%M:%SZ"), packages=lock_packages(chosen))

    def fetch(self, packages: Sequence[LockedPackage]) -> tuple[str, ...]:
        """Bring packages into the cache; the names of those that no mirror has any more.

        ToolError where a mirror does not answer: only a mirror that answers can say that something is gone.
        """
        gone = []
        for each in packages:
            if self.cache.blob(each.sha256) is None:
                self.told(f"BASE: baixando {each.name} {each.version}")
                if not self._fetch(each):
                    gone.append(each.name)
        return tuple(gone)

    def _fetch(self, package: LockedPackage) -> bool:
        self._need_urls()
        silent: PipelineError | None = None
        for url in self.urls:
            try:
                if self.downloads.store(f"{url}/{package.path}", self.cache, sha256=package.sha256, size=package.size):
                    return True
            except (ToolError, IntegrityError) as error:
                silent = error
        if silent is not None:
            raise silent
        return False

    def _need_urls(self) -> None:
        if not self.urls:
            raise UsageError(
                "este host não tem espelho Debian configurado",
                mend="use --mirror URL ou [image] mirrors em appgear.toml",
            )

    def _releases(self, suite: str) -> Iterator[tuple[str, str, Release]]:
        self._need_urls()
        for pattern in _SUITES:
            name = pattern.format(suite)
            for url in self.urls:
                release = self._release(url, name, suite)
                if release is not None:
                    yield url, f"dists/{name}", release
                    break

    def _release(self, url: str, name: str, suite: str) -> Release | None:
        where = f"{host_of(url)}: {visible(name)}"
        message = self.downloads.read(f"{url}/dists/{name}/InRelease", limit=_RELEASE_BYTES)
        if message is None:
            return None
        text, _ = self.keyring.signed_text(message, where=where)
        release = parse_release(text, where=where)
        if release.codename.partition("-")[0].partition("/")[0] != suite:
            raise IntegrityError(
                f"o espelho assina {visible(release.codename)}, e não {suite}", where=where, mend="indique outro"
            )
        if release.valid_until is not None and release.valid_until < self.now.astimezone(UTC):
            raise IntegrityError(
                f"o índice venceu em {release.valid_until:%Y-%m-%d}", where=where, mend="o espelho parou: use outro"
            )
        return release

    def _packages(self, url: str, path: str, release: Release, architecture: str) -> list[Package]:
        for pattern in _INDEX_PATHS:
            index = release.files.get(pattern.format(architecture))
            if index is None:
                continue
            where = f"{host_of(url)}: {index.path}"
            folder, _, name = index.path.rpartition("/")
            by_hash = f"{url}/{path}/{folder}/by-hash/SHA256/{index.sha256}"
            plain = f"{url}/{path}/{folder}/{name}"
            for place in (by_hash, plain) if release.by_hash else (plain,):
                data = self.downloads.read(place, limit=min(index.size, _INDEX_BYTES))
                if data is not None:
                    return _parse_index(data, index.sha256, where)
            raise ToolError("o espelho não tem o índice que assina", where=where, mend="tente mais tarde, ou outro")
        return []

    def _not_found(self, suite: str) -> PipelineError:
        tried = ", ".join(sorted({host_of(url) for url in self.urls}))
        return InputError(
            f"nenhum espelho configurado oferece {suite} ({tried})",
            mend="use --mirror URL ou [image] mirrors em appgear.toml",
        )


def _parse_index(data: bytes, sha256: str, where: str) -> list[Package]:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError("o índice não tem o SHA-256 assinado", where=where, mend="tente mais tarde, ou outro")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        text = unpacker.decompress(data, _UNPACKED_BYTES)
    except lzma.LZMAError as error:
        raise InputError("o índice não é xz íntegro", where=where, mend="tente outro espelho") from error
    if not unpacker.eof:
        raise InputError("o índice é grande demais ou está cortado", where=where, mend="tente outro espelho")
    return parse_packages(text.decode("utf-8", "replace"), is_base_package, where=where)

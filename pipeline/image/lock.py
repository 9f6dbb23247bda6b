"""``portal/base.lock``: which packages make the base, each by its SHA-256, for every platform."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pipeline.domain.base import Record
from pipeline.errors import InputError
from pipeline.image.debian import version_key
from pipeline.records import load_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.image.debian import Package

__all__ = ["ARCHITECTURES", "BaseLock", "LockedPackage", "load_lock", "lock_packages"]

ARCHITECTURES = ("amd64", "arm64")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_POOL = re.compile(r"pool/(?:[\w.+~%:-]+/)*[\w.+~%:-]+\.deb", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MAX_BYTES = 256 * 1024 * 1024


class LockedPackage(Record, frozen=True, kw_only=True):
    """``path`` is relative to any mirror of the archive."""

    name: str
    version: str
    architecture: str
    path: str
    size: int
    sha256: str


class BaseLock(Record, frozen=True, kw_only=True):
    """``date`` is when the archive last changed before the lock was made: the time that the base's files bear."""

    schema_version: Literal["1.0"] = "1.0"
    suite: str
    date: str
    packages: tuple[LockedPackage, ...]

    def of(self, architecture: str) -> tuple[LockedPackage, ...]:
        """The packages for one architecture, by name."""
        fitting = [each for each in self.packages if each.architecture in (architecture, "all")]
        return tuple(sorted(fitting, key=lambda each: each.name))


def load_lock(data: bytes, *, where: str) -> BaseLock:
    """Read a lock. InputError where it is none, or an entry could lead elsewhere."""
    lock = load_record(data, BaseLock, where=where)
    for each in lock.packages:
        if not _SHA256.fullmatch(each.sha256) or not _POOL.fullmatch(each.path) or "/../" in each.path:
            raise InputError("entrada inválida", where=f"{where}: {each.name}", mend="rode image --update-base")
        if not 0 < each.size <= _MAX_BYTES:
            raise InputError("tamanho inválido", where=f"{where}: {each.name}", mend="rode image --update-base")
    if not lock.packages or not _TIME.fullmatch(lock.date):
        raise InputError("sem pacotes ou sem data", where=where, mend="rode image --update-base")
    return lock


def lock_packages(chosen: Iterable[Package]) -> tuple[LockedPackage, ...]:
    """Chosen packages as the lock holds them; what several architectures share stands once, in its newest version."""
    locked = {
        (each.name, each.architecture): LockedPackage(
            name=each.name,
            version=each.version,
            architecture=each.architecture,
            path=each.path,
            size=each.size,
            sha256=each.sha256,
        )
        for each in sorted(chosen, key=lambda each: version_key(each.version))
    }
    return tuple(locked[key] for key in sorted(locked))

"""Debian's formats as values: stanzas of fields, versions and their order, sources of apt, a signed Release."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    _Key = tuple[tuple[tuple[int, ...], int], ...]

__all__ = [
    "IndexFile",
    "Package",
    "Release",
    "newest",
    "parse_packages",
    "parse_release",
    "parse_sources",
    "parse_stanzas",
    "version_key",
]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_POOL = re.compile(r"pool/[\w.+~%:/-]+\.deb", re.ASCII)
_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_OPTIONS = re.compile(r"\[[^\]]*\]")
_SCHEMES = ("http://", "https://", "file:")
_MEND = "confira o espelho, ou indique outro com --mirror"


def parse_stanzas(text: str) -> Iterator[dict[str, str]]:
    """Paragraphs of ``Field: value``, names in lower case; a value's further lines keep their newlines."""
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.split("\n"):
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":
                if name:
                    fields[name] += "\n" + line.strip()
                continue
            name, colon, value = line.partition(":")
            name = name.lower()
            if colon:
                fields[name] = value.strip()
            else:
                name = ""
        if fields:
            yield fields


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """A file that a Release vouches for."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What a signed Release says. Times are UTC; ``valid_until`` is None where the suite never expires."""

    codename: str
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    files: Mapping[str, IndexFile] = field(repr=False)


def parse_release(data: bytes, *, where: str) -> Release:
    """Read the text that the archive signed. InputError where it is no Release."""
    fields = next(parse_stanzas(data.decode("utf-8", "replace")), {})
    if not fields.get("codename") or "date" not in fields:
        raise InputError("não é um Release do Debian", where=where, mend=_MEND)
    files = {}
    for line in fields.get("sha256", "").split("\n"):
        parts = line.split()
        if len(parts) == 3 and _SHA256.fullmatch(parts[0]) and parts[1].isdecimal():
            files[parts[2]] = IndexFile(path=parts[2], sha256=parts[0], size=int(parts[1]))
    until = fields.get("valid-until")
    return Release(
        codename=fields["codename"],
        date=_time(fields["date"], where),
        valid_until=_time(until, where) if until else None,
        by_hash=fields.get("acquire-by-hash", "").lower() == "yes",
        files=files,
    )


def _time(text: str, where: str) -> datetime:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"data ilegível: {visible(text)}", where=where, mend=_MEND) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """One binary package of an index; ``path`` is relative to the mirror."""

    name: str
    version: str
    architecture: str
    path: str
    size: int
    sha256: str
    depends: str = ""


def parse_packages(text: str, wanted: Callable[[str], bool], *, where: str) -> list[Package]:
    """The packages whose name is ``wanted``. InputError where one has no usable place or digest."""
    found = []
    for paragraph in text.split("\n\n"):
        start = paragraph.lstrip("\n")
        if not start.startswith("Package: ") or not wanted(start[9:].partition("\n")[0].strip()):
            continue
        fields = next(parse_stanzas(paragraph))
        path, digest, size = fields.get("filename", ""), fields.get("sha256", ""), fields.get("size", "")
        unsafe = ".." in path.split("/") or not _POOL.fullmatch(path)
        if unsafe or not _SHA256.fullmatch(digest) or not size.isdecimal():
            raise InputError(f"entrada ilegível de {visible(fields['package'])}", where=where, mend=_MEND)
        found.append(
            Package(
                name=fields["package"],
                version=fields.get("version", ""),
                architecture=fields.get("architecture", ""),
                path=path,
                size=int(size),
                sha256=digest,
                depends=fields.get("depends", ""),
            )
        )
    return found


def newest(packages: Iterable[Package]) -> dict[str, Package]:
    """By name the highest version; of equal ones the first."""
    chosen: dict[str, Package] = {}
    for each in packages:
        known = chosen.get(each.name)
        if known is None or version_key(known.version) < version_key(each.version):
            chosen[each.name] = each
    return chosen


def version_key(version: str) -> tuple[int, _Key, _Key]:
    """A key that sorts versions as Debian policy 5.6.12 does: digits as numbers, ``~`` before everything."""
    epoch, colon, rest = version.partition(":")
    upstream, dash, revision = (rest if colon else version).rpartition("-")
    if not dash:
        upstream, revision = revision, "0"
    return int(epoch) if colon and epoch.isdecimal() else 0, _part_key(upstream), _part_key(revision)


def _part_key(text: str) -> _Key:
    pairs = [(_letters(found[1]), int(found[2] or 0)) for found in _PARTS.finditer(text) if found[0]]
    return (*pairs, ((0,), 0))


def _letters(text: str) -> tuple[int, ...]:
    """The end (0) sorts after ``~``, before letters; letters before everything else."""
    return (*(-1 if char == "~" else ord(char) + (0 if char.isalpha() else 256) for char in text), 0)


def parse_sources(text: str, *, deb822: bool) -> tuple[str, ...]:
    """Addresses of the binary repositories in a sources file of apt, one-line style or deb822; no trailing slash."""
    uris = _deb822_uris(text) if deb822 else _list_uris(text)
    return tuple(dict.fromkeys(uri.rstrip("/") for uri in uris if uri.lower().startswith(_SCHEMES)))


def _list_uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = _OPTIONS.sub(" ", line.partition("#")[0], count=1).split()
        if len(words) >= 3 and words[0] == "deb":
            yield words[1]


def _deb822_uris(text: str) -> Iterator[str]:
    for fields in parse_stanzas(text):
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0", "off", "disable"}
        if enabled and "deb" in fields.get("types", "").split():
            yield from fields.get("uris", "").split()

"""``yarn.lock`` as Yarn 2 and later write it: which package needs which, and what its checksums are of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.sbom import Digest
from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LockedPackage", "Name", "read_yarn_lock"]

_MEND = "gere o yarn.lock de novo com o Yarn 4"
_LINE = re.compile(r"""( *)("(?:[^"\\]|\\.)*"|[^\s":?][^":]*):(?: +(\S.*))?""")
_CHECKSUM = re.compile(r"\d+(?:c\d+)?/([0-9a-f]{128})")  # format and compression of the zip, then its SHA-512
_LOCATOR = re.compile(r"(@?[^@]+)@(.*)", re.DOTALL)

_FIELD, _ROW = 2, 4  # blanks before what stands in an entry, and before what stands in its sections
_NEEDS = ("dependencies", "optionalDependencies")

Name = tuple[str, str]
"""Name and version of a package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedPackage:
    """``needs`` are what its dependencies resolve to. ``cache`` is the digest of the zip that Yarn makes of it.

    That zip is Yarn's own: the file that a registry serves has another digest, which this kind of lock does not hold.
    ``is_workspace`` for the project's own packages.
    """

    name: str
    version: str
    needs: tuple[Name, ...]
    cache: Digest | None = None
    is_workspace: bool = False


@dataclass(slots=True)
class _Entry:
    """One entry as it stands in the file: fields, what it depends on by name and range, and its peers' names."""

    fields: dict[str, str]
    dependencies: dict[str, str]
    peers: list[str]

    def named(self, where: str) -> Name:
        found = _LOCATOR.fullmatch(self.fields.get("resolution", ""))
        if found is None or "version" not in self.fields:
            raise InputError("entrada sem versão ou resolução", where=where, mend=_MEND)
        return found.group(1), self.fields["version"]


def read_yarn_lock(data: bytes, *, where: str) -> Mapping[Name, LockedPackage]:
    """Every package by name and version. InputError where it is no such lock, or one of nothing.

    A range that the lock does not list was replaced (``resolutions`` of package.json): it stands for every version of
    that name that the lock has, which is one unless somebody replaces it for some packages only. A peer is a need where
    the lock has one version of it: of several, the lock does not say which one stands beside the package.
    """
    entries = {key: each for key, each in _entries(data, where).items() if key != "__metadata"}
    if not entries:
        raise InputError("não tem pacote algum", where=where, mend=_MEND)
    names = {key: each.named(where) for key, each in entries.items()}
    resolved = {descriptor: name for key, name in names.items() for descriptor in key.split(", ")}
    versions: dict[str, list[Name]] = {}
    for descriptor, name in resolved.items():
        versions.setdefault(_ident(descriptor), []).append(name)
    packages: dict[Name, LockedPackage] = {}
    for key, entry in entries.items():
        name, known = names[key], packages.get(names[key])
        needs = {found for row in entry.dependencies.items() for found in _resolve(*row, resolved, versions)}
        peers = [set(versions.get(each, ())) for each in entry.peers]
        needs.update(*(each for each in peers if len(each) == 1))
        checksum = _CHECKSUM.fullmatch(entry.fields.get("checksum", ""))
        packages[name] = LockedPackage(
            name=name[0],
            version=name[1],
            needs=tuple(sorted((needs | set(known.needs if known else ())) - {name})),
            cache=Digest(algorithm="SHA-512", content=checksum.group(1)) if checksum else None,
            is_workspace="@workspace:" in entry.fields["resolution"],
        )
    return packages


def _resolve(
    name: str, wanted: str, resolved: Mapping[str, Name], versions: Mapping[str, list[Name]]
) -> Iterator[Name]:
    for descriptor in (f"{name}@{wanted}", f"{name}@npm:{wanted}"):
        if descriptor in resolved:
            yield resolved[descriptor]
            return
    yield from versions.get(name, ())


def _ident(descriptor: str) -> str:
    found = _LOCATOR.fullmatch(descriptor)
    return found.group(1) if found else descriptor


def _entries(data: bytes, where: str) -> dict[str, _Entry]:
    """The file's own small part of YAML: keys at the edge, fields below, dependencies below those."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("não é UTF-8", where=where, mend=_MEND) from error
    entries: dict[str, _Entry] = {}
    entry = _Entry(fields={}, dependencies={}, peers=[])
    section = long_key = ""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r")
        if not text.strip() or text.startswith("#"):
            continue
        if text.startswith("? "):  # a key that is too long for its colon to stand behind it
            long_key = text[2:]
            continue
        found = _LINE.fullmatch(f"{long_key}:" if text == ":" else text)
        if found is None:
            raise InputError("linha que não é de um yarn.lock", where=f"{where}:{number}", mend=_MEND)
        depth, key, value = len(found.group(1)), _plain(found.group(2)), _plain(found.group(3) or "")
        if depth == 0:
            entry = entries.setdefault(key, _Entry(fields={}, dependencies={}, peers=[]))
        elif depth == _FIELD:
            section = key
            entry.fields[key] = value
        elif depth == _ROW and section in _NEEDS:
            entry.dependencies[key] = value
        elif depth == _ROW and section == "peerDependencies":
            entry.peers.append(key)
    return entries


def _plain(text: str) -> str:
    """A scalar; quoted ones are JSON."""
    if not text.startswith('"'):
        return text.strip()
    try:
        return str(json.loads(text))
    except ValueError:
        return text

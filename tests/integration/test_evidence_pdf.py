"""``evidencias --pdf``: the page on paper, whole, the same each time, with nothing fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from packplace import Place
from pinnedenv import pinned_environment
from pipeline.errors import ExitCode
from trailcli import ROOT

LOCK = Path(__file__).parent / "paper" / "requirements.txt"
HOSTILE = "<script>alert(1)</script><img src='file:///etc/passwd'>"


@pytest.fixture(scope="module")
def library() -> str:
    """A search path with WeasyPrint in it; skips where the system's Pango is missing."""
    folder = pinned_environment(LOCK, "weasyprint")
    found = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    done = subprocess.run([folder / "bin" / "python", "-c", "import weasyprint"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs Pango: apt-get install -y libpangoft2-1.0-0 libharfbuzz-subset0")
    return f"{ROOT}{os.pathsep}{found}"


def _text(path: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext: apt-get install -y poppler-utils")
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True, timeout=60)
    return " ".join(done.stdout.split())


def test_the_page_is_printed_whole_and_the_same_again(library: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "module-07.md").write_text(f"# Módulo 07 – {HOSTILE}\n\nNada.\n", encoding="utf-8")
    made = (
        "evidencias",
        "--module",
        tmp_path / "module-07.md",
        "--key",
        tmp_path / "pipeline.pem",
        "--pdf",
        "--no-cache",
    )
    first = place.run(*made, PYTHONPATH=library)
    sheet = place.artifacts.folder / "evidencias.pdf"
    assert sheet.is_file(), first.err
    data = sheet.read_bytes()
    assert data.startswith(b"%PDF-1.7")
    text = _text(sheet)
    for said in (
        "1. Decisão pedida e veredito",
        "6. Checklist",
        "13. O que nada aqui prova",
        "<script>alert(1)</script>",
    ):
        assert said in text
    place.run(*made, PYTHONPATH=library)
    assert sheet.read_bytes() == data
    checked = place.run("verificar", place.artifacts.root)
    assert (checked.code, checked.err) == (0, "")
    names = [path.name for path in place.extract(tmp_path / "copy").rglob("*")]
    assert "evidencias.html" in names
    assert "evidencias.pdf" not in names  # its bytes depend on the fonts of the machine


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = place.pack("--pdf")
    if (place.artifacts.folder / "evidencias.pdf").exists():
        pytest.skip("WeasyPrint is installed here")
    assert done.code == ExitCode.TOOL
    assert "appgear-pipeline[pdf]" in done.err
    assert not place.zip.exists()

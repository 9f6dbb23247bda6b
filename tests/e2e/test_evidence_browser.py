"""The page in a real browser: nothing runs, nothing is asked for, nothing is complained about."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcli import Artifacts, appgear

HOSTILE = "<script>document.title='executou'</script><img src=x onerror=\"document.title='executou'\">"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with hostile text in each field that a module, a file name or a person fills."""
    folder = tmp_path_factory.mktemp("page")
    manifest = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: '{HOSTILE}'\n"
    (folder / "module-07.md").write_text(f"# Módulo 07 – {HOSTILE}\n\n```yaml\n{manifest}```\n", encoding="utf-8")
    common = ("--artifacts", folder / "artifacts")
    appgear("evidencias", "--module", folder / "module-07.md", *common, cwd=folder)
    said = appgear(
        "rapid", "recommend", "--person", HOSTILE, "--decision", "liberar_com_condicoes", "--condition", HOSTILE,
        "--justification", HOSTILE, "--exception", f"{HOSTILE.replace(';', '')};{HOSTILE};x;2099-12-31", "--unsigned",
        *common, cwd=folder,
    )  # fmt: skip
    assert "registrado" in said.out, said.err
    appgear("evidencias", "--module", folder / "module-07.md", *common, cwd=folder)
    return Artifacts(folder / "artifacts").folder / "evidencias.html"


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs chromium: apt-get install -y chromium")
    profile = tmp_path_factory.mktemp("profile")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *FLAGS, f"--user-data-dir={profile}", *arguments],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip

    return run


def test_nothing_runs_and_the_console_is_silent(
    page: Path, browse: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = browse("--dump-dom", page.as_uri())
    assert "CONSOLE" not in done.stderr
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert "Evidências" in title[1]
    assert "&lt;script&gt;" in done.stdout
    assert "<script" not in done.stdout
    assert "<img" not in done.stdout


def test_nothing_is_asked_of_the_network(
    page: Path, tmp_path: Path, browse: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    log = tmp_path / "net.json"
    browse(f"--log-net-log={log}", "--dump-dom", page.as_uri())
    asked = set(re.findall(r'"url":"((?:https?|file|ftp|wss?):[^"]+)"', log.read_text(encoding="utf-8")))
    assert log.stat().st_size > 0
    own = {each for each in asked if "google" not in each}  # the browser calls its maker, whatever the page
    assert own <= {page.as_uri()}


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_it_is_drawn_at_every_width(
    width: int, page: Path, tmp_path: Path, browse: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    picture = tmp_path / "page.png"
    browse(f"--window-size={width},1200", "--hide-scrollbars", f"--screenshot={picture}", page.as_uri())
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) == width


def test_it_prints(page: Path, tmp_path: Path, browse: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    sheet = tmp_path / "page.pdf"
    browse("--no-pdf-header-footer", f"--print-to-pdf={sheet}", page.as_uri())
    assert sheet.read_bytes().startswith(b"%PDF")

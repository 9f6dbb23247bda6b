"""The page in a real browser: nothing runs, is asked for or complained about, and everybody can read it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser, axe_script, browsing
from pipeline.adapters.artifacts import open_artifacts
from pipeline.codec import dump_json
from pipeline.store import Store
from trailcli import Artifacts, appgear

HOSTILE = "<script>document.title='executou'</script><img src=x onerror=\"document.title='executou'\">"
WIDTHS = (360, 768, 1440)
THEMES = (False, True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with hostile text in each field that a module, a file name, another stage or a person fills."""
    folder = tmp_path_factory.mktemp("page")
    manifest = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: '{HOSTILE}'\n"
    (folder / "module-07.md").write_text(f"# Módulo 07 – {HOSTILE}\n\n```yaml\n{manifest}```\n", encoding="utf-8")
    common = ("--module", folder / "module-07.md", "--artifacts", folder / "artifacts", "--environment", HOSTILE)
    appgear("evidencias", *common, cwd=folder)
    artifacts = Artifacts(folder / "artifacts")
    component = {"name": HOSTILE, "version": HOSTILE, "purl": f"pkg:npm/{HOSTILE}", "type": "library"}
    image = {
        "name": HOSTILE, "digest": HOSTILE, "base": {"reference": HOSTILE, "digest": HOSTILE}, "platform": HOSTILE,
    }  # fmt: skip
    application = {"kind": "Application", "metadata": {"name": HOSTILE}, "spec": {"x": HOSTILE}}
    with open_artifacts(artifacts.root) as opened:
        store, run = Store(opened), artifacts.run
        store.publish(run, "docker", {"core-backstage.image.json": dump_json(image)}, stage="image")
        store.publish(run, "sbom", {"core-backstage.cdx.json": dump_json({"components": [component]})}, stage="sbom")
        store.publish(run, "reports", {"applications.yaml": dump_json(application)}, stage="applicationset")
    appgear("evidencias", *common, cwd=folder)
    said = appgear(
        "rapid", "recommend", "--person", HOSTILE, "--decision", "liberar_com_condicoes", "--condition", HOSTILE,
        "--justification", HOSTILE, "--exception", f"{HOSTILE.replace(';', '')};{HOSTILE};x;2099-12-31", "--unsigned",
        *common[2:], cwd=folder,
    )  # fmt: skip
    assert "registrado" in said.out, said.err
    appgear("evidencias", *common, cwd=folder)
    return artifacts.folder / "evidencias.html"


@pytest.fixture(scope="module")
def real_page(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the real document: long tables, every section."""
    folder = tmp_path_factory.mktemp("real-page")
    appgear("evidencias", "--module", seed, "--artifacts", folder / "artifacts", cwd=folder)
    return Artifacts(folder / "artifacts").folder / "evidencias.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_nothing_runs_is_asked_for_or_complained_about(page: Path, browser: Browser) -> None:
    browser.open(page)
    assert browser.evaluate("document.title").startswith("Evidências")
    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("document.images.length") == 0
    assert browser.messages == []
    assert browser.requests in ([page.as_uri()], [page.as_uri(), "data:,"])
    shown = browser.evaluate("document.body.innerText")
    assert shown.count("<script>document.title='executou'</script>") >= 10
    assert browser.evaluate("[...document.querySelectorAll('*')].every(each => "
                            "[...each.attributes].every(one => !one.name.startsWith('on')))")  # fmt: skip


def test_a_page_that_does_run_something_would_be_seen(tmp_path: Path, browser: Browser) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<title>x</title><script>console.log('a')</script><img src='there.png'>", encoding="utf-8")
    browser.open(bad)
    assert browser.evaluate("document.scripts.length") == 1
    assert browser.messages
    assert any(each.endswith("there.png") for each in browser.requests)


@pytest.mark.parametrize("dark", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("which", ["page", "real_page"])
def test_everybody_can_read_it(
    which: str, width: int, dark: bool, browser: Browser, request: pytest.FixtureRequest
) -> None:
    script = axe_script()
    browser.open(request.getfixturevalue(which), width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    browser.evaluate(script + "; 0")
    found = json.loads(
        browser.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(done => JSON.stringify(done.violations.map("
            "each => [each.id, each.impact, each.nodes.slice(0, 3).map(node => node.html.slice(0, 200))])))"
        )
    )
    assert [each for each in found if each[1] in {"serious", "critical"}] == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width  # nothing but tables scrolls sideways


def test_axe_can_say_no(tmp_path: Path, browser: Browser) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<title>x</title><p style='color:#eee;background:#fff'>claro demais</p>", encoding="utf-8")
    script = axe_script()
    browser.open(bad)
    browser.evaluate(script + "; 0")
    found = browser.evaluate("axe.run().then(done => done.violations.map(each => each.id))")
    assert {"color-contrast", "html-has-lang"} <= set(found)


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_drawn_at_every_width(width: int, page: Path, browser: Browser) -> None:
    browser.open(page, width=width)
    data = browser.picture()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) == width


def test_it_prints_on_a4(page: Path, tmp_path: Path) -> None:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs chromium: apt-get install -y chromium")
    sheet = tmp_path / "page.pdf"
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={tmp_path}/p")
    subprocess.run(
        [program, *flags, f"--print-to-pdf={sheet}", page.as_uri()], check=True, capture_output=True, timeout=120
    )
    data = sheet.read_bytes()
    assert data.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95996 841.91998]" in data

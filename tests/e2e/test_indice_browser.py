"""The executive panel in a real browser: nothing runs or is asked for, it fits, and everybody can read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Browser, axe_script, browsing
from indexkit import Folder, figures
from trailcli import appgear

HOSTILE = "<script>document.title='executou'</script><img src=x onerror=\"document.title='executou'\">"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sprints of four modules, one with hostile words wherever somebody else writes them."""
    folder = Folder(tmp_path_factory.mktemp("panel") / "artifacts")
    for sprint in range(3):
        for number in range(4):
            measured = figures(
                number,
                names="abcd"[sprint:],
                residual_risk=70 - 20 * sprint,
                subjects=2,
                described=sprint,
                coverage=88.0,
            )
            verdict = ("bloqueado", "condicional", "aprovado")[sprint]
            said: dict[str, Any] = {"branch": HOSTILE, "pipeline": HOSTILE} if number == 3 else {}
            folder.run(f"m0{number}-s{sprint}", sprint * 14 + number, measures=measured, verdict=verdict, **said)
    ran = appgear(
        "indice", "--artifacts", folder.path, "--html", folder.path.parent / "painel.html", cwd=folder.path.parent
    )
    assert ran.code == 0, ran.err
    return folder.path.parent / "painel.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_runs_nothing_is_asked_for_and_nothing_is_wider_than_the_window(
    page: Path, browser: Browser, width: int
) -> None:
    browser.open(page, width=width)
    assert browser.messages == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []
    assert browser.evaluate("document.title") == "Painel executivo da esteira"
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.querySelectorAll('svg.chart').length") == 7


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(page: Path, browser: Browser, dark: bool) -> None:
    script = axe_script()
    browser.open(page, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; }); true")
    browser.evaluate(script + "; true")
    found = json.loads(browser.evaluate("axe.run().then(found => JSON.stringify(found.violations))"))
    serious = [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in ("serious", "critical")
    ]
    assert serious == []

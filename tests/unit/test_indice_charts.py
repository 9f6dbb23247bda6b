"""Pictures: the same bytes, nothing but shapes, every value also in words."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from pipeline.report.charts import CHART_CSS, Cell, Event, Line, Picture, matrix_svg, timeline_svg, trend_svg
from trailcli import ROOT, environment

_HOSTILE = "</svg><script>alert(1)</script>\x1b\u202e{{7*7}}]]>\ufffe"
_SVG = "{http://www.w3.org/2000/svg}"


def _trend(name: str = "risco", first: str = "S1") -> Picture:
    lines = [Line(name="Risco <b>", values=(62.5, None, 30)), Line(name="Meta", values=(50, 50, 40))]
    return trend_svg(name, "Risco por sprint", [first, "S2", "S3"], lines, ceiling=100, unit=" %")


def _timeline() -> Picture:
    events = [
        Event(name="Recommend", start=date(2026, 1, 31), end=date(2026, 3, 1), kind="ok", note="Ana"),
        Event(name="Pacote", start=date(2026, 1, 30), kind="crit"),
    ]
    return timeline_svg("linha", "Decisões", events)


def _matrix() -> Picture:
    cells = {(0, 0): Cell(level="top", count=3), (1, 1): Cell(level="mid", count=12)}
    return matrix_svg("m", "Matriz", rows=["CRITICA", "ALTA"], columns=["1 vez", "mais"], cells=cells, axis="vezes")


def _parsed(picture: Picture) -> ET.Element:
    return ET.fromstring(picture.svg)  # noqa: S314  # our own


def _texts(picture: Picture) -> list[str]:
    return [each.text or "" for each in _parsed(picture).iter(f"{_SVG}text")]


def test_the_trend_has_its_axes_its_lines_and_its_words() -> None:
    picture = _trend()
    assert {"S1", "S2", "S3", "0", "100", "Risco <b> (contínua)", "Meta (tracejada)"} <= set(_texts(picture))
    paths = [each.get("class") for each in _parsed(picture).iter(f"{_SVG}path")]
    assert paths.count("s1") == 1  # S2 has no value: what is left of the first line is a point at each side of the gap
    dots = [each.get("class") for each in _parsed(picture).iter(f"{_SVG}circle")]
    assert (dots.count("s0 dot"), dots.count("s1 dot")) == (2, 3)
    told = _parsed(picture).findtext(f"{_SVG}desc")
    assert told == (
        "Risco <b>: 62,5 % em S1 → 30 % em S3; de 30 % a 62,5 %; Meta: 50 % em S1 → 40 % em S3; de 40 % a 50 %"
    )
    assert "<td>62,5 %</td>" in picture.table
    assert "<td>sem dado</td>" in picture.table
    assert picture.table.count("<tr>") == 4


def test_higher_values_stand_higher() -> None:
    picture = trend_svg("t", "T", ["a", "b", "c"], [Line(name="x", values=(1, 5, 3))])
    heights = [float(each.get("cy", "")) for each in _parsed(picture).iter(f"{_SVG}circle")]
    assert heights[1] < heights[2] < heights[0]
    assert "(contínua)" not in picture.svg  # one line needs no legend


def test_labels_are_left_out_where_they_would_run_into_each_other() -> None:
    labels = [f"S{number} · 01/01/26" for number in range(1, 13)]
    shown = [each for each in _texts(trend_svg("t", "T", labels, [Line(name="x", values=(1,) * 12)])) if "/" in each]
    assert shown == [labels[at] for at in (0, 3, 6, 9)]
    short = [str(number) for number in range(12)]
    assert set(short) <= set(_texts(trend_svg("t", "T", short, [Line(name="x", values=(1,) * 12)])))


@pytest.mark.parametrize(("value", "top"), [(0.2, "1"), (3, "5"), (17, "20"), (21, "50"), (60, "100"), (101, "200")])
def test_scales_end_at_round_numbers(value: float, top: str) -> None:
    assert top in _texts(trend_svg("t", "T", ["a", "b"], [Line(name="x", values=(0, value))]))


def test_the_timeline_runs_from_its_first_day_to_its_last() -> None:
    picture = _timeline()
    assert {"Recommend", "Pacote", "30/01/26", "01/03/26"} <= set(_texts(picture))
    bars = [each for each in _parsed(picture).iter(f"{_SVG}path") if each.get("class") == "ok"]
    assert len(bars) == 1
    assert _parsed(picture).findtext(f"{_SVG}desc") == "Recommend: 31/01/2026 a 01/03/2026; Pacote: 30/01/2026"
    assert '<tr><th scope="row">Recommend</th><td>31/01/2026</td><td>01/03/2026</td><td>Ana</td></tr>' in picture.table
    crit = [each for each in _parsed(picture).iter(f"{_SVG}circle") if each.get("class") == "crit dot"]
    right = [each for each in _parsed(picture).iter(f"{_SVG}circle") if each.get("class") == "ok dot"]
    assert max(float(each.get("cx", "")) for each in crit) < min(float(each.get("cx", "")) for each in right)


def test_many_events_stand_all_in_the_table() -> None:
    events = [Event(name=f"Evento {number}", start=date(2026, 1, 1)) for number in range(60)]
    picture = timeline_svg("linha", "Decisões", events)
    assert picture.table.count("<tr>") == 61
    assert "Evento 39" in _texts(picture)
    assert "Evento 40" not in _texts(picture)


def test_the_matrix_has_its_numbers_and_levels() -> None:
    picture = _matrix()
    assert sorted(_texts(picture)) == sorted(["CRITICA", "ALTA", "1 vez", "mais", "vezes", "3", "12", "–", "–"])
    rects = {each.get("class"): float(each.get("y", "")) for each in _parsed(picture).iter(f"{_SVG}rect")}
    assert rects["top cell"] < rects["mid cell"]  # the first row is on top
    assert _parsed(picture).findtext(f"{_SVG}desc") == "CRITICA com 1 vez: 3; ALTA com mais: 12"
    assert '<tr><th scope="row">CRITICA</th><td>3</td><td>0</td></tr>' in picture.table


def test_nothing_to_show_is_said() -> None:
    empty = (
        trend_svg("a", "A", [], [Line(name="x", values=())]),
        timeline_svg("b", "B", []),
        matrix_svg("c", "C", rows=[], columns=[], cells={}),
    )
    for picture in empty:
        assert _texts(picture) == ["sem dados"]
    unknown = trend_svg("d", "D", ["S1"], [Line(name="x", values=(None,))])
    assert _parsed(unknown).findtext(f"{_SVG}desc") == "nenhum valor"
    half = trend_svg("e", "E", ["S1"], [Line(name="x", values=(None,)), Line(name="y", values=(2,))])
    assert _parsed(half).findtext(f"{_SVG}desc") == "x: nenhum valor; y: 2 em S1; de 2 a 2"
    cleared = matrix_svg("f", "F", rows=["a"], columns=["b"], cells={})
    assert _parsed(cleared).findtext(f"{_SVG}desc") == "nada em nenhuma célula"


def test_hostile_names_are_text() -> None:
    pictures = (
        trend_svg("a", _HOSTILE, [_HOSTILE], [Line(name=_HOSTILE, values=(1,)), Line(name=_HOSTILE, values=(2,))]),
        timeline_svg("b", _HOSTILE, [Event(name=_HOSTILE, start=date(2026, 1, 1), note=_HOSTILE)]),
        matrix_svg("c", _HOSTILE, rows=[_HOSTILE], columns=[_HOSTILE], cells={}, axis=_HOSTILE),
    )
    for picture in pictures:
        tags = {each.tag.removeprefix(_SVG) for each in _parsed(picture).iter()}
        assert tags <= {"svg", "title", "desc", "g", "path", "rect", "circle", "text"}
        whole = picture.svg + picture.table
        assert "<script" not in whole
        assert not re.search("[\x00-\x08\x1b\u202e\ufffe]", whole)
        assert ET.fromstring(picture.table).findtext("caption", "").startswith("</svg><script>")  # noqa: S314


def test_ids_are_those_of_the_picture_alone() -> None:
    for picture, name in ((_trend("t1"), "t1"), (_timeline(), "linha"), (_matrix(), "m")):
        assert set(re.findall(r'\bid="([^"]+)"', picture.svg)) == {f"{name}-t", f"{name}-d"}
        assert "style=" not in picture.svg
        assert not re.search(r"href|url\(|http(?!://www\.w3\.org/2000/svg)", picture.svg)


def test_each_class_has_its_colour_in_the_theme() -> None:
    used = {
        name
        for picture in (_trend(), _timeline(), _matrix())
        for classes in re.findall(r'class="([^"]+)"', picture.svg)
        for name in classes.split()
    }
    assert used <= set(re.findall(r"\.([a-z][a-z0-9]*)", CHART_CSS))


def test_the_same_values_give_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/unit'); import test_indice_charts as t\n"
        "for each in (t._trend(), t._timeline(), t._matrix()): print(each.svg, each.table)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment({"PYTHONHASHSEED": "7", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONIOENCODING": "utf-8"}),
        capture_output=True,
        check=True,
    )
    here = "".join(f"{each.svg} {each.table}\n" for each in (_trend(), _timeline(), _matrix()))
    assert done.stdout.decode() == here


def test_drawing_leaves_imports_as_they_were() -> None:
    code = (
        "import sys; before = [type(each).__name__ for each in sys.meta_path]\n"
        "from pipeline.report.charts import Line, trend_svg\n"
        "trend_svg('a', 'A', ['x'], [Line(name='y', values=(1,))])\n"
        "assert 'pygal' in sys.modules\n"
        "assert 'PluginImportFixer' not in [type(each).__name__ for each in sys.meta_path], before\n"
        "try:\n    import no_such_module_anywhere\n"
        "except ModuleNotFoundError: print('as it was')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        cwd=ROOT, env=environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"as it was\n"), done.stderr.decode()

"""Lines for CI logs: each is the command that was meant or none, whatever a module says."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.adapters.ci import append_step_summary, stop_word
from pipeline.codec import harmless, is_harmless
from pipeline.errors import ExitCode
from pipeline.outcomes import Outcome
from pipeline.report.annotations import Issue, annotate
from pipeline.report.summary import render_markdown
from pipeline.report.terminal import Terminal

HOSTILE = "a\r\n::set-output name=x::y\n##[add-mask]z\x1b[31m%0A,:\u2028"


def runner_reads(line: str) -> tuple[str, dict[str, str], str] | None:
    """A line as GitHub's runner understands it (actions/runner, ``ActionCommand``): name, properties, message."""
    line = line.strip()
    if not line.startswith("::") or "::" not in line[2:]:
        return None
    head, _, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    properties = {}
    for each in rest.strip().split(","):
        key, equals, value = each.partition("=")
        if equals:
            properties[key] = _plain(value, ("%3A", ":"), ("%2C", ","))
    return name, properties, _plain(data)


def _plain(text: str, *more: tuple[str, str]) -> str:
    for token, char in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(token, char)
    return text


def test_github_gets_what_was_meant() -> None:
    issue = Issue(grade="critical", path="módulos/a,b:c%.md", line=7, rule="IMG-LATEST", text="100%: troque\na imagem")
    (line,) = annotate([issue], "github")
    assert runner_reads(line) == (
        "error",
        {"file": "módulos/a,b:c%.md", "line": "7", "title": "IMG-LATEST"},
        "100%: troque\na imagem",
    )


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 9))
def test_any_text_is_one_annotation(text: str, path: str, line: int) -> None:
    (shown,) = annotate([Issue(grade="minor", path=path, line=line, rule="A-B", text=text)], "github")
    assert "\n" not in shown
    assert "\r" not in shown
    read = runner_reads(shown)
    assert read is not None
    assert read[0] == "notice"
    assert set(read[1]) == {"file", "line", "title"}
    assert read[1]["line"] == str(line)
    assert read[1]["title"] == "A-B"
    (plain,) = annotate([Issue(grade="minor", path=path, line=line, rule="A-B", text=text)], "jenkins")
    assert runner_reads(plain) is None
    assert is_harmless(plain)


def test_an_error_has_no_place_and_other_systems_read_files() -> None:
    error = Issue(grade="blocker", rule="erro", text="m.md: o documento está vazio")
    assert annotate([error], "github") == ["::error title=erro::m.md: o documento está vazio"]
    assert annotate([error], "jenkins") == ["error: m.md: o documento está vazio [erro]"]
    for system in ("gitlab", "argo", "other", ""):
        assert annotate([error], system) == []


def test_the_worst_come_first_and_no_more_than_are_shown() -> None:
    grades = ["minor", "major", "critical", "blocker"]
    lines = annotate(
        [Issue(grade=each, path=f"{n:02}.md", rule="R", text="t") for n in range(30) for each in grades], "github"
    )
    assert [line.split()[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10
    assert "file=00.md" in lines[0]


@given(
    st.text(st.sampled_from(list(":#[]vso \t\u00a0\u3000\u0085\r\nset-tion_arteamcity\x1b\ufe0f\u200b")), max_size=40)
)
def test_what_is_shown_commands_nobody(text: str) -> None:
    shown = harmless(text)
    assert "\n" not in shown
    assert runner_reads(shown) is None
    assert "##[" not in shown
    assert "##vso" not in shown
    assert not re.match(r"\s*(section_(start|end):|##teamcity)", shown)
    assert is_harmless(shown)


def test_data_keep_their_bytes_and_are_fenced_in_where_a_runner_would_obey() -> None:
    def shown(text: str, stop: str) -> str:
        out = io.StringIO()
        Terminal(out, io.StringIO(), quiet=True, colour=False, stop=stop).data(text)
        return out.getvalue()

    word = stop_word({"GITHUB_ACTIONS": "true"})
    assert len(word) == 32
    assert stop_word({"GITLAB_CI": "true"}) == stop_word({}) == ""
    assert shown("a: b\n", word) == "a: b\n"
    for hostile in ("x: |\n  ::add-mask::a\n", "# ##[set-env name=A]b"):
        lines = shown(hostile, word).splitlines()
        assert (lines[0], lines[-1]) == (f"::stop-commands::{word}", f"::{word}::")
        assert "\n".join(lines[1:-1]) == hostile.rstrip("\n")
        assert shown(hostile, "") == hostile


def outcome(**given: object) -> Outcome:
    values: dict[str, object] = {"named": "m.md", "exit_code": ExitCode.BLOCKED, "verdict": "bloqueado"}
    return Outcome(**(values | given))  # type: ignore[arg-type]  # a test's own choice of fields


def test_a_page_holds_any_name_as_text() -> None:
    page = render_markdown(
        [outcome(named=f"{HOSTILE}|<script>`", title="</td>[x](javascript:a)", run="m1-0")], "mapa_nc"
    )
    assert "\x1b" not in page
    assert "\r" not in page
    cells = [each for each in MarkdownIt("commonmark").enable("table").parse(page) if each.type == "inline"][-7:]
    assert {child.type for cell in cells for child in cell.children or []} <= {"code_inline", "text"}
    assert cells[1].content == "bloqueado"


def test_a_page_stays_within_what_is_shown() -> None:
    page = render_markdown(
        [outcome(named=f"{number:05}" + "m" * 190, run="m1-0") for number in range(9000)], "pipeline"
    )
    assert len(page.encode()) < 1024 * 1024
    assert "## pipeline: 9000 módulos" in page
    assert re.search(r"E mais \d+ módulos: veja o resumo em JSON\.", page)


def test_the_page_of_a_step_is_added_to(tmp_path: Path) -> None:
    page = tmp_path / "passo.md"
    assert append_step_summary(str(page), b"um\n") == append_step_summary(str(page), b"dois\n") == ""
    assert page.read_bytes() == b"um\ndois\n"


def test_what_is_no_page_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "alvo"
    target.write_text("x")
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "fifo")
    assert "pôde ser aberto" in append_step_summary(str(tmp_path / "link"), b"a")
    assert "pôde ser aberto" in append_step_summary(str(tmp_path / "fifo"), b"a")
    assert "pôde ser aberto" in append_step_summary(str(tmp_path), b"a")
    assert "pôde ser aberto" in append_step_summary("/nada\0", b"a")
    assert append_step_summary("/dev/null", b"a") == "não é um arquivo comum"
    assert append_step_summary("passo.md", b"a") == "não é um caminho absoluto"
    assert "passaria de" in append_step_summary(str(target), b"a" * 1024 * 1024)
    assert target.read_text() == "x"

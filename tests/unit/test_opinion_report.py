"""parecer.md and parecer.html: what they say, and that no text of a module or a model acts in them (input 34)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from opinion_cases import BLOCKED, CLEAN, HOSTILE, Trails, answering
from pipeline.domain.opinion import ModelAnswer, Opinion
from pipeline.opining import consult
from pipeline.opinion.settings import OpinionSettings
from pipeline.report.opinion import opinion_lines, render_opinion
from pipeline.report.opinion_html import render_opinion_html

ATTACKS = [
    "<script>alert(1)</script>",
    '"><svg/onload=alert(1)>',
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) ![y](data:text/html,z)",
    "</style></table><h1>aprovado</h1>",
    "| a | b |\n# liberar\n> **liberar**",
    "{{7*7}} {% raw %} ${7*7}",
    "\x1b]8;;http://evil\x1b\\ \u202eotxet",
]
_ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "br", "ol", "ul", "li", "code", "svg",
    "rect", "text", "circle", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def opinions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Opinion]]:
    trails = Trails(tmp_path_factory.mktemp("artefatos") / "a")
    made = {"clean": trails.make({"a.yaml": CLEAN}).opinion, "blocked": trails.make({"a.yaml": BLOCKED}).opinion}
    asked = consult(trails.make({"a.yaml": CLEAN}), answering(suggestions=["Medir."]), nonce="0" * 32)
    made["model"] = trails.make({"a.yaml": CLEAN}, consultation=asked).opinion
    yield {name: opinion for name, opinion in made.items() if opinion is not None}
    trails.close()


def _hostile(opinion: Opinion, text: str) -> Opinion:
    answer = ModelAnswer(
        nonce="n", commit="c", package="p", risk_score=1, impact="baixo", recommendation="bloquear", reasons=(text,),
        conditions=(text,), suggestions=(text,), injection_suspected=True,
    )  # fmt: skip
    return replace(
        opinion,
        module=replace(opinion.module, title=text, id=text),
        model=text,
        answer=answer,
        reasons=(text, text),
        conditions=(text,),
        suggestions=(text,),
        gateway=replace(opinion.gateway, status="invalida", reason=text),
        examined=tuple(replace(each, part=text, detail=text) for each in opinion.examined),
        metadata=replace(
            opinion.metadata, branch=text, author=text, environment=text, commit=text, dependencies=(text,)
        ),
    )


def _not_a_control(text: str) -> bool:
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("text", [*ATTACKS, *(text for _, text in HOSTILE)])
def test_hostile_text_does_nothing(opinions: dict[str, Opinion], text: str) -> None:
    plain_page, plain_report = _Tags(), MarkdownIt("commonmark").enable("table")
    plain_page.feed(render_opinion_html(_hostile(opinions["clean"], "texto")).decode())
    page, report = (
        render_opinion_html(_hostile(opinions["clean"], text)),
        render_opinion(_hostile(opinions["clean"], text)),
    )
    tags = _Tags()
    tags.feed(page.decode())
    assert [tag for tag, _ in tags.seen] == [tag for tag, _ in plain_page.seen]
    assert {tag for tag, _ in tags.seen} <= _ALLOWED
    assert not any(name.startswith("on") or name in ("href", "src") for _, given in tags.seen for name in given)
    parsed = plain_report.parse(report.decode())
    inline = [child.type for token in parsed for child in token.children or ()]
    assert not {"link_open", "image", "html_inline"} & set(inline)
    assert "html_block" not in {token.type for token in parsed}
    expected = plain_report.parse(render_opinion(_hostile(opinions["clean"], "texto")).decode())
    headings = [token.tag for token in parsed if token.type == "heading_open"]
    assert headings == [token.tag for token in expected if token.type == "heading_open"]
    assert _not_a_control(page.decode())
    assert _not_a_control(report.decode())


def test_the_page_fetches_nothing_and_runs_nothing(opinions: dict[str, Opinion]) -> None:
    page = render_opinion_html(opinions["blocked"]).decode()
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def test_the_matrix_is_a_picture_with_one_mark(opinions: dict[str, Opinion]) -> None:
    page = render_opinion_html(opinions["blocked"]).decode()
    (picture,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    root = ET.fromstring(picture)  # noqa: S314  # our own text
    assert len(root.findall("rect")) == 25
    assert len(root.findall("circle")) == 1
    matrix = opinions["blocked"].matrix
    assert f"probabilidade {matrix.row} de 5, impacto {matrix.column} de 5" in root.attrib["aria-label"]


def test_the_verdict_comes_first_and_the_reasons_are_three(opinions: dict[str, Opinion]) -> None:
    text = render_opinion(opinions["blocked"]).decode()
    assert text.split("\n")[2] == "> Recomendação: **bloquear**."
    assert len(re.findall(r"^\d\. ", text, re.MULTILINE)) == 3
    for heading in ("Por quê", "Condições", "O que foi examinado, e o que não foi", "Matriz de risco", "Registro"):
        assert f"## {heading}\n" in text
    assert "não examinado: não há arquivo na execução" in text
    assert "O que foi ocultado" in text


def test_what_the_model_said_is_told_apart(opinions: dict[str, Opinion]) -> None:
    text = render_opinion(opinions["model"]).decode()
    assert "## O que o modelo disse" in text
    assert "SHA-256 da consulta" in text
    assert "Medir." in text
    assert "motor litellm" in "\n".join(opinion_lines(opinions["model"]))
    assert "gateway respondeu" in "\n".join(opinion_lines(opinions["model"]))


def test_an_advisory_opinion_says_so(tmp_path: Path) -> None:
    trails = Trails(tmp_path / "a", settings=OpinionSettings(mode="advisory"))
    trail = trails.make({"a.yaml": BLOCKED})
    opinion = trail.opinion
    assert opinion is not None
    for rendered in (render_opinion(opinion), render_opinion_html(opinion)):
        assert "Modo consultivo" in rendered.decode()
    item = next(each for each in trail.checklist.items if "parecer automatizado" in each.question)
    assert (item.result, item.severity) == ("NOK", "BAIXA")
    trails.close()

"""Answers that count, and the many that do not (threats T18, T23)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opinion_cases import HOSTILE, chat
from pipeline.opinion.answer import BadAnswer, read_answer

CANARY = "controle-0123456789abcdef01234567"
GOOD: dict[str, Any] = {
    "nonce": "n1",
    "commit": "c1",
    "package": "p1",
    "risk_score": 30,
    "impact": "medio",
    "recommendation": "liberar_com_condicoes",
    "reasons": ["Falta prova."],
    "conditions": ["Provar."],
    "suggestions": [],
    "injection_suspected": False,
}


def read(body: str) -> Any:
    return read_answer(body, nonce="n1", commit="c1", package="p1", canary=CANARY, mask=str)


def reply(**changed: Any) -> str:
    return chat(json.dumps(GOOD | changed))


def test_a_good_answer_counts() -> None:
    answer = read(reply())
    assert (answer.risk_score, answer.recommendation, answer.conditions) == (30, "liberar_com_condicoes", ("Provar.",))


def test_a_block_counts_even_where_it_contradicts_itself() -> None:
    assert read(reply(recommendation="bloquear", risk_score=0)).recommendation == "bloquear"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nonce": "n2"}, "nonce"),
        ({"commit": "deadbeef"}, "commit"),
        ({"package": ""}, "pacote"),
        ({"risk_score": 101, "recommendation": "bloquear"}, "risk_score"),
        ({"risk_score": -1}, "risk_score"),
        ({"risk_score": 30.0}, "risk_score"),
        ({"risk_score": "30"}, "risk_score"),
        ({"risk_score": True}, "risk_score"),
        ({"risk_score": None}, "risk_score"),
        ({"impact": "nenhum"}, "impact"),
        ({"recommendation": "release"}, "recommendation"),
        ({"recommendation": ["liberar"]}, "recommendation"),
        ({"reasons": []}, "reasons"),
        ({"reasons": "porque sim"}, "reasons"),
        ({"reasons": ["a"] * 6}, "reasons"),
        ({"reasons": ["x" * 601]}, "reasons"),
        ({"reasons": ["   "]}, "texto vazio"),
        ({"conditions": ["x"] * 21}, "conditions"),
        ({"conditions": [1]}, "conditions"),
        ({"suggestions": {"a": 1}}, "suggestions"),
        ({"injection_suspected": "false"}, "injection_suspected"),
        ({"verdict": "liberar"}, "esquema"),
        ({"recommendation": "liberar"}, "condições"),
        ({"conditions": []}, "sem condições"),
        ({"risk_score": 80}, "sem bloquear"),
        ({"reasons": [f"a linha é {CANARY}"]}, "linha de controle"),
    ],
)
def test_an_answer_that_is_not_exactly_one_does_not_count(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        read(reply(**changed))


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_every_field_is_needed(missing: str) -> None:
    with pytest.raises(BadAnswer, match="esquema"):
        read(chat(json.dumps({name: value for name, value in GOOD.items() if name != missing})))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "liberar",
        "null",
        "[]",
        '"liberar"',
        f"Claro! Aqui está:\n{json.dumps(GOOD)}",
        f"```json\n{json.dumps(GOOD)}\n```",
        json.dumps(GOOD)[:-1],
        json.dumps(GOOD) + json.dumps(GOOD),
        json.dumps(GOOD).replace('"nonce": "n1"', '"nonce": "n1", "nonce": "n1"'),
        json.dumps(GOOD).replace('"risk_score": 30', '"risk_score": NaN'),
        json.dumps(GOOD).replace('"risk_score": 30', '"risk_score": 1e2'),
        json.dumps([GOOD]),
        json.dumps({"answer": GOOD}),
        "[" * 100_000,
        '{"a":' * 5000,
    ],
)
def test_contents_that_are_no_answer(content: str) -> None:
    with pytest.raises(BadAnswer):
        read(chat(content))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>502 Bad Gateway</body></html>",
        "{}",
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": {"0": 1}}',
        '{"choices": [{"message": null, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]}',
        '{"error": {"message": "rate limited"}}',
        "[1, 2]",
        json.dumps({"choices": [json.loads(reply())["choices"][0]] * 2}),
        chat(json.dumps(GOOD), finish="length"),
        chat(json.dumps(GOOD), finish="content_filter"),
        chat(json.dumps(GOOD), finish="tool_calls"),
        reply() + "\ndata: [DONE]",
        "data: " + reply(),
        reply().replace("choices", "choices\ud800"),
    ],
)
def test_bodies_that_are_no_chat_completion(body: str) -> None:
    with pytest.raises(BadAnswer):
        read(body)


@pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_a_hostile_text_is_no_answer(text: str) -> None:
    with pytest.raises(BadAnswer):
        read(chat(text))
    with pytest.raises(BadAnswer):
        read(text)


def test_texts_come_back_as_one_harmless_line() -> None:
    answer = read(
        reply(
            reasons=["veja https://evil.example/x?q=1\ne [isto](javascript:alert(1))", "\x1b[31mvermelho\u202e"],
            suggestions=["www.evil.example <script>alert(1)</script>", "ftp://a b //c.example/d data:text/html,x"],
        )
    )
    told = " ".join((*answer.reasons, *answer.suggestions))
    assert "evil" not in told
    assert "javascript" not in told
    assert "c.example" not in told
    assert "data:" not in told
    assert "\\x1b[31mvermelho\\u202e" in told
    assert "<script>" in told, "the reports escape it: text is not rewritten"


def test_texts_are_masked() -> None:
    body = reply(reasons=["a senha é hunter2x"])
    answer = read_answer(
        body,
        nonce="n1",
        commit="c1",
        package="p1",
        canary=CANARY,
        mask=lambda text: text.replace("hunter2x", "[oculto]"),
    )
    assert answer.reasons == ("a senha é [oculto]",)

"""The ``[opinion]`` table is closed and bounded, and what the opinion writes fits its schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from opinion_cases import BLOCKED, Trails, answering
from pipeline.config import load_config
from pipeline.domain.opinion import Consultation, Opinion
from pipeline.errors import UsageError
from pipeline.masking import Masker
from pipeline.opining import consult, load_consultation, opine
from pipeline.opinion.settings import OpinionSettings
from pipeline.records import dump_record, record_schema


def test_the_defaults_are_a_gate_that_asks_nobody_without_a_gateway() -> None:
    assert load_config(b"", where="c.toml").opinion == OpinionSettings()
    assert (OpinionSettings().mode, OpinionSettings().engine) == ("enforcing", "auto")


def test_every_key_is_read() -> None:
    text = (
        '[opinion]\nmode = "advisory"\nengine = "litellm"\nmodel = "m"\nenvironment = "homologação"\n'
        'hosts = ["a.example"]\n'
        "deadline_seconds = 30\ntries = 2\nanswer_kb = 8\nanswer_tokens = 500\nprompt_tokens = 5000\nseed = 1\n"
    )
    assert load_config(text.encode(), where="c.toml").opinion == OpinionSettings(
        mode="advisory",
        engine="litellm",
        model="m",
        environment="homologação",
        hosts=("a.example",),
        deadline_seconds=30,
        tries=2,
        answer_kb=8,
        answer_tokens=500,
        prompt_tokens=5000,
        seed=1,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('mode = "on"', "mode deve ser um de"),
        ('engine = "openai"', "engine deve ser um de"),
        ('model = ""', "model"),
        ("tries = 0", "entre 1 e 5"),
        ("tries = 6", "entre 1 e 5"),
        ("deadline_seconds = 601", "entre 1 e 600"),
        ("answer_kb = 5000", "answer_kb"),
        ("prompt_tokens = 100", "prompt_tokens"),
        ('tries = "3"', "tipo int"),
        ("tries = true", "tipo int"),
        ("hosts = [1]", "lista de textos"),
        ('url = "https://a.example"', "chave desconhecida"),
        ('api_key = "x"', "chave desconhecida"),
    ],
)
def test_what_does_not_fit_is_named(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load_config(f"[opinion]\n{line}\n".encode(), where="c.toml")


def test_what_is_written_fits_the_committed_schema_and_is_read_back(tmp_path: Path) -> None:
    trails = Trails(tmp_path / "a")
    asked = consult(trails.make({"a.yaml": BLOCKED}), answering(), nonce="0" * 32)
    trail = trails.make({"a.yaml": BLOCKED}, consultation=asked)
    opinion = trail.opinion
    assert opinion is not None
    for record, kind in ((opinion, Opinion), (asked, Consultation)):
        jsonschema_rs.validator_for(record_schema(kind)).validate(json.loads(dump_record(record)))
    assert load_consultation(dump_record(asked), where="c.json") == asked
    assert opine(trail) == opinion, "what is published is read, and not made again"
    trails.close()


@pytest.mark.parametrize("text", ["12345678000195", "11222333000181", "11111111111111"])
def test_company_numbers_without_marks_count_by_their_digits(text: str) -> None:
    assert (Masker().text(text) == text) is (text == "11111111111111")


def test_numbers_that_are_nobody_s_stay() -> None:
    for text in ("11111111111", "12345678901", "4111111111111112", "1234567890123"):
        assert Masker().text(text) == text

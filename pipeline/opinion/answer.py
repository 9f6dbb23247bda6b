"""The model's answer, believed only where it fits a closed schema and the question that was asked (threats T18)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.codec import visible
from pipeline.domain.opinion import ModelAnswer
from pipeline.opinion.risk import BLOCK_SCORE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BadAnswer", "read_answer"]

# Anything a viewer could follow or fetch: the text stays, the address goes (threats T23).
_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,20}:)?//[^\s)\]>]+|\b(?:javascript|data|vbscript|mailto):[^\s)\]>]*|\bwww\.\S+",
    re.IGNORECASE,
)
_DEPTH = 40


class BadAnswer(Exception):  # noqa: N818  # an answer that does not count, not a failure of ours
    """Why (pt-BR) an answer does not count; shows nothing of it."""


def read_answer(
    body: str, *, nonce: str, commit: str, package: str, canary: str, mask: Callable[[str], str]
) -> ModelAnswer:
    """The model's answer from the body of a chat completion. BadAnswer for everything that is not exactly one.

    Texts come back on one line, masked, without addresses and without characters that a terminal would obey.
    """
    answer = _closed(_content(body, canary))
    for name, echoed, asked in (
        ("nonce", answer.nonce, nonce),
        ("commit", answer.commit, commit),
        ("pacote", answer.package, package),
    ):
        if echoed != asked:
            raise BadAnswer(f"a resposta é de outro pedido: o {name} ecoado não confere")
    _refuse_contradiction(answer)
    clean = [
        tuple(_clean(text, mask) for text in texts) for texts in (answer.reasons, answer.conditions, answer.suggestions)
    ]
    if not all(text for texts in clean for text in texts):
        raise BadAnswer("a resposta tem um texto vazio")
    reasons, conditions, suggestions = clean
    return msgspec.structs.replace(answer, reasons=reasons, conditions=conditions, suggestions=suggestions)


def _content(body: str, canary: str) -> str:
    """Text of the one choice of a chat completion that ended by itself."""
    if canary in body:
        raise BadAnswer("a resposta repete a linha de controle: o modelo obedeceu a um texto do pacote")
    reply = _parse(body, "o corpo da resposta")
    try:
        (choice,) = reply["choices"]
        content, finish = choice["message"]["content"], choice.get("finish_reason")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadAnswer("o gateway não devolveu uma resposta de chat completion") from error
    if finish != "stop":
        raise BadAnswer("a resposta veio incompleta: o modelo não terminou por si")
    if not isinstance(content, str):
        raise BadAnswer("a resposta não tem texto")
    if canary in content:
        raise BadAnswer("a resposta repete a linha de controle: o modelo obedeceu a um texto do pacote")
    return content


def _closed(content: str) -> ModelAnswer:
    value = _parse(content, "a resposta do modelo")
    if isinstance(value, dict) and isinstance(value.get("risk_score"), float):
        raise BadAnswer("a resposta do modelo foge do esquema: risk_score não é inteiro")
    try:
        return msgspec.convert(value, ModelAnswer)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"a resposta do modelo foge do esquema{_field(error)}") from error


def _field(error: msgspec.ValidationError) -> str:
    """Where the schema was broken, in the schema's own words and never in the answer's."""
    found = re.search(r"at `\$\.(\w+)", str(error))
    return f": {found[1]}" if found and found[1] in ModelAnswer.__struct_fields__ else ""


def _parse(text: str, what: str) -> Any:
    try:
        _refuse_depth(text)
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{what} não é JSON válido") from error


def _refuse_depth(text: str) -> None:
    depth = 0
    for found in re.finditer(r"[\[{\]}]", text):
        depth += 1 if found[0] in "[{" else -1
        if depth > _DEPTH:
            raise ValueError(depth)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _refuse_contradiction(answer: ModelAnswer) -> None:
    """A contradiction on the side of release counts for nothing; on the side of a block, the block counts."""
    released = answer.recommendation == "liberar"
    if answer.recommendation != "bloquear" and answer.risk_score >= BLOCK_SCORE:
        raise BadAnswer("a resposta se contradiz: risco de bloqueio sem bloquear")
    if released and answer.conditions:
        raise BadAnswer("a resposta se contradiz: libera e impõe condições")
    if answer.recommendation == "liberar_com_condicoes" and not answer.conditions:
        raise BadAnswer("a resposta se contradiz: condiciona sem condições")


def _clean(text: str, mask: Callable[[str], str]) -> str:
    line = " ".join(visible(mask(text)).split())
    return _LINK.sub("[endereço retirado]", line)

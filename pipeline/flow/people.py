"""Rows of the catalogue that no rule decides: questions for a person, each with the place to look (ADR 0006)."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.finding import Severity

__all__ = ["QUESTIONS", "Question"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    rule: str
    question: str
    place: str
    severity: Severity
    sources: tuple[str, ...]


QUESTIONS = (
    Question(
        rule="OUT-GRAMMAR",
        question="A saída traz MAPA_NC, PLANO_CORRECAO, MODULO_REESCRITO e CHECKLIST, nesta ordem e nada mais?",
        place="confira os títulos de `fluxo.md`, que os testes da esteira fixam",
        severity=Severity.ALTA,
        sources=("COO §15",),
    ),
    Question(
        rule="VAL-CONFIG",
        question="A configuração da aplicação é a que a versão do produto aceita?",
        place=(
            "confira as chaves dos ConfigMaps e Secrets montados com a documentação do fornecedor, e o log de "
            "inicialização em desenvolvimento"
        ),
        severity=Severity.MEDIA,
        sources=("SCH",),
    ),
)

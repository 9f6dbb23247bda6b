"""``parecer.md`` and the lines of the terminal: a short technical opinion, verdict first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.report.text import code, counted, encode, header, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.opinion import Opinion

__all__ = ["IMPACT_WORDS", "STATUS_WORDS", "VERDICTS", "opinion_lines", "render_opinion"]

VERDICTS = {
    "liberar": "liberar",
    "liberar_com_condicoes": "liberar com condições",
    "bloquear": "bloquear",
}
IMPACT_WORDS = {"baixo": "baixo", "medio": "médio", "alto": "alto", "critico": "crítico"}
STATUS_WORDS = {
    "nao_consultado": "não consultado",
    "respondeu": "respondeu",
    "indisponivel": "indisponível",
    "invalida": "resposta recusada",
    "retida": "consulta retida",
}
_ENGINES = {
    "offline": "offline, determinístico",
    "litellm": "offline e modelo, pelo gateway LiteLLM; vale o mais restritivo",
}
_SHOWN_REASONS = 3


def render_opinion(opinion: Opinion) -> bytes:
    """The opinion as Markdown."""
    return encode([header("PARECER", opinion.module), *_sections(opinion)])


def opinion_lines(opinion: Opinion) -> Iterator[str]:
    """The opinion in a few lines."""
    yield f"{'PARECER':<17} {VERDICTS[opinion.recommendation]}"
    indent = " " * 18
    yield (
        f"{indent}risco {opinion.risk_score}   residual {opinion.residual_risk}   "
        f"impacto {IMPACT_WORDS[opinion.impact]}   motor {opinion.engine}"
    )
    if opinion.gateway.status != "nao_consultado":
        reason = f": {opinion.gateway.reason}" if opinion.gateway.reason else ""
        yield f"{indent}gateway {STATUS_WORDS[opinion.gateway.status]}{reason}"
    for reason in opinion.reasons[:_SHOWN_REASONS]:
        yield f"{indent}- {reason}"
    if opinion.recommendation != "liberar":
        yield f"{indent}{counted(len(opinion.conditions), 'condição', 'condições')}"


def _sections(opinion: Opinion) -> Iterator[str]:
    mode = "" if opinion.mode == "enforcing" else " Modo consultivo: o parecer não para a esteira."
    yield f"> Recomendação: **{VERDICTS[opinion.recommendation]}**.{mode}"
    yield (
        f"Risco **{opinion.risk_score}** de 100, risco residual com o plano aplicado **{opinion.residual_risk}**, "
        f"impacto **{IMPACT_WORDS[opinion.impact]}**. Motor: {_ENGINES[opinion.engine]}."
    )
    if opinion.gateway.status not in ("nao_consultado", "respondeu"):
        yield f"> Opinião do modelo **{STATUS_WORDS[opinion.gateway.status]}**: {plain(opinion.gateway.reason)}"
    yield "## Por quê"
    yield "\n".join(f"{number}. {plain(each)}" for number, each in enumerate(opinion.reasons[:_SHOWN_REASONS], 1))
    yield "## Condições"
    yield "\n".join(f"- {plain(each)}" for each in opinion.conditions) or "Nenhuma."
    if opinion.suggestions:
        yield "## Sugestões"
        yield "\n".join(f"- {plain(each)}" for each in opinion.suggestions)
    yield from _model(opinion)
    yield "## O que foi examinado, e o que não foi"
    yield table(
        ("Parte", "Examinada", "Detalhe"),
        ((plain(each.part), "sim" if each.examined else "**não**", plain(each.detail)) for each in opinion.examined),
    )
    yield (
        "Fora do alcance deste parecer: o estado do cluster em execução, vulnerabilidades que nenhum dado importado "
        "conhece, e a correção do texto do modelo."
    )
    yield from _risk(opinion)
    yield from _record(opinion)


def _model(opinion: Opinion) -> Iterator[str]:
    answer = opinion.answer
    if answer is None:
        return
    yield "## O que o modelo disse"
    yield (
        f"Modelo {code(opinion.model)}: {VERDICTS[answer.recommendation]}, risco {answer.risk_score}, impacto "
        f"{IMPACT_WORDS[answer.impact]}. O motor offline: {VERDICTS[opinion.offline_recommendation]}. O texto abaixo é "
        "do modelo, e não da plataforma."
    )
    yield "\n".join(f"- {plain(each)}" for each in answer.reasons)
    if answer.injection_suspected:
        yield "O modelo apontou texto que tenta instruí-lo."


def _risk(opinion: Opinion) -> Iterator[str]:
    matrix = opinion.matrix
    yield "## Matriz de risco"
    yield (
        f"Motor offline: probabilidade {matrix.likelihood} de 100, impacto {matrix.impact} de 100. A posição está "
        "marcada com ●; a figura está em `parecer.html`."
    )
    rows = (
        (f"**{row}**", *("●" if (row, column) == (matrix.row, matrix.column) else "·" for column in range(1, 6)))
        for row in range(5, 0, -1)
    )
    yield table(("probabilidade ↓ · impacto →", "1", "2", "3", "4", "5"), rows)
    yield table(
        ("Fator", "Eixo", "O que é", "Peso", "Vezes", "Pontos", "Evidência"),
        (
            (
                code(each.id),
                each.axis,
                plain(each.title),
                str(each.weight),
                str(each.count),
                str(each.points),
                "<br>".join(f"{code(found.path)} {code(found.sha256[:16])}…" for found in each.evidence),
            )
            for each in opinion.factors
        ),
    )
    yield "A fórmula, com exemplos, está em `docs/parecer.md` do projeto da esteira."


def _record(opinion: Opinion) -> Iterator[str]:
    metadata = opinion.metadata
    yield "## Registro"
    rows = [
        ("Execução", code(opinion.run)),
        ("Commit", code(metadata.commit or "nenhum")),
        ("Branch", code(metadata.branch or "nenhum")),
        ("Autor", plain(metadata.author or "não informado")),
        ("Ambiente", plain(metadata.environment or "não informado")),
        ("Esteira", plain(metadata.pipeline)),
        ("Gateway", STATUS_WORDS[opinion.gateway.status]),
        ("SHA-256 do pedido", code(opinion.prompt_sha256)),
        ("SHA-256 do pacote", code(opinion.package_sha256)),
        ("SHA-256 da política", code(opinion.policy_sha256)),
    ]
    if opinion.gateway.consultation_sha256:
        rows.append(("SHA-256 da consulta", code(opinion.gateway.consultation_sha256)))
    yield table(("Campo", "Valor"), rows)
    if opinion.masked:
        yield "O que foi ocultado antes de qualquer envio (só o tipo e a quantidade):"
        yield table(
            ("Dado", "Tipo", "Vezes"),
            ((code(each.datum), plain(each.what), str(each.count)) for each in opinion.masked),
        )

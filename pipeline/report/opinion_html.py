"""``parecer.html``: the same opinion as one page, with the risk matrix as a picture; no script, nothing fetched."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.report.opinion import IMPACT_WORDS, STATUS_WORDS, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.domain.opinion import Matrix, Opinion

__all__ = ["render_opinion_html"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
.v{padding:.6rem 1rem;border-left:.5rem solid;font-size:1.15rem;margin:1rem 0}
.liberar{border-color:#2e7d32}.liberar_com_condicoes{border-color:#b26a00}.bloquear{border-color:#b3261e}
table{border-collapse:collapse;width:100%}
th,td{border:1px solid #8886;padding:.3rem .5rem;text-align:left;vertical-align:top}
code{font-size:.85em;overflow-wrap:anywhere}svg{max-width:26rem;height:auto}
"""
_CELL, _LEFT, _TOP = 56, 70, 16
_COLOURS = ("#7fb685", "#c5c969", "#e6b35a", "#dd7f52", "#c2504a")


def render_opinion_html(opinion: Opinion) -> bytes:
    """The page, whole; every text of the module or the model is escaped."""
    return ("\n".join(_page(opinion)) + "\n").encode()


def _page(opinion: Opinion) -> Iterator[str]:
    title = f"PARECER · {_text(opinion.module.id)} · {_text(opinion.module.title)}"
    yield '<!doctype html>\n<html lang="pt-BR">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    mode = "" if opinion.mode == "enforcing" else " Modo consultivo: o parecer não para a esteira."
    yield (
        f'<p class="v {opinion.recommendation}">'
        f"Recomendação: <strong>{VERDICTS[opinion.recommendation]}</strong>.{mode}"
        f"<br>Risco {opinion.risk_score} de 100 · residual {opinion.residual_risk} · impacto "
        f"{IMPACT_WORDS[opinion.impact]} · motor {opinion.engine}</p>"
    )
    if opinion.gateway.status not in ("nao_consultado", "respondeu"):
        status = STATUS_WORDS[opinion.gateway.status]
        yield f"<p>Opinião do modelo <strong>{status}</strong>: {_text(opinion.gateway.reason)}</p>"
    yield f"<h2>Por quê</h2>{_list(opinion.reasons[:3], 'ol')}"
    yield f"<h2>Condições</h2>{_list(opinion.conditions) or '<p>Nenhuma.</p>'}"
    if opinion.suggestions:
        yield f"<h2>Sugestões</h2>{_list(opinion.suggestions)}"
    if opinion.answer is not None:
        yield "<h2>O que o modelo disse</h2>"
        yield f"<p>Texto do modelo <code>{_text(opinion.model)}</code>, e não da plataforma.</p>"
        yield _list(opinion.answer.reasons)
    yield "<h2>Matriz de risco</h2>"
    yield _picture(opinion.matrix)
    yield "<h2>Fatores</h2>"
    factors = (
        (each.id, each.axis, each.title, str(each.weight), str(each.count), str(each.points))
        for each in opinion.factors
    )
    yield _table(("Fator", "Eixo", "O que é", "Peso", "Vezes", "Pontos"), factors)
    yield "<h2>O que foi examinado, e o que não foi</h2>"
    examined = ((each.part, "sim" if each.examined else "não", each.detail) for each in opinion.examined)
    yield _table(("Parte", "Examinada", "Detalhe"), examined)
    metadata = opinion.metadata
    yield "<h2>Registro</h2>"
    yield _table(
        ("Campo", "Valor"),
        (
            ("Execução", opinion.run),
            ("Commit", metadata.commit or "nenhum"),
            ("Branch", metadata.branch or "nenhum"),
            ("Autor", metadata.author or "não informado"),
            ("Ambiente", metadata.environment or "não informado"),
            ("SHA-256 do pedido", opinion.prompt_sha256),
            ("SHA-256 do pacote", opinion.package_sha256),
        ),
    )
    yield "</body>\n</html>"


def _picture(matrix: Matrix) -> str:
    """Five by five cells, likelihood upwards, impact to the right, the module's own cell marked."""
    size = 5 * _CELL
    label = f"Matriz de risco: probabilidade {matrix.row} de 5, impacto {matrix.column} de 5"
    parts = [f'<svg viewBox="0 0 {_LEFT + size + 10} {_TOP + size + 50}" role="img" aria-label="{label}">']
    for row in range(1, 6):
        for column in range(1, 6):
            x, y = _LEFT + (column - 1) * _CELL, _TOP + (5 - row) * _CELL
            colour = _COLOURS[min((row + column - 2) // 2 + (row * column >= 20), 4)]
            parts.append(f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" fill="{colour}"/>')
    for number in range(1, 6):
        y, x = _TOP + (5 - number) * _CELL + 34, _LEFT + (number - 1) * _CELL + 26
        parts.append(f'<text x="{_LEFT - 12}" y="{y}" text-anchor="end" fill="currentColor">{number}</text>')
        parts.append(f'<text x="{x}" y="{_TOP + size + 18}" text-anchor="middle" fill="currentColor">{number}</text>')
    x, y = _LEFT + (matrix.column - 1) * _CELL + _CELL // 2 - 1, _TOP + (5 - matrix.row) * _CELL + _CELL // 2 - 1
    parts.append(f'<circle cx="{x}" cy="{y}" r="14" fill="#111" stroke="#fff" stroke-width="3"/>')
    middle = _TOP + size // 2
    parts.append(
        f'<text x="18" y="{middle}" transform="rotate(-90 18 {middle})" text-anchor="middle" fill="currentColor">'
        "probabilidade</text>"
    )
    parts.append(
        f'<text x="{_LEFT + size // 2}" y="{_TOP + size + 42}" text-anchor="middle" fill="currentColor">impacto</text>'
    )
    return "".join(parts) + "</svg>"


def _text(text: str) -> str:
    return escape(" ".join(visible(text).split()), quote=True)


def _list(texts: Sequence[str], tag: str = "ul") -> str:
    items = "".join(f"<li>{_text(each)}</li>" for each in texts)
    return f"<{tag}>{items}</{tag}>" if items else ""


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

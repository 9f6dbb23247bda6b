"""The CCB's minute (ata) to fill in: what is decided, what the opinion and the checklist ask for, who said what."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.evidence import ROLES
from pipeline.domain.finding import Severity
from pipeline.report.pack_recipe import ROLE_NAMES, WORDS
from pipeline.report.text import code, counted, encode, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.artifact import Checklist, ChecklistItem
    from pipeline.domain.evidence import Board, Manifest, Role
    from pipeline.domain.opinion import Opinion

__all__ = ["Minute", "render_form"]

_BLANK = "______"
_ASKED = "Condição do parecer: "


@dataclass(frozen=True, kw_only=True)
class Minute:
    """What the minute is about; ``opinion`` is None where it is switched off."""

    manifest: Manifest
    root: str
    board: Board
    environment: str
    checklist: Checklist
    opinion: Opinion | None


def render_form(minute: Minute) -> str:
    """Markdown to print or to paste, with what is recorded already and a line for each condition."""
    manifest = minute.manifest
    command = (
        f"appgear-pipeline rapid decide --run {manifest.run} --environment {shlex.quote(minute.environment)} "
        "--person ID --decision liberar_com_condicoes --condition 'TEXTO' --key CHAVE.pem"
    )
    opinion = minute.opinion
    said = "não há" if opinion is None else f"{WORDS[opinion.recommendation]}, risco {opinion.risk_score} de 100"
    rows = [row for role in ROLES for row in _spoken(role, minute.board)]
    return encode(
        [
            f"# Ata do CCB · {plain(manifest.module.id)} · {plain(manifest.module.title)}",
            "Data: ____/____/______  Local ou chamada: ______________________",
            table(
                ("O que se decide", ""),
                (
                    ("Módulo", f"{plain(manifest.module.id)} {plain(manifest.module.version)}"),
                    ("Ambiente", plain(minute.environment)),
                    ("Commit", code(manifest.source.commit or "fora de repositório")),
                    ("Execução", code(manifest.run)),
                    ("SHA-256 do manifesto", code(minute.root)),
                    ("Veredito do CHECKLIST", manifest.verdict),
                    ("Parecer da IA", said),
                    ("SHA-256 do parecer", code(manifest.opinion_sha256 or "não há")),
                    ("Arquivos", counted(len(manifest.files), "arquivo", "arquivos")),
                ),
            ),
            *_conditions(minute),
            "## Manifestações (RAPID)",
            table(("Papel", "Pessoa", "Decisão", "Quando", "Assinatura"), rows),
            "## Decisão\n\n( ) liberar   ( ) liberar com condições   ( ) bloquear        Válida até: ____/____/______",
            "Outras condições: ______________________________________________________",
            "Justificativa: ________________________________________________________",
            "## Exceções aceitas",
            table(("Item", "Dono", "Risco residual", "Até"), [("", "", "", "")] * 3),
            "Esta ata só vale para o conteúdo com o SHA-256 acima. Depois da reunião, cada pessoa registra a sua:",
            f"```sh\n{command}\n```",
            "Repita `--condition` para cada condição mantida e `--exception` para cada risco aceito.",
        ]
    ).decode()


def _conditions(minute: Minute) -> Iterator[str]:
    """A line for each condition of the opinion and each open item that none of them repeats."""
    yield "## Condições e itens em aberto"
    rows = list(_rows(minute))
    if not rows:
        yield "Nenhum."
        return
    choices = "( ) atendida ( ) mantida ( ) exceção"
    numbered = [(str(number), item, text, choices, _BLANK) for number, (item, text) in enumerate(rows, 1)]
    yield table(("Nº", "Item", "Condição", "Decisão do CCB", "Dono e prazo"), numbered)


def _rows(minute: Minute) -> Iterator[tuple[str, str]]:
    items = [each for each in minute.checklist.items if each.result == "NOK" and each.severity is not Severity.BAIXA]
    told: set[str] = set()
    for condition in () if minute.opinion is None else minute.opinion.conditions:
        item = next((each for each in items if _asks(each, condition)), None)
        told.add(item.id if item is not None else "")
        yield ("parecer" if item is None else item.id, plain(condition))
    for each in items:
        if each.id not in told:
            yield each.id, plain(f"{each.question} {each.reason}".strip())


def _asks(item: ChecklistItem, condition: str) -> bool:
    """Whether the condition repeats an open item, or became one."""
    return item.question in condition or item.question == _ASKED + condition


def _spoken(role: Role, board: Board) -> list[tuple[str, ...]]:
    """Rows of a role: what was recorded, or a line to fill in."""
    recorded: list[tuple[str, ...]] = [
        (
            ROLE_NAMES[role],
            plain(each.name),
            WORDS[each.decision.decision],
            each.decision.issued_at,
            "assinada" if each.verified else "declarada, não verificada",
        )
        for each in board.accepted
        if each.decision.role == role
    ]
    return recorded or [(ROLE_NAMES[role], "______", "______", "______", "______")]

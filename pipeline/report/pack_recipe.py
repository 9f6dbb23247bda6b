"""``VERIFICAR.md``: how a stranger checks a pack with sha256sum, openssl and jq alone; and the CCB's minute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.evidence import ROLES
from pipeline.report.text import code, counted, encode, plain, table

if TYPE_CHECKING:
    from pipeline.domain.evidence import Board, Manifest, Role

__all__ = ["ROLE_NAMES", "WORDS", "render_form", "render_recipe"]

ROLE_NAMES: dict[Role, str] = {
    "recommend": "Recommend · Engenharia/DevOps",
    "input": "Input · QA e IA",
    "agree": "Agree · Segurança",
    "decide": "Decide · CCB",
    "perform": "Perform · DevOps",
}
WORDS = {"liberar": "liberar", "liberar_com_condicoes": "liberar com condições", "bloquear": "bloquear"}

_RECIPE = Path(__file__).parent / "templates" / "VERIFICAR.md.j2"


def render_recipe(manifest: Manifest) -> bytes:
    """The recipe for one run; the test of this project follows it literally."""
    text = _RECIPE.read_text(encoding="utf-8")
    return text.replace("@RUN@", manifest.run).replace("@ORIGIN@", "0" * 64).encode()


def render_form(manifest: Manifest, root: str, board: Board, environment: str) -> str:
    """The CCB's minute to fill in, with what is recorded already."""
    command = (
        f"appgear-pipeline rapid decide --run {manifest.run} --environment {plain(environment)} "
        "--person ID --decision liberar --key CHAVE.pem"
    )
    rows = [row for role in ROLES for row in _spoken(role, board)]
    return encode(
        [
            f"# Ata do CCB · {plain(manifest.module.id)} · {plain(manifest.module.title)}",
            "Data: ____/____/______  Local ou chamada: ______________________",
            table(
                ("O que se decide", ""),
                (
                    ("Módulo", f"{plain(manifest.module.id)} {plain(manifest.module.version)}"),
                    ("Ambiente", plain(environment)),
                    ("Commit", code(manifest.source.commit or "fora de repositório")),
                    ("Execução", code(manifest.run)),
                    ("SHA-256 do manifesto", code(root)),
                    ("Veredito do CHECKLIST", manifest.verdict),
                    ("Parecer da IA", code(manifest.opinion_sha256 or "não há")),
                    ("Arquivos", counted(len(manifest.files), "arquivo", "arquivos")),
                ),
            ),
            "## Manifestações (RAPID)",
            table(("Papel", "Pessoa", "Decisão", "Quando", "Assinatura"), rows),
            "## Decisão\n\n( ) liberar   ( ) liberar com condições   ( ) bloquear        Válida até: ____/____/______",
            "Condições: ____________________________________________________________",
            "Justificativa: ________________________________________________________",
            "## Exceções aceitas",
            table(("Item", "Dono", "Risco residual", "Até"), [("", "", "", "")] * 3),
            "Esta ata só vale para o conteúdo com o SHA-256 acima. Depois da reunião, cada pessoa registra a sua:",
            f"```sh\n{command}\n```",
        ]
    ).decode()


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

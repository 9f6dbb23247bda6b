"""``VERIFICAR.md``: how a stranger checks a pack with sha256sum, openssl and jq alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.domain.evidence import Manifest, Role

__all__ = ["ROLE_NAMES", "WORDS", "render_recipe"]

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

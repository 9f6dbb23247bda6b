"""``checklist.md`` and ``fluxo.md``: the answers, and the whole trail in one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.report.mapa import mapa_sections
from pipeline.report.plan import plan_sections
from pipeline.report.text import code, counted, encode, header, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.domain.artifact import Checklist, ChecklistItem, CorrectionPlan, MapaNc, Rewrite

__all__ = ["render_checklist", "render_flow"]

_STATES = {
    "ok": "OK",
    "failed": "**NOK** (falhou)",
    "missing": "**NOK** (falta)",
    "could-not-run": "**NOK** (não pôde rodar)",
    "not-applicable": "N.A.",
}
_VERDICTS = {
    "aprovado": "**aprovado**: nada impede a entrega",
    "condicional": "**condicional**: só segue com uma decisão registrada sobre os itens NOK",
    "bloqueado": "**bloqueado**: há item crítico em aberto",
}


def render_checklist(checklist: Checklist) -> bytes:
    """The report of the checklist."""
    return encode([header("CHECKLIST", checklist.module), *_checklist_sections(checklist)])


def render_flow(
    mapa: MapaNc, plan: CorrectionPlan, rewrite: Rewrite, checklist: Checklist, diffs: Mapping[str, str]
) -> bytes:
    """The trail under exactly its four headings, in order (COO §15)."""
    return encode(
        [
            "### MAPA_NC",
            *mapa_sections(mapa, (), diffs, level=4),
            "### PLANO_CORRECAO",
            *plan_sections(plan, {}, level=4),
            "### MODULO_REESCRITO",
            *_rewrite_sections(rewrite),
            "### CHECKLIST",
            *_checklist_sections(checklist),
        ]
    )


def _rewrite_sections(rewrite: Rewrite) -> Iterator[str]:
    changed = [each for each in rewrite.files if each.sha256 != each.before]
    proof = rewrite.proof
    yield (
        f"> {counted(len(changed), 'arquivo mudou', 'arquivos mudaram')}; "
        f"{counted(proof.open_before, 'NC', 'NC')} antes, {proof.open_after} depois."
    )
    yield table(
        ("Prova", "Resultado"),
        (
            ("Reescrever de novo não muda nada", "sim" if proof.idempotent else "**não**"),
            ("NC que a ferramenta ainda corrigiria", ", ".join(map(plain, proof.auto_left)) or "nenhuma"),
            ("NC que não existiam antes", ", ".join(map(plain, proof.introduced)) or "nenhuma"),
        ),
    )
    if changed:
        yield table(("Arquivo reescrito", "SHA-256"), ((code(each.path), code(each.sha256)) for each in changed))
        yield "O patch `modulo_reescrito.patch` leva a origem a este estado: `git apply modulo_reescrito.patch`."
    if rewrite.not_applied:
        yield "Não aplicado:"
        yield "\n".join(
            f"- {plain(each.action)} em {code(each.path)}: {plain(each.reason)}" for each in rewrite.not_applied
        )


def _checklist_sections(checklist: Checklist) -> Iterator[str]:
    yield f"> Veredito: {_VERDICTS[checklist.verdict]}."
    counts = {state: sum(each.state == state for each in checklist.items) for state in _STATES}
    yield " · ".join(f"{shown.replace('**', '')}: {counts[state]}" for state, shown in _STATES.items() if counts[state])
    yield table(
        ("Item", "Pergunta", "Resposta", "Criticidade", "Motivo", "Evidência"), (_row(each) for each in checklist.items)
    )


def _row(item: ChecklistItem) -> tuple[str, ...]:
    return (
        plain(item.id),
        plain(item.question),
        _STATES[item.state],
        item.severity,
        plain(item.reason),
        "<br>".join(f"{code(each.path)} {code(each.sha256[:16])}…" for each in item.evidence),
    )

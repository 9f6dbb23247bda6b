"""What ``ci explain`` says: each job in the words that run it, for somebody at a terminal (pt-BR)."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.ci.model import launcher_words
from pipeline.ci.table import COLLECT, JOBS, LOCAL_SESSIONS, RETENTION_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.ci.model import Input, Job, Session

__all__ = ["command_of", "explain_job", "list_jobs"]

_ANSWERS = {10: "um gate disse não", 11: "só com condições, e ainda sem decisão do CCB"}


def command_of(session: Session, launcher: str) -> str:
    """The command line of a session with each input at its default, as a shell takes it."""
    values = {each.name: f"${each.variable}" if each.default is None else each.default for each in session.inputs}
    return " ".join([launcher, *(shlex.quote(word) for word in launcher_words(session, values))])


def list_jobs(launcher: str) -> Iterator[str]:
    """Every job in order, with its command."""
    yield f"{len(JOBS)} jobs; cada um é uma sessão nox, a mesma aqui e no CI"
    for job in JOBS:
        yield ""
        yield f"{job.name}: {job.summary}"
        yield f"  {command_of(job.session, launcher)}"
    yield ""
    yield "um job em detalhe: ci explain JOB"
    yield from (f"fora do CI: {name} ({why})" for name, why in LOCAL_SESSIONS.items())


def explain_job(job: Job, launcher: str) -> Iterator[str]:
    """One job: commands in order, what it takes, may know, leaves, and when it fails."""
    yield f"{job.name}: {job.summary}"
    yield ""
    yield "comandos, na raiz do repositório:"
    yield f"  {command_of(job.session, launcher)}"
    if job.collects:
        yield f"  {command_of(COLLECT, launcher)}   (também quando o anterior falha)"
    if job.stages:
        yield "o mesmo, uma etapa de cada vez (Argo Workflows):"
        yield from (f"  {command_of(each, launcher)}" for each in job.stages)
    yield from _section("entradas", map(_shown, job.inputs))
    yield from _section(
        "variáveis que usa, quando existem", (f"{each.variable}: {each.summary}" for each in job.secrets)
    )
    yield from _section("depois de", (f"{name}{', qualquer que seja a resposta' * job.always}" for name in job.needs))
    yield from _section(
        f"guarda por {RETENTION_DAYS} dias",
        (f"{each.path} ({each.media}{f', relatório {each.report}' if each.report else ''})" for each in job.keeps),
    )
    yield ""
    yield f"limite: {job.minutes} minutos"
    yield from (f"aviso em vez de falha: {code}, {_ANSWERS[code]}" for code in job.accepts)
    if job.publishes:
        yield "só no que se entrega, nunca em uma proposta de mudança"


def _shown(given: Input) -> str:
    return f"{given.name} ({'o motor de CI a dá' if given.supplied else given.default}): {given.summary}"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield f"{title}:"
        yield from (f"  {line}" for line in found)

"""EDGE: the chain as Compose labels and texts tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import compose_services
from pipeline.audit.select import document as the_document
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.edge_chain import traefik_labels
from pipeline.rules.shapes import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ComposeService, DocumentView

__all__ = ["direct_router", "wrong_chain"]

_EDGE = frozenset(("kong", "coraza", "waf", "traefik"))
_CHAIN = ("traefik", "coraza", "kong", "istio")
_SHOWN = "Traefik → Coraza → Kong → Istio"
_ARROW = re.compile(r"→|⟶|➜|-{1,3}>|={1,3}>")
_STAGE = re.compile(r"\b(traefik|coraza|waf|kong|istio)\b", re.IGNORECASE)
_BARE = re.compile(
    r"[*`_\s\[\]]*(?:Coraza WAF|Traefik|Coraza|WAF|Kong(?: Gateway)?|Istio(?: IngressGateway)?)[*`_\s\[\]]*",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:não|nunca|sem|proib\w+|evit\w+|bypass\w*|em vez|direto|ignor\w+)\b", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:cadeia|pipeline de borda|edge pipeline)\b", re.IGNORECASE)


@rule(
    "EDGE-COMPOSE",
    Severity.MEDIA,
    over=compose_services,
    title="Traefik publica o serviço sem passar pelo Kong",
    explanation="Também na Topologia A a entrada é Traefik e Kong; um router no próprio serviço salta o gateway.",
    remedy="Retire os labels do Traefik do serviço e publique o caminho pelo Kong.",
    sources=("CORE §2.1", "CORE §2.2", "COO §8.2"),
    reading="O texto estrito fala da produção e a Topologia A não tem Istio; por isso aqui é MEDIA, e não CRITICA.",
    bad=Example(
        files={
            "docker-compose.yml": (
                "services:\n  core-n8n:\n    image: n8n:1\n    labels: ['traefik.http.routers.n8n.rule=Path(`/n8n`)']\n"
            )
        }
    ),
    good=Example(
        files={
            "docker-compose.yml": (
                "services:\n  core-kong:\n    image: kong:3.7\n    labels: ['traefik.http.routers.k.rule=Path(`/`)']\n"
            )
        }
    ),
)
def direct_router(service: ComposeService) -> Iterator[Breach]:
    """A Traefik router on a service that is neither of the edge nor Traefik's own dashboard."""
    labels = traefik_labels(service.value.get("labels"))
    if str(labels.get("traefik.enable", "true")).lower() == "false" or _EDGE & set(words(service.name)):
        return
    router = next((key for key in labels if key.startswith(("traefik.http.routers.", "traefik.tcp.routers."))), None)
    if router is not None:
        yield service.breach(f"o serviço `{service.name}` tem o router `{router}` do Traefik", "labels")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """Stages that a line joins by arrows, from ``start`` to ``end`` (from 0)."""

    stages: tuple[str, ...]
    start: int
    end: int
    plain: bool


@rule(
    "EDGE-ORDER",
    Severity.BAIXA,
    over=the_document,
    fix=FixMode.AUTO,
    title="Cadeia de borda fora de ordem ou incompleta no texto",
    explanation="Diagramas e textos seguem a ordem do stack unificado; outra ordem ensina o que não existe.",
    remedy="Escreva a cadeia inteira: Traefik → Coraza → Kong → Istio.",
    sources=("STK references.notes", "CORE §4.3"),
    bad=Example(document="# M\n\nA cadeia Traefik → Kong → Coraza → Istio.\n"),
    good=Example(document="# M\n\nA cadeia Traefik → Coraza → Kong → Istio; o salto Kong → Istio.\n"),
)
def wrong_chain(view: DocumentView) -> Iterator[Breach]:
    """Stages in another order or with one left out between; or a text that calls the chain what stops before Istio."""
    for number, line in enumerate(view.document.lines, 1):
        if not _ARROW.search(line) or not _STAGE.search(line) or _DENIED.search(line):
            continue
        for run in _runs(line):
            if _is_part(run.stages, whole=bool(_NAMED.search(line[: run.start]))):
                continue
            old = line[run.start : run.end]
            changes = (view.replace(number, run.start + 1, old, _SHOWN),) if run.plain else ()
            yield view.breach(
                f"“{old}” não é a cadeia {_SHOWN}", line=number, column=run.start + 1, key=old, changes=changes
            )


def _runs(line: str) -> Iterator[_Run]:
    """Neighbouring stages between arrows; anything else between two arrows ends the run."""
    cuts = [(found.start(), found.end()) for found in _ARROW.finditer(line)]
    parts = list(zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(line)], strict=True))
    stages: list[str] = []
    start = end = 0
    plain = True
    for index, (first, last) in enumerate(parts):
        found = list(_STAGE.finditer(line, first, last))
        if not found:
            yield from _run(stages, start, end, plain)
            stages, plain = [], True
            continue
        stage = found[0] if stages else found[-1]
        if not stages:
            start = stage.start()
        elif not _BARE.fullmatch(line, first, last) and index < len(parts) - 1:
            plain = False
        stages.append("coraza" if stage[0].lower() == "waf" else stage[0].lower())
        end = stage.end()
    yield from _run(stages, start, end, plain)


def _run(stages: list[str], start: int, end: int, plain: bool) -> Iterator[_Run]:
    if len(stages) > 1:
        yield _Run(stages=tuple(stages), start=start, end=end, plain=plain)


def _is_part(stages: tuple[str, ...], *, whole: bool) -> bool:
    """Whether the stages follow one another in the chain; the last one may go on into the mesh."""
    known = [stage for index, stage in enumerate(stages) if index == 0 or stage != stages[index - 1]]
    first = _CHAIN.index(known[0])
    follows = known == list(_CHAIN[first : first + len(known)])
    return follows and not (whole and known[0] == "traefik" and known[-1] != "istio")

"""PARECER: what the run knows, packed and masked; the question to the gateway; the verdict and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.codec import sha256_hex, visible
from pipeline.domain.artifact import Evidence
from pipeline.domain.opinion import Consultation, Examined, GatewayOutcome, Opinion, Reply
from pipeline.errors import IntegrityError
from pipeline.opinion.answer import BadAnswer, read_answer
from pipeline.opinion.package import changed_lines, split_patch
from pipeline.opinion.prompt import build_request, canary_of, offline_nonce, parameters_of
from pipeline.opinion.verdict import decide, judge_offline
from pipeline.opinion_input import SECOND_AUDIT, Question, prepare
from pipeline.records import dump_record, load_record
from pipeline.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.domain.opinion import ModelAnswer
    from pipeline.opinion.package import Delivery
    from pipeline.stages import Trail

__all__ = ["OPINION", "consult", "load_consultation", "opine", "show_request"]

OPINION, _REQUEST, _CONSULTATION = "parecer.json", "parecer.pedido.json", "parecer.consulta.json"
_CHANGE = "mudanca.diff"


def opine(trail: Trail) -> Opinion | None:
    """The opinion of this run, made and published once; None where the configuration switches it off.

    IntegrityError when the run's consultation belongs to another module, configuration or version.
    """
    settings = trail.config.opinion
    if settings.mode == "off":
        return None
    if trail.store.has(trail.run, "ai_reports", OPINION):
        where = f"ai_reports/{trail.run}/{OPINION}"
        return load_record(trail.store.read(trail.run, "ai_reports", OPINION), Opinion, where=where)
    trail.told("PARECER: avaliando o risco da entrega")
    question = prepare(trail)
    asked = trail.consultation
    nonce = asked.nonce if asked else offline_nonce(question.package_sha256)
    request = build_request(question.package, question.package_sha256, nonce=nonce, settings=settings)
    answer, outcome = _answer_of(asked, question, request)
    change = _change_file(question)
    floor = judge_offline(question.delivery, _evidence(trail, change))
    required = settings.engine == "litellm" and asked is None
    reason = outcome.reason if outcome.status not in ("nao_consultado", "respondeu") else ""
    verdict = decide(floor, answer, unavailable="nenhum gateway foi consultado" if required else reason)
    opinion = Opinion(
        run=trail.run,
        module=replace(trail.module, title=question.masker.text(trail.module.title)),
        mode="advisory" if settings.mode == "advisory" else "enforcing",
        engine="offline" if answer is None else "litellm",
        model="" if answer is None or asked is None else asked.model,
        risk_score=verdict.score,
        impact=verdict.impact,
        matrix=floor.risk.matrix,
        recommendation=verdict.recommendation,
        reasons=verdict.reasons,
        conditions=verdict.conditions,
        in_checklist=floor.in_checklist,
        suggestions=verdict.suggestions,
        factors=floor.risk.factors,
        residual_risk=floor.residual,
        offline_recommendation=floor.recommendation,
        answer=answer,
        gateway=outcome,
        examined=tuple(_examined(question.delivery, outcome)),
        masked=question.package.masked,
        package_sha256=question.package_sha256,
        policy_sha256=question.policy_sha256,
        prompt_sha256=sha256_hex(request),
        metadata=question.delivery.metadata,
    )
    _publish(trail, opinion, request, change)
    return opinion


def consult(trail: Trail, ask: Callable[[bytes], Reply], *, nonce: str) -> Consultation:
    """Ask the gateway, once. What it answers is recorded as it is; whether it counts is judged by ``opine``.

    Nothing is sent while the package still shows something that looks like a secret.
    """
    settings = trail.config.opinion
    question = prepare(trail)
    request = build_request(question.package, question.package_sha256, nonce=nonce, settings=settings)
    if question.package.unresolved:
        kinds = ", ".join(question.package.unresolved)
        reply = Reply(status=None, body="", attempts=0, reason=f"não enviado: o pacote ainda mostra {kinds}")
    else:
        trail.told("PARECER: consultando o gateway")
        reply = ask(request)
    answer = visible((question.masker.text(reply.body) if reply.reason else reply.body).replace("\r\n", "\n"))
    return Consultation(
        status="retida" if question.package.unresolved else "indisponivel" if reply.reason else "respondeu",
        reason=reply.reason,
        nonce=nonce,
        model=settings.model,
        parameters=parameters_of(settings),
        package_sha256=question.package_sha256,
        policy_sha256=question.policy_sha256,
        request_sha256=sha256_hex(request),
        http_status=reply.status,
        attempts=reply.attempts,
        answer=answer,
        answer_sha256=sha256_hex(answer.encode()),
    )


def show_request(trail: Trail) -> tuple[bytes, tuple[str, ...]]:
    """The request as it would be sent, under a fixed nonce, and what keeps it from being sent."""
    question = prepare(trail)
    nonce = offline_nonce(question.package_sha256)
    request = build_request(question.package, question.package_sha256, nonce=nonce, settings=trail.config.opinion)
    return request, question.package.unresolved


def load_consultation(data: bytes, *, where: str) -> Consultation:
    """A recorded consultation. IntegrityError where the answer is not the one that was recorded."""
    consultation = load_record(data, Consultation, where=where)
    if sha256_hex(consultation.answer.encode()) != consultation.answer_sha256:
        raise IntegrityError(
            "a resposta gravada não confere com o SHA-256 dela", where=where, mend="restaure a original"
        )
    return consultation


def _answer_of(
    asked: Consultation | None, question: Question, request: bytes
) -> tuple[ModelAnswer | None, GatewayOutcome]:
    if asked is None:
        outcome = GatewayOutcome(
            status="nao_consultado", reason="", http_status=None, attempts=0, nonce="", consultation_sha256=""
        )
        return None, outcome
    for name, recorded, now in (
        ("o pacote", asked.package_sha256, question.package_sha256),
        ("a política", asked.policy_sha256, question.policy_sha256),
        ("o pedido", asked.request_sha256, sha256_hex(request)),
    ):
        if recorded != now:
            raise IntegrityError(
                f"{name} da consulta gravada não é deste módulo, configuração ou versão",
                where=_CONSULTATION,
                mend="consulte o gateway de novo",
            )
    outcome = GatewayOutcome(
        status=asked.status,
        reason=asked.reason,
        http_status=asked.http_status,
        attempts=asked.attempts,
        nonce=asked.nonce,
        consultation_sha256=sha256_hex(dump_record(asked)),
    )
    if asked.status != "respondeu":
        return None, outcome
    try:
        answer = read_answer(
            asked.answer,
            nonce=asked.nonce,
            commit=question.delivery.metadata.commit or "",
            package=question.package_sha256,
            canary=canary_of(asked.nonce),
            mask=question.masker.text,
        )
    except BadAnswer as bad:
        return None, replace(outcome, status="invalida", reason=str(bad))
    return answer, outcome


def _change_file(question: Question) -> dict[str, bytes]:
    """What changed since the base revision, for people to read: masked, so no patch to apply."""
    base = question.delivery.base
    return {} if base is None else {_CHANGE: question.masker.text(visible(base.patch)).encode()}


def _publish(trail: Trail, opinion: Opinion, request: bytes, change: dict[str, bytes]) -> None:
    from pipeline.report.opinion import render_opinion  # noqa: PLC0415  # only who makes an opinion renders it
    from pipeline.report.opinion_html import render_opinion_html  # noqa: PLC0415

    files = {
        OPINION: dump_record(opinion),
        "parecer.md": render_opinion(opinion),
        "parecer.html": render_opinion_html(opinion),
        _REQUEST: request,
        **change,
    }
    if trail.consultation is not None:
        files[_CONSULTATION] = dump_record(trail.consultation)
    trail.store.publish(trail.run, "ai_reports", files, stage="parecer_ia")


def _evidence(trail: Trail, change: dict[str, bytes]) -> dict[str, tuple[Evidence, ...]]:
    """Files of the run that back the factors of the risk model."""

    def files(*names: str) -> tuple[Evidence, ...]:
        digests = trail.store.digests(trail.run, "reports")
        paths = ((f"reports/{trail.run}/{name}", digests[name]) for name in names if name in digests)
        return tuple(Evidence(path=path, sha256=digest) for path, digest in paths)

    audit = files("mapa_nc.json")
    tests = trail.tests.evidence if trail.tests is not None else ()
    rewrite, plan = files("modulo_reescrito.json"), files("plano_correcao.json")
    kinds = dict.fromkeys(("NC", "INJECAO", "ORIGEM", "EXPOSICAO", "CLUSTER", "DADOS", "IDENTIDADE"), audit)
    since = tuple(
        Evidence(path=f"ai_reports/{trail.run}/{name}", sha256=sha256_hex(data)) for name, data in change.items()
    )
    return kinds | {
        "TAMANHO": (*since, *files("modulo_reescrito.patch")),
        "MUDANCA": (*since, *files("modulo_reescrito.patch")),
        "NOVOS": rewrite,
        "SEM-PROVA": rewrite,
        "DECISOES": plan,
        "NAO-JULGADO": files(SECOND_AUDIT),
        "DIVERGENCIA": files("applications.yaml"),
        "TESTES-FALHOS": tests,
        "COBERTURA": tests,
    }


def _examined(delivery: Delivery, outcome: GatewayOutcome) -> Iterator[Examined]:
    mapa = delivery.mapa
    judged = sum(mapa.examined.values())
    yield Examined(
        part="documento e arquivos do módulo",
        examined=True,
        detail=f"{len(mapa.files)} arquivos, {judged} verificações",
    )
    unjudged = len(delivery.after.not_run)
    if unjudged:
        yield Examined(part="itens que nenhuma regra pôde julgar", examined=False, detail=str(unjudged))
    yield Examined(part="plano de correção", examined=True, detail=f"{len(delivery.plan.actions)} ações")
    lines = changed_lines(delivery.patch)
    yield Examined(part="módulo reescrito e segunda auditoria", examined=True, detail=f"{lines} linhas mudam")
    yield Examined(part="checklist", examined=True, detail=f"{len(delivery.items)} itens")
    applications = bool(delivery.applications)
    detail = "Applications previstas" if applications else "não configurados ou sem Applications"
    yield Examined(part="ApplicationSets", examined=applications, detail=detail)
    tests = delivery.tests
    if tests is not None:
        yield Examined(
            part="testes e cobertura da esteira",
            examined=True,
            detail=f"{tests.passed} passaram, {tests.failed} falharam, {tests.coverage // 10},{tests.coverage % 10} %",
        )
    if delivery.image is not None:
        detail = f"{delivery.image.name}, documento {delivery.image.document_sha256[:12]}"
        yield Examined(part="digest da imagem", examined=True, detail=detail)
    for part in delivery.not_examined:
        yield Examined(part=part, examined=False, detail="não examinado: não há arquivo na execução")
    yield _examined_base(delivery)
    answered = outcome.status == "respondeu"
    detail = "respondeu" if answered else outcome.reason or "não consultado"
    yield Examined(part="opinião do modelo", examined=answered, detail=detail)


def _examined_base(delivery: Delivery) -> Examined:
    part = "diferença para uma revisão anterior"
    if delivery.base is None:
        return Examined(part=part, examined=False, detail="nenhuma revisão nomeada (--base): só a mudança da reescrita")
    files, lines = len(split_patch(delivery.base.patch)), changed_lines(delivery.base.patch)
    size = f"{counted(files, 'arquivo', 'arquivos')}, {counted(lines, 'linha', 'linhas')}"
    return Examined(part=part, examined=True, detail=f"desde {delivery.base.commit[:12]}: {size}")

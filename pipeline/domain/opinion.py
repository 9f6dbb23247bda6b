"""The AI opinion: what is sent, what came back, and the verdict, key for key as they are left on disk."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from pipeline.domain.artifact import Evidence, ModuleInfo
from pipeline.domain.base import Record

__all__ = [
    "IMPACTS",
    "RECOMMENDATIONS",
    "Consultation",
    "Datum",
    "Examined",
    "GatewayOutcome",
    "Impact",
    "MaskedField",
    "Matrix",
    "ModelAnswer",
    "Opinion",
    "OpinionMetadata",
    "Package",
    "Parameters",
    "Recommendation",
    "Reply",
    "RiskFactor",
]

Recommendation = Literal["liberar", "liberar_com_condicoes", "bloquear"]
Impact = Literal["baixo", "medio", "alto", "critico"]
RECOMMENDATIONS: tuple[Recommendation, ...] = ("liberar", "liberar_com_condicoes", "bloquear")
"""From the loosest to the strictest."""
IMPACTS: tuple[Impact, ...] = ("baixo", "medio", "alto", "critico")

_Line = Annotated[str, Meta(min_length=1, max_length=600)]


class Datum(Record, frozen=True, kw_only=True):
    """One fact that the model may see. ``content`` holds allow-listed fields alone, already masked."""

    kind: str
    content: dict[str, Any]


class MaskedField(Record, frozen=True, kw_only=True):
    """How often values of a kind were hidden in data of a kind; never the values."""

    datum: str
    what: str
    count: int


class Package(Record, frozen=True, kw_only=True):
    """The input package. It names no run and no time, so equal modules give equal bytes."""

    schema_version: Literal["1.0"] = "1.0"
    data: tuple[Datum, ...]
    masked: tuple[MaskedField, ...]
    unresolved: tuple[str, ...]


class Parameters(Record, frozen=True, kw_only=True):
    """``max_tokens`` bounds the answer."""

    temperature: int
    seed: int
    max_tokens: int


class Consultation(Record, frozen=True, kw_only=True):
    """``parecer.consulta.json``: one question to the gateway, as asked and as answered; an input of its run.

    ``answer`` is the body as received, less the API key; ``reason`` says in pt-BR why there is none.
    """

    schema_version: Literal["1.0"] = "1.0"
    status: Literal["respondeu", "indisponivel", "retida"]
    reason: str
    nonce: str
    model: str
    parameters: Parameters
    package_sha256: str
    policy_sha256: str
    request_sha256: str
    http_status: int | None
    attempts: int
    answer: str
    answer_sha256: str


class Reply(Record, frozen=True, kw_only=True):
    """What the gateway gave. ``reason`` (pt-BR) says why it is no answer; empty for a complete one with status 200."""

    status: int | None
    body: str
    attempts: int
    reason: str = ""


class ModelAnswer(Record, frozen=True, kw_only=True):
    """What the model must answer, and no more; ``nonce``, ``commit`` and ``package`` are echoes of the question."""

    nonce: str
    commit: str
    package: str
    risk_score: Annotated[int, Meta(ge=0, le=100)]
    impact: Impact
    recommendation: Recommendation
    reasons: Annotated[tuple[_Line, ...], Meta(min_length=1, max_length=5)]
    conditions: Annotated[tuple[_Line, ...], Meta(max_length=20)]
    suggestions: Annotated[tuple[_Line, ...], Meta(max_length=20)]
    injection_suspected: bool


class RiskFactor(Record, frozen=True, kw_only=True):
    """``points`` is what it adds to its axis: ``weight`` for each of ``count``, at most the model's limit."""

    id: str
    axis: Literal["probabilidade", "impacto"]
    title: str
    weight: int
    count: int
    points: int
    evidence: tuple[Evidence, ...]


class Matrix(Record, frozen=True, kw_only=True):
    """Likelihood and impact from 0 to 100, and the cell of the 5 × 5 matrix, from 1."""

    likelihood: int
    impact: int
    row: int
    column: int


class Examined(Record, frozen=True, kw_only=True):
    part: str
    examined: bool
    detail: str


class GatewayOutcome(Record, frozen=True, kw_only=True):
    """What became of the question to the gateway; ``reason`` in pt-BR where there is no usable answer."""

    status: Literal["nao_consultado", "respondeu", "indisponivel", "invalida", "retida"]
    reason: str
    http_status: int | None
    attempts: int
    nonce: str
    consultation_sha256: str


class OpinionMetadata(Record, frozen=True, kw_only=True):
    """``pipeline`` is the toolkit that made the run; the CI job stands in ``executions/``: it differs each time."""

    commit: str | None
    branch: str | None
    author: str | None
    pipeline: str
    environment: str
    dependencies: tuple[str, ...]


class Opinion(Record, frozen=True, kw_only=True):
    """``parecer.json``. The recommendation is the stricter of the offline engine's and the model's.

    ``in_checklist`` are those of ``conditions`` that an item of the checklist already asks for. ``prompt_sha256`` is of
    the bytes of ``parecer.pedido.json``.
    """

    schema_version: Literal["1.0"] = "1.0"
    run: str
    module: ModuleInfo
    mode: Literal["advisory", "enforcing"]
    engine: Literal["offline", "litellm"]
    model: str
    risk_score: int
    impact: Impact
    matrix: Matrix
    recommendation: Recommendation
    reasons: tuple[str, ...]
    conditions: tuple[str, ...]
    in_checklist: tuple[str, ...]
    suggestions: tuple[str, ...]
    factors: tuple[RiskFactor, ...]
    residual_risk: int
    offline_recommendation: Recommendation
    answer: ModelAnswer | None
    gateway: GatewayOutcome
    examined: tuple[Examined, ...]
    masked: tuple[MaskedField, ...]
    package_sha256: str
    policy_sha256: str
    prompt_sha256: str
    metadata: OpinionMetadata

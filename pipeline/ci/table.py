"""The jobs of CI: the one description that every file of ``ci/`` and every answer of ``ci explain`` is made from."""

from __future__ import annotations

from pipeline.ci.model import Input, Job, Kept, Secret, Session
from pipeline.errors import ExitCode

__all__ = [
    "BASE",
    "CODE_SCANNING",
    "COLLECT",
    "FAIL_ON",
    "GATE_CODES",
    "JOBS",
    "LOCAL_SESSIONS",
    "MODULES",
    "REPORTS",
    "RETENTION_DAYS",
    "TOOLKIT",
    "TOOLKIT_REF",
    "job_named",
]

RETENTION_DAYS = 90
"""How long an engine keeps what a job leaves (contract.md asks for at least that)."""

REPORTS = "build/ci"
"""Where ``ci collect`` puts what CI systems read, beside ``artifacts``."""

GATE_CODES = tuple(
    int(code)
    for code in (
        ExitCode.USAGE,
        ExitCode.INPUT,
        ExitCode.TOOL,
        ExitCode.INTEGRITY,
        ExitCode.BLOCKED,
        ExitCode.CONDITIONAL,
    )
)
"""Answers of a stage: the same inputs would give them again, so that no engine tries again on them."""

MODULES = Input(name="modules", default="modules/*", summary="Módulos: documento, pasta ou padrão, como modules/*")
FAIL_ON = Input(
    name="fail-on",
    default="CRITICA",
    pattern="^(CRITICA|ALTA|MEDIA|BAIXA)$",
    summary="Severidade a partir da qual mapa_nc falha: CRITICA, ALTA, MEDIA ou BAIXA",
)
_APPLICATIONSET = Input(
    name="applicationset",
    default="true",
    pattern="^(true|false)$",
    summary="Confere os ApplicationSets que appgear.toml nomeia: true ou false",
)
CODE_SCANNING = Input(
    name="code-scanning",
    default="true",
    pattern="^(true|false)$",
    summary="Envia os achados ao code scanning, onde o motor o tem: true ou false",
)
_ENVIRONMENT = Input(name="environment", default="producao", summary="Ambiente sobre o qual o CCB decide")
BASE = Input(
    name="base",
    default="",
    supplied=True,
    summary="Em uma proposta, a revisão que ela muda: o parecer compara com ela, e exceções novas não contam",
)
TOOLKIT = Input(name="toolkit", summary="Repositório git do appgear-pipeline")
TOOLKIT_REF = Input(
    name="toolkit-ref", pattern="^[0-9a-f]{40}$", summary="Commit completo (40 dígitos) do appgear-pipeline"
)

_GATEWAY = (
    Secret(name="litellm-base-url", variable="LITELLM_BASE_URL", summary="Endereço do gateway LiteLLM"),
    Secret(name="litellm-api-key", variable="LITELLM_API_KEY", summary="Chave do gateway LiteLLM"),
)
_KEY = Secret(
    name="key",
    variable="APPGEAR_KEY_FILE",
    summary="Chave privada Ed25519 (PEM) que assina o pacote",
    file=True,
    required=True,
)
_TRUST = Secret(
    name="trust", variable="APPGEAR_TRUST_FILE", summary="Arquivo de confiança: pessoas, papéis e chaves", file=True
)

_MODULE = ("--module", MODULES)
_ARTIFACTS = Kept(path="artifacts", media="inode/directory")
_SUMMARY = Kept(path=f"{REPORTS}/resumo.md", media="text/markdown", report="summary")

COLLECT = Session(name="ci", words=("collect", REPORTS))
"""Gathers the reports of whatever ran before it in the same folder."""

JOBS = (
    Job(
        session=Session(name="applicationset", words=("--check",)),
        summary="confere se os ApplicationSets são o que os valores dizem",
        minutes=10,
        switch=_APPLICATIONSET,
    ),
    Job(
        session=Session(name="mapa_nc", words=("--base", BASE, *_MODULE, "--fail-on", FAIL_ON)),
        summary="audita os módulos e falha a partir da severidade dada",
        minutes=30,
        keeps=(
            _ARTIFACTS,
            _SUMMARY,
            Kept(path=f"{REPORTS}/mapa_nc.sarif", media="application/sarif+json", report="sarif"),
            Kept(path=f"{REPORTS}/junit/*.xml", media="application/junit+xml", report="junit"),
            Kept(path=f"{REPORTS}/codequality.json", media="application/json", report="codequality"),
        ),
    ),
    Job(
        session=Session(name="sbom", words=_MODULE),
        summary="lista os componentes da imagem e da esteira",
        minutes=30,
        keeps=(
            _ARTIFACTS,
            Kept(path="artifacts/sbom/*/*.cdx.json", media="application/vnd.cyclonedx+json", report="cyclonedx"),
        ),
    ),
    Job(
        session=Session(name="pipeline", words=("--base", BASE, *_MODULE)),
        summary="roda a trilha inteira e aplica o gate do CHECKLIST",
        minutes=60,
        needs=("sbom",),
        always=True,
        accepts=(int(ExitCode.CONDITIONAL),),
        keeps=(
            _ARTIFACTS,
            _SUMMARY,
            Kept(path="artifacts/coverage/*/coverage.xml", media="application/xml", report="coverage"),
        ),
        secrets=_GATEWAY,
        stages=(
            Session(name="mapa_nc", words=(*_MODULE, "--fail-on", FAIL_ON)),
            Session(name="plano_correcao", words=_MODULE),
            Session(name="modulo_reescrito", words=_MODULE),
            Session(name="sbom", words=_MODULE),
            Session(name="parecer_ia", words=_MODULE),
            Session(name="checklist", words=_MODULE),
        ),
    ),
    Job(
        session=Session(name="verificar"),
        summary="confere os artefatos da trilha, offline, só pelos arquivos",
        minutes=15,
        needs=("pipeline",),
        always=True,
    ),
    Job(
        session=Session(name="evidencias", words=(*_MODULE, "--environment", _ENVIRONMENT)),
        summary="monta e assina o pacote de evidências para o CCB",
        minutes=60,
        needs=("pipeline",),
        keeps=(
            _ARTIFACTS,
            _SUMMARY,
            Kept(path="artifacts/reports/*/evidencias.zip", media="application/zip"),
        ),
        secrets=(_KEY, _TRUST, *_GATEWAY),
        publishes=True,
    ),
)

LOCAL_SESSIONS = {
    "rapid": "uma pessoa decide, com a própria chave",
    "regras": "consulta do catálogo, sem efeito",
    "image": "a trilha a constrói onde a configuração pede, em [image]",
    "indice": "consulta do índice; reunir é do passo que tem as pastas de todos os executores",
    "publicar": "leva o pacote à guarda, com credencial própria, depois da decisão",
    "retencao": "apaga evidências: pessoa ou rotina à parte, na guarda central",
    "doctor": "olha a máquina de quem o chama",
    "ci": "descreve, confere e recolhe: os jobs o chamam depois da sessão deles",
}
"""Sessions of the trail that are no job of their own, and why (pt-BR)."""


def job_named(name: str) -> Job | None:
    """The job of that session; None where there is none."""
    return next((each for each in JOBS if each.name == name), None)

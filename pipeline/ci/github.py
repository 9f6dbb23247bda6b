"""GitHub Actions: a composite action that runs one session, and the reusable workflows made of it.

Inputs reach a script through its environment and never as part of its text. Actions are pinned by the full digest of a
commit; each was read, with its version, in several public repositories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.ci.model import Input
from pipeline.ci.table import BASE, CODE_SCANNING, JOBS, RETENTION_DAYS, TOOLKIT, TOOLKIT_REF
from pipeline.ci.yamltext import render_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.ci.model import Job, Secret

__all__ = ["PINS", "render_github"]

PINS = {
    "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd": "v6.0.2",
    "actions/cache@cdf6c1fa76f9f475f3d7449005a359c84ca0f306": "v5.0.3",
    "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f": "v7.0.0",
    "actions/download-artifact@70fc10c6e5e1ce46ad2ea6f2b72d43f7d47b13c3": "v8.0.0",
    "actions/attest-build-provenance@a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32": "v4.1.0",
    "github/codeql-action/upload-sarif@89a39a4e59826350b863aa6b6252a07ad50cf83e": "v4.32.4",
}
"""Each action in use, and the version that its digest is."""

_USES = {reference.partition("@")[0]: reference for reference in PINS}
_REPOSITORY = "repositorio"
_TOOLKIT = "toolkit"
_ACTION = f"./{_TOOLKIT}/ci/github"
# A pull request is checked out as its merge, whose first parent is what it changes: two commits tell.
_SUPPLIED = {BASE.name: "${{ github.event_name == 'pull_request' && 'HEAD^1' || '' }}"}
_PACK = f"{_REPOSITORY}/artifacts/reports/*/evidencias.zip"

# --- what a runner is told, as bash

_PREPARE = """\
toolkit=$(cd -- "$GITHUB_ACTION_PATH/../.." && pwd -P)
{
  echo "APPGEAR_TOOLKIT=$toolkit"
  echo "APPGEAR_ENVIRONMENTS=$RUNNER_TEMP/appgear/ambientes"
  echo "PIP_CACHE_DIR=$RUNNER_TEMP/appgear/pip"
} >> "$GITHUB_ENV"
echo "locks=$(cat -- "$toolkit"/requirements/*.txt | sha256sum | cut -d ' ' -f 1)" >> "$GITHUB_OUTPUT"
"""
_RUN = """\
words=()
if [ -n "$APPGEAR_WORDS" ]; then mapfile -t words <<< "${APPGEAR_WORDS%$'\\n'}"; fi
code=0
GITHUB_STEP_SUMMARY='' "$APPGEAR_TOOLKIT/ci/nox" -s "$APPGEAR_SESSION" -- "${words[@]}" || code=$?
case " $APPGEAR_ACCEPTS " in
  *" $code "*) echo "::warning title=AppGear::$APPGEAR_SESSION saiu com $code: aprovado só com condições" ;;
  *) exit "$code" ;;
esac
"""
_COLLECT = """\
"$APPGEAR_TOOLKIT/ci/nox" -s ci -- collect build/ci
cat -- build/ci/resumo.md >> "$GITHUB_STEP_SUMMARY"
"""
_CHECK_REF = """\
if ! [[ "$APPGEAR_TOOLKIT_REF" =~ ^[0-9a-f]{40}$ ]]; then
  echo "::error title=AppGear::toolkit-ref deve ser o commit completo, com 40 dígitos hexadecimais"
  exit 2
fi
"""
_PRIVATE_FILE = """\
umask 077
if [ -n "$APPGEAR_SECRET" ]; then
  printf '%s\\n' "$APPGEAR_SECRET" > "$RUNNER_TEMP/$APPGEAR_VARIABLE"
  echo "$APPGEAR_VARIABLE=$RUNNER_TEMP/$APPGEAR_VARIABLE" >> "$GITHUB_ENV"
elif [ "$APPGEAR_REQUIRED" = true ]; then
  echo "::error title=AppGear::falta o segredo de $APPGEAR_VARIABLE: sem ele não há o que assinar"
  exit 2
fi
"""


def render_github() -> dict[str, bytes]:
    """Path → bytes. The workflows stand twice: GitHub calls them only out of ``.github/workflows``."""
    proposed = _pinned(_workflow("appgear", [each for each in JOBS if not each.publishes]))
    released = _pinned(_workflow("appgear-evidencias", [each for each in JOBS if each.publishes]))
    return {
        "ci/github/action.yml": _pinned(_action()),
        "ci/github/appgear.yml": proposed,
        "ci/github/appgear-evidencias.yml": released,
        ".github/workflows/appgear.yml": proposed,
        ".github/workflows/appgear-evidencias.yml": released,
    }


def _pinned(document: dict[str, Any]) -> bytes:
    """The file, each pinned action with its version beside it, which is what people and update bots read."""
    text = render_yaml([document]).decode()
    for reference, version in PINS.items():
        text = text.replace(f"uses: {reference}\n", f"uses: {reference} # {version}\n")
    return text.encode()


def _action() -> dict[str, Any]:
    folder = "${{ inputs.working-directory }}"
    return {
        "name": "appgear-pipeline",
        "description": "Roda uma sessão nox do appgear-pipeline, com resumo, SARIF e artefatos",
        "inputs": {
            "session": {"description": "Sessão nox, como mapa_nc", "required": True},
            "arguments": {"description": "Palavras depois de --, uma por linha", "default": ""},
            "accepts": {"description": "Códigos de saída que só avisam, separados por espaço", "default": ""},
            "working-directory": {"description": "Pasta do repositório auditado", "default": "."},
            "summary": {"description": "true: resumo do job e relatórios", "default": "true"},
            "sarif": {"description": "true: envia os achados ao code scanning", "default": "false"},
            "artifact": {"description": "Nome do artefato guardado; vazio não guarda", "default": ""},
        },
        "runs": {
            "using": "composite",
            "steps": [
                {"id": "preparo", "name": "Prepara o toolkit", "shell": "bash", "run": _PREPARE},
                {
                    "name": "Guarda os pacotes baixados, que a instalação confere pelo hash",
                    "uses": _USES["actions/cache"],
                    "with": {
                        "path": "${{ runner.temp }}/appgear/pip",
                        "key": "appgear-pip-${{ runner.os }}-${{ runner.arch }}-${{ steps.preparo.outputs.locks }}",
                    },
                },
                {
                    "id": "sessao",
                    "name": "nox -s ${{ inputs.session }}",
                    "shell": "bash",
                    "working-directory": folder,
                    "env": {
                        "APPGEAR_SESSION": "${{ inputs.session }}",
                        "APPGEAR_WORDS": "${{ inputs.arguments }}",
                        "APPGEAR_ACCEPTS": "${{ inputs.accepts }}",
                    },
                    "run": _RUN,
                },
                {
                    "id": "relatorios",
                    "name": "Resumo e relatórios",
                    "if": "always() && inputs.summary == 'true'",
                    "shell": "bash",
                    "working-directory": folder,
                    "run": _COLLECT,
                },
                {
                    "name": "Envia os achados ao code scanning",
                    "if": "always() && inputs.sarif == 'true' && steps.relatorios.outcome == 'success'",
                    "uses": _USES["github/codeql-action/upload-sarif"],
                    "with": {
                        "sarif_file": f"{folder}/build/ci/mapa_nc.sarif",
                        "checkout_path": f"${{{{ github.workspace }}}}/{folder}",
                    },
                },
                {
                    "name": "Guarda os artefatos",
                    "if": "always() && inputs.artifact != ''",
                    "uses": _USES["actions/upload-artifact"],
                    "with": {
                        "name": "${{ inputs.artifact }}",
                        "path": f"{folder}/artifacts\n{folder}/build/ci\n",
                        "retention-days": RETENTION_DAYS,
                        "include-hidden-files": True,
                        "if-no-files-found": "error",
                    },
                },
            ],
        },
    }


def _workflow(name: str, jobs: Sequence[Job]) -> dict[str, Any]:
    inputs = dict.fromkeys(
        (TOOLKIT, TOOLKIT_REF, *(given for job in jobs for given in job.inputs if not given.supplied))
    )
    if any(map(_sends_sarif, jobs)):
        inputs |= {CODE_SCANNING: None}
    secrets = dict.fromkeys(secret for job in jobs for secret in job.secrets)
    return {
        "name": name,
        "on": {
            "workflow_call": {
                "inputs": {
                    **{each.name: _declared(each) for each in inputs},
                    "runs-on": {
                        "description": "Runner com bash, git e Python 3.11 ou mais novo",
                        "type": "string",
                        "default": "ubuntu-24.04",
                    },
                    **(_github_environment() if any(job.publishes for job in jobs) else {}),
                },
                "secrets": {
                    "toolkit-token": {"description": "Leitura do toolkit, se ele é privado", "required": False},
                    **{each.name: {"description": each.summary, "required": each.required} for each in secrets},
                },
            }
        },
        "permissions": {},
        "jobs": {job.name: _job(job) for job in jobs},
    }


def _github_environment() -> dict[str, Any]:
    return {
        "github-environment": {
            "description": "Environment do GitHub que protege a chave e pede aprovação",
            "type": "string",
            "default": "",
        }
    }


def _declared(given: Input) -> dict[str, Any]:
    if given.default is None:
        return {"description": given.summary, "type": "string", "required": True}
    boolean = given.default in ("true", "false")
    default: object = given.default == "true" if boolean else given.default
    return {"description": given.summary, "type": "boolean" if boolean else "string", "default": default}


def _job(job: Job) -> dict[str, Any]:
    conditions = [*(["!cancelled()"] if job.always else []), *([f"inputs.{job.switch.name}"] if job.switch else [])]
    return {
        "name": job.name,
        **({"needs": list(job.needs)} if job.needs and not job.publishes else {}),
        **({"if": f"${{{{ {' && '.join(conditions)} }}}}"} if conditions else {}),
        "runs-on": "${{ inputs.runs-on }}",
        **({"environment": "${{ inputs.github-environment }}"} if job.publishes else {}),
        "timeout-minutes": job.minutes,
        "permissions": _permissions(job),
        "steps": [*_checkouts(), *_received(job), *(_secret_file(each) for each in job.secrets if each.file),
                  _session(job), *(_published() if job.publishes else [])],
    }  # fmt: skip


def _permissions(job: Job) -> dict[str, str]:
    """The least that the job's steps need."""
    granted = {"contents": "read"}
    if _sends_sarif(job):
        granted |= {"security-events": "write", "actions": "read"}  # the second for private repositories
    if job.publishes:
        granted |= {"id-token": "write", "attestations": "write"}
    return granted


def _sends_sarif(job: Job) -> bool:
    return any(each.report == "sarif" for each in job.keeps)


def _checkouts() -> list[dict[str, Any]]:
    return [
        {
            "name": "Exige o toolkit por commit",
            "shell": "bash",
            "env": {TOOLKIT_REF.variable: "${{ inputs.toolkit-ref }}"},
            "run": _CHECK_REF,
        },
        {
            "name": "Baixa o repositório",
            "uses": _USES["actions/checkout"],
            "with": {"path": _REPOSITORY, "fetch-depth": 2, "persist-credentials": False},
        },
        {
            "name": "Baixa o toolkit",
            "uses": _USES["actions/checkout"],
            "with": {
                "repository": "${{ inputs.toolkit }}",
                "ref": "${{ inputs.toolkit-ref }}",
                "token": "${{ secrets.toolkit-token || github.token }}",
                "path": _TOOLKIT,
                "persist-credentials": False,
            },
        },
    ]


def _received(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "name": f"Recebe os artefatos de {name}",
            "uses": _USES["actions/download-artifact"],
            "with": {"name": _artifact(name), "path": _REPOSITORY},
        }
        for name in (job.needs if not job.publishes else ())
    ]


def _artifact(job: str) -> str:
    return f"appgear-{job}"


def _secret_file(secret: Secret) -> dict[str, Any]:
    return {
        "name": f"Põe {secret.variable} em arquivo",
        "shell": "bash",
        "env": {
            "APPGEAR_SECRET": f"${{{{ secrets.{secret.name} }}}}",
            "APPGEAR_VARIABLE": secret.variable,
            "APPGEAR_REQUIRED": str(secret.required).lower(),
        },
        "run": _PRIVATE_FILE,
    }


def _session(job: Job) -> dict[str, Any]:
    given = [_SUPPLIED.get(each.name, _given(each)) if isinstance(each, Input) else each for each in job.session.words]
    told = {each.variable: f"${{{{ secrets.{each.name} }}}}" for each in job.secrets if not each.file}
    options: dict[str, object] = {
        "session": job.name,
        **({"arguments": "".join(f"{word}\n" for word in given)} if given else {}),
        **({"accepts": " ".join(map(str, job.accepts))} if job.accepts else {}),
        "working-directory": _REPOSITORY,
        "summary": str(job.collects).lower(),
        **({"artifact": _artifact(job.name)} if job.keeps else {}),
    }
    if _sends_sarif(job):
        # A fork's token may not write: its findings are annotations and the summary.
        options["sarif"] = f"${{{{ inputs.{CODE_SCANNING.name} && github.event.pull_request.head.repo.fork != true }}}}"
    return {
        "name": job.summary[0].upper() + job.summary[1:],
        "uses": _ACTION,
        **({"env": told} if told else {}),
        "with": options,
    }


def _given(given: Input) -> str:
    return f"${{{{ inputs.{given.name} }}}}"


def _published() -> list[dict[str, Any]]:
    """Who built the pack, signed by the job's own OIDC identity: no key of ours is in it."""
    return [
        {
            "name": "Atesta o pacote com a identidade OIDC do job",
            "if": f"${{{{ !cancelled() && hashFiles('{_PACK}') != '' }}}}",
            "uses": _USES["actions/attest-build-provenance"],
            "with": {"subject-path": _PACK},
        }
    ]

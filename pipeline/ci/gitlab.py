"""GitLab: a CI/CD component. Inputs reach a script through variables and never as part of its text."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pipeline.ci.model import Input, launcher_words
from pipeline.ci.table import BASE, COLLECT, JOBS, RETENTION_DAYS, TOOLKIT, TOOLKIT_REF
from pipeline.ci.yamltext import render_yaml

if TYPE_CHECKING:
    from pipeline.ci.model import Job, Secret, Session

__all__ = ["render_gitlab"]

_COMMON = ".appgear"
_PIP_CACHE = ".appgear-cache/pip"
_MERGE_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
_SUPPLIED = {BASE.name: "CI_MERGE_REQUEST_DIFF_BASE_SHA"}
_DEFAULT_BRANCH = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"

# The job's own folder: another beside it is nobody's who runs at the same time.
_BESIDE = "$PWD.appgear"
_FOLDER = f"{_BESIDE}/$APPGEAR_TOOLKIT_REF"
# A commit's digest is that of its content: what is fetched is what was asked for, whoever serves it. The job's own
# token reads a toolkit of the same GitLab; it travels in the environment, where no list of processes shows it.
_FETCH = f"""\
export PIP_CACHE_DIR="$PWD/{_PIP_CACHE}"
if [ ! -x "{_FOLDER}/ci/nox" ]; then
  mkdir -p -- "{_BESIDE}"
  fetched=$(mktemp -d -- "{_BESIDE}/XXXXXX")
  git init -q "$fetched"
  (
    if [ "${{APPGEAR_TOOLKIT#"$CI_SERVER_URL"/}}" != "$APPGEAR_TOOLKIT" ]; then
      basic=$(printf 'gitlab-ci-token:%s' "$CI_JOB_TOKEN" | base64 | tr -d '\\n')
      export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$CI_SERVER_URL/.extraHeader"
      export GIT_CONFIG_VALUE_0="Authorization: Basic $basic"
    fi
    git -C "$fetched" fetch -q --depth 1 -- "$APPGEAR_TOOLKIT" "$APPGEAR_TOOLKIT_REF"
  )
  git -C "$fetched" checkout -q --detach "$APPGEAR_TOOLKIT_REF"
  mv -T -- "$fetched" "{_FOLDER}"
fi
"""


def render_gitlab() -> dict[str, bytes]:
    """Path → bytes. The component stands twice: GitLab finds components only in ``templates``."""
    rendered = render_yaml(
        [{"spec": {"inputs": _inputs()}}, {_COMMON: _common(), **{_id(job): _job(job) for job in JOBS}}]
    )
    return {"ci/gitlab/appgear.yml": rendered, "templates/appgear.yml": rendered}


def _inputs() -> dict[str, Any]:
    given = dict.fromkeys((TOOLKIT, TOOLKIT_REF, *(each for job in JOBS for each in job.inputs if not each.supplied)))
    return {
        **{each.name: _declared(each) for each in given},
        "stage": {"description": "Estágio dos jobs", "default": "test"},
        "image": {
            "description": "Imagem com bash, git e Python 3.11 ou mais novo, por digest",
            "default": "$APPGEAR_IMAGE",
        },
    }


def _declared(given: Input) -> dict[str, str]:
    return {
        "description": given.summary,
        **({"default": given.default} if given.default is not None else {}),
        **({"regex": given.pattern} if given.pattern else {}),
    }


def _common() -> dict[str, Any]:
    return {
        "stage": "$[[ inputs.stage ]]",
        "image": "$[[ inputs.image ]]",
        "variables": {
            TOOLKIT.variable: "$[[ inputs.toolkit ]]",
            TOOLKIT_REF.variable: "$[[ inputs.toolkit-ref ]]",
            "GIT_DEPTH": "0",  # what a proposal changes may be any number of commits behind
        },
        # The commit names the locks too, and pip checks each cached file against them before it installs it.
        "cache": {"key": "appgear-pip-$[[ inputs.toolkit-ref ]]", "paths": [_PIP_CACHE]},
        "before_script": [_FETCH],
        "interruptible": True,
        "retry": {"max": 2, "when": ["runner_system_failure", "stuck_or_timeout_failure"]},
    }


def _id(job: Job) -> str:
    return f"appgear:{job.name}"


def _job(job: Job) -> dict[str, Any]:
    described: dict[str, Any] = {
        "extends": _COMMON,
        "timeout": f"{job.minutes} minutes",
        "rules": _rules(job),
        "needs": [{"job": f"appgear:{name}", "artifacts": True} for name in job.needs],
    }
    chosen = [each for each in job.session.inputs if not each.supplied]
    if chosen:
        described["variables"] = {each.variable: f"$[[ inputs.{each.name} ]]" for each in chosen}
    described["script"] = _lines(job)
    if job.accepts:
        described["allow_failure"] = {"exit_codes": list(job.accepts)}
    if job.publishes:
        described["interruptible"] = False
    if job.keeps:
        described["artifacts"] = _artifacts(job)
    return {name: value for name, value in described.items() if value not in ({}, None)}


def _rules(job: Job) -> list[dict[str, str]]:
    when = {"when": "always"} if job.always else {}
    if job.publishes:
        held = "".join(f" && ${each.given}" for each in job.secrets if each.required)
        return [{"if": f"{_DEFAULT_BRANCH}{held}"}]
    off = [{"if": f'"$[[ inputs.{job.switch.name} ]]" != "true"', "when": "never"}] if job.switch else []
    return [*off, {"if": _MERGE_REQUEST, **when}, {"if": _DEFAULT_BRANCH, **when}, {"if": "$CI_COMMIT_TAG", **when}]


def _line(session: Session) -> str:
    variables = {each.name: f'"${_SUPPLIED.get(each.name, each.variable)}"' for each in session.inputs}
    words = launcher_words(session, variables)
    shown = [word if word.startswith('"$') else shlex.quote(word) for word in words]
    return " ".join([f'"{_FOLDER}/ci/nox"', *shown])


def _lines(job: Job) -> list[str]:
    """The session, then what is gathered of it whatever it answered; the answer is the job's."""
    if not job.collects:
        return [_line(job.session)]
    files = [each for each in job.secrets if each.file]
    return [
        *map(_private, files),
        f"{_line(job.session)} || code=$?",
        *(f'rm -f -- "{_place(each)}"' for each in files),
        f"{_line(COLLECT)} || code=${{code:-$?}}",
        'exit "${code:-0}"',
    ]


def _private(secret: Secret) -> str:
    """A File variable is readable by others: the job works with a copy that is not, and takes it away afterwards."""
    return (
        f'if [ -n "${{{secret.given}:-}}" ]; then install -m 600 -- "${secret.given}" "{_place(secret)}"; '
        f'export {secret.variable}="{_place(secret)}"; fi'
    )


def _place(secret: Secret) -> str:
    return f"{_BESIDE}/{secret.name}"


def _artifacts(job: Job) -> dict[str, Any]:
    reports: dict[str, Any] = {}
    for each in job.keeps:
        if each.report == "coverage":
            reports["coverage_report"] = {"coverage_format": "cobertura", "path": each.path}
        elif each.report in ("junit", "codequality", "cyclonedx"):
            reports[each.report] = each.path
    return {
        "name": f"appgear-{job.name}-$CI_COMMIT_SHORT_SHA",
        "when": "always",
        "expire_in": f"{RETENTION_DAYS} days",
        "paths": ["artifacts/", "build/ci/"],
        **({"reports": reports} if reports else {}),
    }

"""The CI job that runs us, as its environment claims it: recorded with an execution, never in a run's own bytes.

Every value comes from outside (a branch may be named by whoever opens a pull request), so each is shown without control
characters, bounded, and proves nothing: who may decide is a matter of keys.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Environment = Mapping[str, str]

__all__ = ["CiJob", "append_step_summary", "branch_of_job", "ci_system", "detect_job", "pipeline_name", "stop_word"]

_MAX_CHARACTERS = 500
_MAX_PAGE_BYTES = 1024 * 1024  # GitHub drops a longer one
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
# Where a system cannot say it (Argo Workflows, Tekton, a script), the job's definition does: these win everywhere.
_STATED = {
    "pipeline": "APPGEAR_CI_PIPELINE",
    "job": "APPGEAR_CI_JOB",
    "branch": "APPGEAR_CI_BRANCH",
    "commit": "APPGEAR_CI_COMMIT",
    "author": "APPGEAR_CI_AUTHOR",
    "url": "APPGEAR_CI_URL",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CiJob:
    """One job; empty where the system does not say. ``url`` is http or https and holds no user or password."""

    system: str
    pipeline: str = ""
    job: str = ""
    branch: str = ""
    commit: str = ""
    author: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        """System and pipeline, as the index calls it."""
        return f"{self.system}:{self.pipeline}" if self.pipeline else self.system

    def facts(self) -> dict[str, str]:
        """What is known."""
        return {name: value for name, value in asdict(self).items() if value}


def ci_system(environment: Environment) -> str:
    """``github``, ``gitlab``, ``jenkins``, ``argo``, ``other`` (only ``CI`` or APPGEAR_CI_* are set), or empty."""
    for system, markers, _ in _SYSTEMS:
        if any(environment.get(marker, "").lower() not in ("", "false") for marker in markers):
            return system
    stated = any(environment.get(name) for name in _STATED.values())
    return "other" if stated or environment.get("CI", "").lower() not in ("", "false") else ""


def detect_job(environment: Environment) -> CiJob | None:
    """The job of the first system that the environment shows; None outside CI."""
    system = ci_system(environment)
    if not system:
        return None
    read = next((read for name, _, read in _SYSTEMS if name == system), None)
    claimed = read(environment) if read else {}
    stated = {name: environment[variable] for name, variable in _STATED.items() if environment.get(variable)}
    shown = {name: _shown(value) for name, value in {**claimed, **stated}.items()}
    if not _COMMIT.fullmatch(shown.get("commit", "")):
        shown["commit"] = ""
    shown["url"] = _address(shown.get("url", ""))
    return CiJob(system=system, **shown)


def pipeline_name(environment: Environment) -> str:
    """The job as the index calls it; ``local`` outside CI."""
    job = detect_job(environment)
    return "local" if job is None else job.name


def branch_of_job(environment: Environment, commit: str | None) -> str | None:
    """The branch that a job builds, for a checkout of exactly its commit on no branch; None where it does not say."""
    job = detect_job(environment) if commit else None
    return job.branch or None if job is not None and job.commit == commit else None


def stop_word(environment: Environment) -> str:
    """A word for GitHub's ``stop-commands`` that nobody can guess; empty elsewhere."""
    if ci_system(environment) != "github":
        return ""
    import secrets  # noqa: PLC0415  # as below

    return secrets.token_hex(16)


def append_step_summary(named: str, data: bytes) -> str:
    """Add to the page of a GitHub step; why not, in pt-BR, where its file cannot be: a link, a device, too long."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    if not os.path.isabs(named):  # noqa: PTH117 - a text of the environment
        return "não é um caminho absoluto"
    try:
        descriptor = os.open(named, flags, 0o600)
    except (OSError, ValueError) as error:
        return f"não pôde ser aberto ({getattr(error, 'strerror', error)})"
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            return "não é um arquivo comum"
        if state.st_size + len(data) > _MAX_PAGE_BYTES:
            return f"o resumo passaria de {_MAX_PAGE_BYTES} bytes"
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        return f"não pôde ser gravado ({error.strerror})"
    finally:
        os.close(descriptor)
    return ""


def _github(environment: Environment) -> dict[str, str]:
    get = environment.get
    run, attempt = get("GITHUB_RUN_ID", ""), get("GITHUB_RUN_ATTEMPT", "")
    address = f"{get('GITHUB_SERVER_URL', '')}/{get('GITHUB_REPOSITORY', '')}/actions/runs/{run}"
    named = get("GITHUB_REF_NAME", "") if get("GITHUB_REF_TYPE", "branch") == "branch" else ""
    return {
        "pipeline": f"{run}.{attempt}" if attempt not in ("", "1") else run,
        "job": get("GITHUB_JOB", ""),
        # A pull request is checked out as a merge that no branch names; its own branch is the head's.
        "branch": get("GITHUB_HEAD_REF", "") or named,
        "commit": get("GITHUB_SHA", ""),
        "author": get("GITHUB_ACTOR", ""),
        "url": f"{address}/attempts/{attempt}" if attempt else address,
    }


def _gitlab(environment: Environment) -> dict[str, str]:
    get = environment.get
    return {
        "pipeline": get("CI_PIPELINE_ID", ""),
        "job": get("CI_JOB_NAME", ""),
        "branch": get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "") or get("CI_COMMIT_BRANCH", ""),
        "commit": get("CI_COMMIT_SHA", ""),
        "author": get("GITLAB_USER_LOGIN", ""),
        "url": get("CI_JOB_URL", "") or get("CI_PIPELINE_URL", ""),
    }


def _jenkins(environment: Environment) -> dict[str, str]:
    get = environment.get
    return {
        "pipeline": get("BUILD_TAG", ""),
        "job": get("JOB_NAME", ""),
        "branch": get("CHANGE_BRANCH", "") or get("BRANCH_NAME", "") or get("GIT_BRANCH", "").removeprefix("origin/"),
        "commit": get("GIT_COMMIT", ""),
        "author": get("CHANGE_AUTHOR", ""),
        "url": get("BUILD_URL", ""),
    }


def _argo(environment: Environment) -> dict[str, str]:
    get = environment.get
    return {"pipeline": get("ARGO_WORKFLOW_NAME", "") or get("ARGO_NODE_ID", ""), "job": get("ARGO_NODE_ID", "")}


_SYSTEMS: tuple[tuple[str, tuple[str, ...], Callable[[Environment], dict[str, str]]], ...] = (
    ("github", ("GITHUB_ACTIONS",), _github),
    ("gitlab", ("GITLAB_CI",), _gitlab),
    ("jenkins", ("JENKINS_URL", "JENKINS_HOME"), _jenkins),
    ("argo", ("ARGO_WORKFLOW_NAME", "ARGO_NODE_ID"), _argo),
)


def _shown(value: str) -> str:
    return visible(" ".join(value.split()))[:_MAX_CHARACTERS]


def _address(text: str) -> str:
    """An http(s) address without what could be a credential; empty for anything else."""
    from urllib.parse import urlsplit  # noqa: PLC0415  # outside CI nobody pays for it

    try:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or " " in text:
            return ""
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return parts._replace(netloc=host, query="", fragment="").geturl()

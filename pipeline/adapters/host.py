"""Facts of the machine and the CI job: recorded with an execution, never part of a run's reproducible bytes."""

from __future__ import annotations

import getpass
import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe_host", "pipeline_name", "toolkit_digest"]

_LIBRARIES = ("jsonpatch", "jsonschema-rs", "kubernetes-validate", "msgspec", "pygal", "PyYAML")
# The job that runs us, by CI system: the variable that is set there, and those worth recording.
_SYSTEMS = {
    "GITHUB_ACTIONS": ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "GITHUB_REPOSITORY", "GITHUB_ACTOR"),
    "GITLAB_CI": ("CI_PIPELINE_ID", "CI_JOB_ID", "CI_JOB_NAME", "CI_PROJECT_PATH", "GITLAB_USER_LOGIN"),
    "JENKINS_URL": ("BUILD_TAG", "JOB_NAME", "BUILD_NUMBER"),
    "ARGO_WORKFLOW_NAME": ("ARGO_WORKFLOW_NAME", "ARGO_TEMPLATE"),
}


def toolkit_digest() -> str:
    """Digest of what makes the results: every source of the package, and the versions of the libraries it uses."""
    folder = Path(pipeline.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".json", ".j2"} and path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    for name in _LIBRARIES:
        digest.update(f"{name}=={version(name)}\0".encode())
    return digest.hexdigest()


def pipeline_name(environment: Mapping[str, str]) -> str:
    """The CI job as one name, ``local`` outside CI."""
    for marker, names in _SYSTEMS.items():
        if environment.get(marker):
            system = marker.partition("_")[0].lower()
            return f"{system}:{environment.get(names[0], '')}"
    return "local"


def describe_host(environment: Mapping[str, str]) -> dict[str, object]:
    """Who and where: user, machine, interpreter, and the CI variables of an allow-list."""
    job = {name: environment[name] for names in _SYSTEMS.values() for name in names if name in environment}
    return {
        "user": _user(),
        "host": platform.node(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "toolkit": pipeline.__version__,
        "ci": job,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "desconhecido"

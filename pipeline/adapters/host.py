"""Facts of the machine and the CI job: recorded with an execution, never part of a run's reproducible bytes."""

from __future__ import annotations

import getpass
import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.ci import detect_job

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe_host", "toolkit_digest"]

_LIBRARIES = ("jsonpatch", "jsonschema-rs", "kubernetes-validate", "msgspec", "pygal", "PyYAML")


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


def describe_host(environment: Mapping[str, str]) -> dict[str, object]:
    """Who and where: user, machine, interpreter, and the CI job."""
    job, system = detect_job(environment), os.uname()
    return {
        "user": _user(),
        "host": system.nodename,
        "system": f"{system.sysname} {system.release} {system.machine}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "toolkit": pipeline.__version__,
        "ci": {} if job is None else job.facts(),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "desconhecido"

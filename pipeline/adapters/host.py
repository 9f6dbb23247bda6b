"""Facts of the machine and the CI job: recorded with an execution, never part of a run's reproducible bytes."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, TextIO

import pipeline
from pipeline.adapters.ci import detect_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["describe_host", "find_program", "has_colour", "image_platform", "package_version", "toolkit_digest"]

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_LIBRARIES = ("jsonpatch", "jsonschema-rs", "kubernetes-validate", "msgspec", "pygal", "pyyaml")


@cache
def toolkit_digest() -> str:
    """Digest of what makes the results: every source of the package, and the versions of the libraries it uses."""
    digest = hashlib.sha256()
    for path, content in sorted(_sources(os.path.dirname(pipeline.__file__), "")):  # noqa: PTH120 - each launch pays
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    for name in _LIBRARIES:
        digest.update(f"{name}=={package_version(name)}\0".encode())
    return digest.hexdigest()


def _sources(folder: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    with os.scandir(folder) as listing:
        for each in listing:
            if each.is_dir(follow_symlinks=False):
                yield from _sources(each.path, f"{prefix}{each.name}/")
            elif each.name.endswith((".py", ".json", ".j2")):
                with open(each.path, "rb", buffering=0) as stream:  # noqa: PTH123 - as above
                    yield prefix + each.name, stream.read()


@cache
def package_version(name: str) -> str:
    """Version of an installed package by the name of its metadata folder; empty where it is not installed.

    ``importlib.metadata`` says the same, and takes as long to import as all of a launch that finds nothing to do: it is
    asked for what has no such folder.
    """
    for folder in filter(None, sys.path):
        if name in _installed(folder):
            return _installed(folder)[name]
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@cache
def _installed(folder: str) -> dict[str, str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - as above
    except OSError:
        return {}
    rows = (each.removesuffix(".dist-info").rpartition("-") for each in sorted(names) if each.endswith(".dist-info"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in rows}


def describe_host(environment: Mapping[str, str]) -> dict[str, object]:
    """Who and where: user, machine, interpreter, the CI job; ``launch`` is this launch's own.

    Two workers may be alike in all else, the second included: a merged index would take them for one execution.
    """
    job, system = detect_job(environment), os.uname()
    return {
        "launch": os.urandom(16).hex(),
        "user": _user(),
        "host": system.nodename,
        "system": f"{system.sysname} {system.release} {system.machine}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "toolkit": pipeline.__version__,
        "ci": {} if job is None else job.facts(),
    }


def find_program(name: str, search_path: str) -> str | None:
    """Where a program is that this search path finds."""
    import shutil  # noqa: PLC0415  # few launches look for programs

    return shutil.which(name, path=search_path)


def has_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a person looks at this stream and wants colour (https://no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "desconhecido"


def image_platform() -> str:
    """The platform that images built here are for, as image specifications name it."""
    machine = os.uname().machine.lower()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"

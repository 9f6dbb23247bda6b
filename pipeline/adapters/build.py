"""What kind of machine builds, and from which locks: facts for the provenance, values of no variable."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.ci import ci_system
from pipeline.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["builder_name", "lock_digests", "read_lock_files", "toolkit_lock_digest"]

_LOCK, _METADATA = "pipeline.txt", "pipeline.metadata.toml"
_GITLAB_HOSTED = ".runners-manager.gitlab.com"


def builder_name(environment: Mapping[str, str]) -> str:
    """``laptop``, ``self-hosted/<system>`` or ``hosted/<system>``, as the environment claims it."""
    system = ci_system(environment)
    if not system:
        return "laptop"
    hosted = (
        environment.get("RUNNER_ENVIRONMENT") == "github-hosted"
        if system == "github"
        else system == "gitlab" and _GITLAB_HOSTED in environment.get("CI_RUNNER_DESCRIPTION", "")
    )
    return f"{'hosted' if hosted else 'self-hosted'}/{system}"


def lock_digests() -> dict[str, str]:
    """SHA-256 of this checkout's lock files, by path; empty where the package was installed from a wheel."""
    root = Path(pipeline.__file__).parent.parent
    if not (root / "pyproject.toml").is_file():
        return {}
    found = sorted((root / "requirements").glob("*.txt"))
    return {f"requirements/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def read_lock_files() -> tuple[bytes, bytes]:
    """The lock that the stages run on and what is known of its packages: of this checkout, else of the wheel.

    ToolError where an installation has neither.
    """
    folder = _lock_folder()
    if folder is None:
        raise ToolError("o lock da esteira não está instalado", where="requirements", mend="reinstale a esteira")
    return (folder / _LOCK).read_bytes(), (folder / _METADATA).read_bytes()


def toolkit_lock_digest() -> str:
    """One digest over both files; empty where an installation has neither."""
    return "" if _lock_folder() is None else hashlib.sha256(b"\0".join(read_lock_files())).hexdigest()


def _lock_folder() -> Path | None:
    package = Path(pipeline.__file__).parent
    places = (package.parent / "requirements", package / "requirements")
    return next((each for each in places if (each / _METADATA).is_file() and (each / _LOCK).is_file()), None)

"""What kind of machine builds, and from which locks: facts for the provenance, values of no variable."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.ci import ci_system

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["builder_name", "lock_digests"]

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

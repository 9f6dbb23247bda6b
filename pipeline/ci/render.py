"""Every file that the table makes, by its path from the repository's root."""

from __future__ import annotations

from pipeline.ci.argo import render_workflows
from pipeline.ci.argo_events import render_events
from pipeline.ci.github import render_github
from pipeline.ci.gitlab import render_gitlab
from pipeline.ci.hooks import render_hooks

__all__ = ["render_ci"]


def render_ci() -> dict[str, bytes]:
    """Path → bytes. ModuleNotFoundError without Hera, which builds what Argo Workflows takes."""
    return {**render_github(), **render_gitlab(), **render_workflows(), **render_events(), **render_hooks()}

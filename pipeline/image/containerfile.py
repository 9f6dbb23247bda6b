"""The same image as a Containerfile, for teams whose policy wants an engine: layers as they are, no command run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.image.oci import Runtime

__all__ = ["render_containerfile"]


def render_containerfile(archives: Sequence[str], runtime: Runtime, labels: Mapping[str, str]) -> bytes:
    """Layers from local archives on an empty image; nothing is downloaded and nothing runs (threats T14)."""
    environment = " ".join(f"{name}={json.dumps(value)}" for name, value in sorted(runtime.environment.items()))
    rows = [
        "FROM scratch",
        *(f"ADD {each} /" for each in archives),
        f"ENV {environment}",
        f"USER {runtime.user}",
        f"WORKDIR {runtime.folder}",
        *(f"EXPOSE {each}" for each in runtime.ports),
        "STOPSIGNAL SIGTERM",
        *(f"LABEL {name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(labels.items())),
        f"ENTRYPOINT {json.dumps(list(runtime.entrypoint))}",
        f"CMD {json.dumps(list(runtime.arguments))}",
    ]
    return ("\n".join(rows) + "\n").encode()

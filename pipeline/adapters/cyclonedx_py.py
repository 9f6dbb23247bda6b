"""``cyclonedx-py`` by the sealed runner: a requirements file in, CycloneDX JSON out, nothing of this host in it."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ToolError
from pipeline.ports import Limits

if TYPE_CHECKING:
    from pipeline.ports import Runner

__all__ = ["drifted", "list_requirements", "lister_version"]

_PACKAGE, _MODULE = "cyclonedx-bom", "cyclonedx_py"
_HINT = "instale a esteira a partir de requirements/pipeline.txt"
_LIMITS = Limits(seconds=120.0, output_bytes=64 * 1024 * 1024)


def lister_version() -> str:
    """Version of the package; ToolError where it is not installed."""
    try:
        return version(_PACKAGE)
    except PackageNotFoundError as error:
        raise ToolError("ferramenta não encontrada", where=_PACKAGE, mend=_HINT) from error


def list_requirements(runner: Runner, lock: bytes) -> bytes:
    """What ``cyclonedx-py requirements`` says of a lock: every pin with its hashes, whatever is installed here.

    ToolError when the tool is missing or fails.
    """
    if find_spec(_MODULE) is None:
        raise ToolError("ferramenta não encontrada", where=_PACKAGE, mend=_HINT)
    python = runner.find(sys.executable, hint=_HINT)
    # The interpreter that runs us, with the packages that we see and nothing of the folder that it is started in.
    known = os.pathsep.join(each for each in sys.path if Path(each).is_absolute())
    asked = ["requirements", "--sv", "1.6", "--of", "JSON", "--output-reproducible", "--no-validate", "-"]
    return runner.run(
        python, ["-P", "-s", "-m", _MODULE, *asked], stdin=lock, environment={"PYTHONPATH": known}, limits=_LIMITS
    ).stdout


def drifted(pins: dict[str, str]) -> list[str]:
    """Packages that are installed here in another version than the lock's, as ``name 1.2 ≠ 1.3``."""
    found = []
    for name, wanted in sorted(pins.items()):
        try:
            present = version(name)
        except PackageNotFoundError:
            continue  # another system's, or an extra that nobody asked for
        if present != wanted:
            found.append(f"{name} {present} ≠ {wanted}")
    return found

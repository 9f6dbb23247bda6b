"""Which Rego evaluator this machine has, and how its program is run: through the sealed runner."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.audit.opa_engines import ConftestEngine, InProcessEngine, OpaEngine
from pipeline.errors import ToolError, UsageError
from pipeline.ports import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.audit.opa import Engine
    from pipeline.audit.opa_engines import Run
    from pipeline.ports import Runner, Tool

__all__ = ["EngineChoice", "find_engine"]

EngineChoice = Literal["auto", "opa", "regorus", "conftest"]

_HINT = "instale o programa opa, ou o extra do Python: pip install 'appgear-pipeline[opa]'"
_STATUSES = (0, 1, 2)  # 1 and 2 come with an error report that is read
_LIMITS = Limits(seconds=120.0)


def find_engine(runner: Runner, *, choice: EngineChoice = "auto") -> Engine:
    """The reference ``opa`` where it is installed, else the in-process engine, else ``conftest`` (ADR 0011).

    ToolError when there is none, or not the one that ``choice`` asks for.
    """
    if choice not in ("auto", "opa", "regorus", "conftest"):
        raise UsageError(f"avaliador de Rego desconhecido: {choice}", mend="use auto, opa, regorus ou conftest")
    if choice in ("auto", "opa"):
        tool = _find(runner, "opa", "version", needed=choice == "opa")
        if tool is not None:
            return OpaEngine(_sealed(runner, tool))
    if choice in ("auto", "regorus") and importlib.util.find_spec("regorus") is not None:
        return InProcessEngine()
    if choice in ("auto", "conftest"):
        tool = _find(runner, "conftest", "--version", needed=choice == "conftest")
        if tool is not None:
            return ConftestEngine(_sealed(runner, tool))
    raise ToolError("não há avaliador de políticas Rego", where="opa", mend=_HINT)


def _find(runner: Runner, name: str, version: str, *, needed: bool) -> Tool | None:
    try:
        return runner.find(name, hint=_HINT, version_arguments=(version,))
    except ToolError:
        if needed:
            raise
        return None


def _sealed(runner: Runner, tool: Tool) -> Run:
    def run(argv: list[str], stdin: bytes, files: Mapping[str, bytes]) -> bytes:
        with tempfile.TemporaryDirectory(prefix="appgear-opa-") as private:
            folder = Path(private)
            for name, content in files.items():
                target = folder / name
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                target.write_bytes(content)
            outcome = runner.run(tool, argv[1:], stdin=stdin, folder=folder, limits=_LIMITS, accept=_STATUSES)
        return outcome.stdout or outcome.stderr

    return run

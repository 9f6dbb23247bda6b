"""What went wrong, expected or not, as an error that can be told."""

from __future__ import annotations

import os

from pipeline.errors import InputError, PipelineError, ToolError

__all__ = ["explained"]


def explained(error: Exception) -> PipelineError:
    """The error itself, or what no adapter foresaw: too large, refused by the system, or a defect of ours."""
    if isinstance(error, PipelineError):
        return error
    told: PipelineError
    if isinstance(error, RecursionError | MemoryError):
        told = InputError("entrada grande ou aninhada demais", mend="divida o módulo")
    elif isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("pipeline"):
        told = ToolError(
            f"falta a biblioteca {error.name}", mend="instale a esteira a partir de requirements/pipeline.txt"
        )
    elif isinstance(error, OSError):
        from pipeline.ports import show_path  # noqa: PLC0415  # only where something is wrong

        where = show_path(os.fsdecode(error.filename)) if error.filename else ""
        told = InputError(f"o sistema recusou ({error.strerror})", where=where, mend="confira o caminho e a permissão")
    else:
        told = ToolError(f"defeito interno ({type(error).__name__}: {error})", mend="relate-o com a saída de -v")
    told.__cause__ = error
    return told

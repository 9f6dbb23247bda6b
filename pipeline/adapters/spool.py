"""Large files on their way to the artifacts: on the disk, and not in memory beside one another."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.ports import Content

__all__ = ["open_spool"]

_KEPT_BYTES = 1024 * 1024  # a smaller file costs less in memory than on the disk


@contextmanager
def open_spool() -> Iterator[Callable[[bytes], Content]]:
    """What puts a large content away until the store has taken it: a private folder, gone when the context ends."""
    folder: tempfile.TemporaryDirectory[str] | None = None
    names = count()

    def put_away(content: bytes) -> Content:
        nonlocal folder
        if len(content) < _KEPT_BYTES:
            return content
        if folder is None:
            folder = tempfile.TemporaryDirectory(prefix="appgear-")
        path = Path(folder.name, str(next(names)))
        path.write_bytes(content)
        return path

    try:
        yield put_away
    finally:
        if folder is not None:
            folder.cleanup()

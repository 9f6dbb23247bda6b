"""Generated files of the work tree, written because a command was asked to: each whole, no link followed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FOLDER, naming, opened, opened_below, write_new
from pipeline.errors import InputError
from pipeline.ports import path_fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["write_rendered"]


def write_rendered(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace files below ``folder``, one rename each. InputError for an unsafe path or a folder that is a link."""
    for path in files:
        fault = path_fault(path)
        if fault is not None:
            raise InputError(fault, where=path, mend="corrija os valores")
    with naming(folder), opened(folder, FOLDER) as root:
        for path, data in files.items():
            *parents, name = path.split("/")
            with naming(folder / path), opened_below(root, parents, create=True) as parent:
                staged = f".tmp-{os.getpid()}-{name}"
                write_new(parent, staged, data)
                os.chmod(staged, 0o644, dir_fd=parent)
                os.rename(staged, name, src_dir_fd=parent, dst_dir_fd=parent)

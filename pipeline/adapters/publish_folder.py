"""A pack into an append-only folder: it appears whole under its own name, is read back, and is never written again."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import (
    FILE,
    FOLDER,
    digest_descriptor,
    make_folder,
    naming,
    opened,
    opened_below,
    remove_tree,
    sync_folder,
    write_new,
)
from pipeline.adapters.output import MARKER, flocked, open_output, write_files
from pipeline.errors import IntegrityError
from pipeline.ledger import is_run
from pipeline.ports import Published, show_path

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ports import Publication

__all__ = ["publish_to_folder"]

_STAGE = ".tmp-"
_READ_ONLY = 0o440
_BUFFER_BYTES = 1024 * 1024
_LOCK_SECONDS = 300.0


def publish_to_folder(path: Path, publication: Publication) -> Published:
    """Publish below ``path``. IntegrityError where other bytes stand under the name, or come back when read again.

    The folder must be empty, or hold packs and nothing else; it is made where missing. Files are read-only.
    """
    run, name = publication.key.split("/")
    where = show_path(path / run / name)
    with open_output(path, ours=lambda each: is_run(each) or each.startswith(_STAGE)) as root, naming(where):
        with suppress(FileExistsError):
            write_new(root, MARKER, b"")
        busy = f"{show_path(path)}: outra publicação está em andamento"
        with (
            flocked(root, shared=False, seconds=_LOCK_SECONDS, busy=busy),
            opened_below(root, [run], create=True) as parent,
        ):
            new = name not in _names(parent)
            if new:
                _write(parent, name, publication)
                sync_folder(root)
            _verify(parent, name, publication, where)
    return Published(place=where, new=new, kept="pasta: a guarda é de quem cuida dela")


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as listing:
        return sorted(each.name for each in listing)


def _write(parent: int, name: str, publication: Publication) -> None:
    staged = f"{_STAGE}{name}"
    remove_tree(parent, staged)  # of a killed publication: the lock is ours
    make_folder(parent, staged)
    try:
        with opened(staged, FOLDER, parent) as stage:
            digests = {each.name: each.sha256 for each in publication.files}
            write_files(stage, {each.name: each.content for each in publication.files}, digests=digests)
            for each in publication.files:
                os.chmod(each.name, _READ_ONLY, dir_fd=stage)
        os.rename(staged, name, src_dir_fd=parent, dst_dir_fd=parent)
        sync_folder(parent)
    finally:
        remove_tree(parent, staged)


def _verify(parent: int, name: str, publication: Publication, where: str) -> None:
    buffer = bytearray(_BUFFER_BYTES)
    with opened(name, FOLDER, parent) as folder:
        if _names(folder) != sorted(each.name for each in publication.files):
            raise IntegrityError("há outros arquivos no lugar do pacote", where=where, mend="descubra quem os pôs")
        for each in publication.files:
            with opened(each.name, FILE, folder) as descriptor:
                found = digest_descriptor(descriptor, buffer)
            if found != each.sha256:
                raise IntegrityError(
                    f"há outros bytes: sha256 {found}, e os do pacote são {each.sha256}",
                    where=f"{where}/{each.name}",
                    mend="nada foi sobrescrito; descubra qual é o verdadeiro",
                )

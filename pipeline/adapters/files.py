"""Reading files and trees that nobody vouches for (threats T06, T07, T25)."""

from __future__ import annotations

import os
import stat
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FILE, FOLDER, kind_of, naming, opened, opened_below, read_descriptor
from pipeline.errors import InputError
from pipeline.ports import MAX_FILE_BYTES, TreeLimits, TreeReading, show_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DiskReader", "read_file", "read_tree"]

_SKIPPED = b".git"  # the repository's own store is never part of the tree
_NAMES_PER_FILE = 4  # folders, links and the like may outnumber files by this factor


def read_file(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Bytes of one regular file, read once.

    InputError when it is missing, a link, a folder, a FIFO, a socket or a device, longer than ``limit`` bytes, or
    changes while it is read. Nothing that is not a regular file is ever opened for reading its content.
    """
    where = show_path(path)
    with naming(path):
        kind = kind_of(path.lstat().st_mode)
        if kind is not None:
            raise InputError(f"não é um arquivo comum: {kind}", where=where, mend="indique um arquivo comum")
        with opened(path, FILE) as descriptor:
            return read_descriptor(descriptor, where=where, limit=limit)


def read_tree(root: Path, *, limits: TreeLimits | None = None) -> TreeReading:
    """Every regular file below ``root`` (binary ones too), and what could not be taken over; sorted by path bytes.

    Folders are opened one component at a time without following. Links, special files, other file systems and hard
    links whose other name is outside the tree become ``special`` problems and are never opened; ``.git`` is skipped.
    InputError when ``root`` is no folder, when the tree exceeds ``limits``, or when a file changes while it is read.
    """
    limits = limits or TreeLimits()
    where = show_path(root)
    with naming(root):
        kind = kind_of(root.lstat().st_mode)
        if kind != "pasta":
            raise InputError(f"não é uma pasta: {kind or 'arquivo'}", where=where, mend="indique uma pasta")
        with opened(root, FOLDER) as descriptor:
            return _TreeWalk(descriptor, limits, where=where).read()


class DiskReader:
    """The port ``FileReader`` over the real disk."""

    def read_file(self, path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
        return read_file(path, limit=limit)

    def read_tree(self, root: Path, *, limits: TreeLimits | None = None) -> TreeReading:
        return read_tree(root, limits=limits)


class _TreeWalk:
    def __init__(self, root: int, limits: TreeLimits, *, where: str) -> None:
        self._root = root
        self._device = os.fstat(root).st_dev
        from pipeline.adapters.collect import Collector  # noqa: PLC0415  # a document alone needs none

        self._limits = limits
        self._where = where
        self._names_left = limits.files * _NAMES_PER_FILE
        self._collector = Collector(limits, where=where)
        self._shared: dict[tuple[int, int], list[tuple[bytes, int]]] = {}  # inode → names and link counts

    def read(self) -> TreeReading:
        self._folder(self._root, b"", 0)
        for names in self._shared.values():
            self._hard_links(names)
        return self._collector.result()

    def _folder(self, folder: int, prefix: bytes, depth: int) -> None:
        if depth > self._limits.depth:
            raise InputError(
                f"mais de {self._limits.depth} pastas de profundidade",
                where=self._where,
                mend="indique uma pasta mais específica",
            )
        with os.scandir(folder) as listing:
            names = sorted(os.fsencode(each.name) for each in islice(listing, self._names_left + 1))
        self._names_left -= len(names)
        if self._names_left < 0:
            raise InputError(
                f"mais de {self._limits.files * _NAMES_PER_FILE} nomes",
                where=self._where,
                mend="indique uma pasta mais específica",
            )
        for name in names:
            if name != _SKIPPED:
                self._entry(folder, prefix, name, depth)

    def _entry(self, folder: int, prefix: bytes, name: bytes, depth: int) -> None:
        raw = prefix + name
        with naming(os.fsdecode(raw)):
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode):
                if state.st_nlink > 1:
                    self._shared.setdefault((state.st_dev, state.st_ino), []).append((raw, state.st_nlink))
                else:
                    self._file(folder, raw, name, state.st_size)
            elif not stat.S_ISDIR(state.st_mode):
                self._collector.special(raw, kind_of(state.st_mode) or "arquivo especial")
            elif state.st_dev != self._device:
                self._collector.special(raw, "pasta de outro sistema de arquivos")
            elif self._collector.name(raw) is not None:
                with opened(os.fsdecode(name), FOLDER, folder) as child:
                    self._folder(child, raw + b"/", depth + 1)

    def _file(self, folder: int, raw: bytes, name: bytes, size: int) -> None:
        path = self._collector.admit(raw, size)
        if path is None:
            return
        with opened(os.fsdecode(name), FILE, folder) as descriptor:
            self._collector.add(path, read_descriptor(descriptor, where=show_path(path), limit=size))

    def _hard_links(self, names: list[tuple[bytes, int]]) -> None:
        if any(count != len(names) for _, count in names):
            for raw, _ in names:
                self._collector.special(raw, "hard link com outro nome fora da árvore")
            return
        for raw, _ in names:
            *folders, name = os.fsdecode(raw).split("/")
            with naming(os.fsdecode(raw)), opened_below(self._root, folders) as folder:
                size = os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
                self._file(folder, raw, os.fsencode(name), size)

"""Layers on disk: a tar stream made from entries, hashed and compressed in threads while it is read."""

from __future__ import annotations

import hashlib
import os
import zlib
from bisect import bisect_right
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FILE, naming, opened
from pipeline.adapters.image_press import CHUNK_BYTES
from pipeline.errors import InputError
from pipeline.image.tar import END, TarHeaders, padding
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pipeline.adapters.image_press import Press
    from pipeline.image.entries import Entry

__all__ = ["Written", "hash_layer", "write_layer"]

_AHEAD = 2  # chunks that may wait for each thread: memory stays at a few MiB whatever the layer
_ZEROS = bytes(512)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A layer's two digests (hex) and sizes: of the tar stream, and of its compressed form (empty when only hashed).

    ``marked`` are the files in which the mark that was looked for stands.
    """

    diff_id: str
    tar_bytes: int
    digest: str = ""
    size: int = 0
    marked: tuple[Entry, ...] = ()


def hash_layer(entries: Sequence[Entry], *, mtime: int, mark: bytes) -> Written:
    """Digest of the tar stream that these entries make, without keeping it."""
    with ThreadPoolExecutor(1) as pool:
        sink = _Hashing(pool)
        stream = _TarStream(mtime, sink.take, mark)
        stream.run(entries)
        return Written(diff_id=sink.finish(), tar_bytes=stream.size, marked=stream.marked(entries))


def write_layer(
    entries: Sequence[Entry], *, mtime: int, mark: bytes, press: Press, target: int, threads: int | None = None
) -> Written:
    """Write the compressed layer to the open descriptor ``target``; the same bytes for any number of ``threads``.

    InputError where a file is not what it was when its entry was made.
    """
    count = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(1) as hashing, ThreadPoolExecutor(count) as packing:
        sink = _Packing(_Hashing(hashing), packing, press, target, window=count * _AHEAD)
        stream = _TarStream(mtime, sink.take, mark)
        try:
            stream.run(entries)
            diff_id = sink.finish(stream.size)
        except BaseException:
            packing.shutdown(cancel_futures=True)
            raise
    return Written(
        diff_id=diff_id,
        tar_bytes=stream.size,
        digest=sink.digest.hexdigest(),
        size=sink.size,
        marked=stream.marked(entries),
    )


class _Hashing:
    """SHA-256 and CRC-32 of the stream, in a thread of its own, in order."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._digest = hashlib.sha256()
        self.crc = 0
        self._pending: deque[Future[None]] = deque()

    def take(self, chunk: memoryview) -> None:
        self._pending.append(self._pool.submit(self._add, chunk))
        if len(self._pending) > _AHEAD:
            self._pending.popleft().result()

    def _add(self, chunk: memoryview) -> None:
        self._digest.update(chunk)
        self.crc = zlib.crc32(chunk, self.crc)

    def finish(self) -> str:
        while self._pending:
            self._pending.popleft().result()
        return self._digest.hexdigest()


class _Packing:
    """Chunks compressed side by side, written in order."""

    def __init__(self, hashing: _Hashing, pool: ThreadPoolExecutor, press: Press, target: int, *, window: int) -> None:
        self._hashing = hashing
        self._pool = pool
        self._press = press
        self._target = target
        self._window = window
        self._pending: deque[Future[bytes]] = deque()
        self.digest = hashlib.sha256()
        self.size = 0
        self._put(press.begin())

    def take(self, chunk: memoryview) -> None:
        self._hashing.take(chunk)
        self._pending.append(self._pool.submit(self._press.chunk, chunk))
        if len(self._pending) > self._window:
            self._put(self._pending.popleft().result())

    def finish(self, size: int) -> str:
        while self._pending:
            self._put(self._pending.popleft().result())
        diff_id = self._hashing.finish()
        self._put(self._press.end(self._hashing.crc, size))
        return diff_id

    def _put(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._target, view) :]


class _TarStream:
    """Entries as tar, handed on in chunks of one size; the last one is shorter."""

    def __init__(self, mtime: int, take: Callable[[memoryview], None], mark: bytes) -> None:
        self._headers = TarHeaders(mtime)
        self._take = take
        self._mark = mark
        self._chunk = bytearray(CHUNK_BYTES)
        self._view = memoryview(self._chunk)
        self._used = 0
        self._tail = b""
        self.size = 0
        self._starts: list[int] = []
        self._marks: list[int] = []

    def run(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._starts.append(self.size + self._used)
            self._add(self._headers.header(entry))
            if entry.kind == "file":
                if isinstance(entry.source, Path):
                    self._add_file(entry.source, entry.size)
                else:
                    self._add(entry.source)
                self._add(_ZEROS[: padding(entry.size)])
        self._add(END)
        self._hand_on()

    def marked(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """The files in which the mark was seen."""
        found = {bisect_right(self._starts, offset) - 1 for offset in self._marks}
        return tuple(entries[index] for index in sorted(found))

    def _add(self, data: bytes) -> None:
        used = self._used
        end = used + len(data)
        if end < CHUNK_BYTES:
            self._chunk[used:end] = data
            self._used = end
            return
        view = memoryview(data)
        while view:
            count = min(len(view), CHUNK_BYTES - self._used)
            self._view[self._used : self._used + count] = view[:count]
            self._advance(count)
            view = view[count:]

    def _add_file(self, path: Path, size: int) -> None:
        with naming(path), opened(path, FILE) as descriptor:
            left = size
            while left:
                room = self._view[self._used : self._used + left]
                count = os.readv(descriptor, [room])
                if not count:
                    break
                left -= count
                self._advance(count)
            if left or os.read(descriptor, 1):
                raise InputError("mudou durante a leitura", where=show_path(path), mend="repita o comando")

    def _advance(self, count: int) -> None:
        self._used += count
        if self._used == CHUNK_BYTES:
            self._hand_on()

    def _hand_on(self) -> None:
        if not self._used:
            return
        chunk = self._view[: self._used]
        self._look(chunk)
        self._take(chunk)
        self.size += self._used
        self._used = 0
        self._chunk = bytearray(CHUNK_BYTES)
        self._view = memoryview(self._chunk)

    def _look(self, chunk: memoryview) -> None:
        """Note where the mark stands, also across two chunks."""
        span = len(self._mark) - 1
        seam = self._tail + bytes(chunk[:span])
        if self._mark in seam:
            self._marks.append(self.size - len(self._tail) + seam.index(self._mark))
        at = self._chunk.find(self._mark, 0, len(chunk))
        while at >= 0:
            self._marks.append(self.size + at)
            at = self._chunk.find(self._mark, at + 1, len(chunk))
        self._tail = bytes(chunk[-span:])

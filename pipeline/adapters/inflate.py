"""Layers as they are stored, piece by piece, to the tar inside."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

from isal import isal_zlib
from isal.igzip_lib import IsalError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Inflater", "find_inflater"]

_GZIP = 31  # zlib's window bits for a gzip stream
_PIECE = 4 * 1024 * 1024  # at most this much at a time, however well a piece was packed


class Inflater(Protocol):
    """Takes a stream apart. Both raise ValueError where it is not what it should be."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next piece unpacks to."""

    def finish(self) -> None:
        """That was all."""


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        return


class _Gzip:
    """One gzip member after another, as seekable layers have them."""

    def __init__(self) -> None:
        self._member = isal_zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._member.eof:
                    self._member = isal_zlib.decompressobj(_GZIP)
                yield self._member.decompress(data, _PIECE)
                while self._member.unconsumed_tail:
                    yield self._member.decompress(self._member.unconsumed_tail, _PIECE)
                data = self._member.unused_data if self._member.eof else b""
        except IsalError as error:  # type: ignore[misc]  # its stubs call the class an instance
            raise ValueError(str(error)) from error

    def finish(self) -> None:
        if not self._member.eof:
            raise ValueError("cut off")


class _Zstd:
    def __init__(self, library: Any) -> None:
        self._stream = library.ZstdDecompressor(max_window_size=2**27).decompressobj(read_across_frames=True)
        self._error = library.ZstdError

    def feed(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        try:
            for start in range(0, len(view), 4096):  # the library has no bound of its own for what a piece gives
                yield self._stream.decompress(view[start : start + 4096])
        except self._error as error:
            raise ValueError(str(error)) from error

    def finish(self) -> None:
        return


def find_inflater(packed: Literal["tar", "gzip", "zstd"]) -> Inflater | None:
    """For a way of packing; None for zstd where its library is not installed."""
    if packed == "tar":
        return _Plain()
    if packed == "gzip":
        return _Gzip()
    try:
        return _Zstd(import_module("zstandard"))
    except ImportError:
        return None

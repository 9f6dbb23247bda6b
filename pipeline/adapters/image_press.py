"""Compression of layers: one library, setting and chunk size, so that the content alone decides the bytes (ADR 0060).

Chunks are compressed on their own and put together in order: how many threads did it cannot be told from the result.
"""

from __future__ import annotations

import struct
from importlib.metadata import version
from typing import Protocol

from pipeline.errors import ToolError

__all__ = ["CHUNK_BYTES", "Press", "find_press"]

CHUNK_BYTES = 1024 * 1024
# Magic, deflate, no flags, no time, no extra flags, unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_DEFLATE_END = b"\x03\0"  # an empty last block
_ISAL_LEVEL = 2  # level 3 gives other bytes on other processors
_ZSTD_LEVEL = 3
_RAW_WINDOW = -15


class Press(Protocol):
    """A compression format. ``name`` says all that decides its bytes: format, library, version and level."""

    name: str
    media_type: str

    def begin(self) -> bytes:
        """What stands before the first chunk."""

    def chunk(self, data: memoryview) -> bytes:
        """One chunk, by itself."""

    def end(self, crc: int, size: int) -> bytes:
        """What stands after the last chunk, given CRC-32 and size of everything."""


class _Gzip:
    media_type = "application/vnd.oci.image.layer.v1.tar+gzip"

    def __init__(self) -> None:
        from isal import isal_zlib  # noqa: PLC0415  # only who writes layers pays for it

        self._isal = isal_zlib
        self.name = f"gzip isal {version('isal')} nível {_ISAL_LEVEL}"

    def begin(self) -> bytes:
        return _GZIP_HEADER

    def chunk(self, data: memoryview) -> bytes:
        deflate = self._isal.compressobj(_ISAL_LEVEL, wbits=_RAW_WINDOW)
        return deflate.compress(data) + deflate.flush(self._isal.Z_FULL_FLUSH)

    def end(self, crc: int, size: int) -> bytes:
        return _DEFLATE_END + struct.pack("<II", crc, size & 0xFFFFFFFF)


class _Zstd:
    media_type = "application/vnd.oci.image.layer.v1.tar+zstd"

    def __init__(self) -> None:
        try:
            import zstandard  # noqa: PLC0415  # as above
        except ImportError as error:
            raise ToolError(
                'a compressão zstd precisa do pacote "zstandard"',
                mend='instale appgear-pipeline[zstd] ou use compression = "gzip"',
            ) from error
        self._zstandard = zstandard
        library = ".".join(map(str, zstandard.ZSTD_VERSION))
        self.name = f"zstd {library} nível {_ZSTD_LEVEL}"

    def begin(self) -> bytes:
        return b""

    def chunk(self, data: memoryview) -> bytes:
        packer = self._zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
        return packer.compress(data)

    def end(self, crc: int, size: int) -> bytes:  # noqa: ARG002  # each frame carries its own
        return b""


def find_press(compression: str) -> Press:
    """The press of a configured format. ToolError where its library is missing."""
    return _Zstd() if compression == "zstd" else _Gzip()

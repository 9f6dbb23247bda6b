"""An image on disk against one that was just built: every byte that differs is named (``image --verify``)."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.adapters.descriptors import FILE, digest_descriptor, naming, opened
from pipeline.adapters.files import read_file
from pipeline.errors import IntegrityError
from pipeline.image.difference import TarEntry, differing_documents, differing_entries, differing_records
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.adapters.image_maker import BuiltImage
    from pipeline.domain.image import ImageRecord

__all__ = ["compare_images"]

_CHUNK = 1024 * 1024


def compare_images(record: ImageRecord, layout: Path, built: BuiltImage) -> list[str]:
    """What differs between the recorded image and the built one (pt-BR); empty where all bytes are the same.

    IntegrityError where the layout is no longer what its record says.
    """
    manifest = _document(layout, record.digest)
    config = _document(layout, record.config_digest)
    for each in record.layers:
        _check_blob(layout, each.digest)
    if record.digest == built.image.digest:
        return []
    found = list(differing_records(record, built.record))
    found += differing_documents("configuração", config, built.image.config)
    old, new = record.layers, built.record.layers
    if [each.origin for each in old] != [each.origin for each in new]:
        found.append("as camadas não são as mesmas")
    for was, now, layer in zip(old, new, built.image.layers, strict=False):
        if was.diff_id != now.diff_id:
            before, after = (_entries(path) for path in (_blob(layout, was.digest), layer.path))
            found += differing_entries(was.origin, before, after)
        elif was.digest != now.digest:
            found.append(f"camada {was.origin}: o mesmo conteúdo com outra compressão")
    return found or list(differing_documents("manifesto", manifest, built.image.manifest))


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _check_blob(layout: Path, digest: str) -> None:
    path = _blob(layout, digest)
    with naming(path), opened(path, FILE) as descriptor:
        if f"sha256:{digest_descriptor(descriptor, bytearray(_CHUNK))}" != digest:
            raise IntegrityError(
                "o layout gravado não confere", where=show_path(path), mend="restaure a cópia original"
            )


def _document(layout: Path, digest: str) -> bytes:
    _check_blob(layout, digest)
    return read_file(_blob(layout, digest))


def _entries(path: Path) -> list[TarEntry]:
    try:
        with _unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            return [_entry(archive, member) for member in archive]
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise IntegrityError("a camada não é um tar íntegro", where=show_path(path), mend="construa de novo") from error


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        elif magic == b"\x28\xb5\x2f\xfd":
            import zstandard  # noqa: PLC0415  # what wrote it is there

            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
                yield stream
        else:
            yield file


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> TarEntry:
    digest = hashlib.sha256()
    source = archive.extractfile(member) if member.isreg() else None
    while source is not None and (part := source.read(_CHUNK)):
        digest.update(part)
    return TarEntry(
        path=member.name,
        kind=member.type.decode("ascii", "replace"),
        mode=member.mode,
        owner=(member.uid, member.gid),
        mtime=int(member.mtime),
        size=member.size,
        target=member.linkname,
        sha256=digest.hexdigest() if source is not None else "",
    )

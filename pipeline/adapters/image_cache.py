"""Layers that were made before: found by the digest of what is in them, and hashed again before they are used."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import naming
from pipeline.adapters.files import read_file
from pipeline.adapters.image_layers import hash_layer, write_layer
from pipeline.domain.base import Record
from pipeline.errors import InputError, PipelineError
from pipeline.image.contents import KEY_MARK, holds_private_key
from pipeline.image.oci import Layer
from pipeline.ports import show_path
from pipeline.records import dump_record, load_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.adapters.cache import BlobCache
    from pipeline.adapters.image_press import Press
    from pipeline.domain.image import LayerOrigin
    from pipeline.image.entries import Entry

__all__ = ["LayerCache"]

_MARKED_BYTES = 512 * 1024 * 1024


class _Known(Record, frozen=True, kw_only=True):
    """A layer that was written: what it holds, and the blob it became."""

    diff_id: str
    digest: str
    size: int
    media_type: str


class LayerCache:
    """Makes layers, or finds them. The same entries give the same layer with an empty cache and with a full one.

    ``threads`` decides the time that it takes and nothing else; by default one for each processor.
    """

    def __init__(self, cache: BlobCache, press: Press, *, threads: int | None = None) -> None:
        self._cache = cache
        self._press = press
        self._threads = threads

    @property
    def compression(self) -> str:
        return self._press.name

    def make(self, origin: LayerOrigin, entries: Sequence[Entry], *, mtime: int) -> Layer:
        """The layer of these entries. InputError where one holds a private key or changes meanwhile.

        Contents are read and hashed each time; only compression is saved, and the hash decides, never a time or a size.
        """
        outline = self._outline(entries, mtime)
        if self._cache.note(outline) is not None:  # something of this shape is there: worth hashing before compressing
            hashed = hash_layer(entries, mtime=mtime, mark=KEY_MARK)
            _refuse_keys(hashed.marked)
            found = self.known(self._key("tar", hashed.diff_id), origin)
            if found is not None:
                return found
        with self._cache.draft() as draft:
            with naming(draft.path):
                written = write_layer(
                    entries,
                    mtime=mtime,
                    mark=KEY_MARK,
                    press=self._press,
                    target=draft.descriptor,
                    threads=self._threads,
                )
            _refuse_keys(written.marked)
            path = self._cache.keep(draft, written.digest)
        layer = Layer(
            origin=origin,
            digest=written.digest,
            diff_id=written.diff_id,
            size=written.size,
            media_type=self._press.media_type,
            path=path,
        )
        self.remember(self._key("tar", layer.diff_id), layer)
        self._cache.set_note(outline, b"")
        return layer

    def known(self, key: str, origin: LayerOrigin) -> Layer | None:
        """The layer remembered under a key, its blob hashed just now; None where there is none, or it is damaged."""
        data = self._cache.note(key)
        if data is None:
            return None
        with suppress(PipelineError):
            known = load_record(data, _Known, where=key)
            path = self._cache.blob(known.digest)
            if path is not None and path.stat().st_size == known.size:
                return Layer(
                    origin=origin,
                    digest=known.digest,
                    diff_id=known.diff_id,
                    size=known.size,
                    media_type=known.media_type,
                    path=path,
                )
        return None

    def remember(self, key: str, layer: Layer) -> None:
        """Find this layer again under a key, which must cover all that could make it another one."""
        known = _Known(diff_id=layer.diff_id, digest=layer.digest, size=layer.size, media_type=layer.media_type)
        self._cache.set_note(key, dump_record(known))

    def key_of(self, kind: str, parts: Iterable[str]) -> str:
        """A key over these texts and the compression."""
        return self._key(kind, *parts)

    def _key(self, *parts: str) -> str:
        return hashlib.sha256("\0".join((self._press.name, *parts)).encode()).hexdigest()

    def _outline(self, entries: Sequence[Entry], mtime: int) -> str:
        rows = (f"{each.path}\0{each.kind}{each.mode:o} {each.size}\0{each.target}" for each in entries)
        return self._key("outline", str(mtime), *rows)


def _refuse_keys(marked: Sequence[Entry]) -> None:
    for each in marked:
        content = each.source if isinstance(each.source, bytes) else read_file(each.source, limit=_MARKED_BYTES)
        if holds_private_key(content):
            raise InputError(
                "há uma chave privada no que iria para a imagem",
                where=show_path(each.path),
                mend="retire-a do portal; a imagem não foi gravada",
            )

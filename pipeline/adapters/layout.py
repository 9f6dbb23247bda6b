"""An OCI layout that nobody vouches for, brought into a private one: every byte hashed, layers unpacked to their tars.

What a tool is given afterwards is ours: one image, no links, no file that could change under it. Unpacked tars are
what the image's configuration names by digest, so that bombs end at a limit, and the tool has less to do.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FILE, FOLDER, kind_of, naming, opened, opened_below, read_descriptor
from pipeline.adapters.inflate import find_inflater
from pipeline.errors import InputError, IntegrityError
from pipeline.ports import show_path
from pipeline.sbom.oci import describe_image, select_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.adapters.inflate import Inflater
    from pipeline.sbom.oci import ImageDocuments, ImageFacts, LayerBlob

__all__ = ["LayoutLimits", "OpenedImage", "opened_image", "read_facts"]

_DOCUMENT_BYTES = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_BLOCK = 512  # of a tar
_CHECKSUM = slice(148, 156)
_WORKERS = 2
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_TAR = "application/vnd.oci.image.layer.v1.tar"
_MEND = "copie a imagem de novo"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayoutLimits:
    """Bytes of all layers together, as they lie there and unpacked."""

    packed: int = 8 * 1024**3
    unpacked: int = 24 * 1024**3


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedImage:
    """``folder`` is a private layout with this image alone, its layers as plain tars; gone when the context ends."""

    facts: ImageFacts
    folder: Path


def read_facts(path: Path, *, tag: str = "") -> ImageFacts:
    """What the image of a layout says of itself; errors as in ``opened_image``, but for layers, which are not read."""
    where = show_path(path)
    with naming(path), opened(path, FOLDER) as root:
        return _Layout(root, where).documents(tag).facts


@contextmanager
def opened_image(path: Path, *, tag: str = "", limits: LayoutLimits | None = None) -> Iterator[OpenedImage]:
    """Check the layout at ``path`` and hand over a private copy of its image.

    InputError where it is no layout, holds no or several images, leads out through a link, exceeds ``limits`` or has a
    layer that is no tar; IntegrityError where a blob is missing or is not what its digest says.
    """
    where = show_path(path)
    with naming(path), opened(path, FOLDER) as root:
        source = _Layout(root, where)
        documents = source.documents(tag)
        with TemporaryDirectory(prefix="appgear-oci-") as private:
            folder = Path(private, "layout")
            (folder / "blobs" / "sha256").mkdir(parents=True, mode=0o700)
            _Copy(source, documents, folder, limits or LayoutLimits()).make()
            yield OpenedImage(facts=documents.facts, folder=folder)


class _Layout:
    """The layout that was given. Nothing in it is reached through a link."""

    def __init__(self, root: int, where: str) -> None:
        self._root = root
        self.where = where

    def documents(self, tag: str) -> ImageDocuments:
        try:
            version = json.loads(self._named("oci-layout"))["imageLayoutVersion"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError("oci-layout inválido", where=self.where, mend=_MEND) from error
        if version != "1.0.0":
            raise InputError("layout OCI de versão desconhecida", where=self.where, mend="use um da versão 1.0.0")
        digest, size, name = select_manifest(self._named("index.json"), self._document, tag=tag, where=self.where)
        return describe_image(self._document(digest, size), digest, self._document, tag=name, where=self.where)

    def _named(self, name: str) -> bytes:
        where = f"{self.where}/{name}"
        with naming(where), opened(name, FILE, self._root) as descriptor:
            return read_descriptor(descriptor, where=where, limit=_DOCUMENT_BYTES)

    def _document(self, digest: str, size: int) -> bytes:
        """A blob that is a document: small, read whole, its digest checked."""
        with self.blob(digest, size) as (descriptor, where):
            data = read_descriptor(descriptor, where=where, limit=_DOCUMENT_BYTES)
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise _differs(where)
        return data

    @contextmanager
    def blob(self, digest: str, size: int) -> Iterator[tuple[int, str]]:
        """Descriptor of a regular file of this size, and its name for errors."""
        name = digest.removeprefix("sha256:")
        where = f"{self.where}/blobs/sha256/{name}"
        try:
            with naming(where), opened_below(self._root, ["blobs", "sha256"]) as folder:
                _verify_regular(folder, name, where)
                with opened(name, FILE, folder) as descriptor:
                    if os.fstat(descriptor).st_size != size:
                        raise _differs(where)
                    yield descriptor, where
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise IntegrityError("blob ausente", where=where, mend=_MEND) from error
            raise


class _Copy:
    """The private layout: the same configuration, the same layers, as tars."""

    def __init__(self, source: _Layout, documents: ImageDocuments, folder: Path, limits: LayoutLimits) -> None:
        self._source = source
        self._documents = documents
        self._folder = folder
        self._limit = self._left = limits.unpacked
        if sum(each.size for each in documents.layers) > limits.packed:
            raise self._too_large(limits.packed)

    def make(self) -> None:
        layers = dict.fromkeys(self._documents.layers)  # one that comes twice is unpacked once
        with ThreadPoolExecutor(_WORKERS) as pool:
            rows = dict(zip(layers, pool.map(self._unpack, layers), strict=True))
        config = self._put(self._documents.config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, **config},
            "layers": [rows[each] for each in self._documents.layers],
        }
        described = self._put(json.dumps(manifest).encode())
        index = {"schemaVersion": 2, "manifests": [{"mediaType": _MANIFEST, **described}]}
        (self._folder / "index.json").write_text(json.dumps(index))
        (self._folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))

    def _put(self, data: bytes) -> dict[str, object]:
        name = hashlib.sha256(data).hexdigest()
        self._blob(f"sha256:{name}").write_bytes(data)
        return {"digest": f"sha256:{name}", "size": len(data)}

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _unpack(self, layer: LayerBlob) -> dict[str, object]:
        """Descriptor of the layer's tar, which is there on return; both digests of the layer are checked on the way."""
        inflater = find_inflater(layer.packed)
        if inflater is None:  # syft has the library that we do not; what comes of it is bounded by the runner
            return self._take(layer, layer.digest, None) | {"mediaType": f"{_TAR}+zstd"}
        return self._take(layer, layer.diff_id, inflater) | {"mediaType": _TAR}

    def _take(self, layer: LayerBlob, name: str, inflater: Inflater | None) -> dict[str, object]:
        packed, plain, size, head = hashlib.sha256(), hashlib.sha256(), 0, b""
        target = self._blob(name)
        with self._source.blob(layer.digest, layer.size) as (source, where), naming(target), target.open("xb") as out:
            try:
                while part := os.read(source, _CHUNK):
                    packed.update(part)
                    for data in (part,) if inflater is None else inflater.feed(part):
                        head += data[: _BLOCK - len(head)]
                        size += len(data)
                        self._spend(len(data))
                        plain.update(data)
                        out.write(data)
                if inflater is not None:
                    inflater.finish()
                    _verify_tar(head, where)
            except ValueError as error:
                while part := os.read(source, _CHUNK):
                    packed.update(part)
                if f"sha256:{packed.hexdigest()}" != layer.digest:  # that it was damaged comes before how
                    raise _differs(where) from error
                raise InputError(f"a camada não é {layer.packed} inteiro", where=where, mend=_MEND) from error
            if f"sha256:{packed.hexdigest()}" != layer.digest:
                raise _differs(where)
            if f"sha256:{plain.hexdigest()}" != name:
                raise IntegrityError("a camada não é a que a configuração nomeia", where=where, mend=_MEND)
        return {"digest": name, "size": size}

    def _spend(self, count: int) -> None:
        self._left -= count  # two threads may both be late by a piece: a limit, no account
        if self._left < 0:
            raise self._too_large(self._limit)

    def _too_large(self, limit: int) -> InputError:
        return InputError(f"as camadas passam de {limit} bytes", where=self._source.where, mend="reduza a imagem")


def _verify_regular(folder: int, name: str, where: str) -> None:
    kind = kind_of(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    if kind is not None:
        raise InputError(f"não é um arquivo comum: {kind}", where=where, mend=_MEND)


def _verify_tar(block: bytes, where: str) -> None:
    """The first block of a tar: a header with its checksum, or zeros alone."""
    if block == bytes(_BLOCK):
        return
    try:
        told = int(block[_CHECKSUM].split(b"\0")[0].strip() or b"-1", 8)
    except ValueError:
        told = -1
    if len(block) < _BLOCK or told != sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" "):
        raise InputError("a camada não é um tar", where=where, mend=_MEND)


def _differs(where: str) -> IntegrityError:
    return IntegrityError("o blob não é o que o seu digest diz", where=where, mend=_MEND)

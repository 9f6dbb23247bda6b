"""An image into a registry with what speaks about it, and read back to be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.adapters.registry import MANIFEST, Descriptor, open_registry
from pipeline.codec import dump_json, sha256_hex
from pipeline.errors import IntegrityError
from pipeline.image.oci import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.adapters.registry import ImageReference, Registry
    from pipeline.image.oci import Image

__all__ = ["Attachment", "push_image"]

_EMPTY = b"{}"
_EMPTY_KIND = "application/vnd.oci.empty.v1+json"
_TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A document about an image; ``media_type`` is its artifact type too."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


def push_image(
    reference: ImageReference,
    image: Image,
    attachments: Sequence[Attachment],
    *,
    environment: Mapping[str, str],
    offline: bool,
    told: Callable[[str], None],
) -> str:
    """Send the image, name it, attach the documents, read all of it back; return its reference by digest.

    The tag is that of the reference, else the image's version. Nothing bears a name before all of it is there.
    IntegrityError where what comes back is not what was sent.
    """
    with open_registry(reference, environment, offline=offline) as registry:
        for layer in image.layers:
            descriptor = Descriptor(media_type=layer.media_type, digest=f"sha256:{layer.digest}", size=layer.size)
            told(f"enviando a camada {layer.origin}")
            registry.push_blob(layer.path, descriptor)
        registry.push_blob(image.config, _descriptor(image.config, CONFIG))
        tag = reference.tag or image.reference
        registry.push_manifest(image.manifest, MANIFEST, tag=tag)
        told("lendo de volta o que foi enviado")
        _compare(registry, image, tag)
        for each in attachments:
            _attach(registry, image, each)
    return f"{reference.host}/{reference.repository}@{image.digest}"


def _descriptor(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=f"sha256:{sha256_hex(data)}", size=len(data))


def _compare(registry: Registry, image: Image, tag: str) -> None:
    """Every byte as it was sent: blobs are held against their digest while they come."""
    for name in (tag, image.digest):
        pulled = registry.pull_manifest(name)
        if pulled is None or pulled.data != image.manifest:
            raise IntegrityError("o registro devolve outro manifesto", where=name, mend="outra pessoa usa esta tag?")
    blobs = [_descriptor(image.config, CONFIG)]
    blobs += [
        Descriptor(media_type=each.media_type, digest=f"sha256:{each.digest}", size=each.size) for each in image.layers
    ]
    for each in blobs:
        for _part in registry.read_blob(each):
            pass


def _attach(registry: Registry, image: Image, document: Attachment) -> None:
    """A manifest that names the image as its subject; the same document twice is one."""
    registry.push_blob(_EMPTY, _descriptor(_EMPTY, _EMPTY_KIND))
    registry.push_blob(document.data, _descriptor(document.data, document.media_type))
    title = {_TITLE: document.name}
    layer = _descriptor(document.data, document.media_type).as_json() | {"annotations": title}
    manifest = dump_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": document.media_type,
            "config": _descriptor(_EMPTY, _EMPTY_KIND).as_json(),
            "layers": [layer],
            "subject": _descriptor(image.manifest, MANIFEST).as_json(),
            "annotations": title,
        }
    )
    digest = registry.push_manifest(manifest, MANIFEST, subject=image.digest)
    if digest not in {each.digest for each in registry.referrers(image.digest)}:
        raise IntegrityError("o registro não lista o anexo", where=document.name, mend="confira o registro")

"""An OCI layout as its documents describe it: which image it holds, and what that image is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from pipeline.codec import visible
from pipeline.errors import InputError
from pipeline.sbom.texts import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["ImageDocuments", "ImageFacts", "LayerBlob", "describe_image", "select_manifest"]

_MEND = "confira se a pasta é um layout OCI inteiro, ou copie a imagem de novo"
_REF_NAME = "org.opencontainers.image.ref.name"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
_CONFIGS = {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
_PACKED: dict[str, Literal["tar", "gzip", "zstd"]] = {"": "tar", "+gzip": "gzip", ".gzip": "gzip", "+zstd": "zstd"}
_LAYER = re.compile(
    r"application/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)"
    r"(\+gzip|\.gzip|\+zstd|)"
)
_PREFERRED = "linux/amd64"  # of an image for several platforms: the one the platform runs on
_MAX_DEPTH = 3
_MAX_ENTRIES = 256
_MAX_LAYERS = 512

Document = TypeVar("Document")


class _Platform(msgspec.Struct):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str
    size: int
    media_type: str = ""
    artifact_type: str = ""
    platform: _Platform | None = None
    annotations: dict[str, str] = {}


class _Index(msgspec.Struct, rename="camel"):
    schema_version: int
    manifests: list[_Descriptor]


class _Manifest(msgspec.Struct, rename="camel"):
    schema_version: int
    config: _Descriptor
    layers: list[_Descriptor]
    artifact_type: str = ""
    annotations: dict[str, str] = {}


class _Rootfs(msgspec.Struct):
    diff_ids: list[str]


class _Runtime(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class _Config(msgspec.Struct):
    rootfs: _Rootfs
    os: str = ""
    architecture: str = ""
    variant: str = ""
    created: str | None = None
    config: _Runtime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerBlob:
    """A layer, lowest first. ``digest`` and ``size`` are of the blob, ``diff_id`` of the tar in it; ``sha256:…``."""

    digest: str
    size: int
    diff_id: str
    packed: Literal["tar", "gzip", "zstd"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """What an image says of itself. ``labels`` are its annotations and labels together, the annotations first.

    ``tag`` is the name that the layout gives it; ``created`` as it stands there, empty without.
    """

    digest: str
    config_digest: str
    platform: str
    tag: str
    created: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageDocuments:
    """An image's facts, its layers, and its configuration as bytes."""

    facts: ImageFacts
    layers: tuple[LayerBlob, ...]
    config: bytes = field(repr=False)


def select_manifest(index: bytes, read: Callable[[str, int], bytes], *, tag: str, where: str) -> tuple[str, int, str]:
    """Digest, size and tag of the one image that is meant: that of ``tag``, else the only one.

    An index of platforms stands for its linux/amd64 image, or for its only one; attestations and other artifacts that
    lie beside images are passed over. InputError where none is left, or more than one.
    """
    found = list(_images(index, read, where=where))
    if tag:
        found = [each for each in found if each[1] == tag]
    if len({each[0].digest for each in found}) > 1:
        preferred = [each for each in found if _platform(each[0]) == _PREFERRED]
        if len({each[0].digest for each in preferred}) == 1:
            found = preferred
    names = sorted({f"{name or '(sem nome)'} {_platform(each)}".strip() for each, name in found})
    if not found:
        wanted = f" de nome {visible(tag)}" if tag else ""
        raise InputError(f"o layout não tem imagem{wanted}", where=where, mend=_MEND)
    if len({each[0].digest for each in found}) > 1:
        listed = ", ".join(visible(each) for each in names[:8])
        raise InputError(f"o layout tem mais de uma imagem: {listed}", where=where, mend="indique uma com PASTA:NOME")
    chosen, name = found[0]
    return chosen.digest, chosen.size, clean(name)


def _images(
    index: bytes, read: Callable[[str, int], bytes], *, where: str, name: str = "", depth: int = 0
) -> Iterator[tuple[_Descriptor, str]]:
    document = _decoded(index, _Index, "índice", where)
    if len(document.manifests) > _MAX_ENTRIES or depth > _MAX_DEPTH:
        raise InputError("índice grande ou profundo demais", where=where, mend=_MEND)
    for each in document.manifests:
        _verify_descriptor(each, where)
        own = each.annotations.get(_REF_NAME, name)
        if each.artifact_type or "vnd.docker.reference.type" in each.annotations or "subject" in each.annotations:
            continue
        if each.media_type in _INDEXES:
            yield from _images(read(each.digest, each.size), read, where=where, name=own, depth=depth + 1)
        elif each.media_type in _MANIFESTS | {""} and _platform(each) != "unknown/unknown":
            yield each, own


def describe_image(
    manifest: bytes, digest: str, read: Callable[[str, int], bytes], *, tag: str, where: str
) -> ImageDocuments:
    """Configuration and layers of an image. InputError where its documents do not fit together."""
    document = _decoded(manifest, _Manifest, "manifesto", where)
    if document.config.media_type not in _CONFIGS:
        raise InputError("não é uma imagem, e sim outro artefato", where=where, mend="indique a imagem")
    _verify_descriptor(document.config, where)
    data = read(document.config.digest, document.config.size)
    config = _decoded(data, _Config, "configuração", where)
    diff_ids = config.rootfs.diff_ids
    if not document.layers or len(document.layers) != len(diff_ids) or len(diff_ids) > _MAX_LAYERS:
        told = f"{len(document.layers)} camadas e {len(diff_ids)} diff_ids"
        raise InputError(f"manifesto e configuração não combinam: {told}", where=where, mend=_MEND)
    labels = (config.config.labels if config.config else None) or {}
    named = _Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    return ImageDocuments(
        facts=ImageFacts(
            digest=digest,
            config_digest=document.config.digest,
            platform=_shown(named),
            tag=tag,
            created=clean(config.created or ""),
            labels={clean(key): clean(value) for key, value in {**labels, **document.annotations}.items()},
        ),
        layers=tuple(_layers(document.layers, diff_ids, where)),
        config=data,
    )


def _layers(layers: Sequence[_Descriptor], diff_ids: Sequence[str], where: str) -> Iterator[LayerBlob]:
    for each, diff_id in zip(layers, diff_ids, strict=True):
        _verify_descriptor(each, where)
        found = _LAYER.fullmatch(each.media_type)
        if found is None:
            kind = visible(each.media_type) or "sem tipo"
            raise InputError(f"camada de tipo desconhecido: {kind}", where=where, mend="converta a imagem para OCI")
        if _DIGEST.fullmatch(diff_id) is None:
            raise InputError(f"diff_id sem SHA-256: {visible(diff_id)}", where=where, mend=_MEND)
        yield LayerBlob(digest=each.digest, size=each.size, diff_id=diff_id, packed=_PACKED[found.group(1)])


def _verify_descriptor(each: _Descriptor, where: str) -> None:
    if _DIGEST.fullmatch(each.digest) is None or each.size < 0:
        raise InputError(f"descritor sem SHA-256 ou tamanho: {visible(each.digest)}", where=where, mend=_MEND)


def _platform(each: _Descriptor) -> str:
    return "" if each.platform is None else _shown(each.platform)


def _shown(platform: _Platform) -> str:
    return "/".join(clean(part) for part in (platform.os, platform.architecture, platform.variant) if part)


def _decoded(data: bytes, kind: type[Document], name: str, where: str) -> Document:
    try:
        document = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name} ilegível", where=where, mend=_MEND) from error
    if getattr(document, "schema_version", 2) != 2:  # the only one there is
        raise InputError(f"{name} de versão desconhecida", where=where, mend=_MEND)
    return document

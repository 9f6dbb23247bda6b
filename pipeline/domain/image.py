"""``core-backstage.image.json``: an image by its digests, and what it was made from."""

from __future__ import annotations

from typing import Literal

from pipeline.domain.base import Record

__all__ = [
    "BasePackage",
    "ImageBase",
    "ImageBuilder",
    "ImageInput",
    "ImageLayer",
    "ImageRecipe",
    "ImageRecord",
    "LayerOrigin",
]

LayerOrigin = Literal["base", "node", "modules", "application"]


class ImageLayer(Record, frozen=True, kw_only=True, rename={"origin": "from"}):
    """One layer, lowest first. ``digest`` and ``size`` are of the blob, ``diff_id`` of the tar inside it."""

    digest: str
    diff_id: str
    size: int
    media_type: str
    origin: LayerOrigin


class BasePackage(Record, frozen=True, kw_only=True):
    name: str
    version: str
    architecture: str
    sha256: str


class ImageBase(Record, frozen=True, kw_only=True):
    """What the image stands on: ``debian:trixie`` and the digest of its layer, or a registry image and its digest."""

    reference: str
    digest: str
    packages: tuple[BasePackage, ...]


class ImageBuilder(Record, frozen=True, kw_only=True):
    """``name`` is ``embutido`` or the engine; ``compression`` says all that decides the bytes of its layers."""

    name: str
    version: str
    compression: str


class ImageInput(Record, frozen=True, kw_only=True):
    """Something that the image was made from; ``digest`` is ``sha256:…``, or npm's ``sha512-…`` for what it serves."""

    name: str
    version: str
    digest: str


class ImageRecipe(Record, frozen=True, kw_only=True):
    """How to make these very bytes again: the commit, the time, the command."""

    commit: str | None
    source_date_epoch: int
    command: str


class ImageRecord(Record, frozen=True, kw_only=True):
    """``size`` is of everything that a registry stores: manifest, configuration and layers. Digests are ``sha256:…``.

    ``notes`` (pt-BR) tell what differs from the locks, such as a package that had left the mirror.
    """

    schema_version: Literal["1.0"] = "1.0"
    name: str
    version: str
    digest: str
    config_digest: str
    size: int
    layers: tuple[ImageLayer, ...]
    base: ImageBase
    platform: str
    builder: ImageBuilder
    inputs: tuple[ImageInput, ...]
    notes: tuple[str, ...]
    recipe: ImageRecipe

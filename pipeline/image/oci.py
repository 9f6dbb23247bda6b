"""The OCI image format as values: configuration, manifest, index, layout (image-spec 1.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.codec import dump_json, sha256_hex
from pipeline.domain.image import ImageLayer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.domain.image import LayerOrigin

__all__ = [
    "CONFIG",
    "INDEX_FILE",
    "LAYOUT_FILE",
    "MANIFEST",
    "Image",
    "Layer",
    "Runtime",
    "build_image",
    "iso_time",
    "layout_files",
]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
_REF_NAME = "org.opencontainers.image.ref.name"
_PREFIX = "sha256:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A layer whose blob is in ``path``. Digests are hex."""

    origin: LayerOrigin
    digest: str
    diff_id: str
    size: int
    media_type: str
    path: Path = field(repr=False)

    def as_record(self) -> ImageLayer:
        """As the image's document names it."""
        return ImageLayer(
            digest=_PREFIX + self.digest,
            diff_id=_PREFIX + self.diff_id,
            size=self.size,
            media_type=self.media_type,
            origin=self.origin,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """How the image is started. ``environment`` is in the order of its names once it is written."""

    user: str
    folder: str
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image, whole: its documents as bytes, and the layers they name."""

    config: bytes
    manifest: bytes
    layers: tuple[Layer, ...]
    reference: str
    platform: str

    @property
    def digest(self) -> str:
        return _PREFIX + sha256_hex(self.manifest)

    @property
    def config_digest(self) -> str:
        return _PREFIX + sha256_hex(self.config)

    @property
    def size(self) -> int:
        """Bytes that a registry stores for it, each blob once."""
        blobs = {each.digest: each.size for each in self.layers}
        return len(self.manifest) + len(self.config) + sum(blobs.values())


def iso_time(epoch: int) -> str:
    """Seconds since 1970 as the specification writes a time."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_image(
    layers: Sequence[Layer],
    runtime: Runtime,
    *,
    platform: str,
    epoch: int,
    annotations: Mapping[str, str],
    reference: str,
) -> Image:
    """Configuration and manifest over these layers, lowest first. The labels repeat the annotations, as engines do."""
    system, _, architecture = platform.partition("/")
    created = iso_time(epoch)
    config = dump_json(
        {
            "architecture": architecture,
            "os": system,
            "created": created,
            "config": {
                "User": runtime.user,
                "WorkingDir": runtime.folder,
                "Entrypoint": list(runtime.entrypoint),
                "Cmd": list(runtime.arguments),
                "Env": [f"{name}={value}" for name, value in sorted(runtime.environment.items())],
                "ExposedPorts": {port: {} for port in runtime.ports},
                "Labels": dict(annotations),
                "StopSignal": "SIGTERM",
            },
            "rootfs": {"type": "layers", "diff_ids": [_PREFIX + each.diff_id for each in layers]},
            "history": [{"created": created, "created_by": f"appgear-pipeline {each.origin}"} for each in layers],
        }
    )
    manifest = dump_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, sha256_hex(config), len(config)),
            "layers": [_descriptor(each.media_type, each.digest, each.size) for each in layers],
            "annotations": dict(annotations),
        }
    )
    return Image(config=config, manifest=manifest, layers=tuple(layers), reference=reference, platform=platform)


def layout_files(image: Image) -> dict[str, bytes | Layer]:
    """Every file of the image's layout by its path; a layer stands for its blob."""
    system, _, architecture = image.platform.partition("/")
    named = _descriptor(MANIFEST, sha256_hex(image.manifest), len(image.manifest)) | {
        "platform": {"os": system, "architecture": architecture},
        "annotations": {_REF_NAME: image.reference},
    }
    files: dict[str, bytes | Layer] = {
        LAYOUT_FILE: json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        INDEX_FILE: dump_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}),
        _blob(sha256_hex(image.manifest)): image.manifest,
        _blob(sha256_hex(image.config)): image.config,
    }
    return files | {_blob(each.digest): each for each in image.layers}


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _PREFIX + digest, "size": size}

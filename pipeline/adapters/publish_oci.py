"""A pack as an artifact of an OCI registry: blobs first, the tag that names them last, all read back by digest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pipeline.adapters.registry import MANIFEST, Descriptor, ImageReference, open_registry
from pipeline.errors import IntegrityError, UsageError
from pipeline.ports import Published

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.ports import Publication

__all__ = ["ARTIFACT_TYPE", "publish_to_registry"]

ARTIFACT_TYPE = "application/vnd.appgear.evidencias.v1"
_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_TITLE = "org.opencontainers.image.title"


def publish_to_registry(
    reference: ImageReference, publication: Publication, environment: Mapping[str, str], *, offline: bool
) -> Published:
    """Publish under the tag ``<run>-<16 digits>``. IntegrityError where that tag already names something else."""
    if reference.tag or reference.digest:
        raise UsageError("o destino não leva tag: ela vem do run", where=str(reference), mend="tire-a do destino")
    tag = publication.key.replace("/", "-")
    layers = [
        Descriptor(
            media_type=each.media_type, digest=f"sha256:{each.sha256}", size=each.size, annotations={_TITLE: each.name}
        )
        for each in publication.files
    ]
    manifest = _manifest(publication, layers)
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    with open_registry(reference, environment, offline=offline) as registry:
        there = registry.pull_manifest(tag)
        if there is not None and there.digest != digest:
            raise IntegrityError(
                f"a tag {tag} nomeia {there.digest}, e o pacote é {digest}",
                where=str(reference),
                mend="nada foi sobrescrito; descubra qual é o verdadeiro",
            )
        if there is None:
            registry.push_blob(_EMPTY, _config())
            for each, layer in zip(publication.files, layers, strict=True):
                registry.push_blob(each.content, layer)
            registry.push_manifest(manifest, MANIFEST, tag=tag)
        registry.pull_manifest(digest)
        for layer in layers:
            for _ in registry.read_blob(layer):
                pass  # read to its end, which is where another digest is told
    place = f"{reference}:{tag}@{digest}"
    return Published(place=place, new=there is None, kept="registro: a imutabilidade é da configuração dele")


def _config() -> Descriptor:
    return Descriptor(media_type=_EMPTY_TYPE, digest=f"sha256:{hashlib.sha256(_EMPTY).hexdigest()}", size=len(_EMPTY))


def _manifest(publication: Publication, layers: list[Descriptor]) -> bytes:
    """The artifact's manifest: no time and no retention date, so that the same pack has the same digest."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ARTIFACT_TYPE,
        "config": _config().as_json(),
        "layers": [each.as_json() for each in layers],
        "annotations": {
            "io.appgear.module": publication.module,
            "io.appgear.run": publication.run,
            "io.appgear.manifest": publication.root,
        },
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

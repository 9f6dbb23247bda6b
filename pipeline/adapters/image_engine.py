"""The image by a container engine instead of the embedded builder: same layers in, a layout of the engine's own out."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.adapters.files import read_file
from pipeline.errors import InputError, ToolError, UsageError
from pipeline.image.containerfile import render_containerfile
from pipeline.image.oci import Image, Layer
from pipeline.ports import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.adapters.cache import BlobCache
    from pipeline.image.oci import Runtime
    from pipeline.ports import Runner, Tool

__all__ = ["ENGINES", "build_with_engine"]

ENGINES = ("buildah", "podman", "docker")
_MEND = "use o construtor embutido"
_LIMITS = Limits(seconds=1800.0, output_bytes=64 * 1024 * 1024)
_DOCUMENT_BYTES = 4 * 1024 * 1024


def build_with_engine(
    engine: str,
    image: Image,
    runtime: Runtime,
    annotations: Mapping[str, str],
    *,
    epoch: int,
    runner: Runner,
    cache: BlobCache,
) -> tuple[Image, Tool]:
    """Build the same image with ``engine``; it, and the program that made it.

    No network, no earlier image, no command of the file's: the engine unpacks archives and writes a layout. ToolError
    where it is missing or fails, InputError where it makes of the layers something else.
    """
    tool = runner.find(engine, hint=f"instale {engine}, ou tire --builder para usar o construtor embutido")
    if any(each.media_type.endswith("zstd") for each in image.layers):
        raise UsageError("--builder usa camadas gzip", mend='use compression = "gzip"')
    with tempfile.TemporaryDirectory(prefix="appgear-", ignore_cleanup_errors=True) as private:
        work = Path(private)
        context = work / "context"
        context.mkdir()
        archives = [f"{number}-{each.origin}.tar.gz" for number, each in enumerate(image.layers)]
        for name, layer in zip(archives, image.layers, strict=True):
            _place(layer.path, context / name)
        (context / "Containerfile").write_bytes(render_containerfile(archives, runtime, annotations))
        layout = work / "layout"
        for arguments in _commands(engine, work, image.reference, annotations, epoch):
            runner.run(tool, arguments, folder=context, environment={"SOURCE_DATE_EPOCH": str(epoch)}, limits=_LIMITS)
        return _imported(layout, image, cache), tool


def _place(blob: Path, target: Path) -> None:
    try:
        os.link(blob, target)
    except OSError:
        target.write_bytes(blob.read_bytes())


def _commands(
    engine: str, work: Path, reference: str, annotations: Mapping[str, str], epoch: int
) -> Sequence[Sequence[str]]:
    noted = [part for name, value in sorted(annotations.items()) for part in ("--annotation", f"{name}={value}")]
    layout = work / "layout"
    if engine == "docker":
        output = f"type=oci,tar=false,rewrite-timestamp=true,dest={layout}"
        return [["buildx", "build", "--provenance=false", "--network=none", *noted, "--output", output,
                 "-f", "Containerfile", "."]]  # fmt: skip
    storage = ["--root", str(work / "root"), "--runroot", str(work / "run"), "--storage-driver", "vfs"]
    build = ["build", "--layers", "--pull=never", f"--timestamp={epoch}", "--isolation=chroot", "--format=oci"]
    build += ["--identity-label=false"] if engine == "buildah" else []
    return [
        [*storage, *build, *noted, "-t", "localhost/imagem:local", "-f", "Containerfile", "."],
        [*storage, "push", "--quiet", "localhost/imagem:local", f"oci:{layout}:{reference}"],
    ]


def _imported(layout: Path, image: Image, cache: BlobCache) -> Image:
    """The engine's layout as an image whose blobs are in the cache."""
    try:
        (named,) = json.loads(read_file(layout / "index.json", limit=_DOCUMENT_BYTES))["manifests"]
        manifest = _document(layout, named["digest"])
        described = json.loads(manifest)
        config = _document(layout, described["config"]["digest"])
        diff_ids: list[str] = json.loads(config)["rootfs"]["diff_ids"]
        rows: list[dict[str, Any]] = described["layers"]
        if len(rows) != len(image.layers) or len(diff_ids) != len(rows):
            raise InputError(
                f"o motor fez {len(rows)} camadas de {len(image.layers)}",
                where="layout",
                mend=_MEND,
            )
        layers = [
            _kept(layout, row, diff_id, each, cache)
            for row, diff_id, each in zip(rows, diff_ids, image.layers, strict=True)
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise ToolError("o motor não escreveu um layout OCI", where="layout", mend=_MEND) from error
    return replace(image, manifest=manifest, config=config, layers=tuple(layers))


def _document(layout: Path, digest: str) -> bytes:
    return read_file(layout / "blobs/sha256" / digest.removeprefix("sha256:"), limit=_DOCUMENT_BYTES)


def _kept(layout: Path, row: Mapping[str, Any], diff_id: str, known: Layer, cache: BlobCache) -> Layer:
    digest = str(row["digest"]).removeprefix("sha256:")
    with cache.draft() as draft, (layout / "blobs/sha256" / digest).open("rb") as source:
        while part := source.read(1024 * 1024):
            draft.write(part)
        path = cache.keep(draft, digest)
    if cache.blob(digest) is None:
        raise ToolError("o motor escreveu um blob que não é o seu digest", where=digest, mend=_MEND)
    return Layer(
        origin=known.origin,
        digest=digest,
        diff_id=diff_id.removeprefix("sha256:"),
        size=int(row["size"]),
        media_type=str(row["mediaType"]),
        path=path,
    )

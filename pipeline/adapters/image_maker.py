"""The image of the portal: its layers made or found again, and the documents that describe them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pipeline
from pipeline.adapters.files import read_file
from pipeline.adapters.image_tree import read_entries, read_file_entry
from pipeline.codec import dump_json, sha256_hex, visible
from pipeline.domain.image import ImageBuilder, ImageInput, ImageRecipe, ImageRecord
from pipeline.errors import InputError
from pipeline.image.base import USER
from pipeline.image.contents import forbidden_name, needed_libc
from pipeline.image.entries import plan_layer
from pipeline.image.oci import Image, Runtime, build_image, iso_time
from pipeline.ports import show_path
from pipeline.rules.secrets_text import in_text, in_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pipeline.adapters.image_base import MadeBase
    from pipeline.adapters.image_cache import LayerCache
    from pipeline.domain.image import LayerOrigin
    from pipeline.image.entries import Entry
    from pipeline.image.oci import Layer
    from pipeline.image.portal import PortalBundle
    from pipeline.image.settings import ImageSettings
    from pipeline.ports import Tool

    Engine = Callable[[Image, Runtime, Mapping[str, str]], tuple[Image, Tool]]

__all__ = ["BuiltImage", "ImageMaker", "Provenance"]

_APP = "app"
_NODE = "usr/local/bin/node"
_PORT = "7007/tcp"
_CONFIGURED = ("--config", "app-config.yaml", "--config", "app-config.production.yaml")
# What does not change with the source bears one time, so that a commit rewrites the last layer alone (ADR 0060). It is
# the first that a zip can hold; SOURCE_DATE_EPOCH stays the upper bound of every time.
_UNCHANGING = 315_532_800
_TEXT_BYTES = 4 * 1024 * 1024
_NATIVE_BYTES = 512 * 1024 * 1024
_SETTINGS = (".yaml", ".yml", ".json", ".toml", ".ini", ".properties", ".conf")
_NATIVE = (".node", ".so")


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the portal's source comes from: commit (None outside git), whether it has changes, and the image's time."""

    commit: str | None
    dirty: bool
    epoch: int
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltImage:
    """The image and its document; both follow from the inputs alone."""

    image: Image
    record: ImageRecord


@dataclass(frozen=True, kw_only=True)
class ImageMaker:
    """``folder`` holds the portal's source; ``engine`` builds in place of ourselves.

    ``told`` is called with a line of pt-BR before work that takes time.
    """

    settings: ImageSettings
    folder: Path
    platform: str
    layers: LayerCache
    provenance: Provenance
    told: Callable[[str], None] = field(repr=False)
    engine: Engine | None = None

    def make(self, bundle: PortalBundle, base: MadeBase) -> BuiltImage:
        """Make every layer, or find it again, and describe the image.

        InputError where the bundle holds what an image must not, or asks for a newer libc than the base has.
        """
        epoch = self.provenance.epoch
        fixed = min(_UNCHANGING, epoch)
        made = [
            *base.layers,
            self._layer("node", self._node(bundle, base), fixed),
            self._layer("modules", self._modules(bundle, base), fixed),
            self._layer("application", self._application(bundle), epoch),
        ]
        annotations = self._annotations(base)
        runtime = _runtime(base.environment)
        image = build_image(
            made,
            runtime,
            platform=self.platform,
            epoch=epoch,
            annotations=annotations,
            reference=self._version,
        )
        builder = ImageBuilder(name="embutido", version=pipeline.__version__, compression=self.layers.compression)
        if self.engine is not None:
            self.told("IMAGEM: construindo com o motor de contêineres")
            image, tool = self.engine(image, runtime, annotations)
            builder = ImageBuilder(name=tool.name, version=tool.version, compression="")
        return BuiltImage(image=image, record=self._record(image, bundle, base, builder))

    def _layer(self, origin: LayerOrigin, entries: Iterable[Entry], mtime: int) -> Layer:
        self.told(f"IMAGEM: camada {origin}")
        return self.layers.make(origin, plan_layer(entries), mtime=mtime)

    def _node(self, bundle: PortalBundle, base: MadeBase) -> tuple[Entry, ...]:
        node = read_file_entry(bundle.node / "bin" / "node", at=_NODE, mode=0o755)
        _check_libc([node], base)
        licences = [each for each in ("LICENSE",) if (bundle.node / each).is_file()]
        folder = "usr/local/share/doc/nodejs"
        return (node, *(read_file_entry(bundle.node / each, at=f"{folder}/{each}", mode=0o644) for each in licences))

    def _modules(self, bundle: PortalBundle, base: MadeBase) -> tuple[Entry, ...]:
        entries = read_entries(bundle.modules, at=f"{_APP}/node_modules")
        if not entries:
            raise InputError("o portal não tem módulos de produção", mend="construa-o de novo")
        _refuse_names(entries)
        _check_libc([each for each in entries if each.path.endswith(_NATIVE)], base)
        return entries

    def _application(self, bundle: PortalBundle) -> tuple[Entry, ...]:
        entries = read_entries(bundle.application, at=_APP)
        if not any(each.path.startswith(f"{_APP}/packages/backend/") for each in entries):
            raise InputError("o portal não tem packages/backend", mend="construa-o de novo")
        _refuse_names(entries)
        _refuse_secrets(entries)
        return entries

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        path = self.folder / "package.json"
        try:
            value = json.loads(read_file(path))
        except ValueError as error:
            raise InputError("não é JSON válido", where=show_path(path), mend="corrija o arquivo") from error
        return value if isinstance(value, dict) else {}

    @property
    def _version(self) -> str:
        return visible(str(self._manifest.get("version", "0.0.0")))

    def _annotations(self, base: MadeBase) -> dict[str, str]:
        prefix = "org.opencontainers.image."
        source = self.provenance
        found = {
            "base.digest": base.digest,
            "base.name": base.reference,
            "created": iso_time(source.epoch),
            "licenses": str(self._manifest.get("license", "")),
            "revision": f"{source.commit or ''}{'-dirty' if source.commit and source.dirty else ''}",
            "source": source.source,
            "title": self.settings.name,
            "version": self._version,
        }
        return {prefix + key: value for key, value in found.items() if value}

    def _record(self, image: Image, bundle: PortalBundle, base: MadeBase, builder: ImageBuilder) -> ImageRecord:
        settings = {
            "name": self.settings.name,
            "base": self.settings.base,
            "compression": self.settings.compression,
        }
        inputs = [ImageInput(name=each.name, version=each.version, digest=each.digest) for each in bundle.inputs]
        inputs += [ImageInput(name=name, version="", digest=digest) for name, digest in base.inputs]
        digest = f"sha256:{sha256_hex(dump_json(settings))}"
        inputs.append(ImageInput(name="appgear.toml [image]", version="", digest=digest))
        epoch = self.provenance.epoch
        return ImageRecord(
            name=self.settings.name,
            version=self._version,
            digest=image.digest,
            config_digest=image.config_digest,
            size=image.size,
            layers=tuple(each.as_record() for each in image.layers),
            base=base.as_record(),
            platform=self.platform,
            builder=builder,
            inputs=tuple(sorted(inputs, key=lambda each: each.name)),
            notes=base.notes,
            recipe=ImageRecipe(
                commit=self.provenance.commit,
                source_date_epoch=epoch,
                command=f"SOURCE_DATE_EPOCH={epoch} nox -s image",
            ),
        )


def _runtime(environment: Mapping[str, str]) -> Runtime:
    """As the module's Deployment starts it: any user, a root that may be read-only, no shell."""
    own = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NODE_ENV": "production",
        "NODE_OPTIONS": "--no-node-snapshot",
    }
    return Runtime(
        user=f"{USER}:{USER}",
        folder=f"/{_APP}",
        entrypoint=("node",),
        arguments=("packages/backend", *_CONFIGURED),
        environment={**environment, **own},
        ports=(_PORT,),
    )


def _refuse_names(entries: Sequence[Entry]) -> None:
    for each in entries:
        if forbidden_name(each.path):
            raise InputError(
                "configuração de gerenciador de pacotes ou credencial no que iria para a imagem",
                where=show_path(each.path),
                mend="retire o arquivo do portal; a imagem não foi gravada",
            )


def _refuse_secrets(entries: Sequence[Entry]) -> None:
    """Credentials by their form in every text of ours, by their name too in settings."""
    for each in entries:
        if isinstance(each.source, bytes) or each.kind != "file" or each.size > _TEXT_BYTES:
            continue
        text = read_file(each.source, limit=_TEXT_BYTES).decode("utf-8", "replace")
        secret = in_value(text)
        if secret is None and each.path.endswith(_SETTINGS):
            secret = next((found for found in in_text(text, "config") if not found.weak), None)
        if secret is not None:
            raise InputError(
                f"segredo no que iria para a imagem: {secret.what}",
                where=f"{show_path(each.path)}:{secret.row + 1}",
                mend="troque-o por uma variável de ambiente; a imagem não foi gravada",
            )


def _check_libc(entries: Iterable[Entry], base: MadeBase) -> None:
    """A module that was compiled on a newer system than the base would not load there."""
    for each in entries:
        if base.libc is None or isinstance(each.source, bytes) or each.kind != "file":
            continue
        wanted = needed_libc(read_file(each.source, limit=_NATIVE_BYTES))
        if wanted > base.libc:
            raise InputError(
                f"pede a glibc {_dotted(wanted)}, e a base tem a {_dotted(base.libc)}",
                where=show_path(each.path),
                mend="construa num sistema mais antigo, ou use uma base mais nova ([image] base)",
            )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))

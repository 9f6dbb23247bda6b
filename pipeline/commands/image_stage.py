"""The image as a stage: what the options and the configuration ask for, built, and put into a run."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pipeline.adapters.cache import BlobCache, cache_folder, emptied
from pipeline.adapters.download import Downloads
from pipeline.adapters.host import image_platform
from pipeline.adapters.image_base import LOCK_FILE, DebianBase, RegistryBase
from pipeline.adapters.image_cache import LayerCache
from pipeline.adapters.image_engine import build_with_engine
from pipeline.adapters.image_maker import ImageMaker, Provenance
from pipeline.adapters.image_mirror import Mirrors, apt_sources
from pipeline.adapters.image_press import find_press
from pipeline.adapters.openpgp import archive_keyring, load_keyring
from pipeline.adapters.portal import build_portal, read_source
from pipeline.codec import visible
from pipeline.errors import PipelineError, ToolError, UsageError
from pipeline.image.oci import Layer, layout_files
from pipeline.ports import Blob
from pipeline.records import dump_record

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.adapters.image_maker import BuiltImage
    from pipeline.adapters.openpgp import Keyring
    from pipeline.adapters.recording import RecordingGit
    from pipeline.image.lock import BaseLock
    from pipeline.image.oci import Image
    from pipeline.image.settings import ImageSettings
    from pipeline.inputs import Inputs
    from pipeline.ports import Content, FileReader, Runner, Tool
    from pipeline.report.console import Console
    from pipeline.store import Store

__all__ = [
    "CATEGORY",
    "LOCK_FILE",
    "ImageStage",
    "Workplace",
    "document_name",
    "fresh_workplace",
    "publish_image",
    "workplace",
]

CATEGORY = "docker"


def document_name(name: str) -> str:
    """The image's document beside its layout."""
    return f"{name}.image.json"


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where things are kept between builds: blobs and layers, and the portal's stages."""

    blobs: BlobCache
    portal: Path


class ImageStage:
    """One launch's image. Nothing is read or made before it is asked for."""

    def __init__(
        self,
        options: argparse.Namespace,
        inputs: Inputs,
        *,
        reader: FileReader,
        git: RecordingGit,
        runner: Runner,
        console: Console,
    ) -> None:
        self._options = options
        self._inputs = inputs
        self._reader = reader
        self._git = git
        self._runner = runner
        self._console = console

    @property
    def settings(self) -> ImageSettings:
        return self._inputs.config.image

    @property
    def folder(self) -> Path:
        """The portal's source."""
        return self._inputs.config_folder / self.settings.portal

    def attempt(self) -> BuiltImage | PipelineError:
        """The image, or why there is none: a trail goes on without it, and its checklist says so."""
        try:
            return self.build()
        except PipelineError as error:
            return error
        except OSError as error:
            return ToolError(f"o sistema recusou ({error.strerror})", where="image", mend="confira o disco e o cache")

    def build(self, place: Workplace | None = None) -> BuiltImage:
        """Build portal, base and layers, or find what is there already."""
        place = place or workplace()
        layers = LayerCache(place.blobs, find_press(self.settings.compression))
        provenance = self.provenance()
        base = self.base(place, layers, provenance.epoch).make()
        bundle = build_portal(
            self.folder,
            workshop=place.portal,
            runner=self._runner,
            host=os.environ,
            offline=self._options.offline,
            told=self._console.progress,
        )
        maker = ImageMaker(
            settings=self.settings,
            folder=self.folder,
            platform=image_platform(),
            layers=layers,
            provenance=provenance,
            told=self._console.progress,
            engine=self._engine(place, provenance.epoch),
        )
        built = maker.make(bundle, base)
        for note in base.notes:
            self._console.warn(note)
        place.blobs.trim()
        return built

    def _engine(self, place: Workplace, epoch: int) -> Callable[..., tuple[Image, Tool]] | None:
        named = vars(self._options).get("builder")
        if not named:
            return None
        if self.settings.base.startswith("oci:"):  # its layers may delete files, which an archive cannot say
            raise UsageError("--builder precisa de uma base debian:", mend="tire --builder, ou troque [image] base")
        return partial(build_with_engine, named, epoch=epoch, runner=self._runner, cache=place.blobs)

    def base(self, place: Workplace, layers: LayerCache, epoch: int) -> DebianBase | RegistryBase:
        """What the configuration says that the image stands on."""
        kind, _, name = self.settings.base.partition(":")
        if kind == "oci":
            return RegistryBase(
                reference=name,
                platform=image_platform(),
                cache=place.blobs,
                environment=os.environ,
                offline=self._options.offline,
                told=self._console.progress,
            )
        urls = tuple(vars(self._options).get("mirror") or ()) or self.settings.mirrors or apt_sources()
        mirrors = Mirrors(
            urls=tuple(each.rstrip("/") for each in urls),
            keyring=self._keyring(),
            downloads=Downloads(offline=self._options.offline),
            cache=place.blobs,
            now=datetime.now(UTC),
            told=self._console.progress,
        )
        return DebianBase(
            suite=name,
            epoch=epoch,
            architecture=image_platform().partition("/")[2],
            lock_file=self.folder / LOCK_FILE,
            mirrors=mirrors,
            cache=place.blobs,
            layers=layers,
            told=self._console.progress,
        )

    def _keyring(self) -> Keyring:
        if not self.settings.keyring:
            return archive_keyring()
        path = self._inputs.config_folder / self.settings.keyring
        return load_keyring(self._reader.read_file(path), where=visible(self.settings.keyring))

    def update_base(self) -> tuple[BaseLock, tuple[str, ...]]:
        """The newest base as a lock to be written, and what changes. UsageError where the base is no lock's."""
        place = workplace()
        layers = LayerCache(place.blobs, find_press(self.settings.compression))
        base = self.base(place, layers, epoch=0)
        if isinstance(base, RegistryBase):
            raise UsageError(
                "a base é uma imagem de registro, sem lock", mend="troque o digest em [image] base de appgear.toml"
            )
        return base.update()

    def provenance(self) -> Provenance:
        """Commit and time of the portal's source: ``SOURCE_DATE_EPOCH`` before the commit's, 1970 without either."""
        state = self._git.describe(self.folder, read_source(self.folder).files)
        given = os.environ.get("SOURCE_DATE_EPOCH", "")
        epoch = int(given) if given.isascii() and given.isdigit() else 0
        if not given and state.commit is not None:
            author = self._git.commit_author(self.folder, state.commit)
            epoch = author.timestamp if author is not None else 0
        return Provenance(commit=state.commit, dirty=state.dirty, epoch=epoch, source=self.settings.source)


def publish_image(store: Store, run: str, built: BuiltImage) -> None:
    """Put document and layout into the run; blobs come from the cache without passing through memory."""
    name = built.record.name
    files: dict[str, Content] = {document_name(name): dump_record(built.record)}
    for path, content in layout_files(built.image).items():
        blob = Blob(path=content.path, sha256=content.digest) if isinstance(content, Layer) else content
        files[f"{name}/{path}"] = blob
    store.publish(run, CATEGORY, files, stage="image")


def workplace() -> Workplace:
    """The user's own cache."""
    root = cache_folder(os.environ)
    return Workplace(blobs=BlobCache(root / "image"), portal=root / "portal")


@contextmanager
def fresh_workplace() -> Iterator[Workplace]:
    """A cache that is empty, and gone afterwards: what is built there owes nothing to an earlier build."""
    root = cache_folder(os.environ) / "conferencia"
    with emptied(root):
        yield Workplace(blobs=BlobCache(root / "image"), portal=root / "portal")

"""The ``image`` command: build, check against an earlier build, send to a registry, renew the lock of the base."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.adapters.image_compare import compare_images
from pipeline.adapters.image_push import Attachment, push_image
from pipeline.adapters.registry import parse_reference
from pipeline.adapters.rendered import write_rendered
from pipeline.codec import visible
from pipeline.commands.image_stage import CATEGORY, LOCK_FILE, document_name, fresh_workplace
from pipeline.domain.image import ImageRecord
from pipeline.errors import ExitCode, IntegrityError, UsageError
from pipeline.records import dump_record, load_record
from pipeline.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.adapters.image_maker import BuiltImage
    from pipeline.commands.launch import Launcher
    from pipeline.store import Store

__all__ = ["ImageCommands"]

_MEBIBYTE = 1024 * 1024
_SHOWN_DIFFERENCES = 50
# What goes to a registry beside the image, by category and name; ``{}`` is the image's name.
_ATTACHMENTS = (
    ("sbom", "{}.cdx.json", "application/vnd.cyclonedx+json"),
    ("sbom", "{}.cdx.xml", "application/vnd.cyclonedx+xml"),
    ("sbom", "{}.spdx.json", "application/spdx+json"),
    ("reports", "manifest.dsse.json", "application/vnd.dsse.envelope.v1+json"),
    ("reports", "attestations.intoto.jsonl", "application/vnd.in-toto.bundle+json"),
)


class ImageCommands:
    """One launch of the command."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._options = launcher.options
        self._console = launcher.console
        self._stage = launcher.image

    def run(self) -> ExitCode:
        """What the options ask for."""
        if self._options.update_base:
            return self._update_base()
        if self._options.push:
            parse_reference(self._options.push)  # a reference that cannot be is told before the build
        return self._verify() if self._options.verify else self._build()

    def _build(self) -> ExitCode:
        built = self._stage.build()
        with self._launcher.started(built=built) as started:
            trail = started.trail
            started.verdict = "construida"
            self._console.lines(_told(built.record))
            self._console.lines([f"layout OCI: {self._options.artifacts}/{CATEGORY}/{trail.run}/{built.record.name}"])
            if self._options.push:
                self._push(built, trail.store, trail.run)
        return ExitCode.OK

    def _push(self, built: BuiltImage, store: Store, run: str) -> None:
        attachments = tuple(self._attachments(store, run, built.record.name))
        pushed = push_image(
            parse_reference(self._options.push),
            built.image,
            attachments,
            environment=os.environ,
            offline=self._options.offline,
            told=self._console.progress,
        )
        count = counted(len(attachments), "documento anexado", "documentos anexados")
        self._console.lines([f"enviada e conferida: {pushed} ({count})"])

    def _attachments(self, store: Store, run: str, name: str) -> Iterator[Attachment]:
        for category, pattern, kind in _ATTACHMENTS:
            path = pattern.format(name)
            if store.has(run, category, path):
                yield Attachment(name=path, media_type=kind, data=store.read(run, category, path))

    def _update_base(self) -> ExitCode:
        lock, changes = self._stage.update_base()
        if not changes:
            self._console.lines([f"{LOCK_FILE}: os pacotes já são os mais novos de {lock.suite}"])
            return ExitCode.OK
        write_rendered(self._stage.folder, {LOCK_FILE: dump_record(lock)})
        self._console.lines([f"{LOCK_FILE} gravado: {lock.suite} de {lock.date}", *(f"  {each}" for each in changes)])
        return ExitCode.OK

    def _verify(self) -> ExitCode:
        """Build again with empty caches; 5 where a byte differs, and which, and why."""
        with self._launcher.inputs.open_store() as store, fresh_workplace() as place:
            run, record = self._recorded(store)
            self._console.progress(f"IMAGEM: reconstruindo sem cache para conferir {record.digest}")
            built = self._stage.build(place)
            layout = self._options.artifacts / CATEGORY / run / record.name
            differences = compare_images(record, layout, built)
        if not differences:
            self._console.lines([f"reproduzida byte a byte: {record.digest}"])
            return ExitCode.OK
        for each in differences[:_SHOWN_DIFFERENCES]:
            self._console.warn(each)
        left = len(differences) - _SHOWN_DIFFERENCES
        if left > 0:
            self._console.warn(f"e mais {left}")
        raise IntegrityError(
            f"a reconstrução deu {built.image.digest}",
            where=f"{CATEGORY}/{run}/{document_name(record.name)}",
            mend="as diferenças estão acima",
        )

    def _recorded(self, store: Store) -> tuple[str, ImageRecord]:
        """The newest recorded image of this module."""
        name, module = document_name(self._stage.settings.name), self._launcher.inputs.source.snapshot.id
        for line in reversed(store.history()):
            if line.module == module and store.has(line.run, CATEGORY, name):
                data = store.read(line.run, CATEGORY, name)
                return line.run, load_record(data, ImageRecord, where=f"{CATEGORY}/{line.run}/{name}")
        raise UsageError(
            f"não há imagem de {module} em {visible(str(self._options.artifacts))}", mend="rode image antes"
        )


def _told(record: ImageRecord) -> list[str]:
    layers = " · ".join(f"{each.origin} {each.size / _MEBIBYTE:.1f} MiB".replace(".", ",") for each in record.layers)
    size = f"{record.size / _MEBIBYTE:.1f}".replace(".", ",")
    return [
        f"IMAGEM            {record.name}:{record.version}  {record.platform}  {size} MiB",
        f"                  {layers}",
        f"                  base {record.base.reference}",
        f"digest: {record.digest}",
    ]

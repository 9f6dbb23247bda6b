"""``publicar``: a verified pack to a place that keeps it, and read back there."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.archive import open_archive
from pipeline.adapters.artifacts import open_artifacts_to_check
from pipeline.codec import sha256_hex, sort_sums, visible
from pipeline.errors import ExitCode, IntegrityError, UsageError
from pipeline.evidence.manifest import ENVELOPE, MANIFEST, RAPID, ZIP, media_type
from pipeline.evidence.verify import PackFiles, PackQuestion, verify_pack
from pipeline.ports import Publication, PublishedFile, show_path
from pipeline.removals import held_runs
from pipeline.store import Store
from pipeline.sums import SUMS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pipeline.evidence.trust import Trust
    from pipeline.ports import Published
    from pipeline.report.console import Console

__all__ = ["publish"]

_S3 = "s3://"
_OCI = "oci://"


def publish(options: argparse.Namespace, console: Console, trust: Callable[[], Trust | None]) -> ExitCode:
    """Publish the pack of a run where ``--to`` says; nothing that does not verify leaves the folder."""
    publication = _gathered(options, trust)
    done = _send(options, publication)
    state = "publicado" if done.new else "já estava publicado"
    console.lines(
        [
            f"{state} e conferido: {show_path(done.place)}",
            f"guarda: {done.kept}   guardar até {publication.keep_until:%d/%m/%Y}",
        ]
    )
    return ExitCode.OK


def _send(options: argparse.Namespace, publication: Publication) -> Published:
    target: str = options.to
    if target.startswith(_S3):
        from pipeline.adapters.publish_s3 import S3Place, publish_to_s3  # noqa: PLC0415  # one of three is used

        if publication.keep_until <= datetime.now(UTC):
            mend = "rode `evidencias` de novo, que renova a guarda"
            raise UsageError(f"a guarda deste run terminou em {publication.keep_until:%d/%m/%Y}", mend=mend)
        place = S3Place(target, endpoint=options.endpoint or "")
        return publish_to_s3(place, publication, unlocked=options.unlocked, offline=options.offline)
    if target.startswith(_OCI):
        from pipeline.adapters.publish_oci import publish_to_registry  # noqa: PLC0415  # as above
        from pipeline.adapters.registry import parse_reference  # noqa: PLC0415

        reference = parse_reference(target.removeprefix(_OCI))
        return publish_to_registry(reference, publication, os.environ, offline=options.offline)
    if "://" in target:
        raise UsageError(f"destino desconhecido: {visible(target)}", mend="use uma pasta, s3://… ou oci://…")
    from pipeline.adapters.publish_folder import publish_to_folder  # noqa: PLC0415  # as above

    path = Path(target)
    artifacts = options.artifacts.resolve()
    if path.resolve().is_relative_to(artifacts) or artifacts.is_relative_to(path.resolve()):
        raise UsageError("o destino e a pasta de artefatos se contêm", where=show_path(path), mend="use outra pasta")
    return publish_to_folder(path, publication)


def _gathered(options: argparse.Namespace, trust: Callable[[], Trust | None]) -> Publication:
    """The pack as it stands, checked as ``verificar`` would; IntegrityError or UsageError where it may not leave."""
    with open_artifacts_to_check(options.artifacts) as folder:
        store = Store(folder)
        run = options.run or store.latest()
        if run is None or not store.has(run, "reports", MANIFEST, ENVELOPE, ZIP):
            told = f"o run {visible(run)} não tem pacote" if run else "nenhuma execução registrada"
            raise UsageError(told, mend="rode `evidencias` antes")
        listed = store.digests(run, "reports")
        manifest, envelope = (store.read(run, "reports", name) for name in (MANIFEST, ENVELOPE))
        path = Path(options.artifacts, "reports", run, ZIP)
        if folder.digest(f"reports/{run}/{ZIP}") != listed[ZIP]:
            raise IntegrityError(f"não confere com {SUMS}", where=show_path(path), mend="restaure a cópia original")
        module = _check(path, run, listed, options, trust())
        lines = store.history()
    own = [line for line in lines if line.run == run and line.is_execution]
    if not own:
        raise UsageError(f"o índice não registra o run {visible(run)}", mend="rode `evidencias` antes")
    files = [
        _file(ZIP, path, listed[ZIP], path.stat().st_size),
        _file(MANIFEST, manifest, listed[MANIFEST], len(manifest)),
        _file(ENVELOPE, envelope, listed[ENVELOPE], len(envelope)),
    ]
    sums = sort_sums({each.name: each.sha256 for each in files})
    return Publication(
        run=run,
        module=module,
        root=listed[MANIFEST],
        key=f"{run}/{listed[ZIP][:16]}",
        keep_until=max(line.not_before_delete for line in own),
        held=run in held_runs(lines),
        files=(*files, _file(SUMS, sums, sha256_hex(sums), len(sums))),
    )


def _check(path: Path, run: str, listed: dict[str, str], options: argparse.Namespace, trust: Trust | None) -> str:
    """The module of a pack that verifies and says what its run says now."""
    asked = PackQuestion(now=datetime.now(UTC), environment=options.environment, trust=trust, strict=options.strict)
    with open_archive(path) as archive:
        answer = verify_pack(PackFiles(digests=archive.digests, read=archive.read), asked)
        inside = {name: archive.digests.get(f"reports/{run}/{name}") for name in (MANIFEST, RAPID)}
    if not answer.ok or answer.manifest is None:
        found = answer.problems[0] if answer.problems else "sem manifesto"
        raise IntegrityError(
            f"{found} (problemas: {len(answer.problems)}); nada foi publicado",
            where=show_path(path),
            mend="rode `verificar`",
        )
    if inside[MANIFEST] != listed[MANIFEST] or inside[RAPID] != listed.get(RAPID):
        raise UsageError(
            "o zip é anterior ao manifesto ou às decisões do run",
            where=show_path(path),
            mend="rode `evidencias` de novo",
        )
    return answer.manifest.module.id


def _file(name: str, content: bytes | Path, digest: str, size: int) -> PublishedFile:
    kind = "text/plain" if name == SUMS else "application/zip" if name == ZIP else media_type(name)
    return PublishedFile(name=name, media_type=kind, sha256=digest, size=size, content=content)

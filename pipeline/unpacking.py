"""Packs as they are found, in a zip, an extracted folder or an artifacts folder, and the answer about each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.codec import load_json, sha256_hex
from pipeline.domain.evidence import Manifest
from pipeline.errors import IntegrityError, PipelineError
from pipeline.evidence.manifest import MANIFEST, RAPID
from pipeline.evidence.verify import Fault, PackFiles, verify_pack
from pipeline.evidencing import Bench, read_pack
from pipeline.ledger import is_run
from pipeline.ports import CATEGORIES, path_fault, show_path
from pipeline.records import load_record
from pipeline.store import EXECUTIONS, MAX_ARTIFACT_BYTES, Store
from pipeline.sums import SUMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.evidence.verify import PackAnswer, PackQuestion
    from pipeline.ports import ArtifactFolder

__all__ = ["check_folder", "check_run", "folder_files", "run_files", "runs_with_packs"]


def check_folder(folder: ArtifactFolder, asked: PackQuestion) -> PackAnswer:
    """An extracted zip."""
    return verify_pack(folder_files(folder), asked)


def folder_files(folder: ArtifactFolder) -> PackFiles:
    """The files of an extracted zip."""
    return _found(folder, [""], whole=True)


def run_files(folder: ArtifactFolder, run: str) -> PackFiles:
    """The files of a run inside an artifacts folder, with those of other runs that its manifest lists."""
    files = _found(folder, [f"{category}/{run}" for category in CATEGORIES], whole=False)
    manifest = load_record(files.read(f"reports/{run}/{MANIFEST}"), Manifest, where=f"reports/{run}/{MANIFEST}")
    return _with_cited(folder, files, manifest)


def _with_cited(folder: ArtifactFolder, files: PackFiles, manifest: Manifest) -> PackFiles:
    cited = [each.path for each in manifest.files if each.path.split("/")[1] != manifest.run]
    return replace(files, digests={**files.digests, **dict(_digests(folder, cited))})


def runs_with_packs(folder: ArtifactFolder) -> list[str]:
    """Runs of an artifacts folder that have a manifest; what a killed process was staging is none."""
    runs = [each.path for each in folder.entries("reports") if each.kind == "folder" and is_run(each.path)]
    return [run for run in runs if any(each.path == MANIFEST for each in folder.entries(f"reports/{run}"))]


def check_run(folder: ArtifactFolder, run: str, asked: PackQuestion) -> PackAnswer:
    """One run of an artifacts folder, whose lists ``verify_store`` judges; here the signed set and the decisions.

    The index adds what a lone zip cannot know: the pack before this one, nonces of others, decisions cut off the end.
    """
    files = _found(folder, [f"{category}/{run}" for category in CATEGORIES], whole=False)
    problems: list[Fault] = []
    bench = Bench(store=Store(folder), environment=asked.environment, now=asked.now, trust=asked.trust, strict=False)
    try:
        pack = read_pack(bench, run)
        hearing = pack.hearing
        asked = replace(asked, history=True, previous_pack=hearing.previous_pack, nonces=hearing.nonces)
        files = _with_cited(folder, files, pack.manifest)
        problems.extend(_cut_off(folder, run, pack.rapid))
    except PipelineError as error:
        problems.append(Fault(code="unreadable", path=show_path(error.where or run), message=error.message))
    answer = verify_pack(files, asked)
    return replace(answer, problems=(*answer.problems, *problems))


def _found(folder: ArtifactFolder, places: list[str], *, whole: bool) -> PackFiles:
    names: list[str] = []
    special: list[str] = []
    for place in places:
        for entry in folder.walk(place):
            path = f"{place}/{entry.path}".lstrip("/")
            if not whole and (entry.path == SUMS or f"{entry.path}/".startswith(f"{EXECUTIONS}/")):
                continue
            if entry.kind == "file" and path_fault(path) is None:
                names.append(path)
            elif entry.kind != "folder":
                special.append(path)

    def read(path: str) -> bytes:
        data = folder.read(path, limit=MAX_ARTIFACT_BYTES)
        if data is None:
            raise IntegrityError("sumiu durante a leitura", where=show_path(path), mend="repita")
        return data

    return PackFiles(digests=dict(_digests(folder, names)), read=read, special=tuple(special), whole=whole)


def _digests(folder: ArtifactFolder, paths: list[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        digest = folder.digest(path)
        if digest is not None:
            yield path, digest


def _cut_off(folder: ArtifactFolder, run: str, rapid: bytes) -> Iterator[Fault]:
    """Executions remember how long ``rapid.jsonl`` was: a shorter or other one has lost decisions."""
    for entry in folder.entries(f"reports/{run}/{EXECUTIONS}"):
        path = f"reports/{run}/{EXECUTIONS}/{entry.path}"
        record = load_json(folder.read(path, limit=MAX_ARTIFACT_BYTES) or b"{}", where=path)
        details = record.get("details") if isinstance(record, dict) else None
        known = details.get("rapid") if isinstance(details, dict) else None
        if isinstance(known, dict) and known.get("sha256") != sha256_hex(rapid[: int(known.get("bytes", 0))]):
            message = f"a execução {entry.path} registrou decisões que não estão mais aqui"
            yield Fault(code="truncated", path=f"reports/{run}/{RAPID}", message=message)

"""Holds and removals as the index tells them: the last word about a run counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex, sort_sums
from pipeline.store import EXECUTIONS, MAX_ARTIFACT_BYTES, RUN_FILE
from pipeline.sums import SUMS, parse_sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.ledger import IndexLine
    from pipeline.ports import ArtifactFolder

__all__ = ["held_runs", "reduce_run", "removed_runs", "run_sums"]


def held_runs(lines: Iterable[IndexLine]) -> dict[str, IndexLine]:
    """Runs under a legal hold, each with the line that says so."""
    held: dict[str, IndexLine] = {}
    for line in lines:
        if line.hold is not None and line.hold.action == "hold":
            held[line.run] = line
        elif line.hold is not None:
            held.pop(line.run, None)
    return held


def removed_runs(lines: Iterable[IndexLine]) -> dict[str, IndexLine]:
    """Runs whose files retention took away, each with the line that says so; one that was made again is there."""
    removed: dict[str, IndexLine] = {}
    for line in lines:
        if line.removal is not None:
            removed[line.run] = line
        elif line.hold is None:
            removed.pop(line.run, None)
    return removed


def run_sums(folder: ArtifactFolder, place: str) -> tuple[str, dict[str, str]] | None:
    """Digest and content of the ``SHA256SUMS`` at ``<category>/<run>``; None where there is none."""
    data = folder.read(f"{place}/{SUMS}", limit=MAX_ARTIFACT_BYTES)
    return None if data is None else (sha256_hex(data), parse_sums(data, where=f"{place}/{SUMS}"))


def reduce_run(folder: ArtifactFolder, line: IndexLine) -> bool:
    """Finish a removal that the index records; whether there was anything left to do. Needs the exclusive lock.

    What stays is ``run.json``, which says what the run was made from, and its executions. Every other file that was
    there when the removal was recorded goes; a category whose list is another one by now stays, for ``verificar``.
    """
    left = False
    removal = line.removal
    for category in sorted(removal.sums if removal is not None else (), key=lambda each: (each == "reports", each)):
        place = f"{category}/{line.run}"
        found = run_sums(folder, place)
        if removal is None or found is None or found[0] != removal.sums[category]:
            continue
        left = True
        if category != "reports":
            folder.remove_folder(place)
        elif found[1].keys() != {RUN_FILE}:
            executions = [f"{EXECUTIONS}/{each.path}" for each in folder.entries(f"{place}/{EXECUTIONS}")]
            kept = {RUN_FILE: found[1][RUN_FILE]}
            folder.replace_folder(place, {SUMS: sort_sums(kept)}, keep=[RUN_FILE, *executions], digests={})
    return left

"""Runs and index chains of many workers into one artifacts folder: checked first, copied whole, committed once."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.chains import Chain, MergedLine, merge_chains, read_chain
from pipeline.codec import sha256_hex, sort_sums
from pipeline.errors import InputError, IntegrityError
from pipeline.evidence.manifest import MANIFEST, PACK_FILES, RAPID
from pipeline.ledger import INDEX, is_run
from pipeline.ports import CATEGORIES, show_path
from pipeline.removals import reduce_run, removed_runs, run_sums
from pipeline.store import EXECUTIONS, MAX_ARTIFACT_BYTES, MAX_INDEX_BYTES
from pipeline.store_verify import verify_store
from pipeline.sums import SUMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipeline.ports import ArtifactFolder, Content
    from pipeline.store import Store

__all__ = ["MergeResult", "MergeSource", "merge_folders"]

_TORN = re.compile(r"index\.torn-[0-9]{1,12}-[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeSource:
    """A worker's artifacts folder; ``root`` is where its files stand, from where large ones are streamed."""

    name: str
    folder: ArtifactFolder
    root: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeResult:
    """What a merge did: lines that were new and known, and the run folders (``<category>/<run>``) that it wrote."""

    added: int
    known: int
    places: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Place:
    """A run folder as it is going to be: digest of each file, and which of them come from which source."""

    digests: dict[str, str]
    given: dict[str, MergeSource] = field(default_factory=dict)


def merge_folders(
    store: Store, folder: ArtifactFolder, sources: Sequence[MergeSource], *, now: datetime
) -> MergeResult:
    """Bring everything that ``sources`` hold into ``folder``, which ``store`` keeps.

    Each source is verified whole before anything is written. Lines are added as ``merge_chains`` orders them, in one
    step; run folders appear whole before it. Killed at any moment, the folder verifies, and the same merge again
    completes it. IntegrityError where a source has problems, or the same run has other bytes: both digests are named.
    """
    with ExitStack() as held:
        for source in sources:
            held.enter_context(source.folder.locked(shared=True))
        chains = [_verified(source, now) for source in sources]
        with store.writing() as index:
            target = read_chain(index, where=INDEX)
            merged = merge_chains(target, chains)
            places = _Plan(folder, target, merged).places(sources, chains)
            executions = dict(_executions(sources, merged))
            _set_aside(folder, sources, merged)
            manifests = {place: each.digests[MANIFEST] for place, each in places.items() if MANIFEST in each.given}
            store.announce(manifests)
            for place, planned in sorted(places.items()):
                _write(folder, place, planned)
            if merged:
                store.append_lines([each.row for each in merged], executions)
            for line in removed_runs([*target.lines, *(each.line for each in merged)]).values():
                reduce_run(folder, line)
    known = len(set().union(*(chain.identities for chain in chains))) - len(merged)
    return MergeResult(added=len(merged), known=known, places=tuple(sorted(places)))


def _verified(source: MergeSource, now: datetime) -> Chain:
    found = verify_store(source.folder, now=now)
    if found.problems:
        count = len(found.problems)
        raise IntegrityError(
            f"{found.problems[0]} (problemas: {count}); nada foi reunido",
            where=source.name,
            mend="rode `verificar` nela",
        )
    data = source.folder.read(INDEX, limit=MAX_INDEX_BYTES) or b""
    chain = read_chain(data, where=f"{source.name}/{INDEX}")
    if not chain.lines:
        raise InputError("nenhuma execução registrada", where=source.name, mend="indique uma pasta de artefatos")
    return chain


class _Plan:
    """What each run folder is going to hold, source by source; a difference is an error before anything is written."""

    def __init__(self, folder: ArtifactFolder, target: Chain, merged: Iterable[MergedLine]) -> None:
        self._folder = folder
        self._lines = _by_run(target)
        self._fresh = {each.origin.sha256 for each in merged}
        self._places: dict[str, _Place] = {}

    def places(self, sources: Sequence[MergeSource], chains: Sequence[Chain]) -> dict[str, _Place]:
        """Those that change."""
        for source, chain in zip(sources, chains, strict=True):
            lines = _by_run(chain)
            for run in sorted(_runs(source.folder)):
                own, known = lines.get(run, frozenset()), self._lines.get(run, frozenset())
                if not own or not own <= known:
                    self._take(source, run, newer=bool(own) and known <= own)
                    self._lines[run] = known | own
        return {place: planned for place, planned in self._places.items() if planned.given}

    def _take(self, source: MergeSource, run: str, *, newer: bool) -> None:
        """The run as ``source`` has it, beside what is there; the files of a pack go by the newer state of the run."""
        for category in CATEGORIES:
            place = f"{category}/{run}"
            found = run_sums(source.folder, place)
            if found is None:
                continue
            present = self._place(place)
            for path, digest in found[1].items():
                there = present.digests.get(path)
                if there == digest:
                    continue
                replaceable = newer and category == "reports" and path in PACK_FILES
                if there is not None and not (replaceable and self._goes_on(source, place, path)):
                    raise IntegrityError(
                        f"o mesmo run com outros bytes: sha256 {there} aqui e {digest} em {source.name}; nada mudou",
                        where=show_path(f"{place}/{path}"),
                        mend="descubra qual é o verdadeiro; as mesmas entradas devem dar os mesmos bytes",
                    )
                present.digests[path] = digest
                present.given[path] = source

    def _place(self, place: str) -> _Place:
        if place not in self._places:
            found = run_sums(self._folder, place)
            self._places[place] = _Place(digests={} if found is None else dict(found[1]))
        return self._places[place]

    def _goes_on(self, source: MergeSource, place: str, path: str) -> bool:
        """Whether the decisions that are there are the first of those that come; other files of a pack are remade."""
        if path != RAPID:
            return True
        given = self._places[place].given.get(path)
        before = (self._folder if given is None else given.folder).read(f"{place}/{path}", limit=MAX_ARTIFACT_BYTES)
        after = source.folder.read(f"{place}/{path}", limit=MAX_ARTIFACT_BYTES)
        return before is not None and after is not None and after.startswith(before)


def _by_run(chain: Chain) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in chain.lines:
        found.setdefault(line.run, set()).add(line.identity)
    return {run: frozenset(identities) for run, identities in found.items()}


def _runs(folder: ArtifactFolder) -> set[str]:
    return {each.path for category in CATEGORIES for each in folder.entries(category) if is_run(each.path)}


def _executions(sources: Sequence[MergeSource], merged: Iterable[MergedLine]) -> Iterator[tuple[str, bytes]]:
    """Each new line's execution, under the name that the line gives it here."""
    for each in merged:
        source, line = sources[each.source], each.line
        data = source.folder.read(line.execution_path, limit=MAX_ARTIFACT_BYTES)
        if data is None or sha256_hex(data) != line.execution_sha256:
            where = f"{source.name}/{line.execution_path}"
            raise IntegrityError(
                "execução ausente ou com outros bytes", where=where, mend="rode um comando lá, que a conclui"
            )
        yield f"reports/{line.run}/{EXECUTIONS}/{each.origin.sha256[:16]}.json", data


def _set_aside(folder: ArtifactFolder, sources: Sequence[MergeSource], merged: Iterable[MergedLine]) -> None:
    """Torn lines that the new ones name go along."""
    for each in merged:
        recovered, source = each.line.recovered, sources[each.source]
        if recovered is None:
            continue
        where = show_path(f"{source.name}/{recovered.path}")
        data = source.folder.read(recovered.path, limit=MAX_INDEX_BYTES) if _TORN.fullmatch(recovered.path) else None
        if data is None or sha256_hex(data) != recovered.sha256:
            raise IntegrityError("ausente, ou não confere com o índice", where=where, mend="restaure a cópia original")
        if folder.digest(recovered.path) != recovered.sha256:
            folder.put(recovered.path, data)


def _write(folder: ArtifactFolder, place: str, planned: _Place) -> None:
    files: Mapping[str, Content] = {path: source.root.joinpath(place, path) for path, source in planned.given.items()}
    kept = planned.digests.keys() - files.keys()
    executions = [f"{EXECUTIONS}/{each.path}" for each in folder.entries(f"{place}/{EXECUTIONS}")]
    folder.replace_folder(
        place,
        {**files, SUMS: sort_sums(planned.digests)},
        keep=[*sorted(kept), *executions],
        digests=planned.digests,
    )

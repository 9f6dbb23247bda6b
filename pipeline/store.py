"""The artifacts layout of contract.md: run folders that appear whole, and the index of executions."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.codec import dump_json, load_json, sha256_hex, sort_sums
from pipeline.errors import InputError, IntegrityError, UsageError
from pipeline.ledger import (
    INDEX,
    Execution,
    IndexLine,
    Ledger,
    Recovered,
    build_line,
    dump_record,
    is_run,
    parse_ledger,
)
from pipeline.ports import CATEGORIES, Blob, path_fault, show_path
from pipeline.sums import SUMS, parse_sums

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pipeline.ports import ArtifactFolder, Content

__all__ = [
    "ANNOUNCED",
    "BATCH",
    "EXECUTIONS",
    "LATEST",
    "MAX_ARTIFACT_BYTES",
    "MAX_INDEX_BYTES",
    "PENDING",
    "RUN_FILE",
    "Store",
    "run_id",
]

LATEST = "LATEST"
RUN_FILE = "run.json"
EXECUTIONS = "executions"
PENDING = ".tmp-execution"  # an execution's JSON between its index line and its place; ``recover`` puts it there
ANNOUNCED = ".tmp-manifests"  # manifests that stand in their runs before the index names them
BATCH = ".tmp-executions"  # the same for the executions of many lines that were added in one step
MAX_ARTIFACT_BYTES = 2 * 1024**3
MAX_INDEX_BYTES = 256 * 1024**2
_MODULE = re.compile(r"[a-z0-9]{1,12}")


def run_id(inputs: Mapping[str, str]) -> str:
    """Name of the run that ``inputs`` make: ``m07-`` and 16 hex digits of the digest of all of them.

    ``inputs`` must hold ``module`` and everything that can change a byte of the run; equal inputs give equal names.
    """
    prefix = inputs.get("module", "").lower()
    if _MODULE.fullmatch(prefix) is None:
        prefix = "run"
    return f"{prefix}-{sha256_hex(dump_json(dict(inputs)))[:16]}"


class Store:
    """Runs below one artifacts folder. Every method is whole or not at all, and safe beside other processes."""

    def __init__(self, folder: ArtifactFolder) -> None:
        self._folder = folder
        self._parsed: dict[str, tuple[bytes, dict[str, str]]] = {}

    def begin(self, inputs: Mapping[str, str]) -> str:
        """Record what the run is made from (``reports/<run>/run.json``) and return its id; twice is a no-op."""
        run = run_id(inputs)
        record = {"schema_version": "1.0", "run": run, "inputs": dict(inputs)}
        self.publish(run, "reports", {RUN_FILE: dump_json(record)}, stage="begin")
        return run

    def publish(
        self,
        run: str,
        category: str,
        files: Mapping[str, Content],
        *,
        stage: str,
        grows: Collection[str] = (),
        supersedes: Collection[str] = (),
    ) -> dict[str, str]:
        """Add files to a run; return the digest of each. Readers see the folder before or after, never between.

        A file that is there already must have the same bytes (then nothing is written), start with the old bytes when
        its path is in ``grows`` (the decisions), or be in ``supersedes`` (packs that are made again after a decision).
        IntegrityError otherwise, and when a file on disk no longer has its recorded digest.
        """
        _check_place(run, category)
        for path in files:
            _check_path(path, f"{category}/{run}")
        with self._folder.locked():
            self._recover()
            place = f"{category}/{run}"
            present = self._sums(place) or {}
            digests = {path: _digest(self._folder, content) for path, content in files.items()}
            changed = {path: content for path, content in files.items() if present.get(path) != digests[path]}
            for path in sorted(files.keys() & present.keys()):
                self._check_intact(place, path, present[path])
                if path in changed and path not in supersedes:
                    self._check_growth(f"{place}/{path}", changed[path], stage=stage, grows=path in grows)
            if changed or not present:
                kept = present.keys() - changed.keys()
                merged = {path: present[path] for path in kept} | {path: digests[path] for path in changed}
                if not merged:
                    raise UsageError(f"a etapa {stage} não produziu arquivo algum", where=place)
                executions = [f"{EXECUTIONS}/{each.path}" for each in self._folder.entries(f"{place}/{EXECUTIONS}")]
                self._folder.replace_folder(
                    place, {**changed, SUMS: sort_sums(merged)}, keep=[*sorted(kept), *executions], digests=digests
                )
        return digests

    def read(self, run: str, category: str, path: str) -> bytes:
        """Bytes of a published file, hashed again; IntegrityError when missing, not listed or different."""
        place = self._place(run, category)
        with self._folder.locked(shared=True):
            listed = (self._sums(place) or {}).get(path)
            data = None if listed is None else self._folder.read(f"{place}/{path}", limit=MAX_ARTIFACT_BYTES)
        if listed is None or data is None:
            raise IntegrityError("artefato ausente", where=show_path(f"{place}/{path}"), mend="rode a etapa de novo")
        if sha256_hex(data) != listed:
            raise _changed(f"{place}/{path}")
        return data

    def has(self, run: str, category: str, *paths: str) -> bool:
        """Whether every path is listed; what it holds is checked by ``read``."""
        return set(paths) <= self.digests(run, category).keys()

    def digests(self, run: str, category: str) -> dict[str, str]:
        """Path → digest of everything listed; empty where the run has nothing in this category."""
        place = self._place(run, category)
        with self._folder.locked(shared=True):
            return dict(self._sums(place) or {})

    def latest(self) -> str | None:
        """Id of the newest run; None before the first execution was recorded."""
        data = self._folder.read(LATEST, limit=64)
        if data is None:
            return None
        run = data.decode("ascii", "replace").removesuffix("\n")
        if not is_run(run):
            raise IntegrityError("não nomeia um run", where=LATEST, mend="rode verificar")
        return run

    def append(self, execution: Execution) -> IndexLine:
        """Record one execution: its index line is the commit point, then ``LATEST`` and its JSON follow.

        A torn last line of a crash is moved aside and named by the new line. IntegrityError when the chain is broken
        or the run was never begun; UsageError when retention is under 90 days.
        """
        with self.writing():
            return self.record(execution)

    def record(self, execution: Execution) -> IndexLine:
        """``append`` inside ``writing``."""
        _check_place(execution.run, "reports")
        data, ledger = self._ledger()
        if self._sums(f"reports/{execution.run}") is None:
            raise IntegrityError("run sem pasta em reports", where=execution.run, mend="rode a etapa de novo")
        recovered = self._set_aside(ledger)
        record = dump_record(execution, ledger.next_sequence)
        line = build_line(execution, ledger, record=record, recovered=recovered)
        written = parse_ledger(data[: len(data) - len(ledger.torn)] + line).lines[-1]
        self._folder.put(PENDING, record)
        if recovered is None:
            self._folder.append(INDEX, line)
        else:
            self._folder.put(INDEX, data[: len(data) - len(ledger.torn)] + line)
        self._settle(written)
        return written

    @contextmanager
    def writing(self) -> Iterator[bytes]:
        """Hold the folder alone, mended; gives the index as it is."""
        with self._folder.locked():
            self._recover()
            yield self._ledger()[0]

    def announce(self, manifests: Mapping[str, str]) -> None:
        """Say which manifests, by run folder, stand there before ``append_lines``: for who checks meanwhile."""
        if manifests:
            self._folder.put(ANNOUNCED, dump_json(dict(manifests)))

    def append_lines(self, rows: Sequence[bytes], executions: Mapping[str, bytes]) -> None:
        """Add lines that go on from the last one, all or none, and the executions that they name. Inside ``writing``.

        A torn last line of a crash is moved aside.
        """
        data, ledger = self._ledger()
        self._set_aside(ledger)
        whole = data[: len(data) - len(ledger.torn)] + b"".join(rows)
        lines = parse_ledger(whole).lines
        self._folder.put(BATCH, dump_json({path: data.decode() for path, data in executions.items()}))
        self._folder.put(INDEX, whole)
        self._settle_batch(executions, lines)

    def history(self) -> tuple[IndexLine, ...]:
        """Every recorded execution, oldest first; IntegrityError when the chain is broken."""
        with self._folder.locked(shared=True):
            return self._ledger()[1].lines

    def asked_before(self, asked: str, *, most: int) -> list[tuple[IndexLine, bytes]]:
        """The newest executions that were asked exactly this, each with its JSON as the index vouches for it."""
        with self._folder.locked():
            self._recover()
            data = self._folder.read(INDEX, limit=MAX_INDEX_BYTES) or b""
            if f'"asked":"{asked}"'.encode() not in data:  # spares a long index its reading
                return []
            lines = [each for each in reversed(self._ledger()[1].lines) if each.asked == asked][:most]
            return [(each, self._execution(each)) for each in lines if self._sums(f"reports/{each.run}") is not None]

    def _execution(self, line: IndexLine) -> bytes:
        data = self._folder.read(line.execution_path, limit=MAX_INDEX_BYTES)
        if data is None or sha256_hex(data) != line.execution_sha256:
            raise IntegrityError(
                "não confere com o índice", where=line.execution_path, mend="restaure a cópia, ou use --no-cache"
            )
        return data

    def state(self, run: str, *places: str) -> dict[str, str]:
        """Digest of the ``SHA256SUMS`` of a run's folders, and of other places; empty for one that is not there."""
        _check_place(run, "reports")
        with self._folder.locked(shared=True):
            wanted = (*(f"{category}/{run}" for category in CATEGORIES), *places)
            return {place: self._folder.digest(f"{place}/{SUMS}") or "" for place in wanted}

    def count_intact(self, state: Mapping[str, str]) -> int | None:
        """Files below folders that are as ``state`` gave them, each hashed again; None where a list is another.

        IntegrityError for a file that is missing or not as listed.
        """
        count = 0
        with self._folder.locked(shared=True):
            for place, digest in state.items():
                if (self._folder.digest(f"{place}/{SUMS}") or "") != digest:
                    return None
                for path, listed in (self._sums(place) or {}).items():
                    self._check_intact(place, path, listed)
                    count += 1
        return count

    def _place(self, run: str, category: str) -> str:
        _check_place(run, category)
        return f"{category}/{run}"

    def _sums(self, place: str) -> dict[str, str] | None:
        data = self._folder.read(f"{place}/{SUMS}", limit=MAX_ARTIFACT_BYTES)
        if data is not None:
            known = self._parsed.get(place)
            if known is None or known[0] != data:  # read anew each time, understood once: every file's digest is in it
                known = self._parsed[place] = (data, parse_sums(data, where=f"{place}/{SUMS}"))
            return known[1]
        if self._folder.entries(place):
            raise IntegrityError(f"pasta sem {SUMS}", where=place, mend="restaure a cópia original")
        return None

    def _check_intact(self, place: str, path: str, listed: str) -> None:
        if self._folder.digest(f"{place}/{path}") != listed:
            raise _changed(f"{place}/{path}")

    def _check_growth(self, where: str, content: Content, *, stage: str, grows: bool) -> None:
        if grows and isinstance(content, bytes):
            old = self._folder.read(where, limit=MAX_ARTIFACT_BYTES)
            if old is not None and content.startswith(old):
                return
        raise IntegrityError(
            f"a etapa {stage} deu outros bytes para o mesmo run",
            where=show_path(where),
            mend="as mesmas entradas devem dar os mesmos bytes; guarde as duas versões e avise a manutenção",
        )

    def _ledger(self) -> tuple[bytes, Ledger]:
        data = self._folder.read(INDEX, limit=MAX_INDEX_BYTES) or b""
        return data, parse_ledger(data)

    def _set_aside(self, ledger: Ledger) -> Recovered | None:
        if not ledger.torn:
            return None
        digest = sha256_hex(ledger.torn)
        path = f"index.torn-{ledger.next_sequence}-{digest[:16]}"
        self._folder.put(path, ledger.torn)
        return Recovered(path=path, sha256=digest, size=len(ledger.torn))

    def _settle(self, line: IndexLine) -> None:
        if line.is_execution:
            self._folder.put(LATEST, f"{line.run}\n".encode())
        self._folder.move(PENDING, line.execution_path)

    def _settle_batch(self, executions: Mapping[str, bytes], lines: Sequence[IndexLine]) -> None:
        for path, data in executions.items():
            if self._folder.digest(path) != sha256_hex(data):
                self._folder.put(path, data)
        for newest in [line.run for line in lines if line.is_execution][-1:]:
            self._folder.put(LATEST, f"{newest}\n".encode())
        self._folder.remove(ANNOUNCED)
        self._folder.remove(BATCH)

    def _recover(self) -> None:
        """Finish what a killed process had committed to the index, undo what it had not."""
        self._folder.clean(spare={PENDING, BATCH, ANNOUNCED})
        pending, batch = self._folder.digest(PENDING), self._folder.read(BATCH, limit=MAX_INDEX_BYTES)
        if pending is None and batch is None:
            return
        lines = self._ledger()[1].lines
        if lines and lines[-1].execution_sha256 == pending:
            self._settle(lines[-1])
        elif pending is not None:
            self._folder.remove(PENDING)
        if batch is not None:
            executions = {path: str(text).encode() for path, text in load_json(batch, where=BATCH).items()}
            recorded = {line.execution_path: line.execution_sha256 for line in lines}
            if all(recorded.get(path) == sha256_hex(data) for path, data in executions.items()):
                self._settle_batch(executions, lines)
            else:
                self._folder.remove(BATCH)


def _digest(folder: ArtifactFolder, content: Content) -> str:
    if isinstance(content, Blob):
        return content.sha256  # held against its bytes when it is published
    return sha256_hex(content) if isinstance(content, bytes) else folder.digest_outside(content)


def _changed(where: str) -> IntegrityError:
    return IntegrityError(f"não confere com {SUMS}", where=show_path(where), mend="restaure a cópia original")


def _check_place(run: str, category: str) -> None:
    if category not in CATEGORIES:
        raise UsageError(f"categoria desconhecida: {show_path(category)}", mend=f"use uma de {', '.join(CATEGORIES)}")
    if not is_run(run):
        raise UsageError(f"id de run inválido: {show_path(run)}", mend="use o id que a execução mostrou")


def _check_path(path: str, place: str) -> None:
    fault = path_fault(path)
    if fault is None and (path == SUMS or f"{path}/".startswith(f"{EXECUTIONS}/")):
        fault = "nome reservado"
    if fault is not None:
        raise InputError(fault, where=show_path(f"{place}/{path}"), mend="corrija o caminho")

"""Checking an artifacts folder from its files alone: closed sets, hashes, the chain, retention."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.codec import load_json, sha256_hex
from pipeline.errors import PipelineError
from pipeline.ledger import INDEX, MIN_RETENTION_DAYS, IndexLine, Ledger, is_run, parse_ledger
from pipeline.ports import CATEGORIES, show_path
from pipeline.removals import held_runs, removed_runs
from pipeline.store import ANNOUNCED, BATCH, EXECUTIONS, LATEST, MAX_ARTIFACT_BYTES, PENDING, RUN_FILE, run_id
from pipeline.sums import SUMS, parse_sums

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.ports import ArtifactFolder

__all__ = ["StoreFault", "Verification", "verify_store"]

_STAGED = ".tmp-"
_OWN_FILES = frozenset({".appgear-pipeline", ".lock", "README.md", ".gitignore", ".gitkeep", LATEST, INDEX})
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreFault:
    """One thing that does not hold. ``path`` is relative to the artifacts folder, shown without control characters.

    ``code``: ``changed``, ``missing``, ``surplus``, ``special`` (link or other), ``sums``, ``chain``, ``latest``,
    ``retention``, ``clock``, ``run`` (folder name and inputs disagree), ``unreadable``, ``empty``.
    """

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What was examined and what does not hold; ``notes`` are states that a crash or a running execution explains."""

    problems: tuple[StoreFault, ...]
    notes: tuple[StoreFault, ...]
    runs: int
    files: int
    executions: int

    @property
    def ok(self) -> bool:
        return not self.problems


def verify_store(folder: ArtifactFolder, *, now: datetime | None = None) -> Verification:
    """Check everything below ``folder``; never raises for what it finds, each problem names its path.

    Each run folder is a closed set: what ``SHA256SUMS`` lists, no more, no less, regular files only. Each index line is
    bound to the one before and to its execution's JSON. ``now`` (aware) adds the checks that need a trusted time: a
    line from the future, and runs that may be gone because their retention is over.
    """
    check = _Check(folder, now)
    with folder.locked(shared=True):
        check.all()
    key = _sort_key
    return Verification(
        problems=tuple(sorted(check.problems, key=key)),
        notes=tuple(sorted(check.notes, key=key)),
        runs=len(check.runs),
        files=check.files,
        executions=check.executions,
    )


def _sort_key(fault: StoreFault) -> tuple[str, str]:
    return fault.path, fault.code


def _folders_of(listed: dict[str, str], category: str) -> set[str]:
    """Folders that a run's listing implies."""
    folders = {"/".join(each.split("/")[:end]) for each in listed for end in range(1, each.count("/") + 1)}
    return folders | {EXECUTIONS} if category == "reports" else folders


def _since_removal(own: list[IndexLine]) -> list[IndexLine]:
    """A run's lines after the last time that its files were removed."""
    at = max((number for number, line in enumerate(own, 1) if line.removal is not None), default=0)
    return own[at:]


@dataclass(slots=True)
class _Check:
    folder: ArtifactFolder
    now: datetime | None
    problems: list[StoreFault] = field(default_factory=list)
    notes: list[StoreFault] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    sums: dict[str, dict[str, str]] = field(default_factory=dict)
    executions: int = 0
    executions_seen: set[str] = field(default_factory=set)
    files: int = 0

    def all(self) -> None:
        ledger = self._index()
        lines = ledger.lines if ledger else ()
        recorded = {line.execution_path: line for line in lines}
        for category in self._root(lines):
            self._category(category, recorded, known=ledger is not None)
        if ledger is not None:
            self._lines(lines)
            self._latest(lines)
        if not self.runs and not self.problems:
            self._bad("empty", "", "nenhum run: nada foi examinado")

    def _bad(self, code: str, path: str, message: str) -> None:
        self.problems.append(StoreFault(code=code, path=show_path(path) or ".", message=message))

    def _note(self, code: str, path: str, message: str) -> None:
        self.notes.append(StoreFault(code=code, path=show_path(path) or ".", message=message))

    def _read(self, path: str) -> bytes | None:
        try:
            return self.folder.read(path, limit=MAX_ARTIFACT_BYTES)
        except PipelineError as error:
            self._bad("unreadable", path, error.message)
            return None

    def _digest(self, path: str) -> str | None:
        try:
            return self.folder.digest(path)
        except PipelineError as error:
            self._bad("unreadable", path, error.message)
            return None

    def _index(self) -> Ledger | None:
        data = self._read(INDEX)
        if data is None:
            return None
        try:
            ledger = parse_ledger(data)
        except PipelineError as error:
            self._bad("chain", error.where, error.message)
            return None
        if ledger.torn:
            self._note("chain", INDEX, "última linha incompleta; a próxima execução a guarda à parte")
        self.executions = len(ledger.lines)
        return ledger

    def _root(self, lines: tuple[IndexLine, ...]) -> list[str]:
        """Judge the names at the top; return the category folders that are there."""
        found = []
        aside = {line.recovered.path: line.recovered.sha256 for line in lines if line.recovered}
        for entry in self.folder.entries(""):
            if entry.kind == "folder" and entry.path in CATEGORIES:
                found.append(entry.path)
            elif entry.path in aside and entry.kind == "file":
                if self._digest(entry.path) not in {aside.pop(entry.path), None}:
                    self._bad("changed", entry.path, "não confere com o índice")
            elif entry.path.startswith(_STAGED) or (entry.kind == "file" and entry.path.startswith("index.torn-")):
                self._note("surplus", entry.path, "sobra de uma execução interrompida")
            elif entry.kind in {"link", "other"}:
                self._bad("special", entry.path, "link ou arquivo especial")
            elif entry.kind == "folder" or entry.path not in _OWN_FILES:
                self._bad("surplus", entry.path, "não pertence à pasta de artefatos")
        for path in aside:
            self._bad("missing", path, "citado pelo índice e ausente")
        return found

    def _category(self, category: str, recorded: dict[str, IndexLine], *, known: bool) -> None:
        for entry in self.folder.entries(category):
            place = f"{category}/{entry.path}"
            if entry.path.startswith(_STAGED):
                self._note("surplus", place, "sobra de uma execução interrompida")
            elif entry.kind != "folder":
                code = "surplus" if entry.kind == "file" else "special"
                self._bad(code, place, "não pertence à pasta de artefatos")
            elif not is_run(entry.path):
                self._bad("surplus", place, "o nome da pasta não é de um run")
            else:
                self._run(category, entry.path, recorded, known=known)

    def _run(self, category: str, run: str, recorded: dict[str, IndexLine], *, known: bool) -> None:
        place = f"{category}/{run}"
        self.runs.add(run)
        self.places.add(place)
        listed = self._listed(place)
        if listed is None:
            return
        missing = dict(listed)
        folders = _folders_of(listed, category)
        for entry in self.folder.walk(place):
            path = f"{place}/{entry.path}"
            if entry.kind in {"link", "other"}:
                missing.pop(entry.path, None)
                self._bad("special", path, "link ou arquivo especial")
            elif entry.kind == "folder":
                if entry.path not in folders:
                    self._bad("surplus", path, f"pasta que {SUMS} não conhece")
            elif category == "reports" and entry.path.startswith(f"{EXECUTIONS}/"):
                self._execution(path, recorded.get(path), known=known)
            elif entry.path != SUMS:
                self._file(path, missing.pop(entry.path, None))
        for each in missing:
            self._bad("missing", f"{place}/{each}", f"listado em {SUMS} e ausente")
        if category == "reports" and listed.keys().isdisjoint(missing):
            self._run_file(run, listed)

    def _listed(self, place: str) -> dict[str, str] | None:
        data = self._read(f"{place}/{SUMS}")
        if data is None:
            self._bad("sums", f"{place}/{SUMS}", "ausente ou ilegível")
            return None
        try:
            listed = parse_sums(data, where=f"{place}/{SUMS}")
        except PipelineError as error:
            self._bad("sums", error.where, error.message)
            return None
        self.sums[place] = listed
        return listed

    def _file(self, path: str, listed: str | None) -> None:
        self.files += 1
        if listed is None:
            self._bad("surplus", path, f"não está em {SUMS}")
            return
        digest = self._digest(path)
        if digest is not None and digest != listed:
            self._bad("changed", path, f"não confere com {SUMS}")

    def _execution(self, path: str, line: IndexLine | None, *, known: bool) -> None:
        self.files += 1
        self.executions_seen.add(path)
        if line is None:
            if known:
                self._bad("surplus", path, "execução que o índice não registra")
        elif self._digest(path) not in {line.execution_sha256, None}:
            self._bad("changed", path, "não confere com o índice")

    def _run_file(self, run: str, listed: dict[str, str]) -> None:
        path = f"reports/{run}/{RUN_FILE}"
        if RUN_FILE not in listed:
            self._bad("missing", path, "o run não diz de que entradas veio")
            return
        try:
            inputs = load_json(self._read(path) or b"", where=path)["inputs"]
            named = run_id({str(key): str(value) for key, value in inputs.items()})
        except (PipelineError, KeyError, TypeError, AttributeError):
            named = ""
        if named != run:
            self._bad("run", path, "as entradas não dão o id deste run")

    def _lines(self, lines: tuple[IndexLine, ...]) -> None:
        by_run: dict[str, list[IndexLine]] = {}
        self._twice(lines)
        removed = removed_runs(lines)
        for number, line in enumerate(lines, 1):
            by_run.setdefault(line.run, []).append(line)
            where = f"{INDEX}:{number}"
            if line.not_before_delete - line.recorded_at < timedelta(days=MIN_RETENTION_DAYS):
                self._bad("retention", where, f"retenção menor que {MIN_RETENTION_DAYS} dias")
            if self.now is not None and line.recorded_at > self.now + _CLOCK_SKEW:
                self._bad("clock", where, "execução registrada no futuro")
        for run, own in by_run.items():
            if f"reports/{run}" not in self.places:
                self._gone(run, max(each.not_before_delete for each in own))
            elif f"reports/{run}" in self.sums:
                self._present(run, own, last=lines[-1])
                if run in removed:
                    self._removed(removed[run], own)
        for run in sorted(self.runs - by_run.keys()):
            self._note("missing", run, "run sem execução registrada (interrompido ou em andamento)")

    def _gone(self, run: str, until: datetime) -> None:
        where = f"reports/{run}"
        if self.now is not None and self.now >= until:
            self._note("missing", where, "run removido depois do prazo de retenção")
        else:
            self._bad("missing", where, f"run registrado e ausente; guardar até {until:%Y-%m-%d}")

    def _twice(self, lines: tuple[IndexLine, ...]) -> None:
        seen: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            first = seen.setdefault(line.identity, number)
            if first != number:
                self._bad("chain", f"{INDEX}:{number}", f"a mesma execução da linha {first}")

    def _removed(self, line: IndexLine, own: list[IndexLine]) -> None:
        """What a removal must have left (inputs and executions), and when it was allowed."""
        where = f"reports/{line.run}"
        before = own[: own.index(line)]
        until = max((each.not_before_delete for each in before if each.is_execution), default=line.not_before_delete)
        if line.recorded_at < until:
            self._bad("retention", where, f"removido em {line.recorded_at:%d/%m/%Y}, antes do prazo ({until:%d/%m/%Y})")
        if line.run in held_runs(before):
            self._bad("retention", where, "removido durante uma retenção legal")
        sums = line.removal.sums if line.removal is not None else {}
        left = {
            place
            for place in self.places
            if place.endswith(f"/{line.run}") and set(self.sums.get(place, ())) != {RUN_FILE}
        }
        for place in sorted(left):
            data = self._read(f"{place}/{SUMS}") or b""
            if sha256_hex(data) == sums.get(place.partition("/")[0]):
                self._note("missing", place, "remoção por concluir; rode `retencao --apply`")
            else:
                self._bad("surplus", place, "arquivos em um run que a retenção removeu")
        if not left:
            self._note("missing", where, f"removido conforme retenção em {line.recorded_at:%d/%m/%Y}")

    def _present(self, run: str, own: list[IndexLine], *, last: IndexLine) -> None:
        place = f"reports/{run}"
        manifest = self.sums[place].get("manifest.json")
        manifests = [line.manifest_sha256 for line in _since_removal(own) if line.manifest_sha256]
        if manifests and manifest != manifests[-1]:
            if self._pending(ANNOUNCED).get(place) == manifest:
                self._note("missing", place, "reunião de índices interrompida; repita `indice --merge`")
            else:
                self._bad("changed", f"{place}/manifest.json", "não confere com o manifesto do índice")
        for line in own:
            if line.execution_path in self.executions_seen:
                continue
            single = line is last and self._digest(PENDING) == line.execution_sha256
            if single or line.execution_path in self._pending(BATCH):
                self._note("missing", line.execution_path, "registro interrompido; a próxima execução o conclui")
            else:
                self._bad("missing", line.execution_path, "citado pelo índice e ausente")

    def _pending(self, name: str) -> dict[str, str]:
        """What a killed process had written down before its work, by path; empty where it left nothing."""
        data = self._read(name)
        try:
            value = load_json(data or b"{}", where=name)
        except PipelineError:
            return {}
        return value if isinstance(value, dict) else {}

    def _latest(self, lines: tuple[IndexLine, ...]) -> None:
        named = (self._read(LATEST) or b"").decode("ascii", "replace").removesuffix("\n")
        executed = [line for line in lines if line.is_execution]
        unsettled = set(self._pending(BATCH))
        if lines and self._digest(PENDING) == lines[-1].execution_sha256:
            unsettled.add(lines[-1].execution_path)
        settled = [line for line in executed if line.execution_path not in unsettled]
        allowed = {each[-1].run if each else "" for each in (executed, settled)}
        if named not in allowed:
            self._bad("latest", LATEST, "não nomeia o run mais novo do índice")

"""``index.jsonl``: one line per execution, each bound to the bytes of the line before it.

Lines are ``1.0`` or ``1.1``; the second may hold figures, an origin in another chain, a hold or a removal
(``domain.execution``). A line of a later version is refused: what it means is not guessed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pipeline.codec import dump_json, sha256_hex
from pipeline.domain.execution import Hold, LineOrigin, Measures, Removal
from pipeline.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "INDEX",
    "MIN_RETENTION_DAYS",
    "ORIGIN",
    "Execution",
    "IndexLine",
    "Ledger",
    "Recovered",
    "build_line",
    "dump_record",
    "dump_row",
    "is_run",
    "merged_row",
    "packs_before",
    "parse_ledger",
]

INDEX = "index.jsonl"
ORIGIN = "0" * 64  # what the first line gives as the digest of the line before it
MIN_RETENTION_DAYS = 90
_RECORD_VERSION = "1.0"
_LINE_VERSION = "1.1"
_VERSIONS = ("1.0", "1.1")
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"[a-z0-9]{1,12}-[0-9a-f]{16}")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_MEND = "restaure o índice da cópia de segurança"
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One launch of a run. ``finished`` is an aware time; ``details`` goes to the execution's own JSON only.

    ``details`` holds what may differ between two executions of the same run (who, CI job, tools, durations); it must be
    JSON and hold no secret. ``asked`` is the digest of what the launch was asked to do, by which a later one finds it.
    ``measures``, ``hold`` and ``removal`` go to the index line.
    """

    run: str
    module: str
    command: str
    pipeline: str
    branch: str | None
    commit: str | None
    verdict: str
    manifest_sha256: str | None
    started: datetime
    finished: datetime
    details: Mapping[str, object]
    retention_days: int = MIN_RETENTION_DAYS
    asked: str | None = None
    measures: Measures | None = None
    hold: Hold | None = None
    removal: Removal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """Bytes of a torn last line that were moved aside before this line was written."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexLine:
    """One line as read; ``sha256`` is of its bytes with the final newline, and is the next line's ``previous``."""

    sequence: int
    run: str
    module: str
    command: str
    pipeline: str
    branch: str | None
    commit: str | None
    verdict: str
    manifest_sha256: str | None
    recorded_at: datetime
    not_before_delete: datetime
    execution_path: str
    execution_sha256: str
    previous: str
    sha256: str
    recovered: Recovered | None = None
    asked: str | None = None
    measures: Measures | None = None
    origin: LineOrigin | None = None
    hold: Hold | None = None
    removal: Removal | None = None

    @property
    def identity(self) -> str:
        """Digest of the line where it was first written: the same in every index that it is merged into."""
        return self.origin.sha256 if self.origin is not None else self.sha256

    @property
    def is_execution(self) -> bool:
        """Whether something ran; a hold or a removal is a word about a run and makes it no newer."""
        return self.hold is None and self.removal is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """The whole index; ``torn`` is what follows the last newline, left by a crash (empty when there is nothing)."""

    lines: tuple[IndexLine, ...]
    torn: bytes

    @property
    def next_sequence(self) -> int:
        return len(self.lines) + 1

    @property
    def head(self) -> str:
        """Digest of the last line; 64 zeros when there is none."""
        return self.lines[-1].sha256 if self.lines else ORIGIN


def packs_before(lines: Iterable[IndexLine]) -> dict[tuple[str, str], str | None]:
    """The manifest of the pack before each one (by module and manifest), in the chain where it first stood."""
    found: dict[tuple[str, str], str | None] = {}
    last: dict[str, str] = {}
    for line in lines:
        if line.manifest_sha256 is not None:
            before = last.get(line.module) if line.origin is None else line.origin.previous_pack
            found.setdefault((line.module, line.manifest_sha256), before)
            last[line.module] = line.manifest_sha256
    return found


def is_run(name: str) -> bool:
    """Whether it has the form of a run's id."""
    return _RUN.fullmatch(name) is not None


def dump_record(execution: Execution, sequence: int) -> bytes:
    """The execution's own JSON."""
    return dump_json(
        {
            "schema_version": _RECORD_VERSION,
            "sequence": sequence,
            "run": execution.run,
            "module": execution.module,
            "command": execution.command,
            "pipeline": execution.pipeline,
            "branch": execution.branch,
            "commit": execution.commit,
            "verdict": execution.verdict,
            "started_at": _stamp(execution.started),
            "finished_at": _stamp(execution.finished),
            "details": dict(execution.details),
        }
    )


def build_line(execution: Execution, ledger: Ledger, *, record: bytes, recovered: Recovered | None) -> bytes:
    """The next line, with its newline. UsageError when retention is under 90 days or a time has no zone."""
    if execution.retention_days < MIN_RETENTION_DAYS:
        raise UsageError(
            f"retenção de {execution.retention_days} dias", mend=f"use pelo menos {MIN_RETENTION_DAYS} dias"
        )
    sequence = ledger.next_sequence
    row: dict[str, object] = {
        "schema_version": _LINE_VERSION,
        "sequence": sequence,
        "run": execution.run,
        "module": execution.module,
        "command": execution.command,
        "pipeline": execution.pipeline,
        "branch": execution.branch,
        "commit": execution.commit,
        "verdict": execution.verdict,
        "manifest_sha256": execution.manifest_sha256,
        "recorded_at": _stamp(execution.finished),
        "not_before_delete": _stamp(_retained_until(execution.finished, execution.retention_days)),
        "execution": {
            "path": f"reports/{execution.run}/executions/{sequence}.json",
            "sha256": sha256_hex(record),
        },
        "previous": ledger.head,
    }
    if execution.asked is not None:
        row["asked"] = execution.asked
    for key in ("measures", "hold", "removal"):
        value = getattr(execution, key)
        if value is not None:
            row[key] = msgspec.to_builtins(value, str_keys=True)
    if recovered is not None:
        row["recovered"] = {"path": recovered.path, "sha256": recovered.sha256, "bytes": recovered.size}
    return dump_row(row)


def dump_row(row: Mapping[str, object]) -> bytes:
    """The one form of a line, with its newline."""
    return (json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def merged_row(row: Mapping[str, Any], origin: LineOrigin, *, sequence: int, previous: str) -> bytes:
    """A line of another chain as it stands in this one: every other word of it is kept."""
    path = _execution_path(row["run"], sequence, origin)
    return dump_row(
        {
            **row,
            "schema_version": _LINE_VERSION,
            "sequence": sequence,
            "previous": previous,
            "execution": {**row["execution"], "path": path},
            "origin": msgspec.to_builtins(origin),
        }
    )


def _original_row(row: Mapping[str, Any], origin: LineOrigin) -> bytes:
    """The line as its first chain has it."""
    kept = {key: value for key, value in row.items() if key != "origin"}
    return dump_row(
        {
            **kept,
            "schema_version": origin.schema_version,
            "sequence": origin.sequence,
            "previous": origin.previous,
            "execution": {**row["execution"], "path": _execution_path(row["run"], origin.sequence, None)},
        }
    )


def _execution_path(run: str, sequence: int, origin: LineOrigin | None) -> str:
    name = str(sequence) if origin is None else origin.sha256[:16]
    return f"reports/{run}/executions/{name}.json"


def parse_ledger(data: bytes, *, where: str = INDEX) -> Ledger:
    """Walk the chain from its first line. IntegrityError names the first line that does not fit."""
    whole, newline, torn = data.rpartition(b"\n")
    lines: list[IndexLine] = []
    previous = ORIGIN
    for number, row in enumerate((whole + newline).splitlines(keepends=True) if newline else (), 1):
        line = _parse_line(row, where=f"{where}:{number}")
        if line.previous != previous:
            raise IntegrityError("a cadeia de hashes não fecha", where=f"{where}:{number}", mend=_MEND)
        if line.sequence != number:
            raise IntegrityError(f"sequência {line.sequence}, esperava {number}", where=f"{where}:{number}", mend=_MEND)
        lines.append(line)
        previous = line.sha256
    return Ledger(lines=tuple(lines), torn=torn)


def _parse_line(row: bytes, *, where: str) -> IndexLine:
    try:
        value = json.loads(row)
        version = value["schema_version"]
        if version not in _VERSIONS and _VERSION.fullmatch(version):
            mend = "atualize a ferramenta"
            raise IntegrityError(f"linha de versão {version}, que esta ferramenta não conhece", where=where, mend=mend)
        line = _read_line(value, sha256_hex(row))
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
        msgspec.MsgspecError,
    ) as error:
        raise IntegrityError("linha do índice fora do formato", where=where, mend=_MEND) from error
    if line.origin is not None and sha256_hex(_original_row(value, line.origin)) != line.origin.sha256:
        raise IntegrityError("a linha não é a que a cadeia de origem gravou", where=where, mend=_MEND)
    return line


def _read_line(value: dict[str, Any], digest: str) -> IndexLine:
    recovered = value.get("recovered")
    line = IndexLine(
        sequence=_integer(value["sequence"]),
        run=_matching(_RUN, value["run"]),
        module=_text(value["module"]),
        command=_text(value["command"]),
        pipeline=_text(value["pipeline"]),
        branch=_optional(value["branch"]),
        commit=_optional(value["commit"]),
        verdict=_text(value["verdict"]),
        manifest_sha256=None if value["manifest_sha256"] is None else _matching(_DIGEST, value["manifest_sha256"]),
        recorded_at=_time(value["recorded_at"]),
        not_before_delete=_time(value["not_before_delete"]),
        execution_path=_text(value["execution"]["path"]),
        execution_sha256=_matching(_DIGEST, value["execution"]["sha256"]),
        previous=_matching(_DIGEST, value["previous"]),
        sha256=digest,
        recovered=None
        if recovered is None
        else Recovered(
            path=_text(recovered["path"]),
            sha256=_matching(_DIGEST, recovered["sha256"]),
            size=_integer(recovered["bytes"]),
        ),
        asked=None if value.get("asked") is None else _matching(_DIGEST, value["asked"]),
        measures=_record(value, "measures", Measures),
        origin=_record(value, "origin", LineOrigin),
        hold=_record(value, "hold", Hold),
        removal=_record(value, "removal", Removal),
    )
    if line.execution_path != _execution_path(line.run, line.sequence, line.origin):
        raise ValueError(line.execution_path)
    if value["schema_version"] not in _VERSIONS:
        raise ValueError(value["schema_version"])
    return line


def _record(value: Mapping[str, Any], key: str, kind: type[_Kind]) -> _Kind | None:
    found = value.get(key)
    return None if found is None else msgspec.convert(found, kind)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _matching(pattern: re.Pattern[str], value: object) -> str:
    text = _text(value)
    if pattern.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _stamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise UsageError("hora sem fuso", mend="passe a hora em UTC")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _retained_until(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError as error:
        raise UsageError(f"retenção de {days} dias não cabe no calendário", mend="use menos dias") from error


def _time(value: object) -> datetime:
    # The format and no other; ``strptime`` would take a third of the time that a long index takes to read.
    return datetime.fromisoformat(_matching(_STAMP, value))

"""Whole processes against one another: interleaved in one run, so that a busy machine slows all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["ROOT", "Contender", "Sample", "Samples", "goal", "interleave", "run_once", "table"]

ROOT = Path(__file__).resolve().parent.parent
_MEBIBYTE_KIB = 1024
# Every contender starts from bytecode, as an installed program does, wherever the sources lie.
_BYTECODE = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONUNBUFFERED": "",
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "appgear-bench-bytecode"),
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One command. ``prepare`` runs before each timed run, outside the clock; ``accept`` are its good exit statuses."""

    name: str
    argv: Sequence[str]
    accept: frozenset[int] = frozenset({0})
    prepare: Callable[[], None] = lambda: None
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Wall seconds, and the largest resident set of the process or of a child that it waited for."""

    seconds: float
    peak_mib: float


@dataclass(frozen=True, kw_only=True)
class Samples:
    """All runs of one contender."""

    runs: tuple[Sample, ...]

    @property
    def seconds(self) -> float:
        return statistics.median(each.seconds for each in self.runs)

    @property
    def peak_mib(self) -> float:
        return max(each.peak_mib for each in self.runs)

    def ratio(self, floor: Samples) -> float:
        """Median of the ratios round by round: what slowed one round slowed both."""
        return statistics.median(
            mine.seconds / theirs.seconds for mine, theirs in zip(self.runs, floor.runs, strict=True)
        )


def run_once(contender: Contender) -> Sample:
    """One timed run from the repository's root. SystemExit, with what it said, when it fails."""
    contender.prepare()
    environment = {**os.environ, **_BYTECODE, **(contender.environment or {})}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(contender.argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in contender.accept:
            said.seek(0)
            sys.exit(f"{contender.name}: saiu com {process.returncode}\n{said.read().decode(errors='replace')[-2000:]}")
    return Sample(seconds=seconds, peak_mib=usage.ru_maxrss / _MEBIBYTE_KIB)


def interleave(contenders: Sequence[Contender], *, rounds: int) -> dict[str, Samples]:
    """``rounds`` runs of each in turn, by name; the first of several rounds warms caches and does not count."""
    found: dict[str, list[Sample]] = {each.name: [] for each in contenders}
    for number in range(rounds + (rounds > 1)):
        if number == 1:
            found = {each.name: [] for each in contenders}
        for each in contenders:
            found[each.name].append(run_once(each))
    return {name: Samples(runs=tuple(runs)) for name, runs in found.items()}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, columns aligned."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for number, row in enumerate((heads, *rows)):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("| " + " | ".join("-" * width for width in widths) + " |")
    sys.stdout.flush()


def goal(text: str, value: float, limit: float, *, at_least: bool = False) -> None:
    """Say whether a goal is met; a missed one is no failure of the bench."""
    met = value >= limit if at_least else value <= limit
    sign = "≥" if at_least else "≤"
    print(f"meta: {'atingida' if met else 'não atingida'}: {text}: {value:.2f} ({sign} {limit:g})", flush=True)

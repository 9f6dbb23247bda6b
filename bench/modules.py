"""Many modules: side by side against one after the other, again with nothing changed, and what each one costs to keep.

Method: modules made from the shipped one's document under other numbers; whole processes, interleaved; the whole trail
with its signed pack, by a key of the bench's own. The sizes are those of the files that the last cold run left.
Run: python bench/modules.py [--modules 18] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from _timing import ROOT, Contender, goal, interleave, table

from pipeline.codec import sha256_hex
from pipeline.ledger import ORIGIN, Execution, build_line, parse_ledger

if TYPE_CHECKING:
    from pipeline.ledger import Ledger

_DOCUMENT = ROOT / "modules" / "m07-portal-backstage" / "module-07-portal-backstage.md"
_VERDICTS = frozenset({0, 10, 11})
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--modules", type=int, default=18)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _write_modules(work, given.modules)
        contenders = _contenders(work, given.modules)
        found = interleave(contenders, rounds=given.rounds)
        table(
            ("lançamento", "segundos", "por módulo (ms)", "pico MiB"),
            [
                (
                    name,
                    f"{each.seconds:.2f}",
                    f"{each.seconds / _count(name, given.modules) * 1000:.0f}",
                    f"{each.peak_mib:.0f}",
                )
                for name, each in found.items()
            ],
        )
        one, two, again, single, repeated, apart = (found[each.name] for each in contenders)
        goal("--jobs 2, parte de --jobs 1", two.ratio(one), 0.6)
        goal("de novo, parte do frio", again.ratio(two), 0.1)
        goal("um módulo de novo, parte do frio", repeated.ratio(single), 0.05)
        goal("--jobs 1, parte de um processo iniciado por módulo", one.ratio(apart), 1.0)
        _sizes(work / "artifacts-2", given.modules)
    _index_costs()


def _count(name: str, modules: int) -> int:
    return 1 if name.startswith("um ") else modules


def _write_modules(work: Path, count: int) -> None:
    text = _DOCUMENT.read_text(encoding="utf-8")
    (work / "modules").mkdir()
    for number in range(10, 10 + count):
        own = text.replace("Módulo 07", f"Módulo {number}").replace("M07", f"M{number}")
        (work / "modules" / f"module-{number}.md").write_text(own, encoding="utf-8")
    (work / "appgear.toml").touch()


def _contenders(work: Path, count: int) -> list[Contender]:
    pattern, one = str(work / "modules" / "*.md"), str(work / "modules" / "module-10.md")

    def launch(name: str, module: str, store: str, *more: str, cold: bool) -> Contender:
        artifacts = work / f"artifacts-{store}"
        argv = [sys.executable, "-m", "pipeline", "evidencias", "-q", "--config", str(work / "appgear.toml")]
        return Contender(
            name=name,
            argv=[*argv, "--module", module, "--artifacts", str(artifacts), *more],
            accept=_VERDICTS,
            prepare=(lambda: shutil.rmtree(artifacts, ignore_errors=True)) if cold else (lambda: None),
            environment={"XDG_CONFIG_HOME": str(work / "config")},
        )

    trail = '"$0" -m pipeline evidencias -q --config "$CONFIG" --artifacts "$OUT" --module "$each"'
    script = f'for each in "$@"; do {trail}; done; true'
    apart = work / "artifacts-apart"
    modules = [str(work / "modules" / f"module-{number}.md") for number in range(10, 10 + count)]
    return [
        launch(f"{count} a frio, --jobs 1", pattern, "1", "--jobs", "1", cold=True),
        launch(f"{count} a frio, --jobs 2", pattern, "2", "--jobs", "2", cold=True),
        launch(f"{count} de novo, --jobs 2", pattern, "2", "--jobs", "2", cold=False),
        launch("um a frio", one, "one", cold=True),
        launch("um de novo", one, "one", cold=False),
        Contender(
            name=f"{count} a frio, um processo iniciado para cada",
            argv=["/bin/sh", "-c", script, sys.executable, *modules],
            prepare=lambda: shutil.rmtree(apart, ignore_errors=True),
            environment={
                "XDG_CONFIG_HOME": str(work / "config"),
                "CONFIG": str(work / "appgear.toml"),
                "OUT": str(apart),
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            },
        ),
    ]


def _sizes(artifacts: Path, count: int) -> None:
    """What a module leaves: in its folders, in its pack, in the index, in its execution's JSON."""
    files = [path for path in artifacts.rglob("*") if path.is_file()]
    lines = (artifacts / "index.jsonl").read_bytes().splitlines(keepends=True)
    records = [path for path in files if path.parent.name == "executions"]
    packs = [path for path in files if path.name == "evidencias.zip"]
    table(
        ("o que fica por módulo", "KiB"),
        [
            ("tudo", f"{sum(path.stat().st_size for path in files) / count / 1024:.0f}"),
            ("evidencias.zip", f"{sum(path.stat().st_size for path in packs) / count / 1024:.0f}"),
            ("linha de índice", f"{sum(map(len, lines)) / len(lines) / 1024:.2f}"),
            ("executions/N.json", f"{sum(path.stat().st_size for path in records) / len(records) / 1024:.2f}"),
            ("arquivos (número)", f"{len(files) / count:.0f}"),
        ],
    )


def _index_costs() -> None:
    """Reading the chain, which every record begins with, by its length."""
    rows = []
    for length in (100, 1000, 10_000):
        data = _chain(length)
        begun = time.perf_counter()
        parse_ledger(data)
        seconds = time.perf_counter() - begun
        rows.append((str(length), f"{len(data) / 1024**2:.1f}", f"{seconds * 1000:.0f}"))
    table(("linhas de índice", "MiB", "ms para ler a cadeia"), rows)


def _chain(length: int) -> bytes:
    lines, previous = [], ORIGIN
    execution = Execution(
        run="m07-0123456789abcdef",
        module="M07",
        command="pipeline",
        pipeline="github:1",
        branch="main",
        commit="c" * 40,
        verdict="bloqueado",
        manifest_sha256="d" * 64,
        started=_NOW,
        finished=_NOW,
        details={},
        asked="a" * 64,
    )
    for number in range(1, length + 1):
        place = SimpleNamespace(next_sequence=number, head=previous)  # all that a line takes from those before it
        line = build_line(execution, cast("Ledger", place), record=b"", recovered=None)
        previous = sha256_hex(line)
        lines.append(line)
    return b"".join(lines)


if __name__ == "__main__":
    main()

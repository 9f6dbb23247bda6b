"""The whole trail, cold, and again with nothing changed: only contents decide what is done again.

Method: whole processes; the artifacts folder is emptied before each cold run and kept for the one after it.
Run: python bench/trail.py [--full]   (--full uses a tree of 2 000 manifests, else 500)
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from _manifests import write_tree
from _timing import ROOT, Contender, goal, interleave, table

_DOCUMENT = ROOT / "modules" / "m07-portal-backstage" / "module-07-portal-backstage.md"
_VERDICTS = frozenset({0, 10, 11})  # what the gate says is no failure of a measurement


def contenders(name: str, module: Path, work: Path) -> list[Contender]:
    """The trail with an empty store, and with a full one."""
    artifacts, config = work / f"artifacts-{name}", work / "appgear.toml"
    config.touch()
    command = [sys.executable, "-m", "pipeline", "pipeline", "-q"]
    argv = [*command, "--module", str(module), "--artifacts", str(artifacts), "--config", str(config)]
    return [
        Contender(
            name=f"{name}, a frio",
            argv=argv,
            accept=_VERDICTS,
            prepare=lambda: shutil.rmtree(artifacts, ignore_errors=True),
        ),
        Contender(name=f"{name}, de novo", argv=argv, accept=_VERDICTS),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        size = 2000 if full else 500
        write_tree(work / "tree", size)
        names = {"documento M07": _DOCUMENT, f"árvore de {size}": work / "tree"}
        pairs = {name: contenders(name, module, work) for name, module in names.items()}
        found = interleave([each for pair in pairs.values() for each in pair], rounds=5 if full else 3)
    table(
        ("trilha", "segundos", "pico MiB"),
        [(name, f"{each.seconds:.2f}", f"{each.peak_mib:.0f}") for name, each in found.items()],
    )
    for cold, again in pairs.values():
        goal(f"{again.name}, parte do frio", found[again.name].ratio(found[cold.name]), 0.05)


if __name__ == "__main__":
    main()

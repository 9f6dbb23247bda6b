"""What a command costs before it works: `--help`, one audit of a real document, the same through nox.

Method: whole processes in turn, medians; ratios to a bare interpreter. The document is the one that this repository
ships, and an original of a like size where its path is given.
Run: python bench/start.py [--full] [DOCUMENT]
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from _timing import ROOT, Contender, goal, interleave, table

_DOCUMENT = ROOT / "modules" / "m07-portal-backstage" / "module-07-portal-backstage.md"


def contenders(document: Path, work: Path) -> list[Contender]:
    """Bare interpreter, help, audit, and nox where it is installed."""
    artifacts, config = work / "artifacts", work / "appgear.toml"
    config.touch()
    options = ["-q", "--module", str(document), "--artifacts", str(artifacts), "--config", str(config)]

    def forget() -> None:
        shutil.rmtree(artifacts, ignore_errors=True)

    found = [
        Contender(name="python -c pass", argv=[sys.executable, "-c", "pass"]),
        Contender(name="--help", argv=[sys.executable, "-m", "pipeline", "--help"]),
        Contender(name="mapa_nc --help", argv=[sys.executable, "-m", "pipeline", "mapa_nc", "--help"]),
        Contender(name="mapa_nc", argv=[sys.executable, "-m", "pipeline", "mapa_nc", *options], prepare=forget),
    ]
    if importlib.util.find_spec("nox") is not None:
        nox = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "-s", "mapa_nc", "--", *options]
        found.append(Contender(name="nox -s mapa_nc", argv=nox, prepare=forget))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("document", nargs="?", type=Path, default=_DOCUMENT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = interleave(contenders(options.document.resolve(), Path(folder)), rounds=15 if options.full else 7)
    bare = found["python -c pass"]
    table(
        ("processo", "segundos", "× python", "pico MiB"),
        [
            (name, f"{each.seconds:.3f}", f"{each.ratio(bare):.1f}", f"{each.peak_mib:.0f}")
            for name, each in found.items()
        ],
    )
    goal("--help, × python", found["--help"].ratio(bare), 2.5)
    goal("mapa_nc, segundos", found["mapa_nc"].seconds, 0.6)
    if "nox -s mapa_nc" in found:
        goal("mapa_nc pelo nox, segundos", found["nox -s mapa_nc"].seconds, 2.0)
    else:
        print("nox não está instalado: fica de fora")


if __name__ == "__main__":
    main()

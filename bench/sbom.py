"""All SBOM formats of an image, checked and written, against syft with one output and its own settings.

Method: whole processes in turn over one OCI layout: a base of Debian's form and very many packages of npm with their
code, one gzip layer each. syft reads the layout as it lies there and prints CycloneDX JSON; ours opens it, lists it,
writes three formats and holds each against its standard. syft is 1; the goal is 1.05.
Run: python bench/sbom.py [LAYOUT] [--full]   (any layout; without one it is made, --full with 1,200 packages)
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from _timing import ROOT, Contender, goal, interleave, table

sys.path.insert(0, str(ROOT / "tests"))

_CODE_BYTES = 256 * 1024


def write_sample(folder: Path, packages: int) -> Path:
    """A layout with so many packages of npm; each brings code that compresses as code does."""
    from ocikit import DISTROLESS, write_image, write_layout  # noqa: PLC0415  # the path above leads to it

    words = [
        f"export const name{number} = (value) => require('./part{number % 97}')(value);\n" for number in range(4096)
    ]
    files: dict[str, str | bytes] = {}
    for number in range(packages):
        start = number * 37 % 4096
        code = "".join(words[start:] + words[:start])[:_CODE_BYTES]
        manifest = f'{{"name": "package-{number}", "version": "1.{number}.0", "license": "MIT", "author": "Ana"}}'
        files[f"app/node_modules/package-{number}/index.js"] = code
        files[f"app/node_modules/package-{number}/package.json"] = manifest
    return write_layout(folder, write_image(folder, [DISTROLESS, files]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("layout", nargs="?", type=Path)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    from pipeline.adapters.runner import SYSTEM_PATH, SealedRunner  # noqa: PLC0415  # after the path is known
    from pipeline.adapters.syft import find_syft  # noqa: PLC0415

    syft = find_syft(SealedRunner(), search_path=SYSTEM_PATH, outside=[])
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        layout = (options.layout or write_sample(place / "layout", 1200 if options.full else 300)).resolve()
        artifacts = place / "artifacts"
        ours = [sys.executable, "-m", "pipeline", "sbom", "--image", str(layout), "--artifacts", str(artifacts), "-q"]
        theirs = [str(syft.path), "scan", f"oci-dir:{layout}", "-o", "cyclonedx-json", "-q"]
        contenders = (
            Contender(
                name=f"syft {syft.version}, one output",
                argv=theirs,
                environment={"SYFT_CHECK_FOR_APP_UPDATE": "false", "HOME": made, "PATH": os.environ["PATH"]},
            ),
            Contender(
                name="all formats, checked",
                argv=ours,
                prepare=lambda: shutil.rmtree(artifacts, ignore_errors=True),
                environment={"PYTHONPATH": str(ROOT)},
            ),
        )
        times = interleave(contenders, rounds=3)
    floor, whole = (times[each.name] for each in contenders)
    table(
        ("quem", "segundos", "× syft com uma saída"),
        [(name, f"{each.seconds:.2f}", f"{each.ratio(floor):.2f}") for name, each in times.items()],
    )
    goal("todos os formatos, × syft com uma saída", whole.ratio(floor), 1.05)


if __name__ == "__main__":
    main()

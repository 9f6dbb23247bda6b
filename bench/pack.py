"""The evidence pack on a large run: writing the zip against Info-ZIP, ``verificar`` against hashing the same bytes.

Method: a real signed pack with an image's blobs in it, whole processes in turn, in the page cache. Writing: the pack's
own files, stored, as Info-ZIP does with ``-0``; Info-ZIP is 1. Verifying: list, signatures, digest of every file and
the zip's own checksums; sha256sum over the zip is 1.
Run: python bench/pack.py [--full]   (--full takes 2 GiB of blobs, else 256 MiB)
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from _timing import ROOT, Contender, Samples, goal, interleave, run_once, table

from pipeline.adapters.artifacts import open_artifacts
from pipeline.store import Store

_MEBIBYTE = 1024 * 1024
_BLOB = 32 * _MEBIBYTE
_MODULE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: loja\n"
_WRITE = """
import sys
from pathlib import Path
from pipeline.adapters.archive import write_archive
root = Path(sys.argv[1])
names = sorted(each.relative_to(root).as_posix() for each in root.rglob("*") if each.is_file())
target = Path(sys.argv[2])
target.unlink(missing_ok=True)
write_archive(target, ((name, (root / name).read_bytes()) for name in names))
"""


def make_pack(folder: Path, mebibytes: int) -> Path:
    """A pack as ``evidencias`` makes it, of a run that also holds an image."""
    module, artifacts, keys = folder / "loja", folder / "artifacts", folder / "keys"
    module.mkdir()
    (module / "ns.yaml").write_text(_MODULE, encoding="utf-8")
    argv = [
        sys.executable,
        "-m",
        "pipeline",
        "evidencias",
        "-q",
        "--module",
        str(module),
        "--artifacts",
        str(artifacts),
    ]
    made = Contender(
        name="evidencias", argv=argv, accept=frozenset({0, 10, 11}),
        environment={"XDG_CONFIG_HOME": str(keys), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    run_once(made)
    run = (artifacts / "LATEST").read_text(encoding="ascii").strip()
    blobs = {}
    for number in range(mebibytes * _MEBIBYTE // _BLOB):
        blobs[f"core-backstage/blobs/sha256/{number:064x}"] = random.Random(number).randbytes(_BLOB)  # noqa: S311
    with open_artifacts(artifacts) as opened:
        Store(opened).publish(run, "docker", blobs, stage="image")
    run_once(made)
    return artifacts / "reports" / run / "evidencias.zip"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private)
        pack = make_pack(folder, 2048 if full else 256)
        files = folder / "files"
        with zipfile.ZipFile(pack) as archive:
            archive.extractall(files)
        ours = [sys.executable, "-c", _WRITE, str(files), str(folder / "ours.zip")]
        verify = [sys.executable, "-m", "pipeline", "verificar", "-q", str(pack)]
        writers = [Contender(name="appgear", argv=ours)]
        if shutil.which("zip"):
            theirs = folder / "theirs.zip"
            argv = ["bash", "-c", f"rm -f {theirs} && cd {files} && zip -q -0 -X -r {theirs} ."]
            writers.append(Contender(name="zip -0", argv=argv))
        else:
            print("zip não está instalado: fica de fora")
        checkers = [
            Contender(name="verificar", argv=verify),
            Contender(name="sha256sum", argv=["sha256sum", str(pack)]),
            Contender(name="openssl dgst", argv=["openssl", "dgst", "-sha256", str(pack)]),
        ]
        written, checked = interleave(writers, rounds=5), interleave(checkers, rounds=5)
        print(f"pacote de {pack.stat().st_size // _MEBIBYTE} MiB")
    _show(written, "zip -0", "gravar o zip, × zip -0", 1.1)
    _show(checked, "sha256sum", "verificar, × sha256sum do pacote", 1.2)


def _show(times: dict[str, Samples], floor: str, what: str, limit: float) -> None:
    if floor not in times:
        return
    rows = [(name, f"{each.seconds:.2f}", f"{each.ratio(times[floor]):.2f}") for name, each in times.items()]
    table(("quem", "segundos", f"× {floor}"), rows)
    goal(what, next(iter(times.values())).ratio(times[floor]), limit)


if __name__ == "__main__":
    main()

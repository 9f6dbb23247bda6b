"""Our hashing of files, as the artifacts store does it, against sha256sum and openssl, in the page cache.

Method: whole processes in turn over the same files, some large blobs and many small ones; sha256sum is 1.
Run: python bench/hashing.py [--full]   (--full hashes 2 GiB, else 512 MiB)
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from _timing import Contender, goal, interleave, table

_MEBIBYTE = 1024 * 1024
_SMALL_BYTES = 16 * 1024
_OURS = """
import os, sys
from pipeline.adapters.descriptors import digest_descriptor
buffer = bytearray(1024 * 1024)
for name in open(sys.argv[1]).read().split("\\n"):
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    print(digest_descriptor(descriptor, buffer), name)
    os.close(descriptor)
"""


def write_files(folder: Path, mebibytes: int) -> Path:
    """Half in blobs of 64 MiB, half in small files; returns the file that lists them."""
    paths = []
    block = bytes(range(256)) * (_MEBIBYTE // 256)
    for number in range(mebibytes // 2 // 64):
        paths.append(folder / f"blob-{number}")
        paths[-1].write_bytes(number.to_bytes(8, "big") + block * 64)
    for number in range(mebibytes // 2 * _MEBIBYTE // _SMALL_BYTES):
        paths.append(folder / f"small-{number}")
        paths[-1].write_bytes(number.to_bytes(8, "big") + block[:_SMALL_BYTES])
    listing = folder / "files.txt"
    listing.write_text("\n".join(map(str, paths)), encoding="utf-8")
    return listing


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    with tempfile.TemporaryDirectory() as folder:
        listing = write_files(Path(folder), 2048 if full else 512)
        found = [Contender(name="appgear", argv=[sys.executable, "-c", _OURS, str(listing)])]
        for tool in (["sha256sum"], ["openssl", "dgst", "-sha256"]):
            if shutil.which(tool[0]):
                argv = ["xargs", "-a", str(listing), "-n", "4096", *tool]
                found.append(Contender(name=tool[0], argv=argv))
            else:
                print(f"{tool[0]} não está instalado: fica de fora")
        times = interleave(found, rounds=5)
    if "sha256sum" not in times:
        return
    floor = times["sha256sum"]
    table(
        ("quem", "segundos", "× sha256sum"),
        [(name, f"{each.seconds:.2f}", f"{each.ratio(floor):.2f}") for name, each in times.items()],
    )
    goal("hash em um fio, × sha256sum", times["appgear"].ratio(floor), 0.32)


if __name__ == "__main__":
    main()

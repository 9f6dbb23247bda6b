"""A tree into a layer, against tar with the same compressor; a layer found again, against hashing its files.

Method: whole processes in turn over the same generated tree in the page cache. The floor of writing is GNU tar to a
file, then compression in chunks with two threads and both digests, as one process would do them; that of nothing
changed is the digest of every file and of the compressed layer. buildah, where root has it, copies the tree into an
empty image and writes the layout.
Run: python bench/image.py [--full]   (--full makes 60,000 files, else 12,000)
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from _timing import Contender, goal, interleave, table

_OURS = """
import sys
from pathlib import Path
from pipeline.adapters.cache import BlobCache
from pipeline.adapters.image_cache import LayerCache
from pipeline.adapters.image_press import find_press
from pipeline.adapters.image_tree import read_entries
from pipeline.image.entries import plan_layer
tree, cache = map(Path, sys.argv[1:])
layers = LayerCache(BlobCache(cache), find_press("gzip"))
print(layers.make("modules", plan_layer(read_entries(tree, at="app")), mtime=0).digest)
"""
_FLOOR = """
import hashlib, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pipeline.adapters.image_press import CHUNK_BYTES, find_press
tree, target = sys.argv[1:]
subprocess.run(["tar", "-cf", target, "-C", tree, "."], check=True)
press, plain, packed = find_press("gzip"), hashlib.sha256(), hashlib.sha256()
def chunks(file):
    while data := file.read(CHUNK_BYTES):
        plain.update(data)
        yield memoryview(data)
with open(target, "rb") as file, open(target + ".gz", "wb") as out, ThreadPoolExecutor(2) as pool:
    for data in pool.map(press.chunk, chunks(file)):
        packed.update(data)
        out.write(data)
"""
_HASHES = """
import os, sys
from pipeline.adapters.descriptors import digest_descriptor
buffer = bytearray(1024 * 1024)
for root in sys.argv[1:]:
    for folder, _, names in os.walk(root):
        for name in names:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
            digest_descriptor(descriptor, buffer)
            os.close(descriptor)
"""


def write_tree(root: Path, count: int) -> None:
    """Files like those of packages: mostly small and text-like, some large, eleven to a folder."""
    chance = random.Random(3)  # noqa: S311  # the same tree each time
    words = [chance.randbytes(chance.randrange(2, 8)).hex().encode() for _ in range(2000)]
    text = b" ".join(chance.choices(words, k=400_000))
    for number in range(count):
        folder = root / f"pacote-{number // 110}" / f"lib-{number // 11}"
        folder.mkdir(parents=True, exist_ok=True)
        size = 400_000 if number % 400 == 0 else chance.randrange(200, 15_000)
        start = chance.randrange(len(text) - size)
        (folder / f"arquivo-{number}.js").write_bytes(text[start : start + size])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tree, cold, warm = folder / "tree", folder / "cold", folder / "warm"
        write_tree(tree, 60_000 if full else 12_000)
        python = [sys.executable, "-c"]
        found = [
            Contender(
                name="appgear, cache vazio",
                argv=[*python, _OURS, str(tree), str(cold)],
                prepare=lambda: shutil.rmtree(cold, ignore_errors=True),
            ),
            Contender(name="tar, digests e o mesmo compressor", argv=[*python, _FLOOR, str(tree), str(folder / "t")]),
            Contender(name="appgear, nada mudou", argv=[*python, _OURS, str(tree), str(warm)]),
            Contender(name="hash das entradas e da camada", argv=[*python, _HASHES, str(tree), str(warm)]),
        ]
        if shutil.which("buildah") and os.geteuid() == 0:
            (folder / "Containerfile").write_text("FROM scratch\nCOPY tree /app\n", encoding="ascii")
            storage = f"--root {folder}/root --runroot {folder}/run --storage-driver vfs"
            script = f"buildah {storage} build -q --isolation chroot -t x -f Containerfile . && "
            script += f"buildah {storage} push -q x oci:{folder}/layout"
            argv = ["sh", "-c", f"cd {folder} && rm -rf layout && {script}"]
            found.append(Contender(name="buildah build e push", argv=argv))
        else:
            print("buildah não está instalado, ou não é root: fica de fora")
        times = interleave(found, rounds=3)
    floor = times["tar, digests e o mesmo compressor"]
    rows = [(name, f"{each.seconds:.2f}", f"{each.ratio(floor):.2f}") for name, each in times.items()]
    table(("quem", "segundos", "× tar e compressor"), rows)
    goal("árvore → camada, × tar com digests", times["appgear, cache vazio"].ratio(floor), 1.3)
    again = times["appgear, nada mudou"].ratio(times["hash das entradas e da camada"])
    goal("nada mudou, × hash das entradas", again, 2.0)
    if "buildah build e push" in times:
        goal("appgear × buildah", times["appgear, cache vazio"].ratio(times["buildah build e push"]), 0.1)


if __name__ == "__main__":
    main()

"""Layers: the same bytes however many threads, whatever the disk's order; readable by others; never half."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import platform
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from imagekit import layer_entries
from pipeline.adapters.cache import BlobCache
from pipeline.adapters.image_cache import LayerCache
from pipeline.adapters.image_layers import hash_layer, write_layer
from pipeline.adapters.image_press import CHUNK_BYTES, find_press
from pipeline.adapters.image_tree import read_entries, read_file_entry
from pipeline.errors import InputError, ToolError
from pipeline.image.contents import KEY_MARK
from pipeline.image.entries import Entry, plan_layer

# Of `sample()` by isal 1.9.1 at level 2 and zstd 1.5.7 at level 3. Another digest means other bytes for everybody:
# say so in the changelog, and why.
GOLDEN = {
    "gzip": "d757a3051c7442e5462e8f94c069149c1adba0c599f3cbff3ce6756472e844d5",
    "zstd": "cf0f26e33d88555155444e2ce3bd3d924f2ca503b88df050c65ac14a00daaf66",
}
BODY = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" * 2


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Small files, one over several chunks, one as large as a chunk, an empty one, a link, a program."""
    root = tmp_path / "tree"
    chance = random.Random(7)  # noqa: S311  # the same bytes each time
    for number in range(40):
        path = root / f"pasta-{number % 5}" / f"arquivo-{number}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randrange(3000)))
    (root / "grande.bin").write_bytes(chance.randbytes(64) * (5 * CHUNK_BYTES // 64) + b"fim")
    (root / "exata.bin").write_bytes(bytes(CHUNK_BYTES))
    (root / "vazio").write_bytes(b"")
    (root / "programa").write_bytes(b"#!")
    (root / "programa").chmod(0o755)
    (root / "link").symlink_to("vazio")
    (root / "pasta-vazia").mkdir()
    return root


def entries(tree: Path) -> tuple[Entry, ...]:
    return plan_layer(read_entries(tree, at="app"))


def written(planned: tuple[Entry, ...], target: Path, *, threads: int = 2, compression: str = "gzip") -> str:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        press = find_press(compression)
        made = write_layer(planned, mtime=5, mark=KEY_MARK, press=press, target=descriptor, threads=threads)
    finally:
        os.close(descriptor)
    data = target.read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (made.digest, made.size)
    return made.diff_id


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_number_of_threads_cannot_be_told_from_the_bytes(tree: Path, tmp_path: Path, compression: str) -> None:
    seen = set()
    for threads in (1, 2, 7):
        written(entries(tree), tmp_path / "layer", threads=threads, compression=compression)
        seen.add((tmp_path / "layer").read_bytes())
    assert len(seen) == 1


@pytest.mark.skipif(platform.machine() != "x86_64", reason="gzip's bytes are pinned for x86-64 (ADR 0060)")
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_bytes_are_those_of_every_release(tmp_path: Path, compression: str) -> None:
    chance = random.Random(1)  # noqa: S311  # as above
    words = [chance.randbytes(chance.randrange(2, 9)).hex() for _ in range(500)]
    text = " ".join(chance.choice(words) for _ in range(300_000)).encode()
    planned = plan_layer([Entry(path="a", kind="file", mode=0o644, size=len(text), source=text)])
    written(planned, tmp_path / "layer", compression=compression)
    assert hashlib.sha256((tmp_path / "layer").read_bytes()).hexdigest() == GOLDEN[compression]


def test_one_gzip_member_that_every_reader_takes(tree: Path, tmp_path: Path) -> None:
    diff_id = written(entries(tree), tmp_path / "layer")
    data = (tmp_path / "layer").read_bytes()
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    plain = gzip.decompress(data)
    assert hashlib.sha256(plain).hexdigest() == diff_id
    assert int.from_bytes(data[-4:], "little") == len(plain)
    assert subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True).stdout == plain


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_zstd_is_read_by_its_own_program(tree: Path, tmp_path: Path) -> None:
    diff_id = written(entries(tree), tmp_path / "layer", compression="zstd")
    plain = subprocess.run(["zstd", "-dc", tmp_path / "layer"], capture_output=True, check=True).stdout
    assert hashlib.sha256(plain).hexdigest() == diff_id
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert len(archive.getmembers()) == len(entries(tree))


def test_what_the_layer_holds_is_what_the_disk_held(tree: Path, tmp_path: Path) -> None:
    written(entries(tree), tmp_path / "layer.tar.gz")
    found = {each.name: each for each in layer_entries(tmp_path / "layer.tar.gz")}
    assert list(found) == sorted(found)
    assert "app/pasta-vazia" not in found
    assert {(each.uid, each.gid, each.uname, each.mtime) for each in found.values()} == {(0, 0, "", 5)}
    assert found["app/programa"].mode == 0o755
    assert found["app/vazio"].mode == 0o644
    assert found["app/link"].linkname == "vazio"
    with tarfile.open(tmp_path / "layer.tar.gz") as archive:
        for path in (each for each in tree.rglob("*") if each.is_file() and not each.is_symlink()):
            source = archive.extractfile(f"app/{path.relative_to(tree)}")
            assert source is not None
            assert source.read() == path.read_bytes()


def test_mode_bits_time_and_order_of_the_disk_do_not_matter(tree: Path, tmp_path: Path) -> None:
    first = written(entries(tree), tmp_path / "layer")
    copy = tmp_path / "copy"
    for path in sorted(tree.rglob("*"), reverse=True):
        place = copy / path.relative_to(tree)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            place.symlink_to(path.readlink())
        elif path.is_file():
            shutil.copyfile(path, place)
            place.chmod(0o700 if path.name == "programa" else 0o600)
            os.utime(place, (1, 1))
    assert written(entries(copy), tmp_path / "again") == first
    assert (tmp_path / "again").read_bytes() == (tmp_path / "layer").read_bytes()


def test_hashing_alone_gives_the_same_digest(tree: Path, tmp_path: Path) -> None:
    hashed = hash_layer(entries(tree), mtime=5, mark=KEY_MARK)
    assert hashed.diff_id == written(entries(tree), tmp_path / "layer")


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"x" * 9), lambda path: path.write_bytes(b"")])
def test_a_file_that_changes_meanwhile_is_refused(tree: Path, tmp_path: Path, change: object) -> None:
    planned = entries(tree)
    assert callable(change)
    change(tree / "programa")
    with pytest.raises(InputError, match="mudou durante a leitura"):
        written(planned, tmp_path / "layer")
    with pytest.raises(InputError, match="mudou durante a leitura"):
        hash_layer(planned, mtime=5, mark=KEY_MARK)


def test_special_files_and_links_of_this_machine_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    os.mkfifo(root / "fifo")
    with pytest.raises(InputError, match="FIFO"):
        read_entries(root, at="app")
    (root / "fifo").unlink()
    (root / "link").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="absoluto"):
        read_entries(root, at="app")
    (root / "link").unlink()
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_bytes(b"")
    with pytest.raises(InputError, match="UTF-8"):
        read_entries(root, at="app")
    with pytest.raises(InputError, match="não é uma pasta"):
        read_entries(root / "nada" if (root / "nada").exists() else Path(__file__), at="app")
    with pytest.raises(InputError, match="arquivo comum"):
        read_file_entry(root, at="a", mode=0o644)


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("tree", *["d"] * 140)
    deep.mkdir(parents=True)
    with pytest.raises(InputError, match="profundidade"):
        read_entries(tmp_path / "tree", at="app")


# --- the cache


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "cache")


def layers(cache: BlobCache, compression: str = "gzip") -> LayerCache:
    return LayerCache(cache, find_press(compression), threads=2)


def test_a_layer_is_compressed_once(tree: Path, cache: BlobCache) -> None:
    first = layers(cache).make("modules", entries(tree), mtime=5)
    made = first.path.stat().st_ino
    again = layers(cache).make("application", entries(tree), mtime=5)
    assert (again.digest, again.path.stat().st_ino) == (first.digest, made)
    assert again.origin == "application"


def test_content_decides_and_not_size_or_time(tree: Path, cache: BlobCache) -> None:
    path = tree / "programa"
    first = layers(cache).make("modules", entries(tree), mtime=5)
    state = path.stat()
    path.write_bytes(b"??")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    second = layers(cache).make("modules", entries(tree), mtime=5)
    assert second.digest != first.digest
    path.write_bytes(b"#!")
    assert layers(cache).make("modules", entries(tree), mtime=5).digest == first.digest


def test_time_and_compression_are_part_of_what_is_asked(tree: Path, cache: BlobCache) -> None:
    made = {
        layers(cache, kind).make("modules", entries(tree), mtime=time).digest
        for kind in ("gzip", "zstd")
        for time in (1, 2)
    }
    assert len(made) == 4


@pytest.mark.parametrize("damage", ["blob", "note", "gone", "link"])
def test_a_damaged_cache_is_made_again(tree: Path, cache: BlobCache, damage: str) -> None:
    first = layers(cache).make("modules", entries(tree), mtime=5)
    whole = first.path.read_bytes()
    if damage == "blob":
        first.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "gone":
        first.path.unlink()
    elif damage == "link":
        first.path.rename(cache.root / "elsewhere")
        first.path.symlink_to(cache.root / "elsewhere")
    else:
        for note in (cache.root / "notes").iterdir():
            note.write_bytes(b"{}")
    again = layers(cache).make("modules", entries(tree), mtime=5)
    assert again.digest == first.digest
    assert again.path.read_bytes() == whole
    assert not again.path.is_symlink()


def test_a_private_key_stops_the_layer_also_where_it_is_cached(tree: Path, cache: BlobCache) -> None:
    (tree / "grande.bin").write_bytes(b"x" * (CHUNK_BYTES - 700) + b"-----BEGIN PRIVATE KEY-----\n" + BODY)
    for _ in range(2):
        with pytest.raises(InputError, match=r"^app/grande\.bin: há uma chave privada"):
            layers(cache).make("modules", entries(tree), mtime=5)
        assert not any((cache.root / "blobs").iterdir())
        assert not any((cache.root / "drafts").iterdir())


@pytest.mark.parametrize("at", range(CHUNK_BYTES - 512 * 46 - 40, CHUNK_BYTES - 512 * 46 + 40, 7))
def test_a_key_on_the_seam_of_two_chunks_is_seen(cache: BlobCache, at: int) -> None:
    content = b"x" * at + b"-----BEGIN PRIVATE KEY-----\n" + BODY + b"y" * CHUNK_BYTES
    filler = b"z" * 512 * 44
    planned = plan_layer(
        [
            Entry(path="a", kind="file", mode=0o644, size=len(filler), source=filler),
            Entry(path="b", kind="file", mode=0o644, size=len(content), source=content),
        ]
    )
    with pytest.raises(InputError, match=r"^b: há uma chave privada"):
        layers(cache).make("modules", planned, mtime=5)


def test_code_that_reads_keys_is_no_key(tree: Path, cache: BlobCache) -> None:
    (tree / "programa").write_bytes(b"pem.includes('-----BEGIN PRIVATE KEY-----')")
    assert layers(cache).make("modules", entries(tree), mtime=5).size


def test_a_full_disk_leaves_nothing(cache: BlobCache) -> None:
    def write() -> None:
        with cache.draft() as draft:
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, draft.descriptor)
            os.close(full)
            draft.write(b"x")

    with pytest.raises(ToolError, match="disco cheio"):
        write()
    assert not any((cache.root / "drafts").iterdir())


def test_what_a_killed_writer_left_is_removed_and_a_living_one_is_not(cache: BlobCache) -> None:
    (cache.root / "drafts" / "left").write_bytes(b"half")
    with cache.draft() as draft:
        draft.write(b"whole")
        BlobCache(cache.root)
        assert [each.name for each in (cache.root / "drafts").iterdir()] == [draft.path.name]
        digest = hashlib.sha256(b"whole").hexdigest()
        cache.keep(draft, digest)
    assert cache.read(digest, limit=10) == b"whole"
    assert cache.blob(digest) == cache.root / "blobs" / digest


def test_what_was_used_longest_ago_goes_first(cache: BlobCache) -> None:
    digests = [cache.put(bytes([number]) * 100) for number in range(4)]
    for number, digest in enumerate(digests):
        os.utime(cache.root / "blobs" / digest, (number, number))
    assert cache.blob(digests[0])
    cache.trim(200)
    assert [cache.blob(digest) is not None for digest in digests] == [True, False, False, True]


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/blobs").write_bytes(b"")
    with pytest.raises(InputError):
        BlobCache(tmp_path / "cache")

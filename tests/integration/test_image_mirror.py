"""The base from a mirror: signed, locked, fetched; what is wrong with a mirror is told and never taken."""

from __future__ import annotations

import hashlib
import lzma
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pysequoia
import pytest

from imagekit import MirrorFiles, base_debs, deb, layer_entries, serving, signed, signing_key
from pipeline.adapters.cache import BlobCache
from pipeline.adapters.download import Downloads
from pipeline.adapters.image_base import DebianBase
from pipeline.adapters.image_cache import LayerCache
from pipeline.adapters.image_mirror import Mirrors, apt_sources
from pipeline.adapters.image_press import find_press
from pipeline.adapters.openpgp import ARCHIVE_KEYS, Keyring, archive_keyring, load_keyring
from pipeline.errors import InputError, IntegrityError, PipelineError, ToolError, UsageError
from pipeline.records import dump_record

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Bench:
    """A base over one or more mirrors, with its own cache and what it told."""

    def __init__(self, folder: Path, *urls: str, offline: bool = False, keyring: Keyring | None = None) -> None:
        self.said: list[str] = []
        self.cache = BlobCache(folder / "cache")
        self.lock_file = folder / "base.lock"
        mirrors = Mirrors(
            urls=urls,
            keyring=keyring or Keyring([signing_key().extract_certificate()]),
            downloads=Downloads(offline=offline, tries=2, pause=0.01),
            cache=self.cache,
            now=NOW,
            told=self.said.append,
        )
        self.base = DebianBase(
            suite="trixie",
            epoch=2_000_000_000,
            architecture="amd64",
            lock_file=self.lock_file,
            mirrors=mirrors,
            cache=self.cache,
            layers=LayerCache(self.cache, find_press("gzip"), threads=2),
            told=self.said.append,
        )

    def lock(self) -> None:
        lock, _ = self.base.update()
        self.lock_file.write_bytes(dump_record(lock))


@pytest.fixture
def mirror() -> MirrorFiles:
    return MirrorFiles()


def test_a_lock_then_a_base_that_needs_no_network_any_more(mirror: MirrorFiles, tmp_path: Path) -> None:
    with serving(mirror.files()) as (url, asked):
        bench = Bench(tmp_path, url)
        lock, changes = bench.base.update()
        assert changes[0] == "base-files (novo) → 13.8"
        assert lock.date == "2026-11-21T09:15:44Z"
        bench.lock()
        del asked[:]
        first = bench.base.make()
        assert sorted(asked) == sorted(each.path for each in lock.of("amd64"))
        del asked[:]
        again = bench.base.make()
        assert asked == []
    assert again == first
    assert Bench(tmp_path, offline=True).base.make() == first
    assert first.notes == ()
    assert first.libc == (2, 41)
    assert [each.name for each in first.packages] == sorted(base_debs())
    assert first.reference == "debian:trixie"
    (layer,) = first.layers
    assert first.digest == f"sha256:{layer.digest}" == f"sha256:{hashlib.sha256(layer.path.read_bytes()).hexdigest()}"
    assert {each.mtime for each in layer_entries(layer.path)} == {1_795_252_544}


def test_the_time_of_the_files_is_never_later_than_the_image(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    made = replace(bench.base, epoch=77).make()
    assert {each.mtime for each in layer_entries(made.layers[0].path)} == {77}


def test_nothing_new_keeps_the_lock(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    mirror.date = "Mon, 23 Nov 2026 09:15:44 UTC"
    mirror.write(tmp_path / "mirror")
    lock, changes = bench.base.update()
    assert (lock.date, changes) == ("2026-11-21T09:15:44Z", ())


def test_a_package_that_left_the_mirror_is_resolved_anew_told_and_noted(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "old"))
    bench.lock()
    mirror.packages = base_debs(libc="2.41-2", extra=b"corrigida")
    bench = Bench(tmp_path, mirror.write(tmp_path / "new"))
    made = bench.base.make()
    assert made.notes == ("saíram dos espelhos: libc6", "libc6 2.41-1 → 2.41-2")
    assert any("libc6" in line and "--update-base" in line for line in bench.said)
    assert [each.version for each in made.packages if each.name == "libc6"] == ["2.41-2"]
    assert bench.lock_file.read_bytes().count(b"2.41-2") == 0


def test_without_a_lock_the_newest_are_taken_and_that_is_noted(mirror: MirrorFiles, tmp_path: Path) -> None:
    made = Bench(tmp_path, mirror.write(tmp_path / "mirror")).base.make()
    assert made.notes == ("não há base.lock: foram usados os pacotes mais novos",)


def test_a_lock_of_another_suite_is_not_used(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    bench.lock_file.write_bytes(bench.lock_file.read_bytes().replace(b'"trixie"', b'"bookworm"'))
    assert bench.base.make().notes == ("base.lock não serve a trixie/amd64: foram usados os pacotes mais novos",)


def test_updates_and_security_win_over_the_release(mirror: MirrorFiles, tmp_path: Path) -> None:
    files = mirror.files()
    newer = deb("tzdata", [("./usr/share/zoneinfo/X", b"TZif3")], version="2026g", architecture="all")
    path = "pool/main/t/tzdata/tzdata_2026g_all.deb"
    stanza = (
        f"Package: tzdata\nVersion: 2026g\nArchitecture: all\nFilename: {path}\nSize: {len(newer)}\n"
        f"SHA256: {hashlib.sha256(newer).hexdigest()}\n"
    )
    index = lzma.compress(stanza.encode())
    rows = f" {hashlib.sha256(index).hexdigest()} {len(index)} updates/main/binary-amd64/Packages.xz\n"
    release = f"Codename: trixie-security\nDate: Sun, 22 Nov 2026 02:09:05 UTC\nSHA256:\n{rows}"
    with (
        serving(files) as (main, _),
        serving(
            {
                "dists/trixie-security/InRelease": signed(release),
                "dists/trixie-security/updates/main/binary-amd64/Packages.xz": index,
                path: newer,
            }
        ) as (security, _),
    ):
        bench = Bench(tmp_path, security, main)
        lock, _ = bench.base.update()
        assert {each.version for each in lock.of("amd64") if each.name == "tzdata"} == {"2026g"}
        assert lock.date == "2026-11-22T02:09:05Z"
        bench.lock()
        assert bench.base.make().notes == ()


# --- what a mirror may do wrong


def refused(bench: Bench, kind: type[PipelineError], match: str) -> None:
    with pytest.raises(kind, match=match):
        bench.base.update()
    assert not bench.lock_file.exists()


def test_another_key_is_refused(mirror: MirrorFiles, tmp_path: Path) -> None:
    mirror.key = pysequoia.Tsk.generate("Outra pessoa <outra@example.org>")
    refused(Bench(tmp_path, mirror.write(tmp_path / "mirror")), IntegrityError, "assinatura")


@pytest.mark.parametrize("part", ["Codename: trixie", "main/binary-amd64"])
def test_a_changed_release_is_refused(mirror: MirrorFiles, tmp_path: Path, part: str) -> None:
    files = mirror.files()
    changed = files["dists/trixie/InRelease"].replace(part.encode(), part.upper().encode())
    with serving({**files, "dists/trixie/InRelease": changed}) as (url, _):
        refused(Bench(tmp_path, url), IntegrityError, "assinatura")


@pytest.mark.parametrize("message", [b"", b"Codename: trixie\n", b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"])
def test_a_release_without_signature_is_refused(mirror: MirrorFiles, tmp_path: Path, message: bytes) -> None:
    with serving({**mirror.files(), "dists/trixie/InRelease": message}) as (url, _):
        refused(Bench(tmp_path, url), IntegrityError, "assinatura")


def test_an_index_that_was_not_signed_is_refused(mirror: MirrorFiles, tmp_path: Path) -> None:
    mirror.by_hash = False
    files = mirror.files()
    other = MirrorFiles(packages=base_debs(libc="9")).files()
    name = "dists/trixie/main/binary-amd64/Packages.xz"
    hashed = next(path for path in other if path.startswith("dists/trixie/main/binary-amd64/by-hash"))
    with serving({**files, name: other[hashed]}) as (url, _):
        refused(Bench(tmp_path, url), IntegrityError, "SHA-256 assinado")


def test_an_index_that_is_not_there_is_told(mirror: MirrorFiles, tmp_path: Path) -> None:
    files = {path: data for path, data in mirror.files().items() if "by-hash" not in path}
    with serving(files) as (url, _):
        refused(Bench(tmp_path, url), ToolError, "não tem o índice que assina")


def test_another_release_under_the_name_is_refused(mirror: MirrorFiles, tmp_path: Path) -> None:
    mirror.codename = "sid"
    refused(Bench(tmp_path, mirror.write(tmp_path / "mirror")), IntegrityError, "assina sid, e não trixie")


def test_a_release_whose_time_is_over_is_refused(mirror: MirrorFiles, tmp_path: Path) -> None:
    mirror.valid_until = "Sun, 22 Nov 2026 02:09:05 UTC"
    refused(Bench(tmp_path, mirror.write(tmp_path / "mirror")), IntegrityError, "venceu em 2026-11-22")


def test_a_mirror_without_the_suite_is_told(tmp_path: Path) -> None:
    with serving({}) as (url, _):
        refused(Bench(tmp_path, url), InputError, "nenhum espelho configurado oferece trixie")


def test_a_mirror_without_a_package_is_told(mirror: MirrorFiles, tmp_path: Path) -> None:
    del mirror.packages["tzdata"]
    refused(Bench(tmp_path, mirror.write(tmp_path / "mirror")), InputError, "tzdata")


def test_a_host_without_a_mirror_is_told(tmp_path: Path) -> None:
    refused(Bench(tmp_path), UsageError, "--mirror")


def test_a_package_with_another_digest_is_refused(mirror: MirrorFiles, tmp_path: Path) -> None:
    files = mirror.files()
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    path = next(each for each in files if "/libc6_" in each)
    damaged = files[path][:-1] + bytes([files[path][-1] ^ 1])
    with serving({**files, path: damaged}) as (url, _), pytest.raises(IntegrityError, match=r"SHA-256 esperado"):
        Bench(tmp_path, url).base.make()
    assert not any((tmp_path / "cache/drafts").iterdir())


def test_the_second_mirror_helps_where_the_first_is_wrong(mirror: MirrorFiles, tmp_path: Path) -> None:
    files = mirror.files()
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    bad = {path: data[:-1] if path.endswith(".deb") else data for path, data in files.items()}
    with serving(bad) as (first, _), serving(files) as (second, _):
        assert Bench(tmp_path, first, second).base.make().notes == ()


def test_a_mirror_that_does_not_answer_is_not_a_package_that_left(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    with serving({}) as (empty, _), serving(dict.fromkeys(mirror.files(), 503)) as (broken, asked):
        with pytest.raises(ToolError, match="resposta 503"):
            Bench(tmp_path, empty, broken).base.make()
        assert len(asked) == 2
    with pytest.raises(ToolError, match="sem conexão"):
        Bench(tmp_path, broken).base.make()


def test_offline_says_so(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    with serving(mirror.files()) as (url, asked):
        with pytest.raises(ToolError, match="--offline"):
            Bench(tmp_path, url, offline=True).base.make()
        assert asked == []


def test_a_package_that_is_not_what_the_lock_says_is_refused(mirror: MirrorFiles, tmp_path: Path) -> None:
    bench = Bench(tmp_path, mirror.write(tmp_path / "mirror"))
    bench.lock()
    text = bench.lock_file.read_bytes()
    bench.lock_file.write_bytes(text.replace(b'"version": "2.41-1"', b'"version": "2.41-9"'))
    with pytest.raises(InputError, match="não é o que diz o lock"):
        bench.base.make()


def test_two_builds_at_once_share_the_cache(mirror: MirrorFiles, tmp_path: Path) -> None:
    url = mirror.write(tmp_path / "mirror")
    Bench(tmp_path, url).lock()
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(Bench(tmp_path, url).base.make().digest)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 4
    assert len(set(made)) == 1


# --- downloads


def test_more_bytes_than_promised_are_refused() -> None:
    with serving({"x": b"12345"}) as (url, _), pytest.raises(ToolError, match="passa de 4 bytes"):
        Downloads().read(f"{url}/x", limit=4)


def test_an_answer_that_is_no_file_is_refused() -> None:
    with serving({"x": 204}) as (url, _), pytest.raises(ToolError, match=r"inesperada \(204\)"):
        Downloads().read(f"{url}/x", limit=4)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:1/x"])
def test_an_address_that_leads_nowhere_is_one_error(url: str) -> None:
    with pytest.raises(ToolError):
        Downloads(tries=1).read(url, limit=4)


# --- keys and sources


def test_the_keys_that_ship_are_debians() -> None:
    assert len(ARCHIVE_KEYS) == 6
    with pytest.raises(IntegrityError, match="assinatura"):
        archive_keyring().signed_text(signed("x"), where="x")


def test_keys_of_the_platform() -> None:
    keyring = load_keyring(str(signing_key().extract_certificate()).encode(), where="chaves.asc")
    text, signers = keyring.signed_text(signed("Codename: trixie\n"), where="x")
    assert (text, signers) == (b"Codename: trixie\n", (signing_key().extract_certificate().fingerprint,))
    for data in (b"", b"nada"):
        with pytest.raises(InputError, match="chave"):
            load_keyring(data, where="chaves.asc")


def test_the_sources_of_the_host(tmp_path: Path) -> None:
    assert apt_sources(tmp_path) == ()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian trixie main\n", encoding="utf-8")
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "b.sources").write_text("Types: deb\nURIs: http://b.example/debian\nSuites: trixie\n", encoding="utf-8")
    (folder / "c.list").write_text("deb http://a.example/debian trixie-updates main\n", encoding="utf-8")
    (folder / "d.list.disabled").write_text("deb http://d.example/debian trixie main\n", encoding="utf-8")
    assert apt_sources(tmp_path) == ("http://a.example/debian", "http://b.example/debian")

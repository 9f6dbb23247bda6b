"""Packages taken apart in memory, and the base that is composed of them."""

from __future__ import annotations

import tarfile

import pytest
import zstandard

from imagekit import ar_of, base_debs, deb, special, tar_of
from pipeline.errors import InputError
from pipeline.image.base import compose_base
from pipeline.image.deb import Deb, read_deb
from pipeline.image.entries import Entry, plan_layer


def unpack_zstd(data: bytes, limit: int) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit)


@pytest.mark.parametrize("suffix", ["xz", "gz", ""])
def test_a_package_is_read_whatever_its_compression(suffix: str) -> None:
    made = read_deb(deb("libc6", [("./etc/x", b"1")], suffix=suffix), where="libc6")
    assert (made.name, made.version, made.architecture) == ("libc6", "1.0-1", "amd64")
    assert [(each.path, each.source) for each in made.entries] == [("etc/x", b"1")]
    assert made.md5sums.endswith("  etc/x\n")


def test_zstd_needs_its_library() -> None:
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.zst", zstandard.compress(tar_of([("control", b"Package: a\nVersion: 1\nArchitecture: all\n")]))),
        ("data.tar.zst", zstandard.compress(tar_of([("./a", b"1")]))),
    ]
    assert read_deb(ar_of(members), where="a", unpack_zstd=unpack_zstd).entries[0].source == b"1"
    with pytest.raises(InputError, match="compressão"):
        read_deb(ar_of(members), where="a")


def test_hard_links_become_copies() -> None:
    made = read_deb(deb("a", [("./x", b"1"), special("./y", tarfile.LNKTYPE, "./x", 0o644)]), where="a")
    assert [(each.path, each.source) for each in made.entries] == [("x", b"1"), ("y", b"1")]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(kind: bytes) -> None:
    with pytest.raises(InputError, match="especial"):
        read_deb(deb("a", [special("./dev/x", kind)]), where="a")


def test_a_hard_link_to_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="especial"):
        read_deb(deb("a", [special("./y", tarfile.LNKTYPE, "/etc/shadow")]), where="a")


def broken() -> list[bytes]:
    whole = deb("a", [("./x", b"1" * 5000)])
    return [
        b"",
        b"!<arch>\n",
        b"not an archive",
        whole[:100],
        whole[:-20],
        whole.replace(b"2.0\n", b"3.0\n", 1),
        whole.replace(b"`\n", b"xx", 1),
        ar_of([("debian-binary", b"2.0\n"), ("control.tar.xz", b"\xfd7zXZ\0broken"), ("data.tar.xz", b"")]),
        ar_of([("debian-binary", b"2.0\n"), ("control.tar", b"x" * 700), ("data.tar", b"")]),
        ar_of(
            [("debian-binary", b"2.0\n"), ("control.tar", tar_of([("control", b"Package: a\n")])), ("data.tar", b"")]
        ),
        ar_of([("debian-binary", b"2.0\n")]),
    ]


@pytest.mark.parametrize("number", range(11))
def test_what_is_no_package_is_refused(number: int) -> None:
    with pytest.raises(InputError):
        read_deb(broken()[number], where="a")


def test_a_package_that_expands_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.image.deb._MAX_BYTES", 20_000)
    for suffix in ("xz", "gz"):
        with pytest.raises(InputError, match="expande"):
            read_deb(deb("a", [("./x", bytes(100_000))], suffix=suffix), where="a")


def debs() -> list[Deb]:
    return [read_deb(data, where=name) for name, (_, _, data) in base_debs().items()]


@pytest.fixture(scope="module")
def base() -> dict[str, Entry]:
    return {each.path: each for each in plan_layer(compose_base(debs()))}


def test_programs_manuals_and_scripts_stay_out(base: dict[str, Entry]) -> None:
    assert not [path for path in base if "sbin/" in path or "gconv" in path or path.endswith("README")]
    assert [path for path in base if path.endswith("copyright")] == [
        "usr/share/doc/base-files/copyright", "usr/share/doc/gcc-14-base/copyright",
    ]  # fmt: skip


def test_everything_stands_below_usr(base: dict[str, Entry]) -> None:
    assert base["usr/lib/x86_64-linux-gnu/libc.so.6"].kind == "file"
    for name in ("bin", "lib", "sbin"):
        assert (base[name].kind, base[name].target) == ("link", f"usr/{name}")
    assert "lib/x86_64-linux-gnu" not in base


def test_certificates_make_one_bundle_in_the_order_of_their_names(base: dict[str, Entry]) -> None:
    assert base["etc/ssl/certs/ca-certificates.crt"].source == b"-----BEGIN A-----\n-----BEGIN B-----\n"


def test_accounts_and_places_to_write(base: dict[str, Entry]) -> None:
    content = base["etc/passwd"].source
    assert isinstance(content, bytes)
    assert b":1000:1000:" in content
    assert b"/bin/sh" not in content
    assert base["tmp"].mode == base["var/tmp"].mode == 0o1777


def test_dpkg_knows_each_package_and_its_files(base: dict[str, Entry]) -> None:
    for name in base_debs():
        status = base[f"var/lib/dpkg/status.d/{name}"].source
        assert isinstance(status, bytes)
        assert status.startswith(f"Package: {name}\nStatus: install ok installed\nVersion: ".encode())
    sums = base["var/lib/dpkg/status.d/libc6.md5sums"].source
    assert isinstance(sums, bytes)
    assert [line.split("  ")[1] for line in sums.decode().splitlines()] == ["usr/lib/x86_64-linux-gnu/libc.so.6"]


def test_two_packages_with_one_file_are_refused() -> None:
    twin = read_deb(deb("twin", [("./etc/services", b"x")]), where="twin")
    with pytest.raises(InputError, match="dois pacotes"):
        compose_base([*debs(), twin])


def test_a_base_without_certificates_is_refused() -> None:
    with pytest.raises(InputError, match="certificados"):
        compose_base([each for each in debs() if each.name != "ca-certificates"])


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "etc/./x", "usr/lib/a\nb"])
def test_a_package_cannot_write_elsewhere(path: str) -> None:
    hostile = read_deb(deb("hostile", [(path, b"x")]), where="hostile")
    with pytest.raises(InputError):
        plan_layer(compose_base([*debs(), hostile]))


def test_setuid_does_not_come_along() -> None:
    info = tarfile.TarInfo("./usr/lib/helper")
    info.mode = 0o4755
    made = read_deb(deb("a", [(info, b"x")]), where="a")
    entry = next(each for each in compose_base([*debs(), made]) if each.path == "usr/lib/helper")
    assert entry.mode == 0o755

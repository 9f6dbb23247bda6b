"""Debian's formats: versions in dpkg's order, sources of apt, Releases, package indices, the lock."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from imagekit import DATE
from pipeline.errors import InputError
from pipeline.image.base import is_base_package, select_packages
from pipeline.image.debian import (
    Package,
    newest,
    parse_packages,
    parse_release,
    parse_sources,
    parse_stanzas,
    version_key,
)
from pipeline.image.lock import BaseLock, LockedPackage, load_lock, lock_packages
from pipeline.records import dump_record

ORDERED = [
    "1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-0+b1", "1.0-1~bpo1", "1.0-1", "1.0-1a", "1.0-1+b2", "1.0-1+deb13u1",
    "1.0-1.1", "1.0-2", "1.0-10", "1.0a", "1.0+dfsg-1", "1.0.1", "1.09", "1.10", "2.0~rc1", "2.0", "1:0.1",
    "1:1-1-1", "2:0",
]  # fmt: skip


def test_versions_sort_as_the_policy_says() -> None:
    for first, second in itertools.combinations(ORDERED, 2):
        assert version_key(first) < version_key(second), (first, second)


def test_versions_that_are_equal() -> None:
    assert version_key("1.0") == version_key("0:1.0-0")
    assert version_key("1.01") == version_key("1.1")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
def test_dpkg_agrees() -> None:
    for first, second in itertools.pairwise([*ORDERED, "9"]):
        done = subprocess.run(["dpkg", "--compare-versions", first, "lt", second], check=False)
        assert (done.returncode == 0) is (version_key(first) < version_key(second)), (first, second)


def test_stanzas_keep_the_lines_of_a_value() -> None:
    text = "A: 1\nLong: first\n second\n\tthird\n# comment\n\n\nB: 2\r\nno colon\n ignored\n"
    assert list(parse_stanzas(text)) == [{"a": "1", "long": "first\nsecond\nthird"}, {"b": "2"}]


def test_one_line_sources() -> None:
    text = """
# deb http://off.example/debian trixie main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://a.example/debian/ trixie main contrib # the main one
deb-src http://src.example/debian trixie main
deb http://a.example/debian trixie-updates main
deb cdrom:[Debian]/ trixie main
deb file:/srv/mirror trixie main
deb http://short.example
"""
    assert parse_sources(text, deb822=False) == ("http://a.example/debian", "file:/srv/mirror")


def test_deb822_sources() -> None:
    text = """
Types: deb deb-src
URIs: https://a.example/debian https://b.example/debian/
Suites: trixie
# Enabled: no
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .

Types: deb-src
URIs: https://src.example/debian

Enabled: no
Types: deb
URIs: https://off.example/debian
"""
    assert parse_sources(text, deb822=True) == ("https://a.example/debian", "https://b.example/debian")


def test_a_release_says_what_it_vouches_for() -> None:
    digest = "a" * 64
    text = f"Codename: trixie\nDate: {DATE}\nValid-Until: {DATE}\nAcquire-By-Hash: yes\n"
    text += f"SHA256:\n {digest} 12 main/x\n bad\n"
    release = parse_release(text.encode(), where="x")
    assert release.codename == "trixie"
    assert release.date == release.valid_until == datetime(2026, 11, 21, 9, 15, 44, tzinfo=UTC)
    assert release.by_hash
    assert [(each.path, each.sha256, each.size) for each in release.files.values()] == [("main/x", digest, 12)]


@pytest.mark.parametrize("text", ["", "Codename: trixie\n", f"Date: {DATE}\n", "Codename: trixie\nDate: ontem\n"])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_release(text.encode(), where="x")


def stanza(**changed: str) -> str:
    fields = {"Package": "libc6", "Version": "1", "Architecture": "amd64", "Filename": "pool/main/g/glibc/libc6.deb",
              "Size": "3", "SHA256": "b" * 64} | changed  # fmt: skip
    return "".join(f"{name}: {value}\n" for name, value in fields.items()) + "\n"


def test_only_wanted_packages_are_read() -> None:
    text = stanza() + stanza(Package="other", SHA256="broken") + stanza(Package="libc6-dev", Size="?")
    found = parse_packages(text, is_base_package, where="x")
    assert [(each.name, each.path, each.size) for each in found] == [("libc6", "pool/main/g/glibc/libc6.deb", 3)]


@pytest.mark.parametrize(
    "changed",
    [{"Filename": "../x.deb"}, {"Filename": "pool/../../x.deb"}, {"Filename": "http://x/y.deb"}, {"SHA256": "x"},
     {"Size": "-1"}],
)  # fmt: skip
def test_an_entry_that_leads_elsewhere_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(InputError, match="libc6"):
        parse_packages(stanza(**changed), is_base_package, where="x")


def package(name: str, version: str = "1", *, architecture: str = "amd64", depends: str = "") -> Package:
    path = f"pool/{name}.deb"
    return Package(name=name, version=version, architecture=architecture, path=path, size=1, sha256="c" * 64,
                   depends=depends)  # fmt: skip


def offered() -> list[Package]:
    names = ("base-files", "ca-certificates", "libc6", "libstdc++6", "netbase", "tzdata", "gcc-13-base", "gcc-14-base")
    return [*map(package, names), package("libgcc-s1", depends="gcc-14-base (= 14.2.0-19), libc6 (>= 2.35)")]


def test_the_newest_of_each_is_selected_with_the_licences_of_gcc() -> None:
    found = select_packages([*offered(), package("libc6", "2"), package("libc6", "1.5")], where="trixie")
    assert {each.name: each.version for each in found}["libc6"] == "2"
    assert [each.name for each in found if each.name.startswith("gcc")] == ["gcc-14-base"]
    assert newest([package("a", "1"), package("a", "1")])["a"].version == "1"


def test_a_base_without_one_of_its_packages_is_refused() -> None:
    with pytest.raises(InputError, match="tzdata"):
        select_packages([each for each in offered() if each.name != "tzdata"], where="trixie")


def lock(**changed: object) -> bytes:
    fields: dict[str, object] = {"name": "libc6", "version": "1", "architecture": "amd64", "path": "pool/main/x.deb",
                                 "size": 3, "sha256": "d" * 64} | changed  # fmt: skip
    made = LockedPackage(**fields)  # type: ignore[arg-type]  # tests give what a file could hold
    return dump_record(BaseLock(suite="trixie", date="2026-11-21T09:15:44Z", packages=(made,)))


def test_a_lock_comes_back_and_knows_each_architecture() -> None:
    chosen = [
        package("b"),
        package("a", architecture="all"),
        package("b", architecture="arm64"),
        package("a", architecture="all"),
    ]
    locked = lock_packages(chosen)
    made = BaseLock(suite="trixie", date="2026-11-21T09:15:44Z", packages=locked)
    again = load_lock(dump_record(made), where="base.lock")
    assert again == made
    assert [(each.name, each.architecture) for each in again.of("arm64")] == [("a", "all"), ("b", "arm64")]
    assert load_lock(lock(), where="base.lock").of("riscv64") == ()


@pytest.mark.parametrize(
    "changed",
    [{"path": "../x.deb"}, {"path": "pool/../x.deb"}, {"path": "http://a/pool/x.deb"}, {"path": "pool/a b.deb"},
     {"sha256": "x"}, {"size": 0}, {"size": 10**12}],
)  # fmt: skip
def test_a_lock_that_leads_elsewhere_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"base\.lock"):
        load_lock(lock(**changed), where="base.lock")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", dump_record(BaseLock(suite="trixie", date="2026-11-21T09:15:44Z", packages=())),
     lock().replace(b"2026-11-21T", b"ontem")],
)  # fmt: skip
def test_what_is_no_lock_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        load_lock(data, where="base.lock")

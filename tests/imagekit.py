"""What images are made from, made by hand: Debian packages, a signed mirror of them, a portal's bundle."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import lzma
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pysequoia

from pipeline.image.portal import PortalBundle, PortalInput

__all__ = [
    "MirrorFiles",
    "base_debs",
    "deb",
    "layer_entries",
    "layout_documents",
    "portal_bundle",
    "serving",
    "signed",
    "signing_key",
    "tar_of",
]

DATE = "Sat, 21 Nov 2026 09:15:44 UTC"
_SUITES = ("trixie", "trixie-updates", "trixie-security")


def tar_of(entries: Iterable[tuple[tarfile.TarInfo | str, bytes]]) -> bytes:
    """A tar of these members; a name alone is a regular file."""
    out = io.BytesIO()
    with tarfile.TarFile(fileobj=out, mode="w") as archive:
        for member, content in entries:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "", mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    """A member that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info, b""


def ar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    out = b"!<arch>\n"
    for name, content in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


def deb(
    name: str,
    files: Iterable[tuple[tarfile.TarInfo | str, bytes]] = (),
    *,
    version: str = "1.0-1",
    architecture: str = "amd64",
    suffix: str = "xz",
) -> bytes:
    """A binary package."""
    listed = list(files)
    sums = "".join(
        f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {member.removeprefix('./')}\n"
        for member, content in listed
        if isinstance(member, str)
    )
    text = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: A <a@example.org>\n"
    text += "Description: um pacote\n de teste\n"
    control = tar_of([("./control", text.encode()), ("./md5sums", sums.encode())])
    packs: dict[str, Callable[[bytes], bytes]] = {"xz": lzma.compress, "gz": gzip.compress, "": bytes}
    pack = packs[suffix]
    ending = f".{suffix}" if suffix else ""
    return ar_of(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar{ending}", pack(control)),
            (f"data.tar{ending}", pack(tar_of(listed))),
        ]
    )


def base_debs(*, libc: str = "2.41-1", extra: bytes = b"") -> dict[str, tuple[str, str, bytes]]:
    """A package for each name of the base: version, architecture, bytes."""
    contents: dict[str, tuple[str, str, list[tuple[tarfile.TarInfo | str, bytes]]]] = {
        "base-files": (
            "13.8",
            "amd64",
            [
                special("./bin", tarfile.SYMTYPE, "usr/bin"),
                ("./usr/lib/os-release", b"ID=debian\nVERSION_ID=13\n"),
                special("./etc/os-release", tarfile.SYMTYPE, "../usr/lib/os-release"),
                ("./usr/share/doc/base-files/copyright", b"livre\n"),
                ("./usr/share/doc/base-files/README", b"para pessoas\n"),
            ],
        ),
        "ca-certificates": (
            "2025",
            "all",
            [
                ("./usr/share/ca-certificates/mozilla/B.crt", b"-----BEGIN B-----"),
                ("./usr/share/ca-certificates/mozilla/A.crt", b"-----BEGIN A-----\n"),
                ("./usr/sbin/update-ca-certificates", b"#!/bin/sh\n"),
            ],
        ),
        "gcc-14-base": ("14.2", "amd64", [("./usr/share/doc/gcc-14-base/copyright", b"GPL\n")]),
        "libc6": (
            libc,
            "amd64",
            [
                ("./lib/x86_64-linux-gnu/libc.so.6", b"\x7fELF libc" + extra),
                ("./usr/lib/x86_64-linux-gnu/gconv/X.so", b"\x7fELF"),
            ],
        ),
        "libgcc-s1": ("14.2", "amd64", [special("./usr/share/doc/libgcc-s1", tarfile.SYMTYPE, "gcc-14-base")]),
        "libstdc++6": ("14.2", "amd64", [("./usr/lib/x86_64-linux-gnu/libstdc++.so.6", b"\x7fELF stdc++")]),
        "netbase": ("6.5", "all", [("./etc/services", b"http 80/tcp\n")]),
        "tzdata": ("2026f", "all", [("./usr/share/zoneinfo/America/Sao_Paulo", b"TZif2")]),
    }
    return {
        name: (version, architecture, deb(name, files, version=version, architecture=architecture))
        for name, (version, architecture, files) in contents.items()
    }


@cache
def signing_key() -> Any:
    """A key that signs mirrors, made once."""
    return pysequoia.Tsk.generate("Arquivo de teste <arquivo@example.org>")


def signed(text: str, key: Any = None) -> bytes:
    """A cleartext message over the text."""
    signer = (key or signing_key()).signer()
    return bytes(pysequoia.sign(signer, text.encode(), mode=pysequoia.SignatureMode.CLEAR))


@dataclass(kw_only=True)
class MirrorFiles:
    """The files of a mirror by their path, made from packages; change them, then ask for ``files``."""

    packages: dict[str, tuple[str, str, bytes]] = field(default_factory=base_debs)
    codename: str = "trixie"
    date: str = DATE
    valid_until: str = ""
    by_hash: bool = True
    key: Any = None

    def files(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        rows = []
        for name, (version, architecture, data) in self.packages.items():
            path = f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb"
            found[path] = data
            depends = "Depends: gcc-14-base (= 14.2), libc6 (>= 2.35)\n" if name == "libgcc-s1" else ""
            rows.append(
                f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{depends}Filename: {path}\n"
                f"Size: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
            )
        indices = {}
        for architecture in ("amd64", "arm64"):
            text = "".join(rows).replace("Architecture: amd64", f"Architecture: {architecture}")
            indices[f"main/binary-{architecture}/Packages.xz"] = lzma.compress(text.encode())
        for name in _SUITES:
            suite = name.replace("trixie", self.codename, 1)
            empty = lzma.compress(b"")
            listed = indices if name == "trixie" else dict.fromkeys(indices, empty)
            lines = "".join(
                f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n" for path, data in listed.items()
            )
            release = f"Origin: Debian\nCodename: {suite}\nDate: {self.date}\n"
            release += f"Valid-Until: {self.valid_until}\n" if self.valid_until else ""
            release += "Acquire-By-Hash: yes\n" if self.by_hash else ""
            found[f"dists/{name}/InRelease"] = signed(f"{release}SHA256:\n{lines}", self.key)
            for path, data in listed.items():
                folder, _, leaf = path.rpartition("/")
                place = f"by-hash/SHA256/{hashlib.sha256(data).hexdigest()}" if self.by_hash else leaf
                found[f"dists/{name}/{folder}/{place}"] = data
        return found

    def write(self, folder: Path) -> str:
        """The mirror as a folder; its address."""
        for path, data in self.files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder.as_uri()


@contextmanager
def serving(files: Mapping[str, bytes | int]) -> Iterator[tuple[str, list[str]]]:
    """The files over http on loopback (a number is a status to answer); its address, and the paths that were asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            asked.append(path)
            content = files.get(path, 404)
            self.send_response(content if isinstance(content, int) else 200)
            body = b"" if isinstance(content, int) else content
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def portal_bundle(folder: Path, *, libc: str = "2.28") -> PortalBundle:
    """A small bundle, and beside it the portal's manifest in ``source/``."""
    files = {
        "node/bin/node": b"\x7fELF node GLIBC_" + libc.encode() + b"\0",
        "modules/express/package.json": b'{"name": "express", "version": "4.0.0"}\n',
        "modules/express/index.js": b"module.exports = 1\n",
        "modules/@scope/native/build.node": b"\x7fELF GLIBC_2.14\0",
        "application/package.json": b"{}\n",
        "application/app-config.yaml": b"backend:\n  database:\n    password: ${BACKSTAGE_PG_PASSWORD}\n",
        "application/packages/backend/dist/index.cjs.js": b"require('express')\n",
        "application/packages/app/dist/static/main.js": b"console.log('AppGear Studio')\n",
        "source/package.json": json.dumps({"version": "1.2.3", "license": "Apache-2.0"}).encode(),
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "modules/express/link.js").symlink_to("index.js")
    return PortalBundle(
        node=folder / "node",
        modules=folder / "modules",
        application=folder / "application",
        inputs=(PortalInput(name="portal", version="", digest="sha256:" + "0" * 64),),
        production=(),
        frontend=(),
    )


def layout_documents(layout: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and configuration of the one image of a layout."""
    index = json.loads((layout / "index.json").read_bytes())
    assert len(index["manifests"]) == 1
    manifest = _read(layout, index["manifests"][0])
    return manifest, _read(layout, manifest["config"])


def _read(layout: Path, descriptor: Mapping[str, Any]) -> dict[str, Any]:
    data = (layout / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
    assert len(data) == descriptor["size"]
    value: dict[str, Any] = json.loads(data)
    return value


def layer_entries(path: Path) -> list[tarfile.TarInfo]:
    """Members of a gzip layer."""
    with tarfile.open(path, "r:gz") as archive:
        return archive.getmembers()

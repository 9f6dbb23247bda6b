"""OCI layouts made from nothing, small, real, and broken in one way each where a test asks for it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["ALPINE", "DEBIAN", "DISTROLESS", "NODE", "blob_of", "edit_index", "pack", "write_image", "write_layout"]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

_STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Source: glibc
Version: 2.36-9+deb12u14
Depends: libgcc-s1
Description: GNU C Library

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Maintainer: Debian GCC Maintainers <debian-gcc@lists.debian.org>
Version: 12.2.0-14
Depends: libc6 (>= 2.35)
Description: GCC support library
"""
_DEBIAN_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
_COPYRIGHT = (
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: LGPL-2.1\n"
)

DEBIAN = {
    "etc/os-release": _DEBIAN_RELEASE,
    "var/lib/dpkg/status": _STATUS,
    "usr/share/doc/libc6/copyright": _COPYRIGHT,
}
DISTROLESS = {
    "etc/os-release": _DEBIAN_RELEASE,
    "var/lib/dpkg/status.d/libc6": _STATUS.split("\n\n", maxsplit=1)[0] + "\n",
    "var/lib/dpkg/status.d/libgcc-s1": _STATUS.split("\n\n")[1],
    "usr/share/doc/libc6/copyright": _COPYRIGHT,
}
ALPINE = {
    "etc/os-release": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME="Alpine Linux v3.20"\n',
    "lib/apk/db/installed": (
        "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nS:1\nI:2\nT:the musl c library\nU:https://musl.libc.org/\nL:MIT\no:musl\n"
        "m:Timo <timo@example.org>\np:so:libc.musl-x86_64.so.1=1\n\n"
        "C:Q1def=\nP:busybox\nV:1.36.1-r2\nA:x86_64\nS:1\nI:2\nT:tools\nU:https://busybox.net/\nL:GPL-2.0-only\n"
        "o:busybox\nm:Sören <s@example.org>\nD:so:libc.musl-x86_64.so.1\n\n"
    ),
}


def _manifest(name: str, version: str, **more: object) -> str:
    return json.dumps({"name": name, "version": version, **more})


NODE = {
    "app/package.json": _manifest("portal", "0.3.0", private=True, license="Apache-2.0"),
    "app/packages/backend/package.json": _manifest("backend", "0.3.0", private=True, license="Apache-2.0"),
    "app/node_modules/a/package.json": _manifest("a", "1.0.0", license="MIT", author="Ana <ana@example.org>"),
    "app/node_modules/@s/b/package.json": _manifest("@s/b", "2.0.0", license="(MIT OR GPL-3.0-only)"),
    "app/node_modules/a/node_modules/c/package.json": _manifest("c", "1.0.0", license="ISC"),
    "app/node_modules/c/package.json": _manifest("c", "2.0.0", license="SEE LICENSE IN LICENSE"),
    "app/node_modules/a/test/fixture/package.json": json.dumps({"name": "fixture"}),
    "app/node_modules/a/vendor/d/package.json": _manifest("d", "9.9.9", license="BSD-3-Clause"),
    "app/node_modules/x/package.json": _manifest("a", "1.0.0", license="MIT"),
}


def pack(files: Mapping[str, str | bytes]) -> bytes:
    """A tar of these files and the folders above them, the same bytes every time."""
    out = io.BytesIO()
    folders = {"/".join(name.split("/")[:end]) for name in files for end in range(1, name.count("/") + 1)}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
        for name, content in sorted(files.items()):
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob_of(folder: Path, digest: str) -> Path:
    """Where a layout keeps it."""
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _put(folder: Path, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    path = blob_of(folder, _digest(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data), **more}


def write_image(
    folder: Path,
    layers: Sequence[Mapping[str, str | bytes] | bytes],
    *,
    packed: str = "+gzip",
    labels: Mapping[str, str] | None = None,
    stored: Sequence[bytes] | None = None,
    config: Mapping[str, Any] | None = None,
    **descriptor: Any,
) -> dict[str, Any]:
    """An image's blobs; the descriptor of its manifest. ``stored`` are layers as they lie there, where not gzip's."""
    tars = [each if isinstance(each, bytes) else pack(each) for each in layers]
    lying = stored or [gzip.compress(each, mtime=0) if packed == "+gzip" else each for each in tars]
    known = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-02T03:04:05.678Z",
        "config": {"Labels": {"maintainer": "Ana"}},
        "rootfs": {"type": "layers", "diff_ids": [_digest(each) for each in tars]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _put(folder, json.dumps(known | dict(config or {})).encode(), CONFIG),
        "layers": [_put(folder, each, LAYER + packed) for each in lying],
        "annotations": dict(labels or {}),
    }
    return _put(folder, json.dumps(manifest).encode(), MANIFEST, **descriptor)


def write_layout(folder: Path, *manifests: dict[str, Any]) -> Path:
    """The layout's own two files around images that are written already."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(manifests)}))
    return folder


def edit_index(folder: Path, **changes: Any) -> None:
    """Change fields of the one manifest that the index names."""
    index = json.loads((folder / "index.json").read_bytes())
    index["manifests"][0] |= changes
    (folder / "index.json").write_text(json.dumps(index))

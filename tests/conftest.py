"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example, Rule
from pipeline.codec import sha256_hex
from pipeline.domain.finding import NonConformityMap
from pipeline.domain.snapshot import ModuleSnapshot, Origin, SourceFile, SourceState
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot
from pipeline.rules.catalog import load_rules
from trailcli import Artifacts, Ran, appgear

# A gate answers the same for the same code: examples are drawn from the test itself, bounded by number and not by a
# clock. HYPOTHESIS_PROFILE=explore draws new ones each time.
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

ROOT = Path(__file__).resolve().parents[1]

Judge = Callable[..., NonConformityMap]


def snapshot_of(example: Example, *, name: str = "module-00-exemplo.md") -> ModuleSnapshot:
    """Read an example the way the product reads a module."""
    tree = tuple(
        SourceFile(path=path, content=text.encode(), sha256=sha256_hex(text.encode()), origin=Origin(kind="tree"))
        for path, text in sorted(example.files.items())
    )
    document = read_document(example.document.encode(), path=name) if example.document is not None else None
    snapshot = build_snapshot(document=document, tree=tree, source=SourceState(), fallback_id="M00")
    return replace(snapshot, problems=(*snapshot.problems, *example.problems))


@pytest.fixture(scope="session")
def judge() -> Judge:
    """``judge("IMG-LATEST", files={path: text}, document=markdown, policy={...})``: what one rule says of a module."""

    def run(
        rule_id: str,
        *,
        files: dict[str, str] | None = None,
        document: str | None = None,
        policy: dict[str, object] | None = None,
    ) -> NonConformityMap:
        chosen: list[Rule] = [each for each in load_rules() if each.id == rule_id]
        assert chosen, f"no rule is called {rule_id}"
        settings = replace(Policy(), **(policy or {}))  # type: ignore[arg-type]  # tests name real fields
        return audit(snapshot_of(Example(files=files or {}, document=document)), chosen, policy=settings)

    return run


@pytest.fixture(scope="session")
def seed() -> Path:
    """The real module document; skipped where the shared folder is absent."""
    path = ROOT.parent / "shared" / "seed" / "module-07-v0.3.md"
    if not path.is_file():
        pytest.skip("the real module document is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def real(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Artifacts]:
    """The whole trail on the real document, once, as a process."""
    folder = tmp_path_factory.mktemp("real")
    ran = appgear("pipeline", "--module", seed, "--artifacts", folder / "artifacts", cwd=folder)
    return ran, Artifacts(folder / "artifacts")


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Artifacts]:
    """The bare command, once: the module that ships with the project."""
    artifacts = tmp_path_factory.mktemp("shipped") / "artifacts"
    return appgear("pipeline", "--artifacts", artifacts, cwd=ROOT), Artifacts(artifacts)


@pytest.fixture(scope="session")
def portal_image(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """The image of this checkout's portal, built once (minutes where the cache is empty); artifacts with its run."""
    artifacts = tmp_path_factory.mktemp("imagem") / "artifacts"
    ran = appgear("image", "--artifacts", artifacts, cwd=ROOT, timeout=1500)
    if ran.code == 4:
        pytest.skip(f"the registries are out of reach: {ran.err.splitlines()[-1]}")
    assert ran.code == 0, ran.err
    return Artifacts(artifacts)

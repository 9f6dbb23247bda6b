"""The toolkit's own SBOM: from the lock and what is known of its packages, and from nothing of this host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.adapters.build import read_lock_files
from pipeline.adapters.cyclonedx_py import drifted, list_requirements, lister_version
from pipeline.adapters.runner import SealedRunner
from pipeline.domain.sbom import Component, Sbom
from pipeline.errors import IntegrityError, ToolError
from pipeline.sbom.minimum import summarise, verify_graph
from pipeline.sbom.toolkit import build_toolkit, read_lock

LOCK = (
    b"a==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:" + b"ab" * 32 + b"\nB_c==2.0 --hash=sha256:" + b"cd" * 32
)
METADATA = b"""requires = ["a"]
[packages.a]
version = "1.0"
licence = "BSD"
supplier = ""
requires = ["b-c"]
[packages.b-c]
version = "2.0"
licence = "MIT"
supplier = "Alguem"
requires = []
"""
ROOT = Component(ref="root", kind="application", name="esteira", version="1")


def built(lock: bytes, metadata: bytes, listed: bytes | None = None) -> Sbom:
    listed = list_requirements(SealedRunner(), lock) if listed is None else listed
    return build_toolkit(listed, read_lock(lock, metadata), root=ROOT, tools=(), created="", author="")


def test_every_pin_is_there_whatever_this_host_installs() -> None:
    graph = built(LOCK, METADATA)
    verify_graph(graph, where="x")
    one, other = graph.components
    assert (one.ref, one.licence, one.declared, one.supplier) == ("pkg:pypi/a@1.0", "LicenseRef-BSD", "BSD", "PyPI: a")
    assert (other.ref, other.licence, other.declared) == ("pkg:pypi/b-c@2.0", "MIT", "")
    assert [each.content for each in other.distributions[0].digests] == ["cd" * 32]
    assert dict(graph.dependencies) == {"root": (one.ref,), one.ref: (other.ref,), other.ref: ()}


def test_the_lock_of_this_checkout_is_whole() -> None:
    lock, metadata = read_lock_files()
    graph = built(lock, metadata)
    verify_graph(graph, where="x")
    summary = summarise(graph)
    assert summary.total == len(read_lock(lock, metadata).pins) > 30
    assert (summary.unhashed, summary.unknown_supplier, summary.unknown_licence, summary.incomplete) == ((),) * 4
    direct = dict(graph.dependencies)["root"]
    assert len(direct) == len(read_lock(lock, metadata).requires), "a package hangs on the root that nothing requires"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (METADATA.replace(b'version = "1.0"', b'version = "1.1"'), "não acompanha requirements/pipeline.txt: a "),
        (METADATA[: METADATA.index(b"[packages.b-c]")], "não acompanha requirements/pipeline.txt: b-c "),
        (METADATA + b'[packages.z]\nversion = "1"\nlicence = ""\nsupplier = ""\nrequires = []\n', ": z "),
        (b"requires = []", "não são os metadados"),
        (b"[packages.a]\nversion = 1\n", "não são os metadados"),
        (b"\xff", "não são os metadados"),
        (b"packages = 3\nrequires = []", "não são os metadados"),
    ],
)
def test_metadata_that_do_not_follow_the_lock_are_refused(metadata: bytes, said: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        read_lock(LOCK, metadata)
    assert said in f"{refused.value} "
    assert "tools/lock_metadata.py" in str(refused.value)


def test_a_lock_without_packages_is_refused() -> None:
    with pytest.raises(ToolError, match="não tem pacote algum"):
        read_lock(b"# nothing\n", METADATA)


@pytest.mark.parametrize("drop", [0, 1])
def test_a_list_that_shrank_is_refused(drop: int) -> None:
    document = json.loads(list_requirements(SealedRunner(), LOCK))
    del document["components"][drop]
    with pytest.raises(ToolError, match="não listou o lock como ele é"):
        built(LOCK, METADATA, json.dumps(document).encode())


def test_a_list_of_nothing_is_refused() -> None:
    with pytest.raises(ToolError, match="não listou"):
        built(LOCK, METADATA, b'{"bomFormat": "CycloneDX"}')


def test_nothing_of_the_working_folder_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    for name in ("cyclonedx_py.py", "sitecustomize.py", "json.py"):
        (tmp_path / name).write_text(f"open({str(mark)!r}, 'w')\nraise SystemExit(0)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert json.loads(list_requirements(SealedRunner(), LOCK))["components"]
    assert not mark.exists()


def test_an_environment_that_is_not_the_locks_is_told() -> None:
    assert drifted({"cyclonedx-bom": "0.1", "no-such-package-here": "1"}) == [f"cyclonedx-bom {lister_version()} ≠ 0.1"]

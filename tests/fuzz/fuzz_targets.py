"""What the fuzzers ask of each parser: bytes in, and either an expected refusal or a value that keeps its promises.

A target returns on expected refusals (PipelineError) and raises on everything else: atheris and the replay of the
corpus (``tests/adversarial/test_fuzz_corpus.py``) use the same functions.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.adapters.archive import open_archive, write_archive
from pipeline.appset.preview import dump_applications, preview
from pipeline.codec import dump_json, sha256_hex
from pipeline.errors import PipelineError
from pipeline.ledger import parse_ledger
from pipeline.module.document import read_document
from pipeline.ports import path_fault
from pipeline.yamldoc import Limits, YamlDocument, load_yaml

__all__ = ["CORPUS", "TARGETS"]

CORPUS = Path(__file__).parent / "corpus"
_SMALL = Limits(depth=50, nodes=20_000)


def markdown(data: bytes) -> None:
    """The document reader: text is kept whole, files stand on lines that exist, embedded YAML is guarded."""
    try:
        document = read_document(data, path="m.md")
    except PipelineError:
        return
    assert document.text.encode() == data
    for file in document.files:
        assert path_fault(file.path) is None
        assert 0 <= (file.origin.document_line or 0) <= len(document.lines)
        load_yaml(file.text, limits=_SMALL)
    for problem in document.problems:
        assert problem.message
    assert read_document(data, path="m.md") == document


def yaml_guard(data: bytes) -> None:
    """The YAML reader never raises: what it gives is JSON, and every value has a place inside the text."""
    text = data.decode("utf-8", "replace")
    file = load_yaml(text, limits=_SMALL)
    lines = text.count("\n") + 2
    for problem in file.problems:
        assert 1 <= problem.line <= lines
    for document in file.documents:
        dump_json(_jsonable(document.value))
        for path in _paths(document.value):
            _check_place(document, path, lines)


def _check_place(document: YamlDocument, path: tuple[str | int, ...], lines: int) -> None:
    place = document.position(path)
    assert 1 <= place.line <= place.end_line <= lines
    assert place.column >= 1


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # NaN
        return str(value)
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, list) else value


def _paths(value: Any, most: int = 200) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = [()]
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while pending and len(found) < most:
        path, item = pending.pop()
        children = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, child in children:
            found.append((*path, key))
            pending.append(((*path, key), child))
    return found


def appset(data: bytes) -> None:
    """The preview: an exact list of Applications that can be written and read back, or a refusal."""
    try:
        applications = preview(data, where="set")
    except PipelineError:
        return
    written = dump_applications(applications)
    back = load_yaml(written.decode())
    assert not back.problems
    assert [document.value for document in back.documents] == [each.manifest for each in applications]


def archive(data: bytes) -> None:
    """The importer: an archive that it takes has safe names and is, byte for byte, what we would write again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "given.zip"
        path.write_bytes(data)
        try:
            with open_archive(path) as found:
                entries = [(name, found.read(name)) for name in found.digests]
        except PipelineError:
            return
        assert all(path_fault(name) is None for name, _ in entries)
        again = Path(folder) / "again.zip"
        write_archive(again, entries)
        assert again.read_bytes() == data
        with zipfile.ZipFile(path) as other:  # what another reader sees
            assert {each.filename: other.read(each) for each in other.infolist()} == dict(entries)
        assert sorted(each.name for each in Path(folder).iterdir()) == ["again.zip", "given.zip"]


def index(data: bytes) -> None:
    """The index reader: what it takes is a chain, line by line, and keeps every byte."""
    try:
        ledger = parse_ledger(data)
    except PipelineError:
        return
    rows = data.removesuffix(ledger.torn).splitlines(keepends=True) if ledger.torn else data.splitlines(keepends=True)
    assert len(rows) == len(ledger.lines)
    previous = "0" * 64
    for row, line in zip(rows, ledger.lines, strict=True):
        assert json.loads(row)["previous"] == line.previous == previous
        assert sha256_hex(row) == line.sha256
        previous = line.sha256
    assert ledger.head == previous


TARGETS: dict[str, Callable[[bytes], None]] = {
    "markdown": markdown,
    "yaml": yaml_guard,
    "appset": appset,
    "archive": archive,
    "index": index,
}

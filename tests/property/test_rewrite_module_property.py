"""Random edits of random files in random documents: what is read out of the new document is what was meant."""

from __future__ import annotations

from random import Random

import jsonpatch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.finding import Operation
from pipeline.flow.operations import same_value
from pipeline.flow.rewriting import rewrite
from pipeline.yamldoc import load_yaml
from rewrite_modules import patch, random_document, read_files, snapshot_of
from rewrite_texts import random_operation, random_text


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**48))
def test_embedded_files_become_what_the_operations_say(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a reproducible case, not a secret
    contents = [random_text(random)[0].replace("\r\n", "\n").rstrip("\n") + "\n" for _ in range(3)]
    source = random_document(random, contents)
    snapshot = snapshot_of(source)
    values = {file.path: [document.value for document in load_yaml(file.text).documents] for file in snapshot.files}
    planned: list[tuple[str, Operation]] = []
    for path, documents in values.items():
        if len(documents) == 1 and isinstance(documents[0], (dict, list)) and documents[0]:
            planned.append((path, random_operation(random, documents[0])))
    changes = [patch(path, (each.op, each.path, each.value)) for path, each in planned]
    result = rewrite(snapshot, changes, read_document_files=read_files)
    assert rewrite(snapshot, changes) == result
    assert result.document is not None
    found = read_files(result.document)
    assert {file.path: file.content for file in result.files} == found
    refused = {each.path for each in result.not_applied}
    for path, operation in planned:
        if path not in refused:
            steps = [{"op": operation.op, "path": operation.path, "value": operation.value}]
            expected = jsonpatch.apply_patch(values[path][0], steps)
            assert same_value([each.value for each in load_yaml(found[path].decode()).documents], [expected])
    kept = [line for line in source.split("\n") if line.startswith(("# Título", "Texto ", "```", "   ```"))]
    assert [line for line in result.document.decode().split("\n") if line in kept] == [
        line for line in source.split("\n") if line in kept
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**48))
def test_a_second_rewrite_is_empty(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a reproducible case, not a secret
    content = random_text(random)[0].replace("\r\n", "\n").rstrip("\n") + "\n"
    snapshot = snapshot_of(random_document(random, [content]))
    labels = {"app.io/tier": "core", "on": "yes"}
    changes = [
        patch("files/f0.yaml", ("add", "/metadata", {"labels": labels})),
        patch("files/f0.yaml", ("add", "/kind", "X")),
    ]
    first = rewrite(snapshot, changes, read_document_files=read_files)
    assert first.document is not None
    again = rewrite(snapshot_of(first.document.decode()), changes, read_document_files=read_files)
    assert again.document == first.document
    assert again.patch == b""

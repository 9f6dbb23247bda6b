"""The rewrite with the module reader that the toolkit uses: what it reads from the new document is what was meant."""

from __future__ import annotations

from pathlib import Path
from random import Random

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.finding import Operation
from pipeline.domain.rewrite import PlannedChange
from pipeline.domain.snapshot import ModuleSnapshot, SourceState
from pipeline.flow.operations import same_value
from pipeline.flow.rewriting import rewrite
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot
from pipeline.yamldoc import load_yaml
from rewrite_modules import patch, random_document, text
from rewrite_texts import random_operation, random_text

SEED = Path(__file__).parents[3] / "shared" / "seed" / "module-07-v0.3.md"
DOCUMENT = """\
# M99 – Módulo (v0.1)

`conf/values.yaml`:

```yaml
a: 1   # c
b: [x]
```

> ```yaml
> apiVersion: v1
> kind: Service
> spec:
>   type: NodePort # n
> ```

1. Passo

   ```bash
   cat > deep/b.yaml <<-'END'
   \tk: v

   \tl:
   \t- 1
   END
   ```
"""


def snapshot_of(data: bytes) -> ModuleSnapshot:
    document = read_document(data, path="docs/m.md")
    return build_snapshot(document=document, tree=(), source=SourceState(), fallback_id="M99")


def read_files(data: bytes) -> dict[str, bytes]:
    return {file.path: file.content for file in read_document(data, path="docs/m.md").files}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_fences_quotes_and_lists(end: str, mark: str) -> None:
    source = mark + DOCUMENT.replace("\n", end)
    snapshot = snapshot_of(source.encode())
    fragment = next(file.path for file in snapshot.files if file.fragment)
    port = {"port": 80, "name": "p\n\nq\n"}
    changes = [
        patch("conf/values.yaml", ("replace", "/a", 2), ("add", "/b/-", "w")),
        patch(fragment, ("replace", "/spec/type", "ClusterIP"), ("add", "/spec/ports", [port])),
        patch("deep/b.yaml", ("add", "/l/-", {"k": 1, "v": 2})),
        text("doc", 1, 3 + len(mark), "M99", "M98"),
    ]
    result = rewrite(snapshot, changes, read_document_files=read_files)
    assert not result.not_applied
    expected = DOCUMENT.replace("a: 1 ", "a: 2 ").replace("[x]", "[x, w]").replace("M99", "M98")
    expected = expected.replace("NodePort # n\n", "ClusterIP # n\n")
    ports = ["ports:", "  - port: 80", "    name: |", "      p", "", "      q"]
    quoted = "".join(f">   {line}\n" if line else ">\n" for line in ports)
    expected = expected.replace("ClusterIP # n\n", f"ClusterIP # n\n{quoted}")
    expected = expected.replace("   \t- 1\n", "   \t- 1\n   \t- k: 1\n   \t  v: 2\n")
    assert result.document == (mark + expected.replace("\n", end)).encode()
    assert {file.path: file.content for file in result.files} == read_files(result.document)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**48))
def test_random_files_in_random_documents(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a reproducible case, not a secret
    end = random.choice(("\n", "\r\n"))
    contents = [random_text(random)[0].replace("\r\n", "\n").rstrip("\n") + "\n" for _ in range(3)]
    source = random_document(random, contents).replace("\n", end)
    snapshot = snapshot_of(source.encode())
    planned: list[tuple[str, object, Operation]] = []
    for file in snapshot.files:
        documents = load_yaml(file.text).documents
        if len(documents) == 1 and isinstance(documents[0].value, (dict, list)) and documents[0].value:
            planned.append((file.path, documents[0].value, random_operation(random, documents[0].value)))
    changes = [patch(path, (each.op, each.path, each.value)) for path, _, each in planned]
    result = rewrite(snapshot, changes, read_document_files=read_files)
    assert result.document is not None
    found = read_files(result.document)
    assert {file.path: file.content for file in result.files} == found
    refused = {each.path for each in result.not_applied}
    assert len(refused) < 3
    for path, value, operation in planned:
        if path not in refused:
            steps = [{"op": operation.op, "path": operation.path, "value": operation.value}]
            expected = jsonpatch.apply_patch(value, steps)
            assert same_value([each.value for each in load_yaml(found[path].decode()).documents], [expected])


@pytest.mark.skipif(not SEED.exists(), reason="o módulo de exemplo não acompanha o repositório")
def test_a_real_module() -> None:
    data = SEED.read_bytes()
    snapshot = snapshot_of(data)
    assert rewrite(snapshot, [], read_document_files=read_files).patch == b""
    changes: list[PlannedChange] = []
    for file in snapshot.files:
        for number, document in enumerate(load_yaml(file.text).documents):
            if isinstance(document.value, dict):
                changes.append(patch(file.path, ("add", "/zz", {"on": ["yes", 1]}), document=number))
    result = rewrite(snapshot, changes, read_document_files=read_files)
    assert changes
    assert not result.not_applied
    assert result.document is not None
    assert not set(data.split(b"\n")) - set(result.document.split(b"\n"))
    again = rewrite(snapshot_of(result.document), changes, read_document_files=read_files)
    assert again.patch == b""

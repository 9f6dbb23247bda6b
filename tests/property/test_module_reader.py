"""What holds for any text: nothing but InputError, exact positions, safe and unique paths."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.snapshot import Document, SourceState
from pipeline.errors import InputError
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot

_LINES = st.sampled_from(
    [
        "```bash",
        "```yaml",
        "```",
        "~~~sh",
        "  ```sh",
        "    ```",
        "> ```sh",
        "> ```",
        "- ```yaml",
        "  ```",
        "`a/b.yaml`:",
        "`.env`:",
        "# M01 – x",
        "## s",
        "cd a",
        "cd /opt/x",
        "cd ..",
        "cat > f <<E",
        "cat >> f <<-'E'",
        "tee -a 'x y' <<E; cat > g <<F",
        "cat > ../x <<E",
        "cat > F <<E",
        "E",
        "F",
        "\tE",
        "> E",
        "apiVersion: v1",
        "kind: X",
        "services:",
        "a: $x",
        "\tb",
        "  c",
        "> d",
        "",
        "'",
        '"',
        "$(",
        ")",
        "`",
        "\\",
        "echo x > y",
        "<div>",
        "<!--",
        "-->",
        "---",
        "A=1",
        "#!/bin/sh",
        "\ufeff",
        "\u2028",
        "x\r",
    ]
)
_TEXTS = st.one_of(
    st.lists(_LINES, max_size=30).map("\n".join), st.lists(_LINES, max_size=30).map("\r\n".join), st.text(max_size=200)
)


def _check(document: Document) -> None:
    assert [file.path for file in document.files if ".." in file.path.split("/") or file.path.startswith("/")] == []
    assert len({file.path for file in document.files}) == len(document.files)
    for file in document.files:
        lines = file.text.removesuffix("\n").split("\n") if file.content else []
        assert sum(segment.line_count for segment in file.segments) == len(lines)
        for number, line in enumerate(lines, 1):
            place = file.document_line(number)
            assert place is not None
            assert document.lines[place - 1][file.dropped(number) :] == line
    for fence in document.fences:
        for index, line in enumerate(fence.content.split("\n")[: fence.line_count]):
            assert document.lines[fence.first_line - 1 + index][fence.dropped[index] :] == line
    assert all(1 <= command.line <= len(document.lines) for command in document.commands)
    assert all(1 <= (problem.document_line or 0) <= len(document.lines) for problem in document.problems)


@settings(max_examples=800, deadline=None)
@given(_TEXTS)
def test_positions_are_exact(text: str) -> None:
    try:
        document = read_document(text.encode("utf-8", "surrogatepass"), path="m.md")
    except InputError:
        return
    assert document.text == text
    _check(document)
    first = build_snapshot(document=document, tree=(), source=SourceState(), fallback_id="M00")
    again = build_snapshot(document=document, tree=document.files, source=SourceState(), fallback_id="M00")
    assert first.sha256 == again.sha256


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_document_or_an_input_error(data: bytes) -> None:
    try:
        document = read_document(data, path="m.md")
    except InputError:
        return
    _check(document)

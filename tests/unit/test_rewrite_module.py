"""The rewrite of whole modules: documents with embedded files, trees, both."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from pipeline.domain.finding import CreateFile, Param, TextChange
from pipeline.domain.rewrite import PlannedChange, RewrittenModule
from pipeline.domain.snapshot import ModuleSnapshot, Origin, Segment, SourceFile
from pipeline.flow.rewriting import rewrite
from rewrite_modules import patch, read_files, snapshot_of, text, tree_files, tree_of

DOCUMENT = """\
# Módulo 😀

```bash
cat > a.yaml << 'EOF'
a: 1   # c
b:
  - x
EOF
```

1. Item

   ```bash
   cat > deep/b.yaml <<-'END'
   \tk: v
   \tl: # none

   \tm: 1
   END
   ```

```bash
cat > c.yaml <<EOF
x: $HOME
y: 1
EOF
cat >> a.yaml << 'EOF'
c: 3
EOF
```
Fim do texto
"""
LAST = DOCUMENT.split("\n").index("Fim do texto") + 1


def run(snapshot: ModuleSnapshot, *changes: PlannedChange) -> RewrittenModule:
    """With and without a reader, the result is the same."""
    result = rewrite(snapshot, changes, read_document_files=read_files)
    assert rewrite(snapshot, changes) == result
    return result


def edited(*changes: PlannedChange, source: str = DOCUMENT) -> str:
    result = run(snapshot_of(source), *changes)
    assert not result.not_applied
    assert result.document is not None
    return result.document.decode()


def reason(*changes: PlannedChange, source: str = DOCUMENT) -> str:
    """Why the last change was refused; nothing else was."""
    result = run(snapshot_of(source), *changes)
    (refused,) = result.not_applied
    assert len(result.applied) == len(changes) - 1
    return refused.reason


def test_nothing_to_do_changes_nothing() -> None:
    result = run(snapshot_of(DOCUMENT, {"t.yaml": b"a: 1\n"}))
    assert result.document == DOCUMENT.encode()
    assert result.patch == b""
    assert [file.path for file in result.files] == ["a.yaml", "c.yaml", "deep/b.yaml", "t.yaml"]
    assert not any(file.changed for file in result.files)


def test_embedded_files_are_edited_in_the_document() -> None:
    result = run(
        snapshot_of(DOCUMENT),
        patch("a.yaml", ("replace", "/a", 2), ("add", "/b/-", {"w": 1})),
        patch("deep/b.yaml", ("add", "/l", ["z"]), ("add", "/o", "a\n\nb\n")),
    )
    assert not result.not_applied
    expected = DOCUMENT.replace("a: 1   # c", "a: 2   # c").replace("  - x\n", "  - x\n  - w: 1\n")
    expected = expected.replace("\tl: # none\n", "\tl: # none\n   \t  - z\n")
    expected = expected.replace("   \tm: 1\n", "   \tm: 1\n   \to: |\n   \t  a\n\n   \t  b\n")
    assert result.document == expected.encode()
    content = {file.path: file.content for file in result.files}
    assert content["a.yaml"] == b"a: 2   # c\nb:\n  - x\n  - w: 1\nc: 3\n"
    assert read_files(expected.encode()) == content


def test_places_of_files_are_those_of_the_new_document() -> None:
    result = run(snapshot_of(DOCUMENT), patch("a.yaml", ("add", "/b/-", "w")), text("doc", 1, 3, "Módulo", "A\nB"))
    lines = {file.path: file.origin.document_line for file in result.files}
    assert lines == {"a.yaml": 6, "deep/b.yaml": 17, "c.yaml": 26}


def test_a_key_added_at_the_end_of_an_appended_file_stays_in_its_heredoc() -> None:
    assert edited(patch("a.yaml", ("add", "/d", 4))) == DOCUMENT.replace("c: 3\n", "c: 3\nd: 4\n")


def test_line_ends_of_the_document_are_kept() -> None:
    source = DOCUMENT.replace("\n", "\r\n")
    result = edited(patch("a.yaml", ("add", "/b/-", {"w": 1, "z": 2})), source=source)
    assert result == source.replace("  - x\r\n", "  - x\r\n  - w: 1\r\n    z: 2\r\n")


def test_line_ends_that_the_reader_takes_off_are_put_back() -> None:
    source = DOCUMENT.replace("\n", "\r\n")
    snapshot = snapshot_of(source)
    bare = tuple(replace(file, content=file.content.replace(b"\r", b"")) for file in snapshot.files)
    result = rewrite(replace(snapshot, files=bare), [patch("a.yaml", ("add", "/b/-", {"w": 1, "z": 2}))])
    assert result.document == source.replace("  - x\r\n", "  - x\r\n  - w: 1\r\n    z: 2\r\n").encode()


def test_text_of_the_document_and_of_embedded_files() -> None:
    assert edited(text("doc", LAST, 5, "do texto", "da história")) == DOCUMENT.replace("do texto", "da história")
    assert edited(text("doc", 5, 1, "a: 1", "a: 9")) == DOCUMENT.replace("a: 1", "a: 9")
    assert edited(text("doc", 15, 5, "k: v", "k: w")) == DOCUMENT.replace("k: v", "k: w")
    assert edited(text("a.yaml", 4, 1, "c: 3", "c: 4")) == DOCUMENT.replace("c: 3", "c: 4")
    both = text("doc", 15, 5, "k: v\n   \tl", "k: w\n   \tl"), text("doc", 18, 5, "m: 1\n", "m: 2\n")
    assert edited(text("doc", 15, 1, "   \tk: v", "   \tk: w")) == DOCUMENT.replace("k: v", "k: w")
    assert edited(*both) == DOCUMENT.replace("k: v", "k: w").replace("m: 1", "m: 2")


def test_two_texts_of_one_line_and_a_patch_beside_them() -> None:
    changes = (
        text("doc", LAST, 1, "Fim", "fim"),
        text("doc", LAST, 8, "texto", "TEXTO"),
        patch("a.yaml", ("replace", "/a", 2)),
    )
    assert edited(*changes) == DOCUMENT.replace("Fim do texto", "fim do TEXTO").replace("a: 1 ", "a: 2 ")


def test_the_first_of_two_overlapping_edits_wins() -> None:
    first, second = text("doc", LAST, 1, "Fim do", "X"), text("doc", LAST, 5, "do texto", "Y")
    assert "outra ação" in reason(first, second)
    assert "outra ação" in reason(patch("a.yaml", ("replace", "/a", 2)), text("a.yaml", 1, 4, "1", "3"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (text("doc", LAST, 1, "nada", "x"), "já é outro"),
        (text("doc", 99, 1, "x", "y"), "linha 99"),
        (text("doc", LAST, 99, "x", "y"), "coluna 99"),
        (text("doc", 4, 1, "cat > a.yaml << 'EOF'\na: 1", "x"), "fronteira"),
        (text("doc", 15, 2, "  \tk: v", "x"), "indentação que o documento dá"),
        (text("a.yaml", 3, 1, "  - x\nc: 3", "y"), "dois trechos"),
        (text("a.yaml", 1, 1, "a: 1", "EOF\na: 1"), "encerraria o heredoc"),
        (text("a.yaml", 1, 1, "a: 1   # c", "a: 1\n```"), "bloco de código"),
        (text("deep/b.yaml", 1, 1, "k: v", "\tk: v"), "TAB"),
        (text("c.yaml", 2, 4, "1", "$x"), "expande"),
        (patch("c.yaml", ("replace", "/y", "`id`")), "expande"),
        (patch("c.yaml", ("replace", "/y", "a\\b")), "expande"),
        (patch("a.yaml", ("replace", "/a", 2), document=1), "documento YAML nº 2"),
        (patch("a.yaml", ("add", "/z", "\ud800")), "prova falhou"),
        (text("a.yaml", 1, 1, "a: 1", "a: \ud800"), "UTF-8"),
        (text("a.yaml", 1, 1, "a: 1", "a: ["), "inválido"),
        (patch("none.yaml", ("replace", "/a", 2)), "não existe no módulo"),
        (PlannedChange(action="x", change=CreateFile(path="../x", content="")), "caminho recusado"),
        (PlannedChange(action="x", change=CreateFile(path="a.yaml", content="")), "já existe"),
        (PlannedChange(action="x", change=CreateFile(path="A.yaml", content="")), "se confunde"),
        (PlannedChange(action="x", change=CreateFile(path="a.yaml/b", content="")), "se confunde"),
        (PlannedChange(action="x", change=CreateFile(path="deep", content="")), "se confunde"),
        (PlannedChange(action="x", change=CreateFile(path="docs/M.md", content="")), "o documento"),
    ],
)
def test_what_cannot_be_applied_is_told_and_nothing_else_is_lost(change: PlannedChange, said: str) -> None:
    assert said in reason(patch("deep/b.yaml", ("replace", "/m", "kept")), change)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    change = TextChange(path="doc", line=2, column=1, end_line=1, end_column=1, old="", new="x")
    assert "já é outro" in reason(PlannedChange(action="x", change=change))


def test_a_text_that_waits_for_a_parameter_is_not_applied() -> None:
    change = TextChange(path="doc", line=1, column=1, end_line=1, end_column=2, old="#", new=Param(name="urls.x"))
    assert reason(PlannedChange(action="x", change=change)) == "parâmetro urls.x sem valor"


def test_changes_of_one_unit_stand_or_fall_together() -> None:
    unit = [
        PlannedChange(action="A", change=CreateFile(path="new.yaml", content="a: 1\n"), unit="u"),
        replace(patch("a.yaml", ("add", "/b/-", "new.yaml")), action="A", unit="u"),
        replace(patch("a.yaml", ("replace", "/none", 1)), action="A", unit="u"),
    ]
    result = run(snapshot_of(DOCUMENT), *unit, patch("a.yaml", ("replace", "/a", 2)))
    assert result.document == DOCUMENT.replace("a: 1 ", "a: 2 ").encode()
    assert [file.path for file in result.files] == ["a.yaml", "c.yaml", "deep/b.yaml"]
    assert [refused.reason.partition(" (")[0] for refused in result.not_applied] == [
        "desfeita com o conjunto de que faz parte",
        "desfeita com o conjunto de que faz parte",
        "o caminho /none não existe ou não aceita esta operação",
    ]


def test_a_created_file_joins_the_tree_and_can_be_edited() -> None:
    created = PlannedChange(action="A", change=CreateFile(path="d/new.yaml", content="a: 1\n"))
    result = run(snapshot_of(DOCUMENT), created, created, patch("d/new.yaml", ("add", "/b", 2)))
    assert [each.changed for each in result.applied] == [True, False, True]
    new = next(file for file in result.files if file.created)
    assert (new.path, new.content, new.origin) == ("d/new.yaml", b"a: 1\nb: 2\n", Origin(kind="tree"))
    assert b"new file mode 100644\n" in result.patch


def test_document_and_tree_copies_are_edited_alike_or_not_at_all() -> None:
    twin = b"a: 1\nb: [x]\n"
    result = run(snapshot_of(DOCUMENT, {"a.yaml": twin}), patch("a.yaml", ("add", "/b/-", "w")))
    contents = {file.origin.kind: file.content for file in result.files if file.path == "a.yaml"}
    assert contents["tree"] == b"a: 1\nb: [x, w]\n"
    assert contents["heredoc"] == b"a: 1   # c\nb:\n  - x\n  - w\nc: 3\n"
    content = snapshot_of(DOCUMENT).files[0].content
    same = rewrite(snapshot_of(DOCUMENT), [text("doc", 5, 1, "a: 1", "a: 5")], twins=tree_files({"a.yaml": content}))
    assert [file.content for file in same.files[:2]] == [content.replace(b"a: 1", b"a: 5")] * 2
    assert b"diff --git a/a.yaml b/a.yaml\n" in same.patch
    other = rewrite(snapshot_of(DOCUMENT), [text("doc", 5, 1, "a: 1", "a: 5")], twins=tree_files({"a.yaml": twin}))
    assert "outra versão" in other.not_applied[0].reason
    refused = run(snapshot_of(DOCUMENT, {"a.yaml": twin}), patch("a.yaml", ("remove", "/c")))
    assert refused.patch == b""
    assert len(refused.not_applied) == 1


def test_a_tree_alone_is_rewritten() -> None:
    result = run(
        tree_of({"k/a.yaml": b"a: 1\n---\nb: 1\n", "x.bin": b"\xff"}), patch("k/a.yaml", ("add", "/c", 1), document=1)
    )
    assert result.document is None
    assert result.files[0].content == b"a: 1\n---\nb: 1\nc: 1\n"
    assert result.patch.startswith(b"diff --git a/k/a.yaml b/k/a.yaml\n")


def test_bytes_that_are_not_text_are_kept_and_not_edited() -> None:
    result = run(tree_of({"x.yaml": b"a: \xff\n"}), patch("x.yaml", ("replace", "/a", 1)))
    assert "UTF-8" in result.not_applied[0].reason
    assert result.files[0].content == b"a: \xff\n"


def test_a_document_whose_bytes_are_unknown_is_left_alone() -> None:
    snapshot = snapshot_of(DOCUMENT)
    assert snapshot.document is not None
    broken = replace(snapshot, document=replace(snapshot.document, sha256="0" * 64))
    result = rewrite(broken, [patch("a.yaml", ("replace", "/a", 2)), text("doc", 1, 1, "#", "##")])
    assert result.document is None
    assert len(result.not_applied) == 2
    assert result.patch == b""


def test_a_byte_order_mark_that_the_reader_took_off_is_put_back() -> None:
    snapshot = snapshot_of(DOCUMENT)
    assert snapshot.document is not None
    data = b"\xef\xbb\xbf" + DOCUMENT.encode()
    marked = replace(snapshot, document=replace(snapshot.document, sha256=hashlib.sha256(data).hexdigest()))
    assert rewrite(marked, []).document == data


def test_fragments_are_named_by_their_new_line() -> None:
    snapshot = snapshot_of(DOCUMENT)
    fragment = replace(snapshot.files[2], path="doc@24", fragment=True)
    shifted = replace(snapshot, files=(*snapshot.files[:2], fragment))
    result = rewrite(shifted, [text("doc", 1, 3, "Módulo", "A\nB"), patch("doc@24", ("replace", "/y", 2))])
    assert not result.not_applied
    assert [file.path for file in result.files if file.fragment] == ["doc@25"]


def test_a_result_that_does_not_read_back_costs_only_the_guilty_change() -> None:
    """The reader sees what the edit could not know: the text that would end the fence it stands in."""
    guilty = text("doc", 3, 1, "```bash", "cat > other.yaml << 'Z'")
    result = rewrite(
        snapshot_of(DOCUMENT), [guilty, patch("a.yaml", ("replace", "/a", 2))], read_document_files=read_files
    )
    assert [refused.path for refused in result.not_applied] == ["doc"]
    assert result.document == DOCUMENT.replace("a: 1 ", "a: 2 ").encode()


def test_a_quoted_block_keeps_its_marks() -> None:
    lines = ["> ```yaml", "> a: 1", ">", "> b:", ">   c: 1", "> ```", ""]
    snapshot = snapshot_of("\n".join(lines))
    content = b"a: 1\n\nb:\n  c: 1\n"
    file = SourceFile(
        path="q.yaml",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        origin=Origin(kind="fence", document_line=2),
        segments=(Segment(first_line=1, line_count=4, document_line=2, dropped=(2, 1, 2, 2)),),
    )
    result = rewrite(replace(snapshot, files=(file,)), [patch("q.yaml", ("add", "/b/d", "x\n\ny"))])
    assert not result.not_applied
    expected = "\n".join([*lines[:5], ">   d: |-", ">     x", ">", ">     y", *lines[5:]])
    assert result.document == expected.encode()


def test_texts_and_patches_of_one_file_go_together() -> None:
    files = {"a.yaml": b"a: 1\n---\nb: 1\n"}
    result = run(tree_of(files), text("a.yaml", 1, 1, "a", "z"), patch("a.yaml", ("replace", "/b", 2), document=1))
    assert not result.not_applied
    assert result.files[0].content == b"z: 1\n---\nb: 2\n"


def test_summaries_are_short() -> None:
    many = tuple(("add", f"/k{number}", number) for number in range(9))
    result = run(tree_of({"a.yaml": b"a: 1\n"}), patch("a.yaml", ("test", "/a", 1), *many))
    assert result.applied[0].summary.startswith("confere /a; inclui /k0; ")
    assert result.applied[0].summary.endswith(" e mais 4")

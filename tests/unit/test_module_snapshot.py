from __future__ import annotations

import hashlib

import pytest

from pipeline.codec import sha256_hex
from pipeline.domain.snapshot import Document, ModuleSnapshot, Origin, ReadProblem, SourceFile, SourceState
from pipeline.module.document import read_document
from pipeline.module.kinds import is_yaml
from pipeline.module.snapshot import build_snapshot


def build(
    text: str | None, *tree: tuple[str, str], name: str = "x.md", problems: tuple[ReadProblem, ...] = ()
) -> ModuleSnapshot:
    document: Document | None = None if text is None else read_document(text.encode(), path=name)
    files = tuple(
        SourceFile(path=path, content=body.encode(), sha256=sha256_hex(body.encode()), origin=Origin(kind="tree"))
        for path, body in tree
    )
    return build_snapshot(document=document, tree=files, problems=problems, source=SourceState(), fallback_id="M99")


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("# M07 – Portal (v0.3)\n", "x.md", ("M07", "Portal", "v0.3")),
        ("# Módulo 7: Portal\n\nVersão do módulo: v0.3.1.\n", "x.md", ("M07", "Portal", "v0.3.1")),
        ("# Mo\u0301dulo 12 - Rede\n", "x.md", ("M12", "Rede", "")),
        ("# Guia\n## Módulo 03 – Custos\n- **Versa\u0303o do módulo:** v0\n", "x.md", ("M03", "Guia", "v0")),
        ("## M04 – A\n", "docs/module-05-v0.3.md", ("M04", "", "")),
        ("# Guia\n", "docs/module-05-v0.3.md", ("M05", "Guia", "")),
        ("# Guia M01 – M02\n", "m06.md", ("M06", "Guia M01 – M02", "")),
        ("# M071 – x (rascunho)\n", "core.md", ("M99", "M071 – x (rascunho)", "")),
        ("```\nVersão do módulo: v9\n```\n", "stream12.md", ("M99", "", "")),
        (None, "", ("M99", "", "")),
    ],
)
def test_id_title_version(text: str | None, name: str, expected: tuple[str, str, str]) -> None:
    snapshot = build(text, name=name)
    assert (snapshot.id, snapshot.title, snapshot.version) == expected


DOCUMENT = "`a.yaml`:\n```yaml\na: 1\n```\n"


def test_document_files_come_first_and_count() -> None:
    snapshot = build(DOCUMENT, ("z", "z"), ("b", "b"), ("a.yaml", "a: 2\n"))
    assert [(file.path, file.origin.kind) for file in snapshot.files] == [
        ("a.yaml", "fence"),
        ("b", "tree"),
        ("z", "tree"),
    ]
    (problem,) = snapshot.problems
    assert (problem.code, problem.path, problem.document_line) == ("conflict", "a.yaml", 3)
    assert "linha 3" in problem.message


def test_equal_files_are_no_conflict() -> None:
    assert build(DOCUMENT, ("a.yaml", "a: 1\n")).problems == ()


def test_twins_between_document_and_tree() -> None:
    assert [problem.code for problem in build(DOCUMENT, ("A.yaml", ""), ("b", ""), ("B", "")).problems] == [
        "collision"
    ] * 2


def test_problems_of_every_reader_are_kept() -> None:
    given = ReadProblem(code="special", message="m", path="x")
    snapshot = build("```\n", problems=(given,))
    assert [problem.code for problem in snapshot.problems] == ["unclosed", "special"]


def test_digest_is_over_paths_and_contents_only() -> None:
    data = DOCUMENT.encode()
    expected = b"\0%d\0" % len(data) + data + b"a.yaml\0" + b"5\0a: 1\n" + b"b\0" + b"1\0b"
    assert build(DOCUMENT, ("b", "b")).sha256 == hashlib.sha256(expected).hexdigest()
    assert build(DOCUMENT, name="y.md").sha256 == build(DOCUMENT, name="z.md").sha256
    assert build(None, ("a", "b")).sha256 != build(None, ("ab", "")).sha256


@pytest.mark.parametrize(
    ("path", "expected"), [("a.yaml", True), ("a.YML", True), ("yaml", False), ("a.yaml.tpl", False)]
)
def test_is_yaml(path: str, *, expected: bool) -> None:
    assert is_yaml(path) is expected

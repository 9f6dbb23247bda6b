from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domain.snapshot import Document
from pipeline.errors import InputError
from pipeline.module.document import read_document

SEED = Path(__file__).resolve().parents[3] / "shared" / "seed" / "module-07-v0.3.md"


def read(text: str) -> Document:
    return read_document(text.encode(), path="module-00.md")


def found(document: Document) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.document_line) for problem in document.problems]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a\nb\xe7c", ("m.md:2", "byte 0xE7 na posição 3")),
        (b"ok\nx\0", ("m.md:2", "NUL na posição 4")),
        ("é".encode("utf-16"), ("UTF-16",)),
        (b"\xfe\xff\0a", ("UTF-16",)),
        ("é".encode("utf-32"), ("UTF-32",)),
        (b"\xed\xa0\x80", ("posição 0",)),
        (b"x" * 101, ("100 bytes",)),
        (b"\n" * 11, ("10 linhas",)),
    ],
)
def test_refused_in_one_clear_line(data: bytes, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        read_document(data, path="m.md", max_bytes=100, max_lines=10)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("```\n```\n" * 50_001, "blocos de código"),
        ("```sh\n" + "a " * 500_001 + "\n```\n", "palavras"),
        ("```sh\n" + "".join(f"cat > f{n} <<E\nE\n" for n in range(10_001)) + "```\n", "arquivos"),
        ("```sh\n" + "echo > f\n" * 10_001 + "```\n", "problemas"),
    ],
    ids=["fences", "words", "files", "problems"],
)
def test_absurd_numbers_are_refused(text: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        read(text)


def test_lines_split_at_lf_only_and_text_is_exact() -> None:
    data = "\ufeff# A\r\nb\u2028c\x0bd\x0ce\u0085f\rg\r\n\r\nlast".encode()
    document = read_document(data, path="m.md")
    assert document.text.encode() == data
    assert document.lines == ("\ufeff# A", "b\u2028c\x0bd\x0ce\u0085f\rg", "", "last")
    assert [(heading.text, heading.line) for heading in document.headings] == [("A", 1)]


def test_empty_document() -> None:
    document = read("")
    assert (document.lines, document.fences, document.files) == ((), (), ())
    assert read("\n").lines == ("",)


def test_crlf_ends_here_documents_and_leaves_no_cr_in_files() -> None:
    document = read("```sh\r\ncat > f <<'E'\r\na\r\nE\r\n```\r\n")
    assert [(file.path, file.content) for file in document.files] == [("f", b"a\n")]
    assert document.problems == ()


def test_sections_are_those_of_level_two() -> None:
    document = read("```sh\na\n```\n## S\n### T\n```sh\nb\n```\n# H\n```sh\nc\n```\n")
    assert [command.section for command in document.commands] == ["", "S", ""]
    assert [fence.section for fence in document.fences] == ["", "S", ""]


def test_fenced_lines_include_the_fences() -> None:
    document = read("a\n```\nb\n```\nc\n~~~\nd")
    assert document.fenced_lines == {2, 3, 4, 6, 7}
    assert document.prose() == [(1, "a"), (5, "c")]
    assert found(document) == [("unclosed", 6)]


@pytest.mark.parametrize(
    ("line", "language", "label"),
    [
        ("`apps/x/y.yaml`:", "yaml", "apps/x/y.yaml"),
        ("**`apps/x/y.yaml`**", "yaml", "apps/x/y.yaml"),
        ("Arquivo `apps/x.yaml` (exemplo):", "yaml", "apps/x.yaml"),
        ("`tailwind.config.js` (exemplo mínimo):", "js", "tailwind.config.js"),
        ("Importar CSS (ex.: `packages/app/src/index.tsx`):", "ts", "packages/app/src/index.tsx"),
        ("Registrar rotas em `src/App.tsx`:", "tsx", "src/App.tsx"),
        ("#### `Dockerfile`", "dockerfile", "Dockerfile"),
        ("2. `.env.example`:", "dotenv", ".env.example"),
        ("- Arquivo: `config/app.properties`", "properties", "config/app.properties"),
        ("apps/core/x.yaml:", "yaml", "apps/core/x.yaml"),
        ("**Arquivo: values.yaml**", "yaml", "values.yaml"),
        ("`clusters/ag-<regiao>/x.yaml`:", "yaml", "clusters/ag-<regiao>/x.yaml"),
        ("`Makefile`:", "", "Makefile"),
        ("`flows/a.n8n`:", "", "flows/a.n8n"),
        ("`x.yaml`:", "hcl", "x.yaml"),
        ("# apps/x.yaml é bom", "yaml", None),
        ("Caso exista um `apps/x.yaml`, garantir a inclusão (exemplo):", "yaml", None),
        ("Saída de `logs/x.log`:", "", None),
        ("Aplicar como diz `docs/x.md`:", "yaml", None),
        ("Remover de `x.yaml`:", "diff", None),
        ("`appgear.io`:", "yaml", None),
        ("`/opt/appgear/backstage`:", "yaml", None),
        ("`v0.3`:", "yaml", None),
        ("`apps/`:", "yaml", None),
        ("`kubectl get x`:", "yaml", None),
        ("texto", "yaml", None),
        ("x" * 600 + " `a.yaml`:", "yaml", None),
        ("Editar `x.yaml`:", "bash", None),
    ],
)
def test_labels(line: str, language: str, label: str | None) -> None:
    document = read(f"{line}\n\n```{language}\nx\n```\n")
    assert document.fences[0].label == label


def test_a_label_is_never_inside_or_beyond_another_fence() -> None:
    document = read("`a.yaml`:\n```yaml\na: 1\n```\n```yaml\nb: 1\n```\n")
    assert [fence.label for fence in document.fences] == ["a.yaml", None]
    assert read("```yaml\n# apps/x.yaml\na: 1\n```\n").fences[0].label is None


def test_a_label_before_a_fence_that_writes_is_not_its_label() -> None:
    document = read("`a.sh`:\n```sh\ncat > b <<E\nE\n```\n")
    assert document.fences[0].label is None
    assert [file.path for file in document.files] == ["b"]


def test_labelled_shell_and_text_are_no_files() -> None:
    document = read("`a.sh`:\n```sh\nls\n```\n`b.txt`:\n```text\nx\n```\n")
    assert [fence.label for fence in document.fences] == ["a.sh", "b.txt"]
    assert document.files == ()
    assert [command.text for command in document.commands] == ["ls"]


def test_labelled_shell_that_can_only_be_a_file() -> None:
    document = read("`.env`:\n```bash\n# x\nA=1\n```\n`a.sh`:\n```sh\n#!/bin/sh\ncd sub\nls\n```\n```sh\npwd\n```\n")
    assert [file.path for file in document.files] == [".env", "a.sh"]
    assert [(command.text, command.directory) for command in document.commands] == [
        ("cd sub", ""),
        ("ls", "sub"),
        ("pwd", ""),
    ]


def test_labels_that_leave_the_tree() -> None:
    document = read("`/etc/app.yaml`:\n```yaml\napiVersion: v1\nkind: Secret\n```\n`../x.yaml`:\n```yaml\na: 1\n```\n")
    assert found(document) == [("unsafe-target", 2), ("unsafe-target", 7)]
    assert [(file.path, file.fragment) for file in document.files] == [("doc@3", True)]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("```yaml\napiVersion: v1\nkind: A\n```", ["doc@2"]),
        ("```yml\n# c\n---\na: 1\n---\n  kind: A\n  'apiVersion': v1\n```", ["doc@2"]),
        ("```\nservices:\n  a: {}\n```", ["doc@2"]),
        ("```yaml\nspec:\n  kind: A\n  apiVersion: v1\n```", []),
        ("```yaml\nkind: A\n---\napiVersion: v1\n```", []),
        ("```json\nservices:\n```", []),
        ("```text\nservices:\n```", []),
        ("```{.yaml title=x}\nservices:\n```", ["doc@2"]),
        ("```sh\nkubectl apply -f - <<E\napiVersion: v1\nkind: A\nE\n```", ["doc@3"]),
        ('```sh\ncat <<E | kubectl apply -f "$(x)"\napiVersion: v1\nkind: A\nE\n```', ["doc@3"]),
        ("```sh\ncat <<E | sed s/a/b/ | kubectl apply -f -\nservices:\nE\n```", ["doc@3"]),
        ("```sh\ncat <<E\nservices:\nE\n```", ["doc@3"]),
        ("```sh\ncat <<E | (kubectl apply -f -)\nservices:\nE\n```", ["doc@3"]),
        ("```sh\ncat <<E | (a); b\nservices:\nE\n```", ["doc@3"]),
        ("```sh\ncat <<E | ('\nservices:\nE\n```", []),
        ("```sh\npsql <<E\nselect 1\nE\n```", []),
        ("```sh\nwhile read x; do a; done <<E\nservices:\nE\n```", ["doc@3"]),
        ("```sh\na 3<<E <<F\nservices:\nE\nservices:\nF\n```", ["doc@3", "doc@5"]),
        ("```\ncat > a <<E\nE\n```", ["a"]),
    ],
)
def test_fragments(text: str, paths: list[str]) -> None:
    files = read(text).files
    assert [file.path for file in files] == paths
    assert all(file.fragment == file.path.startswith("doc@") for file in files)


def test_the_real_module() -> None:
    if not SEED.exists():
        pytest.skip("the real module is not beside this repository")
    document = read_document(SEED.read_bytes(), path=SEED.name)
    core = "apps/core/backstage"
    assert [(file.path, file.directory) for file in document.files] == [
        (f"{core}/kustomization.yaml", ""),
        (f"{core}/namespace.yaml", ""),
        (f"{core}/serviceaccount.yaml", ""),
        (f"{core}/config-backstage.yaml", ""),
        (f"{core}/deployment.yaml", ""),
        (f"{core}/service.yaml", ""),
        ("apps/core/openmetadata/kustomization.yaml", ""),
        ("apps/core/openmetadata/namespace.yaml", ""),
        ("apps/core/kong/backstage-route.yaml", ""),
        ("apps/core/kong/kustomization.yaml", ""),
        ("tailwind.config.js", ""),
        ("packages/app/src/index.tsx", ""),
        ("packages/app/src/App.tsx", ""),
        ("templates/workspace-create/template.yaml", ""),
        (".env", "/opt/appgear/backstage"),
        ("docker-compose.backstage.yml", "/opt/appgear/backstage"),
    ]
    assert document.problems == ()
    assert len(document.fences) == 32
    assert all(file.document_line(1) == file.origin.document_line for file in document.files)

"""The platform's references: read as they are written, refused where they say nothing."""

from __future__ import annotations

from argparse import Namespace
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.adapters.files import DiskReader
from pipeline.adapters.recording import Notes
from pipeline.audit.references import NO_REFERENCES, MatrixEntry, References, read_matrix, read_stack
from pipeline.errors import UsageError
from pipeline.inputs import Inputs

MATRIX = """
- modulo: "M07 – Portal"
  id: "M07"
  usa_core: [core-backstage, core-argo-cd]
  usa_suites: [Factory]
  integra_com:
    http:
      - {nome: Portal, via: core-kong, prefixo: "/directus, /n8n", cadeia: traefik -> core-backstage}
    eventos:
      produz: [{broker: core-redpanda, topico: appgear.backstage.run}]
      consome: [{broker: core-redpanda, topico: "appgear.observability.*"}]
    dados: {le_de: ["catalogo Backstage"]}
"""
STACK = """
version: v0.3
namespaces:
  core: [argocd, kong]
  workspaces:
    template: "workspace-{{workspace_id}}"
    vcluster: vcluster-<id>
    uniqueness: ["Únicos por tenant."]
argocd: {required_labels: [appgear.io/tenant]}
components:
  core:
    network: [traefik, kong]
    data: [{name: postgres, version: 15.8}, {redis: "7.2"}]
  suites: {brain: {version: v3, note: x}}
"""


def test_the_platforms_matrix_is_read() -> None:
    assert read_matrix(MATRIX.encode(), where="m") == {
        "M07": MatrixEntry(
            id="M07",
            services=("core-backstage", "core-argo-cd"),
            prefixes=("/directus", "/n8n"),
            topics=("appgear.backstage.run", "appgear.observability.*"),
        )
    }


@pytest.mark.parametrize(
    "text",
    [
        "modulos:\n  M07: {services: [core-a], namespaces: backstage, depends_on: [M04, 5], rotas: [/a]}\n",
        "M07:\n  servicos: [{nome: core-a}]\n  depende_de: [m4, M05]\n  routes: /a\n  namespaces: [backstage]\n",
        "modules: [{id: 7, services: core-a, dependencies: [M04, M05], prefixes: [/a], namespace: backstage}]\n",
    ],
)
def test_other_shapes_of_a_matrix_are_read(text: str) -> None:
    entry = read_matrix(text.encode(), where="m")["M07"]
    assert entry.services == ("core-a",)
    assert entry.prefixes == ("/a",)
    assert entry.namespaces == ("backstage",)
    assert entry.modules[0] == "M04"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [\n", "YAML inválido na linha"),
        ("", "um documento"),
        ("a: 1\n---\nb: 2\n", "um documento"),
        ("[]\n", "nenhum módulo"),
        ("texto\n", "nenhum módulo"),
        ("- {modulo: x}\n", "sem `id`"),
        ("- {id: M07}\n- {id: '7'}\n", "duas vezes"),
        ("- {id: M07, id: M08}\n", "repetida"),
    ],
)
def test_a_matrix_that_says_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_matrix(text.encode(), where="modulos.yaml")


def test_the_stack_is_read() -> None:
    stack = read_stack(STACK.encode(), where="s")
    assert stack.namespaces == ("argocd", "kong", "workspace-*", "vcluster-*")
    assert stack.application_labels == ("appgear.io/tenant",)
    assert stack.versions == {"postgres": "15.8", "redis": "7.2", "brain": "v3"}


@pytest.mark.parametrize("text", ["[1]\n", "a: 1\n", "{\n"])
def test_what_is_no_stack_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_stack(text.encode(), where="s")


def inputs(folder: Path, text: str, module: Path) -> Inputs:
    (folder / "appgear.toml").write_text(text)
    options = Namespace(config=folder / "appgear.toml", module=module, gitops=None, offline=True)
    missing, notes = cast("Any", None), Notes("")
    return Inputs(options, reader=DiskReader(), git=missing, runner=missing, today=date(2026, 1, 1), notes=notes)


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    (tmp_path / "modulos.yaml").write_text(MATRIX)
    (tmp_path / "stack.yaml").write_text(STACK)
    (tmp_path / "gitops").mkdir()
    (tmp_path / "gitops" / "a.yaml").write_text("a: 1\n")
    (tmp_path / "module").mkdir()
    return tmp_path


ALL = '[references]\nmatrix = "modulos.yaml"\nstack = "stack.yaml"\ntree = "gitops"\n'


def test_references_are_read_from_the_configuration(platform: Path) -> None:
    read, digest = inputs(platform, ALL, platform / "module").references
    assert read.matrix
    assert read.stack
    assert [each.path for each in read.tree or ()] == ["a.yaml"]
    (platform / "gitops" / "a.yaml").write_text("a: 2\n")
    assert inputs(platform, ALL, platform / "module").references[1] != digest
    assert inputs(platform, "", platform / "module").references == (References(), "")
    assert References.from_texts() == NO_REFERENCES


@pytest.mark.parametrize(("key", "value"), [("matrix", "modulos.yaml"), ("stack", "stack.yaml"), ("tree", "gitops")])
def test_nothing_under_audit_is_a_reference(platform: Path, key: str, value: str) -> None:
    with pytest.raises(UsageError, match="dentro da árvore auditada"):
        _ = inputs(platform, f'[references]\n{key} = "{value}"\n', platform).references


def test_an_empty_tree_is_refused(platform: Path) -> None:
    (platform / "gitops" / "a.yaml").unlink()
    with pytest.raises(UsageError, match="não tem arquivo"):
        _ = inputs(platform, ALL, platform / "module").references

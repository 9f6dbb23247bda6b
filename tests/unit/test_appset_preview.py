"""The preview as a whole: files, errors with their place, limits, what Argo CD's settings change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.appset.preview import dump_applications, preview, preview_file
from pipeline.errors import InputError, ToolError
from pipeline.yamldoc import load_yaml

_SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: one
  namespace: argocd
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  strategy: {type: RollingSync}
  generators:
    - list:
        elements:
          - {name: a, port: 1000000}
          - {name: b, port: 80}
  template:
    metadata:
      name: 'x-{{ .name }}'
      annotations: {port: '{{ .port }}'}
    spec:
      project: core
      source: {repoURL: 'https://example.com/r.git', path: 'p/{{ .name }}'}
      destination: {server: 'https://kubernetes.default.svc', namespace: apps}
      syncPolicy: {automated: {prune: true}}
"""


def _manifests(text: str, **options: bool) -> list[dict[str, Any]]:
    return [application.manifest for application in preview(text.encode(), where="set.yaml", **options)]


def test_order_of_elements_and_numbers_as_go_prints_them() -> None:
    found = preview(_SET.encode(), where="set.yaml")
    assert [(app.name, app.namespace, app.element, app.application_set) for app in found] == [
        ("x-a", "argocd", 0, "one"),
        ("x-b", "argocd", 1, "one"),
    ]
    assert [app.manifest["metadata"]["annotations"]["port"] for app in found] == ["1e+06", "80"]


def test_several_documents_and_other_kinds() -> None:
    text = f"a: 1\n---\n{_SET}---\n- 1\n---\n{_SET.replace('name: one', 'name: two')}"
    found = preview_file(text.encode(), where="set.yaml")
    assert found.application_sets == ("one", "two")
    assert found.other_documents == 2
    assert [app.application_set for app in found.applications] == ["one", "one", "two", "two"]


def test_dump_is_a_stream_that_reads_back() -> None:
    applications = preview(_SET.encode(), where="set.yaml")
    data = dump_applications(applications)
    assert [document.value for document in load_yaml(data.decode()).documents] == [
        application.manifest for application in applications
    ]
    assert dump_applications(()) == b""


def test_progressive_syncs_take_automated_sync_away() -> None:
    assert _manifests(_SET)[0]["spec"]["syncPolicy"]["automated"] == {"prune": True}
    on = _manifests(_SET, progressive_syncs=True)
    assert on[0]["spec"]["syncPolicy"]["automated"] == {"prune": True, "enabled": False}
    plain = _SET.replace("syncPolicy: {automated: {prune: true}}", "info: []")
    assert "syncPolicy" not in _manifests(plain, progressive_syncs=True)[0]["spec"]


def test_without_a_namespace_there_is_none() -> None:
    text = _SET.replace("  namespace: argocd\n", "")
    assert "namespace" not in _manifests(text)[0]["metadata"]


def test_leftovers_are_reported_not_expanded_again() -> None:
    text = _SET.replace("{name: a, port: 1000000}", "{name: a, port: '{{ .name }} {{ printf }}'}")
    found = preview(text.encode(), where="set.yaml")
    assert found[0].manifest["metadata"]["annotations"]["port"] == "{{ .name }} {{ printf }}"
    assert found[0].leftovers == ("metadata.annotations.port",)
    assert found[1].leftovers == ()


def test_leftovers_inside_lists() -> None:
    text = _SET.replace("source: {", "info: [{name: a, value: '{{ \"{{\" }}'}]\n      source: {")
    assert preview(text.encode(), where="set.yaml")[0].leftovers == ("spec.info[0].value",)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("name: b,", "nome: b,", 14, "o elemento 1: metadata.name: não há entrada para a chave 'name'"),
        ("name: b,", "name: a,", 14, "duas Applications"),
        ("name: b,", "name: B,", 14, "não é um nome DNS-1123"),
        ("goTemplate: true", "goTemplate: 'true'", 1, "goTemplate deveria ser true ou false"),
        ("[missingkey=error]", "[missingkey=oops]", 1, "opção 'missingkey=oops' não existe"),
        ("[missingkey=error]", "missingkey=error", 1, "lista de textos"),
        ("project: core\n", "projeto: core\n", 15, "falta spec.template.spec.project"),
        ("destination: {", "destino: {", 15, "falta spec.template.spec.destination"),
        ("    metadata:\n      name: 'x", "    meta:\n      name: 'x", 15, "falta spec.template.metadata"),
        ("  name: one\n", "  nome: one\n", 1, "falta metadata.name"),
        ("  namespace: argocd\n", "  namespace: [a]\n", 1, "metadata.namespace"),
        ("argoproj.io/v1alpha1", "argoproj.io/v1", 1, "apiVersion deveria ser"),
        ("generators:\n", "generators: 1\n  x:\n", 1, "falta spec.generators"),
        ("- list:", "- lista:", 11, "gerador 'lista' não existe"),
        ("elements:\n", "elements: 1\n        template: null\n        elementsYaml:\n", 11, "deveria ser uma lista"),
        ("spec:\n  goTemplate", "spec: 1\nx:\n  goTemplate", 1, "falta spec.generators"),
        ("  template:\n", "  templatePatch: 1\n  template:\n", 1, "templatePatch deveria ser texto"),
        ("  template:\n", "  templatePatch: '{{ .nope }}'\n  template:\n", 13, "templatePatch: não há entrada"),
        ("  template:\n", "  template: 1\n  x:\n", 15, "falta spec.template"),
        ("path: 'p/{{ .name }}'", "path: [1]", 15, "spec.template.spec.source.path deveria ser texto"),
        ("path: 'p/{{ .name }}'", "path: '{{ .name'", 13, "spec.source.path: ação '{{' não fechada"),
        ("{port: ", "{'bad key': ", 13, "não serve como chave"),
        ("annotations: {port: ", "labels: {port: x y, p: ", 13, "label port tem o valor inválido"),
    ],
)
def test_what_argo_cd_refuses_names_the_line(old: str, new: str, line: int, message: str) -> None:
    assert old in _SET
    with pytest.raises((InputError, ToolError)) as caught:
        preview(_SET.replace(old, new, 1).encode(), where="set.yaml")
    if isinstance(caught.value, ToolError):
        assert "campo spec.x" in str(caught.value)
        return
    assert message in str(caught.value)
    assert caught.value.where == f"set.yaml:{line}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- list:", "- matrix: {}\n      list:", "gerador matrix"),
        ("spec:\n  goTemplate", "spec:\n  novo: 1\n  goTemplate", "campo spec.novo"),
        ("project: core", "project: core\n      novo: 1", "campo spec.template.spec.novo"),
        ("p/{{ .name }}", "{{ now }}", "função now em spec.source.path"),
        ("'p/{{ .name }}'", "'{{ range until 99999 }}{{ $ }}{{ end }}'", "passos de avaliação"),
        ("annotations: {port: ", "annotations: {y: a, port: ", "chave 'y' sem aspas"),
        ("annotations: {port: ", "annotations: {010: a, port: ", "chave '010' sem aspas"),
    ],
)
def test_what_is_not_exact_is_named(old: str, new: str, message: str) -> None:
    assert old in _SET
    with pytest.raises(ToolError, match="exatidão") as caught:
        preview(_SET.replace(old, new, 1).encode(), where="set.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"a: 1", b"kind: Application", b"\xff\xfe", b"a: [", b"a: 1\na: 2"])
def test_nothing_to_preview(data: bytes) -> None:
    with pytest.raises(InputError):
        preview(data, where="set.yaml")


def _generated(count: int, **spec: Any) -> bytes:
    value = load_yaml(_SET).documents[0].value
    value["spec"]["generators"] = [{"list": {"elements": [{"name": f"n{i}", "port": 1} for i in range(count)]}}]
    value["spec"] |= spec
    return json.dumps(value).encode()


def test_a_thousand_elements() -> None:
    found = preview(_generated(1000), where="set.json")
    assert [found[0].name, found[999].name] == ["x-n0", "x-n999"]


def test_more_elements_than_allowed() -> None:
    with pytest.raises(ToolError, match="mais de 10000 elementos"):
        preview(_generated(10_001), where="set.json")
    half = _generated(6000).decode()
    other = half.replace('"name": "one"', '"name": "two"')
    with pytest.raises(ToolError, match="o arquivo"):
        preview(f"{half}\n---\n{other}".encode(), where="set.json")


def test_the_whole_preview_has_a_budget() -> None:
    value = load_yaml(_SET).documents[0].value
    value["spec"]["template"]["spec"]["source"]["path"] = "{{ repeat 300000 .name }}"
    value["spec"]["generators"] = [{"list": {"elements": [{"name": f"n{i}", "port": 1} for i in range(10, 99)]}}]
    with pytest.raises(ToolError, match="limite de trabalho"):
        preview(json.dumps(value).encode(), where="set.json")

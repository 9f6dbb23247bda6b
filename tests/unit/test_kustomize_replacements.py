"""``replacements``: what is copied is judged where it is put, and told where it is written."""

from __future__ import annotations

import pytest
from test_kustomize_graph import DEPLOYMENT, HEAD, found, places

from pipeline.audit.rule import Example
from rulecheck import judged

CONFIG = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata:\n  what: app:latest\n  tag: '1.2.3'\n  count: '3'\n"
)
MAIN = "spec.template.spec.containers.[name=main].image"


def files(replacements: str, *, prefix: str = "") -> dict[str, str]:
    return {
        "kustomization.yaml": f"{HEAD}{prefix}resources: [cfg.yaml, web.yaml]\nreplacements:\n{replacements}",
        "cfg.yaml": CONFIG,
        "web.yaml": DEPLOYMENT.replace("app:latest", "app:1.0.0"),
    }


def copied(field: str, targets: str, options: str = "{}") -> str:
    source = f"{{kind: ConfigMap, name: cfg, fieldPath: {field}, options: {options}}}"
    return f"  - {{source: {source}, targets: [{targets}]}}\n"


def put(field: str, options: str = "{}") -> str:
    return f"{{select: {{kind: Deployment}}, fieldPaths: ['{field}'], options: {options}}}"


def test_a_copied_value_is_told_where_it_is_written() -> None:
    assert places("IMG-LATEST", files(copied("data.what", put(MAIN)))) == [("cfg.yaml", 5)]
    assert places("IMG-LATEST", files(copied("data.tag", put(MAIN, "{delimiter: ':', index: 1}")))) == []


@pytest.mark.parametrize(
    ("field", "options", "image"),
    [
        (MAIN, "{}", "1.2.3"),
        (MAIN, "{delimiter: ':', index: 1}", "app:1.2.3"),
        (MAIN, "{delimiter: ':', index: 9}", "app:1.0.0:1.2.3"),
        (MAIN, "{delimiter: ':', index: -1}", "1.2.3:app:1.0.0"),
        ("spec.template.spec.containers.0.image", "{}", "1.2.3"),
        ("spec.template.spec.containers.*.image", "{}", "1.2.3"),
    ],
)
def test_fields_and_delimiters(field: str, options: str, image: str) -> None:
    web = found(files(copied("data.tag", put(field, options))), "web.yaml")
    assert web.pod is not None
    assert web.pod.containers[0].value["image"] == image


def test_types_are_those_of_the_target_and_new_fields_are_plain() -> None:
    fields = "[spec.replicas, 'metadata.annotations.[a.b/c]', 'spec.args.[=b]']"
    given = files(copied("data.count", f"{{select: {{name: web}}, fieldPaths: {fields}, options: {{create: true}}}}"))
    given["web.yaml"] = given["web.yaml"].replace("spec:\n", "spec:\n  replicas: 1\n  args: [a, b]\n", 1)
    web = found(given, "web.yaml")
    assert web.get("spec", "replicas") == 3
    assert web.get("spec", "args") == ["a", "3"]
    assert web.annotations["a.b/c"] == 3


def test_names_go_by_both_names_and_sources_are_read_with_what_came_before() -> None:
    first = copied("metadata.name", put("metadata.annotations.named", "{create: true}"))
    second = (
        "  - {source: {kind: Deployment, name: p-web, fieldPath: metadata.annotations.named},"
        f" targets: [{put('metadata.annotations.again', '{create: true}')}]}}\n"
    )
    web = found(files(first + second, prefix="namePrefix: p-\n"), "web.yaml")
    assert (web.annotations["named"], web.annotations["again"]) == ("p-cfg", "p-cfg")


def test_files_of_replacements_rejects_and_targets_that_nothing_meets() -> None:
    one = "source: {kind: ConfigMap, name: cfg, fieldPath: data.tag}\n"
    rejected = f"targets:\n  - {put(MAIN)[:-1]}, reject: [{{name: web}}]}}\n"
    given = files("  - path: r.yaml\n  - path: s.yaml\n") | {"r.yaml": one + rejected}
    given["s.yaml"] = f"- {{{one.strip()}, targets: [{{select: {{kind: Nada}}, fieldPaths: [x]}}]}}\n"
    web = found(given, "web.yaml")
    assert web.value is web.source
    assert not web.module.kustomize.unrendered


@pytest.mark.parametrize(
    ("replacements", "said"),
    [
        (copied("data.none", put(MAIN)), "a origem `data.none`"),
        (copied("data.tag", put(MAIN), "{delimiter: '.', index: 7}"), "não tem a parte 7"),
        (copied("data.tag", put("spec.none")), "o campo `spec.none`"),
        (copied("data.tag", put("metadata.name.x", "{create: true}")), "não cabe"),
        (copied("data.tag", put("spec..x")), "não é interpretado"),
        (copied("data", put(MAIN)), "copia um mapa"),
        ("  - {source: {kind: ConfigMap, name: gerado}, targets: [" + put(MAIN) + "]}\n", "nenhum objeto do módulo"),
        ("  - {source: {}, targets: [" + put(MAIN) + "]}\n", "mais de um objeto"),
    ],
)
def test_what_kustomize_would_not_render_is_told(replacements: str, said: str) -> None:
    result = judged("GIT-DANGLING", Example(files=files(replacements)))
    assert [said in each.reason for each in result.not_run] == [True]
    assert not result.not_run[0].crashed


def test_kustomizations_in_a_circle_end() -> None:
    body = copied("data.tag", put(MAIN)).replace("kind: ConfigMap, name: cfg", "kind: ConfigMap")
    given = {
        "a/kustomization.yaml": f"{HEAD}resources: [../b, x.yaml]\nreplacements:\n{body}",
        "b/kustomization.yaml": f"{HEAD}resources: [../a, y.yaml]\nreplacements:\n{body}",
        "a/x.yaml": CONFIG + "---\n" + DEPLOYMENT,
        "b/y.yaml": CONFIG.replace("cfg", "other"),
    }
    assert found(given, "a/x.yaml").render is not None

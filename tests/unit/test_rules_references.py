"""DOC-MATRIX, GIT-DRIFT and what the stack decides: both sides compared, neither believed blindly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from rulecheck import assert_quiet, details, judged, named

HEAD = "# Módulo 07 – Portal\n\n## 3. Pré-requisitos\n\n"
ROUTE = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec: {ingressClassName: kong, rules: [{http: {paths: [{path: '%s'}]}}]}
"""


def matrix(entry: str, *others: str) -> str:
    return "\n".join([f"- {{id: M07, {entry}}}", *(f"- {{{each}}}" for each in others)])


class TestMatrix:
    def test_without_a_matrix_nothing_is_examined(self) -> None:
        result = judged("DOC-MATRIX", Example(document=HEAD))
        assert (result.examined, result.not_run) == ({"DOC-MATRIX": 0}, ())

    def test_a_module_that_is_not_in_the_matrix(self) -> None:
        (found,) = details("DOC-MATRIX", Example(document=HEAD, matrix="- {id: M08}\n"))
        assert "M07 não está na matriz" in found

    def test_a_document_without_a_number_cannot_be_compared(self) -> None:
        example = Example(document="# Um texto\n", matrix=matrix("usa_core: []"))
        snapshot = replace(snapshot_of(example), id="PORTAL")
        result = audit(snapshot, [named("DOC-MATRIX")], policy=Policy(), references=example.references)
        assert result.examined == {"DOC-MATRIX": 0}
        assert "não diz de que módulo é" in result.not_run[0].reason

    def test_services_of_both_sides(self) -> None:
        example = Example(
            document=HEAD + "- `core-redis`\n\nO `core-outro-config` não é serviço.\n",
            files={
                "a.yaml": "# core-qdrant\nhost: core-postgres.data.svc\n",
                "svc.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: core-novo}\n",
                ".env.example": "HOST=core-qdrant\n",
            },
            matrix=matrix(
                "usa_core: [core-argo-cd, core-ceph]", "id: M04, services: [core-redis, core-postgres, core-qdrant]"
            ),
        )
        found = details("DOC-MATRIX", example)
        assert [each.partition("`")[2].partition("`")[0] for each in found] == [
            "core-argo-cd",
            "core-ceph",
            "core-redis",
            "core-qdrant",
            "core-postgres",
            "core-novo",
        ]

    def test_a_service_is_cited_by_its_plain_name_too(self) -> None:
        assert_quiet("DOC-MATRIX", Example(document=HEAD + "Argo CD\n", matrix=matrix("usa_core: [core-argo-cd]")))

    @pytest.mark.parametrize("path", ["/backstage", "/backstage/", "/backstage/api", "/~/backstage(/|$)(.*)"])
    def test_routes_below_a_prefix_agree(self, path: str) -> None:
        files = {"a.yaml": ROUTE % path}
        assert_quiet("DOC-MATRIX", Example(document=HEAD, files=files, matrix=matrix("prefixos: [/backstage/*]")))

    def test_the_root_prefix_excuses_no_route(self) -> None:
        files = {"a.yaml": ROUTE % "/backstage"}
        (found,) = details("DOC-MATRIX", Example(document=HEAD, files=files, matrix=matrix("prefixo: '/, /api/*'")))
        assert found == "a rota `/backstage` não está na matriz, que dá `/` e `/api/*` ao M07"

    def test_a_prefix_that_no_route_serves(self) -> None:
        files = {"a.yaml": ROUTE % "/backstage"}
        both = matrix("prefixos: [/backstage, /outro]")
        (found,) = details("DOC-MATRIX", Example(document=HEAD, files=files, matrix=both))
        assert "`/outro`" in found
        assert_quiet("DOC-MATRIX", Example(document=HEAD, matrix=both))  # the routes may be another module's

    def test_topics(self) -> None:
        example = Example(
            document=HEAD
            + "Publica `appgear.core.m07.run`, consome `appgear.brain.rag.output`. Ver `appgear.io/tier`.\n",
            files={"a.yaml": "topic: appgear.core.m07.other\nhost: appgear.local.example.com\n"},
            matrix=matrix("topicos: [appgear.core.m07.run, 'appgear.brain.*', appgear.core.gone]"),
        )
        found = details("DOC-MATRIX", example)
        assert ["appgear.core.m07.other" in each for each in found].count(True) == 1
        assert ["appgear.core.gone" in each for each in found].count(True) == 1
        assert len(found) == 2

    def test_namespaces_and_modules_where_the_matrix_gives_them(self) -> None:
        example = Example(
            document=HEAD + "- M04\n",
            files={"ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: outra}\n"},
            matrix=matrix("namespaces: [backstage, 'workspace-*'], depende_de: [M04, M05]"),
        )
        assert len(details("DOC-MATRIX", example)) == 2

    def test_the_text_says_that_the_matrix_may_be_wrong(self) -> None:
        example = Example(
            document=HEAD + "core-redis\n", matrix=matrix("usa_core: []", "id: M04, usa_core: [core-redis]")
        )
        (found,) = judged("DOC-MATRIX", example).non_conformities
        assert "matriz que ficou para trás" in found.correction.summary


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: core-a%s}
spec: {template: {spec: {containers: [{name: a, image: '%s'}, {name: b, image: "b:1"}]}}}
"""
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a}\n"


def embedded(**files: str) -> str:
    blocks = (f"```bash\ncat > apps/a/{name}.yaml << 'EOF'\n{text}EOF\n```\n" for name, text in files.items())
    return "# Módulo 01 – A\n\n" + "\n".join(blocks)


class TestDrift:
    def test_without_a_tree_nothing_is_examined(self) -> None:
        result = judged("GIT-DRIFT", Example(document=embedded(a=OTHER)))
        assert (result.examined, result.not_run) == ({"GIT-DRIFT": 0}, ())

    def test_namespace_image_and_missing_object(self) -> None:
        example = Example(
            document=embedded(a=DEPLOYMENT % (", namespace: a", "a:1"), c=OTHER),
            tree={"x/a.yaml": DEPLOYMENT % (", namespace: other", "a:2")},
        )
        assert details("GIT-DRIFT", example) == [
            "Deployment `core-a` está em `a` no documento e em `other` na árvore",
            "o contêiner `a` usa `a:1` no documento e `a:2` na árvore",
            "ConfigMap `c` não existe na árvore de referência",
        ]

    @pytest.mark.parametrize(
        "tree",
        [
            {"x.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"},
            {"x.yaml": DEPLOYMENT % ("", "a:1") + "---\n", "README.md": "vazio\n"},
            {"x.yaml": "- {\n"},
        ],
    )
    def test_a_stub_is_not_compared(self, tree: dict[str, str]) -> None:
        document = embedded(n="apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", c=OTHER)
        result = judged("GIT-DRIFT", Example(document=document, tree=tree))
        assert not result.non_conformities
        assert "esboço" in result.not_run[0].reason
        assert result.examined == {"GIT-DRIFT": 0}

    def test_the_trees_own_kustomization_is_obeyed(self) -> None:
        head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        tree = {
            "k/kustomization.yaml": head + "namespace: a\nresources: [a.yaml]\n",
            "k/a.yaml": DEPLOYMENT % ("", "a:1"),
        }
        assert_quiet("GIT-DRIFT", Example(document=embedded(a=DEPLOYMENT % (", namespace: a", "a:1")), tree=tree))

    def test_what_is_left_to_variables_or_to_others_is_not_compared(self) -> None:
        tree = {"a.yaml": DEPLOYMENT % (", namespace: a", "a:2")}
        assert_quiet("GIT-DRIFT", Example(document=embedded(a=DEPLOYMENT % ("", "${IMAGE}")), tree=tree))

    def test_versions_that_the_stack_fixes(self) -> None:
        stack = "components: {data: [{name: postgres, version: '15.8'}, {name: redis, version: v7}]}\n"
        images = "x/postgres:16.1", "postgres:15.8-alpine", "postgres:15.80", "redis:7.2", "redis:${V}", "other:1"
        containers = ", ".join(f"{{name: c{number}, image: '{image}'}}" for number, image in enumerate(images))
        pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{containers}]}}\n"
        found = details("GIT-DRIFT", Example(files={"a.yaml": pod}, stack=stack))
        assert [each.partition("`")[2].partition("`")[0] for each in found] == ["x/postgres:16.1", "postgres:15.80"]


NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n"


class TestStack:
    @pytest.mark.parametrize(
        ("name", "quiet"), [("novo", True), ("factory", False), ("appgear-core", True), ("workspace-x", True)]
    )
    def test_its_namespaces_are_those_that_may_be(self, name: str, quiet: bool) -> None:
        stack = 'namespaces: {core: [novo], workspaces: {template: "workspace-{{id}}"}}\n'
        assert bool(details("GIT-NS", Example(files={"a.yaml": NAMESPACE % name}, stack=stack))) is not quiet

    def test_without_a_list_no_namespace_is_judged(self) -> None:
        given = Example(files={"a.yaml": NAMESPACE % "factory"}, stack="components: {a: [b]}\n")
        assert judged("GIT-NS", given).examined == {"GIT-NS": 0}

    def test_its_application_labels_count(self) -> None:
        stack = "namespaces: [a]\nargocd: {required_labels: [appgear.io/cell]}\n"
        text = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"
        (found,) = details("LBL-ARGO", Example(files={"a.yaml": text}, stack=stack))
        assert "appgear.io/cell" in found

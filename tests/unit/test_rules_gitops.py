"""GIT: Applications, ApplicationSets and kustomizations."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode
from rulecheck import assert_cured, assert_quiet, details, judged


def application(name: str = "core-n8n", spec: str = "{project: core}", metadata: str = "") -> str:
    return f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}{metadata}}}\nspec: {spec}\n"


class TestLoneApplication:
    def test_it_becomes_a_set_of_one_element(self) -> None:
        spec = "{project: core, source: {path: apps/core/n8n, repoURL: x}, destination: {namespace: appgear-core}}"
        text = application(spec=spec, metadata=", finalizers: [a], labels: {a: b}")
        fixed = assert_cured("GIT-APPSET", text, value="apps-core").files["a.yaml"]
        assert "name: apps-core" in fixed
        for rule_id in ("GIT-LISTGEN", "GIT-APPSETVALID"):
            assert_quiet(rule_id, fixed)

    @pytest.mark.parametrize("spec", ["none", "{source: {helm: {values: '{{ x }}'}}}"])
    def test_what_cannot_be_moved_is_for_a_person(self, spec: str) -> None:
        (found,) = judged("GIT-APPSET", application(spec=spec)).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    def test_bootstrap_and_kinds_of_the_same_name(self) -> None:
        other = "---\napiVersion: app.k8s.io/v1beta1\nkind: Application\nmetadata: {name: a}\n"
        workflow = "---\napiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: a}\n"
        assert_quiet("GIT-APPSET", application("root-core") + other + workflow)

    @pytest.mark.parametrize(
        "line",
        [
            "* `apps-core.yaml`, onde este módulo registra Applications (`core-n8n`).",
            "Criar a Application `core-n8n` no Argo CD.",
            "```text\nclusters/a/apps-core.yaml\n  # inclui Application core-n8n\n```",
        ],
    )
    def test_text_that_registers_one(self, line: str) -> None:
        (found,) = judged("GIT-APPSET", Example(document=f"# M\n\n{line}\n")).non_conformities
        assert "Application" in found.description
        assert found.location.path == "doc"

    @pytest.mark.parametrize(
        "line",
        [
            "**M01** – GitOps e Argo CD (App-of-Apps).",
            "O ApplicationSet cria uma Application por elemento.",
            "Não crie Applications soltas.",
            "Verifique a Application `core-n8n` no Argo CD.",
            "```bash\nargocd app get core-n8n # cria Application\n```",
        ],
    )
    def test_text_that_does_not(self, line: str) -> None:
        assert_quiet("GIT-APPSET", Example(document=f"# M\n\n{line}\n"))


def app_set(generators: str, template: str = "{metadata: {name: '{{name}}'}, spec: {}}", more: str = "") -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\n"
        f"spec: {{{more}generators: {generators}, template: {template}}}\n"
    )


LIST = "[{list: {elements: [{name: a, env: dev}]}}]"


class TestListGenerator:
    @pytest.mark.parametrize("generators", ["[{git: {}}]", "[]", "none", "[{matrix: {generators: [{clusters: {}}]}}]"])
    def test_without_one(self, generators: str) -> None:
        assert_cured("GIT-LISTGEN", app_set(generators), value=[{"name": "a"}])

    @pytest.mark.parametrize(
        "generators",
        [
            LIST,
            "[{matrix: {generators: [{clusters: {}}, {list: {elements: []}}]}}]",
            "[{merge: {generators: [{matrix: {generators: [{list: {}}]}}]}}]",
        ],
    )
    def test_with_one(self, generators: str) -> None:
        assert_quiet("GIT-LISTGEN", app_set(generators))


class TestTemplate:
    @pytest.mark.parametrize(
        ("more", "name"),
        [
            ("", "core-{{ .name }}"),
            ("", "core-{{ .name | lower }}-{{env}}"),
            ("goTemplate: false, ", "{{ toLower .name }}"),
            ("goTemplate: true, ", "core-{{name}}"),
            ("goTemplate: true, ", "{{ name }}-{{.env}}"),
        ],
    )
    def test_expressions_of_the_other_engine(self, more: str, name: str) -> None:
        template = f"{{metadata: {{name: '{name}'}}, spec: {{project: '{{{{name}}}}'}}}}"
        assert_cured("GIT-APPSETVALID", app_set(LIST, template, more))

    @pytest.mark.parametrize(
        ("more", "name"),
        [
            ("", "{{name}}"),
            ("", "{{ name }}-{{env}}"),
            ("goTemplate: true, ", "{{.name}}"),
            ("goTemplate: true, ", "{{ if .env }}{{ .name | lower }}{{ else }}x{{ end }}"),
        ],
    )
    def test_right_for_its_engine(self, more: str, name: str) -> None:
        assert_quiet("GIT-APPSETVALID", app_set(LIST, f"{{metadata: {{name: '{name}'}}, spec: {{}}}}", more))

    @pytest.mark.parametrize("template", ["none", "{}", "{metadata: {name: a}}", "{spec: {}}"])
    def test_an_incomplete_template(self, template: str) -> None:
        assert len(details("GIT-APPSETVALID", app_set(LIST, template))) == 1

    @pytest.mark.parametrize("more", ["", "goTemplate: true, "])
    def test_a_name_that_no_element_gives(self, more: str) -> None:
        dot = "." if more else ""
        template = f"{{metadata: {{name: '{{{{{dot}nome}}}}-{{{{{dot}nome}}}}'}}, spec: {{}}}}"
        (found,) = details("GIT-APPSETVALID", app_set(LIST, template, more))
        assert "`nome`" in found

    @pytest.mark.parametrize("generators", ["[{git: {}}]", "[{list: {elementsYaml: x}}]", "[]"])
    def test_names_of_other_generators_are_not_judged(self, generators: str) -> None:
        assert_quiet("GIT-APPSETVALID", app_set(generators, "{metadata: {name: '{{path.basename}}'}, spec: {}}"))


def kustomization(body: str, *others: str, folder: str = "apps/a") -> Example:
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return Example(files={f"{folder}/kustomization.yaml": head + body} | dict.fromkeys(others, "a: 1\n"))


class TestDanglingResource:
    @pytest.mark.parametrize(
        "body",
        [
            "resources: [gone.yaml]\n",
            "resources: [sa.yaml, ./base]\n",
            "bases: [../gone/]\nresources: [sa.yaml]\n",
            "patches: [{path: gone.yaml}]\n",
            "patchesStrategicMerge: [gone.yaml]\n",
            "configMapGenerator: [{name: a, files: [app.yaml=gone.yaml]}]\n",
            "components: [../empty]\nresources: [sa.yaml]\n",
        ],
    )
    def test_a_target_that_is_nowhere(self, body: str) -> None:
        assert len(details("GIT-DANGLING", kustomization(body, "apps/a/sa.yaml", "apps/empty/x.yaml"))) == 1

    @pytest.mark.parametrize(
        "body",
        [
            "resources: [sa.yaml, ../b, ../b/]\n",
            "patchesStrategicMerge: ['kind: A\\nmetadata: {}', sa.yaml]\n",
            "patches: [{patch: '- op: remove', path: sa.yaml}, {patch: x}]\n",
            "configMapGenerator: [{files: [sa.yaml], envs: [sa.yaml]}]\n",
        ],
    )
    def test_what_is_there_or_remote(self, body: str) -> None:
        assert_quiet("GIT-DANGLING", kustomization(body, "apps/a/sa.yaml", "apps/b/kustomization.yaml"))

    def test_a_kustomization_needs_no_kind(self) -> None:
        assert len(details("GIT-DANGLING", Example(files={"kustomization.yml": "resources: [gone.yaml]\n"}))) == 1

    @pytest.mark.parametrize("entry", ["../../../other/x.yaml", "redis/"])
    def test_what_another_module_may_bring_is_not_judged(self, entry: str) -> None:
        result = judged("GIT-DANGLING", kustomization(f"resources: [{entry}]\n"))
        assert not result.non_conformities
        (left,) = result.not_run
        assert "outro módulo" in left.reason
        assert left.location is not None
        assert left.location.path == "apps/a/kustomization.yaml"

    def test_a_folder_that_the_document_makes_is_its_own(self) -> None:
        document = (
            "# M\n\n```bash\nmkdir -p apps/redis\n"
            "cat > apps/kustomization.yaml << 'EOF'\nresources:\n  - redis/\nEOF\n```\n"
        )
        assert len(details("GIT-DANGLING", Example(document=document))) == 1

    def test_folders_follow_cd(self) -> None:
        document = (
            "# M\n\n```bash\nmkdir -p apps/a && cd apps/a\n"
            "cat > kustomization.yaml << 'EOF'\nresources:\n  - sa.yaml\nEOF\n"
            "cat > sa.yaml << 'EOF'\na: 1\nEOF\n```\n"
        )
        assert_quiet("GIT-DANGLING", Example(document=document))

    def test_a_fragment_has_no_folder(self) -> None:
        document = (
            "# M\n\n```yaml\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
            "resources:\n  - a.yaml\n```\n"
        )
        result = judged("GIT-DANGLING", Example(document=document))
        assert not result.non_conformities
        assert result.not_run

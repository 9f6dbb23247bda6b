"""VAL: what does not parse, what repeats, what no schema takes, what nobody expands."""

from __future__ import annotations

import itertools

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode
from rulecheck import assert_cured, assert_quiet, details, judged


class TestNotYaml:
    @pytest.mark.parametrize(
        "text",
        [
            "a: 1\ntitle: Portal: visão\n",
            "- b: it's a: b\n",
            "a: `cmd`\n",
            "a: @x\n",
            "a:\n\tb: 1\n\tc:\n\t\td: 1\n",
        ],
    )
    def test_one_way_to_mend_it(self, text: str) -> None:
        assert_cured("VAL-YAML", text)

    @pytest.mark.parametrize(
        "text",
        [
            "a: [1, 2\n",
            "a: b: c # nota\n",
            "a:\n  b: 1\n c: 2\n",
            "a: *nada\n",
            "a: 'sem fim\n",
            "apiVersion: v1\nkind: X\nmetadata:\n  labels:\n    other.io\ttier: core\n",
        ],
    )
    def test_for_a_person(self, text: str) -> None:
        (found,) = judged("VAL-YAML", text).non_conformities
        assert found.correction.mode is FixMode.MANUAL
        assert found.location.line > 0

    def test_one_bad_document_does_not_hide_another(self) -> None:
        assert len(details("VAL-YAML", "a: [\n---\nb: 1\n---\nc: x: y\n")) == 2

    def test_an_alias_bomb_is_a_breach(self) -> None:
        text = "a: &a [1, 1]\n" + "".join(
            f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in itertools.pairwise("abcdefghijkl")
        )
        assert "recusado" in details("VAL-YAML", text)[0]

    @pytest.mark.parametrize(
        "text",
        [
            "name: {{ .Values.name }}\n",
            "{{- if .Values.on }}\na: 1\n{{- end }}\n",
            "a: 1\n{{ toYaml .Values.x | nindent 2 }}\nb: 2\n",
            "a: x{{ b }}: c\n",
            "{% if x %}\na: 1\n{% endif %}\n",
        ],
    )
    def test_a_template_is_not_judged(self, text: str) -> None:
        result = judged("VAL-YAML", text)
        assert not result.non_conformities
        assert "modelo" in result.not_run[0].reason
        assert result.examined == {"VAL-YAML": 0}

    def test_braces_elsewhere_do_not_excuse_an_error(self) -> None:
        text = "a: |\n  {{- with secret }}\n  x\n  {{- end }}\nb: 1\nc: 2\nd: [1\n"
        assert len(judged("VAL-YAML", text).non_conformities) == 1

    @pytest.mark.parametrize(
        "text", ["", "# só comentário\n", "a: '{{ x }}'\n", "a: ${{ x.y }}\n", "- 1\n", "a: {b: 1}\n"]
    )
    def test_what_parses(self, text: str) -> None:
        assert_quiet("VAL-YAML", text)

    def test_fragments_of_the_document_are_dedented_first(self) -> None:
        document = (
            "# M\n\n* item:\n\n    ```yaml\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: a}\n    ```\n"
        )
        assert_quiet("VAL-YAML", Example(document=document))

    def test_a_tab_in_a_value_is_text(self) -> None:
        assert_quiet("VAL-YAML", "apiVersion: v1\nkind: X\na: 'b\tc'\nd: [x]\n")


class TestDuplicateKey:
    def test_each_repetition_has_its_line(self) -> None:
        found = judged("VAL-DUPKEY", "a: 1\nb: {c: 1, c: 2}\na: 2\n").non_conformities
        assert sorted(each.location.line for each in found) == [2, 3]

    def test_merges_and_equal_keys_elsewhere(self) -> None:
        assert_quiet("VAL-DUPKEY", "x: &x {a: 1}\ny: {<<: *x, a: 2}\nz: {a: 1}\n")

    def test_what_did_not_parse_is_not_judged(self) -> None:
        assert judged("VAL-DUPKEY", "a: [\n").not_run


class TestAgainstSchema:
    def test_each_fault_has_its_place(self) -> None:
        text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: x}], porta: 80}\n"
        found = judged("VAL-SCHEMA", text).non_conformities
        assert {each.location.yaml_path for each in found} == {"spec.ports[0].port", "spec.porta"}

    def test_an_unknown_kind_is_not_judged(self) -> None:
        result = judged("VAL-SCHEMA", "apiVersion: example.com/v1\nkind: Coisa\nmetadata: {name: a}\n")
        assert not result.non_conformities
        assert result.not_run[0].reason == "esquema desconhecido para Coisa (example.com/v1)"

    def test_backstage_entities_and_excerpts_are_no_whole_objects(self) -> None:
        template = "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a}\n"
        result = judged("VAL-SCHEMA", f"{template}---\napiVersion: v1\nkind: Pod\n")
        assert (result.non_conformities, result.not_run, result.examined["VAL-SCHEMA"]) == ((), (), 0)


def pod(container: str) -> str:
    spec = f"{{containers: [{{name: c, image: 'a:1', {container}}}]}}"
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n"


class TestUnexpandedVariable:
    @pytest.mark.parametrize(
        "container",
        [
            "env: [{name: URL, value: 'https://${HOST}/${PATH_A}'}]",
            "env: [{name: URL, value: '${HOST:-x}'}]",
            "env: [{name: HOST, value: x}, {name: URL, value: '${HOST:-x}'}]",
            "env: [{name: URL, value: '${HOST}'}, {name: HOST, value: x}]",
            "args: ['--url=${HOST}']",
            "command: [app, '${HOST}']",
        ],
    )
    def test_a_value_is_asked_for(self, container: str) -> None:
        (found,) = judged("VAL-VAR", pod(container)).non_conformities
        assert found.correction.mode is FixMode.PARAM
        assert_cured("VAL-VAR", pod(container))

    @pytest.mark.parametrize(
        "container",
        [
            "env: [{name: HOST, value: x}, {name: URL, value: 'https://${HOST}'}]",
            "env: [{name: HOST, value: x}], args: ['--url=${HOST}']",
        ],
    )
    def test_a_variable_of_the_container_is_known(self, container: str) -> None:
        (found,) = judged("VAL-VAR", pod(container)).non_conformities
        assert found.correction.mode is FixMode.AUTO
        assert "$(HOST)" in assert_cured("VAL-VAR", pod(container)).files["a.yaml"]

    @pytest.mark.parametrize(
        "container",
        [
            "env: [{name: URL, value: 'https://$(HOST)'}, {name: A, value: $HOME}, {name: B, value: '$${X}'}]",
            "env: [{name: URL, valueFrom: {secretKeyRef: {name: a, key: '${B}'}}}, {value: 1}, x]",
            "command: [sh, -c, 'echo ${HOST}']",
            "command: [/bin/bash, -ec], args: ['echo ${HOST}']",
            "args: [-c, 'echo ${HOST}']",
            "command: [node, -e, 'console.log(`${x}`)']",
            'args: ["a\\n${HOST}\\n"]',
        ],
    )
    def test_where_something_expands_it(self, container: str) -> None:
        assert_quiet("VAL-VAR", pod(container))

    def test_config_maps_and_compose_are_read_by_others(self) -> None:
        config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: 'x: ${HOST}'}\n"
        compose = "---\nservices: {a: {image: 'a:${TAG}', environment: {A: '${B}'}}}\n"
        assert_quiet("VAL-VAR", pod("env: []") + config + compose)

    def test_the_image_too(self) -> None:
        text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'a:${TAG}'}]}\n"
        assert_cured("VAL-VAR", text, value="a:1")

    @pytest.mark.parametrize(
        ("kind", "spec"),
        [
            ("Ingress", "{rules: [{host: 'a.${D}'}], tls: [{hosts: ['a.${D}']}]}"),
            ("IngressRoute", "{routes: [{match: 'Host(`a.${D}`)'}, {match: 'Host(`b.${D}`)'}]}"),
            ("Gateway", "{servers: [{hosts: ['a.${D}', 'b.${D}']}]}"),
        ],
    )
    def test_host_names_are_read_as_they_are(self, kind: str, spec: str) -> None:
        text = f"apiVersion: x/v1\nkind: {kind}\nmetadata: {{name: p}}\nspec: {spec}\n"
        found = judged("VAL-VAR", text).non_conformities
        assert len({change for each in found for change in each.correction.changes}) == 2
        assert_cured("VAL-VAR", text)

    def test_a_shell_that_writes_the_file_expands_it(self) -> None:
        body = pod("env: [{name: A, value: '${HOST}'}]")
        document = f"# M\n\n```bash\ncat > a.yaml << %s\n{body}EOF\n```\n"
        assert judged("VAL-VAR", Example(document=document % "EOF")).examined == {"VAL-VAR": 0}
        assert judged("VAL-VAR", Example(document=document % "'EOF'")).non_conformities

"""LBL: required labels, where they may come from, and values that the API server or the platform would refuse."""

from __future__ import annotations

import pytest

from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode, Param, PatchChange, Severity
from pipeline.flow.merging import OperationLog
from rulecheck import apply, assert_cured, assert_quiet, details, judged

KEYS = Policy().required_labels
FULL = {
    "app.kubernetes.io/name": "a",
    "app.kubernetes.io/instance": "a",
    "app.kubernetes.io/part-of": "appgear",
    "app.kubernetes.io/managed-by": "argocd",
    "appgear.io/part-of": "appgear",
    "appgear.io/tier": "core",
    "appgear.io/suite": "core",
    "appgear.io/topology": "B",
    "appgear.io/tenant-id": "global",
    "appgear.io/workspace-id": "global",
}


def labels(pairs: dict[str, str], indent: int = 2) -> str:
    blank = " " * indent
    return f"{blank}labels:\n" + "".join(f"{blank}  {key}: {value}\n" for key, value in pairs.items())


def manifest(
    kind: str, pairs: dict[str, str] | None = None, *, api: str = "v1", name: str = "a", body: str = ""
) -> str:
    held = labels(pairs) if pairs else ""
    return f"apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n{held}{body}"


def deployment(template: dict[str, str] | None, own: dict[str, str] | None = None) -> str:
    held = "    metadata:\n" + labels(template, 6) if template else ""
    body = (
        f"spec:\n  selector: {{matchLabels: {{app: a}}}}\n  template:\n{held}    spec: {{containers: [{{image: a}}]}}\n"
    )
    return manifest("Deployment", own or FULL, api="apps/v1", body=body)


def value_of(given: str | Example, key: str, rule: str = "LBL-POLICY") -> object:
    """The value that the correction of one key writes."""
    for found in judged(rule, given).non_conformities:
        if f"`{key}`" in found.description:
            (change,) = found.correction.changes
            assert isinstance(change, PatchChange)
            value = change.operations[0].value
            while isinstance(value, dict):
                value = value.get(key) or value["labels"]
            return value
    raise AssertionError(key)


class TestPolicy:
    def test_one_breach_for_each_missing_key_with_its_class(self) -> None:
        found = judged("LBL-POLICY", manifest("ConfigMap")).non_conformities
        assert len(found) == len(KEYS)
        severe = {each.severity for each in found if "`appgear.io/" in each.description}
        assert severe == {Severity.ALTA}
        assert {each.severity for each in found if "`app.kubernetes.io/" in each.description} == {Severity.MEDIA}

    @pytest.mark.parametrize("key", KEYS)
    def test_each_key_alone_is_cured(self, key: str) -> None:
        given = manifest("Service", {other: value for other, value in FULL.items() if other != key})
        (found,) = judged("LBL-POLICY", given).non_conformities
        assert f"`{key}`" in found.description
        assert found.location.yaml_path == "metadata.labels"
        assert_cured("LBL-POLICY", given, value="global")

    def test_all_keys_of_an_object_without_labels_work_one_after_another(self) -> None:
        given = manifest("Secret")
        log = OperationLog()
        changes = []
        for index, found in enumerate(judged("LBL-POLICY", given).non_conformities):
            merged, _ = log.add(str(index), list(found.correction.changes))
            changes += list(merged)
        fixed = apply(Example(files={"a.yaml": given}), changes, value="global")
        assert_quiet("LBL-POLICY", fixed)

    @pytest.mark.parametrize("held", ["", "  labels:\n", "  labels: []\n", "  labels: texto\n", "  labels: {}\n"])
    def test_labels_of_any_shape_are_replaced(self, held: str) -> None:
        given = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{held}"
        found = judged("LBL-POLICY", given).non_conformities
        assert len(found) == len(KEYS)
        fixed = apply(Example(files={"a.yaml": given}), list(found[0].correction.changes), value="x")
        assert len(judged("LBL-POLICY", fixed).non_conformities) == len(KEYS) - 1

    def test_missing_is_undefined_or_false_and_a_null_or_empty_value_passes(self) -> None:
        assert_quiet("LBL-POLICY", manifest("ConfigMap", FULL | {"appgear.io/tier": "null", "appgear.io/suite": "''"}))
        given = manifest("ConfigMap", FULL | {"appgear.io/tier": "false"})
        assert len(details("LBL-POLICY", given)) == 1
        assert_cured("LBL-POLICY", given)

    @pytest.mark.parametrize(
        ("kind", "api"),
        [
            ("Kustomization", "kustomize.config.k8s.io/v1beta1"),
            ("Application", "argoproj.io/v1alpha1"),
            ("AppProject", "argoproj.io/v1alpha1"),
            ("KongIngress", "configuration.konghq.com/v1"),
            ("ScaledObject", "keda.sh/v1alpha1"),
            ("Template", "scaffolder.backstage.io/v1beta3"),
            ("IngressRoute", "traefik.io/v1alpha1"),
            ("VirtualService", "networking.istio.io/v1"),
        ],
    )
    def test_other_kinds_are_not_covered(self, kind: str, api: str) -> None:
        assert judged("LBL-POLICY", manifest(kind, api=api)).examined["LBL-POLICY"] == 0

    @pytest.mark.parametrize(
        ("kind", "api"),
        [
            ("NetworkPolicy", "networking.k8s.io/v1"),
            ("HorizontalPodAutoscaler", "autoscaling/v2"),
            ("PersistentVolume", "v1"),
            ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
            ("Namespace", "v1"),
            ("PersistentVolumeClaim", "v1"),
        ],
    )
    def test_the_kinds_of_the_policy_are(self, kind: str, api: str) -> None:
        assert len(details("LBL-POLICY", manifest(kind, api=api))) == len(KEYS)

    @pytest.mark.parametrize("field", ["commonLabels:\n{}", "labels:\n  - pairs:\n{}"])
    def test_a_kustomization_may_supply_them(self, field: str) -> None:
        pairs = "".join(f"{'      '}{key}: {value}\n" for key, value in FULL.items())
        top = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [base/]\n" + field.format(
            pairs
        )
        base = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n"
        files = {"kustomization.yaml": top, "base/kustomization.yaml": base, "base/a.yaml": manifest("Namespace")}
        assert_quiet("LBL-POLICY", Example(files=files))

    def test_patches_and_excerpts_are_no_whole_objects(self) -> None:
        patch = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches: [{path: p.yaml}]\n"
        given = Example(files={"kustomization.yaml": patch, "p.yaml": manifest("Deployment", api="apps/v1")})
        assert judged("LBL-POLICY", given).examined["LBL-POLICY"] == 0
        excerpt = manifest("Deployment", api="apps/v1", body="spec: {template: {spec: {containers: [{name: a}]}}}\n")
        assert judged("LBL-POLICY", excerpt).examined["LBL-POLICY"] == 0
        assert judged("LBL-POLICY", manifest("Deployment", api="apps/v1")).examined["LBL-POLICY"] == 0
        assert judged("LBL-POLICY", "apiVersion: v1\nkind: Service\nmetadata: {}\n").examined["LBL-POLICY"] == 0

    def test_values_come_from_the_object_the_policy_and_its_siblings(self) -> None:
        sibling = manifest("Service", {"appgear.io/tier": "suite", "appgear.io/topology": "A"}, name="b")
        given = manifest("ConfigMap", {"app.kubernetes.io/name": "core-b"}, name="core-b-config") + "---\n" + sibling
        assert value_of(given, "app.kubernetes.io/instance") == "core-b"
        assert value_of(given, "app.kubernetes.io/part-of") == "appgear"
        assert value_of(given, "app.kubernetes.io/managed-by") == "argocd"
        assert value_of(given, "appgear.io/tier") == "suite"
        assert isinstance(value_of(given, "appgear.io/suite"), Param)
        assert value_of(manifest("ConfigMap", {"x": "y"}), "app.kubernetes.io/name") == "a"

    def test_siblings_that_disagree_leave_it_to_the_platform(self) -> None:
        given = "---\n".join(
            [manifest("Service", {"appgear.io/tier": tier}, name=tier) for tier in ("core", "suite")]
            + [manifest("ConfigMap", {"x": "y"})]
        )
        assert isinstance(value_of(given, "appgear.io/tier"), Param)

    def test_tenant_and_workspace_are_asked_for(self) -> None:
        sibling = manifest("Service", {"appgear.io/tenant-id": "global"}, name="b")
        value = value_of(manifest("ConfigMap", {"x": "y"}) + "---\n" + sibling, "appgear.io/tenant-id")
        assert isinstance(value, Param)
        assert value.name == "labels.appgear.io/tenant-id"

    def test_a_name_that_is_no_label_value_is_asked_for(self) -> None:
        given = manifest("ConfigMap", {"x": "y"}, name='"{{ app }}"')
        assert isinstance(value_of(given, "app.kubernetes.io/name"), Param)


class TestPartOf:
    def test_object_and_template(self) -> None:
        assert len(details("LBL-PARTOF", deployment({"app": "a"}, {"app": "a"}))) == 2
        fixed = assert_cured("LBL-PARTOF", deployment({"app": "a"}, {"app": "a"}))
        assert fixed.files["a.yaml"].count("appgear.io/part-of: appgear") == 2
        assert_quiet("LBL-PARTOF", deployment(FULL))

    def test_the_other_key_is_another_rule(self) -> None:
        assert details("LBL-PARTOF", manifest("ConfigMap", {"app.kubernetes.io/part-of": "appgear"}))


class TestPod:
    def test_missing_keys_take_the_value_of_the_object(self) -> None:
        given = deployment(None)
        assert len(details("LBL-POD", given)) == 5
        fixed = assert_cured("LBL-POD", deployment({"app": "a"}))
        assert "matchLabels:\n      app: a\n" in fixed.files["a.yaml"]
        assert value_of(deployment({"app": "a"}), "appgear.io/tenant-id", "LBL-POD") == "global"

    def test_a_value_that_the_object_lacks_is_asked_for(self) -> None:
        value = value_of(deployment({"app": "a"}, {"app": "a"}), "appgear.io/tenant-id", "LBL-POD")
        assert isinstance(value, Param)

    def test_kustomize_reaches_templates_only_when_told(self) -> None:
        pairs = "".join(f"      {key}: {value}\n" for key, value in FULL.items())
        head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\nlabels:\n  - "
        for field, count in (("", 5), ("includeTemplates: true\n    ", 0), ("includeSelectors: true\n    ", 0)):
            files = {"kustomization.yaml": f"{head}{field}pairs:\n{pairs}", "a.yaml": deployment(None)}
            assert len(details("LBL-POD", Example(files=files))) == count

    def test_a_bare_pod_has_no_template(self) -> None:
        pod = manifest("Pod", body="spec: {containers: [{image: a}]}\n")
        assert judged("LBL-POD", pod).examined["LBL-POD"] == 0


class TestValue:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("tier", "core"),
            ("tier", "suite"),
            ("tier", "workspace"),
            ("tier", "addon"),
            ("suite", "guardian"),
            ("topology", "A"),
        ],
    )
    def test_listed_values(self, key: str, value: str) -> None:
        assert_quiet("LBL-VALUE", manifest("ConfigMap", {f"appgear.io/{key}": value}))

    def test_case_is_mended_and_the_rest_is_asked_for(self) -> None:
        (near,) = judged(
            "LBL-VALUE", manifest("KongIngress", {"appgear.io/topology": "b"}, api="x/v1")
        ).non_conformities
        assert near.correction.mode is FixMode.AUTO
        (far,) = judged("LBL-VALUE", manifest("ConfigMap", {"appgear.io/suite": "plataforma"})).non_conformities
        assert far.correction.mode is FixMode.PARAM
        assert_cured("LBL-VALUE", manifest("ConfigMap", {"appgear.io/suite": "x"}), value="core")

    def test_templates_of_pods_count_and_holes_do_not(self) -> None:
        given = deployment({"appgear.io/tier": "gold", "appgear.io/suite": "'<suite>'"})
        (found,) = judged("LBL-VALUE", given).non_conformities
        assert found.location.yaml_path == 'spec.template.metadata.labels["appgear.io/tier"]'

    def test_other_types_are_another_rule(self) -> None:
        assert_quiet("LBL-VALUE", manifest("ConfigMap", {"appgear.io/tier": "1"}))


SET = """apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: s, labels: {{appgear.io/tenant: t}}}}
spec:
{top}  generators: {generators}
  template: {template}
"""
ELEMENTS = "[{list: {elements: [{tenant: a, workspace: b, vcluster: c, env: d}]}}]"


class TestArgo:
    @pytest.mark.parametrize(
        ("top", "generators", "value"),
        [
            ("", ELEMENTS, "{{tenant}}"),
            ("  goTemplate: true\n", ELEMENTS, "{{.tenant}}"),
            ("", f"[{{matrix: {{generators: {ELEMENTS}}}}}]", "{{tenant}}"),
        ],
    )
    def test_the_template_takes_the_parameters_of_the_list(self, top: str, generators: str, value: str) -> None:
        given = SET.format(top=top, generators=generators, template="{metadata: {name: a}}")
        assert len(details("LBL-ARGO", given)) == 4
        assert value_of(given, "appgear.io/tenant", "LBL-ARGO") == {"appgear.io/tenant": value}["appgear.io/tenant"]

    def test_all_four_on_the_template(self) -> None:
        pairs = "{metadata: {labels: {appgear.io/tenant: a, appgear.io/workspace: b, appgear.io/vcluster: c}}}"
        given = SET.format(top="", generators="[{git: {}}]", template=pairs)
        (found,) = judged("LBL-ARGO", given).non_conformities
        assert found.correction.mode is FixMode.PARAM
        assert_cured("LBL-ARGO", given, value="dev")

    def test_a_set_without_a_template_cannot_be_judged(self) -> None:
        result = judged("LBL-ARGO", SET.format(top="", generators="[]", template="null"))
        assert result.not_run
        assert not result.examined["LBL-ARGO"]

    @pytest.mark.parametrize("name", ["workspace-a", "vcluster-a", "ws-a", "'x-<workspace_id>'", "'x-{{ workspace }}'"])
    def test_applications_and_workspace_namespaces(self, name: str) -> None:
        assert len(details("LBL-ARGO", manifest("Namespace", name=name))) == 4
        assert len(details("LBL-ARGO", manifest("Application", api="argoproj.io/v1alpha1"))) == 4

    @pytest.mark.parametrize("pair", [{"appgear.io/tier": "workspace"}, {"appgear.io/workspace-id": "w1"}])
    def test_namespaces_that_say_they_are_a_workspace(self, pair: dict[str, str]) -> None:
        assert len(details("LBL-ARGO", manifest("Namespace", pair))) == 4

    @pytest.mark.parametrize(
        "given",
        [
            manifest("Application", api="argoproj.io/v1alpha1", name="root-core"),
            manifest("Application", api="app.k8s.io/v1beta1"),
            manifest("Namespace", {"appgear.io/workspace-id": "global"}, name="backstage"),
            manifest("AppProject", api="argoproj.io/v1alpha1"),
            manifest("Workflow", api="argoproj.io/v1alpha1"),
        ],
    )
    def test_bootstrap_core_and_other_kinds_are_out(self, given: str) -> None:
        assert judged("LBL-ARGO", given).examined["LBL-ARGO"] == 0


class TestSyntax:
    @pytest.mark.parametrize("value", ["no", "on", "true", "0o17", "017", "1e3", "1", "1.5", "0x1F", "2024"])
    def test_values_that_yaml_types_are_quoted_as_written(self, value: str) -> None:
        given = manifest("Job", {"a": value})
        (found,) = judged("LBL-SYNTAX", given).non_conformities
        assert found.severity is Severity.ALTA
        assert f"`{value}`" in found.description
        fixed = assert_cured("LBL-SYNTAX", given)
        assert f"a: '{value}'" in fixed.files["a.yaml"]

    @pytest.mark.parametrize("value", ["12:34:56", "=", "a/b", "a b", "-a", "é", "x" * 64, "1" * 5000, ".inf", "a@b.c"])
    def test_values_outside_the_grammar_need_a_person(self, value: str) -> None:
        (found,) = judged("LBL-SYNTAX", manifest("Job", {"a": value})).non_conformities
        assert not found.correction.changes

    def test_blanks_around_a_value_are_dropped(self) -> None:
        assert_cured("LBL-SYNTAX", manifest("Job", {"a": "' core '"}))

    @pytest.mark.parametrize("value", ["'<workspace_id>'", "'{{ tenant }}'", "'${TENANT}'", "'<a> | \"global\"'"])
    def test_holes_are_told_as_holes(self, value: str) -> None:
        (found,) = judged("LBL-SYNTAX", manifest("Job", {"a": value})).non_conformities
        assert found.severity is Severity.MEDIA
        assert "furo de modelo" in found.description

    @pytest.mark.parametrize("value", ["core", "''", "null", "'no'", "a.b_c-d", "x" * 63, "v0.3"])
    def test_good_values(self, value: str) -> None:
        assert_quiet("LBL-SYNTAX", manifest("Job", {"a": value}))

    @pytest.mark.parametrize("value", ["{a: b}", "[a]"])
    def test_maps_and_lists_are_no_values(self, value: str) -> None:
        (found,) = judged("LBL-SYNTAX", manifest("Job", {"a": value})).non_conformities
        assert not found.correction.changes

    @pytest.mark.parametrize("held", ["  labels: [a]\n", "  annotations: texto\n", "  labels: 1\n"])
    def test_what_is_no_map(self, held: str) -> None:
        assert len(details("LBL-SYNTAX", f"apiVersion: v1\nkind: Job\nmetadata:\n  name: a\n{held}")) == 1

    def test_annotations_are_text_of_any_form(self) -> None:
        held = "  annotations: {a: 'x / y', inject: true, port: 9090, note: null}\n"
        given = f"apiVersion: v1\nkind: Job\nmetadata:\n  name: a\n{held}"
        assert len(details("LBL-SYNTAX", given)) == 2
        assert_cured("LBL-SYNTAX", given)

    def test_a_tab_in_a_key_has_a_suggestion(self) -> None:
        given = "apiVersion: v1\nkind: Job\nmetadata:\n  name: a\n  labels:\n    appgear.io\ttier: core\n"
        (found,) = judged("LBL-SYNTAX", given).non_conformities
        assert found.description.endswith(
            "`appgear.io<TAB>tier` não segue a gramática de labels; parece ser `appgear.io/tier`"
        )
        assert found.location.line == 6
        assert "appgear.io/tier: core" in assert_cured("LBL-SYNTAX", given).files["a.yaml"]

    def test_a_tab_in_a_file_that_does_not_parse(self) -> None:
        given = "metadata:\n  labels:\n    appgear.io\ttier: core\n  x: [\n"
        (found,) = judged("LBL-SYNTAX", given).non_conformities
        assert (found.location.line, found.location.column) == (3, 5)
        assert "appgear.io/tier: core" in assert_cured("LBL-SYNTAX", given).files["a.yaml"]
        assert_quiet("LBL-SYNTAX", "a: [\nb\tc d: e\n")

    @pytest.mark.parametrize(
        ("key", "cured"),
        [
            ("'appgear.io/tier '", True),
            ("'a b'", False),
            ("'a/b/c'", False),
            ("'-a'", False),
            ("'<chave>'", False),
            ("UPPER.io/a", False),
        ],
    )
    def test_keys(self, key: str, cured: bool) -> None:
        given = manifest("Job", {key: "core"})
        (found,) = judged("LBL-SYNTAX", given).non_conformities
        assert bool(found.correction.changes) is cured
        if cured:
            assert_cured("LBL-SYNTAX", given)

    def test_a_suggestion_never_overwrites_another_key(self) -> None:
        (found,) = judged("LBL-SYNTAX", manifest("Job", {"'a '": "b", "a": "c"})).non_conformities
        assert not found.correction.changes

    def test_pod_templates_count_too(self) -> None:
        (found,) = judged("LBL-SYNTAX", deployment({"a": "yes"})).non_conformities
        assert found.location.yaml_path == "spec.template.metadata.labels.a"

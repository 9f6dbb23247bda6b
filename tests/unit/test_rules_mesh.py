"""MESH: what is left out of the mesh, and what only seems to be."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import Severity
from rulecheck import assert_cured, assert_quiet, details, judged


def peer(spec: str, namespace: str = "istio-system") -> str:
    return (
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
        f"metadata: {{name: default, namespace: {namespace}}}\nspec: {spec}\n"
    )


class TestNotStrict:
    @pytest.mark.parametrize(
        ("spec", "severity"),
        [
            ("{mtls: {mode: PERMISSIVE}}", Severity.CRITICA),
            ("{mtls: {mode: DISABLE}}", Severity.CRITICA),
            ("{mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}", Severity.CRITICA),
            ("{mtls: {mode: UNSET}}", Severity.MEDIA),
            ("{mtls: {mode: strict}}", Severity.MEDIA),
            ("{mtls: [1]}", Severity.MEDIA),
            ("{}", Severity.MEDIA),
        ],
    )
    def test_open_modes_become_strict(self, spec: str, severity: Severity) -> None:
        assert [each.severity for each in judged("MESH-STRICT", peer(spec)).non_conformities] == [severity]
        assert_cured("MESH-STRICT", peer(spec))

    def test_prose_that_forbids_it_is_no_object(self) -> None:
        example = Example(
            document="# M\n\nO modo PERMISSIVE é um erro.\n", files={"a.yaml": peer("{mtls: {mode: STRICT}}")}
        )
        assert_quiet("MESH-STRICT", example)

    @pytest.mark.parametrize(
        "head",
        [
            "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i}\n",
            "apiVersion: sailoperator.io/v1\nkind: Istio\nmetadata: {name: i}\n",
        ],
    )
    def test_who_installs_the_mesh_brings_the_mesh_wide_mode(self, head: str) -> None:
        (found,) = judged("MESH-STRICT", head).non_conformities
        assert found.severity is Severity.MEDIA
        assert_quiet("MESH-STRICT", f"{head}---\n{peer('{mtls: {mode: STRICT}}')}")
        assert judged("MESH-STRICT", f"{head}---\n{peer('{mtls: {mode: STRICT}}', 'app')}").non_conformities


def namespace(labels: str = "", name: str = "app") -> str:
    metadata = f"{{name: {name}, labels: {labels}}}" if labels else f"{{name: {name}}}"
    return f"---\napiVersion: v1\nkind: Namespace\nmetadata: {metadata}\n"


def workload(template: str = "{}", *, kind: str = "Deployment", spec: str = "", metadata: str = "") -> str:
    return (
        f"---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: w, namespace: app{metadata}}}\n"
        f"spec: {{template: {{metadata: {template}, spec: {{{spec}containers: []}}}}}}\n"
    )


INJECT = "sidecar.istio.io/inject"
LABELLED = "{istio-injection: enabled}"


class TestLeftOutOfMesh:
    @pytest.mark.parametrize("labels", ["", "null", "[a]", "{istio-injection: disabled}", "{istio.io/rev: ''}"])
    def test_a_namespace_without_the_label_gets_it(self, labels: str) -> None:
        assert_cured("MESH-INJECT", namespace(labels) + workload())

    @pytest.mark.parametrize(
        "labels",
        [LABELLED, "{istio.io/rev: '1-24'}", "{istio.io/dataplane-mode: ambient}"],
    )
    def test_a_labelled_namespace_injects(self, labels: str) -> None:
        assert_quiet("MESH-INJECT", namespace(labels) + workload())

    @pytest.mark.parametrize("name", ["istio-system", "kube-system", "istio-ingress"])
    def test_the_mesh_and_the_cluster_themselves_stay_out(self, name: str) -> None:
        assert judged("MESH-INJECT", namespace(name=name)).examined == {"MESH-INJECT": 0}

    def test_the_annotation_alone_injects_nothing(self) -> None:
        text = namespace() + workload(f"{{annotations: {{{INJECT}: 'true'}}}}")
        kinds = [each.object.kind for each in judged("MESH-INJECT", text).non_conformities if each.object]
        assert kinds == ["Namespace", "Deployment"]
        assert_cured("MESH-INJECT", text)

    def test_on_the_workload_instead_of_the_template_it_does_nothing_either(self) -> None:
        text = namespace() + workload(metadata=f", annotations: {{{INJECT}: 'true'}}")
        assert len(details("MESH-INJECT", text)) == 2

    @pytest.mark.parametrize("value", ["'true'", "true"])
    def test_the_pod_label_injects_anywhere(self, value: str) -> None:
        assert_quiet("MESH-INJECT", workload(f"{{labels: {{{INJECT}: {value}}}}}"))

    def test_a_namespace_of_another_module_may_inject(self) -> None:
        (found,) = details("MESH-INJECT", workload())
        assert "outro módulo pode" in found
        (found,) = details("MESH-INJECT", workload(f"{{annotations: {{{INJECT}: 'true'}}}}"))
        assert "sozinha nada faz" in found
        assert_cured("MESH-INJECT", workload("[1]"))

    @pytest.mark.parametrize("field", ["labels", "annotations"])
    def test_a_workload_that_opts_out_comes_back(self, field: str) -> None:
        assert_cured("MESH-INJECT", namespace(LABELLED) + workload(f"{{{field}: {{{INJECT}: 'false'}}}}"))

    def test_a_job_that_opts_out_is_named_and_one_that_says_nothing_is_not(self) -> None:
        out = workload(f"{{annotations: {{{INJECT}: 'false'}}}}", kind="Job")
        assert len(details("MESH-INJECT", namespace(LABELLED) + out)) == 1
        assert_quiet("MESH-INJECT", namespace(LABELLED) + workload(kind="Job"))

    def test_node_agents_may_opt_out(self) -> None:
        agent = workload(f"{{annotations: {{{INJECT}: 'false'}}}}", kind="DaemonSet")
        assert judged("MESH-INJECT", namespace() + agent).non_conformities == ()
        assert judged("MESH-INJECT", namespace() + workload(spec="hostNetwork: true, ")).non_conformities == ()

    def test_a_default_for_all_namespaces_cures_all_but_an_explicit_no(self) -> None:
        values = "---\nsidecarInjectorWebhook: {enableNamespacesByDefault: true}\nx: [{y: 1}]\n"
        assert_quiet("MESH-INJECT", namespace() + workload() + values)
        assert len(details("MESH-INJECT", namespace("{istio-injection: disabled}") + values)) == 1
        assert len(details("MESH-INJECT", namespace() + values.replace("true", "false"))) == 1

    @pytest.mark.parametrize("label", ["istio.io/rev: '1-24'", "istio.io/dataplane-mode: ambient"])
    def test_a_revision_or_ambient_on_the_pod_is_the_mesh(self, label: str) -> None:
        assert_quiet("MESH-INJECT", workload(f"{{labels: {{{label}}}}}"))

    def test_the_pod_label_cannot_undo_a_disabled_namespace(self) -> None:
        text = namespace("{istio-injection: disabled}") + workload(f"{{labels: {{{INJECT}: 'true'}}}}")
        assert len(details("MESH-INJECT", text)) == 1
        assert_cured("MESH-INJECT", text)


def vault_pod(annotations: str = "", *, labels: str = "{}", spec: str = "") -> str:
    held = f"{{vault.hashicorp.com/agent-inject: 'true'{annotations}}}"
    metadata = f"{{name: p, namespace: app, labels: {labels}, annotations: {held}}}"
    return f"---\napiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {{{spec}containers: []}}\n"


class TestBlockedInit:
    @pytest.mark.parametrize("more", ["", ", vault.hashicorp.com/agent-init-first: 'false'"])
    def test_the_init_runs_first(self, more: str) -> None:
        assert_cured("MESH-INIT", vault_pod(more) + namespace())

    @pytest.mark.parametrize(
        "text",
        [
            vault_pod(", vault.hashicorp.com/agent-init-first: 'true'"),
            vault_pod(", vault.hashicorp.com/agent-pre-populate: 'false'"),
            vault_pod(", vault.hashicorp.com/agent-run-as-user: '1337'"),
            vault_pod(", traffic.sidecar.istio.io/excludeOutboundPorts: '8200'"),
            vault_pod(", sidecar.istio.io/nativeSidecar: 'true'"),
            vault_pod(f", {INJECT}: 'false'"),
            vault_pod(labels="{istio.io/dataplane-mode: ambient}"),
            vault_pod() + namespace("{istio.io/dataplane-mode: ambient}"),
            vault_pod(spec="hostNetwork: true, "),
            vault_pod() + "---\nmeshConfig: {ENABLE_NATIVE_SIDECARS: 'true'}\n",
        ],
    )
    def test_it_reaches_vault_or_meets_no_sidecar(self, text: str) -> None:
        assert_quiet("MESH-INIT", text)

    def test_pods_without_the_injector(self) -> None:
        assert judged("MESH-INIT", workload()).examined == {"MESH-INIT": 0}

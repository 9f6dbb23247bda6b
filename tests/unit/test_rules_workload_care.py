"""WL and KEDA: probes, contexts, ports, reloads, Compose services and scaling."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode
from rulecheck import assert_cured, assert_quiet, details, judged

SERVICE = (
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
    "spec: {selector: {app: a}, ports: [{name: http, port: 80, targetPort: %s}]}\n"
)


def deployment(
    container: str = "", *, spec: str = "", labels: str = "{app: a}", kind: str = "Deployment", meta: str = ""
) -> str:
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: d{meta}}}\n"
        f"spec: {{template: {{metadata: {{labels: {labels}}}, "
        f"spec: {{containers: [{{name: c, image: 'a:1'{container}}}]{spec}}}}}}}\n"
    )


class TestProbes:
    @pytest.mark.parametrize(
        ("text", "mode"),
        [
            (deployment(", ports: [{containerPort: 8080}]"), FixMode.PARAM),
            (deployment(", ports: [{name: http, containerPort: 8080}], livenessProbe: {exec: {}}"), FixMode.PARAM),
            (deployment(", ports: [{containerPort: 5432}], readinessProbe: null"), FixMode.AUTO),
            (deployment() + SERVICE % 7007, FixMode.PARAM),
        ],
    )
    def test_a_known_port_gives_the_probe(self, text: str, mode: FixMode) -> None:
        (found,) = judged("WL-PROBE", text).non_conformities
        assert found.correction.mode is mode
        assert_cured("WL-PROBE", text)

    def test_without_a_port_a_person_decides(self) -> None:
        (found,) = judged("WL-PROBE", deployment()).non_conformities
        assert found.description == "o container `c` não tem readiness nem liveness"
        assert not found.correction.changes

    def test_jobs_init_containers_and_probed_ones(self) -> None:
        both = ", readinessProbe: {exec: {}}, livenessProbe: {exec: {}}"
        text = deployment(both, spec=", initContainers: [{name: i, image: 'a:1'}]") + "---\n" + deployment(kind="Job")
        assert_quiet("WL-PROBE", text)


class TestSecurityContext:
    def test_a_bare_pod_gets_the_safe_minimum(self) -> None:
        assert_cured("WL-SECCTX", deployment())
        assert_cured("WL-SECCTX", deployment(spec=", securityContext: {}"))

    @pytest.mark.parametrize(
        "text",
        [
            deployment(", securityContext: {privileged: true}"),
            deployment(spec=", securityContext: {runAsNonRoot: true}"),
            deployment(spec=", hostPID: true", kind="DaemonSet"),
        ],
    )
    def test_any_context_or_a_node_agent(self, text: str) -> None:
        assert_quiet("WL-SECCTX", text)


class TestHiddenPort:
    @pytest.mark.parametrize("container", ["", ", ports: [{name: http, containerPort: 9090}]", ", ports: none"])
    def test_the_only_container_declares_it(self, container: str) -> None:
        assert_cured("WL-PORT", deployment(container) + SERVICE % 8080)

    def test_of_two_containers_a_person_chooses(self) -> None:
        two = deployment().replace("containers: [", "containers: [{name: e, image: 'e:1'}, ")
        (found,) = judged("WL-PORT", two + SERVICE % 8080).non_conformities
        assert not found.correction.changes

    @pytest.mark.parametrize(
        "text",
        [
            deployment(", ports: [{containerPort: 8080}]") + SERVICE % 8080,
            deployment() + SERVICE % "http",
            deployment(labels="{app: b}") + SERVICE % 8080,
            deployment() + (SERVICE % 8080).replace("name: s", "name: s, namespace: other"),
            deployment(),
        ],
    )
    def test_declared_named_or_of_others(self, text: str) -> None:
        assert_quiet("WL-PORT", text)


CONFIG = ", volumes: [{name: v, configMap: {name: conf}}]"


class TestReload:
    def test_a_mounted_config_map_reloads(self) -> None:
        text = deployment(", volumeMounts: [{name: v, subPath: a}]", spec=CONFIG)
        assert "subPath" in details("WL-RELOAD", text)[0]
        assert_cured("WL-RELOAD", text)

    @pytest.mark.parametrize(
        "text",
        [
            deployment(spec=CONFIG, meta=", annotations: {configmap.reloader.stakater.com/reload: conf}"),
            deployment(spec=CONFIG).replace(
                "labels: {app: a}}", "labels: {app: a}, annotations: {checksum/config: x}}"
            ),
        ],
    )
    def test_a_reloader_or_a_checksum(self, text: str) -> None:
        assert_quiet("WL-RELOAD", text)

    def test_generated_names_change_by_themselves(self) -> None:
        kustomization = (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nconfigMapGenerator: [{name: conf}]\n"
        )
        files = {"kustomization.yaml": kustomization, "a.yaml": deployment(spec=CONFIG)}
        assert judged("WL-RELOAD", Example(files=files)).examined == {"WL-RELOAD": 0}


class TestBareCompose:
    @pytest.mark.parametrize(
        ("rest", "missing"),
        [
            ("", "healthcheck, limite de CPU, limite de memória"),
            (", healthcheck: {test: a}, deploy: {resources: {limits: {cpus: '1'}}}", "limite de memória"),
            (", healthcheck: null, mem_limit: 1g, cpus: 1", "healthcheck"),
        ],
    )
    def test_what_is_missing_is_asked_for(self, rest: str, missing: str) -> None:
        given = Example(files={"docker-compose.yml": f"services: {{core-a: {{image: 'a:1'{rest}}}}}\n"})
        assert details("WL-COMPOSE", given) == [f"o serviço `core-a` não declara {missing}"]
        assert_cured("WL-COMPOSE", given)


def scaled(least: str) -> str:
    return (
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: s}\n"
        f"spec: {{scaleTargetRef: {{name: d}}{least}}}\n"
    )


class TestScaling:
    @pytest.mark.parametrize("least", [", minReplicaCount: 1", ", minReplicaCount: '2'"])
    def test_the_least_becomes_zero(self, least: str) -> None:
        assert_cured("KEDA-ZERO", scaled(least))

    @pytest.mark.parametrize("least", ["", ", minReplicaCount: 0", ", minReplicaCount: 2, idleReplicaCount: 0"])
    def test_zero_absent_or_idle_zero(self, least: str) -> None:
        assert_quiet("KEDA-ZERO", scaled(least))

    @pytest.mark.parametrize("label", ["appgear.io/tier: addon", "appgear.io/tier: workspace, appgear.io/suite: brain"])
    def test_an_add_on_sleeps(self, label: str) -> None:
        text = deployment(meta=f", labels: {{{label}}}")
        assert len(details("KEDA-SO", text)) == 1
        assert_quiet("KEDA-SO", f"{text}---\n{scaled('')}")

    @pytest.mark.parametrize(
        "text",
        [
            deployment(meta=", labels: {appgear.io/tier: core}"),
            deployment(),
            deployment(meta=", labels: {appgear.io/tier: addon}").replace("'a:1'", "docker.io/library/redis:7.2.4"),
            deployment(meta=", labels: {appgear.io/tier: addon}").replace("name: d", "name: addon-keycloak"),
        ],
    )
    def test_the_core_data_and_identity_are_a_judgement(self, text: str) -> None:
        assert judged("KEDA-SO", text).examined == {"KEDA-SO": 0}

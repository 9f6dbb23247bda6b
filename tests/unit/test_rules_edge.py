"""EDGE: what opens a way in beside the chain, and what only looks like it."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details, judged


def service(spec: str, name: str = "a") -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n"


class TestExposedService:
    @pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
    def test_an_http_service_is_closed(self, kind: str) -> None:
        text = service(
            f"{{type: {kind}, externalTrafficPolicy: Local, loadBalancerIP: 10.0.0.1, "
            "ports: [{name: http, port: 80, nodePort: 30080}, {port: 8443, nodePort: 30443}]}"
        )
        fixed = assert_cured("EDGE-SVC", text).files["a.yaml"]
        for gone in ("type", "nodePort", "externalTrafficPolicy", "loadBalancerIP"):
            assert gone not in fixed

    @pytest.mark.parametrize(
        "port",
        [
            "{name: mqtt, port: 80}",
            "{port: 1883}",
            "{port: 5683, protocol: UDP}",
            "{port: 80, targetPort: 5432}",
            "{port: 90, appProtocol: tcp}",
            "{port: 90, targetPort: '8883'}",
        ],
    )
    def test_what_is_not_http_is_a_decision(self, port: str) -> None:
        (found,) = judged("EDGE-SVC", service(f"{{type: NodePort, ports: [{port}]}}")).non_conformities
        assert not found.correction.changes
        assert "decisão" in found.description

    @pytest.mark.parametrize(
        ("name", "selector"),
        [
            ("core-traefik", "{app: core-traefik}"),
            ("x", "{app.kubernetes.io/name: traefik}"),
            ("kong-proxy", "{app.kubernetes.io/name: kong}"),
            ("gw", "{istio: ingressgateway}"),
            ("core-coraza", "{}"),
        ],
    )
    def test_edge_components_are_exempt(self, name: str, selector: str) -> None:
        assert_quiet("EDGE-SVC", service(f"{{type: LoadBalancer, selector: {selector}, ports: [{{port: 80}}]}}", name))

    @pytest.mark.parametrize(
        ("name", "selector"),
        [
            ("kong-admin", "{app.kubernetes.io/name: kong}"),
            ("traefik", "{app: core-n8n}"),
            ("n8n-behind-kong", "{}"),
            ("kong-portal-api", "{app: kong-portal-api}"),
        ],
    )
    def test_a_name_alone_is_no_role(self, name: str, selector: str) -> None:
        text = service(f"{{type: LoadBalancer, selector: {selector}, ports: [{{port: 80}}]}}", name)
        assert len(details("EDGE-SVC", text)) == 1

    def test_cluster_ip_is_the_default(self) -> None:
        assert_quiet("EDGE-SVC", service("{ports: [{port: 80}]}") + "---\n" + service("{type: ClusterIP}"))

    def test_knative_services_and_label_keys_are_something_else(self) -> None:
        knative = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\nspec: {type: NodePort}\n"
        labelled = (
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: b\n"
            "  annotations: {traefik.http.services.b.loadbalancer.server.port: '80', nota: NodePort proibido}\n"
            "spec: {}\n"
        )
        assert_quiet("EDGE-SVC", f"{knative}---\n{labelled}")

    def test_objects_of_a_list_are_seen_and_patched_in_place(self) -> None:
        item = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: NodePort, ports: [{port: 80}]}}"
        assert_cured("EDGE-SVC", f"apiVersion: v1\nkind: List\nitems: [{item}]\n")


class TestForeignIngress:
    @pytest.mark.parametrize(
        "rest",
        [
            "spec: {ingressClassName: nginx}",
            "spec: {}",
            "spec: {ingressClassName: 7}",
            "spec: none",
        ],
    )
    def test_another_class_becomes_kong(self, rest: str) -> None:
        assert_cured(
            "EDGE-INGRESS", f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: a}}\n{rest}\n"
        )

    def test_the_legacy_annotation_goes(self) -> None:
        text = (
            "apiVersion: extensions/v1beta1\nkind: Ingress\n"
            "metadata: {name: a, annotations: {kubernetes.io/ingress.class: traefik}}\nspec: {}\n"
        )
        (found,) = judged("EDGE-INGRESS", text).non_conformities
        assert found.location.yaml_path == 'metadata.annotations["kubernetes.io/ingress.class"]'
        assert "ingress.class" not in assert_cured("EDGE-INGRESS", text).files["a.yaml"]

    @pytest.mark.parametrize(
        "head",
        [
            "metadata: {name: a}\nspec: {ingressClassName: kong-internal}",
            "metadata: {name: a, annotations: {kubernetes.io/ingress.class: kong}}\nspec: {}",
        ],
    )
    def test_class_kong_is_right(self, head: str) -> None:
        assert_quiet("EDGE-INGRESS", f"apiVersion: networking.k8s.io/v1\nkind: Ingress\n{head}\n")


def route(services: str, kind: str = "IngressRoute", more: str = "") -> str:
    return (
        f"apiVersion: traefik.io/v1alpha1\nkind: {kind}\nmetadata: {{name: r}}\n"
        f"spec: {{{more}routes: [{{match: x, services: {services}}}]}}\n"
    )


class TestRoutePastWaf:
    @pytest.mark.parametrize("kind", ["IngressRoute", "IngressRouteTCP", "IngressRouteUDP"])
    def test_every_other_target_is_named(self, kind: str) -> None:
        found = details("EDGE-ROUTE", route("[{name: core-coraza}, {name: core-kong}, {port: 80}]", kind))
        assert found == [
            "a rota `r` entrega direto a `core-kong`",
            "a rota `r` entrega direto a `(sem nome)`",
        ]

    def test_traefik_services_are_followed(self) -> None:
        weighted = (
            "---\napiVersion: traefik.io/v1alpha1\nkind: TraefikService\nmetadata: {name: w}\n"
            "spec: {weighted: {services: [{name: waf-a}, {name: %s}]}}\n"
        )
        target = route("[{name: w, kind: TraefikService}]")
        assert_quiet("EDGE-ROUTE", target + weighted % "waf-b")
        assert len(details("EDGE-ROUTE", target + weighted % "core-n8n")) == 1
        assert len(details("EDGE-ROUTE", target)) == 1

    def test_mirrors_are_followed(self) -> None:
        mirror = (
            "---\napiVersion: traefik.io/v1alpha1\nkind: TraefikService\nmetadata: {name: w}\n"
            "spec: {mirroring: {name: core-coraza, mirrors: [{name: core-n8n}]}}\n"
        )
        assert len(details("EDGE-ROUTE", route("[{name: w, kind: TraefikService}]") + mirror)) == 1

    def test_the_dashboard_on_its_own_entry_point_is_not_the_edge(self) -> None:
        dashboard = "[{name: api@internal, kind: TraefikService}]"
        assert_quiet("EDGE-ROUTE", route(dashboard, more="entryPoints: [traefik], "))
        assert len(details("EDGE-ROUTE", route(dashboard, more="entryPoints: [websecure], "))) == 1


def compose(ports: str) -> Example:
    return Example(files={"docker-compose.yml": f"services:\n  db:\n    image: postgres:15.6\n    ports: {ports}\n"})


class TestDatabasePort:
    @pytest.mark.parametrize(
        "entry",
        [
            "'5432:5432'",
            "5432:5432",
            "'5432'",
            "5432",
            "'0.0.0.0:5432:5432'",
            "'15432:5432/tcp'",
            "'${PG_PORT:-5432}:5432'",
            "'${PG_PORT:-5432}'",
            "'[::]:5432:5432'",
            "'6379-6380:6379-6380'",
            "{target: 6333, published: 6333}",
            "{target: 9092, published: 9092, host_ip: 0.0.0.0}",
        ],
    )
    def test_all_interfaces_become_loopback(self, entry: str) -> None:
        assert_cured("EDGE-DBPORT", compose(f"[{entry}]"))

    @pytest.mark.parametrize(
        ("entry", "fixed"),
        [("'5432:5432'", "127.0.0.1:5432:5432"), ("5432", "127.0.0.1::5432"), ("'1.2.3.4:1:5432'", "127.0.0.1:1:5432")],
    )
    def test_the_new_entry(self, entry: str, fixed: str) -> None:
        assert fixed in assert_cured("EDGE-DBPORT", compose(f"[{entry}]")).files["docker-compose.yml"]

    @pytest.mark.parametrize(
        "entry",
        [
            "'127.0.0.1:5432:5432'",
            "'localhost:5432:5432'",
            "'[::1]:5432:5432'",
            "'${BIND}:5432:5432'",
            "'8080:80'",
            "'5432:8080'",
            "{target: 5432, host_ip: 127.0.0.1}",
            "true",
            "[]",
            "''",
        ],
    )
    def test_bound_or_no_database(self, entry: str) -> None:
        assert_quiet("EDGE-DBPORT", compose(f"[{entry}]"))

    def test_no_ports_at_all(self) -> None:
        assert_quiet("EDGE-DBPORT", compose("none"))

    def test_a_service_that_opens_one_is_closed(self) -> None:
        text = service("{type: LoadBalancer, ports: [{port: 80}, {port: 5000, targetPort: 5432}, {port: 6379}]}")
        assert_cured("EDGE-DBPORT", text)
        assert_quiet("EDGE-DBPORT", service("{ports: [{port: 5432}]}"))

    def test_an_edge_service_with_a_database_port_is_for_a_person(self) -> None:
        text = service("{type: LoadBalancer, selector: {app: traefik}, ports: [{port: 5432}]}")
        (found,) = judged("EDGE-DBPORT", text).non_conformities
        assert not found.correction.changes

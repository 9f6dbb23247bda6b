"""EDGE: routes, upstreams, TLS and texts along the chain."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details, judged


def ingress(service: str = "istio-ingressgateway", path: str = "/a", *, name: str = "i", more: str = "") -> str:
    return (
        f"---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\n"
        f"spec: {{ingressClassName: kong, {more}"
        f"rules: [{{http: {{paths: [{{path: {path}, backend: {{service: {{name: {service}}}}}}}]}}}}]}}\n"
    )


def kong(body: str, annotations: str = "{}") -> str:
    head = "---\napiVersion: configuration.konghq.com/v1\nkind: KongIngress\n"
    return f"{head}metadata: {{name: k, annotations: {annotations}}}\n{body}\n"


def http_route(parent: str, backend: str, rules: str = "") -> str:
    return (
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: h}\n"
        f"spec: {{parentRefs: [{{name: {parent}}}], rules: [{{matches: [{{path: {{value: /a}}}}], "
        f"backendRefs: [{{name: {backend}}}]{rules}}}]}}\n"
    )


class TestUpstream:
    @pytest.mark.parametrize(
        "text",
        [
            ingress("core-n8n"),
            kong("upstream: {serviceName: core-n8n.appgear-core.svc.cluster.local}"),
            http_route("kong", "core-n8n"),
            ingress(more="defaultBackend: {service: {name: core-n8n}}, "),
        ],
    )
    def test_a_workload_behind_kong(self, text: str) -> None:
        assert len(details("EDGE-UPSTREAM", text)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            ingress(),
            ingress("istio-gw-alias")
            + "---\napiVersion: v1\nkind: Service\nmetadata: {name: istio-gw-alias}\n"
            + "spec: {type: ExternalName, externalName: istio-ingressgateway.istio-system.svc.cluster.local}\n",
            http_route("kong", "istio-ingressgateway") + http_route("istio", "core-n8n"),
            kong("upstream: {host_header: a}"),
        ],
    )
    def test_the_gateway_and_routes_of_others(self, text: str) -> None:
        assert_quiet("EDGE-UPSTREAM", text)


class TestStripPath:
    @pytest.mark.parametrize("text", [ingress(), http_route("kong", "istio-ingressgateway")])
    def test_no_decision(self, text: str) -> None:
        assert_cured("EDGE-STRIP", text, value="true")

    def test_a_kong_ingress_decides_in_its_own_field(self) -> None:
        assert details("EDGE-STRIP", kong("route: {paths: [/a]}\nupstream: {}"))
        assert_quiet("EDGE-STRIP", kong("route: {paths: [/a], strip_path: false}\nupstream: {}"))

    @pytest.mark.parametrize(
        "text",
        [
            ingress(path="/"),
            ingress().replace("{name: i}", "{name: i, annotations: {konghq.com/strip-path: 'false'}}"),
            http_route("kong", "istio-ingressgateway", ", filters: [{type: URLRewrite}]"),
            ingress().replace("{name: i}", "{name: i, annotations: {konghq.com/override: k}}")
            + kong("route: {strip_path: true}"),
        ],
    )
    def test_decided(self, text: str) -> None:
        assert_quiet("EDGE-STRIP", text)


POD = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n"
PROMISE = "# M\n\nAbra `https://core.<env>.<dominio>/portal/x` no navegador.\n"


class TestNoRoute:
    def test_a_kong_ingress_makes_no_route(self) -> None:
        (found,) = details("EDGE-NOROUTE", kong("route: {paths: [/a, /a, /]}"))
        assert "`/a`" in found

    @pytest.mark.parametrize("path", ["/portal", "/", "/~/portal(/|$)(.*)", "/portal/"])
    def test_a_route_covers_the_promise(self, path: str) -> None:
        files = {"a.yaml": POD + ingress(path=f"'{path}'")}
        assert_quiet("EDGE-NOROUTE", Example(document=PROMISE, files=files))

    def test_another_route_does_not(self) -> None:
        files = {"a.yaml": POD + ingress(path="/port")}
        assert len(details("EDGE-NOROUTE", Example(document=PROMISE, files=files))) == 1

    def test_routes_of_another_module_are_not_judged(self) -> None:
        result = judged("EDGE-NOROUTE", Example(document=PROMISE, files={"a.yaml": POD}))
        assert not result.non_conformities
        assert "outro módulo" in result.not_run[0].reason

    def test_addresses_of_others_promise_nothing(self) -> None:
        document = "# M\n\nVer https://docs.example.com/a e http://localhost:7007/b.\n"
        assert judged("EDGE-NOROUTE", Example(document=document, files={"a.yaml": POD})).examined == {"EDGE-NOROUTE": 0}


def traefik(kind: str, tls: str) -> str:
    return f"apiVersion: traefik.io/v1alpha1\nkind: {kind}\nmetadata: {{name: r}}\nspec: {{routes: []{tls}}}\n"


class TestEarlyTermination:
    @pytest.mark.parametrize(
        "text",
        [
            traefik("IngressRoute", ", tls: {secretName: a}"),
            traefik("IngressRoute", ", tls: {passthrough: true}"),
            traefik("IngressRouteTCP", ", tls: {}"),
            ingress(more="tls: [{secretName: a}], "),
        ],
    )
    def test_before_the_gateway(self, text: str) -> None:
        assert len(details("EDGE-TLS", text)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            traefik("IngressRoute", ""),
            traefik("IngressRouteTCP", ", tls: {passthrough: true}"),
            ingress(more="tls: [], "),
        ],
    )
    def test_passed_through(self, text: str) -> None:
        assert_quiet("EDGE-TLS", text)


def test_network_policies_are_counted_per_namespace() -> None:
    text = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: a}\n---\n"
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: %s}\n"
    )
    assert_quiet("EDGE-NETPOL", text % "a")
    assert len(details("EDGE-NETPOL", text % "b")) == 1


def compose(name: str, labels: str) -> Example:
    return Example(files={"docker-compose.yml": f"services: {{{name}: {{image: 'a:1', labels: {labels}}}}}\n"})


class TestDirectRouter:
    @pytest.mark.parametrize(
        "labels",
        [
            "{traefik.http.routers.a.rule: x}",
            "['traefik.tcp.routers.a.rule=x']",
            "{traefik.enable: 'true', traefik.http.routers.a.rule: x}",
        ],
    )
    def test_a_router_on_the_service(self, labels: str) -> None:
        assert len(details("EDGE-COMPOSE", compose("core-a", labels))) == 1

    @pytest.mark.parametrize(
        ("name", "labels"),
        [
            ("core-kong", "{traefik.http.routers.a.rule: x}"),
            ("core-coraza", "{traefik.http.routers.a.rule: x}"),
            ("traefik", "{traefik.http.routers.dashboard.service: api@internal}"),
            ("core-a", "{traefik.enable: 'false', traefik.http.routers.a.rule: x}"),
            ("core-a", "[traefik.enable=true, 1]"),
            ("core-a", "none"),
        ],
    )
    def test_the_edge_itself(self, name: str, labels: str) -> None:
        assert_quiet("EDGE-COMPOSE", compose(name, labels))


class TestChainInText:
    @pytest.mark.parametrize(
        "line",
        [
            "Traefik → Kong → Coraza → Istio",
            "**Traefik -> Kong** -> Istio",
            "A cadeia Traefik → Coraza → Kong protege.",
            "Kong → Traefik",
            "WAF => Traefik => Kong",
        ],
    )
    def test_out_of_order_or_incomplete(self, line: str) -> None:
        assert_cured("EDGE-ORDER", Example(document=f"# M\n\n{line}\n"))

    def test_a_mixed_line_is_for_a_person(self) -> None:
        (found,) = judged("EDGE-ORDER", Example(document="# M\n\nTraefik → o Kong da casa → Coraza\n")).non_conformities
        assert not found.correction.changes

    @pytest.mark.parametrize(
        "line",
        [
            "Traefik (TLS passthrough SNI) → Coraza WAF → Kong → Istio IngressGateway → Service Mesh",
            "[Traefik] -> [Coraza WAF] -> [Kong Gateway] -> [Istio IngressGateway]",
            "TLS entre bordas (Traefik → Coraza → Kong)",
            "o salto Kong → Istio",
            "M00 → M01 → M02 (Traefik, Kong)",
            "Nunca use Traefik → Kong",
            "Traefik → oauth2 → Kong",
            "Traefik, Kong e Istio",
        ],
    )
    def test_the_chain_and_parts_of_it(self, line: str) -> None:
        assert_quiet("EDGE-ORDER", Example(document=f"# M\n\n{line}\n"))

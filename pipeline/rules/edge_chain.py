"""EDGE: routes, upstreams and TLS along the chain Traefik → Coraza → Kong → Istio."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import CouldNotJudge, Example, rule
from pipeline.audit.selecting import selects
from pipeline.audit.views import DocumentView
from pipeline.domain.finding import FixMode, Param, Severity
from pipeline.rules.lookup import find
from pipeline.rules.shapes import items, mapping, maps, put, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

__all__ = ["early_termination", "no_network_policy", "no_strip_decision", "unrouted_path", "upstream_past_gateway"]

_CLASS = "kubernetes.io/ingress.class"
_STRIP = "konghq.com/strip-path"
_OVERRIDE = "konghq.com/override"
_GATEWAYS = ("istio-ingressgateway", "istio-ingress", "istio-gateway", "istio-gateways")
_PROMISE = re.compile(r"https?://[\w.-]*(?:<[\w.-]+>|\$\{\w+\}|appgear\.[a-z]+)[^\s/`\"')]*(/[a-z][\w/-]*)")
_TRAEFIK = frozenset(("traefik.io", "traefik.containo.us"))


def is_kong(ingress: ObjectView) -> bool:
    """Whether an Ingress is of a Kong class."""
    declared = ingress.get("spec", "ingressClassName")
    name = text(declared if declared is not None else ingress.annotations.get(_CLASS))
    return name == "kong" or name.startswith("kong-")


def _kong_ingresses(module: ModuleView) -> Iterator[ObjectView]:
    yield from (each for each in module.by_kind.get("Ingress", ()) if is_kong(each))


def _backends(found: ObjectView) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    """Service names behind an Ingress, an HTTPRoute or a KongIngress, with their paths."""
    if found.kind == "Ingress":
        for index, entry in maps(found.get("spec", "rules")):
            for place, path in maps(mapping(entry.get("http")).get("paths")):
                backend = mapping(path.get("backend"))
                name = mapping(backend.get("service")).get("name") or backend.get("serviceName")
                yield ("spec", "rules", index, "http", "paths", place, "backend"), text(name)
        default = mapping(found.get("spec", "defaultBackend", "service")).get("name")
        if default:
            yield ("spec", "defaultBackend"), text(default)
    elif found.kind == "HTTPRoute":
        for index, entry in maps(found.get("spec", "rules")):
            for place, backend in maps(entry.get("backendRefs")):
                yield ("spec", "rules", index, "backendRefs", place), text(backend.get("name"))
    else:
        for field in ("serviceName", "service", "host"):
            name = text(found.get("upstream", field))
            if name:
                yield ("upstream", field), name


@selects("rotas do Kong")
def _kong_routes(module: ModuleView) -> Iterator[ObjectView]:
    """Everything that tells Kong where to send traffic."""
    yield from module.select(_kong_ingresses)
    yield from (each for each in module.by_kind.get("KongIngress", ()) if isinstance(each.get("upstream"), dict))
    for each in module.by_kind.get("HTTPRoute", ()):
        if any("kong" in text(parent.get("name")) for _, parent in maps(each.get("spec", "parentRefs"))):
            yield each


@rule(
    "EDGE-UPSTREAM",
    Severity.ALTA,
    over=_kong_routes,
    title="Kong entrega ao workload sem passar pelo gateway do Istio",
    explanation="A cadeia termina no Istio IngressGateway; um upstream direto salta as políticas e o mTLS da malha.",
    remedy="Aponte o upstream do Kong para o `istio-ingressgateway` e roteie o serviço por um VirtualService.",
    sources=("CON §6", "INT §1.1", "STK edge_pipeline"),
    bad="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  ingressClassName: kong
  rules: [{http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: core-a, port: {number: 80}}}}]}}]
""",
    good="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  ingressClassName: kong
  rules: [{http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: istio-ingressgateway}}}]}}]
""",
)
def upstream_past_gateway(found: ObjectView) -> Iterator[Breach]:
    """A backend that is neither the Istio gateway nor an ExternalName of it."""
    for path, name in _backends(found):
        if not _is_gateway(found, name):
            shown = name or "(sem nome)"
            yield found.breach(f"{found.kind} `{found.name}` entrega a `{shown}`", *path, key=shown)


def _is_gateway(found: ObjectView, name: str) -> bool:
    if name.split(".", maxsplit=1)[0].startswith(_GATEWAYS):
        return True
    services = find(found.module, "Service", name)
    return any(text(each.get("spec", "externalName")).startswith(_GATEWAYS) for each in services)


@rule(
    "EDGE-STRIP",
    Severity.BAIXA,
    over=_kong_routes,
    fix=FixMode.PARAM,
    title="Rota por prefixo sem decisão de strip-path",
    explanation="Sem a decisão escrita, vale o padrão do Kong, e a aplicação recebe um caminho que talvez não espere.",
    remedy="Declare `konghq.com/strip-path`: `true` se a aplicação atende na raiz, `false` se atende sob o prefixo.",
    sources=("INT §4.5",),
    bad="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  ingressClassName: kong
  rules: [{http: {paths: [{path: /a, backend: {service: {name: istio-ingressgateway}}}]}}]
""",
    good="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, annotations: {konghq.com/strip-path: "false"}}
spec:
  ingressClassName: kong
  rules: [{http: {paths: [{path: /a, backend: {service: {name: istio-ingressgateway}}}]}}]
""",
)
def no_strip_decision(found: ObjectView) -> Iterator[Breach]:
    """A prefix other than ``/``, and neither the annotation nor the KongIngress it names decides."""
    prefixes = [path for path in route_paths(found) if path.strip("/")]
    if not prefixes or _STRIP in found.annotations:
        return
    if found.kind == "KongIngress" and found.get("route", "strip_path") is not None:
        return
    if found.kind == "HTTPRoute" and "URLRewrite" in str(found.get("spec", "rules")):
        return
    override = found.annotations.get(_OVERRIDE)
    kong = find(found.module, "KongIngress", text(override))
    if any(each.get("route", "strip_path") is not None for each in kong):
        return
    question = f"A aplicação atrás de `{prefixes[0]}` atende na raiz (`true`) ou sob o prefixo (`false`)?"
    param = Param(name=f"strip-path.{found.name}", question=question)
    change = put(found, "metadata", "annotations", _STRIP, to=param)
    if found.kind == "KongIngress":
        yield found.breach(f"`{found.name}` publica `{prefixes[0]}` sem decidir o strip-path", "route")
    else:
        yield found.breach(
            f"`{found.name}` publica `{prefixes[0]}` sem decidir o strip-path",
            *("metadata", "annotations"),
            changes=(change,),
        )


def route_paths(found: ObjectView) -> Iterator[str]:
    """Paths that an object routes."""
    if found.kind == "Ingress":
        for _, entry in maps(found.get("spec", "rules")):
            yield from (text(path.get("path")) for _, path in maps(mapping(entry.get("http")).get("paths")))
    elif found.kind == "HTTPRoute":
        for _, entry in maps(found.get("spec", "rules")):
            for _, match in maps(entry.get("matches")):
                yield text(mapping(match.get("path")).get("value"))
    else:
        yield from (path for _, path in texts(found.get("route", "paths")))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Promise:
    """A public path that the module promises, in a KongIngress or in the text."""

    path: str
    place: ObjectView | DocumentView
    line: int
    routes: frozenset[str]
    has_routing: bool


@selects("caminhos que o documento promete")
def _promises(module: ModuleView) -> Iterator[_Promise]:
    """Each promised path once; a module that neither routes nor runs anything promises nothing of its own."""
    routers = [each for kind in ("Ingress", "HTTPRoute") for each in module.by_kind.get(kind, ())]
    routes = frozenset(plain_route(path) for each in routers for path in route_paths(each))
    kong = module.by_kind.get("KongIngress", [])
    seen: set[str] = set()
    for each in kong:
        for path in route_paths(each):
            if path.strip("/") and path not in seen:
                seen.add(path)
                yield _Promise(path=path, place=each, line=1, routes=routes, has_routing=True)
    if module.document is None or not any(found.pod for found in module.objects):
        return
    for number, line in module.document.document.prose():
        for found in _PROMISE.finditer(line) if "://" in line else ():
            path = "/" + found[1].strip("/").split("/")[0]
            if path not in seen:
                seen.add(path)
                place = module.document
                yield _Promise(path=path, place=place, line=number, routes=routes, has_routing=bool(routers or kong))


def plain_route(route: str) -> str:
    """A route's path up to its first pattern: ``/~/a(/|$)(.*)`` is ``/a``."""
    return "/" + re.split(r"[(*]", route.removeprefix("/").removeprefix("~"), maxsplit=1)[0].strip("/")


@rule(
    "EDGE-NOROUTE",
    Severity.ALTA,
    over=_promises,
    title="Caminho público prometido e sem rota",
    explanation=(
        "Nenhum Ingress ou HTTPRoute do módulo publica o caminho; um KongIngress só ajusta a rota que outro objeto "
        "cria."
    ),
    remedy="Declare um Ingress de classe `kong`, ou um HTTPRoute, que leve o caminho ao gateway do Istio.",
    sources=("CON §6",),
    bad="""
apiVersion: configuration.konghq.com/v1
kind: KongIngress
metadata: {name: a}
route: {paths: [/a]}
""",
    good="""
apiVersion: configuration.konghq.com/v1
kind: KongIngress
metadata: {name: a}
route: {paths: [/a]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec: {ingressClassName: kong, rules: [{http: {paths: [{path: /a}]}}]}
""",
)
def unrouted_path(promise: _Promise) -> Iterator[Breach]:
    """No Ingress or HTTPRoute covers the path."""
    covering = ["/"] + [promise.path[:end] for end in range(2, len(promise.path) + 1)]
    if any(route in promise.routes for route in covering if f"{promise.path}/".startswith(route.rstrip("/") + "/")):
        return
    detail = f"nenhum Ingress ou HTTPRoute publica `{promise.path}`"
    if not isinstance(promise.place, DocumentView):
        yield promise.place.breach(detail, "route", "paths", key=promise.path)
    elif promise.has_routing:
        yield promise.place.breach(detail, line=promise.line, key=promise.path)
    else:
        raise CouldNotJudge(f"o módulo não traz rotas: `{promise.path}` pode ser publicado por outro módulo")


@selects("rotas e Gateways com TLS")
def _tls_holders(module: ModuleView) -> Iterator[ObjectView]:
    for kind in ("IngressRoute", "IngressRouteTCP"):
        yield from (each for each in module.by_kind.get(kind, ()) if each.group in _TRAEFIK)
    yield from module.select(_kong_ingresses)


@rule(
    "EDGE-TLS",
    Severity.ALTA,
    over=_tls_holders,
    title="TLS encerrado antes do gateway do Istio",
    explanation="O TLS passa por SNI até o Istio IngressGateway, que o encerra; antes dele ninguém decifra o tráfego.",
    remedy="No Traefik use IngressRouteTCP com `tls.passthrough: true`; no Kong retire `spec.tls`.",
    sources=("INT §1.1", "COO §8.2", "STK"),
    reading="Contradição 4: CON §5.1 encerra o TLS no Traefik; valem INT §1.1, COO §8.2 e STK: só no Istio.",
    bad="""
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: a}
spec: {routes: [], tls: {passthrough: true}}
""",
    good="""
apiVersion: traefik.io/v1alpha1
kind: IngressRouteTCP
metadata: {name: a}
spec: {routes: [], tls: {passthrough: true}}
""",
)
def early_termination(found: ObjectView) -> Iterator[Breach]:
    """TLS settings on a route before the gateway, or ``passthrough`` on a kind that has no such field."""
    tls = found.get("spec", "tls")
    if tls is None or tls == []:
        return
    passes = mapping(tls).get("passthrough") is True
    if found.kind == "IngressRouteTCP":
        if not passes:
            yield found.breach(f"`{found.name}` encerra o TLS no Traefik", "spec", "tls")
    elif found.kind == "IngressRoute":
        said = (
            "não tem o campo `passthrough`, que só existe em IngressRouteTCP" if passes else "encerra o TLS no Traefik"
        )
        yield found.breach(f"a IngressRoute `{found.name}` {said}", "spec", "tls")
    else:
        yield found.breach(f"o Ingress `{found.name}` encerra o TLS no Kong", "spec", "tls")


def _guarded(module: ModuleView) -> Iterator[frozenset[str | None]]:
    """Namespaces that a network policy names."""
    kinds = ("NetworkPolicy", "CiliumNetworkPolicy", "GlobalNetworkPolicy")
    yield frozenset(each.namespace for kind in kinds for each in module.by_kind.get(kind, ()))


@selects("namespaces com Service")
def _http_namespaces(module: ModuleView) -> Iterator[ObjectView]:
    """Namespaces of the module that hold a Service of it."""
    served = {each.namespace for each in module.by_kind.get("Service", ()) if not each.group}
    yield from (each for each in module.by_kind.get("Namespace", ()) if each.name in served)


@rule(
    "EDGE-NETPOL",
    Severity.BAIXA,
    over=_http_namespaces,
    title="Namespace HTTP sem NetworkPolicy",
    explanation="Sem NetworkPolicy qualquer pod do cluster alcança os deste namespace; COO §8.3 a recomenda.",
    remedy="Declare uma NetworkPolicy que só aceite o gateway do Istio e os clientes previstos.",
    sources=("COO §8.3",),
    bad=Example(
        files={
            "a.yaml": (
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n"
                "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: a}\n"
            )
        }
    ),
    good=Example(
        files={
            "a.yaml": (
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n"
                "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: a}\n---\n"
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: a}\n"
            )
        }
    ),
)
def no_network_policy(namespace: ObjectView) -> Iterator[Breach]:
    """No NetworkPolicy of any maker names the namespace."""
    if namespace.name not in namespace.module.select(_guarded)[0]:
        yield namespace.breach(f"nenhuma NetworkPolicy do módulo cobre o namespace `{namespace.name}`")


def traefik_labels(labels: Any) -> dict[str, Any]:
    """Compose labels as a map, from either syntax, Traefik's only."""
    if isinstance(labels, list):
        pairs = (entry.partition("=") for entry in items(labels) if isinstance(entry, str))
        labels = {key: value for key, _, value in pairs}
    return {key: value for key, value in mapping(labels).items() if key.startswith("traefik.")}

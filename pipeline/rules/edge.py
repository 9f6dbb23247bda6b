"""EDGE: traffic enters through Traefik, Coraza, Kong and the Istio gateway, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import compose_services
from pipeline.audit.selecting import selects
from pipeline.audit.views import ObjectView
from pipeline.domain.finding import FixMode, Operation, Severity
from pipeline.rules.lookup import find
from pipeline.rules.ports import DATABASES, PublishedPort, published_ports
from pipeline.rules.shapes import items, mapping, maps, text, words
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ComposeService, ModuleView
    from pipeline.domain.finding import PatchChange, PathKey

__all__ = ["database_port", "exposed_service", "foreign_ingress", "route_past_waf"]

_EXPOSED = ("NodePort", "LoadBalancer")
_ROLE_KEYS = ("app.kubernetes.io/name", "app", "istio", "k8s-app", "app.kubernetes.io/component")
_ROLE_SUFFIXES = frozenset(
    ("proxy", "gateway", "ingress", "ingressgateway", "controller", "waf", "edge", "external", "internal", "public")
)
_NO_EDGE_ROLE = frozenset(("admin", "manager", "dashboard", "metrics", "postgres", "postgresql", "db"))
_NOT_HTTP_WORDS = frozenset(("mqtt", "mqtts", "coap", "coaps", "amqp", "amqps", "udp", "dns", "ssh", "smtp", "tcp"))
_NOT_HTTP_PORTS = frozenset((22, 25, 53, 389, 636, 1883, 5671, 5672, 5683, 5684, 8883, *DATABASES))
# Fields that the API server refuses on a ClusterIP Service.
_EXPOSURE_FIELDS = (
    "allocateLoadBalancerNodePorts",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
)
_TRAEFIK_GROUPS = frozenset(("traefik.io", "traefik.containo.us"))
_ROUTE_KINDS = ("IngressRoute", "IngressRouteTCP", "IngressRouteUDP")
_WAF = frozenset(("coraza", "waf"))


@selects("Services")
def _services(module: ModuleView) -> Iterator[ObjectView]:
    """Services of the core API; Knative has a kind of the same name."""
    yield from (each for each in module.by_kind.get("Service", ()) if not each.group)


@selects("Ingresses")
def _ingresses(module: ModuleView) -> Iterator[ObjectView]:
    groups = {"networking.k8s.io", "extensions"}
    yield from (each for each in module.by_kind.get("Ingress", ()) if each.group in groups)


@selects("rotas do Traefik")
def _traefik_routes(module: ModuleView) -> Iterator[ObjectView]:
    for kind in _ROUTE_KINDS:
        yield from (each for each in module.by_kind.get(kind, ()) if each.group in _TRAEFIK_GROUPS)


@selects("Services e serviços Compose")
def _publishers(module: ModuleView) -> Iterator[ObjectView | ComposeService]:
    yield from module.select(_services)
    yield from module.select(compose_services)


def _is_edge(service: ObjectView) -> bool:
    """Whether the Service stands before pods of the edge: by what it selects, by its name only without a selector."""
    known = service.module.policy.edge_services
    if _NO_EDGE_ROLE & set(words(service.name)):
        return False
    selector = mapping(service.get("spec", "selector"))
    roles = [text(selector.get(key)) for key in _ROLE_KEYS] if selector else [service.name]
    return any(_plays(role, edge) for role in roles for edge in known) or selector.get("istio") == "ingressgateway"


def _plays(role: str, edge: str) -> bool:
    """Whether ``core-kong-proxy`` plays ``kong``."""
    bare = role.lower().removeprefix("core-").removeprefix("addon-")
    return bare == edge or (bare.startswith(f"{edge}-") and bare.removeprefix(f"{edge}-") in _ROLE_SUFFIXES)


def _ports(service: ObjectView) -> list[dict[str, Any]]:
    return [port for _, port in maps(service.get("spec", "ports"))]


def _is_http(port: dict[str, Any]) -> bool:
    """Whether a port may go behind the HTTP chain: no sign of another protocol."""
    if port.get("protocol") not in (None, "TCP"):
        return False
    named = set(words(text(port.get("name")))) | set(words(text(port.get("appProtocol"))))
    return not (named & _NOT_HTTP_WORDS) and not {_number(port.get("port")), _number(port.get("targetPort"))} & (
        _NOT_HTTP_PORTS
    )


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _close(service: ObjectView) -> PatchChange:
    """Make the Service a ClusterIP: its type, node ports and load balancer fields go."""
    spec = mapping(service.get("spec"))
    gone: list[tuple[PathKey, ...]] = [("spec", "type")]
    gone += [("spec", field) for field in _EXPOSURE_FIELDS if field in spec]
    gone += [("spec", "ports", index, "nodePort") for index, port in maps(spec.get("ports")) if "nodePort" in port]
    return service.patch(*(Operation(op="remove", path=json_pointer(path)) for path in gone))


@rule(
    "EDGE-SVC",
    Severity.CRITICA,
    over=_services,
    fix=FixMode.AUTO,
    title="Service exposto fora da cadeia de borda",
    explanation=(
        "Um Service NodePort ou LoadBalancer abre uma entrada que não passa por Traefik, Coraza, Kong e Istio: "
        "sem WAF, sem autenticação e sem mTLS."
    ),
    remedy=(
        "Use ClusterIP e publique o serviço por uma rota do Kong. Protocolos que não são HTTP (MQTT, CoAP) pedem "
        "decisão registrada no CCB."
    ),
    sources=("CON §6", "AUD §6.4", "INT §6.6"),
    bad="""
apiVersion: v1
kind: Service
metadata: {name: a}
spec:
  type: NodePort
  selector: {app: a}
  ports:
    - {name: http, port: 80, nodePort: 30080}
""",
    good="""
apiVersion: v1
kind: Service
metadata: {name: a}
spec:
  selector: {app: a}
  ports:
    - {name: http, port: 80}
""",
)
def exposed_service(service: ObjectView) -> Iterator[Breach]:
    """``spec.type`` opens the Service and it is not an edge component."""
    kind = service.get("spec", "type")
    if kind not in _EXPOSED or _is_edge(service):
        return
    ports = _ports(service)
    http = bool(ports) and all(_is_http(port) for port in ports)
    note = "" if http else "; as portas não são só HTTP, e o destino delas é uma decisão"
    yield service.breach(
        f"o Service `{service.name}` é do tipo `{kind}`{note}",
        "spec",
        "type",
        changes=(_close(service),) if http else (),
    )


@rule(
    "EDGE-INGRESS",
    Severity.CRITICA,
    over=_ingresses,
    fix=FixMode.AUTO,
    title="Ingress que não é do Kong",
    explanation="Um Ingress de outra classe é atendido fora da cadeia Traefik → Coraza → Kong → Istio.",
    remedy="Declare `spec.ingressClassName: kong` e retire a anotação antiga de classe.",
    sources=("CON §6", "EDG"),
    bad="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec: {ingressClassName: nginx}
""",
    good="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec: {ingressClassName: kong}
""",
)
def foreign_ingress(ingress: ObjectView) -> Iterator[Breach]:
    """The class, by field or else by the legacy annotation, is not Kong's."""
    legacy = "kubernetes.io/ingress.class"
    declared = ingress.get("spec", "ingressClassName")
    name = declared if declared is not None else ingress.annotations.get(legacy)
    if isinstance(name, str) and (name == "kong" or name.startswith("kong-")):
        return
    said = f"tem a classe `{name}`" if name is not None else "não declara classe, e a padrão do cluster a atende"
    if isinstance(ingress.get("spec"), dict):
        steps = ingress.set("spec", "ingressClassName", to="kong").operations
    else:
        steps = ingress.set("spec", to={"ingressClassName": "kong"}).operations
    moved = [_relative(ingress, step) for step in steps]
    if legacy in ingress.annotations:
        moved.append(Operation(op="remove", path=json_pointer(("metadata", "annotations", legacy))))
    where: tuple[PathKey, ...] = ("spec", "ingressClassName")
    if declared is None and legacy in ingress.annotations:
        where = ("metadata", "annotations", legacy)
    yield ingress.breach(f"o Ingress `{ingress.name}` {said}", *where, changes=(ingress.patch(*moved),))


def _relative(found: ObjectView, step: Operation) -> Operation:
    """An operation of the document as one of the object, to join it with others in one patch."""
    return Operation(op=step.op, path=step.path.removeprefix(json_pointer(found.base)), value=step.value)


@rule(
    "EDGE-ROUTE",
    Severity.CRITICA,
    over=_traefik_routes,
    title="Rota do Traefik que não passa pelo WAF",
    explanation="A única rota de borda do Traefik leva ao Coraza; qualquer outra entrega tráfego sem inspeção do WAF.",
    remedy="Aponte a rota para o Service do Coraza e publique o serviço por uma rota do Kong.",
    sources=("CON §6", "COO §8.2", "EDG"),
    bad="""
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: a}
spec:
  routes:
    - match: PathPrefix(`/a`)
      kind: Rule
      services: [{name: core-n8n, port: 80}]
""",
    good="""
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: edge}
spec:
  routes:
    - match: PathPrefix(`/`)
      kind: Rule
      services: [{name: core-coraza, port: 80}]
""",
)
def route_past_waf(route: ObjectView) -> Iterator[Breach]:
    """A target service is neither Coraza nor a WAF. Traefik's own internal entry point is not the edge."""
    inside = route.get("spec", "entryPoints") == ["traefik"]
    for index, each in maps(route.get("spec", "routes")):
        for place, service in maps(each.get("services")):
            name = text(service.get("name"))
            internal = name == "noop@internal" or (inside and name.endswith("@internal"))
            if internal or all(_WAF & set(words(target)) for target in _targets(route.module, service)):
                continue
            shown = name or "(sem nome)"
            yield route.breach(
                f"a rota `{route.name}` entrega direto a `{shown}`",
                *("spec", "routes", index, "services", place),
                key=shown,
            )


def _targets(module: ModuleView, service: dict[str, Any]) -> Iterable[str]:
    """Service names behind a reference: those of the TraefikService that it names, where the module has it."""
    name = text(service.get("name"))
    if service.get("kind") != "TraefikService":
        return [name]
    found: list[str] = []
    for each in find(module, "TraefikService", name):
        found += [text(part.get("name")) for _, part in maps(each.get("spec", "weighted", "services"))]
        mirror = mapping(each.get("spec", "mirroring"))
        found += [text(part.get("name")) for part in [mirror, *items(mirror.get("mirrors"))] if mapping(part)]
    return found or [name]


@rule(
    "EDGE-DBPORT",
    Severity.ALTA,
    over=_publishers,
    fix=FixMode.AUTO,
    title="Porta de banco de dados publicada",
    explanation="Um banco ou broker publicado em todas as interfaces fica ao alcance de quem estiver na rede do host.",
    remedy="Retire a publicação ou prenda-a a `127.0.0.1`; no Kubernetes, use um Service ClusterIP.",
    sources=("CON §5.4",),
    bad=Example(
        files={
            "docker-compose.yml": "services:\n  core-postgres:\n    image: postgres:15.6\n    ports: ['5432:5432']\n"
        }
    ),
    good=Example(
        files={
            "docker-compose.yml": (
                "services:\n  core-postgres:\n    image: postgres:15.6\n    ports: ['127.0.0.1:5432:5432']\n"
            )
        }
    ),
)
def database_port(subject: ObjectView | ComposeService) -> Iterator[Breach]:
    """A well-known database or broker port on every interface: Compose ``ports``, NodePort or LoadBalancer."""
    if isinstance(subject, ObjectView):
        yield from _database_service(subject)
        return
    for published in published_ports(subject):
        name = DATABASES.get(published.target)
        if name is not None and not published.is_local:
            yield _database_compose(subject, published, name)


def _database_compose(service: ComposeService, published: PublishedPort, name: str) -> Breach:
    return service.breach(
        f"o serviço `{service.name}` publica a porta {published.target} ({name}) em todas as interfaces",
        "ports",
        published.index,
        changes=(service.patch(published.bind_locally()),),
    )


def _database_service(service: ObjectView) -> Iterator[Breach]:
    kind = service.get("spec", "type")
    if kind not in _EXPOSED:
        return
    for index, port in maps(service.get("spec", "ports")):
        number = _number(port.get("port"))
        target = number if number in DATABASES else _number(port.get("targetPort"))
        if target in DATABASES:
            yield service.breach(
                f"o Service `{service.name}` ({kind}) publica a porta {target} ({DATABASES[target]})",
                "spec",
                "ports",
                index,
                changes=() if _is_edge(service) else (_close(service),),
            )
            return

"""WL: probes, security contexts, ports, reloads, and the same for Compose services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import compose_services, containers, pods
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Operation, Param, Severity
from pipeline.rules.ports import DATABASES
from pipeline.rules.shapes import items, mapping, maps, put, text
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ComposeService, ContainerView, ModuleView, ObjectView, PodView
    from pipeline.domain.finding import Change, PathKey

__all__ = ["bare_compose", "hidden_port", "no_probe", "no_reload", "no_security_context", "whole_pods"]

_LONG_RUNNING = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout"))
_PROBES = {"readinessProbe": "readiness", "livenessProbe": "liveness"}
_RELOADERS = ("reloader.stakater.com/auto", "reloader.stakater.com/search")


@selects("pods inteiros")
def whole_pods(module: ModuleView) -> Iterator[PodView]:
    """Pods that are given whole: no strategic patches."""
    yield from (pod for pod in module.select(pods) if not pod.object.partial)


def _services_by_label(module: ModuleView) -> Iterator[dict[tuple[str, ...], list[ObjectView]]]:
    """One index: from namespace and the first pair of the selector to the Services that have it."""
    index: dict[tuple[str, ...], list[ObjectView]] = {}
    for service in module.by_kind.get("Service", ()):
        for key, value in list(mapping(service.get("spec", "selector")).items())[:1]:
            index.setdefault((service.namespace or "", key, str(value)), []).append(service)
    yield index


def _services_of(pod: PodView) -> Iterator[ObjectView]:
    """Services of the module that select the pod."""
    (index,) = pod.object.module.select(_services_by_label)
    labels = pod.labels
    for key, value in labels.items():
        for service in index.get((pod.object.namespace or "", key, str(value)), ()):
            if all(labels.get(each) == wanted for each, wanted in mapping(service.get("spec", "selector")).items()):
                yield service


@selects("pods que ficam no ar")
def _long_running(module: ModuleView) -> Iterator[ContainerView]:
    for container in module.select(containers):
        found = container.object
        if found.kind in _LONG_RUNNING and not container.init and not found.partial and "image" in container.value:
            yield container


@rule(
    "WL-PROBE",
    Severity.MEDIA,
    over=_long_running,
    fix=FixMode.PARAM,
    title="Container sem probes",
    explanation="Sem readiness o tráfego chega antes da hora; sem liveness um processo travado fica no ar.",
    remedy="Declare `readinessProbe` e `livenessProbe` com o endereço de saúde da aplicação.",
    sources=("M00old", "practice"),
    bad="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {template: {spec: {containers: [{name: a, image: 'a:1', ports: [{containerPort: 8080}]}]}}}
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      containers:
        - {name: a, image: 'a:1', readinessProbe: {tcpSocket: {port: 1}}, livenessProbe: {tcpSocket: {port: 1}}}
""",
)
def no_probe(container: ContainerView) -> Iterator[Breach]:
    """A long-running container without readiness or liveness."""
    missing = [key for key in _PROBES if not mapping(container.value.get(key))]
    if missing:
        named = " nem ".join(_PROBES[key] for key in missing)
        yield container.breach(f"o container `{container.name}` não tem {named}", changes=_probes(container, missing))


def _probes(container: ContainerView, missing: list[str]) -> tuple[Change, ...]:
    """A socket probe for a database, an HTTP one with its path asked for; nothing where no port is known."""
    port = _first_port(container)
    if port is None:
        return ()
    number, name = port
    operations = []
    for key in missing:
        probe: dict[str, object] = {"tcpSocket": {"port": name}}
        if number not in DATABASES:
            question = f"Em que caminho HTTP o container `{container.name}` responde à sua {_PROBES[key]}?"
            path = Param(name=f"probes.{container.name}.{_PROBES[key]}", question=question)
            probe = {"httpGet": {"path": path, "port": name}}
        op: Any = "replace" if key in container.value else "add"
        operations.append(Operation(op=op, path=json_pointer((*container.path, key)), value=probe))
    return (container.object.patch(*operations),)


def _first_port(container: ContainerView) -> tuple[object, object] | None:
    for _, port in maps(container.value.get("ports")):
        number = port.get("containerPort")
        if isinstance(number, int):
            return number, text(port.get("name")) or number
    main = [each for each in container.pod.containers if not each.init]
    for service in _services_of(container.pod) if len(main) == 1 else ():
        for _, port in maps(service.get("spec", "ports")):
            number = port.get("targetPort", port.get("port"))
            if isinstance(number, int):
                return number, number
    return None


@rule(
    "WL-SECCTX",
    Severity.MEDIA,
    over=whole_pods,
    fix=FixMode.AUTO,
    title="Pod sem contexto de segurança",
    explanation="Sem contexto o processo pode ganhar privilégios e fazer qualquer chamada ao kernel.",
    remedy="Declare `securityContext` no pod e nos containers; prefira também usuário não root e raiz só de leitura.",
    sources=("practice (CON: zero trust)",),
    bad="apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'a:1'}]}\n",
    good=(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
        "spec: {securityContext: {runAsNonRoot: true}, containers: [{name: a, image: 'a:1'}]}\n"
    ),
)
def no_security_context(pod: PodView) -> Iterator[Breach]:
    """Neither the pod nor any container has a security context; node agents need the node."""
    node_agent = any(pod.spec.get(key) is True for key in ("hostNetwork", "hostPID", "hostIPC"))
    held = [pod.spec, *(container.value for container in pod.containers)]
    if node_agent or not pod.containers or any(mapping(each.get("securityContext")) for each in held):
        return
    spec = (*pod.path, "spec")
    changes: list[Change] = [put(pod.object, *spec, "securityContext", "seccompProfile", to={"type": "RuntimeDefault"})]
    changes += [
        put(pod.object, *container.path, "securityContext", to={"allowPrivilegeEscalation": False})
        for container in pod.containers
    ]
    yield pod.object.breach(
        f"{pod.object.kind} `{pod.object.name}` não tem contexto de segurança", *spec, changes=tuple(changes)
    )


@rule(
    "WL-PORT",
    Severity.BAIXA,
    over=whole_pods,
    fix=FixMode.AUTO,
    title="Porta do Service que o container não declara",
    explanation="Funciona com número, mas probes, políticas e métricas que usam o nome da porta não a encontram.",
    remedy="Declare `containerPort` no container que atende o Service.",
    sources=("practice",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec: {containers: [{name: a, image: 'a:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{name: http, port: 80, targetPort: 8080}]}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec: {containers: [{name: a, image: 'a:1', ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{name: http, port: 80, targetPort: 8080}]}
""",
)
def hidden_port(pod: PodView) -> Iterator[Breach]:
    """A numeric target of a Service that no container lists."""
    main = [container for container in pod.containers if not container.init]
    declared = {port.get("containerPort") for each in main for _, port in maps(each.value.get("ports"))}
    for service in _services_of(pod):
        for _, port in maps(service.get("spec", "ports")):
            number = port.get("targetPort", port.get("port"))
            if not isinstance(number, int) or isinstance(number, bool) or number in declared or not main:
                continue
            declared.add(number)
            where = main[0].path if len(main) == 1 else (*pod.path, "spec")
            yield pod.object.breach(
                f"o Service `{service.name}` usa a porta {number}, que nenhum container declara",
                *where,
                key=str(number),
                changes=_declare(main[0], port, number) if len(main) == 1 else (),
            )


def _declare(container: ContainerView, port: dict[str, Any], number: int) -> tuple[Change, ...]:
    entry: dict[str, object] = {"containerPort": number}
    name, taken = text(port.get("name")), {each.get("name") for _, each in maps(container.value.get("ports"))}
    if name and len(name) <= 15 and name not in taken:
        entry = {"name": name, **entry}
    if items(container.value.get("ports")):
        path: tuple[PathKey, ...] = (*container.path, "ports", "-")
        return (container.object.patch(Operation(op="add", path=json_pointer(path), value=entry)),)
    return (put(container.object, *container.path, "ports", to=[entry]),)


@selects("pods com ConfigMap de nome fixo")
def _configured(module: ModuleView) -> Iterator[PodView]:
    """Long-running pods that mount a ConfigMap of a fixed name."""
    generated = {
        text(entry.get("name"))
        for each in module.kustomize.kustomizations.values()
        for _, entry in maps(each.get("configMapGenerator"))
    }
    for pod in module.select(whole_pods):
        if pod.object.kind in _LONG_RUNNING and any(name not in generated for name in _config_maps(pod)):
            yield pod


def _config_maps(pod: PodView) -> Iterator[str]:
    for _, volume in maps(pod.spec.get("volumes")):
        name = mapping(volume.get("configMap")).get("name")
        if isinstance(name, str):
            yield name


@rule(
    "WL-RELOAD",
    Severity.BAIXA,
    over=_configured,
    fix=FixMode.AUTO,
    title="Configuração montada que não chega ao processo",
    explanation="Mudou o ConfigMap, o pod segue com o antigo: nada o reinicia, e com `subPath` nem o arquivo muda.",
    remedy='Anote o workload com `reloader.stakater.com/auto: "true"` ou o template com o checksum da configuração.',
    sources=("M17",),
    bad="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {template: {spec: {containers: [{name: a, image: 'a:1'}], volumes: [{name: c, configMap: {name: c}}]}}}
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, annotations: {reloader.stakater.com/auto: "true"}}
spec: {template: {spec: {containers: [{name: a, image: 'a:1'}], volumes: [{name: c, configMap: {name: c}}]}}}
""",
)
def no_reload(pod: PodView) -> Iterator[Breach]:
    """Neither a Reloader annotation nor a checksum on the template."""
    keys = [*pod.object.annotations, *pod.annotations]
    if any(key in _RELOADERS or "reloader.stakater.com" in key or "checksum" in key for key in keys):
        return
    name = next(_config_maps(pod))
    sub = any("subPath" in mount for each in pod.containers for _, mount in maps(each.value.get("volumeMounts")))
    note = ", e o monta por `subPath`" if sub else ""
    yield pod.object.breach(
        f"{pod.object.kind} `{pod.object.name}` não reinicia quando `{name}` muda{note}",
        *(*pod.path, "spec", "volumes"),
        changes=(put(pod.object, "metadata", "annotations", _RELOADERS[0], to="true"),),
    )


@rule(
    "WL-COMPOSE",
    Severity.BAIXA,
    over=compose_services,
    fix=FixMode.PARAM,
    title="Serviço Compose sem healthcheck ou limites",
    explanation="Um serviço sem limites toma a máquina; sem healthcheck, quem depende dele sobe antes da hora.",
    remedy="Declare `healthcheck` e `deploy.resources.limits` de CPU e memória.",
    sources=("M00old",),
    bad=Example(files={"docker-compose.yml": "services: {core-a: {image: 'a:1'}}\n"}),
    good=Example(
        files={
            "docker-compose.yml": (
                "services: {core-a: {image: 'a:1', healthcheck: {test: a}, mem_limit: 1g, cpus: 1}}\n"
            )
        }
    ),
)
def bare_compose(service: ComposeService) -> Iterator[Breach]:
    """No healthcheck, or no limit of CPU or memory."""
    value = service.value
    limits = mapping(mapping(mapping(value.get("deploy")).get("resources")).get("limits"))
    missing = [] if mapping(value.get("healthcheck")) else ["healthcheck"]
    missing += [] if limits.get("cpus") or value.get("cpus") else ["limite de CPU"]
    missing += [] if limits.get("memory") or value.get("mem_limit") else ["limite de memória"]
    if missing:
        named = ", ".join(missing)
        yield service.breach(f"o serviço `{service.name}` não declara {named}", changes=_complete(service, missing))


def _complete(service: ComposeService, missing: list[str]) -> tuple[Change, ...]:
    """The missing parts, asked for; nothing where ``deploy`` is there in another shape."""
    operations: list[Operation] = []
    if "healthcheck" in missing:
        question = f"Que comando diz se o serviço `{service.name}` está são?"
        test = Param(name=f"healthchecks.{service.name}", question=question)
        op: Any = "replace" if "healthcheck" in service.value else "add"
        operations.append(Operation(op=op, path="/healthcheck", value={"test": test}))
    wanted = {"limite de CPU": ("cpus", "de CPU"), "limite de memória": ("mem_limit", "de memória")}
    for what in missing:
        if what in wanted:
            key, shown = wanted[what]
            question = f"Qual é o limite {shown} do serviço `{service.name}`?"
            value = Param(name=f"compose-limits.{service.name}.{key}", question=question)
            exists: Any = "replace" if key in service.value else "add"
            operations.append(Operation(op=exists, path=f"/{key}", value=value))
    return (service.patch(*operations),)

# ruff: noqa: E501  # manifests and policies stand on one line each
"""Schema validation: quiet on what Kubernetes accepts, one short message with its path on what it does not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.audit import schema, schemas
from pipeline.audit.schema import SchemaResult, validate_object
from pipeline.errors import ToolError, UsageError

SHIPPED = Path(schemas.__file__).parent


def judged(text: str, **options: str) -> SchemaResult:
    return validate_object(yaml.safe_load(text), **options)


def faults(text: str) -> list[tuple[tuple[str | int, ...], str]]:
    result = judged(text)
    assert result.known
    return [(one.path, one.message) for one in result.violations]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, creationTimestamp: null, annotations: null, labels: {a: b}}
spec:
  replicas: 1
  selector: {matchLabels: {a: b}}
  strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}
  template:
    metadata: {creationTimestamp: null, labels: {a: b}}
    spec:
      nodeSelector: null
      containers:
        - name: x
          image: x:1
          command: null
          ports: [{containerPort: 80}]
          resources: {limits: {cpu: 1, memory: 512Mi}, requests: {cpu: 0.5, memory: 1e3}}
          livenessProbe: {httpGet: {port: http, path: /}}
          readinessProbe: {httpGet: {port: 80, path: /}}
      volumes: [{name: v, emptyDir: {}}]
status: {}
"""

QUIET = {
    "deployment": DEPLOYMENT,
    "null int-or-string": DEPLOYMENT.replace("25%", "null"),
    "empty status": "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80, targetPort: null}]}\nstatus: {loadBalancer: {}}",
    "stale status": "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a}]}\nstatus: {anything: 1}",
    "config map": "apiVersion: v1\nkind: ConfigMap\ndata: null\nbinaryData: {a: Zm9v}",
    "secret": "apiVersion: v1\nkind: Secret\ndata:\n  b: ''\n  a: |\n    Zm9v\n    YmFy\nstringData: {c: x}",
    "typed list": "apiVersion: v1\nkind: ConfigMapList\nitems: [{apiVersion: v1, kind: ConfigMap}]",
    "list": "apiVersion: v1\nkind: List\nmetadata: {}\nitems: [{apiVersion: v1, kind: ConfigMap}]",
    "crd": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {group: a.b, scope: Namespaced, "
    "names: {kind: A, plural: as}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: "
    "{type: object, properties: {spec: {x-kubernetes-preserve-unknown-fields: true, default: {a: 1}}}}}}]}\nstatus: {}",
    "network policy": "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {podSelector: {}, ingress: null}",
    "hpa": "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec: {maxReplicas: 2, scaleTargetRef: "
    "{kind: Deployment, name: a}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, "
    "averageUtilization: 70}}}]}",
    "kong ingress": "apiVersion: configuration.konghq.com/v1\nkind: KongIngress\nmetadata: {name: a}\n"
    "route: {methods: [GET], strip_path: true}\nproxy: {protocol: http, read_timeout: 1000}\n"
    "upstream: {hash_on: none, healthchecks: {active: {healthy: {http_statuses: [200]}}}}",
    "kong plugin": "apiVersion: configuration.konghq.com/v1\nkind: KongPlugin\nplugin: rate-limiting\nconfig: {minute: 5}",
    "kong cluster plugin": "apiVersion: configuration.konghq.com/v1\nkind: KongClusterPlugin\nplugin: a\n"
    "configFrom: {secretKeyRef: {name: a, key: b, namespace: c}}",
    "kong consumer": "apiVersion: configuration.konghq.com/v1\nkind: KongConsumer\nusername: a\ncredentials: [b]",
    "kong consumer group": "apiVersion: configuration.konghq.com/v1beta1\nkind: KongConsumerGroup\nmetadata: {name: a}",
    "kong policy": "apiVersion: configuration.konghq.com/v1beta1\nkind: KongUpstreamPolicy\nspec: {algorithm: latency}",
    "tcp ingress": "apiVersion: configuration.konghq.com/v1beta1\nkind: TCPIngress\n"
    "spec: {rules: [{port: 5432, backend: {serviceName: a, servicePort: 5432}}]}",
    "application": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a, finalizers: [f]}\n"
    "spec: {project: p, destination: {server: s, namespace: n}, source: {repoURL: r, path: p, targetRevision: v, "
    "helm: {valuesObject: {a: {b: 1}}, parameters: [{name: a, value: b}]}}, syncPolicy: {automated: {prune: true}, "
    "syncOptions: [CreateNamespace=true]}}",
    "application set": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec: {goTemplate: "
    "true, generators: [{list: {elements: [{name: a, n: 1}]}}, {matrix: {generators: [{git: {repoURL: a, revision: b, "
    "directories: [{path: '*'}]}}, {clusters: {}}]}}], template: {metadata: {name: '{{.name}}'}, spec: {project: p, "
    "source: {repoURL: r, path: p}, destination: {name: c}}}}",
    "project": "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: a}\nspec: {sourceRepos: ['*'], "
    "clusterResourceWhitelist: [{group: '*', kind: '*'}]}",
    "virtual service": "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nspec: {hosts: [a], http: [{match: "
    "[{uri: {prefix: /a}}], route: [{destination: {host: a, port: {number: 80}}}], timeout: 5s}]}",
    "peer authentication": "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nspec: {mtls: {mode: STRICT}}",
    "ingress route": "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: a}\nspec: {entryPoints: [web], "
    "routes: [{match: 'Host(`a`)', kind: Rule, services: [{name: a, port: 80}, {name: b, port: http}]}]}",
    "scaled object": "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {minReplicaCount: 0, "
    "scaleTargetRef: {name: a}, triggers: [{type: cron, metadata: {start: '0 8 * * *'}}]}",
    "external secret": "apiVersion: external-secrets.io/v1beta1\nkind: ExternalSecret\nmetadata: {name: a}\nspec: "
    "{refreshInterval: 1h, secretStoreRef: {name: v, kind: ClusterSecretStore}, target: {name: a}, data: [{secretKey: k, "
    "remoteRef: {key: kv/a, property: p}}]}",
    "gateway": "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {gatewayClassName: g, "
    "listeners: [{name: a, port: 80, protocol: HTTP}]}",
    "certificate": "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: a}\nspec: {secretName: s, "
    "dnsNames: [a], issuerRef: {name: i, kind: ClusterIssuer}}",
    "kustomization": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: a\nresources: [b/]\n"
    "images: [{name: a, newTag: '1'}]\npatches: [{path: p.yaml, target: {kind: Deployment, labelSelector: a=b}}]\n"
    "configMapGenerator: [{name: a, literals: [a=b], options: {disableNameSuffixHash: true}}]\n"
    "labels: [{pairs: {a: b}, includeSelectors: true}]\nreplicas: [{name: a, count: 2}]",
    "component": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]",
    "scaffolder": "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a, title: t, tags: [x]}\n"
    "spec: {owner: o, type: service, parameters: [{title: t, properties: {}}], steps: [{id: a, name: n, action: "
    "'http:backstage:request', input: {method: POST}, if: '${{ true }}'}], output: {a: b}}",
}


@pytest.mark.parametrize("name", QUIET)
def test_quiet(name: str) -> None:
    assert judged(QUIET[name]) == SchemaResult(known=True)


KONG_SEED = """
apiVersion: configuration.konghq.com/v1
kind: KongIngress
metadata: {name: core-backstage}
route: {methods: [GET]}
upstream: {serviceName: a.b.svc.cluster.local, servicePort: 80}
"""

FAULTS: dict[str, tuple[str, tuple[str | int, ...], str]] = {
    "unknown field": (
        DEPLOYMENT.replace("image: x:1", "imagePullPolicyy: Always"),
        ("spec", "template", "spec", "containers", 0, "imagePullPolicyy"),
        "campo desconhecido `imagePullPolicyy`; quis dizer `imagePullPolicy`?",
    ),
    "type in text": (
        DEPLOYMENT.replace("replicas: 1", "replicas: '1'"),
        ("spec", "replicas"),
        "esperava número inteiro, há texto",
    ),
    "label of true": (
        DEPLOYMENT.replace("annotations: null, labels: {a: b}", "labels: {a: true}"),
        ("metadata", "labels", "a"),
        "esperava texto, há true ou false: ponha entre aspas",
    ),
    "quantity": (
        DEPLOYMENT.replace("512Mi", "512MB"),
        ("spec", "template", "spec", "containers", 0, "resources", "limits", "memory"),
        "quantidade fora do formato; exemplos: `500m`, `512Mi`",
    ),
    "null where required": (
        "apiVersion: v1\nkind: Pod\nspec: {containers: null}",
        ("spec", "containers"),
        "esperava lista, há nulo",
    ),
    "map for list": (
        "apiVersion: v1\nkind: Pod\nspec: {containers: {name: a}}",
        ("spec", "containers"),
        "esperava lista, há mapa",
    ),
    "number for map": ("apiVersion: v1\nkind: Pod\nspec: 3.5", ("spec",), "esperava mapa, há número"),
    "list for map": ("apiVersion: v1\nkind: Pod\nspec: []", ("spec",), "esperava mapa, há lista"),
    "required": (
        "apiVersion: apps/v1\nkind: Deployment\nspec: {selector: {}}",
        ("spec",),
        "falta o campo obrigatório `template`",
    ),
    "base64": (
        "apiVersion: v1\nkind: Secret\ndata: {a: '${SENHA}'}",
        ("data", "a"),
        "texto fora do formato que o campo exige (data RFC 3339 ou base64)",
    ),
    "version": (
        "apiVersion: extensions/v1beta1\nkind: Ingress",
        ("apiVersion",),
        "o Kubernetes não serve `Ingress` em `extensions/v1beta1`; use `networking.k8s.io/v1`",
    ),
    "group": (
        "apiVersion: v1\nkind: Deployment",
        ("apiVersion",),
        "o Kubernetes não serve `Deployment` em `v1`; use `apps/v1`",
    ),
    "case": (
        "apiVersion: apps/v1\nkind: deployment",
        ("kind",),
        "tipo desconhecido `deployment`; quis dizer `Deployment`?",
    ),
    "enum near": (
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nspec: {mtls: {mode: STRIT}}",
        ("spec", "mtls", "mode"),
        "valor fora da lista; quis dizer `STRICT`?",
    ),
    "enum far": (
        "apiVersion: configuration.konghq.com/v1\nkind: KongIngress\nroute: {path_handling: zz}",
        ("route", "path_handling"),
        "valor fora da lista; aceitos: `v0`, `v1`",
    ),
    "enum long": (
        "apiVersion: configuration.konghq.com/v1\nkind: KongIngress\nroute: {protocols: [zzzz]}",
        ("route", "protocols", 0),
        "valor fora da lista; aceitos: `http`, `https`, `grpc`, `grpcs`, `tcp`, `tls`, `tls_passthrough`, `udp`, …",
    ),
    "pattern": (
        "apiVersion: configuration.konghq.com/v1\nkind: KongIngress\nproxy: {path: a}",
        ("proxy", "path"),
        "texto fora do padrão do campo",
    ),
    "minimum": (
        "apiVersion: configuration.konghq.com/v1\nkind: KongIngress\nproxy: {retries: -1}",
        ("proxy", "retries"),
        "número abaixo do mínimo (0)",
    ),
    "one of fields": (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {http: [{match: [{uri: {exact: a, prefix: b}}]}]}",
        ("spec", "http", 0, "match", 0, "uri"),
        "use só um destes campos: `exact`, `prefix`, `regex`",
    ),
    "too many": (
        "apiVersion: external-secrets.io/v1\nkind: SecretStore\nspec: {provider: {fake: {data: []}, kubernetes: {}}}",
        ("spec", "provider"),
        "mapa com chaves demais (máximo: 1)",
    ),
    "kustomize": (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresourcs: [a]",
        ("resourcs",),
        "campo desconhecido `resourcs`; quis dizer `resources`?",
    ),
    "kustomize image": (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages: [{name: a, newTag: 1}]",
        ("images", 0, "newTag"),
        "esperava texto, há número: ponha entre aspas",
    ),
    "scaffolder step": (
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a}\nspec: {type: a, steps: [{id: x}]}",
        ("spec", "steps", 0),
        "falta o campo obrigatório `action`",
    ),
    "application set without template": (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec: {generators: []}",
        ("spec",),
        "falta o campo obrigatório `template`",
    ),
    "hidden characters": (
        'apiVersion: v1\nkind: ConfigMap\n"da\\u202eta`\\n": {}',
        ("da\u202eta`\n",),
        "campo desconhecido `da\\u202eta'\\n`",
    ),
    "list without items": ("apiVersion: v1\nkind: List", ("items",), "o campo obrigatório `items` deve ser lista"),
    "list item": ("apiVersion: v1\nkind: List\nitems: [3]", ("items", 0), "esperava mapa: cada item é um objeto"),
    "list field": (
        "apiVersion: v1\nkind: List\nitems: []\nitens: []",
        ("itens",),
        "campo desconhecido `itens`; quis dizer `items`?",
    ),
    "inside a list": (
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, dat: {}}]",
        ("items", 0, "dat"),
        "campo desconhecido `dat`; quis dizer `data`?",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault(name: str) -> None:
    text, path, message = FAULTS[name]
    assert faults(text) == [(path, message)]


def test_kong_ingress_of_the_seed() -> None:
    assert faults(KONG_SEED) == [
        (("upstream", "serviceName"), "campo desconhecido `serviceName` em `upstream`"),
        (("upstream", "servicePort"), "campo desconhecido `servicePort` em `upstream`"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: example.com/v1\nkind: Thing",
        "apiVersion: example.com/v1\nkind: Deployment",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow",
        "apiVersion: argoproj.io/v9\nkind: Application",
        "apiVersion: v1\nkind: Config",
        "apiVersion: v1",
        "kind: Pod",
        "apiVersion: 1\nkind: Pod",
        "apiVersion: ../../../etc/v1\nkind: passwd",
        "apiVersion: v1\nkind: ../x",
        "apiVersion: apps/v1\nkind: a/b",
        "apiVersion: meta/v1\nkind: Status",
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: example.com/v1, kind: Thing}]",
        "apiVersion: v1\nkind: ConfigMap\ndata: {a: 2024-01-01}",
    ],
)
def test_unknown_is_not_a_pass(text: str) -> None:
    assert judged(text) == SchemaResult(known=False)


def test_violations_of_a_list_stay_when_an_item_is_unknown() -> None:
    result = judged(
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: a.b/v1, kind: X}, {apiVersion: v1, kind: Pod, spec: 1}]"
    )
    assert not result.known
    assert [one.path for one in result.violations] == [("items", 1, "spec")]


def junction(branches: list[object], value: object) -> list[tuple[tuple[str | int, ...], str]]:
    judge = schema._Judge({"properties": {"a": {"anyOf": branches}}})
    errors = schema._distinct(list(judge.validator.iter_errors({"a": value})))
    return [(one.path, one.message) for error in errors for one in judge.explain(error)]


def test_junctions_say_the_most_useful_thing() -> None:
    deep = {"type": "object", "properties": {"x": {"type": "object", "properties": {"y": {"type": "string"}}}}}
    text = {"type": "string"}
    assert junction([text, deep], {"x": {"y": 1}}) == [
        (("a", "x", "y"), "esperava texto, há número: ponha entre aspas")
    ]
    assert junction([text, {"type": "array"}], 1) == [(("a",), "valor que não cabe em nenhuma das formas aceitas")]
    assert junction([{"required": ["p"]}, {"required": ["q"]}], {}) == [(("a",), "falta um destes campos: `p`, `q`")]
    assert junction([{"not": {}}], {}) == [(("a",), "valor que não cabe em nenhuma das formas aceitas")]


def test_other_keywords_have_words_too() -> None:
    judge = schema._Judge(
        {"properties": {"a": {"uniqueItems": True, "maxItems": 1}, "b": {"not": {}}, "c": {"const": 1}}}
    )
    found = [judge.explain(error)[0].message for error in judge.validator.iter_errors({"a": [1, 1], "b": 1, "c": 2})]
    assert sorted(found) == [
        "combinação de campos que o esquema não aceita",
        "lista com itens repetidos",
        "lista longa demais (máximo de itens: 1)",
        "o valor não cumpre `const` do esquema",
    ]


def test_no_flood() -> None:
    result = validate_object({"apiVersion": "v1", "kind": "ConfigMap"} | {f"campo{n}": 1 for n in range(100)})
    assert len(result.violations) == 26
    assert result.violations[-1].message == "e mais 75 violações neste objeto"
    assert result.violations[-1].path == ()


def test_secret_values_never_show() -> None:
    text = "apiVersion: v1\nkind: Secret\ndata: {a: s3nh4-em-claro!}\nstringData: {b: 93817265}"
    assert not re.search("s3nh4|93817265", str(faults(text)))


def test_kubernetes_version() -> None:
    flow = "apiVersion: flowcontrol.apiserver.k8s.io/v1beta2\nkind: FlowSchema\nspec: {priorityLevelConfiguration: {name: a}}"
    assert judged(flow, kubernetes_version="1.25") == SchemaResult(known=True)
    assert judged(flow, kubernetes_version="v1.25.3") == SchemaResult(known=True)
    (newest,) = judged(flow).violations
    assert newest.message.endswith("use `flowcontrol.apiserver.k8s.io/v1`")
    for wrong in ("1.2", "novo", "1.25/../.."):
        with pytest.raises(UsageError, match="versão do Kubernetes sem esquemas"):
            judged(flow, kubernetes_version=wrong)


def test_mapping_that_is_no_dict() -> None:
    from types import MappingProxyType

    assert validate_object(MappingProxyType({"apiVersion": "v1", "kind": "ConfigMap"})) == SchemaResult(known=True)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    schemas._core_folder.cache_clear()
    try:
        with pytest.raises(ToolError, match="não estão instalados"):
            schemas.find_schema("v1", "Pod")
    finally:
        schemas._core_folder.cache_clear()


SHIPPED_KINDS = [
    (f"{file.stem}/{name.partition('/')[0]}", name.partition("/")[2])
    for file in sorted(SHIPPED.glob("*.json"))
    for name in json.loads(file.read_bytes())["kinds"]
]


@pytest.mark.parametrize(("api_version", "kind"), SHIPPED_KINDS)
def test_every_shipped_schema_compiles_and_closes(api_version: str, kind: str) -> None:
    result = validate_object({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "naoExiste": 1})
    assert result.known
    assert any(one.path == ("naoExiste",) for one in result.violations)


def test_shipped_data_stays_small() -> None:
    sizes = [file.stat().st_size for file in SHIPPED.glob("*.json")]
    assert max(sizes) < 1_000_000
    assert sum(sizes) < 3_000_000
    for file in SHIPPED.glob("*.json"):
        assert json.loads(file.read_bytes())["source"]


def test_every_core_kind_compiles() -> None:
    folder = schemas._core_folder(None)
    listed: set[tuple[str, str]] = set()
    for file in folder.glob("*.json"):
        content: dict[str, Any] = json.loads(file.read_bytes())
        if "-meta-" not in file.name:
            for served in content.get("x-kubernetes-group-version-kind", ()):
                prefix = f"{served['group']}/" if served["group"] else ""
                listed.add((f"{prefix}{served['version']}", served["kind"]))
    unknown = {pair for pair in listed if schema._judge(*pair, None) is None}
    assert unknown == {
        (f"internal.apiserver.k8s.io/{version}", kind)
        for version, kind in (("v1alpha1", "StorageVersion"), ("v1alpha1", "StorageVersionList"))
    }
    assert len(listed) > 150


def test_starting_costs_no_heavy_import() -> None:
    code = "import sys, pipeline.audit.schema; print(sorted({'yaml','jsonschema','jsonschema_rs','kubernetes_validate'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

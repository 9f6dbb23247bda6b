"""A GitOps tree of any size, the same bytes every time: ten manifests per application, one application in ten faulty.

Kinds, and the mean size of a file (41 lines), follow the manifests of a module that this repository ships.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILES_PER_APP", "write_tree"]

FILES_PER_APP = 10
_FAULTY_EVERY = 10

_LABELS = """\
    app.kubernetes.io/name: {name}
    app.kubernetes.io/instance: {name}
    app.kubernetes.io/part-of: appgear
    app.kubernetes.io/managed-by: argocd
    appgear.io/part-of: appgear
    appgear.io/tier: core
    appgear.io/suite: core
    appgear.io/topology: B
    appgear.io/tenant-id: global
    appgear.io/workspace-id: global
"""
_HEAD = (
    """\
apiVersion: {version}
kind: {kind}
metadata:
  name: {name}
  namespace: {namespace}
  labels:
"""
    + _LABELS
    + """\
  annotations:
    appgear.io/contract-version: "v0"
    appgear.io/module: "mod07-portal-backstage"
"""
)
_DEPLOYMENT = """\
spec:
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
        app.kubernetes.io/instance: {name}
        app.kubernetes.io/part-of: appgear
        app.kubernetes.io/managed-by: argocd
        appgear.io/part-of: appgear
        appgear.io/tier: core
        appgear.io/suite: core
        appgear.io/topology: B
        appgear.io/tenant-id: global
        appgear.io/workspace-id: global
        sidecar.istio.io/inject: "true"
      annotations:
        appgear.io/contract-version: "v0"
        appgear.io/module: "mod07-portal-backstage"
        proxy.istio.io/config: '{{"holdApplicationUntilProxyStarts": true}}'
        traffic.sidecar.istio.io/excludeOutboundPorts: "8200"
        vault.hashicorp.com/agent-inject: "true"
        vault.hashicorp.com/agent-init-first: "true"
        vault.hashicorp.com/role: "appgear-{name}"
        vault.hashicorp.com/agent-inject-secret-db-creds.env: "database/creds/postgres-role-{name}"
        vault.hashicorp.com/agent-inject-template-db-creds.env: |
          {{{{- with secret "database/creds/postgres-role-{name}" -}}}}
          DB_USER='{{{{ .Data.username }}}}'
          DB_USER_PASSWORD='{{{{ .Data.password }}}}'
          {{{{- end }}}}
    spec:
      serviceAccountName: {name}
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: server
          image: docker.io/library/{name}:{tag}
          imagePullPolicy: IfNotPresent
          command:
            - /bin/bash
            - -ec
          args:
            - |
              set -a
              . /vault/secrets/db-creds.env
              set +a
              exec /srv/start.sh
          env:
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: POD_NAMESPACE
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
          envFrom:
            - configMapRef:
                name: {name}-env
          ports:
            - name: http
              containerPort: 8585
          startupProbe:
            httpGet: {{path: /healthz, port: http}}
            failureThreshold: 60
          readinessProbe:
            httpGet: {{path: /healthz, port: http}}
          livenessProbe:
            httpGet: {{path: /healthz, port: http}}
{resources}          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            capabilities:
              drop:
                - ALL
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: 512Mi
"""
_RESOURCES = """\
          resources:
            requests: {cpu: 500m, memory: 512Mi}
            limits: {cpu: 1000m, memory: 1Gi}
"""
_SERVICE = """\
spec:
  type: {type}
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
_ENVIRONMENT = """\
data:
  SERVER_PORT: "8585"
  LOG_LEVEL: info
  STARTED: "2024-01-02T22:22:00Z"
  RETRIES: "5"
  DB_HOST: core-postgres.appgear-core.svc.cluster.local
  DB_PORT: "5432"
  SEARCH_HOST: {name}-search
  SEARCH_PORT: "9200"
  app.yaml: |
    server:
      port: 8585
      baseUrl: http://{name}.{namespace}.svc.cluster.local
      listen:
        host: 0.0.0.0
      compression: true
    database:
      client: pg
      pool: {{min: 2, max: 10}}
      connection:
        host: ${{DB_HOST}}
        port: ${{DB_PORT}}
    features:
      - search
      - catalog
      - lineage
    catalog:
      rules:
        - allow: [Component, API, Resource, System, Domain]
      locations:
        - type: file
          target: /srv/catalog/all.yaml
        - type: file
          target: /srv/catalog/templates.yaml
    logging:
      level: info
      format: json
"""
_NETWORK = """\
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {name}
  policyTypes:
    - Ingress
    - Egress
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: istio-system
      ports:
        - protocol: TCP
          port: 8585
    # Métricas do sidecar
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: observability
      ports:
        - protocol: TCP
          port: 15020
  egress:
    # Banco de dados
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: appgear-core
      ports:
        - protocol: TCP
          port: 5432
    # Plano de controle da malha
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: istio-system
      ports:
        - protocol: TCP
          port: 15012
    # Vault
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: security
      ports:
        - protocol: TCP
          port: 8200
    # DNS do cluster
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
      ports:
        - protocol: UDP
          port: 53
"""
_BUDGET = """\
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
"""
_SCALING = """\
spec:
  scaleTargetRef:
    name: {name}
  minReplicaCount: 0
  maxReplicaCount: 5
  triggers:
    - type: prometheus
      metadata:
        serverAddress: http://core-prometheus.observability.svc.cluster.local:9090
        query: sum(rate(istio_requests_total{{destination_app="{name}"}}[2m]))
        threshold: "20"
"""
_AUTHORIZATION = """\
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  action: ALLOW
  rules:
    - from:
        - source:
            namespaces:
              - istio-system
      to:
        - operation:
            ports:
              - "8585"
"""
_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization

namespace: {namespace}

resources:
"""


def write_tree(folder: Path, files: int) -> None:
    """Make ``folder`` with ``files`` manifests (rounded down to whole applications)."""
    for number in range(files // FILES_PER_APP):
        name = f"app-{number:04d}"
        place = folder / "apps" / "core" / name
        place.mkdir(parents=True)
        for path, text in _application(name, faulty=number % _FAULTY_EVERY == 0).items():
            (place / path).write_text(text, encoding="utf-8")


def _application(name: str, *, faulty: bool) -> dict[str, str]:
    """Manifests of one application by file name. A faulty one has the faults that reviews find most."""
    facts = {
        "name": name,
        "namespace": name,
        "tag": "latest" if faulty else "1.8.6",
        "type": "LoadBalancer" if faulty else "ClusterIP",
        "resources": "" if faulty else _RESOURCES,
    }
    bodies = {
        "serviceaccount.yaml": ("v1", "ServiceAccount", "automountServiceAccountToken: false\n"),
        "environment.yaml": ("v1", "ConfigMap", _ENVIRONMENT),
        "deployment.yaml": ("apps/v1", "Deployment", _DEPLOYMENT),
        "service.yaml": ("v1", "Service", _SERVICE),
        "poddisruptionbudget.yaml": ("policy/v1", "PodDisruptionBudget", _BUDGET),
        "scaledobject.yaml": ("keda.sh/v1alpha1", "ScaledObject", _SCALING),
        "networkpolicy.yaml": ("networking.k8s.io/v1", "NetworkPolicy", _NETWORK),
        "peerauthentication.yaml": ("security.istio.io/v1", "PeerAuthentication", "spec:\n  mtls:\n    mode: STRICT\n"),
        "authorizationpolicy.yaml": ("security.istio.io/v1", "AuthorizationPolicy", _AUTHORIZATION),
    }
    texts = {
        path: (_HEAD + body).format(version=version, kind=kind, **facts)
        for path, (version, kind, body) in bodies.items()
    }
    texts["environment.yaml"] = texts["environment.yaml"].replace(f"  name: {name}\n", f"  name: {name}-env\n", 1)
    if faulty:
        texts["service.yaml"] = texts["service.yaml"].replace("    appgear.io/tenant-id: global\n", "")
    resources = "".join(f"  - {path}\n" for path in texts)
    return texts | {"kustomization.yaml": _KUSTOMIZATION.format(**facts) + resources}

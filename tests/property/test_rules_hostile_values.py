"""No value that YAML can hold, wherever it stands, takes a rule down."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.rules.catalog import load_rules

FAMILIES = {"EDGE", "MESH", "GIT", "KEDA", "WL", "TOPOA", "VAL", "DOC", "NAME", "CI", "OBS", "DR", "READ"}
RULES = [rule for rule in load_rules() if rule.id.partition("-")[0] in FAMILIES]
KINDS = {
    "Application": "argoproj.io/v1alpha1",
    "ApplicationSet": "argoproj.io/v1alpha1",
    "CronJob": "batch/v1",
    "Deployment": "apps/v1",
    "Gateway": "networking.istio.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "IngressRoute": "traefik.io/v1alpha1",
    "IstioOperator": "install.istio.io/v1alpha1",
    "KongIngress": "configuration.konghq.com/v1",
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "LimitRange": "v1",
    "List": "v1",
    "Namespace": "v1",
    "PeerAuthentication": "security.istio.io/v1",
    "Pod": "v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "Schedule": "velero.io/v1",
    "Service": "v1",
    "TraefikService": "traefik.io/v1alpha1",
    "VirtualService": "networking.istio.io/v1",
}
WORDS = tuple(
    """
    annotations args backend bases command components containers data destination elements env envFrom
    files generators goTemplate healthcheck host hostname hosts http image ingressClassName
    initContainers items jobTemplate labels limits list listeners livenessProbe match matchLabels
    metadata minReplicaCount mode mtls name namespace passthrough patches path paths port portLevelMtls
    ports readinessProbe requests resources routes rules scaleTargetRef securityContext selector
    services source spec storage template tls type upstream value version volumeMounts volumes x
    """.split()  # noqa: SIM905  # a list of eighty quoted words is no easier to read
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            "NodePort",
            "5432",
            "5432:5432",
            "true",
            "{{name}}",
            "{{.a | b}}",
            "${X}",
            "a.yaml",
            "../..",
            "/",
            ".env",
            "::",
            "-",
        ]
    ),
)
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=3))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    found: dict[str, object] = {"apiVersion": KINDS[kind], "kind": kind, "metadata": draw(VALUES), "spec": draw(VALUES)}
    found |= draw(st.dictionaries(KEYS, VALUES, max_size=3))
    if draw(st.booleans()):
        found["metadata"] = {"name": draw(SCALARS), "labels": draw(VALUES), "annotations": draw(VALUES)}
    if draw(st.booleans()):
        container = draw(st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6))
        pod = {"metadata": draw(VALUES), "spec": {"containers": [container, draw(VALUES)], "volumes": draw(VALUES)}}
        found["spec"] = {"template": pod, "replicas": draw(SCALARS)}
    return found


@settings(max_examples=150, deadline=None)
@given(
    held=st.lists(objects(), min_size=1, max_size=4),
    services=VALUES,
    text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=200),
)
def test_no_rule_crashes(held: list[dict[str, object]], services: object, text: str) -> None:
    files = {
        "apps/a/kustomization.yaml": json.dumps(held[0]),
        "apps/a/all.yaml": "\n---\n".join(json.dumps(each) for each in held),
        "docker-compose.yml": json.dumps({"services": services}),
        "compose.yaml": json.dumps({"services": {"a": {"image": "postgres", "ports": services, "labels": services}}}),
        "texto.md": text,
    }
    document = f"# Módulo 01 – A\n\n{text}\n\n```bash\n{text}\n```\n"
    result = audit(snapshot_of(Example(files=files, document=document)), RULES, policy=Policy())
    assert not [each for each in result.not_run if each.crashed]

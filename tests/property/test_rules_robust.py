"""Whatever a module holds, no rule of images, tools, labels, versions, tenancy, secrets and models falls."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.rules.catalog import load_rules

FAMILIES = {"IMG", "TOOL", "LBL", "VER", "TEN", "SEC", "LLM"}
RULES = [rule for rule in load_rules() if rule.id.partition("-")[0] in FAMILIES]
KINDS = {
    "Application": "argoproj.io/v1alpha1",
    "ApplicationSet": "argoproj.io/v1alpha1",
    "ConfigMap": "v1",
    "CronJob": "batch/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Deployment": "apps/v1",
    "ExternalSecret": "external-secrets.io/v1",
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "List": "v1",
    "Namespace": "v1",
    "Pod": "v1",
    "PushSecret": "external-secrets.io/v1alpha1",
    "SealedSecret": "bitnami.com/v1alpha1",
    "Secret": "v1",
    "SecretProviderClass": "secrets-store.csi.x-k8s.io/v1",
    "Template": "scaffolder.backstage.io/v1beta3",
    "VaultDynamicSecret": "secrets.hashicorp.com/v1beta1",
}
WORDS = tuple(
    """
    annotations app.kubernetes.io/name appgear.io/contract-version appgear.io/tenant-id appgear.io/tier args command
    commonLabels configMap configMapRef containers data default digest elements encryptedData env envFrom environment
    generators goTemplate helm image imagePullPolicy initContainers items key kind labels list matrix metadata name
    namespace newName newTag openapi optional pairs parameters password projected properties registry remoteRef
    repository required resources schema secret secretGenerator secretKey secretKeyRef secretName secretObjects
    secretRef services source sources spec stringData tag target template token valueFrom value values
    vault.hashicorp.com/agent-inject vault.hashicorp.com/agent-inject-secret-a
    vault.hashicorp.com/agent-inject-template-a
    volumes type url
    """.split()  # noqa: SIM905  # a list of eighty quoted words is no easier to read
)
TEXTS = (
    "",
    "true",
    "a:latest",
    "<tag>",
    "a@sha256:x",
    "{{ .Values.x }}",
    "${X:-y}",
    "${",
    "postgres://u:p@h/d",
    "Authorization: Bearer abc1234567890",
    "password: abc\ntoken: x\nvalue: y\n",
    "image:\n  repository: a\n  tag: latest\n",
    "-----BEGIN RSA PRIVATE KEY-----",
    "QUJD",
    "$2a$10$abcdefghijklmnopqrstuv",
    "database/creds/a",
    "/vault/secrets/a",
    "OPENAI_API_KEY",
    "import openai\n",
    "appgear.io/contract-version: v0.1",
    "A_PASSWORD=abc",
    "--password",
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(TEXTS),
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
        container = draw(st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6)) | {"image": draw(SCALARS)}
        notes = draw(st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4))
        metadata = {"labels": draw(VALUES), "annotations": notes}
        pod = {"metadata": metadata, "spec": {"containers": [container, draw(VALUES)], "volumes": draw(VALUES)}}
        found["spec"] = {"template": pod}
        found["metadata"] = {"name": "a"}
    return found


LINE = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=120)
COMMANDS = st.sampled_from(
    (
        "npx", "pnpm add", "helm install", "helm -n", "pip install", "kubectl get secret -o", "kubectl create secret",
        "kubectl create", "vault kv put", "vault kv", "vault read a/creds/b", "echo $A_TOKEN", "cat /vault/secrets/a",
        "mc alias set a b c d e f", "curl -u", "cd /opt/appgear/x", "cat > .env << 'EOF'", "source .env", "sudo", "cp",
        "kubectl exec a -- printenv A_TOKEN", "export A_PASSWORD=", "docker run --env-file .env", "redis-cli -a",
    )
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    held=st.lists(objects(), min_size=1, max_size=4),
    services=VALUES,
    text=LINE,
    shell=st.lists(st.tuples(COMMANDS, st.one_of(LINE, st.sampled_from(TEXTS))), max_size=4),
)
@example(
    held=[{"apiVersion": "v1", "kind": "Secret", "metadata": None, "data": {"a": 1, "b": None}}],
    services=[],
    text="",
    shell=[],
)
def test_no_rule_falls(
    held: list[dict[str, object]], services: object, text: str, shell: list[tuple[str, str]]
) -> None:
    commands = "\n".join(f"{command} {rest}" for command, rest in shell)
    files = {
        "apps/a/kustomization.yaml": json.dumps(held[0]),
        "apps/a/all.yaml": "\n---\n".join(json.dumps(each) for each in held),
        "docker-compose.yml": json.dumps({"services": services}),
        "compose.yaml": json.dumps(
            {"services": {"a": {"image": "postgres", "environment": services, "labels": services}}}
        ),
        "values.yaml": json.dumps(services),
        "quebrado.yaml": f"a: [\n{text}\nimage: {text}\n",
        ".env": text,
        "Dockerfile": f"FROM {text}\nENV {text}\n",
        "a.py": text,
    }
    document = (
        f"# Módulo 01 – A\n\nVersão: {text}\n\n## 4. Como fazer\n\n```bash\n{commands}\n```\n\n```yaml\n{text}\n```\n\n"
        f"```python\n{text}\n```\n\n## 9. Metadados\n\n- Versão: v0.1 {text}\n"
    )
    result = audit(snapshot_of(Example(files=files, document=document)), RULES, policy=Policy())
    assert not [each for each in result.not_run if each.crashed]
    assert all(found.description for found in result.non_conformities)

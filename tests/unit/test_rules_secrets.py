"""SEC-CLEAR: literal secrets wherever a module may hold one, their traps, and that no output shows them."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example
from pipeline.codec import hidden
from pipeline.domain.finding import FixMode, Severity, TextChange
from pipeline.rules.catalog import load_rules
from rulecheck import assert_cured, assert_quiet, judged

RULE = "SEC-CLEAR"
LITERAL = "s3nh4-Forte"
SAMPLE = "glpat-0123456789abcdefghij"
HEADER = "Authorization: Bearer abcdef0123456789"


def config_map(data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{data}"


def secret(data: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n{more}{data}"


def pod(env: str, more: str = "") -> str:
    return (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - name: a\n      image: a:1.2.3\n"
        f"      env:\n{env}{more}"
    )


def custom(spec: str, kind: str = "Database", api: str = "x.io/v1") -> str:
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n"


def compose(environment: str) -> Example:
    return Example(
        files={"docker-compose.yml": f"services:\n  a:\n    image: a:1.2.3\n    environment:\n{environment}"}
    )


def tree(**files: str) -> Example:
    return Example(files={name.replace("__", "."): text for name, text in files.items()})


def fence(language: str, content: str, section: str = "4. Como fazer") -> Example:
    return Example(document=f"# M\n\n## {section}\n\n```{language}\n{content}\n```\n")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def severities(given: Example | str) -> list[Severity]:
    return [found.severity for found in judged(RULE, given).non_conformities]


CRITICAL: Mapping[str, Example | str] = {
    "env": pod(f"        - {{name: DB_PASSWORD, value: {LITERAL}}}\n"),
    "env number": pod("        - {name: DB_PASSWORD, value: '12345678'}\n"),
    "env url": pod(f"        - {{name: DATABASE_URL, value: 'postgres://u:{LITERAL}@h:5432/d'}}\n"),
    "env with a default": pod(f"        - {{name: DB_PASSWORD, value: '${{DB_PASSWORD:-{LITERAL}}}'}}\n"),
    "args": pod("", f"      args: ['--admin-password={LITERAL}']\n"),
    "args in two": pod("", f"      args: ['--admin-password', '{LITERAL}']\n"),
    "shell": pod("", f"      command: [sh, -c, 'PGPASSWORD={LITERAL} psql']\n"),
    "script": custom(f'{{templates: [{{script: {{source: "x\\nexport TOKEN={LITERAL}\\n"}}}}]}}', "WorkflowTemplate"),
    "config map key": config_map(f"  REDIS_PASSWORD: {LITERAL}\n"),
    "config map number": config_map("  REDIS_PASSWORD: 12345678\n"),
    "nested yaml": config_map(f"  app.yaml: |\n    db:\n      user: x\n      password: {LITERAL}\n"),
    "nested json": config_map(f'  app.json: |\n    {{"clientSecret": "{LITERAL}", "a": 1}}\n'),
    "nested ini": config_map(f"  app.ini: |\n    [db]\n    password = {LITERAL}\n"),
    "nested properties": config_map(f"  a.properties: |\n    spring.datasource.password={LITERAL}\n"),
    "nested env": config_map(f"  app.env: |\n    API_TOKEN={LITERAL}\n"),
    "nested xml": config_map(f"  a.xml: |\n    <x>\n      <clearValue>{LITERAL}</clearValue>\n    </x>\n"),
    "nested sql": config_map(f"  init.sql: |\n    -- usuário\n    CREATE USER a WITH PASSWORD '{LITERAL}';\n"),
    "nested redis": config_map(f"  redis.conf: |\n    port 6379\n    requirepass {LITERAL}\n"),
    "nested pair": config_map(f'  realm.json: |\n    {{"type": "password",\n     "value": "{LITERAL}"}}\n'),
    "nested xml of midpoint": config_map(f"  a.xml: |\n    <p:a><t:clearValue>{LITERAL}</t:clearValue></p:a>\n"),
    "nested flow pair": config_map(f"  a.json: |\n    {{}}\n    {{'type': 'password', 'value': '{LITERAL}'}}\n"),
    "nested attributes": config_map(f"  a.xml: |\n    <x/>\n    <p name='password' value='{LITERAL}'/>\n"),
    "option inside a value": pod(f"        - {{name: JAVA_OPTS, value: '-Xms1g -DstorePassword={LITERAL}'}}\n"),
    "connection string": pod(f"        - {{name: DB, value: 'Host=h;Password={LITERAL};Timeout=5'}}\n"),
    "nested url": config_map(f"  a.yaml: |\n    a: 1\n    url: amqp://guest:{LITERAL}@rabbit\n"),
    "nested header": config_map(f'  a.yaml: |\n    a: 1\n    h: "{HEADER}"\n'),
    "private key": config_map("  id: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    b3BlbnNzaC1rZXktdjEA\n"),
    "token": config_map(f"  x: {SAMPLE}\n"),
    "access key": config_map("  x: AKIAIOSFODNN7ABCDEFG\n"),
    "custom resource": custom(f"{{auth: {{password: {LITERAL}}}}}"),
    "own secret of a client": custom(f"{{clientSecret: {LITERAL}}}"),
    "name and value": custom(f"{{params: [{{name: api_key, value: {LITERAL}}}]}}"),
    "helm values": tree(values__yaml=f"auth:\n  rootPassword: {LITERAL}\n"),
    "secret generator": custom(f"[{{name: a, literals: [password={LITERAL}]}}]", "Kustomization"),
    "annotation url": f"apiVersion: v1\nkind: Pod\nmetadata: {{annotations: {{u: 'https://u:{LITERAL}@h'}}}}\n",
    "data": secret(f"data: {{password: {b64(LITERAL)}}}\n"),
    "string data": secret(f"stringData: {{password: {LITERAL}}}\n"),
    "any key of a secret": secret(f"stringData: {{valor: {LITERAL}}}\n"),
    "key file of a secret": secret(f"data: {{tls.key: {b64('-----BEGIN PRIVATE KEY-----' + chr(10) + 'MIIEvQ')}}}\n"),
    "docker config": secret(f"stringData: {{.dockerconfigjson: '{{\"auths\": {{\"password\": \"{LITERAL}\"}}}}'}}\n"),
    "docker auth": secret(f"stringData: {{.dockerconfigjson: '{{\"auths\": {{\"auth\": \"{LITERAL}\"}}}}'}}\n"),
    "text of a secret": secret(f"stringData:\n  config.yaml: |\n    a: 1\n    password: {LITERAL}\n"),
    "python": fence("python", f"PASSWORD = '{LITERAL}'"),
    "python typed": fence("python", f"password: str = '{LITERAL}'"),
    "python default": fence("python", f"x = os.getenv('DB_PASSWORD', '{LITERAL}')"),
    "typescript": fence("ts", f"const cfg = {{ password: '{LITERAL}' }};"),
    "typescript default": fence("ts", f"const s = process.env.API_TOKEN ?? '{LITERAL}';"),
    "code file": tree(a__py=f"TOKEN = '{LITERAL}'\n"),
    "image": tree(Dockerfile=f"FROM a:1.2.3\nENV API_TOKEN {LITERAL}\nENV X=1\n"),
    "image arg": fence("dockerfile", f"ARG DB_PASSWORD={LITERAL}"),
    "excerpt": fence("yaml", f"db:\n  password: {LITERAL}"),
    "broken yaml": tree(a__yaml=f"a: [\npassword: {LITERAL}\n"),
    "docker run": fence("bash", f"docker run -e POSTGRES_PASSWORD={LITERAL} postgres:16.4"),
    "from literal": fence("bash", f"kubectl create secret generic a --from-literal=password={LITERAL}"),
    "from literal in two": fence("bash", f"kubectl create secret generic a --from-literal 'password={LITERAL}'"),
    "export": fence("bash", f"export API_TOKEN={LITERAL}"),
    "vault": fence("bash", f"vault kv put kv/appgear/a user=x password={LITERAL}"),
    "option": fence("bash", f"argocd login h --username admin --password {LITERAL}"),
    "helm set": fence("bash", f"helm install a b/c --set auth.password={LITERAL},x=1"),
    "curl user": fence("bash", f"curl -u admin:{LITERAL} https://h"),
    "curl header": fence("bash", f"curl -H '{HEADER}' https://h"),
    "curl body": fence("bash", f"curl -d '{{\"password\": \"{LITERAL}\"}}' https://h"),
    "psql": fence("bash", f"psql postgresql://u:{LITERAL}@h/d"),
    "redis": fence("bash", f"redis-cli -h h -a {LITERAL} ping"),
    "minio": fence("bash", f"mc alias set x http://h user {LITERAL}"),
    "refused here-document": fence("bash", f"cat > /etc/app.conf << 'EOF'\npassword = {LITERAL}\nEOF"),
}  # fmt: skip


@pytest.mark.parametrize("given", CRITICAL.values(), ids=CRITICAL.keys())
def test_literals_are_critical(given: Example | str) -> None:
    assert severities(given) == [Severity.CRITICA]


TOPOLOGY_A: Mapping[str, Example] = {
    "env file": tree(__env=f"A=1\nDB_PASSWORD={LITERAL}\n"),
    "named env file": tree(app__env=f"DB_PASSWORD={LITERAL}\n"),
    "compose map": compose(f"      DB_PASSWORD: {LITERAL}\n"),
    "compose list": compose(f"      - DB_PASSWORD={LITERAL}\n"),
    "compose default": compose(f"      DB_PASSWORD: ${{DB_PASSWORD:-{LITERAL}}}\n"),
    "compose url": compose(f"      DATABASE_URL: postgres://u:{LITERAL}@h/d\n"),
    "env fence": fence("env", f"DB_PASSWORD={LITERAL}"),
    "compose excerpt": fence("yaml", f"services:\n  a:\n    environment:\n      DB_PASSWORD: {LITERAL}"),
    "written by echo": fence("bash", f'echo "DB_PASSWORD={LITERAL}" >> .env'),
    "central env": fence("bash", f"cat > /opt/appgear/.env << 'EOF'\nDB_PASSWORD={LITERAL}\nEOF"),
}


@pytest.mark.parametrize("given", TOPOLOGY_A.values(), ids=TOPOLOGY_A.keys())
def test_topology_a_is_high(given: Example) -> None:
    assert severities(given) == [Severity.ALTA]


@pytest.mark.parametrize(
    "value", ["dummy", "changeme", "CHANGE_ME", "<senha>", "your-password", "xxxxx", "troque-isto"]
)
def test_placeholders_are_a_weaker_class(value: str) -> None:
    for given in (
        pod(f"        - {{name: DB_PASSWORD, value: '{value}'}}\n"),
        tree(__env=f"DB_PASSWORD={value}\n"),
    ):
        (found,) = judged(RULE, given).non_conformities
        assert found.severity is Severity.MEDIA
        assert "valor de exemplo" in found.description


QUIET: Mapping[str, Example | str] = {
    "references": config_map(
        "  app.yaml: |\n    a:\n      password: ${DB_PASSWORD}\n      token: $(TOKEN)\n      secret: '{{ .Data.x }}'\n"
        "      api_key: os.environ/OPENAI_API_KEY\n      clientSecret: $CLIENT_SECRET\n      key: [[ token ]]\n"
        "      masterKey: ${X:?defina}\n      url: postgres://u:${P}@h\n      other: redis://:$(P)@h\n"
    ),
    "values from": pod("        - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: a, key: password}}}\n"),
    "names of secrets": custom(
        "{existingSecret: core-pg, secretName: a, auth: {secret: my-secret}, tls: {secretName: b},"
        " credentials: pg-credentials, imagePullSecrets: [{name: r}], tokenSecretRef: {name: a, key: token}}"
    ),
    "external secret": custom(
        "{data: [{secretKey: username, remoteRef: {key: kv/appgear/a, property: client_secret}}]}", "ExternalSecret"
    ),
    "paths": pod(
        "        - {name: DB_PASSWORD_PATH, value: /vault/secrets/db}\n        - {name: TOKEN, value: /var/run/t}\n"
        "        - {name: API_TOKEN, value: kv/appgear/a#token}\n        - {name: DB_PASSWORD_FILE, value: x}\n"
    ),
    "lifespans and claims": config_map(
        '  realm.json: |\n    {"accessTokenLifespan": 300, "id.token.claim": "true", "admin.passwordMtime": "2024",\n'
        '     "ssoSessionMaxLifespan": 1, "passwordPolicy": "length(8)", "resetPasswordAllowed": true}\n'
    ),
    "empty": tree(__env='DB_PASSWORD=\nAPI_TOKEN=""\n'),
    "switches": custom("{usePassword: true, maxTokens: 4096, tokenType: bearer, password: null, token: 'false'}"),
    "sealed": custom("{encryptedData: {password: AgBy3i4OJSWK}}", "SealedSecret", "bitnami.com/v1alpha1"),
    "schema": custom("{validation: {password: abcdef}}", "CustomResourceDefinition", "apiextensions.k8s.io/v1"),
    "options that refer": pod("", "      args: ['--db-password=$(DB_PASSWORD)', '--path=/sso', start]\n"),
    "masked": config_map("  a.json: |\n    {\n      'password': '**********'\n    }\n"),
    "role": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nrules: [{resources: [secrets]}]\n",
    "keda": custom("{secretTargetRef: [{parameter: password, name: a, key: password}]}", "TriggerAuthentication"),
    "injector": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n"
        "    vault.hashicorp.com/agent-inject-token: 'true'\n"
        '    vault.hashicorp.com/agent-inject-template-a: |\n      {{- with secret "kv/data/a" -}}\n'
        "      DB_PASSWORD={{ .Data.data.password }}\n      {{- end }}\n"
    ),
    "open keys of a secret": secret("stringData: {username: admin, url: 'https://h', type: git, ca.crt: a, x: ''}\n"),
    "templates in a secret": secret("stringData: {password: '{{ .password }}', token: '<path:kv/a#b>'}\n"),
    "no text in a secret": secret("data: {password: null, x: true, y: [a]}\n"),
    "hashes": config_map("  users.yaml: |\n    a: 1\n    password: $2a$10$abcdefghijklmnopqrstuv\n"),
    "comments": config_map("  a.yaml: |\n    # password: s3nh4-Forte\n    # postgres://u:s3nh4@h\n    a: 1\n"),
    "prose in a value": config_map("  a.yaml: |\n    help:\n      password: informe a senha do banco\n"),
    "encoded key stub": config_map("  a.txt: |\n    -----BEGIN PRIVATE KEY-----\n    ...\n"),
    "code": fence("python", "password = get_password()\ntoken = os.environ['API_TOKEN']\nsecret = settings.secret\n"),
    "types": fence("ts", "interface A { password: string; token: string }\nconst t = req.body.password;"),
    "nginx": config_map("  nginx.conf: |\n    location / {\n      proxy_pass http://a:80;\n    }\n"),
    "model costs": config_map("  a.yaml: |\n    a:\n      input_cost_per_token: 0.0001\n      max_tokens: 4096\n"),
    "regos": config_map('  a.rego: |\n    deny[m] { input.password == "s3nh4-Forte" }\n'),
    "example file": tree(__env__example="DB_PASSWORD=changeme\nAPI_TOKEN=<token>\n"),
    "compose": compose("      DB_PASSWORD: ${DB_PASSWORD}\n      B: ${C:?defina}\n"),
    "commands": fence(
        "bash",
        'vault kv put kv/a password="$DB_PASSWORD" token=@token.txt\nkubectl create token sa\n'
        'vault write auth/kubernetes/role/a bound_service_account_names="core" policies="appgear-core-services"\n'
        "docker run -e DB_PASSWORD postgres:16.4\nPASSWORD=$(openssl rand -hex 16)\nkubectl get secret a -o name\n"
        'argocd login h --password "$ARGOCD_PASSWORD" --grpc-web\ngit clone git@github.com:a/b.git\n',
    ),
    "counter-example": fence("yaml", "password: s3nh4-Forte", "6. Erros comuns"),
    "text": fence("text", "password: s3nh4-Forte"),
    "a sentence": Example(document="# M\n\nDefina `password: s3nh4-Forte` no Vault.\n"),
    "long": config_map(f"  password: {'a' * 30_000}\n"),
}  # fmt: skip


@pytest.mark.parametrize("given", QUIET.values(), ids=QUIET.keys())
def test_traps_are_quiet(given: Example | str) -> None:
    assert severities(given) == []


CURED: Mapping[str, Example | str] = {
    name: {**CRITICAL, **TOPOLOGY_A}[name]
    for name in (
        "env",
        "env url",
        "env with a default",
        "docker run",
        "from literal",
        "export",
        "vault",
        "option",
        "env file",
        "named env file",
        "compose map",
        "compose list",
        "compose default",
        "compose url",
        "env fence",
        "written by echo",
        "central env",
    )
}


@pytest.mark.parametrize("given", CURED.values(), ids=CURED.keys())
def test_a_reference_takes_the_place_of_the_literal(given: Example | str) -> None:
    fixed = assert_cured(RULE, given, value="core-db")
    assert LITERAL not in str(fixed)


def test_a_value_of_which_the_secret_is_a_part_is_left_to_a_person() -> None:
    (found,) = judged(RULE, CRITICAL["option inside a value"]).non_conformities
    assert found.correction.mode is FixMode.MANUAL


def test_the_reference_has_the_name_of_the_variable() -> None:
    fixed = assert_cured(RULE, CRITICAL["env url"], value="core-db").files["a.yaml"]
    assert "name: core-db\n          key: DATABASE_URL" in fixed
    assert "${DATABASE_URL}" in assert_cured(RULE, TOPOLOGY_A["compose url"]).files["docker-compose.yml"]


def test_what_stands_in_place_of_the_literal() -> None:
    fixed = assert_cured(RULE, CRITICAL["env"], value="core-db").files["a.yaml"]
    assert "secretKeyRef:\n          name: core-db\n          key: DB_PASSWORD" in fixed
    assert "value: " not in fixed
    fixed = assert_cured(RULE, TOPOLOGY_A["compose list"]).files["docker-compose.yml"]
    assert "- DB_PASSWORD=${DB_PASSWORD}" in fixed
    assert "\nDB_PASSWORD=\n" in assert_cured(RULE, TOPOLOGY_A["env file"]).files[".env"]
    assert 'put kv/appgear/a user=x password="${PASSWORD}"' in str(assert_cured(RULE, CRITICAL["vault"]).document)
    assert 'echo "DB_PASSWORD=${DB_PASSWORD}"' in str(assert_cured(RULE, TOPOLOGY_A["written by echo"]).document)


@pytest.mark.parametrize(
    ("command", "fixed"),
    [
        (f'export TOKEN="{LITERAL}"', 'export TOKEN="${TOKEN}"'),
        (f"export TOKEN='{LITERAL}'", 'export TOKEN="${TOKEN}"'),
        (f"echo 'TOKEN={LITERAL}'", None),
        (f'sh -c "TOKEN={LITERAL} run"', None),
        (f"curl -u a:{LITERAL} h", None),
    ],
)
def test_quoting_decides_whether_a_variable_can_stand_there(command: str, fixed: str | None) -> None:
    given = fence("bash", command)
    (found,) = judged(RULE, given).non_conformities
    if fixed is None:
        assert found.correction.mode is FixMode.MANUAL
    else:
        assert fixed in (assert_cured(RULE, given).document or "")


def test_an_example_file_with_a_real_value() -> None:
    (found,) = judged(RULE, tree(__env__example=f"DB_PASSWORD={LITERAL}\n")).non_conformities
    assert found.severity is Severity.MEDIA


def test_the_place_is_the_line_inside_the_text() -> None:
    (found,) = judged(RULE, CRITICAL["nested yaml"]).non_conformities
    assert (found.location.line, found.location.column) == (8, 17)
    assert found.location.yaml_path == 'data["app.yaml"]'


def test_two_secrets_of_one_text_have_identities_of_their_own() -> None:
    text = config_map(f"  a.yaml: |\n    password: {LITERAL}\n    token: {LITERAL}\n")
    first, second = judged(RULE, text).non_conformities
    assert first.fingerprint != second.fingerprint


EVERY: dict[str, Example | str] = {**CRITICAL, **TOPOLOGY_A}


@pytest.mark.parametrize("given", EVERY.values(), ids=EVERY.keys())
def test_no_finding_of_any_rule_shows_the_value(given: Example | str) -> None:
    example = given if isinstance(given, Example) else Example(files={"a.yaml": given})
    result = audit(snapshot_of(example), load_rules(), policy=Policy())
    for found in result.non_conformities:
        if found.rule == RULE:
            shown = [found.snippet, found.description, found.title, str(found.correction.changes), str(found.location)]
        else:
            shown = [found.snippet, found.description]
        for each in shown:
            for value in (LITERAL, b64(LITERAL), SAMPLE, "abcdef0123456789", "AKIAIOSFODNN7ABCDEFG"):
                assert value not in each, found.rule


@pytest.mark.parametrize(
    "value",
    ['"s3nh4\\u002dForte"', '"s3nh4-\\\n      Forte"', ">\n    s3nh4-Forte\n"],
    ids=["escaped", "continued", "folded"],
)
def test_values_written_in_another_way_are_hidden_too(value: str) -> None:
    (found,) = judged(RULE, config_map(f"  DB_PASSWORD: {value}\n")).non_conformities
    assert "s3nh4" not in found.snippet


def test_a_change_of_text_holds_the_length_alone() -> None:
    (found,) = judged(RULE, TOPOLOGY_A["env file"]).non_conformities
    (change,) = found.correction.changes
    assert isinstance(change, TextChange)
    assert change.old == hidden(LITERAL)


def test_everything_is_examined() -> None:
    assert_quiet(RULE, config_map("  a: b\n"))
    assert judged(RULE, Example(document="# M\n\n```bash\nls\n```\n")).examined[RULE] == 1

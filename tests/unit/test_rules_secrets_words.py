"""Names that promise a secret and values that are one, a blank or a reference."""

from __future__ import annotations

import pytest

from pipeline.rules.secrets_text import in_pair, in_text, redact
from pipeline.rules.secrets_words import classify, is_sensitive, name_words


@pytest.mark.parametrize(
    "name",
    [
        "password", "POSTGRES_PASSWORD", "adminPassword", "db.password", "DB_PASS", "pgpassword", "PGPASSWORD", "senha",
        "clientSecret", "CLIENT_SECRET", "secret", "apiKey", "API_KEY", "apikey", "X-Api-Key", "access_token", "TOKEN",
        "AWS_SECRET_ACCESS_KEY", "ENCRYPTION_KEY", "LAGO_ENCRYPTION_PRIMARY_KEY", "N8N_ENCRYPTION_KEY", "master_key",
        "SECRET_KEY_BASE", "APPSMITH_ENCRYPTION_SALT", "TS_AUTHKEY", "privateKey", "secret_id", "PASSWORD_2",
        "webhookSecret", "cookie_secret", "sshPrivateKey", "signing_key", "passphrase", "credentials",
    ],
)  # fmt: skip
def test_sensitive_names(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "user", "key", "keys", "publicKey", "PUBLIC_API_KEY", "secretName", "secretRef", "passwordPath",
        "PASSWORD_FILE", "token_url", "tokenType", "accessTokenLifespan", "admin.passwordMtime", "id.token.claim",
        "max_tokens", "maxToken", "cost_per_token", "next_token", "csrf_token", "eos_token", "proxy_pass", "bypass",
        "usePassword", "resetPassword", "existingSecret", "imagePullSecret", "routing_key", "primary_key",
        "passwordPolicy", "client.secret.creation.time", "secretsKey", "compass", "tls_secret",
    ],
)  # fmt: skip
def test_other_names(name: str) -> None:
    assert not is_sensitive(name)


def test_words_of_the_usual_spellings() -> None:
    assert name_words("BACKSTAGE_PG_PASSWORD") == ("backstage", "pg", "password")
    assert name_words("oidcClientSecret") == ("oidc", "client", "secret")
    assert name_words("HTTPToken2") == ("http", "token")


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("abc", "abc"),
        ("'abc'", "abc"),
        ("P@ss$word", "P@ss$word"),
        ("${X:-abc}", "abc"),
        ("${X:=abc}", "abc"),
        ("${X-abc}", "abc"),
        ("${X:-${Y:-abc}}", "abc"),
        ('{{ .Values.x | default "abc" }}', "abc"),
        ("{{ x | default('abc') }}", "abc"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYzKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzKEY"),
        ("password", "password"),
    ],
)
def test_literals(value: str, literal: str) -> None:
    assert classify(value) == ("literal", literal)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "''", "a", "null", "true", "${X}", "${X:?falta}", "${X:-}", "${X:-$Y}", "$X", "$(X)", "{{ .Data.x }}",
        "[[ x ]]", "<%= x %>", "`cmd`", "%PASSWORD%", "%(password)s", "{password}", "os.environ/X", "process.env.X",
        "env(X)", "vault:kv/a", "ref+vault://a", "file:///x", "/vault/secrets/a", "./a", "~/a", "kv/appgear/a#b",
        "secret/data/a", "https://h/x", "getenv('X')", "settings.password", "input.token", ".Values.x", "$.spec.x",
        "=expr", "!vault", "@file", "ENC[AES256,x]", "<path:kv/a#b>", "DB_PASSWORD", "duas palavras", "$2a$10$abc",
        "get_password()", "string", "bearer", "***", "••••",
    ],
)  # fmt: skip
def test_references_paths_and_words_are_no_value(value: str) -> None:
    assert classify(value) is None


@pytest.mark.parametrize(
    "value",
    ["changeme", "CHANGE-ME", "dummy", "<senha>", "your-token", "sua_senha", "exemplo", "xxxxx", "...",
     "redacted", "preencher", "defina", "troque-me", "insert-token", "token-here", "REPLACE_ME", "todo"],
)  # fmt: skip
def test_placeholders(value: str) -> None:
    verdict = classify(value)
    assert verdict is not None
    assert verdict[0] == "placeholder"


@pytest.mark.parametrize(
    ("name", "value", "structured", "found"),
    [
        ("existingSecret", "core-pg", True, False),
        ("secret", "keycloak", True, False),
        ("secret", "s3cr3t", False, True),
        ("secret", "123e4567-e89b-12d3-a456-426614174000", True, True),
        ("token", "123e4567-e89b-12d3-a456-426614174000", True, True),
        ("token", "core-api-token", True, False),
        ("clientSecret", "abc123def", True, True),
        ("clientSecret", "oidc-client-secret", True, False),
        ("secretKey", "client-secret", True, False),
        ("secretKey", "password", True, False),
        ("credentials", "pg-credentials", True, False),
        ("DB_CREDENTIALS_SECRET", "core-db-secret", False, False),
        ("POSTGRES_PASSWORD", "core-db-secret", False, True),
        ("password", "core-db", True, True),
    ],
)
def test_names_of_secret_objects(name: str, value: str, structured: bool, found: bool) -> None:
    assert (in_pair(name, value, structured=structured) is not None) is found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('PASSWORD_FIELD = "password"', False),
        ('GRANT = {"token": "token"}', False),
        ('TYPE_REFRESH_TOKEN = "refresh_token"', False),
        ('"automount_service_account_token": "automountServiceAccountToken"', False),
        ('PASSWORD = "secret"', True),
        ('PASSWORD = "password1"', True),
        ("secret: process.env.APP_SECRET || 'appgear-secret',", True),
    ],
)
def test_names_of_fields_in_code(line: str, found: bool) -> None:
    assert bool(list(in_text(line, "code"))) is found


def test_a_workflow_permission_is_no_token() -> None:
    assert not list(in_text("permissions:\n  id-token: write\n", "config"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-DB_PASSWORD=s3nh4\n+DB_PASSWORD=\n", "-DB_PASSWORD=•••\n+DB_PASSWORD=\n"),
        ("-  url: postgres://u:s3nh4@h/d", "-  url: postgres://u:•••@h/d"),
        (" - name: DB_PASSWORD\n-  value: s3nh4", " - name: DB_PASSWORD\n-  value: •••"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer •••"),
        ("use glpat-0123456789abcdefghij aqui", "use ••• aqui"),
        ("a: ${PASSWORD}\nb: 1", "a: ${PASSWORD}\nb: 1"),
        (
            "k: |\n  -----BEGIN PRIVATE KEY-----\n  MIIE\n  AAAA\n  -----END PRIVATE KEY-----\nx: 1",
            "k: |\n  -----BEGIN PRIVATE KEY-----\n•••\n•••\n  -----END PRIVATE KEY-----\nx: 1",
        ),
    ],
)
def test_text_for_people_is_redacted(text: str, shown: str) -> None:
    assert redact(text) == shown

"""The masker: what it hides, what it leaves, and the fifty secrets that must be nowhere (threats T19)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from opinion_cases import CLEAN, Trails, answering
from pipeline.domain.opinion import Reply
from pipeline.masking import Masker, unresolved
from pipeline.opining import consult, show_request

_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXg5"
_KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7Zx3"
# (kind of place, the line, what must not be seen)
SECRETS: list[tuple[str, str, str]] = [
    ("env", "DB_PASSWORD=Xk9-planta-01", "Xk9-planta-01"),
    ("env", "API_KEY=Xk9planta02abcdef", "Xk9planta02abcdef"),
    ("env", "export TOKEN='Xk9-planta-03'", "Xk9-planta-03"),
    ("env", "DATABASE_URL=postgres://app:Xk9planta04@db:5432/x", "Xk9planta04"),
    ("env", "REDIS_URL=redis://:Xk9planta05@redis:6379/0", "Xk9planta05"),
    ("env", "AMQP=amqps://u:Xk9planta06@mq/vh", "Xk9planta06"),
    ("env", "AWS_ACCESS_KEY_ID=AKIAPLANTA0700000007", "AKIAPLANTA0700000007"),
    ("env", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxPLANTA08KEY", "bPxPLANTA08KEY"),
    ("env", "GITHUB_TOKEN=ghp_planta09AbCdEfGhIjKlMnOpQrStUvWxYz01", "planta09AbCdEf"),
    ("env", "GITLAB=glpat-planta10AbCdEfGhIjKl", "planta10AbCdEf"),
    ("env", "SLACK=xoxb-planta11-1234567890-AbCdEf", "planta11"),
    ("env", "OPENAI_API_KEY=sk-proj-planta12AbCdEfGhIjKlMn", "planta12AbCd"),
    ("env", "VAULT_TOKEN=hvs.planta13AbCdEfGhIjKlMnOpQr", "planta13AbCd"),
    ("env", "GOOGLE=AIzaPlanta14AbCdEfGhIjKlMnOpQrStUvWxYz0", "Planta14AbCd"),
    ("env", "STRIPE=sk_live_planta15AbCdEfGhIj", "planta15AbCd"),
    ("env", "NPM_TOKEN=npm_planta16AbCdEfGhIjKlMnOpQrStUvWxYz01", "planta16AbCd"),
    ("env", "DOCKER=dckr_pat_planta17AbCdEfGhIjKl", "planta17AbCd"),
    ("env", "SENDGRID=SG.planta18AbCdEfGh.IjKlMnOpQrStUvWx", "planta18AbCd"),
    ("env", f"ID_TOKEN={_JWT}", "c2lnbmF0dXJlLXg5"),
    ("env", "LITELLM_MASTER_KEY=Xk9-planta-20", "Xk9-planta-20"),
    ("yaml", "password: Xk9-planta-21", "Xk9-planta-21"),
    ("yaml", "clientSecret: 'Xk9-planta-22'", "Xk9-planta-22"),
    ("yaml", "client-key-data: TUlJRXBsYW50YTIzUHJpdmF0ZUtleURhdGE=", "TUlJRXBsYW50YTIz"),
    ("yaml", "certificate-authority-data: TFMwdExTMHRwbGFudGEyNENlcnQ=", "TFMwdExTMHRwbGFudGEyN"),
    ("yaml", "secret: {value: x, token: Xk9-planta-25}", "Xk9-planta-25"),
    ("yaml", "encryptionKey: Xk9plantaVinteSeis26", "Xk9plantaVinteSeis26"),
    ("yaml", "url: https://bot:Xk9planta27@git.example/repo.git", "Xk9planta27"),
    ("yaml", "passphrase: |\n  Xk9 planta 28 frase", "Xk9 planta 28 frase"),
    ("yaml", "senha: Xk9-planta-29", "Xk9-planta-29"),
    ("yaml", 'api_key: "Xk9-planta-30"', "Xk9-planta-30"),
    ("prose", "A senha é Xk9-planta-31 e não muda.", "Xk9-planta-31"),
    ("prose", "The password is Xk9-planta-32 for now.", "Xk9-planta-32"),
    ("prose", "curl -H 'Authorization: Bearer Xk9planta33abcdefgh' http://x", "Xk9planta33abcdefgh"),
    ("prose", "curl -H 'X-Api-Key: Xk9planta34abc' http://x", "Xk9planta34abc"),
    ("prose", "mysql -u root --password=Xk9-planta-35", "Xk9-planta-35"),
    ("prose", "vault login token=Xk9-planta-36", "Xk9-planta-36"),
    ("prose", "o segredo vai em base64: " + base64.b64encode(b"password: Xk9planta37").decode(), "Xk9planta37"),
    ("prose", f"-----BEGIN PRIVATE KEY-----\n{_KEY}\n-----END PRIVATE KEY-----", _KEY),
    ("prose", "CPF do titular: 529.982.247-25", "529.982.247-25"),
    ("prose", "CPF sem pontos 52998224725", "52998224725"),
    ("prose", "CNPJ 11.222.333/0001-81", "11.222.333/0001-81"),
    ("prose", "e-mail: maria.planta42@example.com", "maria.planta42"),
    ("prose", "ligue (11) 98765-4343", "98765-4343"),
    ("prose", "cartão 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("prose", "chave aleatória 9fQ2xLmT7vRb4KpZ8wYc", "9fQ2xLmT7vRb4KpZ8wYc"),
    ("secret", "Xk9-planta-46", "Xk9-planta-46"),
    ("secret", "linha um Xk9planta47", "Xk9planta47"),
    ("branch", "hotfix/token=Xk9-planta-48", "Xk9-planta-48"),
    ("author", "Maria <maria.planta49@example.com>", "maria.planta49"),
    ("env", "PGPASSWORD=Xk9-planta-50 psql", "Xk9-planta-50"),
    ("prose", "whsec_planta51AbCdEfGhIjKl", "planta51AbCd"),
]


def _module() -> tuple[dict[str, str], dict[str, Any]]:
    """One module that holds them all, twice: where they belong, and in the document."""
    by_kind: dict[str, list[str]] = {}
    for kind, line, _ in SECRETS:
        by_kind.setdefault(kind, []).append(line)
    held = {f"k{index}": value for index, value in enumerate(by_kind["secret"])}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in held.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": held}
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t"}, "data": encoded}
    files = {
        "a.yaml": CLEAN,
        ".env": "\n".join(by_kind["env"]) + "\n",
        "values.yaml": "\n".join(f"v{index}:\n  {line}" for index, line in enumerate(by_kind["yaml"])) + "\n",
        "secret.yaml": f"{json.dumps(secret)}\n---\n{json.dumps(other)}\n",
        "notas.txt": "\n".join(by_kind["prose"]) + "\n",
    }
    everything = "\n\n".join(line for _, line, _ in SECRETS)
    given = {
        "document": f"# Módulo 00 – A\n\n{everything}\n",
        "branch": by_kind["branch"][0],
        "author": by_kind["author"][0],
    }
    return files, given


def test_there_are_fifty_secrets() -> None:
    assert len({secret for _, _, secret in SECRETS}) >= 50


@pytest.mark.parametrize(("kind", "line", "secret"), [each for each in SECRETS if each[0] in ("env", "yaml", "prose")])
def test_each_is_hidden_in_a_text_of_its_own(kind: str, line: str, secret: str) -> None:
    masker = Masker(sources=[line])
    shown = masker.text(line)
    assert secret not in shown, kind
    assert not unresolved(shown)
    assert sum(masker.counts.values()) >= 1


def test_no_planted_secret_is_in_request_log_or_report(tmp_path: Path) -> None:
    told: list[str] = []
    sent: list[bytes] = []

    def ask(request: bytes) -> Reply:
        sent.append(request)
        return answering()(request)

    files, given = _module()
    trails = Trails(tmp_path / "a")
    asked = consult(trails.make(files, told=told.append, **given), ask, nonce="0" * 32)
    assert asked.status == "respondeu", asked.reason
    trail = trails.make(files, consultation=asked, told=told.append, **given)
    opinion = trail.opinion
    assert opinion is not None
    published = [
        trails.store.read(trail.run, "ai_reports", name) for name in trails.store.digests(trail.run, "ai_reports")
    ]
    assert len(published) == 5
    request, remaining = show_request(trails.make(files, **given))
    assert remaining == ()
    everything = b"\n".join([*sent, request, *published, "\n".join(told).encode()]).decode()
    for _, line, secret in SECRETS:
        for spelling in (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()):
            assert spelling not in everything, line
    assert sum(each.count for each in opinion.masked) > 20
    trails.close()


@pytest.mark.parametrize(
    "text",
    [
        "image: ghcr.io/appgear/core-backstage:0.3.0",
        "digest: sha256:" + "ab12" * 16,
        "commit 0123456789abcdef0123456789abcdef01234567",
        "apps/core/backstage/deployment-backstage-v2.yaml",
        "valueFrom: {secretKeyRef: {name: db, key: password}}",
        "password: ${DB_PASSWORD}",
        "token: vault:secret/data/app#token",
        "https://backstage.example/catalog?kind=API",
        "10.96.0.1:8443 e 2026-11-22",
        "PersistentVolumeClaim/core-backstage-postgres-data",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    masker = Masker(sources=[text])
    assert masker.text(text) == text
    assert not masker.counts


def test_a_secret_found_once_is_hidden_everywhere_in_every_spelling() -> None:
    masker = Masker(literals=["p@ss/W0rd-9"])
    shown = masker.text("x p@ss/W0rd-9 y p%40ss%2FW0rd-9 z cEBzcy9XMHJkLTk= w 7040737 ")
    assert "W0rd" not in shown
    assert "cEBzcy9XMHJkLTk=" not in shown
    assert masker.counts["segredo que o módulo traz em claro"] == 3


def test_a_password_that_is_a_public_name_is_hidden_only_where_it_is_a_secret() -> None:
    masker = Masker(sources=["password: backstage"], public=["core-backstage"])
    assert masker.text("Deployment core-backstage") == "Deployment core-backstage"
    assert "backstage" not in masker.text("password: backstage")


def test_values_keep_their_form_and_the_toolkit_s_own_words() -> None:
    masker = Masker(literals=["CRITICA"])
    value = {"severity": "CRITICA", "count": 3, "text": ["a CRITICA b", None, True]}
    hidden = "[oculto: segredo que o módulo traz em claro]"
    assert masker.value(value) == {"severity": "CRITICA", "count": 3, "text": [f"a {hidden} b", None, True]}


def test_a_key_without_an_end_is_unresolved_and_is_not_sent(tmp_path: Path) -> None:
    trails = Trails(tmp_path / "a")
    given = {"document": "# Módulo 00 – A\n", "branch": "-----BEGIN RSA PRIVATE KEY-----"}
    asked: list[bytes] = []

    def ask(request: bytes) -> Reply:
        asked.append(request)
        return answering()(request)

    made = consult(trails.make({"a.yaml": CLEAN}, **given), ask, nonce="0" * 32)
    assert asked == []
    assert made.status == "retida"
    opinion = trails.make({"a.yaml": CLEAN}, consultation=made, **given).opinion
    assert opinion is not None
    assert (opinion.gateway.status, opinion.recommendation) == ("retida", "liberar_com_condicoes")
    assert show_request(trails.make({"a.yaml": CLEAN}, **given))[1] == ("chave privada sem fim",)
    trails.close()

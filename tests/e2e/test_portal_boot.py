"""The built portal as a plain process, with Node.js from its wheel and a real PostgreSQL, configured as M07 does it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import yaml

from pipeline.image.portal import PortalBundle
from platformkit import Platform, running_platform
from portalkit import (
    Portal,
    Postgres,
    built_portal,
    free_port,
    laid_out,
    running_postgres,
    started,
    wait_ready,
)
from trailcli import ROOT

_M07 = ROOT / "modules/m07-portal-backstage/apps/core/backstage"
_LISTED = 60  # seconds in which the catalogue has read its first location
_ANA = {
    "sub": "5f1d7e0c-0000-4000-8000-000000000001",
    "preferred_username": "ana.souza",
    "name": "Ana Souza",
    "email": "ana@example.com",
    "email_verified": True,
    "tenant_id": "acme",
    "workspace_ids": ["acme-prod", "acme-dev"],
}


@dataclass(frozen=True, kw_only=True)
class Running:
    portal: Portal
    platform: Platform
    app: Path
    bundle: PortalBundle
    config: dict[str, Any]
    variables: dict[str, str]


@pytest.fixture(scope="module")
def bundle() -> PortalBundle:
    return built_portal()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def running(bundle: PortalBundle, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("portal")
    app = laid_out(bundle, folder / "app")
    port = free_port()
    url = f"http://127.0.0.1:{port}/backstage"
    with running_platform() as platform:
        platform.is_up = False  # the portal starts first: it must not need a second start when Keycloak comes
        variables = _variables(postgres, platform, url)
        config = _shipped_config(app, port)
        path = folder / "app-config.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        portal = Portal(url=url, log=folder / "portal.log")
        with started(app, bundle, path, variables, port=port, log=portal.log) as process:
            wait_ready(portal, process)
            yield Running(portal=portal, platform=platform, app=app, bundle=bundle, config=config, variables=variables)


def _shipped_config(app: Path, port: int) -> dict[str, Any]:
    """M07's own configuration, at another port and with ``/app`` where it is."""
    text = yaml.safe_load((_M07 / "config-backstage.yaml").read_text("utf-8"))["data"]["app-config.yaml"]
    config: dict[str, Any] = yaml.safe_load(text.replace("/app/templates/", f"{app}/templates/"))
    config["backend"]["listen"]["port"] = port
    return config


def _variables(postgres: Postgres, platform: Platform, url: str) -> dict[str, str]:
    given: dict[str, str] = yaml.safe_load((_M07 / "environment.yaml").read_text("utf-8"))["data"]
    return given | {
        "BACKSTAGE_BASE_URL": url,
        "BACKSTAGE_ORIGIN": url.removesuffix("/backstage"),
        "BACKSTAGE_PG_HOST": "127.0.0.1",
        "BACKSTAGE_PG_PORT": str(postgres.port),
        "BACKSTAGE_PG_USER": postgres.user,
        "BACKSTAGE_PG_PASSWORD": postgres.password,
        "BACKSTAGE_SESSION_SECRET": "s" * 32,
        "BACKSTAGE_OIDC_CLIENT_ID": "portal",
        "BACKSTAGE_OIDC_CLIENT_SECRET": "c" * 32,
        "BACKSTAGE_OIDC_METADATA_URL": f"{platform.url}/.well-known/openid-configuration",
        "WORKSPACE_API_URL": f"{platform.url}/webhook",
        **dict.fromkeys(("ARGOCD_AUTH_TOKEN", "OPENMETADATA_TOKEN", "MIDPOINT_TOKEN"), "t" * 16),
    }


@pytest.mark.parametrize("prefix", ["/backstage", ""], ids=["prefix kept", "prefix taken away"])
def test_it_is_ready_and_shows_its_page(running: Running, prefix: str) -> None:
    base = running.portal.url.removesuffix("/backstage") + prefix
    assert httpx.get(f"{base}/.backstage/health/v1/readiness").json() == {"status": "ok"}
    assert httpx.get(f"{base}/.backstage/health/v1/liveness").status_code == 200
    page = httpx.get(f"{base}/")
    assert page.status_code == 200
    assert "<title>AppGear Studio</title>" in page.text
    assert '<html lang="pt-BR">' in page.text
    scripts = re.findall(r'src="([^"]+\.js)"', page.text)
    assert scripts
    assert all(each.startswith("/backstage/static/") for each in scripts)
    script = httpx.get(base + scripts[0].removeprefix("/backstage"))
    assert script.status_code == 200
    assert "javascript" in script.headers["content-type"]


def test_only_the_path_itself_is_the_prefix(running: Running) -> None:
    assert running.portal.get("x/.backstage/health/v1/readiness").text != '{"status":"ok"}'


@pytest.mark.parametrize(
    "path",
    [
        "/api/catalog/entities",
        "/api/scaffolder/v2/actions",
        "/api/proxy/workspace/scaffolder/workspace",
        "/api/user-settings/buckets/x/keys/y",
    ],
)
def test_nobody_unknown_is_answered(running: Running, path: str) -> None:
    assert running.portal.get(path).status_code == 401
    assert running.portal.get(path, headers={"authorization": "Bearer x.y.z"}).status_code == 401


def test_there_is_no_guest(running: Running) -> None:
    assert running.portal.get("/api/auth/guest/refresh?env=production").status_code == 404


def test_a_configured_guest_stops_the_start(running: Running, tmp_path: Path) -> None:
    config = running.config | {"auth": running.config["auth"] | {"environment": "development"}}
    config["auth"]["providers"] = {"guest": {"dangerouslyAllowOutsideDevelopment": True}}
    config["backend"] = running.config["backend"] | {"listen": {"port": free_port()}}
    path = tmp_path / "app-config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    log = tmp_path / "guest.log"
    with started(running.app, running.bundle, path, running.variables, port=0, log=log) as process:
        assert process.wait(60) != 0
    assert "auth.providers.guest só vale com NODE_ENV=development" in log.read_text("utf-8")


def test_what_keycloak_says_of_the_tenant_stands_in_the_token(running: Running) -> None:
    identity = _sign_in(running, _ANA)
    claims = _claims(identity["token"])
    assert claims["sub"] == "user:default/ana.souza"
    assert claims["tenant_id"] == "acme"
    assert claims["workspace_ids"] == ["acme-dev", "acme-prod"]
    found = running.portal.get("/api/catalog/entities", headers=_bearer(identity))
    assert found.status_code == 200


def test_a_name_that_could_be_read_as_another_gives_way_to_the_subject(running: Running) -> None:
    identity = _sign_in(running, _ANA | {"preferred_username": "ana/../admin", "workspace_ids": "acme-dev"})
    claims = _claims(identity["token"])
    assert claims["sub"] == f"user:default/{_ANA['sub']}"
    assert claims["workspace_ids"] == ["acme-dev"]


@pytest.mark.parametrize("tenant", [None, "", "Acme", "a/b", ["acme"]])
def test_a_user_without_a_tenant_is_refused(running: Running, tenant: object) -> None:
    answer = _frame(running, _ANA | {"tenant_id": tenant})
    assert answer["error"]["message"] == "o Keycloak não informou um tenant_id válido para este usuário"


def test_the_catalogue_changes_in_git_alone(running: Running) -> None:
    wanted = {"type": "url", "target": "https://example.com/catalog-info.yaml"}
    answer = running.portal.post("/api/catalog/locations", json=wanted, headers=_bearer(_sign_in(running, _ANA)))
    assert answer.status_code == 403


def test_the_template_calls_n8n(running: Running) -> None:
    headers = _bearer(_sign_in(running, _ANA))
    _await_template(running, headers)
    values = {"workspaceId": "acme-lab", "tenantId": "acme", "suiteSet": ["brain"]}
    task = {"templateRef": "template:default/create-workspace", "values": values}
    made = running.portal.post("/api/scaffolder/v2/tasks", json=task, headers=headers)
    assert made.status_code == 201, made.text
    state = _finished(running, made.json()["id"], headers)
    assert state["status"] == "completed", state
    assert running.platform.received == [("/webhook/scaffolder/workspace", values)]


def _sign_in(running: Running, claims: dict[str, Any]) -> dict[str, Any]:
    answer = _frame(running, claims)
    identity: dict[str, Any] = answer["response"]["backstageIdentity"]
    return identity


def _frame(running: Running, claims: dict[str, Any]) -> dict[str, Any]:
    """What the sign-in window tells the page that opened it, after the whole way through Keycloak."""
    running.platform.is_up = True
    running.platform.claims = claims
    portal = running.portal.url
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(portal))
    with httpx.Client(timeout=30) as browser:
        start = browser.get(
            f"{portal}/api/auth/oidc/start", params={"env": "production", "origin": origin, "scope": ""}
        )
        assert start.status_code == 302, start.text
        back = browser.get(start.headers["location"])
        frame = browser.get(back.headers["location"])
    message = re.search(r"decodeURIComponent\('([^']+)'\)", frame.text)
    assert message, frame.text
    answer: dict[str, Any] = json.loads(unquote(message.group(1)))
    return answer


def _claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _bearer(identity: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {identity['token']}"}


def _await_template(running: Running, headers: dict[str, str]) -> None:
    deadline = time.monotonic() + _LISTED
    path = "/api/catalog/entities/by-name/template/default/create-workspace"
    while running.portal.get(path, headers=headers).status_code != 200:
        assert time.monotonic() < deadline, running.portal.log.read_text("utf-8")[-4000:]
        time.sleep(0.5)


def _finished(running: Running, task: str, headers: dict[str, str]) -> dict[str, Any]:
    deadline = time.monotonic() + _LISTED
    while True:
        state: dict[str, Any] = running.portal.get(f"/api/scaffolder/v2/tasks/{task}", headers=headers).json()
        if state["status"] in {"completed", "failed", "cancelled"} or time.monotonic() > deadline:
            return state
        time.sleep(0.2)

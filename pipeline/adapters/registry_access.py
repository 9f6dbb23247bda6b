"""Who we are to a registry: Docker's configuration file, and the two ways in which a registry asks."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.adapters.descriptors import FILE, naming, opened, read_descriptor
from pipeline.errors import ToolError, UsageError
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = ["Access", "Credentials", "find_credentials", "is_loopback"]

_MAX_CONFIG_BYTES = 1024 * 1024
_MAX_TOKEN_BYTES = 64 * 1024
_PARAMETER = re.compile(r'([a-zA-Z]+)="([^"\\]*)"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """A name and its password."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The header's value."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def is_loopback(host: str) -> bool:
    """Whether ``host`` or ``host:port`` is this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def find_credentials(host: str, environment: Mapping[str, str]) -> Credentials | None:
    """What ``docker login`` left for the registry; None where it left nothing.

    UsageError where the file is none of Docker's, or keeps this registry's password in a helper: no program is run.
    """
    folder = environment.get("DOCKER_CONFIG") or (environment.get("HOME", "") and f"{environment['HOME']}/.docker")
    path = Path(folder or "/nonexistent", "config.json")
    if not path.is_file():
        return None
    where = show_path(path)
    with naming(path), opened(path, FILE) as descriptor:
        data = read_descriptor(descriptor, where=where, limit=_MAX_CONFIG_BYTES)
    try:
        config = json.loads(data)
        entry = config.get("auths", {}).get(host) or config.get("auths", {}).get(f"https://{host}") or {}
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        if entry.get("auth"):
            user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
            return Credentials(user=user, password=password.rstrip("\0"))
        if entry.get("username"):
            return Credentials(user=str(entry["username"]), password=str(entry.get("password", "")))
    except (ValueError, TypeError, AttributeError, KeyError, binascii.Error, RecursionError) as error:
        raise UsageError("não é uma configuração do Docker", where=where, mend="rode `docker login` de novo") from error
    if helper and (entry or config.get("credHelpers", {}).get(host)):
        mend = "guarde a credencial deste registro em `auths`, em um DOCKER_CONFIG próprio"
        raise UsageError(f"a senha de {host} está em um programa auxiliar, que não é executado", where=where, mend=mend)
    return None


class Access:
    """The header that opens one repository: nothing at first, then what the registry's challenge asks for."""

    def __init__(self, client: httpx.Client, credentials: Credentials | None, repository: str) -> None:
        self._client = client
        self._credentials = credentials
        self._repository = repository
        self.headers: dict[str, str] = {}

    def answer(self, response: httpx.Response) -> bool:
        """Take up a 401's challenge; whether the request may be tried again."""
        scheme, _, rest = response.headers.get("www-authenticate", "").partition(" ")
        if scheme.lower() == "basic" and self._credentials is not None:
            before = self.headers.get("authorization")
            self.headers = {"authorization": self._credentials.basic}
            return before != self.headers["authorization"]
        if scheme.lower() == "bearer":
            token = self._token(dict(_PARAMETER.findall(rest)))
            self.headers = {"authorization": f"Bearer {token}"}
            return True
        return False

    def _token(self, asked: Mapping[str, str]) -> str:
        import httpx  # noqa: PLC0415  # only who talks to a registry pays for it

        realm = asked.get("realm", "")
        parts = urlsplit(realm)
        where = show_path(parts.netloc or "registro")
        local = is_loopback(self._client.base_url.netloc.decode()) and is_loopback(parts.netloc)
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ToolError("o registro pede a senha em um endereço sem https", where=where, mend="confira o registro")
        headers = {"authorization": self._credentials.basic} if self._credentials is not None else {}
        scope = {"scope": f"repository:{self._repository}:pull,push"}
        service = {"service": asked["service"]} if "service" in asked else {}
        try:
            with self._client.stream("GET", realm, params=service | scope, headers=headers) as response:
                data = b""
                for part in response.iter_raw():
                    data += part
                    if len(data) > _MAX_TOKEN_BYTES:
                        break
            answer = json.loads(data) if response.status_code == 200 else {}
            token = answer.get("token") or answer.get("access_token")
        except (httpx.HTTPError, ValueError, AttributeError, RecursionError) as error:
            raise ToolError(
                "o serviço de acesso do registro não respondeu um token", where=where, mend="repita"
            ) from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            mend = "confira a credencial em ~/.docker/config.json (docker login)"
            raise ToolError(f"o serviço de acesso recusou ({response.status_code})", where=where, mend=mend)
        return token

"""A Keycloak and an n8n, as one server on loopback that tests control."""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256


@dataclass(kw_only=True)
class Platform:
    """Keycloak and n8n as one server. ``claims`` are those of whoever signs in next; ``received`` what n8n was sent."""

    port: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    received: list[tuple[str, Any]] = field(default_factory=list)
    is_up: bool = True
    _codes: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    _key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metadata(self) -> dict[str, Any]:
        ends = {"authorization": "auth", "token": "token", "userinfo": "userinfo"}
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in ends.items()},
        }

    def keys(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        parts = {"n": _encode(numbers.n.to_bytes(256)), "e": _encode(numbers.e.to_bytes(3))}
        return {"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", **parts}]}

    def authorize(self, query: Mapping[str, list[str]]) -> str:
        """Where the browser goes back to: the login form has been filled."""
        code = secrets.token_hex(8)
        self._codes[code] = (dict(self.claims), query["nonce"][0])
        return f"{query['redirect_uri'][0]}?{urlencode({'code': code, 'state': query['state'][0]})}"

    def tokens(self, form: Mapping[str, list[str]]) -> dict[str, Any]:
        claims, nonce = self._codes[form["code"][0]]
        now = int(time.time())
        said = {"iss": self.url, "aud": "portal", "sub": claims["sub"], "iat": now, "exp": now + 300, "nonce": nonce}
        head = _encode(json.dumps({"alg": "RS256", "kid": "1"}).encode()) + "." + _encode(json.dumps(said).encode())
        signature = self._key.sign(head.encode(), padding.PKCS1v15(), SHA256())
        access = form["code"][0]
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "scope": "openid profile email",
                "refresh_token": access, "id_token": f"{head}.{_encode(signature)}"}  # fmt: skip

    def userinfo(self, access: str) -> dict[str, Any]:
        return self._codes[access][0]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Handler(http.server.BaseHTTPRequestHandler):
    platform: Platform

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if not self.platform.is_up:
            return self._answer({}, status=503)
        if address.path == "/auth":
            return self._send(302, {"location": self.platform.authorize(parse_qs(address.query))})
        access = self.headers.get("authorization", "").removeprefix("Bearer ")
        known: dict[str, Callable[[], object]] = {
            "/.well-known/openid-configuration": self.platform.metadata,
            "/jwks": self.platform.keys,
            "/userinfo": lambda: self.platform.userinfo(access),
        }
        return self._answer(known[address.path]())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/token":
            return self._answer(self.platform.tokens(parse_qs(body.decode())))
        self.platform.received.append((self.path, json.loads(body)))
        return self._answer({"pedido": "registrado"})

    def _answer(self, value: object, *, status: int = 200) -> None:
        self._send(status, {"content-type": "application/json"}, json.dumps(value).encode())

    def _send(self, status: int, headers: Mapping[str, str], data: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        return


@contextmanager
def running_platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(_Handler):
        platform = made

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()

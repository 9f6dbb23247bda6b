"""The gateway over plain HTTPS: one question, one answer, everything bounded (threats T20, T21)."""

from __future__ import annotations

import ipaddress
import queue
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.codec import visible
from pipeline.domain.opinion import Reply
from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    import httpx

__all__ = ["Gateway", "open_gateway"]

_PATH = "/v1/chat/completions"
_CHUNK = 16_384
_KEPT_OF_A_FAILURE = 16_384  # bytes
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_PAUSE_SECONDS = 0.5
_MEND = "confira LITELLM_BASE_URL"


class _Failure(Exception):  # noqa: N818  # told as a Reply, never raised out of here
    """No usable answer. ``reason`` holds nothing that came over the network; ``passing`` may be gone at a retry."""

    def __init__(self, reason: str, *, status: int | None = None, body: bytes = b"", passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.body = body
        self.passing = passing


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """Where to ask. The key is sent in a header and shown nowhere."""

    url: str
    key: str = field(repr=False)
    deadline_seconds: float
    tries: int
    answer_bytes: int

    def ask(self, body: bytes) -> Reply:
        """Send one chat completion; a Reply within the deadline, whatever the other side does, with the key masked."""
        found: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        until = time.monotonic() + self.deadline_seconds
        # A thread of its own, because neither name resolution nor a header that trickles in obeys a total time.
        threading.Thread(target=self._run, args=(body, until, found), daemon=True, name="litellm").start()
        try:
            return found.get(timeout=self.deadline_seconds)
        except queue.Empty:
            return _no_reply(f"nenhuma resposta completa em {self.deadline_seconds:g} s", attempts=1)

    def _run(self, body: bytes, until: float, found: queue.SimpleQueue[Reply]) -> None:
        try:
            found.put(self._tried(body, until))
        except Exception as error:  # the thread that waits must be told
            found.put(_no_reply(f"falha ao chamar o gateway ({type(error).__name__})", attempts=1))

    def _tried(self, body: bytes, until: float) -> Reply:
        import httpx  # noqa: PLC0415  # only who asks pays for it

        trust = ssl.create_default_context()
        attempt = 0
        while True:
            attempt += 1
            left = max(until - time.monotonic(), 0.1)
            # No proxy, no netrc, no redirects: the address that was checked is the one that is asked.
            with httpx.Client(timeout=left, follow_redirects=False, trust_env=False, verify=trust) as client:
                try:
                    answer = self._masked(self._once(client, body, until))
                    return Reply(status=200, body=answer, attempts=attempt)
                except httpx.TimeoutException:
                    failure = _Failure("o gateway não respondeu a tempo")
                except httpx.TransportError as error:
                    failure = _Failure(_told(error), passing=True)
                except _Failure as error:
                    failure = error
            pause = _PAUSE_SECONDS * 2 ** (attempt - 1)
            if not failure.passing or attempt >= self.tries or time.monotonic() + pause >= until:
                return Reply(
                    status=failure.status, body=self._masked(failure.body), attempts=attempt, reason=failure.reason
                )
            time.sleep(pause)

    def _once(self, client: httpx.Client, body: bytes, until: float) -> bytes:
        headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        with client.stream("POST", self.url, content=body, headers=headers) as response:
            status = response.status_code
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            encoded = response.headers.get("content-encoding", "identity").lower()
            limit = self.answer_bytes if status == 200 else _KEPT_OF_A_FAILURE
            data = self._body(response, limit, until, whole=status == 200)
        kept = data[:_KEPT_OF_A_FAILURE]
        if 300 <= status < 400:
            raise _Failure(f"o gateway respondeu {status}, e redirecionamentos são recusados", status=status, body=kept)
        if status != 200:
            passing = status in _RETRIED
            raise _Failure(f"o gateway respondeu {status}", status=status, body=kept, passing=passing)
        if encoded != "identity":
            raise _Failure("o gateway comprimiu a resposta, o que não foi pedido", status=status)
        if kind != "application/json":
            raise _Failure("o gateway não respondeu JSON", status=status, body=kept)
        return data

    def _body(self, response: httpx.Response, limit: int, until: float, *, whole: bool) -> bytes:
        data = bytearray()
        for chunk in response.iter_raw(_CHUNK):
            data += chunk
            if len(data) > limit and not whole:
                break
            if len(data) > limit:
                kept = bytes(data[:_KEPT_OF_A_FAILURE])
                raise _Failure(f"resposta maior que {limit} bytes", status=response.status_code, body=kept)
            if time.monotonic() > until:
                raise _Failure("a resposta não terminou a tempo", status=response.status_code)
        return bytes(data)

    def _masked(self, data: bytes) -> str:
        text = data.decode("utf-8", "backslashreplace")
        return text.replace(self.key, "[oculto: chave do gateway]") if self.key else text


def open_gateway(
    url: str, key: str, *, hosts: Collection[str], deadline_seconds: float, tries: int, answer_bytes: int
) -> Gateway:
    """The gateway of an address. InputError unless it is https, or http on this machine, and an allowed host."""
    where = "LITELLM_BASE_URL"
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InputError("não é um endereço", where=where, mend=_MEND) from error
    if parts.scheme not in ("http", "https") or not host or visible(url) != url:
        raise InputError("o endereço deve ser https://…", where=where, mend=_MEND)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InputError("o endereço traz credencial, consulta ou fragmento", where=where, mend="use LITELLM_API_KEY")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InputError("http só é aceito nesta máquina (loopback)", where=where, mend="use https")
    if hosts and host not in hosts:
        raise InputError("o host não está em [opinion] hosts", where=where, mend="acrescente-o à configuração")
    if key and (not key.isascii() or not key.isprintable() or " " in key):
        raise InputError(
            "a chave tem caracteres que um cabeçalho não aceita", where="LITELLM_API_KEY", mend="confira-a"
        )
    name = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/').removesuffix('/v1')}"
    return Gateway(url=base + _PATH, key=key, deadline_seconds=deadline_seconds, tries=tries, answer_bytes=answer_bytes)


def _no_reply(reason: str, *, attempts: int) -> Reply:
    return Reply(status=None, body="", attempts=attempts, reason=reason)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _told(error: httpx.TransportError) -> str:
    import httpx  # noqa: PLC0415

    if isinstance(error, httpx.ConnectError):
        certificate = "certificate" in str(error).lower() or "ssl" in str(error).lower()
        return "o certificado do gateway não vale" if certificate else "não há conexão com o gateway"
    return "a conexão com o gateway caiu no meio da resposta"

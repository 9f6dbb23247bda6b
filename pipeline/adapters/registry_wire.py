"""Requests to a registry: tried again a bounded number of times, redirected one step at most, all within one time."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pipeline.adapters.registry_access import is_loopback
from pipeline.codec import visible
from pipeline.errors import IntegrityError, ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from pipeline.adapters.registry_access import Access

__all__ = ["PASSING", "UNREACHED", "PassingFailure", "Wire"]

PASSING = frozenset({408, 429, 500, 502, 503, 504})
UNREACHED = "confira o endereço e se o registro está no ar"
_MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_SHORT = 64 * 1024
_PAUSE_SECONDS = 0.5


class PassingFailure(Exception):  # noqa: N818  # told as a ToolError when it does not pass
    """A failure that may be gone at the next try; its text goes on with "o registro …"."""


class Wire:
    """Where requests to one registry go out. ``where`` names it in errors; ``until`` is a monotonic time."""

    def __init__(self, client: httpx.Client, access: Access, *, where: str, tries: int, until: float) -> None:
        self._client = client
        self._access = access
        self.where = where
        self.tries = tries
        self._until = until

    def ask(
        self, method: str, target: str, *, accept: tuple[int, ...], stream: bool = False, **given: Any
    ) -> httpx.Response:
        """Send a request, again while it may pass and tries are left; with ``stream`` the caller reads and closes."""
        for left in reversed(range(self.tries)):
            try:
                response = self._tried(method, target, **given)
            except PassingFailure as passing:
                self.pause(passing, left)
            else:
                if not stream:
                    _settle(response)
                self.judge(response, accept)
                return response
        raise AssertionError  # the last try raises

    def _tried(self, method: str, target: str, **given: Any) -> httpx.Response:
        response = self.once(method, target, **given)
        if response.status_code == 401 and self._access.answer(response):
            _settle(response)
            response = self.once(method, target, **given)
        if response.is_redirect and method in ("GET", "HEAD"):
            _settle(response)
            response = self._followed(method, response)
        if response.status_code in PASSING:
            _settle(response)
            raise PassingFailure(f"respondeu {response.status_code}")
        return response

    def once(self, method: str, target: str, **given: Any) -> httpx.Response:
        """Send a request; its answer is still to be read, and closed."""
        self.within()
        headers = {**self._access.headers, **given.pop("headers", {})}
        return self._send(method, target, headers=headers, **given)

    def _send(self, method: str, target: str, *, headers: dict[str, str], **given: Any) -> httpx.Response:
        import httpx  # noqa: PLC0415  # only who talks to a registry pays for it

        asked = {"accept-encoding": "identity", **headers}
        try:
            return self._client.send(self._client.build_request(method, target, headers=asked, **given), stream=True)
        except httpx.TransportError as error:
            raise PassingFailure(_told(error)) from error

    def _followed(self, method: str, response: httpx.Response) -> httpx.Response:
        """A blob's bytes may stand in a store of their own: one step there, as safe as the first, keys left behind."""
        target = urljoin(str(response.request.url), response.headers.get("location", ""))
        if not self._is_safe(target):
            raise ToolError("o registro manda buscar os bytes sem https", where=self.where, mend=UNREACHED)
        return self._send(method, target, headers=self._access.headers if self._is_here(target) else {})

    def _is_safe(self, target: str) -> bool:
        """https, or on this machine where the registry is on it too."""
        parts = urlsplit(target)
        local = is_loopback(self._client.base_url.netloc.decode()) and is_loopback(parts.netloc)
        return parts.scheme == "https" or (parts.scheme == "http" and local)

    def _is_here(self, target: str) -> bool:
        here, there = urlsplit(str(self._client.base_url)), urlsplit(target)
        return (there.scheme, there.netloc) == (here.scheme, here.netloc)

    def upload_target(self, started: httpx.Response) -> str:
        """Where an upload goes on. ToolError where that is another address: the keys would go along."""
        location = started.headers.get("location", "")
        target: str = urljoin(str(self._client.base_url), location)
        if not location or not self._is_here(target):
            raise ToolError("o registro manda enviar os bytes a outro endereço", where=self.where, mend=UNREACHED)
        return target

    def judge(self, response: httpx.Response, accept: tuple[int, ...], digest: str | None = None) -> None:
        """ToolError where the status is none of these, IntegrityError where the registry names another digest."""
        status = response.status_code
        if status not in accept:
            response.close()
            if status in (401, 403):
                mend = "confira a credencial em ~/.docker/config.json (docker login) e as permissões do repositório"
                raise ToolError(f"o registro recusou o acesso ({status})", where=self.where, mend=mend)
            raise ToolError(f"o registro respondeu {status}", where=self.where, mend=UNREACHED)
        if digest is not None:
            self.same_digest(response, digest)

    def same_digest(self, response: httpx.Response, digest: str) -> None:
        """IntegrityError where the registry says that the content has another digest."""
        told = response.headers.get("docker-content-digest", digest)
        if told != digest:
            raise self.other(digest, visible(told))

    def pause(self, passing: PassingFailure, left: int) -> None:
        """Wait before the next try; ToolError where there is none left."""
        pause = _PAUSE_SECONDS * 2 ** (self.tries - 1 - left)
        if not left or time.monotonic() + pause >= self._until:
            raise ToolError(f"o registro {passing}", where=self.where, mend=UNREACHED) from passing
        time.sleep(pause)

    def within(self) -> None:
        """ToolError once the time for everything is over."""
        if time.monotonic() > self._until:
            raise ToolError(
                "passou do tempo total", where=self.where, mend="repita: o que já foi enviado não vai de novo"
            )

    def other(self, wanted: str, found: str) -> IntegrityError:
        return IntegrityError(
            f"o registro deu {found} no lugar de {wanted}", where=self.where, mend="não use o que veio"
        )

    def parts(self, response: httpx.Response) -> Iterator[bytes]:
        """The body as it comes, for as long as there is time."""
        import httpx  # noqa: PLC0415  # as above

        try:
            for part in response.iter_raw(_CHUNK):
                self.within()
                yield part
        except httpx.TransportError as error:
            raise ToolError("a conexão caiu no meio da resposta", where=self.where, mend="repita") from error

    def document(self, response: httpx.Response) -> bytes:
        """A whole body of at most 4 MiB."""
        data = bytearray()
        for part in self.parts(response):
            data += part
            if len(data) > _MAX_DOCUMENT_BYTES:
                raise ToolError(f"documento maior que {_MAX_DOCUMENT_BYTES} bytes", where=self.where, mend=UNREACHED)
        return bytes(data)


def _settle(response: httpx.Response) -> None:
    """Done with an answer whose body says nothing: what is short is read, so that the connection can be used again."""
    import httpx  # noqa: PLC0415  # as above

    size = 0
    with suppress(httpx.TransportError):
        for part in response.iter_raw(_SHORT):
            size += len(part)
            if size > _SHORT:
                break
    response.close()


def _told(error: httpx.TransportError) -> str:
    import httpx  # noqa: PLC0415

    if isinstance(error, httpx.TimeoutException):
        return "não respondeu a tempo"
    if isinstance(error, httpx.ConnectError):
        certificate = "certificate" in str(error).lower() or "ssl" in str(error).lower()
        return "tem um certificado que não vale" if certificate else "não aceita conexão"
    return "fechou a conexão"

"""Files from the network into the cache: bounded, hashed while they come, tried again where that may help."""

from __future__ import annotations

import hashlib
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipeline.adapters.descriptors import naming
from pipeline.adapters.files import read_file
from pipeline.codec import visible
from pipeline.errors import IntegrityError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from pipeline.adapters.cache import BlobCache

    _Begin = Callable[[], None]
    _Take = Callable[[bytes], None]

__all__ = ["Downloads", "host_of"]

_CHUNK = 256 * 1024
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_ABSENT = frozenset({403, 404, 410})


def host_of(url: str) -> str:
    """How messages call an address: without credentials, path or query."""
    try:
        return visible(urlsplit(url).hostname or url)
    except ValueError:  # brackets that are no address
        return visible(url)


class _PassingError(Exception):
    """What a second try may cure."""


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """``offline`` refuses what is not a file of this machine. Proxies of the environment are honoured.

    ``seconds`` bounds one file, all tries together.
    """

    offline: bool = False
    tries: int = 3
    seconds: float = 600.0
    pause: float = field(default=1.0, repr=False)

    def read(self, url: str, *, limit: int) -> bytes | None:
        """Bytes of a small file; None where the other side has none, ToolError where it does not answer."""
        data = bytearray()
        found = self._fetch(url, limit, data.clear, data.extend)
        return bytes(data) if found else None

    def store(self, url: str, cache: BlobCache, *, sha256: str, size: int) -> bool:
        """Fetch into the cache; False where there is none. IntegrityError where it is another file."""
        with cache.draft() as draft:
            digest = hashlib.sha256()

            def begin() -> None:
                nonlocal digest
                digest = hashlib.sha256()
                draft.restart()

            def take(part: bytes) -> None:
                digest.update(part)
                draft.write(part)

            if not self._fetch(url, size, begin, take):
                return False
            if digest.hexdigest() != sha256:
                raise IntegrityError(
                    "o arquivo recebido não tem o SHA-256 esperado",
                    where=f"{host_of(url)}: {visible(url.rpartition('/')[2])}",
                    mend="tente outro espelho",
                )
            cache.keep(draft, sha256)
        return True

    def _fetch(self, url: str, limit: int, begin: _Begin, take: _Take) -> bool:
        if url.startswith("file:"):
            return self._local(Path(unquote(urlsplit(url).path)), limit, begin, take)
        if self.offline:
            mend = "rode uma vez sem --offline"
            raise ToolError("precisa da rede, e --offline a recusa", where=host_of(url), mend=mend)
        until = time.monotonic() + self.seconds
        for attempt in range(1, self.tries + 1):
            begin()
            try:
                return self._once(url, limit, take, until)
            except _PassingError as failure:
                if attempt == self.tries or time.monotonic() + self.pause * attempt > until:
                    raise ToolError(
                        f"não pôde ser baixado: {failure}", where=host_of(url), mend="confira a rede, e repita"
                    ) from failure
                time.sleep(self.pause * attempt)
        raise AssertionError  # the loop returns or raises

    def _local(self, path: Path, limit: int, begin: _Begin, take: _Take) -> bool:
        if not path.exists():
            return False
        begin()
        with naming(path):
            take(read_file(path.resolve(), limit=limit))
        return True

    def _once(self, url: str, limit: int, take: _Take, until: float) -> bool:
        import httpx  # noqa: PLC0415  # only who downloads pays for it

        timeout = httpx.Timeout(30.0, read=60.0)
        try:
            with (
                httpx.Client(timeout=timeout, verify=ssl.create_default_context(), follow_redirects=True) as client,
                client.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
            ):
                if response.status_code in _ABSENT:
                    return False
                if response.status_code in _PASSING:
                    raise _PassingError(f"resposta {response.status_code}")
                if response.status_code != 200:
                    raise ToolError(
                        f"resposta inesperada ({response.status_code})", where=host_of(url), mend="confira o endereço"
                    )
                for part in _bounded(response, limit, until, url):
                    take(part)
        except httpx.InvalidURL as error:
            raise ToolError("endereço inválido", where=host_of(url), mend="confira o endereço") from error
        except httpx.TransportError as error:
            raise _PassingError(_told(error)) from error
        return True


def _bounded(response: httpx.Response, limit: int, until: float, url: str) -> Iterator[bytes]:
    size = 0
    for part in response.iter_raw(_CHUNK):
        size += len(part)
        if size > limit:
            raise ToolError(f"o arquivo passa de {limit} bytes", where=host_of(url), mend="confira o endereço")
        if time.monotonic() > until:
            raise _PassingError("não terminou a tempo")
        yield part


def _told(error: httpx.TransportError) -> str:
    import httpx  # noqa: PLC0415

    if isinstance(error, httpx.TimeoutException):
        return "não respondeu a tempo"
    if isinstance(error, httpx.ConnectError):
        certificate = "certificate" in str(error).lower()
        return "o certificado não vale" if certificate else "sem conexão"
    return "a conexão caiu"

"""An OCI registry (distribution-spec 1.1), one repository at a time: blobs and manifests in, by digest out.

Content is addressed by its SHA-256, so nothing half sent is ever seen under a name: what names it comes last. https, or
http on this machine; credentials of Docker's own configuration go to that one registry, and are shown nowhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.adapters.descriptors import FILE, naming, opened
from pipeline.adapters.registry_access import Access, find_credentials, is_loopback
from pipeline.adapters.registry_wire import PASSING, UNREACHED, PassingFailure, Wire
from pipeline.codec import visible
from pipeline.errors import InputError, ToolError, UsageError
from pipeline.ports import Blob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pipeline.ports import Content

__all__ = [
    "INDEX",
    "MANIFEST",
    "Descriptor",
    "ImageReference",
    "PulledManifest",
    "Registry",
    "open_registry",
    "parse_reference",
]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_HOST = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_REPOSITORY = 255
_CHUNK = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """``host[:port]/repository[:tag][@digest]``."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.host}/{self.repository}"
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptor:
    """What a manifest says of one blob or manifest; ``size`` in bytes."""

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """As it stands in a manifest or an index."""
        row: dict[str, object] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            row["artifactType"] = self.artifact_type
        return row | ({"annotations": dict(self.annotations)} if self.annotations else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class PulledManifest:
    """A manifest whose bytes have the digest that was asked for."""

    data: bytes
    media_type: str
    digest: str


def parse_reference(text: str) -> ImageReference:
    """Read a reference that names its registry; none is guessed. UsageError names what is wrong."""
    rest, at, digest = text.partition("@")
    host, slash, path = rest.partition("/")
    repository, colon, tag = path.partition(":")
    if not slash or _HOST.fullmatch(host) is None or ("." not in host and ":" not in host and host != "localhost"):
        raise _bad(text, "falta o host do registro, como registro.exemplo.org/pasta/nome")
    if _REPOSITORY.fullmatch(repository) is None or len(repository) > _MAX_REPOSITORY:
        raise _bad(text, "o repositório só pode ter minúsculas, números, ponto, _ , - e /")
    if colon and _TAG.fullmatch(tag) is None:
        raise _bad(text, "a tag não é válida")
    if at and _DIGEST.fullmatch(digest) is None:
        raise _bad(text, "o digest deve ser sha256: e 64 dígitos hexadecimais")
    return ImageReference(host=host, repository=repository, tag=tag or None, digest=digest or None)


@contextmanager
def open_registry(
    reference: ImageReference,
    environment: Mapping[str, str],
    *,
    offline: bool = False,
    tries: int = 3,
    seconds: float = 60.0,
    total_seconds: float = 3600.0,
) -> Iterator[Registry]:
    """A repository to talk to. ``seconds`` bounds each wait for the other side, ``total_seconds`` everything together.

    Credentials come from ``$DOCKER_CONFIG/config.json`` or ``~/.docker/config.json``. UsageError with ``offline``
    unless the registry is on this machine.
    """
    import httpx  # noqa: PLC0415  # only who talks to a registry pays for it

    local = is_loopback(reference.host)
    if offline and not local:
        raise UsageError(f"--offline recusa o registro {reference.host}", mend="tire --offline ou use uma pasta")
    with httpx.Client(
        base_url=f"{'http' if local else 'https'}://{reference.host}",
        timeout=seconds,
        follow_redirects=False,
        trust_env=not local,  # a proxy that the environment names; never for this machine
        verify=ssl.create_default_context(),
    ) as client:
        access = Access(client, find_credentials(reference.host, environment), reference.repository)
        where = f"{reference.host}/{reference.repository}"
        wire = Wire(client, access, where=where, tries=tries, until=time.monotonic() + total_seconds)
        yield Registry(wire, reference.repository)


class Registry:
    """One repository. ToolError when the registry is not there or refuses, IntegrityError when its bytes are others."""

    def __init__(self, wire: Wire, repository: str) -> None:
        self._wire = wire
        self._path = f"/v2/{repository}"

    # --- blobs

    def has_blob(self, digest: str) -> bool:
        """Whether the repository holds the blob."""
        return self._wire.ask("HEAD", f"{self._path}/blobs/{_checked(digest)}", accept=(200, 404)).status_code == 200

    def push_blob(self, content: Content, descriptor: Descriptor) -> None:
        """Send a blob that is not there yet. A file is streamed; InputError when it has not the described bytes."""
        if self.has_blob(descriptor.digest):
            return
        for left in reversed(range(self._wire.tries)):
            started = self._wire.ask("POST", f"{self._path}/blobs/uploads/", accept=(202,))
            target = self._wire.upload_target(started)
            try:
                self._upload(f"{target}{'&' if '?' in target else '?'}digest={descriptor.digest}", content, descriptor)
            except PassingFailure as passing:
                self._wire.pause(passing, left)
            else:
                return

    def _upload(self, target: str, content: Content, descriptor: Descriptor) -> None:
        headers = {"content-type": "application/octet-stream", "content-length": str(descriptor.size)}
        with _streamed(content, descriptor, self._wire.within) as body:
            response = self._wire.once("PUT", target, headers=headers, content=body)
            response.close()
        if response.status_code in PASSING or response.status_code == 401:  # a key that ran out is renewed by the POST
            raise PassingFailure(f"respondeu {response.status_code}")
        self._wire.judge(response, (201,), descriptor.digest)

    def read_blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """The blob in parts; IntegrityError after the last one where they are not the bytes that were described."""
        response = self._wire.ask(
            "GET", f"{self._path}/blobs/{_checked(descriptor.digest)}", accept=(200,), stream=True
        )
        digest, size = hashlib.sha256(), 0
        try:
            for part in self._wire.parts(response):
                digest.update(part)
                size += len(part)
                if size > descriptor.size:
                    break
                yield part
        finally:
            response.close()
        if size != descriptor.size or f"sha256:{digest.hexdigest()}" != descriptor.digest:
            raise self._wire.other(descriptor.digest, f"sha256:{digest.hexdigest()}, {size} bytes")

    # --- manifests

    def push_manifest(self, data: bytes, media_type: str, *, tag: str | None = None, subject: str | None = None) -> str:
        """Publish a manifest by its digest, and under ``tag`` too where one is given; return the digest.

        With ``subject`` (a digest that the manifest names) a registry without the referrers API gets the list that the
        specification keeps under a tag instead.
        """
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        name = digest if tag is None else _checked_tag(tag)
        headers = {"content-type": media_type}
        response = self._wire.ask("PUT", f"{self._path}/manifests/{name}", accept=(201,), headers=headers, content=data)
        self._wire.same_digest(response, digest)
        if subject is not None and "oci-subject" not in response.headers:
            self._list_referrer(_checked(subject), data, media_type, digest)
        return digest

    def pull_manifest(self, name: str) -> PulledManifest | None:
        """The manifest of a tag or a digest; None where there is none."""
        path = f"{self._path}/manifests/{name if _DIGEST.fullmatch(name) else _checked_tag(name)}"
        headers = {"accept": ", ".join((MANIFEST, INDEX, *_DOCKER))}
        response = self._wire.ask("GET", path, accept=(200, 404), headers=headers, stream=True)
        try:
            if response.status_code == 404:
                return None
            data = self._wire.document(response)
        finally:
            response.close()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if _DIGEST.fullmatch(name) and digest != name:
            raise self._wire.other(name, digest)
        self._wire.same_digest(response, digest)
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        return PulledManifest(data=data, media_type=kind, digest=digest)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What names this manifest as its subject, in the registry's order; empty where nothing does."""
        response = self._wire.ask(
            "GET", f"{self._path}/referrers/{_checked(digest)}", accept=(200, 400, 404, 405), stream=True
        )
        try:
            data = self._wire.document(response) if response.status_code == 200 else None
        finally:
            response.close()
        if data is None:
            listed = self.pull_manifest(_fallback_tag(digest))
            data = listed.data if listed is not None else None
        return () if data is None else self._descriptors(data)

    def _list_referrer(self, subject: str, data: bytes, media_type: str, digest: str) -> None:
        tag = _fallback_tag(subject)
        listed = self.pull_manifest(tag)
        present = self._descriptors(listed.data) if listed is not None else ()
        if any(each.digest == digest for each in present):
            return
        manifest = json.loads(data)
        kind = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType", "")
        added = Descriptor(
            media_type=media_type,
            digest=digest,
            size=len(data),
            artifact_type=kind,
            annotations=manifest.get("annotations") or {},
        )
        rows = [each.as_json() for each in (*present, added)]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}
        self.push_manifest(json.dumps(index, sort_keys=True, separators=(",", ":")).encode(), INDEX, tag=tag)

    def _descriptors(self, data: bytes) -> tuple[Descriptor, ...]:
        try:
            return tuple(_descriptor(each) for each in json.loads(data)["manifests"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ToolError(
                "o registro respondeu uma lista fora do formato", where=self._wire.where, mend=UNREACHED
            ) from error


@contextmanager
def _streamed(content: Content, descriptor: Descriptor, within: Callable[[], None]) -> Iterator[Any]:
    """The body of an upload: bytes, or a file in parts, hashed on the way."""
    if isinstance(content, bytes):
        yield content
        return
    path = content.path if isinstance(content, Blob) else content
    with naming(path), opened(path, FILE) as source:
        yield _file_parts(source, path, descriptor, within)


def _file_parts(source: int, path: Path, descriptor: Descriptor, within: Callable[[], None]) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    while part := os.read(source, _CHUNK):
        within()
        digest.update(part)
        size += len(part)
        if size > descriptor.size:
            break
        yield part
    if f"sha256:{digest.hexdigest()}" != descriptor.digest:
        raise InputError("mudou durante o envio", where=visible(str(path)), mend="repita o comando")


def _descriptor(row: dict[str, Any]) -> Descriptor:
    return Descriptor(
        media_type=str(row["mediaType"]),
        digest=_checked(str(row["digest"])),
        size=int(row["size"]),
        artifact_type=str(row.get("artifactType", "")),
        annotations={str(key): str(value) for key, value in (row.get("annotations") or {}).items()},
    )


def _checked(digest: str) -> str:
    if _DIGEST.fullmatch(digest) is None:
        raise ToolError(f"digest fora do formato: {visible(digest)}", mend=UNREACHED)
    return digest


def _checked_tag(tag: str) -> str:
    if _TAG.fullmatch(tag) is None:
        raise UsageError(f"tag inválida: {visible(tag)}", mend="use letras, números, ponto, _ e -")
    return tag


def _fallback_tag(digest: str) -> str:
    return digest.replace(":", "-")


def _bad(text: str, reason: str) -> UsageError:
    return UsageError(reason, where=visible(text), mend="corrija a referência")

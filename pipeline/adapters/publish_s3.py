"""A pack into an S3-compatible bucket under object lock: what is there is not replaced, and cannot go before its time.

boto3 is the extra ``s3``. Credentials are those of its own chain (environment, standard files, the machine's role).
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.adapters.descriptors import FILE, naming
from pipeline.adapters.registry_access import is_loopback
from pipeline.codec import visible
from pipeline.errors import InputError, IntegrityError, PipelineError, ToolError, UsageError
from pipeline.ports import Published

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.ports import Publication, PublishedFile

__all__ = ["S3Place", "publish_to_s3"]

_MODE = "COMPLIANCE"  # nobody shortens it, whatever they may do else
_TRIES = 3
_CHUNK = 1024 * 1024
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_UNLOCKED = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"}
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class S3Place:
    """``s3://bucket/prefix``, and the service that has it: ``endpoint`` or, where empty, the one that is configured."""

    def __init__(self, address: str, *, endpoint: str = "") -> None:
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise UsageError("o destino deve ser s3://bucket/prefixo", where=visible(address), mend="corrija --to")
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/")
        self.endpoint = endpoint

    def key(self, publication: Publication, name: str) -> str:
        return "/".join(part for part in (self.prefix, publication.key, name) if part)


def publish_to_s3(place: S3Place, publication: Publication, *, unlocked: bool, offline: bool) -> Published:
    """Publish below the prefix, the list of digests last.

    InputError for a bucket without object lock, unless ``unlocked``; IntegrityError where another object stands under a
    name, or other bytes come back.
    """
    with _told(place):
        client = _client(place, offline=offline)
        locked = _has_lock(client, place)
        if not locked and not unlocked:
            raise InputError(
                "o bucket não tem object lock: nada impediria apagar o pacote",
                where=f"s3://{visible(place.bucket)}",
                mend="crie o bucket com object lock, ou aceite com --unlocked",
            )
        sent = [_put(client, place, publication, each, locked=locked) for each in publication.files]
        for each in publication.files:
            _verify(client, place, publication, each, locked=locked)
    until = f"{publication.keep_until:%d/%m/%Y}"
    kept = f"object lock {_MODE} até {until}" if locked else "bucket sem object lock: nada impede que seja apagado"
    key = "/".join(part for part in (place.prefix, publication.key) if part)
    return Published(place=f"s3://{place.bucket}/{key}", new=any(sent), kept=kept)


def _client(place: S3Place, *, offline: bool) -> Any:
    try:
        import boto3  # noqa: PLC0415  # an extra
        from botocore.config import Config  # noqa: PLC0415
    except ImportError as error:
        mend = "instale o extra: pip install 'appgear-pipeline[s3]'"
        raise ToolError("publicar em S3 precisa de boto3", mend=mend) from error
    config = Config(
        retries={"max_attempts": _TRIES, "mode": "standard"},
        connect_timeout=10,
        read_timeout=60,
        # A service of one's own seldom answers to a host name for each bucket.
        s3={"addressing_style": "path" if place.endpoint else "auto"},
    )
    client = boto3.session.Session().client("s3", endpoint_url=place.endpoint or None, config=config)
    address = urlsplit(client.meta.endpoint_url)
    local = is_loopback(address.netloc)
    if address.scheme != "https" and not local:
        raise UsageError("http só é aceito nesta máquina (loopback)", where=visible(address.netloc), mend="use https")
    if offline and not local:
        raise UsageError(f"--offline recusa {visible(address.netloc)}", mend="tire --offline ou use uma pasta")
    return client


@contextmanager
def _told(place: S3Place) -> Iterator[None]:
    """boto3's failures as one line; the service's own words, which could be anything, stay out of it."""
    try:
        yield
    except (PipelineError, OSError):
        raise
    except Exception as error:
        where = f"s3://{visible(place.bucket)}"
        code = _code(error)
        name = type(error).__name__
        if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
            mend = "defina AWS_ACCESS_KEY_ID e AWS_SECRET_ACCESS_KEY, ou o perfil em ~/.aws"
            raise ToolError("não há credencial para o serviço S3", where=where, mend=mend) from error
        if not type(error).__module__.startswith(("botocore", "boto3")):
            raise
        told = f"o serviço S3 respondeu {visible(code)}" if code else f"falha ao falar com o serviço S3 ({name})"
        raise ToolError(told, where=where, mend="confira endereço, permissões e região, e repita") from error


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    found = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return str(found)[:60]


def _has_lock(client: Any, place: S3Place) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415  # as above

    try:
        found = client.get_object_lock_configuration(Bucket=place.bucket)
    except ClientError as error:
        if _code(error) in _UNLOCKED:
            return False
        raise
    return bool(found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")


def _put(client: Any, place: S3Place, publication: Publication, file: PublishedFile, *, locked: bool) -> bool:
    """Send one file, in one request that the service takes whole or not at all; whether it was new."""
    from botocore.exceptions import ClientError  # noqa: PLC0415  # as above

    key = place.key(publication, file.name)
    if _exists(client, place, key):
        return False
    lock: dict[str, Any] = {"ObjectLockMode": _MODE, "ObjectLockRetainUntilDate": publication.keep_until}
    if publication.held:
        lock["ObjectLockLegalHoldStatus"] = "ON"
    with _body(file.content) as body:
        try:
            client.put_object(
                Bucket=place.bucket,
                Key=key,
                Body=body,
                ContentLength=file.size,
                ContentType=file.media_type,
                ChecksumAlgorithm="SHA256",  # services that lock want to be told which one
                ChecksumSHA256=base64.b64encode(bytes.fromhex(file.sha256)).decode(),
                IfNoneMatch="*",
                **(lock if locked else {}),
            )
        except ClientError as error:
            if _code(error) in _TAKEN:  # somebody was as quick; whether it is the same is seen when it is read back
                return False
            raise
    return True


def _exists(client: Any, place: S3Place, key: str) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415  # as above

    try:
        client.head_object(Bucket=place.bucket, Key=key)
    except ClientError as error:
        if _code(error) in _ABSENT:
            return False
        raise
    return True


@contextmanager
def _body(content: bytes | Path) -> Iterator[Any]:
    if not isinstance(content, Path):
        yield io.BytesIO(content)
        return
    with naming(content):
        descriptor = os.open(content, FILE)
    with os.fdopen(descriptor, "rb") as body:
        yield body


def _verify(client: Any, place: S3Place, publication: Publication, file: PublishedFile, *, locked: bool) -> None:
    """Read the object to its end; under a lock its date must be this one or a later one, and is moved there."""
    key = place.key(publication, file.name)
    where = f"s3://{place.bucket}/{key}"
    digest, size = hashlib.sha256(), 0
    for part in client.get_object(Bucket=place.bucket, Key=key)["Body"].iter_chunks(_CHUNK):
        digest.update(part)
        size += len(part)
        if size > file.size:
            break
    if digest.hexdigest() != file.sha256:
        raise IntegrityError(
            f"há outros bytes: sha256 {digest.hexdigest()}, e os do pacote são {file.sha256}",
            where=visible(where),
            mend="nada foi sobrescrito; descubra qual é o verdadeiro",
        )
    if not locked:
        return
    wanted = {"Mode": _MODE, "RetainUntilDate": publication.keep_until}
    head = client.head_object(Bucket=place.bucket, Key=key)
    until = head.get("ObjectLockRetainUntilDate")
    if until is None or until.astimezone(UTC) < publication.keep_until:
        client.put_object_retention(Bucket=place.bucket, Key=key, Retention=wanted)
    if publication.held and head.get("ObjectLockLegalHoldStatus") != "ON":
        client.put_object_legal_hold(Bucket=place.bucket, Key=key, LegalHold={"Status": "ON"})
    kept = client.head_object(Bucket=place.bucket, Key=key).get("ObjectLockRetainUntilDate")
    if kept is None or kept.astimezone(UTC) < publication.keep_until:
        raise IntegrityError("o serviço não guarda o objeto até a data", where=visible(where), mend="confira o bucket")

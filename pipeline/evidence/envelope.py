"""DSSE envelopes of in-toto statements: made and checked by securesystemslib, read in one canonical form only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.codec import dump_json, load_json
from pipeline.domain.base import Record
from pipeline.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securesystemslib.signer import Signer, SSlibKey

__all__ = [
    "PAYLOAD_TYPE",
    "OpenEnvelope",
    "SigningKey",
    "bundle_digest",
    "dump_line",
    "held_key",
    "key_of",
    "open_envelope",
    "sign_statement",
    "signing_key",
    "unsigned",
]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MEND = "restaure a cópia original"
_NEW_KEY = "crie uma com `openssl genpkey -algorithm ed25519`"


class _Signature(Record, frozen=True, kw_only=True):
    keyid: str
    sig: str


class _Envelope(Record, frozen=True, kw_only=True, rename={"payload_type": "payloadType"}):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenEnvelope:
    """A well-formed envelope whose signatures nobody has judged yet: key id → signature."""

    payload: bytes
    payload_type: str
    signatures: dict[str, bytes]

    def statement(self, *, where: str) -> dict[str, Any]:
        """The payload as JSON. IntegrityError where it is no in-toto statement in canonical form."""
        if self.payload_type != PAYLOAD_TYPE:
            raise IntegrityError(
                f"tipo de conteúdo {self.payload_type!r}, esperava {PAYLOAD_TYPE!r}", where=where, mend=_MEND
            )
        try:
            value = load_json(self.payload, where=where)
            canonical = dump_json(value) == self.payload
        except (InputError, ValueError, RecursionError) as error:  # NaN, lone surrogates, depth
            raise IntegrityError("o conteúdo assinado não é JSON", where=where, mend=_MEND) from error
        if not isinstance(value, dict) or not canonical:
            raise IntegrityError("o conteúdo assinado não está na forma canônica", where=where, mend=_MEND)
        return value

    def signed_by(self, keys: Iterable[SSlibKey]) -> tuple[str, ...]:
        """Ids of those of ``keys`` that made a valid signature of exactly this payload and type."""
        from securesystemslib.dsse import Envelope  # noqa: PLC0415  # cryptography costs start-up time
        from securesystemslib.exceptions import VerificationError  # noqa: PLC0415
        from securesystemslib.signer import Signature  # noqa: PLC0415

        found = {name: Signature(name, raw.hex()) for name, raw in self.signatures.items()}
        valid: list[str] = []
        for key in keys:
            envelope = Envelope(self.payload, self.payload_type, found)
            try:
                valid.extend(envelope.verify([key], 1))
            except VerificationError:
                continue
        return tuple(valid)


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A key ready to sign, and its public half in PEM."""

    signer: Signer = field(repr=False)
    public_pem: bytes
    keyid: str


def signing_key(pem: bytes, *, where: str) -> SigningKey:
    """Read a private key. InputError unless it is Ed25519 in PEM, without a password."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # cryptography costs start-up time
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415

    try:
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError("não é uma chave privada em PEM sem senha", where=where, mend=_NEW_KEY) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError("a chave não é Ed25519", where=where, mend=_NEW_KEY)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = key_of(public)
    return SigningKey(signer=CryptoSigner(private, key), public_pem=public, keyid=key.keyid)


def held_key(signer: Signer, public_pem: bytes) -> SigningKey:
    """A key that is used and never read: a token's, or a service's."""
    return SigningKey(signer=signer, public_pem=public_pem, keyid=key_of(public_pem).keyid)


def sign_statement(statement: dict[str, Any], signer: Signer) -> dict[str, Any]:
    """A DSSE envelope over the canonical bytes of a statement. IntegrityError where the signer holds another key."""
    from securesystemslib.dsse import Envelope  # noqa: PLC0415
    from securesystemslib.exceptions import VerificationError  # noqa: PLC0415

    envelope = Envelope(dump_json(statement), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    try:
        envelope.verify([signer.public_key], 1)
    except VerificationError as error:
        raise IntegrityError(
            "a assinatura não confere com a chave pública", mend="confira se --public-key é desta chave"
        ) from error
    value: dict[str, Any] = envelope.to_dict()
    return value


def unsigned(statement: dict[str, Any]) -> dict[str, Any]:
    """The same shape without a signature: a declaration that nothing vouches for."""
    payload = base64.b64encode(dump_json(statement)).decode()
    return {"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": []}


def dump_line(envelope: dict[str, Any]) -> bytes:
    """An envelope as one line of a ``.jsonl`` file, with its newline."""
    return (json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n").encode()


def open_envelope(data: bytes, *, where: str, line: bool = False) -> OpenEnvelope:
    """Read an envelope. IntegrityError unless it is byte for byte what ``dump_json`` (``dump_line``) would write.

    One form alone keeps a change that no signature covers (spaces, key order, spare bits of base64) from going unseen.
    """
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        payload = base64.b64decode(envelope.payload, validate=True)
        signatures = {each.keyid: base64.b64decode(each.sig, validate=True) for each in envelope.signatures}
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError) as error:
        raise IntegrityError("não é um envelope DSSE", where=where, mend=_MEND) from error
    if len(signatures) != len(envelope.signatures):
        raise IntegrityError("duas assinaturas com o mesmo keyid", where=where, mend=_MEND)
    rebuilt = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [
            {"keyid": each.keyid, "sig": base64.b64encode(signatures[each.keyid]).decode()}
            for each in envelope.signatures
        ],
    }
    if (dump_line(rebuilt) if line else dump_json(rebuilt)) != data:
        raise IntegrityError("envelope fora da forma canônica", where=where, mend=_MEND)
    return OpenEnvelope(payload=payload, payload_type=envelope.payload_type, signatures=signatures)


def bundle_digest(data: bytes) -> str | None:
    """SHA-256 (hex) that a Sigstore bundle speaks of; None where it is none. Nobody has judged it."""
    try:
        found = json.loads(data)["messageSignature"]["messageDigest"]
        return base64.b64decode(found["digest"], validate=True).hex() if found["algorithm"] == "SHA2_256" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def key_of(public_pem: bytes) -> SSlibKey:
    """A public key; its id is the SHA-256 of the DER form, as ``openssl pkey -pubin -outform DER`` gives it.

    Ed25519, or ECDSA over P-256 (with SHA-256) or P-384 (with SHA-384), which is what tokens and key services hold.
    ValueError where it is not PEM or another kind: the algorithm is the key's, never taken from what is verified.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415
        SECP256R1,
        SECP384R1,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_public_key,
    )
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415

    key = load_pem_public_key(public_pem)
    curve = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1 | SECP384R1)
    if not (curve or isinstance(key, Ed25519PublicKey)):
        raise ValueError("não é uma chave Ed25519, P-256 ou P-384")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(key, keyid=hashlib.sha256(der).hexdigest())

"""Sigstore keyless: a certificate for the job's own identity, and the manifest's digest in a public log."""

from __future__ import annotations

from pipeline.errors import InputError, ToolError

__all__ = ["sign_keyless"]

_EXTRA = 'pip install "appgear-pipeline[sigstore]"'


def sign_keyless(data: bytes, *, offline: bool) -> bytes:
    """A Sigstore bundle over ``data``, as ``sigstore verify`` and ``cosign verify-blob`` take it.

    The identity is the one that the CI system vouches for; nothing is asked of a person. InputError while ``offline``;
    ToolError where the extra is not installed, there is no such identity, or Sigstore does not answer.
    """
    if offline:
        raise InputError("--keyless precisa de rede, e --offline não a permite", mend="retire uma das duas")
    try:
        from sigstore.models import ClientTrustConfig  # noqa: PLC0415  # an extra
        from sigstore.oidc import IdentityToken, detect_credential  # noqa: PLC0415
        from sigstore.sign import SigningContext  # noqa: PLC0415
    except ImportError as error:
        raise ToolError("--keyless precisa do extra sigstore, que não está instalado", mend=_EXTRA) from error
    try:
        token = detect_credential()
        context = SigningContext.from_trust_config(ClientTrustConfig.production()) if token else None
        if token and context:
            with context.signer(IdentityToken(token)) as signer:
                return str(signer.sign_artifact(data).to_json()).encode() + b"\n"
    except Exception as error:  # of its HTTP, TUF and OIDC clients alike
        raise ToolError(f"o Sigstore não assinou ({type(error).__name__}: {error})", mend="tente de novo") from error
    raise ToolError(
        "--keyless não achou identidade: o ambiente não é um executor de CI com OIDC",
        mend="rode no CI com permissão de id-token, ou sem --keyless",
    )

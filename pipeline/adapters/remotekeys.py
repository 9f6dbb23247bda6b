"""Keys that never leave where they are: PKCS#11 tokens, and the key services of clouds and vaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import Key, Signer

from pipeline.errors import InputError, PipelineError, ToolError, UsageError
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securesystemslib.signer import SecretsHandler, Signature, SSlibKey

__all__ = ["PIN_VARIABLE", "open_signer"]

Answer = TypeVar("Answer")

PIN_VARIABLE = "APPGEAR_KEY_PIN"
# Scheme of the address → extra of securesystemslib, and whether the key is reached over the network.
_SCHEMES = {
    "hsm": ("hsm", False),
    "awskms": ("awskms", True),
    "azurekms": ("azurekms", True),
    "gcpkms": ("gcpkms", True),
    "hv": ("vault", True),
}


def open_signer(address: str, public: SSlibKey, environment: Mapping[str, str], *, offline: bool) -> Signer:
    """A signer for the private half of ``public``; the token or service is first asked when something is signed.

    InputError for a service while ``offline``; ToolError where its library is missing or it cannot sign.
    """
    extra, network = _SCHEMES[address.partition(":")[0]]
    where = show_path(address)
    if network and offline:
        raise InputError("a chave está em um serviço de rede, e --offline não o permite", where=where, mend="retire-o")

    def secret(_name: str) -> str:
        pin = environment.get(PIN_VARIABLE, "")
        if not pin:
            raise UsageError("falta a senha da chave", where=where, mend=f"defina {PIN_VARIABLE}")
        return pin

    return _Named(address, public, secret, extra)


class _Named(Signer):
    """A signer whose failures are one line that names the key."""

    def __init__(self, address: str, public: SSlibKey, secret: SecretsHandler, extra: str) -> None:
        self._where, self._extra, self._public = show_path(address), extra, public
        self._signer = self._asked(lambda: Signer.from_priv_key_uri(address, public, secret))

    @property
    def public_key(self) -> Key:
        return self._public

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        raise NotImplementedError("made by open_signer")

    def sign(self, payload: bytes) -> Signature:
        return self._asked(lambda: self._signer.sign(payload))

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except PipelineError:
            raise
        except UnsupportedLibraryError as error:
            raise _missing(self._where, self._extra) from error
        except Exception as error:  # the library of each service has errors of its own
            raise _failed(self._where, error) from error


def _missing(where: str, extra: str) -> ToolError:
    return ToolError(
        "falta a biblioteca deste tipo de chave", where=where, mend=f'pip install "securesystemslib[{extra}]"'
    )


def _failed(where: str, error: Exception) -> ToolError:
    return ToolError(f"a chave não pôde assinar ({type(error).__name__}: {error})", where=where, mend="confira a chave")

"""Signatures of package archives: OpenPGP, checked against keys that this project ships or the platform names."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from pipeline.codec import visible
from pipeline.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysequoia import Cert

__all__ = ["ARCHIVE_KEYS", "Keyring", "archive_keyring", "load_keyring"]

# Debian's own fingerprints, which anybody can compare with those that Debian publishes.
ARCHIVE_KEYS = {
    "4d64fec119c2029067d6e791f8d2585b8783d481": "Debian Stable Release Key (12/bookworm)",
    "b8b80b5b623eab6ad8775c45b7c5d7d6350947f8": "Debian Archive Automatic Signing Key (12/bookworm)",
    "05ab90340c0c5e797f44a8c8254cf3b5aec0a8f0": "Debian Security Archive Automatic Signing Key (12/bookworm)",
    "41587f7db8c774bccf131416762f67a0b2c39de4": "Debian Stable Release Key (13/trixie)",
    "04b54c3cdca79751b16bc6b5225629df75b188bd": "Debian Archive Automatic Signing Key (13/trixie)",
    "5e04a1e3223a19a20706e20f9904613d4cce68c6": "Debian Security Archive Automatic Signing Key (13/trixie)",
}


class Keyring:
    """Keys that may sign an archive."""

    def __init__(self, certificates: Sequence[Cert]) -> None:
        self._certificates = list(certificates)

    def signed_text(self, message: bytes, *, where: str) -> tuple[bytes, tuple[str, ...]]:
        """What a cleartext message says and the fingerprints that signed it; IntegrityError where none of ours did.

        Only the text under the signature is returned: what stands around it is not part of the message.
        """
        import pysequoia  # noqa: PLC0415  # only who fetches packages pays for it

        try:
            result = pysequoia.verify(bytes=message, store=lambda _ids: self._certificates)
        except Exception as error:  # the library raises its own kinds, whose texts are for programmers
            raise _refused(where) from error
        signers = tuple(sorted({each.certificate for each in result.valid_sigs}))
        if result.bytes is None or not signers:
            raise _refused(where)
        return bytes(result.bytes), signers


def archive_keyring() -> Keyring:
    """Debian's keys as they ship with this project; each is one of ``ARCHIVE_KEYS`` or the file was tampered with."""
    data = files("pipeline.adapters").joinpath("debian-archive.asc").read_bytes()
    certificates = _certificates(data, "debian-archive.asc")
    if {each.fingerprint for each in certificates} != set(ARCHIVE_KEYS):
        raise IntegrityError("as chaves do Debian não são as fixadas", where="debian-archive.asc", mend="reinstale")
    return Keyring(certificates)


def load_keyring(data: bytes, *, where: str) -> Keyring:
    """Keys of a file that the platform names, armoured or not."""
    return Keyring(_certificates(data, where))


def _certificates(data: bytes, where: str) -> list[Cert]:
    import pysequoia  # noqa: PLC0415  # as above

    try:
        found = pysequoia.Cert.split_bytes(data)
    except Exception as error:  # as above
        mend = "exporte as chaves públicas"
        raise InputError("não é um chaveiro OpenPGP", where=visible(where), mend=mend) from error
    if not found:
        raise InputError("o chaveiro não tem chave", where=visible(where), mend="exporte as chaves públicas")
    return list(found)


def _refused(where: str) -> IntegrityError:
    return IntegrityError(
        "sem assinatura válida de uma chave conhecida", where=where, mend="indique outro espelho, ou [image] keyring"
    )

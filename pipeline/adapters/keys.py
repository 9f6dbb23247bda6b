"""Signing keys and the files that hold them: read without following links, made once, for the owner's eyes alone."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FILE, FOLDER, naming, opened, read_descriptor
from pipeline.errors import InputError, UsageError
from pipeline.ports import show_path

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEY_SCHEMES", "KEY_VARIABLE", "KeyFile", "find_key", "has_key", "is_address", "key_bytes", "key_name"]

KEY_SCHEMES = frozenset({"hsm", "awskms", "azurekms", "gcpkms", "hv"})
"""Of addresses of keys that are used and never read: PKCS#11 tokens, key services of clouds, HashiCorp Vault."""
KEY_VARIABLE = "APPGEAR_KEY_FILE"
_NAME = "key.pem"
_MAX_BYTES = 16 * 1024
_DESCRIPTOR = "fd:"
_VARIABLE = "env:"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFile:
    """A private key as its file holds it. ``made`` says that this call created it, at ``place``."""

    pem: bytes = field(repr=False)
    place: str
    made: bool


def find_key(given: str | None, environment: Mapping[str, str]) -> KeyFile:
    """The key named by ``given`` (a file, ``fd:N`` or ``env:NAME``), else by APPGEAR_KEY_FILE, else the user's own.

    The user's own is ``$XDG_CONFIG_HOME/appgear-pipeline/key.pem`` (``~/.config`` by default), made at first use with
    mode 0600 in a folder of mode 0700. InputError where a key file is a link or can be read by others.
    """
    named = key_name(given, environment)
    if named:
        return KeyFile(pem=_read_named(named, environment), place=show_path(named), made=False)
    folder = _configuration(environment)
    made = _make(folder)
    return KeyFile(pem=_read(folder / _NAME), place=show_path(folder / _NAME), made=made)


def key_name(given: str | None, environment: Mapping[str, str]) -> str | None:
    """What was named as the key; None where the user's own is meant."""
    return given or environment.get(KEY_VARIABLE) or None


def is_address(named: str | None) -> bool:
    """Whether a name is the address of a key elsewhere (``hsm:2``), and no file; ``./hsm:2`` is one."""
    return named is not None and ":" in named and named.partition(":")[0] in KEY_SCHEMES


def has_key(given: str | None, environment: Mapping[str, str]) -> bool:
    """Whether ``find_key`` would find one without making it."""
    if given or environment.get(KEY_VARIABLE):
        return True
    return (
        bool(environment.get("XDG_CONFIG_HOME") or environment.get("HOME"))
        and (_configuration(environment) / _NAME).exists()
    )


def key_bytes(given: str | None, environment: Mapping[str, str]) -> bytes | None:
    """What ``find_key`` would read, empty where it would make one.

    None for a descriptor, which can be read once, and for a key elsewhere, which cannot be read at all.
    """
    named = key_name(given, environment)
    if named and (named.startswith(_DESCRIPTOR) or is_address(named)):
        return None
    if named:
        return _read_named(named, environment)
    return _read(_configuration(environment) / _NAME) if has_key(given, environment) else b""


def _configuration(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CONFIG_HOME", "")
    home = environment.get("HOME", "")
    if base.startswith("/"):
        return Path(base, "appgear-pipeline")
    if home.startswith("/"):
        return Path(home, ".config", "appgear-pipeline")
    raise UsageError("não há pasta de usuário para guardar a chave", mend="use --key ARQUIVO ou defina HOME")


def _read_named(named: str, environment: Mapping[str, str]) -> bytes:
    if named.startswith(_DESCRIPTOR):
        return _read_descriptor(named)
    if named.startswith(_VARIABLE):
        held = environment.get(named.removeprefix(_VARIABLE), "")
        if not held:
            raise UsageError(f"a variável de {show_path(named)} está vazia", mend="ponha nela a chave em PEM")
        return held.encode()
    return _read(Path(named))


def _read_descriptor(named: str) -> bytes:
    number = named.removeprefix(_DESCRIPTOR)
    if not (number.isascii() and number.isdigit()):
        raise UsageError(f"descritor inválido: {show_path(named)}", mend="use fd:N, como fd:3")
    with naming(named), os.fdopen(os.dup(int(number)), "rb") as stream:
        return stream.read(_MAX_BYTES)


def _read(path: Path) -> bytes:
    with naming(path), opened(path, FILE) as descriptor:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise InputError("outros usuários podem ler esta chave", where=show_path(path), mend="chmod 600 no arquivo")
        return read_descriptor(descriptor, where=show_path(path), limit=_MAX_BYTES)


def _make(folder: Path) -> bool:
    """Create the key unless it is there; True where this process did. Two at once end with one key, whole."""
    import secrets  # noqa: PLC0415  # once in a user's life

    with naming(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with opened(folder, FOLDER) as parent:
            with suppress(FileNotFoundError):
                os.stat(_NAME, dir_fd=parent, follow_symlinks=False)
                return False
            staged = f".{_NAME}.{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(staged, flags, 0o600, dir_fd=parent)
            try:
                os.write(descriptor, _generate())
                os.fsync(descriptor)
                os.link(staged, _NAME, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError:
                return False
            finally:
                os.close(descriptor)
                os.unlink(staged, dir_fd=parent)
    return True


def _generate() -> bytes:
    """PKCS #8 in PEM."""
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415

    return CryptoSigner.generate_ed25519().private_bytes

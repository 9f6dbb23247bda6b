"""``--gitops PATH-or-URL[@REV]``: what it names, before anything is opened or asked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import InputError
from pipeline.ports import show_path

__all__ = ["GitopsSpec", "check_revision", "parse_gitops"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")  # remote-ext and friends run commands that the address names
_SCP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!-)[^:@\s]+")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*(?:[~^][0-9]*)*")
_FORMS = "use uma pasta, file://, https:// ou ssh (git@host:caminho), com @REV no fim se quiser uma revisão"


@dataclass(frozen=True, kw_only=True, slots=True)
class GitopsSpec:
    """Either ``folder`` (local) or ``url`` (https or ssh); ``revision`` None is the work tree, or the remote's HEAD."""

    folder: Path | None = None
    url: str | None = None
    revision: str | None = None


def parse_gitops(text: str, *, offline: bool) -> GitopsSpec:
    """Read the option; InputError for other protocols, a secret in the address, a bad revision, network when offline.

    A local path that exists as written wins; otherwise the rightmost ``@`` whose left side exists begins the revision.
    A ``file://`` address is a local repository, read at its HEAD unless a revision is given.
    """
    where = show_path(text)
    if not text or show_path(text) != text or text.startswith("-"):
        raise InputError("endereço inválido", where=where, mend=_FORMS)
    if _HELPER.match(text):
        raise InputError("protocolo recusado: o endereço nomeia um programa", where=where, mend=_FORMS)
    if _SCHEME.match(text):
        return _address(text, offline=offline)
    address, revision = _split_scp(text)
    if address is not None and not Path(text).exists():
        return _remote(address, revision, offline=offline)
    return _local(text)


def check_revision(revision: str, *, where: str) -> str:
    """A branch, tag or id, with ``~n`` and ``^n``; InputError for anything that git could read as more than that."""
    if _REVISION.fullmatch(revision) is None or ".." in revision or "//" in revision or len(revision) > 250:
        raise InputError("revisão inválida", where=where, mend="use um ramo, uma etiqueta ou um id de commit")
    return revision


def _address(text: str, *, offline: bool) -> GitopsSpec:
    where = show_path(text)
    try:
        parts = urlsplit(text)
        host, port, password = parts.hostname or "", parts.port, parts.password
    except ValueError as error:
        raise InputError("endereço inválido", where=where, mend=_FORMS) from error
    path, _, revision = parts.path.rpartition("@") if "@" in parts.path else (parts.path, "", "")
    scheme = parts.scheme.lower()
    if password is not None or (scheme == "https" and parts.username):
        # The address itself is not repeated: it holds the secret.
        raise InputError(
            "há um segredo no endereço", where=f"{scheme}://{host}", mend="use ssh ou um token do ambiente"
        )
    if parts.query or parts.fragment or not path.strip("/"):
        raise InputError("endereço inválido", where=where, mend=_FORMS)
    if scheme == "file":
        if host not in {"", "localhost"}:
            raise InputError("file:// aponta para outra máquina", where=where, mend=_FORMS)
        folder = Path(os.fsdecode(unquote(path)))
        return GitopsSpec(folder=folder, revision=check_revision(revision or "HEAD", where=where))
    if scheme not in {"https", "ssh"}:
        raise InputError(f"protocolo recusado: {scheme}", where=where, mend=_FORMS)
    if _HOST.fullmatch(host if ":" not in host else f"[{host}]") is None or (parts.username or "x").startswith("-"):
        raise InputError("endereço inválido", where=where, mend=_FORMS)
    user = f"{parts.username}@" if parts.username else ""
    place = host if ":" not in host else f"[{host}]"
    number = f":{port}" if port is not None else ""
    return _remote(f"{scheme}://{user}{place}{number}{path}", revision or None, offline=offline)


def _split_scp(text: str) -> tuple[str | None, str | None]:
    if _SCP.fullmatch(text):
        return text, None
    address, at, revision = text.rpartition("@")
    return (address, revision) if at and _SCP.fullmatch(address) else (None, None)


def _remote(url: str, revision: str | None, *, offline: bool) -> GitopsSpec:
    if offline:
        raise InputError("endereço de rede com --offline", where=show_path(url), mend="clone antes e indique a pasta")
    return GitopsSpec(url=url, revision=None if revision is None else check_revision(revision, where=show_path(url)))


def _local(text: str) -> GitopsSpec:
    if os.path.lexists(text):
        return GitopsSpec(folder=Path(text))
    at = len(text)
    while (at := text.rfind("@", 0, at)) > 0:
        if os.path.lexists(text[:at]):
            return GitopsSpec(folder=Path(text[:at]), revision=check_revision(text[at + 1 :], where=show_path(text)))
    raise InputError("não existe", where=show_path(text), mend=_FORMS)

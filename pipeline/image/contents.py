"""What may not stand in an image: names and contents that give something away, programs that its base cannot run."""

from __future__ import annotations

import re

__all__ = ["KEY_MARK", "forbidden_name", "holds_private_key", "needed_libc"]

KEY_MARK = b"PRIVATE KEY-----"
# A header alone stands in every library that reads keys; a header and a body is a key.
_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----(?:\\r|\\n|\s)*"
    rb"(?:[A-Za-z-]{1,40}: [^\n]{0,200}(?:\\n|\n))*(?:\\r|\\n|[\s\"'+,])*[A-Za-z0-9+/=]{40}"
)
_FORBIDDEN = re.compile(
    r"(?:.*/)?(?:\.npmrc|\.yarnrc(?:\.ya?ml)?|\.netrc|\.git|\.git-credentials|\.ssh|\.docker|\.aws|\.kube|\.gnupg|\.pypirc"
    r"|\.env(?:\.[\w.-]+)?|\.yarn|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]+\.(?:p12|pfx|jks|keystore|kdbx)|kubeconfig)"
)
_ELF = b"\x7fELF"
_LIBC = re.compile(rb"GLIBC_(\d{1,3})\.(\d{1,3})(?:\.\d{1,3})?\0")


def forbidden_name(path: str) -> bool:
    """Whether a name is one of those under which credentials and package managers' settings are kept."""
    return _FORBIDDEN.fullmatch(path) is not None


def holds_private_key(content: bytes) -> bool:
    """Whether a private key stands in the content, also inside a string of source code."""
    return _KEY.search(content) is not None


def needed_libc(content: bytes) -> tuple[int, int]:
    """The newest glibc that a program or native module asks for; (0, 0) where it asks for none."""
    if not content.startswith(_ELF):
        return 0, 0
    return max(((int(major), int(minor)) for major, minor in _LIBC.findall(content)), default=(0, 0))

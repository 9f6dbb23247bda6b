"""Which names promise a secret, and whether a value is one, a blank to fill in, or a reference to where it is kept."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

__all__ = ["Verdict", "classify", "is_sensitive", "name_words", "names_resource"]

Verdict = Literal["literal", "placeholder"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LAST = _words(
    "accesskey adminpass apikey apitoken authkey authtoken credential credentials encryptionkey "
    "masterauth masterkey pass passphrase passwd password privatekey pwd requirepass rootpass secret "
    "secretkey senha signingkey token"
)
_BEFORE_KEY = _words(
    "access account api app auth crypto encryption hmac jwt license master private recovery secret "
    "session shared signing ssh storage unseal"
)
# Words that make the next one something else: ``max_token``, ``proxy_pass``, ``next_token``, ``cost_per_token``.
_HARMLESS_BEFORE = _words(
    "bos by continuation continue csrf eos existing fastcgi grpc image mask next pad page pagination per "
    "proxy pull special stop tls unk uwsgi xsrf"
)
_HARMLESS_FIRST = _words(
    "allow change disable enable enabled existing forgot generate has is max min num require reset rotate "
    "show skip update use uses"
)
_OWN_SECRET = _words("app auth client consumer cookie hmac jwt oauth oidc session shared signing webhook")
_KEY_OF = frozenset({"encryption", "private", "signing"})
_PAIRS = frozenset(
    {("secret", "id"), ("clear", "value"), ("encryption", "salt"), ("hash", "salt"), ("derivation", "salt")}
)
_ENDINGS = ("password", "passwd", "senha", "apikey", "secretkey", "clientsecret", "authtoken", "accesstoken")
_NO_VALUE = _words(
    "none null nil undefined true false yes no on off string str text object integer int boolean bool any required "
    "optional auto automatic generic opaque bearer basic jwt oidc oauth oauth2 vault kubernetes n/a enabled disabled "
    "internal external header cookie query managed varchar read write"
)
_DEFAULT = re.compile(
    r"\$\{\w+:?[-=]([^{}]*)\}|\bdefault\s+[\"']([^\"'{}]+)[\"']|\bdefault\s*\(\s*[\"']([^\"'{}]+)[\"']"
)
_EXPANSION = re.compile(
    r"\$\{|\$\(|\{\{|\[\[|<%|\{%|`|^\$\$?\w+$|\$[A-Z_][A-Z0-9_]{2,}|^%\w+%$|^%\(?\w*\)?[sdv]$|^\{[A-Za-z_][\w.]*\}$|^@@\w+@@$|"
    r"^ENC\[|\$__"
)
_REFERENCE = re.compile(
    r"(?:os\.environ|process\.env|import\.meta|env[./:(]|getenv|vault[:/]|ref\+|file[:/(]|secret:|secretref:|arn:|op://|sm://|"
    r"<path:|projects/[\w-]+/secrets|azurekeyvault|@[./\w]|[!=]|\.{1,2}/|/|~/|\.[A-Za-z]|\$\.|"
    r"(?:input|data|values|config|settings|self|this|req|request|ctx|args|params|secrets|inputs|steps|item|body|claims)\.[A-Za-z_])",
    re.IGNORECASE,
)
_LOWER_PATH = re.compile(r"[a-z0-9._*-]+(?:/[a-z0-9._*<>{}-]+)+(?:[#:][\w.-]+)?")
_CALL = re.compile(r"[A-Za-z_][\w.]*\(.*\)")
_HASH = re.compile(r"\$(?:2[abxy]?|argon2\w*|[156]|apr1)\$|\{S?SHA\d*\}|pbkdf2", re.IGNORECASE)
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PLACEHOLDER = re.compile(
    r"<[^<>]*>|change[-_ .]?(?:me|it|this)|dummy|placeholder|examp|exempl|(?:^|[-_])(?:your|my|seu|sua|meu|minha)[-_]|"
    r"^(?:todo|tbd|fixme|test-?token|fake.*|mock.*|redacted|hidden|masked|removed|sample.*|none-?needed)$|"
    r"replace[-_ ]?(?:me|with|this)|substitu|troqu|trocar|alter[ae]r?(?:[-_]|$)|defin[aei]r?(?:[-_]|$)|preench|insir|"
    r"inserir|insert[-_]|fill[-_ ]?(?:me|in)|not[-_ ]?(?:set|used|needed|required|a[-_]real)|[-_](?:here|aqui)$|"
    r"^[x*•._-]{3,}$|x{5,}|\*{3,}|\.\.\.|…",
    re.IGNORECASE,
)
_RESOURCE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}|(?:[0-9][^0-9]{0,4}){6}")  # what no one names a Secret
_RESOURCE_WORD = re.compile(r"[-.]|secret|cred|tls|cert|token")


@lru_cache(maxsize=4096)
def name_words(name: str) -> tuple[str, ...]:
    """Words of an identifier in any of the usual spellings, in lower case, a number at the end left out."""
    words = [word.lower() for word in _PART.findall(name[:200])]
    while words and words[-1].isdigit():
        words.pop()
    return tuple(words)


@lru_cache(maxsize=4096)
def is_sensitive(name: str) -> bool:
    """Whether the name says that its value is a secret; ``passwordMtime`` and ``token_url`` say it is not."""
    words = name_words(name)
    if not words or words[0] in _HARMLESS_FIRST or "public" in words:
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "key":
        return before in _BEFORE_KEY or bool(_KEY_OF & set(words[:-1]))
    if words[-2:] in _PAIRS or words[-3:] == ("secret", "key", "base"):
        return True
    return (words[-1] in _LAST or words[-1].endswith(_ENDINGS)) and before not in _HARMLESS_BEFORE


def names_resource(name: str, value: str, *, structured: bool) -> bool:
    """Whether the value of a key such as ``existingSecret`` or ``secretKey`` names a Secret object, or a key of one.

    Outside a schema (``structured`` False: a variable) only a value that ends like such a name does.
    """
    words = name_words(name)
    if not words or not _RESOURCE.fullmatch(value) or _RANDOM.search(value):
        return False
    if words[-1] == "key":
        return (
            structured
            and words[-2:-1] in {("secret",), ("access",), ("private",), ("api",)}
            and (is_sensitive(value) or bool(re.search(r"[-.]", value)))
        )
    if words[-1] not in {"secret", "credential", "credentials", "token"}:
        return False
    if not structured or words[-1] == "token" or (len(words) > 1 and words[-2] in _OWN_SECRET):
        return bool(re.search(r"-(?:secrets?|credentials|creds|token|tls)$", value))
    return len(words) == 1 or bool(_RESOURCE_WORD.search(value))


def classify(value: str) -> tuple[Verdict, str] | None:
    """What a value under a sensitive name is, with the literal part; None for references, paths, empty texts.

    ``${VAR}`` is a reference, ``${VAR:-value}`` carries a literal; ``changeme`` and ``<...>`` are placeholders.
    """
    text = value.strip().strip("\"'").strip()
    for found in _DEFAULT.finditer(text) if "$" in text or "default" in text else ():
        carried = classify(next((group for group in found.groups() if group), ""))
        if carried is not None:
            return carried
    if len(text) < 2 or text.lower() in _NO_VALUE or _EXPANSION.search(text):  # no secret is one letter
        return None
    if not text.strip("*•"):
        return None  # a value that was masked already
    if _PLACEHOLDER.search(text) and not _REFERENCE.match(text):
        return "placeholder", text
    if _REFERENCE.match(text) or "://" in text or _HASH.match(text):
        return None
    if _LOWER_PATH.fullmatch(text) or _CALL.fullmatch(text) or any(char.isspace() for char in text):
        return None
    if _VARIABLE_NAME.fullmatch(text) and is_sensitive(text):
        return None
    return "literal", text

"""Finds literal secrets in the words of a shell command, and in the arguments of a container."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.rules.secrets_text import Secret, in_pair, in_text, in_value
from pipeline.rules.secrets_words import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["in_words"]

_FLAG = re.compile(r"--?([A-Za-z][\w.-]*)")
_USER_FLAGS = {"curl": ("-u", "--user"), "wget": ("--user",)}
_PASSWORD_FLAGS = {"sshpass": "-p", "redis-cli": "-a"}
_SCRIPT = re.compile(r"[\s{]")


def in_words(words: Sequence[str]) -> Iterator[Secret]:
    """Secrets in the words of one shell command, quotes already removed."""
    tool = next((word.rpartition("/")[2] for word in words if "=" not in word and word not in {"sudo", "env"}), "")
    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else ""
        flag = _FLAG.fullmatch(word)
        if flag and after and not after.startswith("-"):
            found = in_pair(flag[1], after) if word.startswith("--") else None
            if found is None and word in _USER_FLAGS.get(tool, ()) and ":" in after:
                found = in_pair("password", after.partition(":")[2])
            if found is None and word == _PASSWORD_FLAGS.get(tool):
                found = in_pair("password", after)
            if found is not None:
                yield replace(found, name=found.name or flag[1])
                continue
        before = words[index - 1] if index else ""
        if before.startswith("--") and "=" not in before and is_sensitive(before):
            continue  # judged with its flag
        yield from _in_word(word)
    if tool == "mc" and list(words[1:3]) == ["alias", "set"] and len(words) > 6:
        found = in_pair("secret_key", words[6])
        if found is not None:
            yield found


def _in_word(word: str) -> Iterator[Secret]:
    if _SCRIPT.search(word):
        yield from in_text(word, "shell")
        return
    body = word.lstrip("-")
    if body.startswith("from-literal="):
        body = body.removeprefix("from-literal=")
    name, equals, value = body.partition("=")
    if "," in value and "=" in value:
        yield from in_text(body, "shell")
        return
    found = in_pair(name, value) if equals else in_value(word)
    if found is not None:
        yield found

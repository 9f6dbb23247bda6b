"""The ``[opinion]`` table of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["OpinionSettings", "settings_fault"]

_MODES = ("off", "advisory", "enforcing")
_ENGINES = ("auto", "offline", "litellm")
_LIMITS = {
    "deadline_seconds": (1, 600),
    "tries": (1, 5),
    "answer_kb": (1, 4096),
    "answer_tokens": (256, 32_000),
    "prompt_tokens": (4000, 1_000_000),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpinionSettings:
    """``enforcing`` makes the opinion a gate, ``advisory`` only tells it, ``off`` leaves it out.

    ``engine``: ``auto`` asks the gateway where one is configured, ``offline`` never, ``litellm`` counts its absence as
    an opinion that could not be had. ``hosts`` are the only gateways that may be asked, any where it is empty.
    """

    mode: str = "enforcing"
    engine: str = "auto"
    model: str = "parecer"
    environment: str = ""
    hosts: tuple[str, ...] = ()
    deadline_seconds: int = 60
    tries: int = 3
    answer_kb: int = 256
    answer_tokens: int = 2000
    prompt_tokens: int = 60_000
    seed: int = 7


def settings_fault(values: dict[str, Any]) -> str:
    """What is wrong with the values (pt-BR); empty where nothing is."""
    for name, known in (("mode", _MODES), ("engine", _ENGINES)):
        if name in values and values[name] not in known:
            return f"{name} deve ser um de {', '.join(known)}"
    for name, (low, high) in _LIMITS.items():
        if name in values and not low <= values[name] <= high:
            return f"{name} deve estar entre {low} e {high}"
    return "model não pode ser vazio" if values.get("model") == "" else ""

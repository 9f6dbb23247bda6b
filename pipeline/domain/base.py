"""The base of every value that is written to an artifact: closed, and its own JSON Schema."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Record"]


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decoding one with an unknown key, a missing key or another type fails.

    Each subclass says ``frozen=True, kw_only=True`` again, since neither is inherited.
    """

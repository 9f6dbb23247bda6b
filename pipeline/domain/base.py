"""The base of every value that is written to an artifact: frozen, closed, and its own JSON Schema."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Record"]


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frozen, keyword-only; decoding one with an unknown or missing key fails."""

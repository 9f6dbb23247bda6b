"""All rules that the package holds: every Rule that a module beside this one declares, found and not registered."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

import pipeline.rules
from pipeline.audit.rule import Rule

__all__ = ["load_rules"]


@lru_cache(maxsize=1)
def load_rules() -> tuple[Rule, ...]:
    """Rules by id. ValueError when two share one."""
    found: dict[str, Rule] = {}
    for info in pkgutil.iter_modules(pipeline.rules.__path__):
        module = importlib.import_module(f"pipeline.rules.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Rule) and found.setdefault(value.id, value) is not value:
                raise ValueError(f"two rules are called {value.id}")
    return tuple(found[rule_id] for rule_id in sorted(found))

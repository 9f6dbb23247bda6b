"""Values of unknown shape read as the shape a rule expects: what is not a map, a list or a text counts as empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.audit.views import ObjectView
    from pipeline.domain.finding import PatchChange, PathKey

__all__ = ["items", "mapping", "maps", "put", "text", "texts", "words"]


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def maps(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Maps of a list with their index."""
    return [(index, each) for index, each in enumerate(items(value)) if isinstance(each, dict)]


def texts(value: Any) -> list[tuple[int, str]]:
    """Texts of a list with their index."""
    return [(index, each) for index, each in enumerate(items(value)) if isinstance(each, str)]


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def words(name: str) -> list[str]:
    """Parts of a Kubernetes name between ``-``, ``.``, ``_`` and ``/``, in lower case."""
    return name.lower().replace(".", "-").replace("_", "-").replace("/", "-").split("-")


def put(found: ObjectView, *path: PathKey, to: object) -> PatchChange:
    """``found.set`` where something on the way may be no map: then it becomes one."""
    for count in range(1, len(path)):
        held = found.get(*path[:count])
        inside = isinstance(held, dict) or (isinstance(held, list) and isinstance(path[count], int))
        if held is not None and not inside:
            value = to
            for part in reversed(path[count:]):
                value = {part: value}
            return found.set(*path[:count], to=value)
    return found.set(*path, to=to)

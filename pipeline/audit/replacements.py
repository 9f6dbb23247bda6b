"""``replacements`` of a kustomization: a value of one object, or a part of it, put into others (kustomize v5).

As kustomize does it, a replacement whose source or field is missing ends the whole build: here it is Refused.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.audit.overlay import Refused
from pipeline.audit.patches import selects
from pipeline.yamldoc import resolve_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.audit.overlay import Origin, Overlay
    from pipeline.audit.views import ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

__all__ = ["Copied", "Replacement", "apply_replacement", "copy_value", "is_chosen", "read_replacements"]

_NAME = "metadata.name"
# Parts of a field path: a dot in brackets, or behind a backslash, belongs to its part.
_PART = re.compile(r"(\[[^\]]*\]|(?:\\.|[^.\[\\])+)(?:\.|$)")
_ITEM = re.compile(r"\[([^=\]]*)=([^\]]*)\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """One entry: ``source`` and ``targets`` as written."""

    source: dict[str, Any]
    targets: tuple[dict[str, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """A value of the source, and where it is written."""

    value: Any
    origin: Origin


def read_replacements(layer: ObjectView, module: ModuleView) -> tuple[Replacement, ...]:
    """The entries of a kustomization, those of the files that it names too, in order."""
    return tuple(
        Replacement(source=_map(each.get("source")), targets=tuple(_maps(each.get("targets"))))
        for each in _entries(layer, module)
    )


def _entries(layer: ObjectView, module: ModuleView) -> Iterator[dict[str, Any]]:
    for entry in _maps(layer.get("replacements")):
        if not isinstance(entry.get("path"), str):
            yield entry
            continue
        file = module.by_path.get(posixpath.normpath(posixpath.join(layer.file.folder, entry["path"])))
        for document in file.yaml.documents if file is not None else ():  # GIT-DANGLING tells of one that is missing
            yield from _maps(document.value if isinstance(document.value, list) else [document.value])


def is_chosen(selector: dict[str, Any], found: ObjectView, now: dict[str, Any]) -> bool:
    """Whether a source, select or reject means the object, by its own name and namespace or those it has by ``now``."""
    version = found.api_version.rpartition("/")[2]
    for field, value in (("kind", found.kind), ("group", found.group), ("version", version)):
        if selector.get(field) not in (None, "", value):
            return False
    metadata = _map(now.get("metadata"))
    own = (found.name, found.get_source("metadata", "namespace"))
    if not any(_is_named(selector, *each) for each in (own, (metadata.get("name"), metadata.get("namespace")))):
        return False
    return all(
        selects(selector.get(f"{field[:-1]}Selector"), _map(metadata.get(field))) for field in ("labels", "annotations")
    )


def _is_named(selector: dict[str, Any], name: Any, namespace: Any) -> bool:
    return selector.get("name") in (None, "", name) and selector.get("namespace") in (None, "", namespace)


def copy_value(
    replacement: Replacement, held: dict[str, Any], locate: Callable[[tuple[PathKey, ...]], Origin]
) -> Copied:
    """What the source gives; ``held`` is the source object, ``locate`` says where a path of it is written."""
    written = str(replacement.source.get("fieldPath") or _NAME)
    found = list(_places(held, _parts(written), ()))
    if len(found) != 1:
        raise Refused(f"a origem `{written}` de um `replacements` não existe: a kustomization não renderiza")
    value = _at(held, found[0])
    options = _map(replacement.source.get("options"))
    if options.get("delimiter"):
        pieces = _text(value).split(str(options["delimiter"]))
        index = _index(options)
        if not 0 <= index < len(pieces):
            raise Refused(f"a origem `{written}` de um `replacements` não tem a parte {index}")
        value = pieces[index]
    return Copied(value=value, origin=locate(found[0]))


def apply_replacement(
    replacement: Replacement, found: ObjectView, overlays: tuple[Overlay, Overlay], copied: Callable[[], Copied]
) -> None:
    """Put the value into the object, wherever it is a target; the second overlay is the object as it now stands."""
    for target in replacement.targets:
        chosen = is_chosen(_map(target.get("select")), found, overlays[1].value)
        if not chosen or any(is_chosen(each, found, overlays[1].value) for each in _maps(target.get("reject"))):
            continue
        options = _map(target.get("options"))
        for written in _list(target.get("fieldPaths")) or [_NAME]:
            for overlay in overlays:
                _put(overlay, str(written), options, copied())


def _put(overlay: Overlay, written: str, options: dict[str, Any], copied: Copied) -> None:
    parts = _parts(written)
    places = list(_places(overlay.value, parts, ()))
    names = tuple(part for part in parts if isinstance(part, str) and part != "*")
    if not places and options.get("create") and len(names) == len(parts):
        overlay.put(names, _created(copied.value), copied.origin)
        return
    if not places:
        raise Refused(f"o campo `{written}`, alvo de um `replacements`, não existe: a kustomization não renderiza")
    for place in places:
        overlay.put(place, _replaced(_at(overlay.value, place), options, copied.value), copied.origin)


def _created(value: Any) -> Any:
    """Kustomize writes a text into a new field without quotes."""
    return resolve_plain(value) if isinstance(value, str) else value


def _replaced(now: Any, options: dict[str, Any], value: Any) -> Any:
    """The target's value: with a delimiter one part of it, else its whole text, a text where it was a text."""
    if options.get("delimiter"):
        delimiter, index = str(options["delimiter"]), _index(options)
        pieces, new = _text(now).split(delimiter), _text(value)
        if index < 0:
            pieces.insert(0, new)
        elif index >= len(pieces):
            pieces.append(new)
        else:
            pieces[index] = new
        value = delimiter.join(pieces)
    if isinstance(now, dict | list):
        return value
    return _text(value) if isinstance(now, str) else _created(_text(value))


def _text(value: Any) -> str:
    """A scalar as its node says it."""
    if isinstance(value, dict | list):
        raise Refused("um `replacements` copia um mapa ou lista onde há um texto: não é interpretado")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _index(options: dict[str, Any]) -> int:
    index = options.get("index", 0)
    return index if isinstance(index, int) else 0


class _Item(NamedTuple):
    """``[key=value]``: items of a list, maps by a field or scalars where ``key`` is empty."""

    key: str
    value: str


def _parts(written: str) -> list[str | _Item]:
    parts = [found[1] for found in _PART.finditer(written)]
    if ".".join(parts) != written.removesuffix("."):
        raise Refused(f"o campo `{written[:60]}` de um `replacements` não é interpretado")
    return [_part(part) for part in parts]


def _part(written: str) -> str | _Item:
    """One part: ``[key=value]``, a key in brackets, or a key in which a backslash takes a dot's meaning away."""
    item = _ITEM.fullmatch(written)
    if item is not None:
        return _Item(key=item[1], value=item[2])
    return written[1:-1] if written.startswith("[") else re.sub(r"\\(.)", r"\1", written)


def _places(held: Any, parts: list[str | _Item], path: tuple[PathKey, ...]) -> Iterator[tuple[PathKey, ...]]:
    """Paths of the values that a field path means."""
    if not parts:
        yield path
        return
    part, rest = parts[0], parts[1:]
    if isinstance(held, dict) and isinstance(part, str):
        for name in held if part == "*" else [part] if part in held else []:
            yield from _places(held[name], rest, (*path, name))
    elif isinstance(held, list):
        for index, value in enumerate(held):
            if _is_item(part, index, value):
                yield from _places(value, rest, (*path, index))


def _is_item(part: str | _Item, index: int, value: Any) -> bool:
    """Whether a part of a field path means this item of a list."""
    if isinstance(part, str):
        return part in ("*", str(index))
    held = value.get(part.key) if part.key and isinstance(value, dict) else value
    return held is not None and not isinstance(held, dict | list) and _text(held) == part.value


def _at(held: Any, path: tuple[PathKey, ...]) -> Any:
    for part in path:
        held = held[part]
    return held


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _maps(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]

"""A copy of an object that patches change, which remembers where every value that they set is written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import FileView
    from pipeline.domain.finding import PathKey
    from pipeline.yamldoc import YamlDocument

__all__ = ["Origin", "Overlay", "Refused", "image_with"]

_Path = tuple["PathKey", ...]
_CONTAINERS = frozenset(("containers", "initContainers"))
# What names an item of a list of the core API; other lists, and every list of a custom kind, are replaced whole.
_KEYS = {
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ports": ("containerPort", "port"),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_IDENTITY = frozenset((("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")))


class Refused(Exception):  # noqa: N818  # an answer, not a failure
    """A patch that this renderer does not carry out; the reason is pt-BR."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a value is written: ``path`` in a document, and the line and column (from 0) inside a text there."""

    file: FileView
    document: YamlDocument
    path: _Path
    inside: tuple[int, int] | None = None

    def below(self, path: _Path) -> Origin:
        """The place of a part of the value; inside a text, the value's own."""
        if self.inside is not None:
            return self
        return Origin(file=self.file, document=self.document, path=(*self.path, *path))


Locate = Callable[[_Path], Origin]


@dataclass(kw_only=True)
class Overlay:
    """``value`` is changed in place. ``origins`` knows the top of each subtree that a patch set.

    ``shifted`` are lists whose items no longer stand at the index that they have in the source.
    """

    value: dict[str, Any]
    origins: dict[_Path, Origin] = field(default_factory=dict)
    shifted: set[_Path] = field(default_factory=set)
    deleted: bool = False

    def merge(self, patch: dict[str, Any], locate: Locate, *, core: bool) -> None:
        """A strategic merge; ``core`` says that lists of the core API are merged by their keys."""
        if patch.get("$patch") == "delete":
            self.deleted = True
            return
        self._merge_map(self.value, patch, (), (), locate, core=core)

    def _merge_map(
        self, held: dict[str, Any], patch: dict[str, Any], at: _Path, place: _Path, locate: Locate, *, core: bool
    ) -> None:
        if patch.get("$patch") == "replace":
            held.clear()
        for key, value in patch.items():
            here, there = (*at, key), (*place, key)
            if key == "$patch" or here in _IDENTITY:
                continue
            if key.startswith("$"):
                raise Refused(f"a diretiva `{key}` do patch não é interpretada")
            now = held.get(key)
            if value is None:
                if held.pop(key, None) is not None:
                    self.origins[here] = locate(there)
            elif isinstance(value, dict) and isinstance(now, dict):
                self._merge_map(now, value, here, there, locate, core=core)
            elif isinstance(value, list) and isinstance(now, list) and core and key in _KEYS and _maps(value, now):
                self._merge_list(now, value, here, there, locate)
            elif value != now:
                self._set(held, key, value, here, locate(there))

    def _merge_list(self, held: list[Any], patch: list[Any], at: _Path, place: _Path, locate: Locate) -> None:
        names = _KEYS[str(at[-1])]
        for index, item in enumerate(patch):
            there = (*place, index)
            if item.get("$patch") == "replace":
                raise Refused("`$patch: replace` numa lista não é interpretado")
            found = next((number for number, each in enumerate(held) if _same(each, item, names)), None)
            if item.get("$patch") == "delete":
                if found is not None:
                    del held[found]
                    self.shifted.add(at)
            elif found is not None:
                self._merge_map(held[found], item, (*at, found), there, locate, core=True)
            else:  # kustomize puts it first; last, the items of the source keep their index
                held.append(_plain(item))
                self.origins[*at, len(held) - 1] = locate(there)

    def operate(self, steps: list[Any], locate: Locate) -> None:
        """RFC 6902 ``add``, ``remove``, ``replace`` and ``test``."""
        for number, step in enumerate(steps):
            if not isinstance(step, dict) or not isinstance(step.get("path"), str):
                raise Refused("operação JSON6902 sem `path`")
            op, value = step.get("op"), step.get("value")
            holder, path = self._walk(step["path"])
            if op == "test":
                if _get(holder, path[-1]) != value:
                    raise Refused(f"a operação `test` em `{step['path']}` não confere: a kustomization não renderiza")
            elif op in {"add", "replace"}:
                self._put(op, holder, path, value, locate((number, "value")))
            elif op == "remove":
                self._remove(holder, path, locate((number,)))
            else:
                raise Refused(f"a operação `{op}` do patch não é interpretada")

    def _walk(self, pointer: str) -> tuple[Any, _Path]:
        """What holds the last part of a pointer, and the whole path with list indexes as numbers."""
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        holder: Any = self.value
        path: list[PathKey] = []
        for number, part in enumerate(parts):
            key: PathKey = part
            if isinstance(holder, list):
                key = len(holder) if part == "-" else int(part) if part.isdecimal() and len(part) < 6 else -1
            path.append(key)
            if number < len(parts) - 1:
                holder = _get(holder, key)
        if not path or not isinstance(holder, dict | list):
            raise Refused(f"`{pointer}` não existe no objeto: a kustomization não renderiza")
        return holder, tuple(path)

    def _put(self, op: str, holder: Any, path: _Path, value: Any, origin: Origin) -> None:
        key = path[-1]
        if isinstance(holder, dict) and isinstance(key, str):
            if op == "replace" and key not in holder:
                raise Refused(f"`replace` de `{key}`, que o objeto não tem: a kustomization não renderiza")
            self._set(holder, key, value, path, origin)
            return
        if not isinstance(holder, list) or not isinstance(key, int) or not 0 <= key <= len(holder):
            raise Refused("índice de lista fora do objeto: a kustomization não renderiza")
        if op == "replace" and key < len(holder):
            holder[key] = copy.deepcopy(value)
        else:
            if key < len(holder):
                self.shifted.add(path[:-1])
            holder.insert(key, copy.deepcopy(value))
        self.origins[path] = origin

    def _remove(self, holder: Any, path: _Path, origin: Origin) -> None:
        key = path[-1]
        if isinstance(holder, dict) and key in holder:
            del holder[key]
            self.origins[path] = origin
        elif isinstance(holder, list) and isinstance(key, int) and 0 <= key < len(holder):
            del holder[key]
            self.shifted.add(path[:-1])
        else:
            raise Refused(f"`remove` de `{key}`, que o objeto não tem: a kustomization não renderiza")

    def pin(self, entry: dict[str, Any], locate: Locate) -> None:
        """One entry of ``images``: the name, tag or digest of every container that uses the image."""
        field_name = next((key for key in ("digest", "newTag", "tagSuffix", "newName") if entry.get(key)), None)
        if field_name is None:
            return
        for path, container in list(_containers(self.value, ())):
            wanted = image_with(container.get("image"), entry)
            if wanted is not None:
                container["image"] = wanted
                if field_name != "newName":  # the tag still is the source's
                    self.origins[*path, "image"] = locate((field_name,))

    def put(self, path: _Path, value: Any, origin: Origin) -> None:
        """The value at a path; maps on the way that are missing are made."""
        holder: Any = self.value
        for part in path[:-1]:
            held = _get(holder, part)
            if held is None and isinstance(holder, dict) and isinstance(part, str):
                held = holder[part] = {}
            holder = held
        key = path[-1]
        if not isinstance(holder, dict) if isinstance(key, str) else not isinstance(holder, list):
            raise Refused(f"`{key}` não cabe onde o `replacements` o põe: a kustomization não renderiza")
        held = holder
        held[key] = copy.deepcopy(value)
        self.origins[path] = origin

    def scale(self, count: Any, origin: Origin) -> None:
        """One entry of ``replicas``."""
        spec = self.value.get("spec")
        if isinstance(spec, dict):
            self._set(spec, "replicas", count, ("spec", "replicas"), origin)

    def _set(self, holder: dict[str, Any], key: str, value: Any, path: _Path, origin: Origin) -> None:
        holder[key] = _plain(value)
        self.origins[path] = origin


def image_with(image: Any, entry: dict[str, Any]) -> str | None:
    """The reference as an entry of ``images`` rewrites it; None where the entry is for another image."""
    if not isinstance(image, str) or not isinstance(entry.get("name"), str):
        return None
    rest, _, digest = image.partition("@")
    head, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    if head + slash + name != entry["name"]:
        return None
    new_tag, new_digest = entry.get("newTag"), entry.get("digest")
    if new_tag or new_digest:
        tag, digest = str(new_tag or ""), str(new_digest or "")
    elif entry.get("tagSuffix"):
        tag += str(entry["tagSuffix"])
    made = str(entry.get("newName") or entry["name"])
    return made + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _containers(value: Any, path: _Path) -> Iterator[tuple[_Path, dict[str, Any]]]:
    """Items of every list that is called ``containers`` or ``initContainers``."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _CONTAINERS and isinstance(item, list):
                yield from (((*path, key, at), each) for at, each in enumerate(item) if isinstance(each, dict))
            yield from _containers(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _containers(item, (*path, index))


def _maps(*lists: list[Any]) -> bool:
    return all(isinstance(item, dict) for each in lists for item in each)


def _same(held: dict[str, Any], item: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(name in item and held.get(name) == item[name] for name in names) and held.get(
        "protocol", "TCP"
    ) == item.get("protocol", "TCP")


def _get(holder: Any, key: PathKey) -> Any:
    if isinstance(holder, dict):
        return holder.get(key)
    return holder[key] if isinstance(holder, list) and isinstance(key, int) and 0 <= key < len(holder) else None


def _plain(value: Any) -> Any:
    """A copy without nulls and directives, as a merge leaves it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None and not key.startswith("$")}
    return [_plain(item) for item in value] if isinstance(value, list) else value

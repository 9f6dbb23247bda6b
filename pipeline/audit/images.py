"""Container images wherever a module names them, with the reference taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.domain.finding import Operation
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ComposeService, ModuleView, ObjectView
    from pipeline.domain.finding import Change, Param, PatchChange, PathKey

__all__ = ["ImageReference", "ImageUse", "images", "parse_reference"]

_EXPANSION = re.compile(r"\$\{?\w|\{\{")


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """``[registry/]repository[:tag][@digest]``; ``repository`` keeps the registry, port included."""

    repository: str
    tag: str | None
    digest: str | None


def parse_reference(text: str) -> ImageReference:
    """Take a reference apart; a port in the registry is no tag.

    >>> parse_reference("registry:5000/app")
    ImageReference(repository='registry:5000/app', tag=None, digest=None)
    """
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    name, colon, tag = last.partition(":")
    return ImageReference(repository=head + slash + name, tag=tag if colon else None, digest=digest or None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageUse:
    """One place that names an image. ``text`` is the reference as a client would read it.

    ``path`` leads from ``holder`` to the value to change: the reference, or ``tag`` of a Helm image map.
    """

    holder: ObjectView | ComposeService
    path: tuple[PathKey, ...]
    text: str
    is_map: bool = False

    @property
    def reference(self) -> ImageReference:
        return parse_reference(self.text)

    @property
    def is_variable(self) -> bool:
        """Left to a variable or a template: nothing to judge here."""
        return bool(_EXPANSION.search(self.text))

    def breach(self, detail: str, *, changes: tuple[Change, ...] = ()) -> Breach:
        return self.holder.breach(detail, *self.path, changes=changes)

    def replace(self, value: str | Param) -> PatchChange:
        """A change of the reference (or of the ``tag`` of a Helm image map)."""
        exists = _has(self.holder.value, self.path)
        return self.holder.patch(
            Operation(op="replace" if exists else "add", path=json_pointer(self.path), value=value)
        )


def images(module: ModuleView) -> Iterator[ImageUse]:
    """Every image of containers, custom resources, Compose services and Helm image maps."""
    for found in module.objects:
        yield from _in_map(found, found.value, ())
    for file in module.files:
        for service in file.compose:
            if isinstance(service.value.get("image"), str):
                yield ImageUse(holder=service, path=("image",), text=service.value["image"])


def _in_map(holder: ObjectView, root: dict[str, Any], base: tuple[PathKey, ...]) -> Iterator[ImageUse]:
    stack: list[tuple[tuple[PathKey, ...], Any]] = [(base, root)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            image = value.get("image")
            if isinstance(image, str) and path and (set(value) - {"image"} or _is_container(path)):
                yield ImageUse(holder=holder, path=(*path, "image"), text=image)
            elif isinstance(image, dict) and isinstance(image.get("repository"), str):
                yield _helm(holder, (*path, "image"), image)
            stack.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            stack.extend(((*path, index), value[index]) for index in range(len(value) - 1, -1, -1))


def _is_container(path: tuple[PathKey, ...]) -> bool:
    return any(part in {"containers", "initContainers", "container"} for part in path[-2:])


def _helm(holder: ObjectView, path: tuple[PathKey, ...], image: dict[str, Any]) -> ImageUse:
    registry = f"{image['registry']}/" if isinstance(image.get("registry"), str) and image["registry"] else ""
    tag, digest = image.get("tag"), image.get("digest")
    text = registry + image["repository"]
    text += f":{tag}" if tag not in (None, "") else ""
    text += f"@{digest}" if digest not in (None, "") else ""
    return ImageUse(holder=holder, path=(*path, "tag"), text=text, is_map=True)


def _has(value: Any, path: tuple[PathKey, ...]) -> bool:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True

"""Container images wherever a module names them, with the reference taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pipeline.audit.hints import hint
from pipeline.audit.objects import under
from pipeline.audit.selecting import selects
from pipeline.audit.texts import FenceView, ValuesView, sources, syntax_of, unread_lines, values
from pipeline.audit.views import ComposeService, ObjectView
from pipeline.domain.finding import Operation
from pipeline.yamldoc import json_pointer, load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import FileView, ModuleView
    from pipeline.domain.finding import Change, Param, PatchChange, PathKey, TextChange

__all__ = ["ImageReference", "ImageUse", "images", "parse_reference"]

_NAMED = hint("image", "repository", "newTag")
_EXPANSION = re.compile(r"\$\{?\w|\$\(|\{\{")
_DEFAULT = re.compile(r"\$\{\w+:?-([^{}]*)\}")
_LINE = re.compile(
    r"\s*(?:-\s+)?[\"']?image[\"']?:\s*[\"']?((?:\$\{[^}\s]{0,200}\}|[^\s\"'#,}|>&*{\[])(?:\$\{[^}\s]{0,200}\}|[^\s\"'#,}])*)"
)
_FROM = re.compile(r"\s*FROM\s+(?:--platform=\S+\s+)?([^\s#]+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_HELM_KINDS = frozenset({"Application", "ApplicationSet", "HelmRelease", "HelmChart", "HelmChartConfig"})
_NO_IMAGE = re.compile(r"(?:https?://|[./]\S*$|\S+\.(?:png|svg|jpe?g|gif|webp|ico|qcow2|iso|img)$)", re.IGNORECASE)


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


@dataclass(frozen=True, eq=False)
class _TextPlace:
    """An image named in a text that no YAML parser has read."""

    owner: FileView | FenceView
    line: int
    column: int
    value: None = None

    def breach(self, detail: str, *_path: PathKey, changes: tuple[Change, ...] = ()) -> Breach:
        return self.owner.breach(detail, line=self.line, column=self.column, changes=changes)


@dataclass(frozen=True, eq=False)
class _NestedPlace:
    """An image named in YAML that stands as a text inside an object; ``row`` and ``column`` count in it from 0."""

    object: ObjectView
    path: tuple[PathKey, ...]
    row: int
    column: int
    written: str
    value: None = None

    def breach(self, detail: str, *_path: PathKey, changes: tuple[Change, ...] = ()) -> Breach:
        made = self.object.breach(detail, *self.path, key=self.written, changes=changes)
        return replace(made, inside=(self.row, self.column))

    def change(self, value: str | Param) -> TextChange | None:
        """A change of what is written; None where the place in the file cannot be told."""
        file = self.object.file
        line = self.object.document.text_line((*self.object.base, *self.path), self.row)
        column = -1 if line is None else file.lines[line - 1].find(self.written)
        return None if line is None or column < 0 else file.replace(line, column + 1, self.written, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageUse:
    """One place that names an image. ``text`` is the reference as written, the parts of a map put together.

    ``path`` leads from ``holder`` to the value to change: the reference, or, where ``is_map``, the tag alone.
    """

    holder: ObjectView | ComposeService | ValuesView | _TextPlace | _NestedPlace
    path: tuple[PathKey, ...]
    text: str
    is_map: bool = False

    @property
    def pulled(self) -> str:
        """What a client pulls where no variable is set: ``${TAG:-latest}`` is ``latest``."""
        return _DEFAULT.sub(r"\1", self.text) if "${" in self.text else self.text

    @property
    def reference(self) -> ImageReference:
        return parse_reference(self.pulled)

    @property
    def is_variable(self) -> bool:
        """Left to a variable or a template: nothing to judge here."""
        return bool(_EXPANSION.search(self.pulled))

    @property
    def container(self) -> dict[str, Any]:
        """The map that holds the reference; empty where there is none."""
        value: Any = self.holder.value
        value = None if value is None else _at(value, self.path[:-1])
        return value if isinstance(value, dict) and not self.is_map else {}

    def breach(self, detail: str, *, changes: tuple[Change, ...] = ()) -> Breach:
        return self.holder.breach(detail, *self.path, changes=changes)

    def changes(self, value: str | Param) -> tuple[Change, ...]:
        """The change of the reference (of the tag alone, where ``is_map``); none where a text cannot be changed."""
        if isinstance(self.holder, _TextPlace):
            return (self.holder.owner.replace(self.holder.line, self.holder.column, self.text, value),)
        if isinstance(self.holder, _NestedPlace):
            change = self.holder.change(value)
            return () if change is None else (change,)
        return (self.set(self.path, value),)

    def set(self, path: tuple[PathKey, ...], value: object) -> PatchChange:
        """A change of another value of the same holder; only where ``container`` is not empty."""
        assert isinstance(self.holder, ObjectView | ValuesView | ComposeService)  # noqa: S101  # texts have no container
        op: Literal["add", "replace"] = "replace" if _has(self.holder.value, path) else "add"
        return self.holder.patch(Operation(op=op, path=json_pointer(path), value=value))


@selects("imagens")
def images(module: ModuleView) -> Iterator[ImageUse]:
    """Every image of containers, custom resources, Compose services, Helm and Kustomize image maps, Dockerfiles.

    Where a file or an excerpt does not parse, its ``image:`` lines are read as text.
    """
    for found in module.select(values):
        if not found.hints & _NAMED:
            continue
        if found.kind == "CustomResourceDefinition" if isinstance(found, ObjectView) else found.is_compose:
            continue
        yield from _in_map(found, found.value)
        if isinstance(found, ObjectView) and found.kind in _HELM_KINDS:
            yield from _in_helm_values(found)
    for file in module.files:
        for service in file.compose:
            if isinstance(service.value.get("image"), str):
                yield ImageUse(holder=service, path=("image",), text=service.value["image"])
    for source in module.select(sources):
        yield from _in_text(source)


def _in_map(holder: ObjectView | ValuesView, root: Any) -> Iterator[ImageUse]:
    for path, value in under(root, "image", "repository", "newTag"):
        key = path[-1]
        if key == "image":
            if isinstance(value, str) and len(path) > 1 and _names_image(value, path, root):
                yield ImageUse(holder=holder, path=path, text=value)
        elif key == "repository":
            if len(path) > 1 and path[-2] == "image" and isinstance(value, str):
                yield _helm(holder, path[:-1], _at(root, path[:-1]))
        elif key == "newTag" and isinstance(value, str):
            beside = _at(root, path[:-1])
            name = beside.get("newName") or beside.get("name")
            if isinstance(name, str):
                yield ImageUse(holder=holder, path=path, text=f"{name}:{value}", is_map=True)


def _at(root: Any, path: tuple[PathKey, ...]) -> Any:
    for part in path:
        root = root[part]
    return root


def _in_helm_values(found: ObjectView) -> Iterator[ImageUse]:
    for path, value in found.scalars:
        if not isinstance(value, str) or "\n" not in value or path[-1] not in {"values", "valuesContent"}:
            continue
        for document in load_yaml(value).documents:
            for use in _in_map(found, document.value):
                if not _has(document.value, use.path):
                    continue
                place = document.position(use.path)
                written = str(document.find(use.path)[1].value)
                nested = _NestedPlace(
                    object=found, path=path, row=place.line - 1, column=place.column - 1, written=written
                )
                yield ImageUse(holder=nested, path=(), text=use.text, is_map=use.is_map)


def _in_text(source: FileView | FenceView) -> Iterator[ImageUse]:
    if syntax_of(source.name, source.fence.language if isinstance(source, FenceView) else "") == "docker":
        yield from _in_dockerfile(source)
    elif source.is_yaml and (isinstance(source, FenceView) or not source.yaml.parsed):
        for number, line in unread_lines(source):
            found = _LINE.match(line)
            if found and not _NO_IMAGE.match(found[1]):
                place = _TextPlace(owner=source, line=number, column=found.start(1) + 1)
                yield ImageUse(holder=place, path=(), text=found[1])


def _in_dockerfile(source: FileView | FenceView) -> Iterator[ImageUse]:
    stages = {"scratch"}
    for number, line in enumerate(source.lines, 1):
        found = _FROM.match(line)
        if found is None:
            continue
        if found[1].lower() not in stages:
            place = _TextPlace(owner=source, line=number, column=found.start(1) + 1)
            yield ImageUse(holder=place, path=(), text=found[1])
        if found[2]:
            stages.add(found[2].lower())


def _names_image(image: str, path: tuple[PathKey, ...], root: Any) -> bool:
    return (_is_container(path[:-1]) or len(_at(root, path[:-1])) > 1) and not _NO_IMAGE.match(image)


def _is_container(path: tuple[PathKey, ...]) -> bool:
    return any(part in {"containers", "initContainers", "container"} for part in path[-2:])


def _helm(holder: ObjectView | ValuesView, path: tuple[PathKey, ...], image: dict[str, Any]) -> ImageUse:
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

"""Objects and services of YAML files, as the cluster or Compose would run them: what most rules judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pipeline.audit.hints import EVERY_HINT
from pipeline.audit.places import DocumentPlace
from pipeline.audit.rule import Breach
from pipeline.domain.finding import ObjectRef, Operation, PatchChange
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Unpack

    from pipeline.audit.kustomize import Render
    from pipeline.audit.places import Extras
    from pipeline.audit.views import FileView, ModuleView
    from pipeline.domain.finding import PathKey
    from pipeline.yamldoc import YamlDocument

__all__ = [
    "ComposeService",
    "ContainerView",
    "ObjectView",
    "PodView",
    "entries_of",
    "objects_in",
    "scalars_of",
    "services_of",
    "under",
]

POD_PATHS: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout"),
        ("spec", "template"),
    ),
}


def _at(value: Any, path: Iterable[PathKey]) -> Any:
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


@dataclass(eq=False, kw_only=True)
class ObjectView(DocumentPlace):
    """One Kubernetes-style object: a mapping with ``apiVersion`` and ``kind``.

    ``group`` is its API group, empty for the core group; ``name`` its own name or ``generateName``, empty without.
    """

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...]
    source: dict[str, Any]
    kind: str
    api_version: str
    module: ModuleView = field(init=False, repr=False)
    group: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.module = self.file.module
        self.group = self.api_version.rpartition("/")[0]
        metadata = _mapping(self.source.get("metadata"))
        name = metadata.get("name")
        self.name = name if isinstance(name, str) else str(metadata.get("generateName") or "")

    @cached_property
    def render(self) -> Render | None:
        """What the kustomizations above it make of it; None where none does."""
        return self.module.kustomize.render(self)

    @cached_property
    def value(self) -> dict[str, Any]:
        """The object with what patches, images and replicas of the kustomizations change; ``source`` is as written."""
        return self.source if self.render is None else self.render.value

    @property
    def hints(self) -> int:
        """Hints of rules that its keys and values may have."""
        return self.file.value_hints if self.value is self.source else EVERY_HINT

    @property
    def cluster_name(self) -> str:
        """Its name with the prefixes and suffixes of the kustomizations."""
        name = None if self.render is None else _at(self.render.cluster, ("metadata", "name"))
        return name if isinstance(name, str) else self.name

    @cached_property
    def namespace(self) -> str | None:
        """Its own namespace or the one that the kustomizations above it set."""
        namespace = None if self.render is None else _at(self.render.cluster, ("metadata", "namespace"))
        return namespace if isinstance(namespace, str) else self.own_namespace

    @property
    def _metadata(self) -> dict[str, Any]:
        return _mapping(self.value.get("metadata"))

    @property
    def own_namespace(self) -> str | None:
        namespace = self._metadata.get("namespace")
        return namespace if isinstance(namespace, str) else None

    @property
    def own_labels(self) -> dict[str, Any]:
        return _mapping(self._metadata.get("labels"))

    @cached_property
    def labels(self) -> dict[str, Any]:
        """Its labels with those that kustomizations add on render."""
        return self.own_labels | (self.render.metadata("labels") if self.render else {})

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Its annotations with those that kustomizations add on render."""
        own = _mapping(self._metadata.get("annotations"))
        return own | (self.render.metadata("annotations") if self.render else {})

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(kind=self.kind, name=self.name, namespace=self.namespace)

    @cached_property
    def partial(self) -> bool:
        """A strategic patch, an excerpt, an object that a patch deletes: not judged as a whole object."""
        deleted = self.render is not None and self.render.deleted
        return not self.name or deleted or self.module.kustomize.is_patch(self.file.path)

    def get(self, *path: PathKey) -> Any:
        """Value at ``path`` inside the object, None where there is none."""
        return _at(self.value, path)

    def get_source(self, *path: PathKey) -> Any:
        """Value at ``path`` as the file has it."""
        return _at(self.source, path)

    @cached_property
    def scalars(self) -> list[tuple[tuple[PathKey, ...], Any]]:
        """Every scalar with its path, in document order."""
        return list(scalars_of(self.value))

    @property
    def pod(self) -> PodView | None:
        """The pod or pod template of a workload."""
        return self._pod if self.kind in POD_PATHS else None

    @cached_property
    def _pod(self) -> PodView | None:
        path = POD_PATHS[self.kind]
        return PodView(object=self, path=path) if isinstance(self.get(*path, "spec"), dict) else None

    def breach(self, detail: str, *path: PathKey, **extras: Unpack[Extras]) -> Breach:
        """A breach at ``path`` of the object; where the path does not exist, at its nearest parent.

        What a kustomization supplies is told where it is written, without a correction: the object does not hold it.
        """
        origin = None if self.render is None else self.render.origin(path)
        if origin is not None:
            extras["changes"] = ()
            return Breach(
                detail=detail,
                file=origin.file,
                document=origin.document,
                path=origin.path,
                inside=origin.inside,
                object=self.ref,
                inherited=True,
                **extras,
            )
        if self.render is not None and self.render.shifted:
            shifted = next((each for each in self.render.shifted if path[: len(each)] == each), None)
            if shifted is not None:
                path, extras["changes"] = shifted, ()
        return Breach(
            detail=detail,
            file=self.file,
            document=self.document,
            path=(*self.base, *path),
            object=self.ref,
            **extras,
        )

    def patch(self, *operations: Operation) -> PatchChange:
        """A change of this object; the operations' pointers start at the object."""
        change = super().patch(*operations)
        proof = self._proof()
        return replace(change, operations=(*proof, *change.operations)) if proof else change

    def _proof(self) -> tuple[Operation, ...]:
        """That the right document is changed: those of a broken file are counted as if it were repaired."""
        if self.file.repair is None or len(self.file.yaml.documents) < 2:
            return ()
        value: Any = self.document.value
        name = _at(value, ("metadata", "name"))
        named = () if name is None else (Operation(op="test", path="/metadata/name", value=name),)
        return (Operation(op="test", path="/kind", value=value.get("kind")), *named)

    def set(self, *path: PathKey, to: object) -> PatchChange:
        """A change that adds or replaces the value at ``path``, making the maps on the way that are missing."""
        known = len(path) - 1
        while known > 0 and not isinstance(self.get_source(*path[:known]), dict | list):
            known -= 1
        if known == len(path) - 1:
            held = self.get_source(*path[:known])
            exists = path[-1] in held if isinstance(held, dict) else False
            return self.patch(Operation(op="replace" if exists else "add", path=json_pointer(path), value=to))
        value: object = to
        for part in reversed(path[known + 1 :]):
            value = {part: value}
        held = self.get_source(*path[:known])
        exists = isinstance(held, dict) and path[known] in held
        return self.patch(
            Operation(op="replace" if exists else "add", path=json_pointer(path[: known + 1]), value=value)
        )

    def drop(self, *path: PathKey) -> PatchChange:
        """A change that removes ``path``."""
        return self.patch(Operation(op="remove", path=json_pointer(path)))


@dataclass(frozen=True, eq=False)
class PodView:
    """A pod or pod template; ``path`` leads from the object to what holds its ``metadata`` and ``spec``."""

    object: ObjectView
    path: tuple[str, ...]

    @cached_property
    def spec(self) -> dict[str, Any]:
        return _mapping(self.object.get(*self.path, "spec"))

    @cached_property
    def labels(self) -> dict[str, Any]:
        """Labels of the pod or template with those that kustomizations add on render."""
        return self._with_inherited("labels")

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Annotations of the pod or template with those that kustomizations add on render."""
        return self._with_inherited("annotations")

    def _with_inherited(self, field: str) -> dict[str, Any]:
        own = _mapping(self.object.get(*self.path, "metadata", field))
        render = self.object.render
        if render is None:
            return own
        return own | (render.template(self.object.kind, field) if self.path else render.metadata(field))

    @cached_property
    def containers(self) -> tuple[ContainerView, ...]:
        """Containers and init containers, those without a map left out."""
        return tuple(
            ContainerView(
                pod=self, path=(*self.path, "spec", field, index), value=value, init=field == "initContainers"
            )
            for field in ("initContainers", "containers")
            for index, value in enumerate(_list(self.spec.get(field)))
            if isinstance(value, dict)
        )


@dataclass(frozen=True, eq=False)
class ContainerView:
    """One container of a pod; ``path`` leads from the object to it."""

    pod: PodView
    path: tuple[PathKey, ...]
    value: dict[str, Any]
    init: bool

    @property
    def object(self) -> ObjectView:
        return self.pod.object

    @property
    def name(self) -> str:
        return str(self.value.get("name", ""))

    def breach(self, detail: str, *path: PathKey, **extras: Unpack[Extras]) -> Breach:
        """A breach at ``path`` of the container."""
        return self.object.breach(detail, *self.path, *path, **extras)


@dataclass(frozen=True, eq=False)
class ComposeService(DocumentPlace):
    """One service of a Compose file."""

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...]
    name: str
    value: dict[str, Any]


def services_of(value: dict[str, Any]) -> dict[str, Any]:
    """The ``services`` map of a Compose document; empty where it has none."""
    return _mapping(value.get("services"))


def objects_in(file: FileView, document: YamlDocument) -> Iterator[ObjectView]:
    """Kubernetes-style objects of a document, those inside a List too."""
    yield from _objects(file, document, (), document.value)


def _objects(file: FileView, document: YamlDocument, base: tuple[PathKey, ...], value: Any) -> Iterator[ObjectView]:
    if not isinstance(value, dict):
        return
    kind, version = value.get("kind"), value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        return
    items = value.get("items")
    if kind.endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            yield from _objects(file, document, (*base, "items", index), item)
        return
    yield ObjectView(file=file, document=document, base=base, source=value, kind=kind, api_version=version)


def scalars_of(root: Any) -> Iterator[tuple[tuple[PathKey, ...], Any]]:
    """Every scalar below ``root`` with its path, in document order."""
    if isinstance(root, dict | list):
        return (((*path, key), value) for path, key, value in entries_of(root))
    return iter((((), root),))


def entries_of(root: dict[str, Any] | list[Any]) -> list[tuple[tuple[PathKey, ...], PathKey, Any]]:
    """Every scalar below ``root``: the path of what holds it, its key there, and itself, in document order."""
    found: list[tuple[tuple[PathKey, ...], PathKey, Any]] = []
    _gather(root, (), found)
    return found


def _gather(
    holder: dict[str, Any] | list[Any], path: tuple[PathKey, ...], found: list[tuple[tuple[PathKey, ...], PathKey, Any]]
) -> None:
    """Add the scalars of a map or list; YAML that was read is no deeper than its limit."""
    key: PathKey
    for key, item in holder.items() if isinstance(holder, dict) else enumerate(holder):
        if item.__class__ is dict or item.__class__ is list:
            _gather(item, (*path, key), found)
        else:
            found.append((path, key, item))


def under(root: Any, *keys: str) -> list[tuple[tuple[PathKey, ...], Any]]:
    """Every scalar below ``root`` that stands under one of ``keys``, with its path, in document order."""
    found: list[tuple[tuple[PathKey, ...], Any]] = []
    if isinstance(root, dict | list):
        _find(root, frozenset(keys), (), found)
    return found


def _find(
    holder: dict[str, Any] | list[Any],
    keys: frozenset[str],
    path: tuple[PathKey, ...],
    found: list[tuple[tuple[PathKey, ...], Any]],
) -> None:
    """As ``_gather``, where few scalars are wanted."""
    if isinstance(holder, dict):
        for key, item in holder.items():
            if item.__class__ is dict or item.__class__ is list:
                _find(item, keys, (*path, key), found)
            elif key in keys:
                found.append(((*path, key), item))
    else:
        for index, item in enumerate(holder):
            if item.__class__ is dict or item.__class__ is list:
                _find(item, keys, (*path, index), found)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

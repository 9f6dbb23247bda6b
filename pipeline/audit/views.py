"""What rules look at: the module seen as files, objects, pods, containers, Compose services, prose and commands.

A view copies nothing; it knows where it stands, so that a breach it makes is placed to the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.audit.kustomize import KUSTOMIZATION_NAMES, KustomizeGraph
from pipeline.audit.references import NO_REFERENCES, with_stack
from pipeline.audit.rule import Breach
from pipeline.domain.finding import ObjectRef, Operation, PatchChange, TextChange
from pipeline.yamldoc import YamlFile, json_pointer, load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.audit.kustomize import Render
    from pipeline.audit.policy import Policy
    from pipeline.audit.references import References
    from pipeline.audit.yamlrepair import Repair
    from pipeline.domain.finding import Change, Param, PathKey, Severity
    from pipeline.domain.snapshot import Command, Document, ModuleSnapshot, SourceFile
    from pipeline.yamldoc import YamlDocument

__all__ = [
    "CommandView",
    "ComposeService",
    "ContainerView",
    "DocumentView",
    "FileView",
    "ModuleView",
    "ObjectView",
    "PodView",
    "scalars_of",
]

_YAML_NAME = re.compile(r"\.ya?ml$", re.IGNORECASE)
_KUSTOMIZATION = "Kustomization"
_KUSTOMIZE_KINDS = frozenset((_KUSTOMIZATION, "Component"))
_TEMPLATE = re.compile(r"\{\{|\{%")
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


@dataclass(frozen=True, eq=False)
class FileView:
    """One file of the module."""

    source: SourceFile
    module: ModuleView

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def folder(self) -> str:
        return self.source.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.source.path.rpartition("/")[2]

    @cached_property
    def text(self) -> str:
        return self.source.text

    @cached_property
    def lines(self) -> list[str]:
        """Lines without their ends, broken at LF only."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    @property
    def is_binary(self) -> bool:
        """No text, as git tells: a NUL near the start. A file that is named as YAML is text, whatever it holds."""
        return not self.is_yaml and b"\0" in self.source.content[:8000]

    @property
    def is_yaml(self) -> bool:
        named = self.source.fragment or bool(_YAML_NAME.search(self.path)) or self.name == "Kustomization"
        return named or self._is_json_manifest

    @cached_property
    def _is_json_manifest(self) -> bool:
        """JSON that the cluster would take; other JSON is nobody's manifest."""
        content = self.source.content
        return self.path.endswith(".json") and b'"apiVersion"' in content and b'"kind"' in content

    @property
    def is_template(self) -> bool:
        """A Helm or Jinja template, which is no YAML until it is rendered."""
        return bool(_TEMPLATE.search(self.text)) and not self.yaml.parsed

    @cached_property
    def as_written(self) -> YamlFile:
        """The file as a strict parser reads it; without documents and problems where it is not a YAML file."""
        if not self.is_yaml:
            return YamlFile(documents=(), problems=())
        # JSON indents with tabs too, which YAML refuses; inside its strings a tab is always escaped.
        return load_yaml(self.text.replace("\t", " ") if self._is_json_manifest else self.text)

    @cached_property
    def repair(self) -> Repair | None:
        """What makes the file parse, where it does not and only one way is left."""
        broken = any(problem.code == "syntax" for problem in self.as_written.problems)
        if not broken or self._is_json_manifest:
            return None
        from pipeline.audit.yamlrepair import repair_yaml  # noqa: PLC0415  # few files are broken

        return repair_yaml(self.text, self._faults)

    def _faults(self, values: list[Any]) -> int:
        """How far documents are from whole objects: of two readings of a broken text, the worse one."""
        from pipeline.audit.schema import validate_object  # noqa: PLC0415  # as above

        version = self.module.policy.kubernetes_version or None
        objects = (value for value in values if isinstance(value, dict))
        return sum(len(validate_object(value, kubernetes_version=version).violations) for value in objects)

    @property
    def yaml(self) -> YamlFile:
        """The file as YAML, repaired where it must be and can be; VAL-YAML tells of what is wrong ``as_written``."""
        return self.as_written if self.repair is None else self.repair.file

    @cached_property
    def objects(self) -> tuple[ObjectView, ...]:
        """Kubernetes-style objects, those inside a List too."""
        return tuple(
            found for document in self.yaml.documents for found in _objects(self, document, (), document.value)
        )

    @cached_property
    def kustomization(self) -> ObjectView | None:
        """The kustomization that the file is by its name; kind and version may be left out."""
        if self.name not in KUSTOMIZATION_NAMES or not self.yaml.documents:
            return None
        document = self.yaml.documents[0]
        if not isinstance(document.value, dict) or document.value.get("kind", _KUSTOMIZATION) not in _KUSTOMIZE_KINDS:
            return None
        named = next((each for each in self.objects if each.kind in _KUSTOMIZE_KINDS), None)
        return named or ObjectView(
            file=self,
            document=document,
            base=(),
            source=document.value,
            kind=_KUSTOMIZATION,
            api_version="kustomize.config.k8s.io/v1beta1",
        )

    @cached_property
    def compose(self) -> tuple[ComposeService, ...]:
        """Services, where the file is a Compose file (a ``services`` map and no ``kind``)."""
        return tuple(
            ComposeService(file=self, document=document, name=name, value=value)
            for document in self.yaml.documents
            if isinstance(document.value, dict) and "kind" not in document.value
            for name, value in _mapping(document.value.get("services")).items()
            if isinstance(value, dict) and (value.keys() & {"image", "build"})
        )

    def breach(
        self,
        detail: str,
        *,
        line: int = 1,
        column: int = 1,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach at a line of the text."""
        return Breach(detail=detail, file=self, line=line, column=column, key=key, changes=changes, severity=severity)

    def breach_in(
        self,
        document: YamlDocument,
        detail: str,
        *path: PathKey,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach at a path of a YAML document that is no Kubernetes object (Compose, Helm values)."""
        return Breach(
            detail=detail, file=self, document=document, path=path, key=key, changes=changes, severity=severity
        )

    def replace(self, line: int, column: int, old: str, new: str | Param) -> TextChange:
        """Replace ``old``, which stands at ``line``/``column`` (from 1) on one line, by ``new``."""
        return TextChange(
            path=self.path, line=line, column=column, end_line=line, end_column=column + len(old), old=old, new=new
        )


@dataclass(frozen=True, eq=False)
class ObjectView:
    """One Kubernetes-style object: a mapping with ``apiVersion`` and ``kind``."""

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...]
    source: dict[str, Any]
    kind: str
    api_version: str

    @cached_property
    def render(self) -> Render | None:
        """What the kustomizations above it make of it; None where none does."""
        return self.module.kustomize.render(self)

    @cached_property
    def value(self) -> dict[str, Any]:
        """The object with what patches, images and replicas of the kustomizations change; ``source`` is as written."""
        return self.source if self.render is None else self.render.value

    @property
    def module(self) -> ModuleView:
        return self.file.module

    @property
    def group(self) -> str:
        """API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def name(self) -> str:
        name = _at(self.source, ("metadata", "name"))
        return name if isinstance(name, str) else str(_at(self.source, ("metadata", "generateName")) or "")

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
    def own_namespace(self) -> str | None:
        namespace = _at(self.value, ("metadata", "namespace"))
        return namespace if isinstance(namespace, str) else None

    @property
    def own_labels(self) -> dict[str, Any]:
        return _mapping(_at(self.value, ("metadata", "labels")))

    @cached_property
    def labels(self) -> dict[str, Any]:
        """Its labels with those that kustomizations add on render."""
        return self.own_labels | (self.render.metadata("labels") if self.render else {})

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Its annotations with those that kustomizations add on render."""
        own = _mapping(_at(self.value, ("metadata", "annotations")))
        return own | (self.render.metadata("annotations") if self.render else {})

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(kind=self.kind, name=self.name, namespace=self.namespace)

    @property
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

    @cached_property
    def pod(self) -> PodView | None:
        path = POD_PATHS.get(self.kind)
        if path is None or not isinstance(self.get(*path, "spec"), dict):
            return None
        return PodView(object=self, path=path)

    def breach(
        self,
        detail: str,
        *path: PathKey,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach at ``path`` of the object; where the path does not exist, at its nearest parent.

        What a kustomization supplies is told where it is written, without a correction: the object does not hold it.
        """
        origin = None if self.render is None else self.render.origin(path)
        if origin is not None:
            return Breach(
                detail=detail,
                file=origin.file,
                document=origin.document,
                path=origin.path,
                inside=origin.inside,
                object=self.ref,
                key=key,
                severity=severity,
                inherited=True,
            )
        if self.render is not None and self.render.shifted:
            shifted = next((each for each in self.render.shifted if path[: len(each)] == each), None)
            path, changes = (path, changes) if shifted is None else (shifted, ())
        return Breach(
            detail=detail,
            file=self.file,
            document=self.document,
            path=(*self.base, *path),
            object=self.ref,
            key=key,
            changes=changes,
            severity=severity,
        )

    def patch(self, *operations: Operation) -> PatchChange:
        """A change of this object; the operations' pointers start at the object."""
        base = json_pointer(self.base)
        moved = tuple(Operation(op=each.op, path=base + each.path, value=each.value) for each in operations)
        return PatchChange(path=self.file.path, document=self.document.index, operations=(*self._proof(), *moved))

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

    @property
    def spec(self) -> dict[str, Any]:
        return _mapping(self.object.get(*self.path, "spec"))

    @property
    def labels(self) -> dict[str, Any]:
        """Labels of the pod or template with those that kustomizations add on render."""
        return self._with_inherited("labels")

    @property
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

    def breach(
        self,
        detail: str,
        *path: PathKey,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach at ``path`` of the container."""
        return self.object.breach(detail, *self.path, *path, key=key, changes=changes, severity=severity)


@dataclass(frozen=True, eq=False)
class ComposeService:
    """One service of a Compose file."""

    file: FileView
    document: YamlDocument
    name: str
    value: dict[str, Any]

    @property
    def path(self) -> tuple[PathKey, ...]:
        return ("services", self.name)

    def breach(
        self,
        detail: str,
        *path: PathKey,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach at ``path`` of the service."""
        return self.file.breach_in(
            self.document, detail, *self.path, *path, key=key, changes=changes, severity=severity
        )

    def patch(self, *operations: Operation) -> PatchChange:
        """A change of this service; the operations' pointers start at the service."""
        base = json_pointer(self.path)
        moved = tuple(Operation(op=each.op, path=base + each.path, value=each.value) for each in operations)
        return PatchChange(path=self.file.path, document=self.document.index, operations=moved)


@dataclass(frozen=True, eq=False)
class DocumentView:
    """The module document."""

    document: Document
    module: ModuleView

    def breach(
        self,
        detail: str,
        *,
        line: int = 1,
        column: int = 1,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach at a line of the document."""
        return Breach(detail=detail, line=line, column=column, key=key, changes=changes, severity=severity)

    def replace(self, line: int, column: int, old: str, new: str | Param) -> TextChange:
        """Replace ``old``, which stands at ``line``/``column`` (from 1) on one line, by ``new``."""
        return TextChange(
            path="doc", line=line, column=column, end_line=line, end_column=column + len(old), old=old, new=new
        )


@dataclass(frozen=True, eq=False)
class CommandView:
    """One shell command of the document."""

    command: Command
    document: DocumentView

    @property
    def module(self) -> ModuleView:
        return self.document.module

    def locate(self, text: str) -> tuple[int, int] | None:
        """Line and column (from 1) of the first ``text`` in the lines the command takes, None when quoting hides it."""
        lines = self.document.document.lines
        for number in range(self.command.line, min(self.command.line + 40, len(lines)) + 1):
            column = lines[number - 1].find(text)
            if column >= 0:
                return number, column + 1
            if not lines[number - 1].rstrip("\r").endswith("\\"):
                return None
        return None

    def locate_word(self, word: str) -> tuple[int, int] | None:
        """As ``locate``, where ``word`` stands by itself; None where it does not, or stands twice."""
        whole = re.compile(rf"(?<![\w@./-]){re.escape(word)}(?![\w@./-])")
        lines = self.document.document.lines
        places: list[tuple[int, int]] = []
        for number in range(self.command.line, min(self.command.line + 40, len(lines)) + 1):
            places += [(number, found.start() + 1) for found in whole.finditer(lines[number - 1])]
            if not lines[number - 1].rstrip("\r").endswith("\\"):
                break
        return places[0] if len(places) == 1 else None

    def breach(
        self,
        detail: str,
        *,
        at: tuple[int, int] | None = None,
        key: str = "",
        changes: tuple[Change, ...] = (),
        severity: Severity | None = None,
    ) -> Breach:
        """A breach of the command; ``at`` is a line and column inside it."""
        line, column = at or (self.command.line, 1)
        return self.document.breach(detail, line=line, column=column, key=key, changes=changes, severity=severity)


class ModuleView:
    """The whole module, and the index from selectors to subjects.

    ``files`` are those of text; ``by_path`` knows the others too, since a manifest may refer to them.
    """

    def __init__(self, snapshot: ModuleSnapshot, policy: Policy, references: References = NO_REFERENCES) -> None:
        self.snapshot = snapshot
        self.policy = with_stack(policy, references.stack)
        self.references = references
        self._everything = tuple(FileView(source=source, module=self) for source in snapshot.files)
        self.files = tuple(file for file in self._everything if not file.is_binary)
        self.document = DocumentView(document=snapshot.document, module=self) if snapshot.document else None
        self._selected: dict[Callable[[ModuleView], Iterable[Any]], tuple[Any, ...]] = {}

    def select(self, selector: Callable[[ModuleView], Iterable[Any]]) -> tuple[Any, ...]:
        """Subjects of a selector, found once."""
        if selector not in self._selected:
            self._selected[selector] = tuple(selector(self))
        return self._selected[selector]

    @cached_property
    def objects(self) -> tuple[ObjectView, ...]:
        return tuple(found for file in self.files for found in file.objects)

    @cached_property
    def by_kind(self) -> dict[str, list[ObjectView]]:
        found: dict[str, list[ObjectView]] = {}
        for each in self.objects:
            found.setdefault(each.kind, []).append(each)
        return found

    @cached_property
    def by_path(self) -> dict[str, FileView]:
        return {file.path: file for file in self._everything}

    @cached_property
    def kustomize(self) -> KustomizeGraph:
        return KustomizeGraph(self)


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
    found: list[tuple[tuple[PathKey, ...], Any]] = []
    if isinstance(root, dict | list):
        _gather(root, (), found)
    else:
        found.append(((), root))
    return iter(found)


def _gather(value: Any, path: tuple[PathKey, ...], found: list[tuple[tuple[PathKey, ...], Any]]) -> None:
    """Add the scalars of a map or list; YAML that was read is no deeper than its limit."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if item.__class__ is dict or item.__class__ is list:
            _gather(item, (*path, key), found)
        else:
            found.append(((*path, key), item))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

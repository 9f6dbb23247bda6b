"""What rules look at: the module seen as files, objects, pods, containers, Compose services, prose and commands.

A view copies nothing; it knows where it stands, so that a breach it makes is placed to the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.audit.hints import EVERY_HINT, hint, hints_in
from pipeline.audit.kustomize import KUSTOMIZATION_NAMES, KustomizeGraph
from pipeline.audit.objects import (
    ComposeService,
    ContainerView,
    ObjectView,
    PodView,
    objects_in,
    scalars_of,
    services_of,
)
from pipeline.audit.places import TextPlace
from pipeline.audit.references import NO_REFERENCES, with_stack
from pipeline.yamldoc import YamlFile, load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Unpack

    from pipeline.audit.places import Extras
    from pipeline.audit.policy import Policy
    from pipeline.audit.references import References
    from pipeline.audit.rule import Breach
    from pipeline.audit.yamlrepair import Repair
    from pipeline.domain.snapshot import Command, Document, ModuleSnapshot, SourceFile

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
_SERVICES = hint("services")
# In double quotes these may stand for a part of a word; other escapes are none.
_ESCAPED = re.compile(rb"\\[xuU/\r\n]")
_TEMPLATE = re.compile(r"\{\{|\{%")


@dataclass(eq=False, kw_only=True)
class FileView(TextPlace):
    """One file of the module. Its path and the parts of it are asked for all the time."""

    source: SourceFile
    module: ModuleView
    path: str = field(init=False)
    folder: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.source.path
        self.folder, _, self.name = self.path.rpartition("/")

    def release(self) -> None:
        """Let go of what was read of it; what is asked for later is read again."""
        for kept in ("text", "lines", "as_written", "repair", "yaml", "objects", "kustomization", "compose"):
            self.__dict__.pop(kept, None)

    @cached_property
    def text(self) -> str:
        return self.source.text

    @cached_property
    def lines(self) -> list[str]:
        """Lines without their ends, broken at LF only."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    @cached_property
    def hints(self) -> int:
        """Hints of rules that the text has, the bits of ``hint`` together."""
        return hints_in(self.source.content)

    @cached_property
    def value_hints(self) -> int:
        """Hints that keys and values of its YAML may have: all, where some are written in escapes."""
        return EVERY_HINT if _ESCAPED.search(self.source.content) else self.hints

    @property
    def is_binary(self) -> bool:
        """No text, as git tells: a NUL near the start. A file that is named as YAML is text, whatever it holds."""
        return not self.is_yaml and b"\0" in self.source.content[:8000]

    @cached_property
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

    @cached_property
    def yaml(self) -> YamlFile:
        """The file as YAML, repaired where it must be and can be; VAL-YAML tells of what is wrong ``as_written``."""
        return self.as_written if self.repair is None else self.repair.file

    @cached_property
    def objects(self) -> tuple[ObjectView, ...]:
        """Kubernetes-style objects, those inside a List too."""
        return tuple(found for document in self.yaml.documents for found in objects_in(self, document))

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
        if not self.value_hints & _SERVICES:
            return ()
        return tuple(
            ComposeService(file=self, document=document, base=("services", name), name=name, value=value)
            for document in self.yaml.documents
            if isinstance(document.value, dict) and "kind" not in document.value
            for name, value in services_of(document.value).items()
            if isinstance(value, dict) and (value.keys() & {"image", "build"})
        )

    def _home(self, line: int, column: int) -> tuple[FileView, int, int]:
        return self, line, column


@dataclass(frozen=True, eq=False)
class DocumentView(TextPlace):
    """The module document."""

    document: Document
    module: ModuleView

    def _home(self, line: int, column: int) -> tuple[None, int, int]:
        return None, line, column


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

    def breach(self, detail: str, *, at: tuple[int, int] | None = None, **extras: Unpack[Extras]) -> Breach:
        """A breach of the command; ``at`` is a line and column inside it."""
        line, column = at or (self.command.line, 1)
        return self.document.breach(detail, line=line, column=column, **extras)


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

    def release(self) -> None:
        """Let go of all that was read. Views refer to one another, and the collector looks for cycles but rarely."""
        for file in self._everything:
            file.release()
        for kept in ("objects", "by_kind", "by_path", "kustomize"):
            self.__dict__.pop(kept, None)
        self._selected.clear()

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

"""What a module holds beside objects and Compose services: other YAML, files of text, fences that are no file."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pipeline.audit.hints import hints_in
from pipeline.audit.places import DocumentPlace, TextPlace
from pipeline.audit.views import FileView, ObjectView, scalars_of
from pipeline.domain.snapshot import Fence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.views import DocumentView, ModuleView
    from pipeline.domain.finding import PathKey
    from pipeline.domain.snapshot import Segment
    from pipeline.yamldoc import YamlDocument

__all__ = ["FenceView", "Syntax", "ValuesView", "loose_fences", "sources", "syntax_of", "unread_lines", "values"]

Syntax = Literal["code", "config", "docker", "env", "policy", "prose", "shell"]

_WORDS: dict[Syntax, str] = {
    "code": "py python js jsx mjs cjs ts tsx mts javascript typescript go golang java kt kotlin rb ruby php rs rust cs "
    "csharp scala groovy lua sql tf hcl terraform jenkinsfile",
    "shell": "bash sh shell zsh ksh dash console shell-session shellsession terminal makefile mk make",
    "docker": "dockerfile containerfile docker",
    "env": "env dotenv",
    "policy": "rego",
    "prose": "md markdown mdx txt text rst mermaid diff patch csv log output plantuml",
}
_BY_WORD: dict[str, Syntax] = {word: syntax for syntax, words in _WORDS.items() for word in words.split()}


@lru_cache(maxsize=1024)
def syntax_of(name: str, language: str = "") -> Syntax:
    """How a text is to be read, by the fence's language or else by the file's name."""
    language = language.lower()
    if language in _BY_WORD:
        return _BY_WORD[language]
    base = name.rpartition("/")[2].lower()
    if base.startswith((".env", "env.")) or base.endswith(".env"):
        return "env"
    if base.startswith(("dockerfile", "containerfile")):
        return "docker"
    return _BY_WORD.get(base.rpartition(".")[2], "config")


@dataclass(frozen=True, eq=False)
class ValuesView(DocumentPlace):
    """A YAML document that holds no object: a Compose file, Helm values, the configuration of an application."""

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...] = ()

    @property
    def module(self) -> ModuleView:
        return self.file.module

    @property
    def hints(self) -> int:
        """Hints of rules that its keys and values may have."""
        return self.file.value_hints

    @property
    def value(self) -> Any:
        return self.document.value

    @property
    def is_compose(self) -> bool:
        value = self.document.value
        return isinstance(value, dict) and isinstance(value.get("services"), dict)

    @cached_property
    def scalars(self) -> list[tuple[tuple[PathKey, ...], Any]]:
        """Every scalar with its path, in document order."""
        return list(scalars_of(self.document.value))


@dataclass(frozen=True, eq=False)
class FenceView(TextPlace):
    """A fenced block that is neither a file nor shell: an excerpt, or code. Lines count inside it, from 1."""

    fence: Fence
    document: DocumentView

    @property
    def name(self) -> str:
        return (self.fence.label or "").rpartition("/")[2]

    @property
    def module(self) -> ModuleView:
        return self.document.module

    @property
    def text(self) -> str:
        return self.fence.content

    @cached_property
    def hints(self) -> int:
        """Hints of rules that the text has."""
        return hints_in(self.fence.content.encode("utf-8", "surrogatepass"))

    @cached_property
    def lines(self) -> list[str]:
        return self.fence.content.split("\n")

    @property
    def is_yaml(self) -> bool:
        return self.fence.language.lower() in {"yaml", "yml"}

    def _home(self, line: int, column: int) -> tuple[None, int, int]:
        dropped = self.fence.dropped
        before = dropped[line - 1] if 0 < line <= len(dropped) else self.fence.indent
        return None, self.fence.first_line + line - 1, column + before


def values(module: ModuleView) -> Iterator[ObjectView | ValuesView]:
    """Every object, and every YAML document that holds none, as what has ``scalars`` and can be patched."""
    for file in module.files:
        yield from file.objects
        holding = {found.document.index for found in file.objects}
        for document in file.yaml.documents:
            if document.index not in holding and isinstance(document.value, dict | list):
                yield ValuesView(file=file, document=document)


def loose_fences(module: ModuleView) -> Iterator[FenceView]:
    """Fences that are neither a file of the module nor shell."""
    if module.document is None:
        return
    taken = {line for file in module.files for segment in file.source.segments for line in _span(segment)}
    taken.update(command.line for command in module.document.document.commands)
    for fence in module.document.document.fences:
        lines = range(fence.first_line, fence.first_line + fence.line_count)
        if _BY_WORD.get(fence.language.lower()) != "shell" and taken.isdisjoint(lines):
            yield FenceView(fence=fence, document=module.document)


_LONGEST_DELIMITER = 200  # characters, its indentation included
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([\w.-]+)\1")
_TARGET = re.compile(r">>?\s*[\"']?([^\s\"'<>|;&]+)|\btee\s+(?:-a\s+)?[\"']?([^\s\"'<>|;&]+)")


def _refused_bodies(module: ModuleView) -> Iterator[FenceView]:
    """Here-documents whose target was refused or could not be followed: no file, but the document shows them."""
    view = module.document
    if view is None:
        return
    lines = view.document.lines
    held = {line for file in module.files for part in file.source.segments for line in _span(part)}
    ends: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        if len(line) <= _LONGEST_DELIMITER:
            ends.setdefault(line.strip(), []).append(number)
    for command in view.document.commands:
        opened = _HEREDOC.search(lines[command.line - 1]) if 0 < command.line <= len(lines) else None
        if opened is None or command.line + 1 in held:
            continue
        first = command.line + 1
        closing = ends.get(opened[2], [])
        index = bisect_left(closing, first)
        end = closing[index] if index < len(closing) else first
        target = _TARGET.search(lines[command.line - 1])
        fence = Fence(
            language="",
            info="",
            line=command.line,
            first_line=first,
            line_count=end - first,
            indent=0,
            content="\n".join(lines[first - 1 : end - 1]),
            label=target[1] or target[2] if target else None,
            section=command.section,
        )
        yield FenceView(fence=fence, document=view)


def _span(segment: Segment) -> range:
    return range(segment.document_line, segment.document_line + segment.line_count)


def sources(module: ModuleView) -> Iterator[FileView | FenceView]:
    """Every file, every fence that is neither a file nor shell, every here-document that became no file."""
    yield from module.files
    yield from module.select(loose_fences)
    yield from module.select(_refused_bodies)


def unread_lines(file: FileView | FenceView) -> Iterator[tuple[int, str]]:
    """Lines, with their numbers, that no parsed YAML document of the file holds: all, where it is no YAML."""
    read: set[int] = set()
    if isinstance(file, FileView):
        for document in file.yaml.documents:
            place = document.position(())
            read.update(range(place.line, place.end_line + (place.end_column > 1)))
    for number, line in enumerate(file.lines, 1):
        if number not in read and line.strip():
            yield number, line

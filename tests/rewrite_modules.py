"""Modules for the rewrite's tests: a document with here-documents, read by a reader small enough to be trusted."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pipeline.domain.finding import Operation, PatchChange, TextChange
from pipeline.domain.rewrite import PlannedChange
from pipeline.domain.snapshot import Document, ModuleSnapshot, Origin, Segment, SourceFile

if TYPE_CHECKING:
    from random import Random

_OPENING = re.compile(r"^(\s*)cat >>? ?(?P<path>\S+) <<(?P<strip>-?) ?(?P<quote>'?)(?P<end>\w+)'?\r?$")


def read_files(data: bytes) -> dict[str, bytes]:
    return {file.path: file.content for file in _embedded(data.decode())}


def snapshot_of(text: str, tree: dict[str, bytes] | None = None, path: str = "docs/m.md") -> ModuleSnapshot:
    """The document's here-documents and the tree's files."""
    document = Document(
        path=path,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        lines=tuple(text.split("\n")),
        headings=(),
        fences=(),
        commands=(),
        fenced_lines=frozenset(),
    )
    files = (*_embedded(text), *tree_files(tree or {}))
    return ModuleSnapshot(id="M99", title="t", version="v0", sha256="", document=document, files=files)


def tree_of(tree: dict[str, bytes]) -> ModuleSnapshot:
    return ModuleSnapshot(id="M99", title="t", version="v0", sha256="", document=None, files=tree_files(tree))


def tree_files(tree: dict[str, bytes]) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(path=path, content=data, sha256=hashlib.sha256(data).hexdigest(), origin=Origin(kind="tree"))
        for path, data in tree.items()
    )


def patch(path: str, *operations: tuple[str, str] | tuple[str, str, object], document: int = 0) -> PlannedChange:
    built = tuple(
        Operation(op=each[0], path=each[1], value=each[2] if len(each) > 2 else None)  # type: ignore[arg-type]
        for each in operations
    )
    return PlannedChange(action="M99-AC-001", change=PatchChange(path=path, document=document, operations=built))


def text(path: str, line: int, column: int, old: str, new: str, action: str = "M99-AC-002") -> PlannedChange:
    """Replace ``old`` at a place by ``new``."""
    rows = old.split("\n")
    end_line = line + len(rows) - 1
    end_column = len(rows[-1]) + (column if len(rows) == 1 else 1)
    change = TextChange(path=path, line=line, column=column, end_line=end_line, end_column=end_column, old=old, new=new)
    return PlannedChange(action=action, change=change)


def random_document(random: Random, contents: list[str]) -> str:
    """Each file in a heredoc: plain, in an indented fence, with the tabs of ``<<-``, some in two parts."""
    lines = ["# Título", ""]
    for number, content in enumerate(contents):
        indent = " " * random.choice((0, 0, 3))
        tabs = "\t" if random.randrange(3) == 0 else ""
        rows = content.removesuffix("\n").split("\n")
        cut = random.randrange(len(rows)) if random.randrange(3) == 0 else 0
        lines += [f"{indent}```bash"]
        for operator, part in ((">", rows[:cut] if cut else rows), (">>", rows[cut:] if cut else [])):
            if part:
                lines.append(f"{indent}cat {operator} files/f{number}.yaml <<{'-' if tabs else ''}'EOF'")
                lines += [indent + tabs + row if row else "" for row in part]
                lines.append(f"{indent}EOF")
        lines += [f"{indent}```", "", f"Texto {number}."]
    return "\n".join(lines) + "\n"


def _embedded(text: str) -> tuple[SourceFile, ...]:
    """Files of ``cat > path <<EOF``; ``cat >>`` appends; an indented fence's own spaces are taken off."""
    lines = text.split("\n")
    parts: dict[str, list[tuple[int, list[str], list[int], bool]]] = {}
    number = 0
    while number < len(lines):
        found = _OPENING.match(lines[number])
        number += 1
        if not found:
            continue
        first, rows, dropped = number, [], []
        while number < len(lines):
            line = lines[number]
            spaces = min(len(found[1]), len(line) - len(line.lstrip(" ")))
            bare = line[spaces:]
            cut = spaces + (len(bare) - len(bare.lstrip("\t")) if found["strip"] else 0)
            number += 1
            if line[cut:].rstrip("\r") == found["end"]:
                break
            rows.append(line[cut:])
            dropped.append(cut)
        part = (first + 1, rows, dropped, not found["quote"])
        if ">>" in lines[first - 1]:
            parts.setdefault(found["path"], []).append(part)
        else:
            parts[found["path"]] = [part]
    return tuple(_file(path, blocks) for path, blocks in parts.items())


def _file(path: str, blocks: list[tuple[int, list[str], list[int], bool]]) -> SourceFile:
    content = "".join(f"{row}\n" for _, rows, _, _ in blocks for row in rows).encode()
    segments = []
    line = 1
    for first, rows, dropped, _ in blocks:
        segments.append(Segment(first_line=line, line_count=len(rows), document_line=first, dropped=tuple(dropped)))
        line += len(rows)
    return SourceFile(
        path=path,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        origin=Origin(kind="heredoc", document_line=blocks[0][0]),
        segments=tuple(segments),
        expands=any(expands for _, _, _, expands in blocks),
    )

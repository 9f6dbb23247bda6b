"""MODULO_REESCRITO: the plan applied to the document, the files it embeds and the tree, every other byte kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.domain.finding import CreateFile, PatchChange, TextChange
from pipeline.domain.rewrite import Applied, NotApplied, RewrittenModule
from pipeline.errors import IntegrityError
from pipeline.flow.patching import build_patch
from pipeline.flow.splices import Refusal
from pipeline.flow.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.domain.finding import Change
    from pipeline.domain.rewrite import PlannedChange
    from pipeline.domain.snapshot import ModuleSnapshot, SourceFile

__all__ = ["rewrite"]


def rewrite(
    snapshot: ModuleSnapshot,
    actions: Sequence[PlannedChange],
    *,
    twins: Sequence[SourceFile] = (),
    read_document_files: Callable[[bytes], Mapping[str, bytes]] | None = None,
) -> RewrittenModule:
    """Apply the changes in order; each that cannot be applied and proven is left out, with its reason, alone.

    ``twins`` are the tree's files that the snapshot leaves out because the document has their path: both copies get the
    same changes, or neither does.
    ``read_document_files`` reads the embedded files (path to content) out of a document's bytes; with it the new
    document is read again and must hold exactly the files that the edits were to give. Without it they are read back
    through their shifted segments. Raises nothing for bad changes.
    """
    units = _units(actions)
    module = _Module(snapshot=snapshot, twins=tuple(twins), read=read_document_files)
    result = _run(module, units, careful=False) or _run(module, units, careful=True)
    if result is None:  # pragma: no cover - each unit was proven before the next
        raise IntegrityError("a reescrita não pôde ser provada", mend="relate este erro")
    return result


def _units(actions: Iterable[PlannedChange]) -> list[list[PlannedChange]]:
    """Changes that stand or fall together, in order."""
    numbered = enumerate(actions)
    groups = groupby(numbered, key=lambda row: (row[1].action, row[1].unit) if row[1].unit else row[0])
    return [[change for _, change in group] for _, group in groups]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Module:
    snapshot: ModuleSnapshot
    twins: tuple[SourceFile, ...]
    read: Callable[[bytes], Mapping[str, bytes]] | None


def _run(module: _Module, units: list[list[PlannedChange]], *, careful: bool) -> RewrittenModule | None:
    """One pass; None where the result as a whole does not prove. ``careful`` proves after each unit and drops it."""
    space = Workspace(module.snapshot, module.twins, module.read)
    applied: list[Applied] = []
    refused: list[NotApplied] = []
    for unit in units:
        before = space.save()
        done: list[Applied] = []
        try:
            for planned in unit:
                done.append(_apply(space, planned))  # noqa: PERF401 - what was done before a refusal is needed
            if careful and any(each.changed for each in done):
                space.verify()
        except Refusal as refusal:
            space.restore(before)
            refused += _refusals(unit, min(len(done), len(unit) - 1), str(refusal))
        else:
            applied += done
    try:
        space.verify()
    except Refusal:
        return None
    return _result(module, space, applied, refused)


def _apply(space: Workspace, planned: PlannedChange) -> Applied:
    change = planned.change
    if isinstance(change, PatchChange):
        changed = space.patch(change)
    elif isinstance(change, TextChange):
        changed = space.replace(change)
    else:
        changed = space.create(change)
    return Applied(action=planned.action, path=change.path, summary=_summary(change), changed=changed)


def _refusals(unit: list[PlannedChange], guilty: int, reason: str) -> list[NotApplied]:
    others = f"desfeita com o conjunto de que faz parte ({reason})"
    return [
        NotApplied(action=each.action, path=each.change.path, reason=reason if number == guilty else others)
        for number, each in enumerate(unit)
    ]


def _summary(change: Change) -> str:
    if isinstance(change, CreateFile):
        return f"cria o arquivo ({change.content.count(chr(10))} linhas)"
    if isinstance(change, TextChange):
        return f"altera o texto da linha {change.line}, coluna {change.column}"
    verbs = {"add": "inclui", "remove": "remove", "replace": "altera", "test": "confere"}
    told = [f"{verbs[each.op]} {each.path or '/'}" for each in change.operations]
    more = f" e mais {len(told) - 6}" if len(told) > 6 else ""
    return "; ".join(told[:6]) + more


def _result(module: _Module, space: Workspace, applied: list[Applied], refused: list[NotApplied]) -> RewrittenModule:
    snapshot = module.snapshot
    document = space.document()
    files = tuple(sorted(space.files(), key=lambda file: (file.path, file.origin.kind)))
    old = {file.path: file.content for file in (*snapshot.files, *module.twins) if file.origin.kind == "tree"}
    new = {file.path: file.content for file in files if file.origin.kind == "tree"}
    path = snapshot.document.path if snapshot.document else None
    if path is not None and document is not None:
        old[path], new[path] = space.source() or b"", document
    changed = {name for name in new if old.get(name) != new[name]}
    patch = build_patch({name: old[name] for name in changed & old.keys()}, {name: new[name] for name in changed})
    return RewrittenModule(
        document_path=path,
        document=document,
        files=files,
        applied=tuple(applied),
        not_applied=tuple(refused),
        patch=patch,
    )

"""The rewritten module, read again: what proves a rewrite, and what takes the source to it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex
from pipeline.domain.artifact import Proof
from pipeline.domain.finding import FixMode
from pipeline.domain.rewrite import PlannedChange
from pipeline.domain.snapshot import Origin, SourceFile
from pipeline.flow.patching import build_patch
from pipeline.flow.planning import build_plan
from pipeline.flow.rewriting import rewrite
from pipeline.module.document import read_document
from pipeline.module.snapshot import build_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.artifact import CorrectionPlan
    from pipeline.domain.finding import NonConformity
    from pipeline.domain.rewrite import RewrittenFile, RewrittenModule
    from pipeline.domain.snapshot import ModuleSnapshot
    from pipeline.flow.planning import Parameters
    from pipeline.intake import Source

__all__ = ["apply_plan", "build_patches", "changed_source", "prove", "read_rewritten", "rewritten_files"]

_TREE = Origin(kind="tree")


def apply_plan(snapshot: ModuleSnapshot, tree: Sequence[SourceFile], plan: CorrectionPlan) -> RewrittenModule:
    """The plan's changes applied, the result read back by the module reader itself.

    ``tree`` files that the document embeds too change with it.
    """
    changes = [PlannedChange(action=action.id, change=change) for action in plan.actions for change in action.changes]
    embedded = {each.path for each in snapshot.document.files} if snapshot.document else set()
    twins = [each for each in tree if each.path in embedded]
    return rewrite(snapshot, changes, twins=twins, read_document_files=_embedded)


def read_rewritten(done: RewrittenModule, before: ModuleSnapshot) -> ModuleSnapshot:
    """The rewritten module, read again from its bytes alone."""
    document = None
    if done.document is not None and before.document is not None:
        document = read_document(done.document, path=before.document.path)
    tree = tuple(_as_source(each) for each in done.files if each.origin.kind == "tree")
    return build_snapshot(document=document, tree=tree, source=before.source, fallback_id=before.id)


def rewritten_files(rewritten: ModuleSnapshot) -> dict[str, bytes]:
    """Everything that the rewrite gives back, by path: each file, embedded or not, and the document."""
    files = {each.path: each.content for each in rewritten.files if not each.fragment}
    if rewritten.document is not None:
        files[rewritten.document.path] = rewritten.document.text.encode()
    return files


def prove(
    done: RewrittenModule,
    *,
    rewritten: ModuleSnapshot,
    plan: CorrectionPlan,
    before: Sequence[NonConformity],
    after: Sequence[NonConformity],
    parameters: Parameters,
) -> Proof:
    """Plan and rewrite once more from the second audit, and compare. ``before`` and ``after`` are open findings."""
    again_plan = build_plan(after, module=plan.module, run=plan.run, mapa_sha256="", parameters=parameters)
    tree = [_as_source(each) for each in done.files if each.origin.kind == "tree"]
    again = apply_plan(rewritten, tree, again_plan)
    ready = {
        closed for action in again_plan.actions if action.changes and not action.decisions for closed in action.closes
    }
    surplus = Counter(map(_kind_of, after)) - Counter(map(_kind_of, before))
    return Proof(
        idempotent=again.document == done.document and not any(each.changed for each in again.files),
        auto_left=tuple(each.id for each in after if each.correction.mode is not FixMode.MANUAL and each.id in ready),
        introduced=tuple(each.id for each in after if each.status == "nova" and surplus[_kind_of(each)] > 0),
        open_before=len(before),
        open_after=len(after),
    )


def changed_source(source: Source, done: RewrittenModule) -> tuple[dict[str, bytes | None], dict[str, bytes]]:
    """What changes in the repositories: paths from their roots, with the bytes before (None for new) and after."""
    before = {each.path: each.content for each in source.tree}
    old: dict[str, bytes | None] = {}
    new: dict[str, bytes] = {}
    for each in done.files:
        if each.origin.kind == "tree" and before.get(each.path) != each.content:
            old[source.tree_prefix + each.path] = before.get(each.path)
            new[source.tree_prefix + each.path] = each.content
    document = source.snapshot.document
    if document is not None and done.document is not None and done.document != source.document_bytes:
        old[source.document_prefix + document.path] = source.document_bytes
        new[source.document_prefix + document.path] = done.document
    return old, new


def build_patches(source: Source, done: RewrittenModule) -> dict[str, bytes]:
    """The patch for the source; a second one where document and tree come from different repositories."""
    old, new = changed_source(source, done)
    kept = {path: data for path, data in old.items() if data is not None}
    if not source.separate_tree:
        return {"modulo_reescrito.patch": build_patch(kept, new)}
    document = source.document_prefix + (source.snapshot.document.path if source.snapshot.document else "")
    return {
        "modulo_reescrito.patch": build_patch(_only(kept, document), _only(new, document)),
        "modulo_reescrito.gitops.patch": build_patch(_without(kept, document), _without(new, document)),
    }


def _only(files: dict[str, bytes], path: str) -> dict[str, bytes]:
    return {path: files[path]} if path in files else {}


def _without(files: dict[str, bytes], path: str) -> dict[str, bytes]:
    return {each: data for each, data in files.items() if each != path}


def _as_source(file: RewrittenFile) -> SourceFile:
    return SourceFile(path=file.path, content=file.content, sha256=sha256_hex(file.content), origin=_TREE)


def _embedded(document: bytes) -> dict[str, bytes]:
    """Files of a document as the reader finds them."""
    return {each.path: each.content for each in read_document(document, path="doc.md").files}


def _kind_of(finding: NonConformity) -> tuple[object, ...]:
    """What a finding is without its place in the text, since a correction may move or reword its line."""
    path = "doc" if finding.location.path.startswith("doc") else finding.location.path
    named = finding.object
    return finding.rule, path, (named.kind, named.name) if named else None

"""The audit: every rule over every subject it selects, to non-conformities with place, identity and correction."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from pipeline.audit.references import NO_REFERENCES
from pipeline.audit.rule import Breach, CouldNotJudge
from pipeline.audit.views import FileView, ModuleView, ObjectView
from pipeline.codec import sha256_hex, visible
from pipeline.domain.finding import (
    Correction,
    CreateFile,
    FixMode,
    Location,
    NonConformity,
    NonConformityMap,
    NotRun,
    Param,
    PatchChange,
)
from pipeline.yamldoc import yaml_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.audit.policy import Policy
    from pipeline.audit.references import References
    from pipeline.audit.rule import Rule
    from pipeline.domain.finding import Change, PathKey
    from pipeline.domain.snapshot import ModuleSnapshot

__all__ = ["audit", "locate"]

_SNIPPET_LIMIT = 200
_MASK = "•••"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    rule: Rule
    breach: Breach
    location: Location
    snippet: str
    identity: str


def audit(
    snapshot: ModuleSnapshot,
    rules: Iterable[Rule],
    *,
    policy: Policy,
    references: References = NO_REFERENCES,
    baseline: Iterable[NonConformity] = (),
) -> NonConformityMap:
    """Judge the module by ``rules``.

    A rule that raises is named in ``not_run`` (``crashed``), and so is a subject that it could not judge; neither
    counts as examined. ``baseline`` holds the findings of an earlier run: their ids are kept, and those that are gone
    are listed as resolved. Findings come in the order of a reader: document line, then file, line, column, rule.
    """
    view = ModuleView(snapshot, policy, references)
    found: list[_Found] = []
    not_run: list[NotRun] = []
    examined: dict[str, int] = {}
    for rule in rules:
        examined[rule.id] = _run(rule, view, found, not_run)
    found = _told_once(found)
    _mask(found)
    found.sort(key=_reading_order)
    numbered = _number(snapshot.id, found, {known.fingerprint: known for known in baseline})
    view.release()
    return NonConformityMap(non_conformities=numbered, examined=examined, not_run=tuple(not_run))


def locate(breach: Breach) -> Location:
    """Place of a breach in its file and in the document."""
    if breach.file is None:
        return Location(path="doc", line=breach.line, column=breach.column, document_line=breach.line)
    line, column = _position(breach)
    path = None if breach.document is None else yaml_path(breach.path) or None
    source = breach.file.source
    document_line = source.document_line(line)
    if source.fragment and document_line is not None:
        column += source.dropped(line)
        return Location(path="doc", line=document_line, column=column, document_line=document_line, yaml_path=path)
    return Location(path=source.path, line=line, column=column, document_line=document_line, yaml_path=path)


def _position(breach: Breach) -> tuple[int, int]:
    """Line and column in the breach's file."""
    if breach.file is None or breach.document is None:
        return breach.line, breach.column
    if breach.inside is not None:
        row, column = breach.inside
        line = breach.document.text_line(breach.path, row)
        if line is not None and line <= len(breach.file.lines):
            written = breach.document.find(breach.path)[1].value.split("\n")[row]
            return line, len(breach.file.lines[line - 1]) - len(written) + column + 1
    position = breach.document.position(breach.path)
    return position.line, position.column


def _run(rule: Rule, view: ModuleView, found: list[_Found], not_run: list[NotRun]) -> int:
    """Number of subjects judged."""
    try:
        subjects = view.select(rule.over)
    except Exception as error:  # a rule must never take the audit down, nor pass by falling
        not_run.append(NotRun(rule=rule.id, reason=f"a seleção falhou: {_reason(error)}", crashed=True))
        return 0
    judged = 0
    for subject in subjects:
        try:
            breaches = list(rule.check(subject))
        except CouldNotJudge as reason:
            not_run.append(NotRun(rule=rule.id, reason=str(reason), location=_place(subject), crashed=reason.failed))
            continue
        except Exception as error:  # as above
            reason_text = f"a regra falhou: {_reason(error)}"
            not_run.append(NotRun(rule=rule.id, reason=reason_text, location=_place(subject), crashed=True))
            continue
        judged += 1
        found.extend(_place_breach(rule, breach, view) for breach in breaches)
    return judged


def _told_once(found: list[_Found]) -> list[_Found]:
    """Without what a kustomization hands down and is told at the same place already."""
    if not any(each.breach.inherited for each in found):
        return found
    seen = {_place_key(each) for each in found if not each.breach.inherited}
    kept: list[_Found] = []
    for each in found:
        if not each.breach.inherited:
            kept.append(each)
        elif _place_key(each) not in seen:
            seen.add(_place_key(each))
            kept.append(each)
    return kept


def _place_key(found: _Found) -> tuple[str, str, int, int, str]:
    place = found.location
    return found.rule.id, place.path, place.line, place.column, found.breach.key


def _reason(error: Exception) -> str:
    return visible(f"{type(error).__name__}: {error}")[:_SNIPPET_LIMIT]


def _place(subject: Any) -> Location | None:
    """Where a subject begins, as far as it says."""
    for each in (subject, getattr(subject, "object", None), getattr(subject, "holder", None)):
        if isinstance(each, FileView | ObjectView):
            return locate(each.breach(""))
    return None


def _mask(found: list[_Found]) -> None:
    """Hide the secrets that any rule named in what every finding on that line shows (threats.md T28)."""
    secrets: dict[tuple[str, int], set[str]] = {}
    for each in found:
        if each.breach.secrets:
            for place in _places(each.location):
                secrets.setdefault(place, set()).update(visible(secret) for secret in each.breach.secrets)
    if not secrets:
        return
    for index, each in enumerate(found):
        hidden = set().union(*(secrets.get(place, ()) for place in _places(each.location)))
        if hidden:
            longest_first = sorted(hidden, key=len, reverse=True)
            snippet = _masked(each.snippet, longest_first)
            if snippet == each.snippet and each.breach.secrets:  # written in another way: escaped, folded, encoded
                snippet = re.split("[:=]", snippet, maxsplit=1)[0] + f": {_MASK}"
            whole = "|".join(rf"(?<![\w.-]){re.escape(secret)}(?![\w-])" for secret in longest_first)
            # A rule that names secrets does not tell them; one whose key is the secret's own text would lose the key.
            detail = each.breach.detail if each.breach.secrets else re.sub(whole, _MASK, each.breach.detail)
            breach = dataclasses.replace(each.breach, detail=detail)
            found[index] = dataclasses.replace(each, snippet=snippet, breach=breach)


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return text


def _places(location: Location) -> set[tuple[str, int]]:
    places = {(location.path, location.line)}
    return places if location.document_line is None else places | {("doc", location.document_line)}


def _place_breach(rule: Rule, breach: Breach, view: ModuleView) -> _Found:
    location = locate(breach)
    lines: list[str] | tuple[str, ...] = ()
    if breach.file is not None:
        lines, line = breach.file.lines, _position(breach)[0]
    elif view.document is not None:
        lines, line = view.document.document.lines, breach.line
    snippet = lines[line - 1][: 20 * _SNIPPET_LIMIT].strip() if lines and 0 < line <= len(lines) else ""
    snippet = visible(snippet)
    identity = _identity(rule, breach, snippet[:_SNIPPET_LIMIT])
    return _Found(rule=rule, breach=breach, location=location, snippet=snippet, identity=identity)


def _identity(rule: Rule, breach: Breach, snippet: str) -> str:
    """What the finding is, without any line number, so that it survives lines added above it.

    Nor the namespace, which a correction or a kustomization may give to an object that stays the same.
    """
    path = "doc" if breach.file is None or breach.file.source.fragment else breach.file.path
    named = breach.object
    parts = [rule.id, path, f"{named.kind}/{named.name}" if named else ""]
    if breach.document is not None:
        parts.append(_stable_path(breach.document.value, breach.path))
    else:
        parts.append(" ".join(snippet.split()))
    return "\0".join([*parts, breach.key])


def _stable_path(value: Any, path: tuple[PathKey, ...]) -> str:
    """Path with list items named by their ``name`` where they have one, so that a new sibling moves nothing."""
    parts: list[str] = []
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
        name = value.get("name") if isinstance(value, dict) and isinstance(part, int) else None
        parts.append(f"[{name}]" if isinstance(name, str) else str(part))
    return "/".join(parts)


def _reading_order(found: _Found) -> tuple[int, str, int, int, str, str, str]:
    place = found.location
    in_document = place.document_line if place.document_line is not None else 10**9
    return (in_document, place.path, place.line, place.column, found.rule.id, found.breach.key, found.breach.detail)


def _number(module_id: str, found: list[_Found], baseline: Mapping[str, NonConformity]) -> tuple[NonConformity, ...]:
    taken = {int(known.id.rpartition("-")[2]) for known in baseline.values() if known.id.rpartition("-")[2].isdigit()}
    following = max(taken, default=0)
    seen: Counter[str] = Counter()
    numbered: list[NonConformity] = []
    for each in found:
        seen[each.identity] += 1
        fingerprint = sha256_hex(f"{each.identity}\0{seen[each.identity]}".encode("utf-8", "surrogatepass"))[:32]
        known = baseline.get(fingerprint)
        if known is None:
            following += 1
        identifier = known.id if known is not None else f"{module_id}-NC-{following:03d}"
        numbered.append(_finding(each, identifier, fingerprint, "nova" if known is None else "pendente"))
    present = {each.fingerprint for each in numbered}
    gone = (replace(known, status="resolvida") for known in baseline.values() if known.fingerprint not in present)
    return (*numbered, *sorted(gone, key=lambda known: known.id))


def _finding(found: _Found, identifier: str, fingerprint: str, status: Literal["nova", "pendente"]) -> NonConformity:
    rule, breach = found.rule, found.breach
    return NonConformity(
        id=identifier,
        fingerprint=fingerprint,
        rule=rule.id,
        severity=breach.severity or rule.severity,
        status=status,
        title=rule.title,
        description=visible(breach.detail),
        explanation=rule.explanation,
        sources=rule.sources,
        object=breach.object,
        location=found.location,
        correction=Correction(mode=_mode(breach.changes), summary=rule.remedy, changes=breach.changes),
        responsible=rule.responsible,
        due_days=rule.due_days,
        snippet=found.snippet[:_SNIPPET_LIMIT],  # cut after masking, or half a secret would stay
    )


def _mode(changes: tuple[Change, ...]) -> FixMode:
    if not changes:
        return FixMode.MANUAL
    return FixMode.PARAM if any(_asks(change) for change in changes) else FixMode.AUTO


def _asks(change: Change) -> bool:
    """Whether a change waits for a parameter."""
    if isinstance(change, CreateFile):
        return False
    if isinstance(change, PatchChange):
        return any(_holds_param(operation.value) for operation in change.operations)
    return isinstance(change.new, Param)


def _holds_param(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_param(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_param(item) for item in value)
    return isinstance(value, Param)

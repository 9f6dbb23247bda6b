"""What a rule's corrections do: they are applied to the text, and the rule judges again."""

from __future__ import annotations

from typing import Any

import jsonpatch
import yaml
from msgspec.structs import replace

from conftest import snapshot_of
from pipeline.audit.engine import audit
from pipeline.audit.policy import Policy
from pipeline.audit.rule import Example, Rule
from pipeline.codec import shows
from pipeline.domain.finding import Change, CreateFile, NonConformityMap, Param, PatchChange, TextChange
from pipeline.rules.catalog import load_rules
from pipeline.yamldoc import load_yaml, resolve_plain


def named(rule_id: str) -> Rule:
    return next(each for each in load_rules() if each.id == rule_id)


def judged(rule_id: str, given: Example | str) -> NonConformityMap:
    """What one rule says; a text is one manifest."""
    example = given if isinstance(given, Example) else Example(files={"a.yaml": given})
    return audit(snapshot_of(example), [named(rule_id)], policy=Policy(), references=example.references)


def details(rule_id: str, given: Example | str) -> list[str]:
    """Descriptions of what one rule finds, where it could judge everything."""
    result = judged(rule_id, given)
    assert not result.not_run
    return [found.description for found in result.non_conformities]


def assert_quiet(rule_id: str, given: Example | str) -> None:
    """The rule looked at something and found nothing."""
    result = judged(rule_id, given)
    assert not result.non_conformities
    assert not result.not_run
    assert result.examined[rule_id] > 0


def assert_cured(rule_id: str, given: Example | str, *, value: object = "100m") -> Example:
    """Every finding has a correction, and with all of them applied the rule finds nothing; the corrected input."""
    example = given if isinstance(given, Example) else Example(files={"a.yaml": given})
    found = judged(rule_id, example).non_conformities
    assert found
    assert all(each.correction.changes for each in found)
    fixed = apply(example, [change for each in found for change in each.correction.changes], value=value)
    after = judged(rule_id, fixed)
    assert not after.non_conformities
    assert not after.not_run
    return fixed


def apply(example: Example, changes: list[Change], *, value: object = "100m") -> Example:
    """The input with the changes made, every parameter answered by ``value``."""
    files, document = dict(example.files), example.document
    for change in changes:
        if isinstance(change, PatchChange):
            files[change.path] = _patched(files[change.path], change, value)
        elif isinstance(change, CreateFile):
            files[change.path] = change.content
    in_text = [_in_document(example, change) for change in changes if isinstance(change, TextChange)]
    for change in sorted(in_text, key=lambda each: (each.line, each.column), reverse=True):
        if change.path == "doc":
            assert document is not None
            document = _edited(document, change, value)
        else:
            files[change.path] = _edited(files[change.path], change, value)
    return Example(files=files, document=document)


def _in_document(example: Example, change: TextChange) -> TextChange:
    """The change of an embedded file as one of the document that holds it."""
    if change.path == "doc" or change.path in example.files:
        return change
    source = next(each for each in snapshot_of(example).files if each.path == change.path)
    line, dropped = source.document_line(change.line), source.dropped(change.line)
    assert line is not None
    return replace(change, path="doc", line=line, column=change.column + dropped)


def _patched(text: str, change: PatchChange, value: object) -> str:
    documents = [each.value for each in load_yaml(text).documents]
    steps = [{"op": each.op, "path": each.path} | _value(each.op, each.value, value) for each in change.operations]
    documents[change.document] = jsonpatch.apply_patch(documents[change.document], steps)
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Quotes what the product's reader would not read back as text; PyYAML's own table is another."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if resolve_plain(text) == text else "'")


_Dumper.add_representer(str, _represent_text)


def _value(op: str, held: object, value: object) -> dict[str, Any]:
    return {} if op == "remove" else {"value": _resolved(held, value)}


def _resolved(held: object, value: object) -> object:
    if isinstance(held, Param):
        return value if held.template == "{}" else held.template.replace("{}", str(value))
    if isinstance(held, dict):
        return {key: _resolved(item, value) for key, item in held.items()}
    return [_resolved(item, value) for item in held] if isinstance(held, list) else held


def _edited(text: str, change: TextChange, value: object) -> str:
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[: change.line - 1]) + change.column - 1
    end = sum(len(line) + 1 for line in lines[: change.end_line - 1]) + change.end_column - 1
    assert shows(change.old, text[start:end])
    return text[:start] + str(_resolved(change.new, value)) + text[end:]

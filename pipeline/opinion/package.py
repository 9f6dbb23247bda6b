"""The input package: of everything the run knows, the fields that an opinion needs and no other (threats T19)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.domain.opinion import Datum, MaskedField, Package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.domain.artifact import ChecklistItem, CorrectionPlan, MapaNc, Rewrite
    from pipeline.domain.finding import NonConformity
    from pipeline.domain.opinion import OpinionMetadata
    from pipeline.opinion.inventory import Inventory

__all__ = ["BaseChange", "Delivery", "ImageFacts", "TestFacts", "build_package", "changed_lines", "split_patch"]

_MOST_FINDINGS, _MOST_ACTIONS, _MOST_FILES, _MOST_NAMES = 200, 100, 60, 60
_TEXT, _DIFF = 500, 6000  # characters that a field keeps, after masking
_LONG = frozenset({"applications", "base_diff", "diff"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TestFacts:
    """Results of the toolkit's own tests; ``coverage`` in tenths of a per cent, so that it is a whole number."""

    __test__ = False  # no test class

    passed: int
    failed: int
    skipped: int
    coverage: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseChange:
    """What the module changes since ``commit``: a git patch, empty when nothing does."""

    commit: str
    patch: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """The image that releases the module, by the digest of the document that names its layers, base and inputs."""

    name: str
    document_sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What is judged. ``after`` is the second audit, ``items`` are the checklist without the opinion's own items.

    ``not_examined`` names, in pt-BR, what no file of the run shows.
    """

    mapa: MapaNc
    after: MapaNc
    plan: CorrectionPlan
    rewrite: Rewrite
    items: tuple[ChecklistItem, ...]
    patch: str
    base: BaseChange | None
    applications: str
    drift: tuple[str, ...]
    tests: TestFacts | None
    image: ImageFacts | None
    inventory: Inventory
    metadata: OpinionMetadata
    injections: tuple[str, ...]
    not_examined: tuple[str, ...]


def build_package(
    delivery: Delivery, *, mask: Callable[[Any], tuple[Any, Counter[str]]], remains: Callable[[str], tuple[str, ...]]
) -> Package:
    """The package, masked and cut to size. ``mask`` gives a value without secrets and what it hid, by kind.

    ``remains`` names what a text still shows; anything it names makes the package unfit to be sent.
    """
    data: list[Datum] = []
    hidden: Counter[tuple[str, str]] = Counter()
    left: set[str] = set()
    for kind, content in _data(delivery):
        masked, counts = mask(content)
        hidden.update({(kind, what): count for what, count in counts.items()})
        for text in _texts(masked):
            left.update(remains(text))
        data.append(Datum(kind=kind, content=_cut(masked, _DIFF if kind in _LONG else _TEXT)))
    return Package(
        data=tuple(data),
        masked=tuple(
            MaskedField(datum=datum, what=what, count=count) for (datum, what), count in sorted(hidden.items())
        ),
        unresolved=tuple(sorted(left)),
    )


def changed_lines(patch: str) -> int:
    """Lines that a unified diff adds or takes away."""
    return sum(line[:1] in ("+", "-") and not line.startswith(("+++ ", "--- ")) for line in patch.split("\n"))


def split_patch(patch: str) -> list[tuple[str, str]]:
    """A git patch by file, with the path that it changes."""
    parts = re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE)
    named = ((re.search(r"^(?:\+\+\+ b/|--- a/)(.*)$", part, re.MULTILINE), part) for part in parts if part.strip())
    return [(found[1] if found else "", part) for found, part in named]


def _data(delivery: Delivery) -> Iterator[tuple[str, dict[str, Any]]]:
    """Most important first: what does not fit into the budget is left out from the end."""
    mapa, rewrite, metadata = delivery.mapa, delivery.rewrite, delivery.metadata
    yield (
        "metadata",
        {
            "commit": metadata.commit or "",
            "branch": metadata.branch or "",
            "author": metadata.author or "",
            "pipeline": metadata.pipeline,
            "environment": metadata.environment,
            "dirty": mapa.source.dirty,
            "dependencies": list(metadata.dependencies[:_MOST_NAMES]),
        },
    )
    yield (
        "module",
        {
            "id": mapa.module.id,
            "title": mapa.module.title,
            "version": mapa.module.version,
            "sha256": mapa.module.sha256,
            "files": len(mapa.files),
        },
    )
    yield (
        "summary",
        {
            "before": {"severities": {str(name): count for name, count in mapa.summary.by_severity.items()}},
            "after": {"severities": {str(name): count for name, count in delivery.after.summary.by_severity.items()}},
            "unjudged": len(delivery.after.not_run),
            "not_examined": list(delivery.not_examined),
            "drift": list(delivery.drift),
            "injections": list(delivery.injections[:_MOST_NAMES]),
        },
    )
    yield (
        "proof",
        {
            "idempotent": rewrite.proof.idempotent,
            "auto_left": list(rewrite.proof.auto_left[:_MOST_NAMES]),
            "introduced": list(rewrite.proof.introduced[:_MOST_NAMES]),
            "not_applied": [f"{each.action} {each.path}: {each.reason}" for each in rewrite.not_applied[:_MOST_NAMES]],
        },
    )
    yield "tests", _tests(delivery.tests)
    if delivery.image is not None:
        yield "image", {"name": delivery.image.name, "document_sha256": delivery.image.document_sha256}
    yield "inventory", _inventory(delivery.inventory)
    for finding, state in _findings(delivery)[:_MOST_FINDINGS]:
        yield "finding", _finding(finding, state)
    for item in delivery.items:
        if item.result == "NOK":
            yield (
                "checklist",
                {
                    "id": item.id,
                    "question": item.question,
                    "state": item.state,
                    "severity": str(item.severity),
                    "reason": item.reason,
                },
            )
    for action in delivery.plan.actions[:_MOST_ACTIONS]:
        yield (
            "action",
            {
                "id": action.id,
                "closes": list(action.closes[:_MOST_NAMES]),
                "mode": str(action.mode),
                "severity": str(action.severity),
                "summary": action.summary,
                "decisions": [each.parameter for each in action.decisions],
            },
        )
    if delivery.base is not None:
        yield "base", {"commit": delivery.base.commit, "lines": changed_lines(delivery.base.patch)}
        for path, text in split_patch(delivery.base.patch)[:_MOST_FILES]:
            yield "base_diff", {"path": path, "lines": changed_lines(text), "text": text}
    for path, text in split_patch(delivery.patch)[:_MOST_FILES]:
        yield "diff", {"path": path, "lines": changed_lines(text), "text": text}
    if delivery.applications:
        yield "applications", {"text": delivery.applications}


def _tests(tests: TestFacts | None) -> dict[str, Any]:
    if tests is None:
        return {"recorded": False}
    return {
        "recorded": True,
        "passed": tests.passed,
        "failed": tests.failed,
        "skipped": tests.skipped,
        "coverage_permille": tests.coverage,
    }


def _inventory(inventory: Inventory) -> dict[str, Any]:
    return {
        "kinds": dict(inventory.kinds),
        "images": list(inventory.images[:_MOST_NAMES]),
        "exposed": list(inventory.exposed[:_MOST_NAMES]),
        "cluster": list(inventory.cluster[:_MOST_NAMES]),
        "stateful": list(inventory.stateful[:_MOST_NAMES]),
        "identity": list(inventory.identity[:_MOST_NAMES]),
        "sensitive_changes": list(inventory.sensitive_changes[:_MOST_NAMES]),
    }


def _findings(delivery: Delivery) -> list[tuple[NonConformity, str]]:
    """Findings of both audits, once each, worst and unresolved first."""
    before = {each.id: each for each in _open(delivery.mapa)}
    after = {each.id: each for each in _open(delivery.after)}
    rows = [(each, "aberta" if each.id in before else "nova na reescrita") for each in after.values()]
    rows += [(each, "fechada pelo plano") for name, each in before.items() if name not in after]
    return sorted(rows, key=lambda row: (row[1] == "fechada pelo plano", row[0].severity.rank, row[0].id))


def _open(mapa: MapaNc) -> Sequence[NonConformity]:
    return [each for each in mapa.non_conformities if each.is_open]


def _finding(finding: NonConformity, state: str) -> dict[str, Any]:
    named = finding.object
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": str(finding.severity),
        "state": state,
        "title": finding.title,
        "description": finding.description,
        "object": f"{named.kind} {named.namespace or '-'}/{named.name}" if named else "",
        "path": finding.location.path,
        "line": finding.location.line,
        "mode": str(finding.correction.mode),
        "correction": finding.correction.summary,
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}… [cortado: {len(value) - most} caracteres]"
    if isinstance(value, dict):
        return {key: _cut(item, most) for key, item in value.items()}
    return [_cut(item, most) for item in value] if isinstance(value, list) else value

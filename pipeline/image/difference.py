"""Two images of the same inputs that are not the same: which bytes differ, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.codec import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.domain.image import ImageRecord

__all__ = ["TarEntry", "differing_documents", "differing_entries", "differing_records"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TarEntry:
    """One name of a layer as it stands in its tar; ``sha256`` is empty for what has no content."""

    path: str
    kind: str
    mode: int
    owner: tuple[int, int]
    mtime: int
    size: int
    target: str
    sha256: str


def differing_records(old: ImageRecord, new: ImageRecord) -> Iterator[str]:
    """Why the bytes may differ (pt-BR): another input, another builder, another time."""
    before = {each.name: each for each in old.inputs}
    after = {each.name: each for each in new.inputs}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"entrada {visible(name)}: {_shown(before, name)} → {_shown(after, name)}"
    for what, was, now in (
        ("plataforma", old.platform, new.platform),
        ("construtor", f"{old.builder.name} {old.builder.version}", f"{new.builder.name} {new.builder.version}"),
        ("compressão", old.builder.compression, new.builder.compression),
        ("commit", old.recipe.commit, new.recipe.commit),
        ("SOURCE_DATE_EPOCH", old.recipe.source_date_epoch, new.recipe.source_date_epoch),
    ):
        if was != now:
            yield f"{what}: {was} → {now}"
    packages = {each.name: each.version for each in old.base.packages}
    for each in new.base.packages:
        if packages.get(each.name) != each.version:
            yield f"pacote da base {each.name}: {packages.get(each.name, 'ausente')} → {each.version}"


def _shown(inputs: Mapping[str, Any], name: str) -> str:
    return f"{inputs[name].version} {inputs[name].digest}".strip() if name in inputs else "ausente"


def differing_documents(name: str, old: bytes, new: bytes) -> Iterator[str]:
    """The keys of two JSON documents that differ, with both values."""
    yield from _differing(name, json.loads(old), json.loads(new))


def _differing(where: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differing(f"{where}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _differing(f"{where}[{number}]", was, now)
    elif old != new:
        yield visible(f"{where}: {json.dumps(old, ensure_ascii=False)} → {json.dumps(new, ensure_ascii=False)}")


def differing_entries(origin: str, old: Sequence[TarEntry], new: Sequence[TarEntry]) -> Iterator[str]:
    """What one layer has that the other has not, name by name; where every name is alike, their order."""
    before = {each.path: each for each in old}
    after = {each.path: each for each in new}
    found = False
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was == now:
            continue
        found = True
        shown = f"camada {origin}: {visible(path)}"
        if was is None or now is None:
            yield f"{shown}: {'só na reconstrução' if was is None else 'só na gravada'}"
        else:
            yield f"{shown}: {', '.join(_fields(was, now))}"
    if not found:
        yield f"camada {origin}: os mesmos arquivos em outra ordem ou com outros cabeçalhos"


def _fields(was: TarEntry, now: TarEntry) -> Iterator[str]:
    for what, first, second in (
        ("tipo", was.kind, now.kind),
        ("modo", f"{was.mode:o}", f"{now.mode:o}"),
        ("dono", was.owner, now.owner),
        ("hora", was.mtime, now.mtime),
        ("tamanho", was.size, now.size),
        ("destino", was.target, now.target),
        ("conteúdo", was.sha256[:12], now.sha256[:12]),
    ):
        if first != second:
            yield f"{what} {first} → {second}"

"""Which Applications a change of ApplicationSets adds, changes and deletes, and whether it deletes too many (T42)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.yamldoc import yaml_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.appset.preview import GeneratedApplication

__all__ = ["ApplicationDiff", "ChangedApplication", "DeletedApplication", "FieldChange", "diff_applications"]

_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_MAX_DELETED = 5
_MAX_SHARE = 0.20


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """``old`` or ``new`` is None where the field is absent."""

    path: str
    old: object
    new: object


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedApplication:
    name: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletedApplication:
    """``cascades``: a finalizer deletes its resources from the cluster as well."""

    name: str
    cascades: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationDiff:
    """Names are ``namespace/name`` (or the name alone), each tuple sorted; ``total_before`` counts what there was."""

    added: tuple[str, ...]
    changed: tuple[ChangedApplication, ...]
    deleted: tuple[DeletedApplication, ...]
    total_before: int

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.deleted)

    @property
    def deletes_all(self) -> bool:
        """Nothing of what there was stays: always a blocked gate."""
        return bool(self.deleted) and len(self.deleted) == self.total_before

    @property
    def mass_deletion(self) -> bool:
        """More than 20 % of the Applications, or more than five of them."""
        count = len(self.deleted)
        return count > _MAX_DELETED or count > _MAX_SHARE * self.total_before

    @property
    def blocked(self) -> str:
        """Why a gate has to say no, in pt-BR; empty when it has not."""
        if self.deletes_all:
            return f"a mudança apaga todas as {self.total_before} Applications"
        if self.mass_deletion:
            return f"a mudança apaga {len(self.deleted)} de {self.total_before} Applications (limite: 20 % ou 5)"
        return ""


def diff_applications(old: Iterable[GeneratedApplication], new: Iterable[GeneratedApplication]) -> ApplicationDiff:
    """Compare two previews by namespace and name."""
    before, after = _by_name(old), _by_name(new)
    changed = (
        ChangedApplication(name=name, fields=tuple(_changes(before[name].manifest, after[name].manifest, ())))
        for name in sorted(before.keys() & after.keys())
        if before[name].manifest != after[name].manifest
    )
    return ApplicationDiff(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(changed),
        deleted=tuple(_deleted(name, before[name]) for name in sorted(before.keys() - after.keys())),
        total_before=len(before),
    )


def _by_name(applications: Iterable[GeneratedApplication]) -> dict[str, GeneratedApplication]:
    return {f"{app.namespace}/{app.name}" if app.namespace else app.name: app for app in applications}


def _deleted(name: str, application: GeneratedApplication) -> DeletedApplication:
    finalizers = application.manifest["metadata"].get("finalizers", [])
    return DeletedApplication(name=name, cascades=any(item.startswith(_FINALIZER) for item in finalizers))


def _changes(old: Any, new: Any, path: tuple[str | int, ...]) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, (*path, index))
    elif old != new or type(old) is not type(new):
        yield FieldChange(path=yaml_path(path), old=old, new=new)

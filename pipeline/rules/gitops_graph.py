"""GIT: every file that a kustomization names is in the module."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.kustomize import KUSTOMIZATION_NAMES as _NAMES
from pipeline.audit.kustomize import resolve_resource
from pipeline.audit.places import DocumentPlace
from pipeline.audit.rule import CouldNotJudge, Example, rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import Severity
from pipeline.rules.shapes import maps, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import FileView, ModuleView, ObjectView
    from pipeline.domain.finding import PathKey
    from pipeline.yamldoc import YamlDocument

__all__ = ["dangling_resource"]

_LISTS = ("resources", "bases", "components", "crds", "configurations", "transformers", "generators")
_PATCHES = ("patches", "patchesJson6902", "replacements")
_SOURCES = ("configMapGenerator", "secretGenerator")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entry(DocumentPlace):
    """One name that a kustomization gives, and where."""

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...]
    name: str
    aggregates: bool
    folders: frozenset[str]
    claimed: frozenset[str]

    @property
    def object(self) -> FileView:
        """Where it stands, for the engine."""
        return self.file


@dataclass(frozen=True, kw_only=True, eq=False)
class _Unrendered:
    """What the audit cannot render of a kustomization."""

    object: ObjectView
    reason: str


@selects("entradas de kustomizations")
def _entries(module: ModuleView) -> Iterator[_Entry | _Unrendered]:
    yield from (_Unrendered(object=each, reason=reason) for each, reason in module.kustomize.unrendered)
    folders = frozenset(parent for path in module.by_path for parent in _parents(path))
    claimed = _made_folders(module)
    for file in module.files:
        if file.name not in _NAMES and not _is_fragment(file):
            continue
        for document in file.yaml.documents:
            if not isinstance(document.value, dict):
                continue
            named = list(_named(document.value))
            aggregates = all(_is_folder(name) for path, name in named if path[0] == "resources")
            for path, name in named:
                yield _Entry(
                    file=file,
                    document=document,
                    base=path,
                    name=name,
                    aggregates=aggregates,
                    folders=folders,
                    claimed=claimed,
                )


def _is_fragment(file: FileView) -> bool:
    return file.source.fragment and any(found.group == "kustomize.config.k8s.io" for found in file.objects)


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _named(value: dict[str, Any]) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    """Every local file or folder that a kustomization names, with its path in the YAML; inline texts left out."""
    for field in _LISTS:
        yield from (((field, index), name) for index, name in texts(value.get(field)) if "\n" not in name)
    for index, name in texts(value.get("patchesStrategicMerge")):
        if "\n" not in name and ":" not in name:
            yield ("patchesStrategicMerge", index), name
    for field in _PATCHES:
        for index, entry in maps(value.get(field)):
            if isinstance(entry.get("path"), str):
                yield (field, index, "path"), entry["path"]
    yield from _generated(value)


def _generated(value: dict[str, Any]) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    for field in _SOURCES:
        for index, entry in maps(value.get(field)):
            for kind in ("files", "envs"):
                for place, name in texts(entry.get(kind)):
                    yield (field, index, kind, place), name.rpartition("=")[2]


def _is_folder(name: str) -> bool:
    return not posixpath.splitext(name.rstrip("/"))[1] or name.endswith(("/", ".."))


@rule(
    "GIT-DANGLING",
    Severity.ALTA,
    over=_entries,
    title="Kustomization que aponta para o que não existe",
    explanation="O `kustomize build` para no primeiro recurso que falta: o Argo CD não sincroniza nada da pasta.",
    remedy="Entregue o arquivo no módulo ou retire a linha da kustomization.",
    sources=("COO §4.1",),
    bad=Example(
        files={
            "apps/a/kustomization.yaml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [deployment.yaml]\n"
            )
        }
    ),
    good=Example(
        files={
            "apps/a/kustomization.yaml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [sa.yaml]\n"
            ),
            "apps/a/sa.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n",
        }
    ),
)
def dangling_resource(entry: _Entry | _Unrendered) -> Iterator[Breach]:
    """The target is neither a file of the module nor a folder of it with a kustomization; a remote one is not read."""
    if isinstance(entry, _Unrendered):
        raise CouldNotJudge(entry.reason)
    if _is_remote(entry.name):
        raise CouldNotJudge(f"`{entry.name}` é remoto: a auditoria não usa a rede, e o que vem de lá não é julgado")
    if entry.file.source.fragment:
        raise CouldNotJudge("a kustomization não diz em que pasta fica: os caminhos dela não podem ser resolvidos")
    target = resolve_resource(entry.file.folder, entry.name)
    if target is None:
        raise CouldNotJudge(f"`{entry.name}` fica fora da árvore do módulo: pode vir de outro módulo")
    known = entry.file.module.by_path
    if target in known or any(_join(target, name) in known for name in _NAMES):
        return
    if target in entry.folders or target == ".":
        if entry.base[0] in ("resources", "bases", "components"):
            yield entry.breach(f"a pasta `{entry.name}` não tem kustomization.yaml")
        return
    if entry.aggregates and _is_folder(entry.name) and target not in entry.claimed:
        raise CouldNotJudge(f"a pasta `{entry.name}` não está neste módulo: pode vir de outro módulo")
    yield entry.breach(f"`{entry.name}` não está no documento nem na árvore (procurado em `{target}`)")


def _is_remote(name: str) -> bool:
    return "://" in name or name.startswith(("git@", "github.com/")) or "?ref=" in name


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _made_folders(module: ModuleView) -> frozenset[str]:
    """Folders that the document itself makes: they are this module's to fill."""
    if module.document is None:
        return frozenset()
    return frozenset(
        posixpath.normpath(posixpath.join(command.directory, word))
        for command in module.document.document.commands
        if "mkdir" in command.words[:2]
        for word in command.words[1:]
    )

"""What the platform keeps beside the modules, and rules compare a module with: matrix, stack baseline, GitOps tree.

All three come from the configuration, never from the audited tree. What is not given is None: nothing is compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.audit.policy import ACCEPTED_NAMESPACES
from pipeline.codec import sha256_hex, visible
from pipeline.domain.snapshot import Origin, SourceFile
from pipeline.errors import UsageError
from pipeline.yamldoc import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.audit.policy import Policy

__all__ = ["NO_REFERENCES", "MatrixEntry", "References", "Stack", "read_matrix", "read_stack", "with_stack"]

_ID = re.compile(r"M?(\d{1,2})", re.IGNORECASE)
_PREFIX = re.compile(r"/[^\s,;]*")
_LISTS = ("modulos", "módulos", "modules")
_SERVICES = ("servicos", "serviços", "services", "usa_core", "usa_suites")
_MODULES = ("depende_de", "dependencias", "dependências", "dependencies", "depends_on", "modulos_dependentes")
_PREFIXES = ("prefixos", "prefixo", "prefixes", "rotas", "routes")
_TOPICS = ("topicos", "tópicos", "topics", "topico", "tópico", "topic")


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixEntry:
    """One module of ``modulos.yaml`` (INT §4.3). ``prefixes`` are routes as written; ``modules`` ids such as ``M04``.

    ``services`` are the logical names (``core-…``, ``addon-…``) that it delivers or uses: the matrix does not tell
    them apart. ``topics`` may end in ``*``. The form of INT has no ``modules`` and ``namespaces``: empty, they say
    nothing.
    """

    id: str
    services: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """The unified stack (STK). ``namespaces`` may hold ``*``; ``versions`` are those components that it fixes."""

    namespaces: tuple[str, ...] = ()
    application_labels: tuple[str, ...] = ()
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """``[references]`` of the configuration, read. ``matrix`` is by module id; ``tree`` is every file of a folder."""

    matrix: Mapping[str, MatrixEntry] | None = None
    stack: Stack | None = None
    tree: tuple[SourceFile, ...] | None = None

    @classmethod
    def from_texts(
        cls, *, matrix: str | None = None, stack: str | None = None, tree: Mapping[str, str] | None = None
    ) -> References:
        """References from texts; UsageError as of the readers."""
        return cls(
            matrix=None if matrix is None else read_matrix(matrix.encode(), where="modulos.yaml"),
            stack=None if stack is None else read_stack(stack.encode(), where="stack.yaml"),
            tree=None if tree is None else tuple(_file(path, text) for path, text in sorted(tree.items())),
        )


NO_REFERENCES = References()


def with_stack(policy: Policy, stack: Stack | None) -> Policy:
    """The policy with what the stack decides: its namespaces, beside those the policy adds, and Application labels."""
    if stack is None:
        return policy
    return replace(
        policy,
        namespaces=(*stack.namespaces, *policy.namespaces, *ACCEPTED_NAMESPACES)
        if stack.namespaces
        else policy.namespaces,
        application_labels=stack.application_labels or policy.application_labels,
    )


def read_matrix(data: bytes, *, where: str) -> dict[str, MatrixEntry]:
    """The module matrix by module id: a list of modules, or a map of them, alone or under ``modulos``.

    Fields that no rule compares are passed over. UsageError where it is not YAML, names no module, or names one twice.
    """
    root = _load(data, where)
    if isinstance(root, dict):
        root = next((root[key] for key in _LISTS if key in root), root)
    if isinstance(root, dict):
        listed = [each | {"id": each.get("id", key)} for key, each in root.items() if isinstance(each, dict)]
    else:
        listed = [each for each in root if isinstance(each, dict)] if isinstance(root, list) else []
    entries: dict[str, MatrixEntry] = {}
    for each in listed:
        named = _ID.fullmatch(str(each.get("id", "")).strip())
        if named is None:
            raise _fault(f"módulo sem `id` como `M07`: `{str(each.get('id', ''))[:40]}`", where)
        identifier = f"M{int(named[1]):02d}"
        if identifier in entries:
            raise _fault(f"o módulo {identifier} está duas vezes na matriz", where)
        entries[identifier] = _entry(identifier, each)
    if not entries:
        raise _fault("nenhum módulo na matriz", where)
    return entries


def _entry(identifier: str, given: dict[str, Any]) -> MatrixEntry:
    modules = (_ID.fullmatch(each.strip()) for each in _under(given, _MODULES))
    return MatrixEntry(
        id=identifier,
        services=_unique(each for each in _under(given, _SERVICES) if "-" in each),
        modules=_unique(f"M{int(each[1]):02d}" for each in modules if each is not None),
        prefixes=_unique(prefix for each in _under(given, _PREFIXES) for prefix in _PREFIX.findall(each)),
        topics=_unique(_under(given, _TOPICS)),
        namespaces=_unique(_under(given, ("namespaces", "namespace"))),
    )


def read_stack(data: bytes, *, where: str) -> Stack:
    """The stack baseline. UsageError where it is not YAML or gives neither namespaces nor components."""
    root = _load(data, where)
    if not isinstance(root, dict) or not {"namespaces", "components"} & root.keys():
        raise _fault("sem `namespaces` nem `components`: não é o stack unificado", where)
    argocd = root.get("argocd")
    labels = argocd.get("required_labels") if isinstance(argocd, dict) else None
    return Stack(
        namespaces=_unique(_namespaces(root.get("namespaces"))),
        application_labels=_unique(_texts(labels)),
        versions=dict(_versions(root.get("components"))),
    )


def _namespaces(given: Any) -> Iterator[str]:
    """Names of the lists; templates with their holes as ``*``. ``uniqueness`` and the like are sentences."""
    for each in _texts(given):
        name = re.sub(r"\{\{[^{}]*\}\}|<[^<>]*>", "*", each).strip()
        if name and " " not in name:
            yield name


def _versions(given: Any) -> Iterator[tuple[str, str]]:
    """``name: "1.2"``, ``name: {version: "1.2"}`` and ``{name: name, version: "1.2"}``, however deep."""
    if isinstance(given, list):
        for item in given:
            if isinstance(item, dict) and isinstance(item.get("name"), str) and _is_version(item.get("version")):
                yield item["name"], str(item["version"])
            else:
                yield from _versions(item)
    elif isinstance(given, dict):
        for name, value in given.items():
            if isinstance(value, dict) and _is_version(value.get("version")):
                yield name, str(value["version"])
            elif _is_version(value):
                yield name, str(value)
            else:
                yield from _versions(value)


def _is_version(value: Any) -> bool:
    """A text such as ``1.2`` or ``v3``; a bare number has already lost its zeros, and yet says enough."""
    return not isinstance(value, bool) and re.match(r"v?\d", str(value)) is not None


def _under(given: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """Texts that stand below any of these keys, at any depth."""
    if isinstance(given, dict):
        for key, value in given.items():
            yield from _texts(value) if key in keys else _under(value, keys)
    elif isinstance(given, list):
        for item in given:
            yield from _under(item, keys)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _unique(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _load(data: bytes, where: str) -> Any:
    """The one YAML document of a reference file."""
    read = load_yaml(data.decode("utf-8", "replace"))
    if read.problems:
        problem = read.problems[0]
        raise _fault(f"YAML inválido na linha {problem.line}: {problem.message}", where)
    if len(read.documents) != 1:
        raise _fault("o arquivo deve ter um documento YAML", where)
    return read.documents[0].value


def _fault(message: str, where: str) -> UsageError:
    return UsageError(visible(message), where=where, mend="corrija o arquivo que [references] nomeia")


def _file(path: str, text: str) -> SourceFile:
    data = text.encode()
    return SourceFile(path=path, content=data, sha256=sha256_hex(data), origin=Origin(kind="tree"))

"""The Applications that Argo CD's controller would create from list-generator ApplicationSets: exactly, or not at all.

Follows Argo CD 3.5 (``GenerateApplications``, ``NormalizeApplicationSpec``). A generator, field, function or template
form outside what is imitated raises ToolError and is named; what Argo CD or the API would refuse raises InputError.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.appset.appfields import decode, encode
from pipeline.appset.apptemplate import apply_patch, disable_automated, merge_override, normalize_spec, replace_strings
from pipeline.appset.blockyaml import dump_block
from pipeline.appset.errors import Inexact, Refused, as_input_error, as_tool_error, excerpt
from pipeline.appset.fasttemplate import replace_tags
from pipeline.appset.generator import LABEL_KEY, MAX_ELEMENTS, list_parameters, list_section
from pipeline.appset.goexec import Budget, execute, missing_key
from pipeline.appset.yamlvalue import check_keys, read_yaml_value
from pipeline.errors import InputError
from pipeline.yamldoc import YamlDocument, load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GeneratedApplication", "Preview", "dump_applications", "preview", "preview_file"]

_API = "argoproj.io/v1alpha1"
_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME = 253
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_SET_FIELDS = frozenset(
    [
        "goTemplate",
        "generators",
        "template",
        "syncPolicy",
        "strategy",
        "preservedFields",
        "goTemplateOptions",
        "applyNestedSelectors",
        "ignoreApplicationDifferences",
        "templatePatch",
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedApplication:
    """One Application. ``manifest`` is the whole object as the controller writes it, without ownership and status.

    ``element`` is the index in the generator's ``elements`` (None for elementsYaml). ``leftovers`` are the paths
    whose text still holds ``{{`` or ``}}`` after the only expansion there is: left as they are, as Argo CD leaves them.
    """

    name: str
    namespace: str | None
    application_set: str
    element: int | None
    manifest: dict[str, Any]
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """``other_documents`` counts the objects of other kinds, which are not looked at."""

    applications: tuple[GeneratedApplication, ...]
    application_sets: tuple[str, ...]
    other_documents: int


def preview(data: bytes, *, where: str, progressive_syncs: bool = False) -> tuple[GeneratedApplication, ...]:
    """The Applications of every ApplicationSet in the YAML ``data``, in the order of sets, generators and elements."""
    return preview_file(data, where=where, progressive_syncs=progressive_syncs).applications


def preview_file(data: bytes, *, where: str, progressive_syncs: bool = False) -> Preview:
    """As ``preview``, with what else the file holds.

    ``progressive_syncs`` says that the controller runs with that feature on, which takes automated sync away from sets
    with a RollingSync strategy. Raises InputError (also where there is no ApplicationSet) and ToolError.
    """
    documents = _read(data, where)
    budget = Budget()
    applications: list[GeneratedApplication] = []
    names: list[str] = []
    for document in documents:
        value = document.value
        if not isinstance(value, dict) or value.get("kind") != "ApplicationSet":
            continue
        source = _Source(document, where)
        source.guarded(check_keys, document)
        applications += source.guarded(_Set, value, source, budget, progressive_syncs).generate()
        names.append(value["metadata"]["name"])
        if len(applications) > MAX_ELEMENTS:
            raise as_tool_error(Inexact(f"mais de {MAX_ELEMENTS} elementos"), where=where, context="o arquivo")
    if not names:
        raise InputError("nenhum ApplicationSet: nada a pré-visualizar", where=where, mend="confira o arquivo")
    return Preview(
        applications=tuple(applications),
        application_sets=tuple(names),
        other_documents=len(documents) - len(names),
    )


def _read(data: bytes, where: str) -> tuple[YamlDocument, ...]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError("o arquivo não é UTF-8", where=where, mend="converta para UTF-8") from error
    file = load_yaml(text)
    for problem in file.problems:
        raise InputError(problem.message, where=f"{where}:{problem.line}", mend="corrija o YAML")
    return file.documents


@dataclass(frozen=True, slots=True)
class _Source:
    """Turns Refused and Inexact into errors with file and line."""

    document: YamlDocument
    where: str

    def guarded(self, run: Callable[..., Any], *arguments: Any, path: tuple[str | int, ...] = ()) -> Any:
        line = self.document.position(path).line
        place = f"{self.where}:{line}"
        context = f"o elemento {path[-1]}" if path[-2:-1] == ("elements",) else "o ApplicationSet"
        try:
            return run(*arguments)
        except Refused as error:
            raise as_input_error(error, where=place, context=context) from error
        except Inexact as error:
            raise as_tool_error(error, where=place, context=context) from error


class _Set:
    """One decoded ApplicationSet."""

    def __init__(self, value: dict[str, Any], source: _Source, budget: Budget, progressive_syncs: bool) -> None:
        metadata, spec = value.get("metadata"), value.get("spec")
        if value.get("apiVersion") != _API:
            raise Refused(f"apiVersion deveria ser {_API}")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            raise Refused("falta metadata.name")
        if not isinstance(spec, dict) or not isinstance(spec.get("generators"), list):
            raise Refused("falta spec.generators")
        for key in spec:
            if key not in _SET_FIELDS:
                raise Inexact(f"campo spec.{key}, que a API não tem (Argo CD 3.5)")
        namespace = metadata.get("namespace")
        if not isinstance(namespace, str | None):
            raise Refused("metadata.namespace deveria ser texto")
        self._source, self._budget = source, budget
        self._name, self._namespace = metadata["name"], namespace
        self._generators: list[Any] = spec["generators"]
        self._go = _boolean(spec, "goTemplate")
        self._missing = missing_key(_options(spec)) if self._go else "default"
        self._patch = _text(spec, "templatePatch")
        policy = spec.get("syncPolicy") or {}
        self._preserves = _boolean(policy, "preserveResourcesOnDeletion") if isinstance(policy, dict) else False
        strategy = spec.get("strategy")
        self._rolling = progressive_syncs and isinstance(strategy, dict) and strategy.get("type") == "RollingSync"
        path = ("spec", "template")
        self._template: dict[str, Any] = source.guarded(_template, spec.get("template"), "spec.template", path=path)

    def generate(self) -> list[GeneratedApplication]:
        applications: list[GeneratedApplication] = []
        seen: set[str] = set()
        for position, generator in enumerate(self._generators):
            path = ("spec", "generators", position)
            guarded = self._source.guarded
            template = guarded(self._merged, generator, path=path)
            for element, params in guarded(self._parameters, generator, path=path):
                at = (*path, "list", "elements", element) if element is not None else (*path, "list", "elementsYaml")
                application = guarded(self._application, template, element, params, path=at)
                if application.name in seen:
                    guarded(_refuse, f"duas Applications com o nome {application.name!r}", path=at)
                seen.add(application.name)
                applications.append(application)
        return applications

    def _parameters(self, generator: Any) -> list[tuple[int | None, dict[str, Any]]]:
        return list_parameters(generator, go_template=self._go)

    def _merged(self, generator: Any) -> dict[str, Any]:
        own = list_section(generator).get("template")
        if own is None:
            return self._template
        override = _template(own, "list.template")
        return merge_override("ApplicationSetTemplate", override, self._template)

    def _replace(self, text: str, params: dict[str, Any]) -> str:
        if not self._go:
            return replace_tags(text, params)
        return execute(text, params, self._missing, self._budget)

    def _application(
        self, template: dict[str, Any], element: int | None, params: dict[str, Any]
    ) -> GeneratedApplication:
        metadata, spec = dict(template.get("metadata", {})), template.get("spec", {})
        if params:  # the controller takes the template as it stands when an element has no parameters
            rendered = replace_strings(template, lambda text: self._replace(text, params))
            decoded = decode("ApplicationSetTemplate", rendered, "template")
            metadata, spec = dict(decoded["metadata"]), decoded["spec"]
            if not self._preserves and not metadata.get("finalizers"):
                metadata["finalizers"] = [_FINALIZER]
        if self._patch is not None:
            patched = apply_patch({"metadata": metadata, "spec": spec}, self._rendered_patch(params))
            metadata, spec = dict(patched["metadata"]), patched["spec"]
        spec = normalize_spec(disable_automated(spec) if self._rolling else spec)
        metadata.pop("namespace", None)
        if self._namespace is not None:
            metadata["namespace"] = self._namespace
        _check_metadata(metadata)
        manifest = {
            "apiVersion": _API,
            "kind": "Application",
            "metadata": encode("ApplicationSetTemplateMeta", metadata),
            "spec": encode("ApplicationSpec", spec),
        }
        return GeneratedApplication(
            name=metadata["name"],
            namespace=self._namespace,
            application_set=self._name,
            element=element,
            manifest=manifest,
            leftovers=tuple(_leftovers(manifest, "")),
        )

    def _rendered_patch(self, params: dict[str, Any]) -> Any:
        try:
            text = self._replace(self._patch or "", params)
        except Refused as error:
            raise Refused(f"templatePatch: {error}") from error
        if not text.lstrip().startswith("{"):
            value = read_yaml_value(text)
            return {} if value is None else value
        try:  # what begins with a brace has to be JSON
            json.loads(text)
        except ValueError as error:
            raise Refused("templatePatch começa com '{' e não é JSON") from error
        return read_yaml_value(text)


def _refuse(message: str) -> None:
    raise Refused(message)


def _boolean(mapping: dict[str, Any], key: str) -> bool:
    value = mapping.get(key)
    if not isinstance(value, bool | None):
        raise Refused(f"{key} deveria ser true ou false")
    return bool(value)


def _text(mapping: dict[str, Any], key: str) -> str | None:
    value = mapping.get(key)
    if not isinstance(value, str | None):
        raise Refused(f"{key} deveria ser texto")
    return value


def _options(spec: dict[str, Any]) -> tuple[str, ...]:
    options = spec.get("goTemplateOptions") or []
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise Refused("goTemplateOptions deveria ser uma lista de textos")
    return tuple(options)


def _template(value: Any, path: str) -> dict[str, Any]:
    """A decoded template; the parts that the API demands have to be there."""
    if not isinstance(value, dict):
        raise Refused(f"falta {path}")
    for key in ("metadata", "spec"):
        if not isinstance(value.get(key), dict):
            raise Refused(f"falta {path}.{key}")
    for key in ("destination", "project"):
        if value["spec"].get(key) is None:
            raise Refused(f"falta {path}.spec.{key}")
    decoded: dict[str, Any] = decode("ApplicationSetTemplate", value, path)
    return decoded


def _check_metadata(metadata: dict[str, Any]) -> None:
    """What the API server would refuse: the name, and labels that are no labels."""
    name = metadata.get("name", "")
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise Refused(f"o nome {excerpt(name)!r} não é um nome DNS-1123")
    for key in (*metadata.get("labels", {}), *metadata.get("annotations", {})):
        if not LABEL_KEY.fullmatch(key):
            raise Refused(f"{excerpt(key)!r} não serve como chave de label ou anotação")
    for key, text in metadata.get("labels", {}).items():
        if not _LABEL.fullmatch(text):
            raise Refused(f"o label {excerpt(key)} tem o valor inválido {excerpt(text)!r}")


def _leftovers(value: Any, path: str) -> list[str]:
    if isinstance(value, str):
        return [path] if "{{" in value or "}}" in value else []
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in _leftovers(item, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in _leftovers(item, f"{path}[{i}]")]
    return []


def dump_applications(applications: tuple[GeneratedApplication, ...]) -> bytes:
    """The manifests as one YAML stream, in the order given; the same applications give the same bytes."""
    return "".join(f"---\n{dump_block(application.manifest)}" for application in applications).encode()

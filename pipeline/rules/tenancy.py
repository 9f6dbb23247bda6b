"""TEN: whose an object, a form or a portal is, said each time and never assumed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import CouldNotJudge, Example, rule
from pipeline.audit.select import document
from pipeline.audit.selecting import selects
from pipeline.audit.texts import ValuesView, values
from pipeline.domain.finding import FixMode, Operation, Severity
from pipeline.rules.labels_shared import covered, set_label, wanted_value
from pipeline.rules.shapes import items, mapping
from pipeline.yamldoc import json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, ModuleView, ObjectView
    from pipeline.domain.finding import PathKey

__all__ = ["default_tenant", "fine_authorization", "required_tenant", "tenancy_value"]

_KEYS = ("appgear.io/tenant-id", "appgear.io/workspace-id")
_TENANT = re.compile(r"tenant[-_]?(?:id|name|slug)?|inquilino", re.IGNORECASE)
_ASKED = re.compile(r"(?:tenant|workspace)[-_]?id|tenant|workspace", re.IGNORECASE)
_LABELS = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: core-exemplo
  labels:
    appgear.io/tenant-id: {tenant}
    appgear.io/workspace-id: global
"""


@rule(
    "TEN-ID",
    Severity.ALTA,
    over=covered,
    fix=FixMode.PARAM,
    title="Label de tenancy sem valor",
    explanation="Uma label vazia passa na política e não identifica ninguém: o custo e o isolamento do objeto ficam "
    "sem dono.",
    remedy="Escreva o tenant e o workspace donos do objeto (`global` para os serviços core), em `[parameters.labels]`.",
    sources=("CON §11", "COO §9"),
    reading="A falta da chave é de LBL-POLICY; aqui está a chave que existe e não diz nada, que REG deixa passar. "
    "`global` é um valor legítimo.",
    bad=_LABELS.format(tenant='""'),
    good=_LABELS.format(tenant="global"),
)
def tenancy_value(found: ObjectView) -> Iterator[Breach]:
    """Null or blank values of the two tenancy keys."""
    labels = found.labels
    for key in _KEYS:
        if key in labels and (labels[key] is None or (isinstance(labels[key], str) and not labels[key].strip())):
            yield found.breach(
                f"`{key}` de {found.kind} `{found.name}` está vazia",
                "metadata",
                "labels",
                key,
                changes=(set_label(found, (), key, wanted_value(found, key)),),
            )


@selects("templates do Backstage")
def _forms(module: ModuleView) -> Iterator[ObjectView]:
    """Backstage templates."""
    for found in module.by_kind.get("Template", ()):
        if found.group.endswith("backstage.io"):
            yield found


@selects("templates, definições de recurso e OpenAPI")
def _interfaces(module: ModuleView) -> Iterator[ObjectView | ValuesView]:
    """Backstage templates, resource definitions and OpenAPI documents: what a user or a client fills in."""
    yield from module.select(_forms)
    yield from module.by_kind.get("CustomResourceDefinition", ())
    for found in module.select(values):
        if isinstance(found, ValuesView) and mapping(found.value).keys() & {"openapi", "swagger"}:
            yield found


_FORM = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: criar}}
spec:
  parameters:
    - title: Dados
{required}      properties:
        tenantId: {{type: string{default}}}
"""
_GOOD_FORM = _FORM.format(required="      required: [tenantId]\n", default="")


@rule(
    "TEN-DEFAULT",
    Severity.MEDIA,
    over=_interfaces,
    title="Tenant com valor padrão no formulário",
    explanation="Com um padrão, quem não escolhe cria no tenant de outro: o dado e o custo vão para o dono errado.",
    remedy="Retire o padrão e obtenha o tenant das claims do usuário.",
    sources=("COO §9", "INT §4.6"),
    bad=_FORM.format(required="", default=", default: global"),
    good=_GOOD_FORM,
)
def default_tenant(found: ObjectView | ValuesView) -> Iterator[Breach]:
    """``default`` of a property or parameter that names the tenant."""
    for path, value in found.scalars:
        if len(path) < 3 or path[-1] != "default" or value in (None, ""):  # properties.NAME.default
            continue
        name = _property(found, path)
        if name and _TENANT.fullmatch(name):
            yield found.breach(f"`{name}` vem com o padrão `{value}`", *path)


def _property(found: ObjectView | ValuesView, path: tuple[PathKey, ...]) -> str:
    """Name of the property that a ``default`` belongs to: a key of ``properties``, or an OpenAPI parameter."""
    if path[-3] == "properties" and isinstance(path[-2], str):
        return path[-2]
    if path[-2] == "schema":
        parameter: Any = found.value
        for part in path[:-2]:
            parameter = parameter[part]
        name = mapping(parameter).get("name")
        return name if isinstance(name, str) else ""
    return ""


def _steps(found: ObjectView) -> Iterator[tuple[tuple[PathKey, ...], dict[str, Any]]]:
    """The pages of a Backstage form, one map or a list of them."""
    held = found.get("spec", "parameters")
    if isinstance(held, dict):
        yield ("spec", "parameters"), held
    for index, page in enumerate(items(held)):
        if isinstance(page, dict):
            yield ("spec", "parameters", index), page


@rule(
    "TEN-REQUIRED",
    Severity.MEDIA,
    over=_forms,
    fix=FixMode.AUTO,
    title="Formulário que não exige tenant ou workspace",
    explanation="Sem `required`, o fluxo pode criar um workspace que não é de ninguém.",
    remedy="Ponha o campo em `required` na página do formulário em que ele está.",
    sources=("INT §4.6",),
    reading="Inferência: INT §4.6 exige os dois identificadores em todo fluxo, sem falar do formulário.",
    bad=_FORM.format(required="", default=""),
    good=_GOOD_FORM,
)
def required_tenant(found: ObjectView) -> Iterator[Breach]:
    """Tenant and workspace ids among the properties of a page and not among its required ones."""
    for path, page in _steps(found):
        required = page.get("required")
        for name in mapping(page.get("properties")):
            if not _ASKED.fullmatch(name) or name in items(required):
                continue
            listed = isinstance(required, list)
            operation = Operation(
                op="add" if listed or "required" not in page else "replace",
                path=json_pointer((*path, "required", "-") if listed else (*path, "required")),
                value=name if listed else [name],
            )
            yield found.breach(
                f"`{name}` não está em `required`", *path, "properties", name, changes=(found.patch(operation),)
            )


_CLAIM = re.compile(
    r"autoriza[çc][ãa]o\s+(?:fina|granular|por\s+(?:tenant|workspace))|fine[- ]grained|\bOpenFGA\b|\bReBAC\b",
    re.IGNORECASE,
)
_CONFIGURED = re.compile(
    r"openfga|\bfga[_-]|^\s*permission:|AuthorizationPolicy|authorization_model|permission-backend|rbac-policy",
    re.IGNORECASE | re.MULTILINE,
)
_CLAIMING = re.compile(r"o que [ée]|por que|vis[ãa]o geral|objetivo", re.IGNORECASE)


@selects("documentos de portal multi-tenant")
def _claiming(module: ModuleView) -> Iterator[DocumentView]:
    """The document of a multi-tenant portal: one with a Backstage configuration or template."""
    for view in module.select(document):
        portal = any("backstage" in file.path.lower() or "backstage" in file.text.lower() for file in module.files)
        if portal and "tenant" in view.document.text.lower():
            yield view


@rule(
    "TEN-AUTHZ",
    Severity.MEDIA,
    over=_claiming,
    title="Autorização fina prometida e não configurada",
    explanation="O documento promete autorização por tenant ou workspace e nada do que ele entrega a configura: todo "
    "usuário autenticado vê tudo.",
    remedy="Entregue a configuração (política de permissões do Backstage, modelo do OpenFGA) ou diga onde ela está.",
    sources=("COO §9.2",),
    reading="A autorização pode estar no código da aplicação, que este módulo não traz.",
    bad=Example(
        document="# M\n\n## 1. O que é\n\nUsa claims `tenant_id` para autorização fina (OpenFGA).\n",
        files={"apps/backstage/app.yaml": "a: 1\n"},
    ),
    good=Example(
        document="# M\n\n## 1. O que é\n\nUsa claims `tenant_id` para autorização fina (OpenFGA).\n",
        files={"apps/backstage/app.yaml": "permission:\n  enabled: true\n"},
    ),
)
def fine_authorization(view: DocumentView) -> Iterator[Breach]:
    """The first claim in the sections that say what the module is, with nothing in the files that keeps it."""
    module = view.module
    if not module.files:
        raise CouldNotJudge("o módulo não traz arquivos em que a autorização pudesse estar")
    fences = "\n".join(fence.content for fence in view.document.fences)
    if any(_CONFIGURED.search(file.text) for file in module.files) or _CONFIGURED.search(fences):
        return
    section = ""
    titles = {heading.line: heading.text for heading in view.document.headings if heading.level == 2}
    for number, line in view.document.prose():
        section = titles.get(number, section)
        claim = _CLAIM.search(line) if _CLAIMING.search(section) else None
        if claim:
            yield view.breach(
                f"`{claim[0]}` é prometida, e nenhum arquivo do módulo a configura",
                line=number,
                column=claim.start() + 1,
                key="claim",
            )
            return

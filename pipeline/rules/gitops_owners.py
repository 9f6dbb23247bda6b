"""GIT: who owns a path, a namespace and a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pipeline.audit.kustomize import resolve_resource
from pipeline.audit.rule import Example, rule
from pipeline.audit.selecting import selects
from pipeline.domain.finding import Severity
from pipeline.rules.documents import module_documents
from pipeline.rules.lookup import find
from pipeline.rules.prose import SAVE, section_lines
from pipeline.rules.shapes import mapping, maps, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import DocumentView, FileView, ModuleView, ObjectView

__all__ = [
    "duplicate_path",
    "foreign_namespace",
    "missing_file",
    "shared_overwrite",
    "shared_owner",
    "unnamed_repository",
]

_SHARED_FILE = re.compile(r"(?:^|/)(?:kustomization\.ya?ml|docker-compose\.ya?ml|apps-[\w-]+\.ya?ml)$")
_REST = re.compile(r"#.*\b(?:demais|outr[oa]s|restantes?|existentes?|já existem?)\b", re.IGNORECASE)
_SERVICE_HOST = re.compile(r"\.([a-z0-9][a-z0-9-]{0,62})\.svc\b")
_NAMESPACE_FOLDERS = frozenset(("base", "bootstrap", "core", "namespace", "namespaces", "ns", ""))
_REPOSITORY = re.compile(r"\bappgear-[a-z][a-z0-9-]*")
_GLYPHS = re.compile(r"^[\s│├└─|`+-]*(?=[\w.<\[{])")
_COMMENT = re.compile(r"(?<!\s)\s++(?:#|//|←|<-|—|–).*$")
_FILE_NAME = re.compile(r"[\w.<>{}-]+\.[A-Za-z][\w]*")


@selects("heredocs que gravam arquivo")
def _heredocs(module: ModuleView) -> Iterator[FileView]:
    yield from (each for each in module.files if each.source.origin.kind == "heredoc" and not each.source.fragment)


@rule(
    "GIT-OVERWRITE",
    Severity.MEDIA,
    over=_heredocs,
    title="Bloco que sobrescreve um arquivo compartilhado",
    explanation="O próprio bloco diz que o arquivo tem mais conteúdo; gravado com `cat >`, esse conteúdo se perde.",
    remedy="Acrescente só a sua linha (um `components` próprio, um arquivo próprio) ou entregue o arquivo inteiro.",
    sources=("COO §4.1",),
    bad=Example(
        document=(
            "# M\n\n```bash\ncat > apps/kong/kustomization.yaml << 'EOF'\n"
            "resources:\n  - a.yaml\n  # demais rotas...\nEOF\n```\n"
        )
    ),
    good=Example(
        document="# M\n\n```bash\ncat > apps/a/kustomization.yaml << 'EOF'\nresources:\n  - a.yaml\nEOF\n```\n"
    ),
)
def shared_overwrite(file: FileView) -> Iterator[Breach]:
    """A shared file made anew by a block whose own comment speaks of what else it holds."""
    if not _SHARED_FILE.search(file.path) or _appends(file):
        return
    for number, line in enumerate(file.lines, 1):
        if _REST.search(line):
            detail = f"o bloco cria `{file.path}` inteiro e apaga o que outros módulos puseram nele"
            yield file.breach(detail, line=number)
            return


def _appends(file: FileView) -> bool:
    """Whether the command above the content appends."""
    document, line = file.module.document, file.source.origin.document_line
    if document is None or line is None or line < 2:
        return False
    return ">>" in document.document.lines[line - 2] or "tee -a" in document.document.lines[line - 2]


@selects("namespaces")
def _namespaces(module: ModuleView) -> Iterator[ObjectView]:
    yield from (each for each in module.by_kind.get("Namespace", ()) if not each.group)


@selects("namespaces")
def _listed_namespaces(module: ModuleView) -> Iterator[ObjectView]:
    """Namespaces, where the platform says which there may be."""
    yield from module.select(_namespaces) if module.policy.namespaces else ()


def _used_from(module: ModuleView) -> Iterator[dict[str, set[str]]]:
    """By namespace, the folders whose objects stand in it or whose texts call a Service of it."""
    used: dict[str, set[str]] = {}
    for file in module.files:
        if file.is_yaml and not file.source.fragment:
            for name in {*_SERVICE_HOST.findall(file.text), *(each.own_namespace for each in file.objects)}:
                used.setdefault(name or "", set()).add(file.folder)
    yield used


@rule(
    "GIT-NS",
    Severity.MEDIA,
    over=_listed_namespaces,
    title="Namespace fora da lista do stack unificado",
    explanation="O stack unificado é a fonte dos namespaces: um nome fora dele não tem dono, política nem custo.",
    remedy="Use um namespace da lista, ou inclua o novo em `[policy] namespaces` por decisão do CCB.",
    sources=("STK namespaces", "STK integration_actions"),
    reading=(
        "Contradição 8: `appgear-core`, `backstage`, `security`, `velero` e os de `gitops/apps` não estão no STK e são "
        "usados; aqui são aceitos, como o namespace que tem o nome da pasta da sua aplicação. A lista vem de "
        "`[references] stack` ou de `[policy] namespaces`; sem uma delas nada é julgado."
    ),
    bad=Example(
        files={"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: minha-area}\n"},
        stack="namespaces: [observability]\n",
    ),
    good=Example(
        files={"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: observability}\n"},
        stack="namespaces: [observability]\n",
    ),
)
def foreign_namespace(namespace: ObjectView) -> Iterator[Breach]:
    """The name is neither in the platform's list nor of the workspace pattern."""
    known = (*namespace.module.policy.namespaces, namespace.file.folder.rpartition("/")[2])
    name = namespace.name
    if name and name not in known and not any(fnmatchcase(name, each) for each in known):
        yield namespace.breach(f"o namespace `{namespace.name}` não está na lista da plataforma", "metadata", "name")


@rule(
    "GIT-OWNER",
    Severity.ALTA,
    over=_namespaces,
    title="Namespace com mais de um dono, ou com o dono errado",
    explanation=(
        "Quem declara o Namespace pode apagá-lo: removida essa aplicação, o Argo CD leva junto tudo o que os outros "
        "têm nele."
    ),
    remedy="Declare o namespace compartilhado uma só vez, na aplicação de namespaces do Core.",
    sources=("STK integration_actions.namespaces",),
    bad=Example(
        files={
            "apps/core/loki/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: observability}\n",
            "apps/core/n8n/cm.yaml": (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
                "data: {url: http://core-loki.observability.svc.cluster.local}\n"
            ),
        }
    ),
    good=Example(files={"apps/core/n8n/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: n8n}\n"}),
)
def shared_owner(namespace: ObjectView) -> Iterator[Breach]:
    """Two folders declare the Namespace, or an application of another name declares one that others use."""
    folder = namespace.file.folder
    others = sorted(
        {
            each.file.folder
            for each in find(namespace.module, "Namespace", namespace.name)
            if each.file.folder != folder and not each.file.source.fragment
        }
    )
    if namespace.file.source.fragment or not namespace.name:
        return
    if others and others[0] < folder:
        detail = f"o namespace `{namespace.name}` também é declarado em `{others[0]}`"
        yield namespace.breach(detail, "metadata", "name")
        return
    app = folder.rpartition("/")[2]
    users = namespace.module.select(_used_from)[0].get(namespace.name, set()) - {folder}
    if users and app not in _NAMESPACE_FOLDERS | {namespace.name}:
        detail = f"a aplicação `{app}` declara o namespace compartilhado `{namespace.name}`"
        yield namespace.breach(detail, "metadata", "name")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Listed:
    """A folder that a kustomization lists, and the Application that renders it too, if any."""

    object: ObjectView
    index: int
    name: str
    application: str | None


@selects("objetos que kustomizations listam")
def _listed(module: ModuleView) -> Iterator[_Listed]:
    applied: dict[str, str] = {}
    for kind in ("Application", "ApplicationSet"):
        for each in module.by_kind.get(kind, ()):
            source = each.get("spec", "source") or each.get("spec", "template", "spec", "source")
            for path in [mapping(source).get("path"), *_element_paths(each)]:
                if isinstance(path, str) and "{{" not in path:
                    applied[path.strip("/")] = each.name
    for folder, each in module.kustomize.kustomizations.items():
        for index, name in texts(each.get("resources")):
            target = resolve_resource(folder, name)
            if target is not None and not target.endswith((".yaml", ".yml")):
                yield _Listed(object=each, index=index, name=name, application=applied.get(target))


def _element_paths(found: ObjectView) -> Iterator[str]:
    for _, generator in maps(found.get("spec", "generators")):
        for _, element in maps(mapping(generator.get("list")).get("elements")):
            yield text(element.get("path"))


@rule(
    "GIT-DUP",
    Severity.MEDIA,
    over=_listed,
    title="Mesma pasta na kustomization agregadora e numa Application",
    explanation="Dois donos aplicam os mesmos objetos: o Argo CD alterna entre eles e acusa recurso compartilhado.",
    remedy="Deixe a pasta só na Application, e tire-a da kustomization agregadora.",
    sources=("COO §4.1",),
    bad=Example(
        files={
            "apps/kustomization.yaml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [n8n/]\n"
            ),
            "root.yaml": (
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: root-a}\n"
                "spec: {source: {path: apps/n8n}}\n"
            ),
        }
    ),
    good=Example(
        files={
            "apps/kustomization.yaml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [n8n/]\n"
            )
        }
    ),
)
def duplicate_path(listed: _Listed) -> Iterator[Breach]:
    """The folder is also the path of an Application."""
    if listed.application is not None:
        detail = f"`{listed.name}` já é renderizada pela Application `{listed.application}`"
        yield listed.object.breach(detail, "resources", listed.index)


@selects("documentos que dizem onde se salva")
def _saved(module: ModuleView) -> Iterator[DocumentView]:
    """Documents that say where things are saved; one that does not breaches DOC-SEC."""
    yield from (each for each in module.select(module_documents) if section_lines(each, SAVE))


@rule(
    "GIT-REPO",
    Severity.BAIXA,
    over=_saved,
    title="“Onde salvar” não nomeia o repositório",
    explanation="Quem recebe o módulo não sabe em que repositório e pasta pôr os manifests.",
    remedy="Nomeie o repositório (`appgear-…`) e a pasta dos manifests em “Onde salvar”.",
    sources=("COO §4.3",),
    bad=Example(document="# M\n\n## Onde salvar\n\nNo lugar de sempre.\n"),
    good=Example(document="# M\n\n## Onde salvar\n\nRepositório `appgear-gitops-core`, pasta `apps/core/n8n`.\n"),
)
def unnamed_repository(view: DocumentView) -> Iterator[Breach]:
    """No platform repository is named in the section."""
    lines = section_lines(view, SAVE)
    if not any(_REPOSITORY.search(line) for _, line in lines):
        yield view.breach("nenhum repositório `appgear-…` é citado em “Onde salvar”", line=lines[0][0])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Leaf:
    """A file that a folder listing of the document shows, in a folder of which the module gives files."""

    view: DocumentView
    path: str
    line: int
    column: int


@selects("pastas de aplicação")
def _leaves(module: ModuleView) -> Iterator[_Leaf]:
    if module.document is None:
        return
    given = {file.folder for file in module.files if not file.source.fragment and file.folder}
    for fence in module.document.document.fences:
        if fence.language not in ("", "text", "txt", "plaintext", "tree"):
            continue
        for path, row, column in _listing(fence.content):
            if path.rpartition("/")[0] in given:
                yield _Leaf(view=module.document, path=path, line=fence.first_line + row, column=column)


def _listing(content: str) -> Iterator[tuple[str, int, int]]:
    """Files of a folder listing: path, row from 0 and column from 1. Depth is told by the column of the name."""
    folders: list[tuple[int, str]] = []
    for row, line in enumerate(content.split("\n")):
        found = _GLYPHS.match(line)
        name = _COMMENT.sub("", line[found.end() :]).strip() if found else ""
        if found is None or not name or " " in name:
            continue
        column = found.end()
        while folders and folders[-1][0] >= column:
            folders.pop()
        path = "/".join([*(folder for _, folder in folders), name.strip("/")])
        if name.endswith("/") or not _FILE_NAME.fullmatch(name.rpartition("/")[2]):
            folders.append((column, name.strip("/")))
        else:
            yield path, row, column + 1


_GIVEN = "# M\n\n```bash\ncat > apps/a/b.yaml << 'EOF'\na: 1\nEOF\n```\n\n"


@rule(
    "GIT-MISSING",
    Severity.MEDIA,
    over=_leaves,
    title="Arquivo citado na árvore e não entregue",
    explanation="A árvore promete um arquivo que o módulo não traz: quem o segue entrega uma pasta incompleta.",
    remedy="Entregue o arquivo no módulo ou retire-o da árvore.",
    sources=("COO §4.1",),
    bad=Example(document=_GIVEN + "```text\napps/a/\n  b.yaml\n  c.yaml\n```\n"),
    good=Example(document=_GIVEN + "```text\napps/a/\n  b.yaml\n```\n"),
)
def missing_file(leaf: _Leaf) -> Iterator[Breach]:
    """The module gives other files of the folder, and not this one."""
    if leaf.path not in leaf.view.module.by_path and not re.search(r"[<>{}]", leaf.path):
        detail = f"`{leaf.path}` está na árvore e o módulo não o entrega"
        yield leaf.view.breach(detail, line=leaf.line, column=leaf.column, key=leaf.path)

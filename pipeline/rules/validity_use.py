"""VAL: variables, templates, images, checks and commands that do not fit the files they go with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import CouldNotJudge, Example, rule
from pipeline.audit.select import images
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity, TextChange
from pipeline.rules.lookup import find_in
from pipeline.rules.shapes import mapping, maps, text, texts
from pipeline.rules.workload_care import whole_pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.images import ImageUse
    from pipeline.audit.rule import Breach
    from pipeline.audit.views import FileView, ModuleView, ObjectView, PodView

__all__ = ["bad_template", "stock_image", "unset_variables", "unused_variable"]

_WITHOUT_DEFAULT = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]{2,})\}")
_USED = re.compile(r"\$\{?([A-Za-z_]\w*)")
_CONFIG_NAME = re.compile(r"\.(?:ya?ml|properties|toml)$")
_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_]\w*)=")
_WRITTEN = re.compile(r"(?<!\w)([A-Za-z_]\w*)=")
_EXPRESSION = re.compile(r"\$\{\{([^{}]{0,2000})\}\}")
_ROOT = re.compile(r"(?<![\w.'\"\]-])([A-Za-z_]\w*)(?=\s*[.\[])")
_CONTEXT = frozenset(("parameters", "steps", "secrets", "user", "each", "context", "environment", "this"))
_REQUEST_INPUTS = frozenset(
    ("path", "method", "headers", "params", "body", "logRequestPath", "continueOnBadResponse", "timeout")
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Mounted:
    """A ConfigMap of the module that a pod mounts, and the variables that its configuration reads."""

    pod: PodView
    config: ObjectView
    names: tuple[str, ...]

    @property
    def object(self) -> ObjectView:
        return self.pod.object


@selects("configurações montadas em pods")
def _mounted(module: ModuleView) -> Iterator[_Mounted]:
    maps_by_name = {(each.namespace, each.name): each for each in module.by_kind.get("ConfigMap", ())}
    for pod in module.select(whole_pods):
        for _, volume in maps(pod.spec.get("volumes")):
            name = mapping(volume.get("configMap")).get("name")
            config = maps_by_name.get((pod.object.namespace, name)) if isinstance(name, str) else None
            if config is None:
                continue
            names: dict[str, None] = {}
            for key, value in mapping(config.get("data")).items():
                if isinstance(value, str) and _CONFIG_NAME.search(key):
                    names |= dict.fromkeys(_WITHOUT_DEFAULT.findall(value))
            if names:
                yield _Mounted(pod=pod, config=config, names=tuple(names))


@rule(
    "VAL-ENV",
    Severity.MEDIA,
    over=_mounted,
    title="Variável usada na configuração e nunca definida",
    explanation="A aplicação lê a variável e não a encontra: falha ao subir, ou sobe com um valor vazio.",
    remedy="Defina a variável em `env`, em `envFrom` ou num arquivo de segredo que o processo de fato carregue.",
    sources=("REV",),
    bad="""
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {app.yaml: 'url: ${BASE_URL}'}
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: a, image: 'a:1'}], volumes: [{name: c, configMap: {name: c}}]}
""",
    good="""
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {app.yaml: 'url: ${BASE_URL}'}
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers: [{name: a, image: 'a:1', env: [{name: BASE_URL, value: x}]}]
  volumes: [{name: c, configMap: {name: c}}]
""",
)
def unset_variables(mounted: _Mounted) -> Iterator[Breach]:
    """Variables without a default that neither env, envFrom nor a loaded file of the Vault agent gives."""
    given = _given(mounted.pod)
    missing = [name for name in mounted.names if name not in given]
    if missing:
        found = mounted.pod.object
        detail = f"`{mounted.config.name}` usa e `{found.name}` não define: {', '.join(missing)}"
        yield found.breach(detail, *mounted.pod.path, "spec", "containers", key=mounted.config.name)


def _given(pod: PodView) -> set[str]:
    given: set[str] = set()
    for container in pod.containers:
        given |= {text(entry.get("name")) for _, entry in maps(container.value.get("env"))}
        for _, entry in maps(container.value.get("envFrom")):
            given |= _from(pod, entry, text(entry.get("prefix")))
        for field in ("command", "args"):
            if any("/vault/secrets" in word for _, word in texts(container.value.get(field))):
                given |= _injected(pod)
    return given


def _from(pod: PodView, entry: dict[str, Any], prefix: str) -> set[str]:
    name = mapping(entry.get("configMapRef")).get("name")
    found = find_in(pod.object.module, "ConfigMap", text(name), pod.object.namespace)
    if found is not None:
        return {prefix + key for key in mapping(found.get("data"))}
    raise CouldNotJudge("`envFrom` traz variáveis de um objeto que não está no módulo")


def _injected(pod: PodView) -> set[str]:
    """Variables that the Vault agent's templates write."""
    templates = [text(value) for key, value in pod.annotations.items() if "agent-inject-template" in key]
    return {name for template in templates for name in _WRITTEN.findall(template)}


@dataclass(frozen=True, kw_only=True, eq=False)
class _EnvFile:
    """A ``.env`` beside Compose files, and every variable that they, scripts or commands use."""

    object: FileView
    used: frozenset[str]


@selects("arquivos `.env`")
def _env_files(module: ModuleView) -> Iterator[_EnvFile]:
    central = module.policy.central_env
    composed = [file for file in module.files if file.compose]
    if not composed or any("env_file" in service.value for file in composed for service in file.compose):
        return
    sources = [file.text for file in module.files if file.compose or file.name.endswith((".sh", ".env"))]
    if module.document is not None:
        sources += [command.text for command in module.document.document.commands]
    used = frozenset(name for source in sources if "$" in source for name in _USED.findall(source))
    for file in module.files:
        place = f"{file.source.directory}/{file.name}" if file.source.directory else file.path
        if file.name == ".env" and place != central and place != central.lstrip("/"):
            yield _EnvFile(object=file, used=used)


@rule(
    "VAL-UNUSED",
    Severity.BAIXA,
    over=_env_files,
    fix=FixMode.AUTO,
    title="Variável definida e nunca usada",
    explanation="Quem mantém o arquivo supõe que a variável faz algo, e muda um valor sem efeito.",
    remedy="Retire a variável, ou use-a.",
    sources=("practice",),
    bad=Example(
        files={"a/.env": "A=1\nB=2\n", "a/docker-compose.yml": "services: {core-a: {image: 'a:1', hostname: '${A}'}}\n"}
    ),
    good=Example(
        files={"a/.env": "A=1\n", "a/docker-compose.yml": "services: {core-a: {image: 'a:1', hostname: '${A}'}}\n"}
    ),
)
def unused_variable(env: _EnvFile) -> Iterator[Breach]:
    """A variable of the file that no Compose file, script or command reads."""
    for number, line in enumerate(env.object.lines, 1):
        found = _ASSIGNMENT.match(line)
        if found is not None and found[1] not in env.used and not found[1].startswith("COMPOSE_"):
            change = _without_line(env.object, number)
            yield env.object.breach(
                f"`{found[1]}` não é usada pelos arquivos Compose nem pelos comandos", line=number, changes=(change,)
            )


def _without_line(file: FileView, number: int) -> TextChange:
    """Remove a line with its end; the last one of a file without a final newline becomes empty."""
    line = file.lines[number - 1]
    if number == len(file.lines):
        return file.replace(number, 1, line, "")
    end = "\r\n" if file.text.split("\n")[number - 1].endswith("\r") else "\n"
    return TextChange(path=file.path, line=number, column=1, end_line=number + 1, end_column=1, old=line + end, new="")


@selects("templates do Backstage")
def _templates(module: ModuleView) -> Iterator[ObjectView]:
    found = module.by_kind.get("Template", ())
    yield from (each for each in found if each.group == "scaffolder.backstage.io")


@rule(
    "VAL-TEMPLATE",
    Severity.ALTA,
    over=_templates,
    title="Template do Backstage que falha ao executar",
    explanation="Uma entrada que a ação não tem, ou um nome fora do contexto, só falha quando alguém usa o formulário.",
    remedy="Use as entradas da ação e só `parameters`, `steps`, `user` e `secrets` nas expressões.",
    sources=("SCH",),
    bad="""
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: a}
spec:
  steps: [{id: a, action: 'http:backstage:request', input: {method: GET, url: '${{ config.x }}'}}]
""",
    good="""
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: a}
spec:
  parameters: [{properties: {name: {type: string}}}]
  steps: [{id: a, action: 'http:backstage:request', input: {method: GET, path: '/proxy/${{ parameters.name }}'}}]
""",
)
def bad_template(found: ObjectView) -> Iterator[Breach]:
    """Inputs that ``http:backstage:request`` has not, names outside the context, parameters nobody asks for."""
    for index, step in maps(found.get("spec", "steps")):
        held = mapping(step.get("input"))
        if step.get("action") == "http:backstage:request":
            for key in held:
                if key not in _REQUEST_INPUTS:
                    detail = f"a ação `http:backstage:request` não tem a entrada `{key}`"
                    yield found.breach(detail, "spec", "steps", index, "input", key)
            if "path" not in held:
                yield found.breach("falta a entrada `path` da ação", "spec", "steps", index, "input", key="path")
    asked = _asked(found)
    steps = {text(step.get("id")) for _, step in maps(found.get("spec", "steps"))}
    for path, value in found.scalars:
        if isinstance(value, str) and "${{" in value:
            for expression in _EXPRESSION.findall(value):
                for said in _faults(expression, asked, steps):
                    yield found.breach(said, *path, key=said)


def _asked(found: ObjectView) -> set[str] | None:
    """Names that the form asks for; None where a part of it is not plain properties."""
    form = found.get("spec", "parameters")
    pages = [page for _, page in maps(form)] if isinstance(form, list) else [mapping(form)]
    if any(key in page for page in pages for key in ("allOf", "anyOf", "oneOf", "dependencies", "$ref", "if")):
        return None
    return {name for page in pages for name in mapping(page.get("properties"))}


def _faults(expression: str, asked: set[str] | None, steps: set[str]) -> Iterator[str]:
    for root in dict.fromkeys(_ROOT.findall(expression)):
        if root not in _CONTEXT:
            yield f"`{root}` não existe no contexto do template"
    for name in re.findall(r"\bparameters\.(\w+)", expression):
        if asked is not None and name not in asked:
            yield f"o formulário não pede `{name}`"
    for name in re.findall(r"\bsteps(?:\.(\w+)|\[['\"]([\w-]+)['\"]\])", expression):
        if (name[0] or name[1]) not in steps:
            yield f"nenhum passo se chama `{name[0] or name[1]}`"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Intended:
    """An image, and the repository of the platform that the document builds the same product from."""

    image: ImageUse
    repository: str | None

    @property
    def object(self) -> object:
        return self.image.holder


@selects("imagens")
def _intended(module: ModuleView) -> Iterator[_Intended]:
    document = module.document
    cloned: dict[str, str] = {}
    for command in document.document.commands if document is not None else ():
        if command.words[:2] == ("git", "clone"):
            for word in command.words[2:]:
                found = re.search(r"(appgear-([a-z0-9-]+?))(?:\.git)?$", word)
                if found is not None:
                    cloned[found[2]] = found[1]
    for use in module.select(images):
        yield _Intended(image=use, repository=cloned.get(use.reference.repository.rpartition("/")[2]))


@rule(
    "VAL-IMAGE",
    Severity.ALTA,
    over=_intended,
    title="Imagem pública onde o módulo constrói a sua",
    explanation="O documento desenvolve código próprio, e o objeto roda a imagem pública, que não o contém.",
    remedy="Construa a imagem no CI a partir do repositório do módulo e use-a, por digest.",
    sources=("REV",),
    bad=Example(
        document="# M\n\n```bash\ngit clone git@github.com:appgear/appgear-backstage.git\n```\n",
        files={"docker-compose.yml": "services: {core-a: {image: 'ghcr.io/backstage/backstage:1.2.3'}}\n"},
    ),
    good=Example(
        document="# M\n\n```bash\ngit clone git@github.com:appgear/appgear-backstage.git\n```\n",
        files={"docker-compose.yml": "services: {core-a: {image: 'ghcr.io/appgear/backstage:1.2.3'}}\n"},
    ),
)
def stock_image(intended: _Intended) -> Iterator[Breach]:
    """The image is called like a repository of the platform that the document clones, and is not the platform's."""
    reference = intended.image.reference.repository
    if intended.repository is not None and "appgear" not in reference:
        detail = f"`{reference}` é a imagem pública; o código do módulo está em `{intended.repository}`"
        yield intended.image.breach(detail)

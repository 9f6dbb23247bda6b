"""LLM: models are reached through LiteLLM, and only LiteLLM holds their keys."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.audit.hints import hint
from pipeline.audit.rule import Example, rule
from pipeline.audit.texts import FenceView, ValuesView, syntax_of
from pipeline.audit.views import CommandView, FileView, ObjectView
from pipeline.domain.finding import Severity
from pipeline.rules.llm_shared import Subject, code, code_lines, code_texts, is_gateway, names_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import PathKey

__all__ = ["provider_endpoint", "provider_key", "provider_sdk"]

_HOSTS = (
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "aiplatform.googleapis.com",
    "api.mistral.ai",
    "api.cohere.ai",
    "api.cohere.com",
    "api.groq.com",
    "api.together.xyz",
    "api.together.ai",
    "api.deepseek.com",
    "api.perplexity.ai",
    "api.fireworks.ai",
    "api.replicate.com",
    "api.x.ai",
    "api.ai21.com",
    "api.voyageai.com",
    "api.cerebras.ai",
    "api.stability.ai",
    "openrouter.ai",
    "api-inference.huggingface.co",
    "router.huggingface.co",
    "integrate.api.nvidia.com",
    "models.inference.ai.azure.com",
    "services.ai.azure.com",
    "dashscope.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
    "api.moonshot.cn",
)
_HOST = re.compile(
    r"(?<![\w-])(?:" + "|".join(re.escape(host) for host in _HOSTS) + r")(?![\w-])|"
    r"\.openai\.azure\.com(?![\w-])|(?<![\w-])bedrock-runtime\.[\w-]{1,30}\.amazonaws\.com(?![\w-])",
    re.IGNORECASE,
)
# What some text must hold before the patterns are worth running over it, for speed alone.
_HOST_HINTS = hint("api.", "api-", "azure.com", "googleapis", "bedrock", "openrouter", "huggingface", "dashscope")
_KEY_HINTS = hint("_key", "_api", "_token", "_secret", "openai", "anthropic", "gemini", "cohere", "mistral", "groq")
_SDK_HINTS = hint("import", "require", "github.com/")
_PROVIDERS = (
    "OPENAI|AZURE_OPENAI|AZURE_AI|ANTHROPIC|CLAUDE|GEMINI|GOOGLE_AI|GOOGLE_GENERATIVE_AI|GOOGLE_GENAI|VERTEX_?AI|COHERE|"
    "MISTRAL|GROQ|DEEPSEEK|OPENROUTER|TOGETHER|TOGETHERAI|TOGETHER_AI|PERPLEXITY|PERPLEXITYAI|XAI|FIREWORKS|"
    "FIREWORKS_AI|REPLICATE|VOYAGE|AI21|CEREBRAS|NVIDIA_NIM|DASHSCOPE|MOONSHOT|STABILITY|HUGGINGFACE|HUGGINGFACEHUB"
)
_KEY = re.compile(
    rf"(?<![A-Za-z0-9/])(?:{_PROVIDERS})_(?:API_?)?(?:KEYS?|TOKEN|SECRET)(?![A-Za-z0-9_])|"
    r"(?<![A-Za-z0-9/])(?:openai|openAI|openAi|azureOpenai|azureOpenAI|anthropic|gemini|cohere|mistral|groq)"
    r"(?:Api|API)?(?:Key|Token)(?![A-Za-z0-9])"
)
_MODULES = (
    r"(?:openai|anthropic|cohere|groq|mistralai|replicate|together|vertexai|google\.generativeai|google\.genai|"
    r"langchain_(?:openai|anthropic|google_genai|google_vertexai|mistralai|cohere|groq)|"
    r"llama_index\.(?:llms|embeddings)\.(?:openai|anthropic|gemini|mistralai|cohere|groq))"
)
_PACKAGES = (
    r"(?:openai|@anthropic-ai/[\w-]+|@google/(?:generative-ai|genai)|@google-cloud/vertexai|cohere-ai|@mistralai/[\w-]+|"
    r"groq-sdk|replicate|together-ai|@azure/openai|@ai-sdk/(?:openai|anthropic|google|mistral|cohere|groq)|"
    r"@langchain/(?:openai|anthropic|google-genai|mistralai|cohere|groq)|@aws-sdk/client-bedrock-runtime)"
)
_IMPORTS = (
    re.compile(
        rf"(?:^|[;'\"(]|>>>)\s*(?:import\s+(?P<name>{_MODULES})\b|from\s+(?P<of>{_MODULES})\b[\w.]*\s+import\b)"
    ),
    re.compile(r"(?:^|[;'\"])\s*from\s+google\s+import\s+(?P<name>gen(?:ai|erativeai))\b"),
    re.compile(
        rf"(?:\bfrom|\brequire\s*\(|\bimport\s*\(|^\s*import)\s*[\"'](?P<name>(?:npm:)?{_PACKAGES}(?:/[\w./-]+)?)[\"']"
    ),
    re.compile(
        r"\"(?P<name>github\.com/(?:sashabaranov/go-openai|openai/openai-go|anthropics/anthropic-sdk-go)[^\"]*)\""
    ),
)


@rule(
    "LLM-ENDPOINT",
    Severity.CRITICA,
    over=code,
    title="Chamada direta a um provedor de modelos",
    explanation="Fora do LiteLLM não há limite de custo por tenant, lista de modelos aprovados nem registro de "
    "prompts: é quebra de contrato.",
    remedy="Aponte para o LiteLLM interno (`LITELLM_BASE_URL`) e retire o endereço do provedor.",
    sources=("CON §9.1", "AUD §6.5", "INT §6.7"),
    bad="""
apiVersion: v1
kind: ConfigMap
metadata: {name: core-flowise}
data: {BASE_URL: "https://api.openai.com/v1"}
""",
    good="""
apiVersion: v1
kind: ConfigMap
metadata: {name: core-flowise}
data: {BASE_URL: "http://core-litellm.appgear-core.svc:4000"}
""",
)
def provider_endpoint(found: Subject) -> Iterator[Breach]:
    """A provider's host in a value, a line of code or a command that is no check."""
    if isinstance(found, CommandView):
        host = _HOST.search(found.command.text)
        if host and not _is_check(found):
            yield found.breach(_calls(host[0]), at=found.locate(host[0]), key=host[0])
    elif _may_hold(found, _HOST_HINTS):
        for place in _places(found):
            for host in _HOST.finditer(place.text):
                yield place.breach(_calls(host[0]), host.start(), host[0])


def _calls(host: str) -> str:
    return f"`{host}` é endereço de um provedor de modelos; o caminho é o LiteLLM"


def _is_check(command: CommandView) -> bool:
    """Commands that verify: that a host is blocked, or that a variable is absent."""
    return "verific" in command.command.section.lower()


def _may_hold(found: ObjectView | ValuesView | FileView | FenceView, hints: int) -> bool:
    source = found if isinstance(found, FileView | FenceView) else found.file
    return bool(source.hints & hints)


class _Place:
    """A line of code or configuration; ``breach`` places a finding at a column (from 0) of it."""

    def __init__(
        self, found: ObjectView | ValuesView | FileView | FenceView, path: tuple[PathKey, ...], row: int, text: str
    ) -> None:
        self._found = found
        self._nested = row >= 0
        self.path = path
        self.row = row
        self.text = text

    def breach(self, detail: str, column: int, key: str) -> Breach:
        if isinstance(self._found, FileView | FenceView):
            return self._found.breach(detail, line=self.row + 1, column=column + 1, key=key)
        made = self._found.breach(detail, *self.path, key=key)
        return replace(made, inside=(self.row, column)) if self._nested else made


def _places(found: ObjectView | ValuesView | FileView | FenceView) -> Iterator[_Place]:
    """Each line of a text, each text value, each line of a value that is a text of its own."""
    if isinstance(found, FileView | FenceView):
        for row, line in code_lines(found.text):
            yield _Place(found, (), row, line)
        return
    for path, value in code_texts(found):
        if "\n" in value:
            for row, line in code_lines(value):
                yield _Place(found, path, row, line)
        else:
            yield _Place(found, path, -1, value)


def _naming_keys(module: ModuleView) -> Iterator[frozenset[str]]:
    """Paths of the files that name a provider's key anywhere: searched once for all their objects."""
    yield frozenset(file.path for file in module.files if _may_hold(file, _KEY_HINTS) and _KEY.search(file.text))


def _gateway_variables(module: ModuleView) -> Iterator[frozenset[str]]:
    """Provider keys that the gateway's own objects and Compose services name: a shared ``.env`` may feed them."""
    held: list[str] = []
    for file in module.files:
        held += [str(each.value) for each in file.objects if is_gateway(each)]
        held += [str(service.value) for service in file.compose if names_gateway(module, service.name)]
    yield frozenset(name for text in held for name in _KEY.findall(text))


@rule(
    "LLM-KEY",
    Severity.CRITICA,
    over=code,
    title="Chave de provedor de modelos fora do LiteLLM",
    explanation="Quem tem a chave do provedor pode chamar o modelo por fora do LiteLLM, sem custo atribuído nem "
    "auditoria.",
    remedy="Deixe a chave só no LiteLLM e dê a este serviço uma chave virtual dele (`LITELLM_API_KEY`).",
    sources=("CON §9.1",),
    reading="Uma variável com nome de provedor cujo valor aponta para o LiteLLM é uma chave virtual dele: não é "
    "apontada.",
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: core-n8n}
spec:
  containers:
    - name: n8n
      image: "n8n:1.2.3"
      env:
        - name: OPENAI_API_KEY
          valueFrom: {secretKeyRef: {name: openai, key: key}}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: core-n8n}
spec:
  containers:
    - name: n8n
      image: "n8n:1.2.3"
      env:
        - name: LITELLM_API_KEY
          valueFrom: {secretKeyRef: {name: litellm, key: key}}
""",
)
def provider_key(found: Subject) -> Iterator[Breach]:
    """A provider's key variable, as a name or read by name."""
    if isinstance(found, CommandView):
        name = _KEY.search(found.command.text)
        if name and not _is_check(found):
            yield found.breach(_holds_key(name[0]), at=found.locate(name[0]), key=name[0])
    elif isinstance(found, FileView | FenceView):
        if not _may_hold(found, _KEY_HINTS):
            return
        language = found.fence.language if isinstance(found, FenceView) else ""
        shared = syntax_of(found.name, language) == "env"
        own: frozenset[str] = found.module.select(_gateway_variables)[0] if shared else frozenset()
        for place in _places(found):
            name = _KEY.search(place.text)
            if name and name[0] not in own and not names_gateway(found.module, place.text):
                yield place.breach(_holds_key(name[0]), name.start(), name[0])
    elif found.file.path in found.module.select(_naming_keys)[0]:
        yield from _keys_in(found)


def _keys_in(found: ObjectView | ValuesView) -> Iterator[Breach]:
    seen: set[tuple[tuple[PathKey, ...], str]] = set()
    for place in _places(found):
        written = [part for part in place.path if isinstance(part, str)] if place.row < 0 else []
        name = next((hit for part in [*written, place.text] if (hit := _KEY.search(part))), None)
        if name is None:
            continue
        item = _item(place.path) if place.row < 0 else (*place.path, place.row)
        beside = str(found.value if not item else _at(found, item)) if place.row < 0 else place.text
        if (item, name[0]) not in seen and not names_gateway(found.module, beside):
            seen.add((item, name[0]))
            yield place.breach(_holds_key(name[0]), name.start() if place.row >= 0 else 0, name[0])


def _item(path: tuple[PathKey, ...]) -> tuple[PathKey, ...]:
    """The list item, or the key itself, that a variable's name, value and references share."""
    for index in range(len(path) - 1, -1, -1):
        if isinstance(path[index], int):
            return path[: index + 1]
        if _KEY.search(str(path[index])):
            return path[: index + 1]
    return path


def _at(found: ObjectView | ValuesView, path: tuple[PathKey, ...]) -> object:
    value: object = found.value
    for part in path:
        value = value[part] if isinstance(value, dict | list) else None  # type: ignore[index]  # a path that was walked
    return value


def _holds_key(name: str) -> str:
    return f"`{name}` é chave de um provedor de modelos, fora do LiteLLM"


@rule(
    "LLM-SDK",
    Severity.CRITICA,
    over=code,
    title="SDK de provedor de modelos no código",
    explanation="O SDK do provedor chama a API dele por conta própria: o contrato o proíbe em código da plataforma e "
    "em código que ela gera.",
    remedy="Chame o LiteLLM pela API HTTP dele, com `LITELLM_BASE_URL` e `LITELLM_API_KEY`.",
    sources=("CON §9.1",),
    reading="CON §9.1 proíbe o próprio `import`, mesmo com o endereço base trocado.",
    bad=Example(document="# M\n\n```python\nimport openai\n```\n"),
    good=Example(document="# M\n\n```python\nimport httpx\nMODEL = 'openai/gpt-4o'\n```\n"),
)
def provider_sdk(found: Subject) -> Iterator[Breach]:
    """An import statement of a provider's SDK, in code, in a script inside a manifest, or in a command."""
    if isinstance(found, CommandView):
        for word in found.command.words:
            name = _imported(word)
            if name:
                yield found.breach(_imports(name), at=found.locate(name), key=name)
    elif _may_hold(found, _SDK_HINTS):
        for place in _places(found):
            name = _imported(place.text) if place.row >= 0 else ""
            if name:
                yield place.breach(_imports(name), place.text.find(name), name)


def _imported(line: str) -> str:
    for pattern in _IMPORTS:
        found = pattern.search(line)
        if found:
            groups = found.groupdict()
            return groups.get("name") or groups.get("of") or ""
    return ""


def _imports(name: str) -> str:
    return f"o código importa `{name}`, SDK de um provedor de modelos"

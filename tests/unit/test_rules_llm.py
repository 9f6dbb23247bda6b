"""LLM: the gateway is the only way to a model; what feeds or forbids is no call."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_quiet, details, judged


def fence(language: str, content: str, section: str = "4. Como fazer") -> Example:
    return Example(document=f"# M\n\n## {section}\n\n```{language}\n{content}\n```\n")


def manifest(api_version: str, kind: str, spec: str) -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n"


def config_map(data: str, name: str = "core-flowise") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n{data}"


def deployment(env: str, name: str = "core-n8n") -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n"
        f"      containers:\n        - name: a\n          image: a:1.2.3\n          env:\n{env}"
    )


class TestEndpoint:
    @pytest.mark.parametrize(
        "given",
        [
            config_map('  URL: "https://api.openai.com/v1"\n'),
            config_map("  app.yaml: |\n    llm:\n      url: https://api.anthropic.com\n"),
            config_map("  URL: https://x.openai.azure.com/\n"),
            config_map("  URL: https://bedrock-runtime.us-east-1.amazonaws.com\n"),
            Example(files={"values.yaml": "flowise: {url: https://api.groq.com}\n"}),
            Example(
                files={
                    "docker-compose.yml": "services: {n8n: {image: 'a:1.2.3', environment: [U=https://api.mistral.ai]}}"
                }
            ),
            Example(files={"a.py": "URL = 'https://generativelanguage.googleapis.com'\n"}),
            Example(files={"a.yaml": "a: [\nurl: https://openrouter.ai/api\n"}),
            fence("python", "httpx.post('https://api.openai.com/v1/chat')"),
            fence("bash", "curl https://api.openai.com/v1/models"),
        ],
    )
    def test_hosts_of_providers(self, given: Example | str) -> None:
        (found,) = judged("LLM-ENDPOINT", given).non_conformities
        assert found.severity == "CRITICA"
        assert found.correction.mode == "manual"

    def test_the_place_is_the_line_inside_the_text(self) -> None:
        (found,) = judged(
            "LLM-ENDPOINT", config_map("  a.yaml: |\n    x: 1\n    u: https://api.openai.com\n")
        ).non_conformities
        assert (found.location.line, found.location.column) == (7, 16)

    @pytest.mark.parametrize(
        "given",
        [
            config_map(
                "  config.yaml: |\n    model_list:\n      - api_base: https://api.openai.com/v1\n", "core-litellm"
            ),
            config_map(
                "  config.yaml: |\n    model_list:\n      - litellm_params: {api_base: https://api.openai.com}\n"
            ),
            config_map("  litellm.yaml: |\n    api_base: https://api.openai.com\n"),
            config_map('  policy.rego: |\n    deny[m] { contains(input.url, "api.openai.com") }\n'),
            config_map("  app.yaml: |\n    # nunca use https://api.openai.com\n    url: http://core-litellm:4000\n"),
            manifest("cilium.io/v2", "CiliumNetworkPolicy", "{egress: [{toFQDNs: [{matchName: api.openai.com}]}]}"),
            manifest("templates.gatekeeper.sh/v1", "ConstraintTemplate", "{x: api.openai.com}"),
            Example(
                files={
                    "docker-compose.yml": "services: {litellm: {image: 'a:1.2.3', environment: {U: https://api.openai.com}}}"
                }
            ),
            Example(files={"apps/litellm/env.py": "U = 'https://api.openai.com'\n"}),
            Example(files={"p.rego": 'deny { contains(x, "api.openai.com") }\n'}),
            fence("python", "# https://api.openai.com\nx = 1"),
            fence("text", "proibido: https://api.openai.com"),
            fence("python", "httpx.post('https://api.openai.com')", "6. Erros comuns"),
            fence("bash", "curl https://api.openai.com", "5. Como verificar"),
            fence("bash", "curl http://core-litellm/v1 # https://api.openai.com"),
            Example(document="# M\n\nNão chame `https://api.openai.com`.\n"),
            config_map("  URL: https://my-api.openai.company.com\n"),
        ],
    )
    def test_the_gateway_policies_comments_and_checks_are_quiet(self, given: Example | str) -> None:
        assert not judged("LLM-ENDPOINT", given).non_conformities

    def test_a_policy_written_as_text_is_quiet(self) -> None:
        assert_quiet("LLM-ENDPOINT", config_map("  URL: http://core-litellm:4000\n"))


class TestKey:
    @pytest.mark.parametrize(
        "given",
        [
            deployment("            - {name: OPENAI_API_KEY, value: x}\n"),
            deployment(
                "            - {name: OPENAI_API_KEY, valueFrom: {secretKeyRef: {name: a, key: OPENAI_API_KEY}}}\n"
            ),
            deployment("            - {name: KEY, value: '$(ANTHROPIC_API_KEY)'}\n"),
            config_map("  FLOWISE_AZURE_OPENAI_API_KEY: x\n"),
            config_map("  app.yaml: |\n    key: ${GEMINI_API_KEY}\n"),
            manifest("external-secrets.io/v1", "ExternalSecret", "{data: [{secretKey: OPENAI_API_KEY}]}"),
            Example(files={"values.yaml": "openaiApiKey: x\n"}),
            Example(files={".env": "OPENAI_API_KEY=\n"}),
            Example(
                files={
                    "docker-compose.yml": "services: {n8n: {image: 'a:1.2.3', environment: ['COHERE_API_KEY=${X}']}}"
                }
            ),
            fence("python", "k = os.environ['OPENAI_API_KEY']"),
            fence("bash", "export OPENAI_API_KEY=x"),
        ],
    )
    def test_provider_keys(self, given: Example | str) -> None:
        assert len(details("LLM-KEY", given)) == 1

    def test_each_variable_counts_once(self) -> None:
        env = (
            "            - {name: OPENAI_API_KEY, value: x}\n            - {name: B, value: y}\n"
            "            - {name: ANTHROPIC_API_KEY, value: z}\n"
        )
        assert len(details("LLM-KEY", deployment(env))) == 2

    @pytest.mark.parametrize(
        "given",
        [
            deployment("            - {name: OPENAI_API_KEY, value: x}\n", "core-litellm"),
            deployment("            - {name: OPENAI_API_KEY, value: '${LITELLM_API_KEY}'}\n"),
            deployment(
                "            - name: OPENAI_API_KEY\n              valueFrom: {secretKeyRef: {name: litellm, key: k}}\n"
            ),
            deployment("            - {name: LITELLM_API_KEY, value: x}\n"),
            config_map("  app.yaml: |\n    # key: ${OPENAI_API_KEY}\n    a: 1\n"),
            config_map("  c.yaml: |\n    model_list:\n      - api_key: os.environ/OPENAI_API_KEY\n"),
            config_map("  NOTE: rotate the key weekly\n"),
            fence("bash", "kubectl get secret -A | grep OPENAI_API_KEY", "5. Como verificar"),
            fence("python", "# os.environ['OPENAI_API_KEY']\nx = 1"),
            Example(files={".env": "LITELLM_KEY=\nOPENAI_API_KEY=${LITELLM_KEY}\n"}),
            Example(
                files={
                    ".env": "OPENAI_API_KEY=\n",
                    "compose.yml": "services: {litellm: {image: a, environment: {K: '${OPENAI_API_KEY}'}}}",
                }
            ),
        ],
    )
    def test_the_gateway_references_and_comments_are_quiet(self, given: Example | str) -> None:
        assert not judged("LLM-KEY", given).non_conformities


class TestSdk:
    @pytest.mark.parametrize(
        ("language", "line"),
        [
            ("python", "import openai"),
            ("python", "from openai import OpenAI"),
            ("python", "    from anthropic import Anthropic"),
            ("python", "from google import genai"),
            ("python", "import google.generativeai as genai"),
            ("python", "from langchain_openai import ChatOpenAI"),
            ("ts", "import OpenAI from 'openai';"),
            ("ts", 'import Anthropic from "@anthropic-ai/sdk";'),
            ("js", "const { OpenAI } = require('openai');"),
            ("tsx", "const m = await import('@google/generative-ai');"),
            ("ts", "import { createOpenAI } from '@ai-sdk/openai'"),
            ("go", '\t"github.com/sashabaranov/go-openai"'),
            ("bash", "python -c 'import openai; print(1)'"),
        ],
    )
    def test_imports(self, language: str, line: str) -> None:
        assert len(details("LLM-SDK", fence(language, line))) == 1

    def test_files_and_scripts_inside_manifests(self) -> None:
        assert details("LLM-SDK", Example(files={"src/a.py": "import os\nimport cohere\n"}))
        text = config_map("  run.py: |\n    import os\n    import openai\n")
        (found,) = judged("LLM-SDK", text).non_conformities
        assert (found.location.line, found.location.column) == (7, 12)

    @pytest.mark.parametrize(
        ("language", "line"),
        [
            ("python", "model = 'openai/gpt-4o'"),
            ("python", "# import openai"),
            ("python", "import openapi_client"),
            ("python", "from together_ui import x"),
            ("yaml", "model: openai/gpt-4o"),
            ("ts", "import { OpenAIIcon } from './icons/openai';"),
            ("ts", "// import OpenAI from 'openai'"),
            ("text", "import openai"),
            ("bash", "echo openai"),
        ],
    )
    def test_model_names_comments_and_others_are_quiet(self, language: str, line: str) -> None:
        assert not judged("LLM-SDK", fence(language, line)).non_conformities

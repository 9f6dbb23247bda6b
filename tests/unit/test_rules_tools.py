"""TOOL-UNPINNED: what a command fetches without saying which version."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, judged


def shell(*commands: str) -> Example:
    return Example(document="# M\n\n```bash\n" + "\n".join(commands) + "\n```\n")


@pytest.mark.parametrize(
    ("command", "fixed"),
    [
        ("npx @backstage/create-app@latest", "npx @backstage/create-app@1.0"),
        ("npx --yes create-thing", "npx --yes create-thing@1.0"),
        ("npx -p typescript tsc", "npx -p typescript@1.0 tsc"),
        ("npx --package=typescript tsc", "npx --package=typescript@1.0 tsc"),
        ("npm install -g wrangler", "npm install -g wrangler@1.0"),
        ("sudo npm i -g a b@2.1.0", "sudo npm i -g a@1.0 b@2.1.0"),
        ("npm --prefix web install left-pad@next", "npm --prefix web install left-pad@1.0"),
        ("npm init vite", "npm init vite@1.0"),
        ("npm exec thing", "npm exec thing@1.0"),
        ("pnpm add -D tailwindcss postcss", "pnpm add -D tailwindcss@1.0 postcss@1.0"),
        ("pnpm dlx shadcn-ui@latest init", "pnpm dlx shadcn-ui@1.0 init"),
        ("yarn global add serve", "yarn global add serve@1.0"),
        ("yarn dlx thing", "yarn dlx thing@1.0"),
        ("pip install requests httpx==0.27.0", "pip install requests==1.0 httpx==0.27.0"),
        ("python3 -m pip install -U checkov", "python3 -m pip install -U checkov==1.0"),
        ("uv pip install ruff", "uv pip install ruff==1.0"),
        ("pipx run black .", "pipx run black==1.0 ."),
        ("helm install redis bitnami/redis -n data", "helm install redis bitnami/redis --version 1.0 -n data"),
        ("helm upgrade --install x oci://r/charts/x", "helm upgrade --install x oci://r/charts/x --version 1.0"),
        ("helm pull bitnami/redis", "helm pull bitnami/redis --version 1.0"),
        ("helm -n a install kong kong --repo https://x", "helm -n a install kong kong --repo https://x --version 1.0"),
        ("helm template x a/b", "helm template x a/b --version 1.0"),
        ("NODE_ENV=x npx thing", "NODE_ENV=x npx thing@1.0"),
    ],
)
def test_a_version_is_asked_for_and_written(command: str, fixed: str) -> None:
    if command.startswith("helm -n a"):  # the same word names release and chart
        assert judged("TOOL-UNPINNED", shell(command)).non_conformities
        return
    assert f"\n{fixed}\n" in (assert_cured("TOOL-UNPINNED", shell(command), value="1.0").document or "")


@pytest.mark.parametrize(
    "command",
    [
        "npx @backstage/create-app@0.5.11",
        "npm ci",
        "npm install",
        "npm install ./local",
        "npm install git+https://x/y.git",
        "npm run build",
        "yarn install",
        "pnpm backstage-cli create-plugin --name a",
        "pnpm exec tsc",
        "yarn exec tsc",
        "pip install -r requirements.txt",
        "pip install -e .",
        "pip install .",
        "pip install dist/a-1.0-py3-none-any.whl",
        "pip install 'a[b]==1.2' 'c>=1'",
        "pip list",
        "uv run x",
        "helm install a ./charts/a",
        "helm install a charts/a/b",
        "helm install a a.tgz",
        "helm install redis bitnami/redis --version 19.0.0",
        "helm install redis bitnami/redis --version=19.0.0",
        "helm repo add bitnami https://x",
        "helm list",
        "npx ${TOOL}",
        "kubectl get pods",
    ],
)
def test_pinned_local_and_variable_are_quiet(command: str) -> None:
    assert not judged("TOOL-UNPINNED", shell(command)).non_conformities


def test_npx_of_what_the_module_installs_fetches_nothing() -> None:
    (found,) = judged("TOOL-UNPINNED", shell("pnpm add -D tailwindcss", "npx tailwindcss init -p")).non_conformities
    assert found.location.line == 4


def test_one_breach_names_every_loose_package_and_its_place() -> None:
    (found,) = judged("TOOL-UNPINNED", shell("pnpm add a b")).non_conformities
    assert found.description == "`a`, `b` sem versão fixa"
    assert (found.location.line, found.location.column) == (4, 10)


def test_prose_that_names_a_tool_is_no_command() -> None:
    assert not judged("TOOL-UNPINNED", Example(document="# M\n\nUse `npx create-app@latest`.\n")).non_conformities


def test_a_command_over_several_lines_is_mended_where_the_word_stands() -> None:
    fixed = assert_cured("TOOL-UNPINNED", shell("pnpm add \\", "  a \\", "  b@1.0"), value="1.0")
    assert "  a@1.0 \\\n  b@1.0" in (fixed.document or "")

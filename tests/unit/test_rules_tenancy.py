"""TEN: whose an object, a form or a portal is."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details, judged


def config_map(tenant: str, workspace: str = "global") -> str:
    return (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n"
        f"    appgear.io/tenant-id: {tenant}\n    appgear.io/workspace-id: {workspace}\n"
    )


def form(pages: str) -> str:
    head = "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a}\n"
    return f"{head}spec: {{parameters: {pages}}}\n"


class TestId:
    @pytest.mark.parametrize("value", ['""', "null", "", "'  '"])
    def test_a_key_that_says_nothing(self, value: str) -> None:
        assert_cured("TEN-ID", config_map(value), value="global")

    def test_global_is_legal_and_absence_is_another_rule(self) -> None:
        assert_quiet("TEN-ID", config_map("global"))
        assert_quiet("TEN-ID", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")

    def test_both_keys(self) -> None:
        assert len(details("TEN-ID", config_map("''", "''"))) == 2


class TestDefault:
    @pytest.mark.parametrize("name", ["tenantId", "tenant_id", "tenant", "tenant-id"])
    def test_a_form_with_a_default_tenant(self, name: str) -> None:
        (found,) = judged("TEN-DEFAULT", form(f"[{{properties: {{{name}: {{default: global}}}}}}]")).non_conformities
        assert not found.correction.changes

    @pytest.mark.parametrize(
        "text",
        [
            "openapi: 3.0.0\ncomponents: {schemas: {A: {properties: {tenant_id: {default: global}}}}}\n",
            "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{name: tenantId, schema: {default: global}}]}}}\n",
        ],
    )
    def test_interfaces(self, text: str) -> None:
        assert details("TEN-DEFAULT", Example(files={"api.yaml": text}))

    @pytest.mark.parametrize(
        "text",
        [
            form("[{properties: {tenantId: {type: string}}}]"),
            form("[{properties: {size: {default: small}}}]"),
            form("[{properties: {tenantId: {default: ''}}}]"),
            form("{properties: {workspaceName: {default: x}}}"),
        ],
    )
    def test_no_default_or_another_field(self, text: str) -> None:
        assert_quiet("TEN-DEFAULT", text)

    def test_a_core_object_with_tenant_global_is_no_form(self) -> None:
        assert judged("TEN-DEFAULT", config_map("global")).examined["TEN-DEFAULT"] == 0

    def test_a_parameter_without_a_name(self) -> None:
        text = "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{schema: {default: x}}]}}}\n"
        assert_quiet("TEN-DEFAULT", Example(files={"api.yaml": text}))


class TestRequired:
    @pytest.mark.parametrize(
        "pages",
        [
            "[{properties: {tenantId: {type: string}}}]",
            "{properties: {workspace_id: {type: string}}}",
            "[{required: [a], properties: {a: {}, workspaceId: {}}}]",
            "[{required: texto, properties: {tenant: {}}}]",
        ],
    )
    def test_the_field_is_required(self, pages: str) -> None:
        assert_cured("TEN-REQUIRED", form(pages))

    @pytest.mark.parametrize(
        "pages", ["[{required: [tenantId], properties: {tenantId: {}}}]", "[{properties: {name: {}}}]", "[1]", "x"]
    )
    def test_required_already_or_not_asked_for(self, pages: str) -> None:
        assert_quiet("TEN-REQUIRED", form(pages))


CLAIM = "# M\n\n## 1. O que é\n\nClaims `tenant_id` para autorização fina (OpenFGA).\n"


class TestAuthorization:
    def test_a_promise_without_a_configuration(self) -> None:
        (found,) = judged("TEN-AUTHZ", Example(document=CLAIM, files={"backstage/a.yaml": "a: 1\n"})).non_conformities
        assert found.location.line == 5

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("backstage/a.yaml", "permission:\n  enabled: true\n"),
            ("backstage/a.yaml", "url: http://core-openfga:8080\n"),
            ("backstage/p.ts", "import { x } from '@backstage/plugin-permission-backend';\n"),
        ],
    )
    def test_a_configuration_keeps_it(self, path: str, text: str) -> None:
        assert_quiet("TEN-AUTHZ", Example(document=CLAIM, files={path: text}))

    def test_code_in_the_document_keeps_it(self) -> None:
        code = CLAIM + "\n```ts\nconst url = process.env.FGA_API_URL;\n```\n"
        assert_quiet("TEN-AUTHZ", Example(document=code, files={"backstage/a.yaml": "a: 1\n"}))

    @pytest.mark.parametrize(
        "document",
        ["# M\n\n## 1. O que é\n\nUm tenant.\n", "# M\n\n## 8. Dependências\n\ntenant: OpenFGA (M05).\n"],
    )
    def test_no_claim_in_what_it_says_it_is(self, document: str) -> None:
        assert_quiet("TEN-AUTHZ", Example(document=document, files={"backstage/a.yaml": "a: 1\n"}))

    def test_other_modules_are_no_portal(self) -> None:
        assert judged("TEN-AUTHZ", Example(document=CLAIM, files={"a.yaml": "a: 1\n"})).examined["TEN-AUTHZ"] == 0

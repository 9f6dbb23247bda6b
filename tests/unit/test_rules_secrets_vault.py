"""SEC-VAULT*, SEC-SHARED, SEC-ROTATE: where secrets come from, and whether they reach the process."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode
from rulecheck import assert_cured, assert_quiet, details, judged

NOTES = "vault.hashicorp.com/"


def pod(container: str = "", notes: str = "", more: str = "", path: str = "database/creds/a") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    {NOTES}agent-inject: 'true'\n"
        f"    {NOTES}agent-inject-secret-db: '{path}'\n"
        f'    {NOTES}agent-inject-template-db: |\n      {{{{- with secret "{path}" -}}}}\n'
        f"      DB_USER={{{{ .Data.username }}}}\n      DB_PASSWORD={{{{ .Data.password }}}}\n"
        f"      {{{{- end }}}}\n{notes}"
        f"spec:\n  containers:\n    - name: a\n      image: a:1.2.3\n{container}{more}"
    )


class TestUse:
    @pytest.mark.parametrize(
        ("container", "script"),
        [
            ("      command: [node, server.js]\n", "set -a; . /vault/secrets/db; set +a; exec node server.js"),
            ("      command: [node]\n      args: ['a b']\n", "set -a; . /vault/secrets/db; set +a; exec node 'a b'"),
            ("      command: [sh, -c, 'run it']\n", "set -a; . /vault/secrets/db; set +a; run it"),
            ("      command: [/bin/bash, -ec]\n      args: [run]\n", "set -a; . /vault/secrets/db; set +a; run"),
        ],
    )
    def test_a_known_command_is_wrapped(self, container: str, script: str) -> None:
        fixed = assert_cured("SEC-VAULTUSE", pod(container)).files["a.yaml"]
        assert script in fixed.replace("''", "'")

    @pytest.mark.parametrize(
        ("container", "asked"), [("", "ENTRYPOINT e CMD"), ("      args: ['--x']\n", "ENTRYPOINT)")]
    )
    def test_an_unknown_command_is_asked_for(self, container: str, asked: str) -> None:
        (found,) = judged("SEC-VAULTUSE", pod(container)).non_conformities
        assert found.correction.mode is FixMode.PARAM
        assert asked in str(found.correction.changes)
        fixed = assert_cured("SEC-VAULTUSE", pod(container), value="node server.js").files["a.yaml"]
        assert "exec node server.js" in fixed

    @pytest.mark.parametrize("container", ["      command: node\n", "      args: [1]\n"])
    def test_a_command_of_another_shape_is_left_to_a_person(self, container: str) -> None:
        (found,) = judged("SEC-VAULTUSE", pod(container)).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    def test_a_file_that_no_shell_can_source_is_left_to_a_person(self) -> None:
        given = pod().replace("DB_USER=", "user: ").replace("DB_PASSWORD=", "password: ")
        (found,) = judged("SEC-VAULTUSE", given).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    def test_one_breach_for_each_file_and_one_mend_for_all(self) -> None:
        notes = (
            f"    {NOTES}agent-inject-secret-x: kv/data/x\n    {NOTES}agent-inject-template-x: 'A={{{{ .Data.a }}}}'\n"
        )
        first, second = judged("SEC-VAULTUSE", pod(notes=notes)).non_conformities
        assert first.correction.changes == second.correction.changes
        assert first.location.yaml_path != second.location.yaml_path
        assert_cured("SEC-VAULTUSE", pod(notes=notes), value="node")

    @pytest.mark.parametrize(
        "given",
        [
            pod("      command: [sh, -c, '. /vault/secrets/db; run']\n"),
            pod("      args: ['--env-file=/vault/secrets/db']\n"),
            pod("      env: [{name: CONFIG, value: /vault/secrets/db}]\n"),
            pod("      env: [{name: SECRETS_DIR, value: /vault/secrets}]\n"),
            pod("      command: [sh, -c, 'for f in /vault/secrets/*; do . $f; done']\n"),
            pod(notes=f"    {NOTES}agent-inject-command-db: 'cp /vault/secrets/db /app/.env'\n"),
            pod(
                "      args: [/app/env]\n",
                f"    {NOTES}agent-inject-file-db: env\n    {NOTES}secret-volume-path: /app\n",
            ),
            pod("      args: [/x/db]\n", f"    {NOTES}secret-volume-path-db: /x\n"),
        ],
    )
    def test_what_reads_the_file_is_enough(self, given: str) -> None:
        assert_quiet("SEC-VAULTUSE", given)

    CONFIG = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a.yaml: 'file: /vault/secrets/db'}\n"

    @pytest.mark.parametrize(
        "source",
        [
            "  volumes: [{name: c, configMap: {name: c}}]\n",
            "  volumes: [{name: c, projected: {sources: [{configMap: {name: c}}]}}]\n",
            "      envFrom: [{configMapRef: {name: c}}]\n",
            "      env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]\n",
        ],
    )
    def test_a_configuration_may_name_it(self, source: str) -> None:
        assert_quiet("SEC-VAULTUSE", pod(more=source) + self.CONFIG)

    def test_a_configuration_of_another_module_cannot_be_judged(self) -> None:
        result = judged("SEC-VAULTUSE", pod(more="  volumes: [{configMap: {name: outro}}]\n"))
        (reason,) = result.not_run
        assert "`outro`" in reason.reason

    def test_probes_and_mounts_read_nothing(self) -> None:
        probe = "      livenessProbe: {exec: {command: [cat, /vault/secrets/db]}}\n"
        assert details("SEC-VAULTUSE", pod(probe + "      volumeMounts: [{mountPath: /vault/secrets}]\n"))

    def test_without_the_injector_there_is_no_file(self) -> None:
        off = pod().replace("agent-inject: 'true'", "agent-inject: 'false'")
        assert judged("SEC-VAULTUSE", off).examined["SEC-VAULTUSE"] == 0

    def test_a_pod_with_init_containers_alone(self) -> None:
        given = pod().replace("  containers:\n", "  containers: [{image: x, name: 1}]\n  initContainers:\n")
        assert judged("SEC-VAULTUSE", given).non_conformities


REF = "      env: [{name: P, valueFrom: {secretKeyRef: {name: a-db, key: p}}}]\n"


def plain(container: str, more: str = "") -> str:
    head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - image: a:1.2.3\n"
    return head + container + more


def maker(kind: str, spec: str, api: str = "x.io/v1", name: str = "m") -> str:
    return f"---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}}}\n{spec}\n"


class TestSource:
    @pytest.mark.parametrize(
        "container",
        [REF, "      envFrom: [{secretRef: {name: a-db}}]\n", "  volumes: [{secret: {secretName: a-db}}]\n"],
    )
    def test_a_secret_that_nothing_provides(self, container: str) -> None:
        (found,) = judged("SEC-VAULTSRC", plain(container)).non_conformities
        assert "`a-db`" in found.description
        assert found.correction.mode is FixMode.MANUAL

    @pytest.mark.parametrize(
        "provider",
        [
            maker("ExternalSecret", "spec: {target: {name: a-db}}"),
            maker("ExternalSecret", "spec: {}", name="a-db"),
            maker("ClusterExternalSecret", "spec: {externalSecretName: a-db}"),
            maker("SealedSecret", "spec: {template: {metadata: {name: a-db}}}"),
            maker("VaultStaticSecret", "spec: {destination: {name: a-db}}"),
            maker("Certificate", "spec: {secretName: a-db}"),
            maker("Secret", "stringData: {}", "v1", "a-db"),
            maker("SecretProviderClass", "spec: {secretObjects: [{secretName: a-db}, 1]}"),
            maker("Kustomization", "secretGenerator: [{name: a-db}]", "kustomize.config.k8s.io/v1beta1"),
            maker("Cluster", "spec: {}", "postgresql.cnpg.io/v1", "a"),
        ],
    )
    def test_what_provides_it(self, provider: str) -> None:
        assert_quiet("SEC-VAULTSRC", plain(REF) + provider)

    def test_optional_and_cited_secrets(self) -> None:
        assert_quiet("SEC-VAULTSRC", plain(REF.replace("key: p", "key: p, optional: true")))
        document = "# M\n\nO Secret `a-db` vem do M05.\n"
        assert_quiet("SEC-VAULTSRC", Example(document=document, files={"a.yaml": plain(REF)}))

    CONFIG = (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a.yaml: |\n    a: 1\n    b: ${API_TOKEN}\n"
    )
    MOUNT = "  volumes: [{configMap: {name: c}}]\n"

    def test_a_sensitive_variable_of_the_configuration(self) -> None:
        (found,) = judged("SEC-VAULTSRC", plain("", self.MOUNT) + self.CONFIG).non_conformities
        assert "`API_TOKEN`" in found.description
        assert (found.location.line, found.location.column) == (15, 8)

    @pytest.mark.parametrize(
        ("container", "provider"),
        [
            ("      env: [{name: API_TOKEN, valueFrom: {fieldRef: {}}}]\n", ""),
            ("", maker("ExternalSecret", "spec: {data: [{secretKey: API_TOKEN}]}")),
            ("", maker("ExternalSecret", "spec: {target: {template: {data: {API_TOKEN: x}}}}")),
            ("", maker("SealedSecret", "spec: {encryptedData: {API_TOKEN: x}}")),
            ("", maker("Secret", "stringData: {API_TOKEN: x}", "v1")),
            ("      envFrom: [{secretRef: {name: e, optional: true}}]\n", ""),
        ],
    )
    def test_what_sets_it(self, container: str, provider: str) -> None:
        assert_quiet("SEC-VAULTSRC", plain(container, self.MOUNT) + self.CONFIG + provider)

    def test_a_rendered_template_sets_it(self) -> None:
        given = pod(more=self.MOUNT).replace("DB_PASSWORD=", "API_TOKEN=") + self.CONFIG
        assert_quiet("SEC-VAULTSRC", given)

    def test_other_variables_defaults_and_unused_maps_are_quiet(self) -> None:
        for text in (
            plain("", self.MOUNT) + self.CONFIG.replace("API_TOKEN", "API_URL"),
            plain("", self.MOUNT) + self.CONFIG.replace("API_TOKEN}", "API_TOKEN:-}"),
            plain("") + self.CONFIG,
        ):
            assert_quiet("SEC-VAULTSRC", text)

    def test_a_value_on_one_line(self) -> None:
        config = self.CONFIG.rpartition("data:")[0] + "data: {a: 'x ${API_TOKEN:?falta} ${API_TOKEN}'}\n"
        given = plain("", self.MOUNT) + config
        assert len(details("SEC-VAULTSRC", given)) == 1


class TestShared:
    @pytest.mark.parametrize(
        "path",
        [
            "kv/data/appgear/sso/oidc-client-secrets",
            "kv/data/shared",
            "kv/data/all-credentials",
            "kv/apps-tokens",
        ],
    )
    def test_names_of_many(self, path: str) -> None:
        (found,) = judged("SEC-SHARED", pod(path=path)).non_conformities
        assert path in found.description

    def test_several_readers(self) -> None:
        other = maker("ExternalSecret", "spec: {dataFrom: [{extract: {key: kv/a}}], data: [{remoteRef: {key: kv/a}}]}")
        assert len(details("SEC-SHARED", pod(path="kv/a") + other)) == 2
        assert_quiet("SEC-SHARED", other.removeprefix("---\n"))

    def test_static_secrets_of_the_operator(self) -> None:
        assert details("SEC-SHARED", maker("VaultStaticSecret", "spec: {path: clients-secrets}").removeprefix("---\n"))

    @pytest.mark.parametrize(
        "path", ["kv/data/appgear/backstage", "database/creds/shared", "kv/appgear/global-portal", "kv/app-tokens"]
    )
    def test_paths_of_one(self, path: str) -> None:
        assert_quiet("SEC-SHARED", pod(path=path))


class TestRotate:
    def test_a_lease_that_nothing_follows(self) -> None:
        assert details("SEC-ROTATE", pod())
        assert details("SEC-ROTATE", maker("VaultDynamicSecret", "spec: {path: a}").removeprefix("---\n"))

    @pytest.mark.parametrize(
        "given",
        [
            pod(notes=f"    {NOTES}agent-inject-command-db: kill\n"),
            pod(notes="    reloader.stakater.com/auto: 'true'\n"),
            maker("VaultDynamicSecret", "spec: {path: a, rolloutRestartTargets: [{kind: Deployment}]}").removeprefix(
                "---\n"
            ),
            maker("ExternalSecret", "spec: {data: [{remoteRef: {key: database/creds/a}}]}").removeprefix("---\n"),
        ],
    )
    def test_hooks_and_restarts(self, given: str) -> None:
        assert_quiet("SEC-ROTATE", given)

    def test_static_paths_have_no_lease(self) -> None:
        assert judged("SEC-ROTATE", pod(path="kv/data/a")).examined["SEC-ROTATE"] == 0

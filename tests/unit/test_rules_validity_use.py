"""VAL: names, versions, variables, templates, images, checks and commands."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode
from rulecheck import assert_cured, assert_quiet, details, judged

KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def thing(kind: str, version: str, more: str = "") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a{more}}}\n"


class TestDeprecated:
    @pytest.mark.parametrize(
        "text",
        [
            thing("Middleware", "traefik.containo.us/v1alpha1"),
            thing("CronJob", "batch/v1beta1"),
            thing("PodDisruptionBudget", "policy/v1beta1"),
            thing("ExternalSecret", "external-secrets.io/v1beta1"),
            f"{KUSTOMIZATION}bases: [../a]\n",
            f"{KUSTOMIZATION}bases: [../a]\nresources: [b.yaml]\n",
        ],
    )
    def test_the_same_shape_under_another_version(self, text: str) -> None:
        assert_cured("VAL-DEPRECATED", text)

    @pytest.mark.parametrize(
        "text",
        [
            thing("Ingress", "extensions/v1beta1"),
            thing("KongIngress", "configuration.konghq.com/v1"),
            thing("Ingress", "networking.k8s.io/v1", ", annotations: {kubernetes.io/ingress.class: kong}"),
            f"{KUSTOMIZATION}commonLabels: {{a: b}}\n",
            f"{KUSTOMIZATION}bases: texto\n",
        ],
    )
    def test_another_shape_is_for_a_person(self, text: str) -> None:
        (found,) = judged("VAL-DEPRECATED", text).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    def test_current_forms(self) -> None:
        assert_quiet(
            "VAL-DEPRECATED",
            thing("CronJob", "batch/v1") + "---\n" + thing("KongPlugin", "configuration.konghq.com/v1"),
        )


def listed(text: str, more: str = "", extra: dict[str, str] | None = None) -> Example:
    files = {"apps/a/kustomization.yaml": f"{KUSTOMIZATION}resources: [x.yaml]\n{more}", "apps/a/x.yaml": text}
    return Example(files=files | (extra or {}))


class TestNoNamespace:
    def test_it_is_asked_for(self) -> None:
        assert_cured("VAL-NSLESS", listed(thing("KongIngress", "configuration.konghq.com/v1")), value="kong")

    @pytest.mark.parametrize(
        "given",
        [
            listed(thing("ConfigMap", "v1"), "namespace: a\n"),
            listed(thing("ConfigMap", "v1", ", namespace: b")),
        ],
    )
    def test_the_object_or_the_kustomization_says_it(self, given: Example) -> None:
        assert_quiet("VAL-NSLESS", given)

    @pytest.mark.parametrize(
        "given",
        [
            listed(thing("ClusterRole", "rbac.authorization.k8s.io/v1")),
            Example(files={"rendered.yaml": thing("ConfigMap", "v1")}),
            listed(
                thing("ConfigMap", "v1"),
                extra={
                    "s.yaml": thing("Application", "argoproj.io/v1alpha1")
                    + "spec: {source: {path: apps/a}, destination: {namespace: a}}\n"
                },
            ),
            listed(
                thing("ConfigMap", "v1"),
                extra={
                    "s.yaml": thing("ApplicationSet", "argoproj.io/v1alpha1")
                    + "spec: {template: {spec: {source: {path: 'apps/{{name}}'}, destination: {namespace: a}}}}\n"
                },
            ),
        ],
    )
    def test_cluster_objects_rendered_trees_and_applications(self, given: Example) -> None:
        assert judged("VAL-NSLESS", given).examined == {"VAL-NSLESS": 0}


def pod(spec: str, container: str = "", annotations: str = "{}") -> str:
    return (
        f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, annotations: {annotations}}}\n"
        f"spec: {{{spec}containers: [{{name: c, image: 'a:1'{container}}}]}}\n"
    )


MAP = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {app.yaml: 'a: ${BASE_URL} ${OTHER_URL}'}\n"


class TestUnprovidedName:
    @pytest.mark.parametrize(
        "text",
        [
            MAP + pod("volumes: [{configMap: {name: x}}], "),
            MAP + pod("", ", envFrom: [{configMapRef: {name: x}}]"),
            MAP + pod("", ", env: [{name: A, valueFrom: {configMapKeyRef: {name: x, key: a}}}]"),
        ],
    )
    def test_a_config_map_under_another_name(self, text: str) -> None:
        assert len(details("VAL-REF", text)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            MAP + pod("volumes: [{configMap: {name: m}}, {configMap: {name: x, optional: true}}, {emptyDir: {}}], "),
            MAP + pod("", ", envFrom: [{configMapRef: {name: kube-root-ca.crt}}, {secretRef: {name: x}}]"),
            pod("serviceAccountName: x, volumes: [{configMap: {name: x}}], "),
        ],
    )
    def test_provided_optional_or_of_another_module(self, text: str) -> None:
        assert_quiet("VAL-REF", text)

    def test_generated_maps_count(self) -> None:
        generator = "configMapGenerator: [{name: m}]\n"
        text = pod("volumes: [{configMap: {name: m}}], ")
        assert_quiet("VAL-REF", listed(text, generator))


class TestUnsetVariables:
    MOUNT = "volumes: [{name: v, configMap: {name: m}}], "

    @pytest.mark.parametrize(
        ("container", "missing"),
        [
            ("", "BASE_URL, OTHER_URL"),
            (", env: [{name: BASE_URL, value: x}]", "OTHER_URL"),
            (", envFrom: [{configMapRef: {name: e}}]", "OTHER_URL"),
        ],
    )
    def test_what_nobody_sets(self, container: str, missing: str) -> None:
        env = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\ndata: {BASE_URL: x}\n"
        (found,) = details("VAL-ENV", MAP + env + pod(self.MOUNT, container))
        assert found.endswith(f": {missing}")

    def test_an_injected_file_counts_only_where_it_is_loaded(self) -> None:
        template = "{vault.hashicorp.com/agent-inject-template-a: 'export BASE_URL=x OTHER_URL=y'}"
        assert details("VAL-ENV", MAP + pod(self.MOUNT, "", template))
        loaded = ", command: [sh, -c], args: ['. /vault/secrets/a && app']"
        assert_quiet("VAL-ENV", MAP + pod(self.MOUNT, loaded, template))

    def test_variables_of_a_foreign_object_are_not_judged(self) -> None:
        result = judged("VAL-ENV", MAP + pod(self.MOUNT, ", envFrom: [{secretRef: {name: s}}]"))
        assert not result.non_conformities
        assert result.not_run

    @pytest.mark.parametrize(
        "data", ["{app.yaml: '${A:-b} ${lower} $${ESCAPED}'}", "{run.sh: 'echo ${BASE_URL}'}", "none"]
    )
    def test_defaults_scripts_and_escapes(self, data: str) -> None:
        text = MAP.replace("{app.yaml: 'a: ${BASE_URL} ${OTHER_URL}'}", data)
        assert judged("VAL-ENV", text + pod(self.MOUNT)).examined == {"VAL-ENV": 0}


class TestUnusedVariable:
    COMPOSE = "services: {core-a: {image: 'a:${TAG}', environment: {A: $B}}}\n"

    def test_it_goes(self) -> None:
        files = {
            "a/.env": "TAG=1\nB=2\nexport GONE=3\nCOMPOSE_PROJECT_NAME=x\n# nota\n",
            "a/docker-compose.yml": self.COMPOSE,
        }
        (found,) = details("VAL-UNUSED", Example(files=files))
        assert "`GONE`" in found
        assert_cured("VAL-UNUSED", Example(files=files))

    @pytest.mark.parametrize(
        "files",
        [
            {"a/.env": "X=1\n"},
            {"opt/appgear/.env": "X=1\n", "docker-compose.yml": COMPOSE},
            {"a/.env": "X=1\n", "docker-compose.yml": "services: {core-a: {image: a, env_file: .env}}\n"},
            {"a/.env.example": "X=1\n", "docker-compose.yml": COMPOSE},
        ],
    )
    def test_the_central_file_and_loaded_ones_are_not_judged(self, files: dict[str, str]) -> None:
        assert judged("VAL-UNUSED", Example(files=files)).examined == {"VAL-UNUSED": 0}


def template(step: str, parameters: str = "[{properties: {name: {type: string}}}]") -> str:
    return (
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: t}\n"
        f"spec: {{parameters: {parameters}, steps: [{{id: a, action: 'http:backstage:request', input: {step}}}]}}\n"
    )


class TestTemplate:
    @pytest.mark.parametrize(
        ("step", "said"),
        [
            ("{method: GET}", "falta a entrada `path`"),
            ("{path: /a, url: x}", "não tem a entrada `url`"),
            ("{path: '${{ config.x }}'}", "`config` não existe"),
            ("{path: '${{ parameters.nome }}'}", "não pede `nome`"),
            ("{path: \"${{ steps['b'].output.x }}\"}", "nenhum passo se chama `b`"),
        ],
    )
    def test_what_fails_when_it_runs(self, step: str, said: str) -> None:
        (found,) = details("VAL-TEMPLATE", template(step))
        assert said in found

    @pytest.mark.parametrize(
        "text",
        [
            template(
                "{path: '/a/${{ parameters.name | lower }}', body: {a: '${{ user.ref }}', b: '${{ steps.a.output }}'}}"
            ),
            template("{path: '${{ parameters.x }}'}", "[{allOf: []}]"),
            template("{path: \"${{ 'config.x' }}\"}", "{properties: {}}"),
            thing("Template", "v1"),
        ],
    )
    def test_what_runs(self, text: str) -> None:
        assert not details("VAL-TEMPLATE", text)


@pytest.mark.parametrize(
    ("image", "count"),
    [
        ("ghcr.io/backstage/backstage:1", 1),
        ("ghcr.io/appgear/backstage:1", 0),
        ("postgres:15", 0),
        ("appgear/core-backstage:1", 0),
    ],
)
def test_the_module_s_own_code_is_in_its_own_image(image: str, count: int) -> None:
    document = "# M\n\n```bash\ngit clone --depth 1 git@github.com:appgear/appgear-backstage.git\n```\n"
    files = {"a.yaml": pod("").replace("a:1", image)}
    assert len(details("VAL-IMAGE", Example(document=document, files=files))) == count


def verify(text: str) -> str:
    return f"# M\n\n## 5. Como verificar\n\n{text}\n"


class TestImpossibleCheck:
    DEPLOYMENT = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: app}\n"
        "spec: {template: {spec: {containers: [{name: c, image: a}]}}}\n"
    )

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            ("kubectl get deploy d -n other", "fica em `app`"),
            ("kubectl exec --namespace=app deploy/d -c web -- ls", "não tem o container `web`"),
        ],
    )
    def test_the_wrong_place(self, command: str, said: str) -> None:
        given = Example(document=verify(f"```bash\n{command}\n```"), files={"a.yaml": self.DEPLOYMENT})
        (found,) = details("VAL-VERIFY", given)
        assert said in found

    @pytest.mark.parametrize(
        "command",
        [
            "kubectl get deploy d -n app",
            "kubectl exec deploy/d -n app -c istio-proxy -- ls -c x",
            "kubectl get deploy outro -n x",
            "kubectl get deploy d -n <ns>",
            "argocd app get d",
        ],
    )
    def test_what_can_pass(self, command: str) -> None:
        assert_quiet(
            "VAL-VERIFY", Example(document=verify(f"```bash\n{command}\n```"), files={"a.yaml": self.DEPLOYMENT})
        )

    @pytest.mark.parametrize(
        ("rest", "count"),
        [
            ("", 1),
            (", ports: ['80:7007']", 1),
            (", ports: ['127.0.0.1:7007:80']", 0),
            (", ports: ['7000-7010:7000-7010']", 0),
            (", ports: [{target: 80, published: 7007}]", 0),
            (", ports: ['${PORT:-7007}:80', '80']", 0),
            (", network_mode: host", 0),
        ],
    )
    def test_a_local_address_is_published(self, rest: str, count: int) -> None:
        files = {"docker-compose.yml": f"services: {{core-a: {{image: a{rest}}}}}\n"}
        assert len(details("VAL-VERIFY", Example(document=verify("`http://localhost:7007/x`"), files=files))) == count

    def test_a_forwarded_port_is_reachable(self) -> None:
        text = "```bash\nkubectl port-forward svc/a 7007:80\ncurl http://localhost:7007\n```"
        files = {"docker-compose.yml": "services: {core-a: {image: a}}\n"}
        assert_quiet("VAL-VERIFY", Example(document=verify(text), files=files))


def shell(*commands: str) -> Example:
    return Example(document="# M\n\n```bash\n" + "\n".join(commands) + "\n```\n")


class TestDeadCommand:
    def test_the_first_compose_becomes_the_second(self) -> None:
        assert_cured("VAL-CMD", shell("sudo docker-compose up -d"))

    @pytest.mark.parametrize(
        "command",
        [
            "helm init --upgrade",
            "npx tailwindcss@latest init -p",
            "pnpm backstage-cli create-plugin --name a",
            "istioctl manifest apply",
        ],
    )
    def test_removed_subcommands(self, command: str) -> None:
        assert len(details("VAL-CMD", shell(command))) == 1

    def test_a_folder_of_root_is_not_writable(self) -> None:
        block = ("cd /opt/a", "cat > b.yml << 'EOF'", "a: 1", "EOF")
        (found,) = details("VAL-CMD", shell("sudo mkdir -p /opt/a", *block))
        assert "`b.yml`" in found
        assert_quiet("VAL-CMD", shell("sudo mkdir -p /opt/a", 'sudo chown "$USER" /opt/a', *block))
        assert_quiet("VAL-CMD", shell("mkdir -p /opt/a", *block))
        assert_quiet("VAL-CMD", shell("sudo mkdir -p /opt/b", *block))

    @pytest.mark.parametrize("command", ["docker compose up", "helm install a b", "echo docker-compose.yml"])
    def test_current_ones(self, command: str) -> None:
        assert_quiet("VAL-CMD", shell(command))

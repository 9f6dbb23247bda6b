"""GIT: commands, owners, folders and repositories."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_quiet, details, judged


def how_to(command: str, heading: str = "## 4. Como fazer (comandos)", title: str = "Módulo 07 – A") -> Example:
    return Example(document=f"# {title}\n\n{heading}\n\n```bash\n{command}\n```\n")


class TestMutatingCommand:
    @pytest.mark.parametrize(
        "command",
        [
            "kubectl apply -f a.yaml",
            "sudo kubectl -n x scale deploy/a --replicas=0",
            "kubectl --context prod edit svc a",
            "kustomize build . | kubectl apply -f -",
            "kubectl create namespace a",
            "kubectl rollout restart deploy/a",
            "helm upgrade --install a b/c",
            "KUBECONFIG=x kubectl patch svc a -p '{}'",
            "kubectl apply --dry-run=none -f a.yaml",
        ],
    )
    def test_state_changed_by_hand(self, command: str) -> None:
        assert len(details("GIT-BYPASS", how_to(command))) == 1

    @pytest.mark.parametrize(
        "command",
        [
            "kubectl get pods -n apply",
            "kubectl apply --dry-run=client -f a.yaml",
            "kubectl create secret generic a --from-file=b",
            "kubectl kustomize apps/a",
            "kubectl rollout status deploy/a",
            "helm template a b/c",
            "helm repo add a b",
            "git commit -m 'kubectl apply'",
            "A=b",
        ],
    )
    def test_reads_trials_and_secrets(self, command: str) -> None:
        assert_quiet("GIT-BYPASS", how_to(command))

    @pytest.mark.parametrize(
        "heading",
        [
            "## 4. Como fazer\n\n### 4.1 Bootstrap",
            "## Como fazer\n\n### Teste de desastre",
            "## Como fazer\n\n### Restauração",
        ],
    )
    def test_bootstrap_and_drills(self, heading: str) -> None:
        assert_quiet("GIT-BYPASS", how_to("kubectl apply -f a.yaml", heading))

    def test_argo_cd_itself_comes_from_m01(self) -> None:
        command = "kubectl apply -n argocd -f install.yaml"
        assert_quiet("GIT-BYPASS", how_to(command, title="Módulo 01 – GitOps"))
        assert details("GIT-BYPASS", how_to(command))

    def test_checks_are_another_section(self) -> None:
        assert judged("GIT-BYPASS", how_to("kubectl apply -f a", "## 5. Como verificar")).examined == {"GIT-BYPASS": 0}


class TestImperativeState:
    @pytest.mark.parametrize(
        "command",
        [
            "vault write auth/kubernetes/role/a ttl=1h",
            "vault auth enable kubernetes",
            "velero schedule create diario",
            "argocd app create core-n8n --repo x",
            "/opt/keycloak/bin/kcadm.sh create realms",
        ],
    )
    def test_nothing_declares_the_same(self, command: str) -> None:
        assert len(details("GIT-IMPERATIVE", how_to(command))) == 1

    @pytest.mark.parametrize("command", ["vault read a", "vault kv put a b=c", "argocd app get a", "velero backup get"])
    def test_reads(self, command: str) -> None:
        assert_quiet("GIT-IMPERATIVE", how_to(command))

    def test_a_declared_twin(self) -> None:
        twin = "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: VaultRole\nmetadata: {name: a}\n"
        document = how_to("vault write auth/kubernetes/role/a ttl=1h").document
        assert_quiet("GIT-IMPERATIVE", Example(document=document, files={"a.yaml": twin}))

    def test_bootstrap(self) -> None:
        assert_quiet(
            "GIT-IMPERATIVE", how_to("vault auth enable kubernetes", "## Como fazer\n\n### Bootstrap do Vault")
        )


def block(command: str, body: str) -> Example:
    return Example(document=f"# M\n\n```bash\n{command} << 'EOF'\n{body}\nEOF\n```\n")


class TestSharedOverwrite:
    @pytest.mark.parametrize("comment", ["# demais rotas...", "# outros módulos", "# recursos existentes"])
    def test_the_block_says_that_there_is_more(self, comment: str) -> None:
        given = block("cat > apps/kong/kustomization.yaml", f"resources:\n  - a.yaml\n  {comment}")
        (found,) = judged("GIT-OVERWRITE", given).non_conformities
        assert found.location.document_line == 7

    @pytest.mark.parametrize(
        ("command", "body"),
        [
            ("cat >> apps/kong/kustomization.yaml", "  - a.yaml\n  # demais rotas"),
            ("cat > apps/kong/kustomization.yaml", "resources:\n  - a.yaml # rota"),
            ("cat > apps/kong/notas.yaml", "a: 1 # demais"),
        ],
    )
    def test_appended_whole_or_own(self, command: str, body: str) -> None:
        assert_quiet("GIT-OVERWRITE", block(command, body))


def namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


STACK = "namespaces: [observability, 'workspace-<id>']\n"
USER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {url: http://x.observability.svc}\n"


class TestNamespaces:
    @pytest.mark.parametrize("name", ["observability", "workspace-42", "appgear-core", "velero"])
    def test_known(self, name: str) -> None:
        assert_quiet("GIT-NS", Example(files={"a.yaml": namespace(name)}, stack=STACK))

    def test_without_a_list_nothing_is_judged(self) -> None:
        assert judged("GIT-NS", Example(files={"a.yaml": namespace("x")})).examined == {"GIT-NS": 0}

    def test_the_folder_of_an_application_names_its_own(self) -> None:
        own = Example(files={"apps/core/openmetadata/ns.yaml": namespace("openmetadata")}, stack=STACK)
        assert_quiet("GIT-NS", own)
        other = Example(files={"apps/core/n8n/ns.yaml": namespace("openmetadata")}, stack=STACK)
        assert len(details("GIT-NS", other)) == 1

    def test_declared_twice(self) -> None:
        files = {"apps/a/ns.yaml": namespace("x"), "apps/b/ns.yaml": namespace("x")}
        (found,) = judged("GIT-OWNER", Example(files=files)).non_conformities
        assert found.location.path == "apps/b/ns.yaml"
        assert "apps/a" in found.description

    @pytest.mark.parametrize("folder", ["apps/core/namespaces", "apps/core/observability", "bootstrap"])
    def test_a_shared_one_has_its_own_folder(self, folder: str) -> None:
        files = {f"{folder}/ns.yaml": namespace("observability"), "apps/core/n8n/cm.yaml": USER}
        assert_quiet("GIT-OWNER", Example(files=files))

    def test_a_small_application_owns_no_shared_one(self) -> None:
        files = {"apps/core/loki/ns.yaml": namespace("observability"), "apps/core/n8n/cm.yaml": USER}
        assert len(details("GIT-OWNER", Example(files=files))) == 1

    def test_an_application_owns_what_nobody_else_uses(self) -> None:
        assert_quiet("GIT-OWNER", Example(files={"apps/core/loki/ns.yaml": namespace("observability")}))


def test_a_folder_has_one_renderer() -> None:
    kustomization = (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [n8n/, a.yaml, ../../../x]\n"
    )
    applications = (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\n"
        "spec: {generators: [{list: {elements: [{path: %s}]}}], template: {spec: {source: {path: '{{.path}}'}}}}\n"
    )
    for path, count in (("apps/n8n", 1), ("apps/redis", 0)):
        files = {"apps/kustomization.yaml": kustomization, "s.yaml": applications % path}
        assert len(details("GIT-DUP", Example(files=files))) == count


@pytest.mark.parametrize(("text", "count"), [("no `appgear-docs`", 0), ("no repositório do time", 1)])
def test_the_repository_is_named(text: str, count: int) -> None:
    assert len(details("GIT-REPO", Example(document=f"# M\n\n## 7. Onde salvar\n\n{text}\n"))) == count


class TestMissingFile:
    GIVEN = "# M\n\n```bash\ncat > apps/a/b.yaml << 'EOF'\na: 1\nEOF\n```\n\n"

    @pytest.mark.parametrize(
        "tree",
        [
            "apps/a/\n  b.yaml\n  c.yaml",
            "apps/\n├── a/\n│   ├── b.yaml  # comentário\n│   └── c.yaml\n└── z/\n    └── d.yaml",
            "apps/a/c.yaml",
            "repo\n  apps/a/c.yaml\napps/a/c.yaml",
        ],
    )
    def test_a_sibling_of_what_is_given(self, tree: str) -> None:
        (found,) = details("GIT-MISSING", Example(document=f"{self.GIVEN}```text\n{tree}\n```\n"))
        assert "`apps/a/c.yaml`" in found

    @pytest.mark.parametrize(
        "tree",
        [
            "apps/a/\n  b.yaml",
            "apps/a/\n  <nome>.yaml\n  b.yaml",
            "apps/\n  a/\n    b.yaml\n  outra/\n    x.yaml",
            "apps/a/b.yaml\numa frase qualquer",
        ],
    )
    def test_what_is_given_or_of_others(self, tree: str) -> None:
        assert not details("GIT-MISSING", Example(document=f"{self.GIVEN}```text\n{tree}\n```\n"))

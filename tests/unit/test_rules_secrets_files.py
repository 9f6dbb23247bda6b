"""SEC-ENVPATH, SEC-ENVEXAMPLE, SEC-DISK, SEC-HASH, SEC-PRINT, SEC-IMPERATIVE: files and commands that hold secrets."""

from __future__ import annotations

import base64

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import CreateFile, FixMode, TextChange
from rulecheck import assert_cured, assert_quiet, details, judged


def shell(*lines: str, prose: str = "") -> Example:
    return Example(document=f"# M\n\n{prose}\n\n## 4. Como fazer\n\n```bash\n" + "\n".join(lines) + "\n```\n")


BODY = ("A=1", "EOF")


class TestEnvPath:
    def test_the_block_goes_to_the_central_file_and_its_uses_follow(self) -> None:
        given = shell(
            "cd /opt/appgear/backstage", "cat > .env << 'EOF'", *BODY, "cat > c.yml << 'EOF'", "services: {}", "EOF",
            "docker compose --env-file .env up -d",
        )  # fmt: skip
        (found,) = judged("SEC-ENVPATH", given).non_conformities
        assert "`/opt/appgear/backstage/.env`" in found.description
        fixed = assert_cured("SEC-ENVPATH", given).document or ""
        assert "\ncd /opt/appgear && cat >> .env << 'EOF' && cd -\n" in fixed
        assert "--env-file /opt/appgear/.env up -d" in fixed

    @pytest.mark.parametrize(
        "lines",
        [
            ("cd /opt/appgear", "cat > .env << 'EOF'", *BODY),
            ("cd /opt/appgear/x", "cd ..", "cat >> .env << 'EOF'", *BODY),
            ("cat > /opt/appgear/.env << 'EOF'", *BODY),
            ("cd /config", "cat > .env.core << 'EOF'", *BODY),
            ("cd /opt/appgear/x", "cat > .env.example << 'EOF'", *BODY),
            ("source /opt/appgear/.env", "source /config/.env.core"),
            ("cd /opt/appgear/x", "docker compose --env-file /opt/appgear/.env up"),
            ("cd /opt/appgear/x", "grep .env .gitignore", "ls .env"),
            ("docker compose --env-file .env up",),
            ("cd /opt/appgear/x", "cp /opt/appgear/.env.example /opt/appgear/.env"),
        ],
    )
    def test_central_examples_and_unknown_folders_are_quiet(self, lines: tuple[str, ...]) -> None:
        assert not judged("SEC-ENVPATH", shell(*lines)).non_conformities

    @pytest.mark.parametrize(
        ("command", "fixed"),
        [
            ("source .env", "source /opt/appgear/.env"),
            ("docker compose --env-file=.env up", "docker compose --env-file=/opt/appgear/.env up"),
            ("cp .env.example .env", "cp .env.example /opt/appgear/.env"),
            ("touch /srv/.env.local", "touch /opt/appgear/.env"),
            ("echo A=1 >> .env", "echo A=1 >> /opt/appgear/.env"),
        ],
    )
    def test_commands_on_another_file(self, command: str, fixed: str) -> None:
        assert f"\n{fixed}\n" in (assert_cured("SEC-ENVPATH", shell("cd /opt/appgear/x", command)).document or "")

    @pytest.mark.parametrize("name", [".env", "app/.env", ".env.prod", "backstage.env"])
    def test_a_file_of_the_tree_has_no_simple_mend(self, name: str) -> None:
        (found,) = judged("SEC-ENVPATH", Example(files={name: "A=1\n"})).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    def test_absolute_targets_that_became_no_file(self) -> None:
        found = judged("SEC-ENVPATH", shell("cat > /srv/x/.env << 'EOF'", *BODY)).non_conformities
        assert ["`/srv/x/.env`" in each.description for each in found] == [True]

    def test_two_folders_with_a_file_of_one_name(self) -> None:
        given = shell("cd /opt/appgear", "cat > .env << 'EOF'", *BODY, "cd /srv/x", "cat > .env << 'EOF'", "B=1", "EOF")
        (found,) = judged("SEC-ENVPATH", given).non_conformities
        assert "/srv/x" in found.description

    def test_the_policy_decides_what_is_central(self) -> None:
        from conftest import snapshot_of
        from pipeline.audit.engine import audit
        from pipeline.audit.policy import Policy
        from rulecheck import named

        given = shell("cd /srv", "cat > .env << 'EOF'", *BODY)
        assert not audit(
            snapshot_of(given), [named("SEC-ENVPATH")], policy=Policy(central_env="/srv/.env")
        ).non_conformities


class TestEnvExample:
    def test_the_example_has_the_names_and_no_secret(self) -> None:
        text = "# nota\nA=1\nDB_PASSWORD=abc\nURL=postgres://u:p@h\nexport API_TOKEN=x\n\n"
        given = Example(files={"app/.env": text})
        (found,) = judged("SEC-ENVEXAMPLE", given).non_conformities
        (change,) = found.correction.changes
        assert isinstance(change, CreateFile)
        assert change.path == "app/.env.example"
        assert change.content == "# nota\nA=1\nDB_PASSWORD=\nURL=\nexport API_TOKEN=\n"
        assert_cured("SEC-ENVEXAMPLE", given)

    def test_what_the_document_writes_gets_its_example_there(self) -> None:
        (found,) = judged("SEC-ENVEXAMPLE", shell("cd /opt/appgear", "cat > .env << 'EOF'", *BODY)).non_conformities
        (change,) = found.correction.changes
        assert isinstance(change, TextChange)
        assert change.new == "EOF\n\ncat > .env.example << 'EOF'\nA=1\nEOF"

    @pytest.mark.parametrize(
        "given",
        [
            Example(files={".env": "A=1\n", "x/.env.example": "A=\n"}),
            shell("cd /opt/appgear", "cp .env.example .env", "cat >> .env << 'EOF'", *BODY),
        ],
    )
    def test_an_example_is_enough(self, given: Example) -> None:
        assert_quiet("SEC-ENVEXAMPLE", given)

    def test_examples_alone_are_no_env(self) -> None:
        assert judged("SEC-ENVEXAMPLE", Example(files={".env.sample": "A=\n"})).examined["SEC-ENVEXAMPLE"] == 0


class TestDisk:
    @pytest.mark.parametrize(
        "command",
        [
            "velero install --secret-file ./credentials-velero",
            "cat a > credentials-minio.txt",
            "kubectl create secret generic a --from-file=cloud=credentials-velero",
            "vault operator init > vault-keys.json",
            "cp a /opt/x/senhas.txt",
        ],
    )
    def test_credential_files(self, command: str) -> None:
        assert len(details("SEC-DISK", shell(command))) == 1

    def test_files_of_the_module(self) -> None:
        assert details("SEC-DISK", Example(files={"credentials-velero.txt": "a\n"}))

    @pytest.mark.parametrize(
        "given",
        [
            shell("cat /vault/secrets/credentials.txt"),
            shell("ls /var/run/secrets/kubernetes.io/serviceaccount/token"),
            shell("vault kv put kv/appgear/credentials a=@-"),
            shell("vault read database/creds/credentials.json"),
            shell("kubectl get secret core-credentials"),
            shell("cd docs/credentials/", "cat credentials.md"),
            shell("curl https://h/credentials.json"),
            shell("ssh -i ~/.ssh/id_rsa h"),
            Example(files={"credentials.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}),
            Example(files={"secrets.ts": "x\n", "config.yaml": "a: 1\n"}),
        ],
    )
    def test_mounted_paths_names_and_objects_are_quiet(self, given: Example) -> None:
        assert not judged("SEC-DISK", given).non_conformities


BCRYPT = "$2a$10$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"


class TestHash:
    @pytest.mark.parametrize(
        "value",
        [
            BCRYPT,
            "$2y$05$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$hash",
            "$6$salt$" + "a" * 86,
            "$apr1$abcdefgh$" + "b" * 22,
            "{SSHA}" + "A" * 32,
            "pbkdf2_sha256$260000$" + "x" * 20,
        ],
    )
    def test_hashes_in_files(self, value: str) -> None:
        (found,) = judged("SEC-HASH", Example(files={"users.txt": f"admin:{value}\n"})).non_conformities
        assert value not in found.snippet

    @pytest.mark.parametrize(
        "given",
        [
            shell(f'kubectl patch secret a -p \'{{"x": "{BCRYPT}"}}\''),
            Example(files={"c.yml": f"services: {{a: {{image: b, labels: ['u=a:{BCRYPT.replace('$', '$$')}']}}}}\n"}),
            Example(document=f"# M\n\n```yaml\npassword: {BCRYPT}\n```\n"),
        ],
    )
    def test_hashes_elsewhere(self, given: Example) -> None:
        assert len(details("SEC-HASH", given)) == 1

    def test_hashes_in_the_data_of_a_secret(self) -> None:
        held = base64.b64encode(f"admin:{BCRYPT}".encode()).decode()
        text = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata: {{users: {held}, x: '***', y: 1}}\n"
        (found,) = judged("SEC-HASH", text).non_conformities
        assert held not in found.snippet

    def test_a_rotation_policy_allows_it_at_bootstrap(self) -> None:
        document = "# M\n\nO hash da senha de admin tem rotação a cada 90 dias.\n"
        assert_quiet("SEC-HASH", Example(document=document, files={"users.txt": f"admin:{BCRYPT}\n"}))

    @pytest.mark.parametrize("value", ["${ADMIN_HASH}", "$2a$10$...", "<bcrypt>", "{{ .hash }}", "$1 + $2"])
    def test_references_are_quiet(self, value: str) -> None:
        assert_quiet("SEC-HASH", Example(files={"users.txt": f"admin:{value}\n"}))


class TestPrint:
    @pytest.mark.parametrize(
        ("command", "fixed"),
        [
            (
                'kubectl exec a -- sh -c "ls /vault/secrets && cat /vault/secrets/a && cat /vault/secrets/b"',
                'kubectl exec a -- sh -c "ls /vault/secrets && test -s /vault/secrets/a && test -s /vault/secrets/b"',
            ),
            ("kubectl exec deploy/a -- cat /vault/secrets/db", "kubectl exec deploy/a -- test -s /vault/secrets/db"),
            ("kubectl get secret a -n b -o yaml", "kubectl get secret a -n b -o name"),
            ("kubectl get secrets/a -ojson", "kubectl get secrets/a -oname"),
            ("sudo kubectl get secret a --output=yaml", "sudo kubectl get secret a --output=name"),
            ("vault kv get kv/appgear/a", "vault kv metadata get kv/appgear/a"),
        ],
    )
    def test_a_check_that_shows_nothing_takes_its_place(self, command: str, fixed: str) -> None:
        assert f"\n{fixed}\n" in (assert_cured("SEC-PRINT", shell(command)).document or "")

    @pytest.mark.parametrize(
        "command",
        [
            "kubectl get secret a -o jsonpath='{.data.password}' | base64 -d",
            "kubectl get secret a -o go-template='{{.data.x}}'",
            "vault read database/creds/a",
            "vault kv get -field=password kv/a",
            'echo "$DB_PASSWORD"',
            "kubectl exec a -- printenv DB_PASSWORD",
            "kubectl exec a -- cat /vault/secrets/*",
        ],
    )
    def test_what_has_no_simple_mend(self, command: str) -> None:
        (found,) = judged("SEC-PRINT", shell(command)).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    @pytest.mark.parametrize(
        "command",
        [
            "kubectl exec deploy/a -- ls /vault/secrets",
            "kubectl get secret a",
            "kubectl get secret a -o name",
            "kubectl get secret a -o jsonpath='{.metadata.labels}'",
            "kubectl get secret a -o yaml | kubectl apply -f -",
            "kubectl get secret a -o yaml | kubeseal > s.yaml",
            "kubectl get secret a -o json > /dev/null",
            "kubectl get externalsecret a -o yaml",
            "kubectl get pods -o yaml",
            "kubectl describe secret a",
            "PASSWORD=$(kubectl get secret a -o jsonpath='{.data.p}' | base64 -d)",
            "TOKEN=`vault kv get -field=t kv/a`",
            "TOKEN=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)",
            "cat /var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            "kubectl exec a -- cat /vault/secrets/db | wc -l",
            "kubectl exec a -- cat /vault/secrets/db > /dev/null",
            'echo "$DB_PASSWORD" | docker login --password-stdin',
            "echo $HOME",
            "vault kv list kv/appgear",
            "vault kv metadata get kv/a",
            "vault read auth/kubernetes/role/a",
            "kubectl exec a -- printenv HOME",
            "cat a.yaml",
            "kubectl get",
        ],
    )
    def test_names_captures_and_pipes_are_quiet(self, command: str) -> None:
        assert not judged("SEC-PRINT", shell(command)).non_conformities

    def test_a_command_over_several_lines(self) -> None:
        given = shell("kubectl get secret a \\", "  -o yaml | \\", "  kubeseal > s.yaml")
        assert not judged("SEC-PRINT", given).non_conformities


class TestImperative:
    @pytest.mark.parametrize(
        "command",
        [
            "kubectl create secret generic a --from-file=b",
            "kubectl create secret docker-registry a --docker-server=x",
            "kubectl create secret generic a --from-file=b --dry-run=client -o yaml | kubectl apply -f -",
            "sudo kubectl -n x create secret tls a --cert=b",
            "vault kv put kv/appgear/a b=@c",
            "vault kv patch kv/appgear/a b=@c",
        ],
    )
    def test_secrets_made_by_hand(self, command: str) -> None:
        (found,) = judged("SEC-IMPERATIVE", shell(command)).non_conformities
        assert found.correction.mode is FixMode.MANUAL

    @pytest.mark.parametrize(
        "command",
        [
            "kubectl create secret generic argocd-repo-cred --from-file=b",
            "kubectl create secret generic a --from-file=b --dry-run=client -o yaml | kubeseal > a.yaml",
            "kubectl create secret generic a --from-file=b --dry-run=client -o yaml > a.yaml",
        ],
    )
    def test_bootstrap_and_sealing(self, command: str) -> None:
        assert_quiet("SEC-IMPERATIVE", shell(command))

    def test_a_declarative_twin(self) -> None:
        twin = "apiVersion: external-secrets.io/v1\nkind: {}\nmetadata: {{name: a}}\nspec: {}\n"
        made = Example(
            document=shell("kubectl create secret generic a --from-file=b").document,
            files={"a.yaml": twin.format("ExternalSecret", "{}")},
        )
        assert_quiet("SEC-IMPERATIVE", made)
        pushed = Example(
            document=shell("vault kv put kv/a b=@c").document,
            files={"a.yaml": twin.format("PushSecret", "{data: [{match: {remoteRef: {remoteKey: kv/a}}}]}")},
        )
        assert_quiet("SEC-IMPERATIVE", pushed)

    @pytest.mark.parametrize(
        "command",
        ["kubectl get secret a", "kubectl create ns a", "vault kv get kv/a", "vault kv put", "kubectl create secret"],
    )
    def test_other_commands(self, command: str) -> None:
        assert len(judged("SEC-IMPERATIVE", shell(command)).non_conformities) == (
            command in {"vault kv put", "kubectl create secret"}
        )

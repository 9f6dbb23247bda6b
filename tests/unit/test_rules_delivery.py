"""NAME, CI, OBS and DR."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details


@pytest.mark.parametrize(
    "line",
    ["git@github.com:appgear/portal.git", "https://github.com/appgear/portal", "ver gitlab.com/appgear/portal/x"],
)
def test_own_repositories_get_the_prefix(line: str) -> None:
    fixed = assert_cured("NAME-REPO", Example(document=f"# M\n\n{line}\n"))
    assert "appgear/appgear-portal" in (fixed.document or "")


@pytest.mark.parametrize(
    "line", ["github.com/backstage/backstage", "git@github.com:appgear/appgear-docs.git", "appgear/x"]
)
def test_prefixed_and_third_party_repositories(line: str) -> None:
    assert_quiet("NAME-REPO", Example(document=f"# M\n\n{line}\n"))


TRAIL = "`/artifacts/{ai_reports,reports,coverage,tests,docker,sbom}`, SHA-256, parecer, RAPID, 90 dias, 85 %"


@pytest.mark.parametrize(
    ("gone", "said"), [("SHA-256", "SHA-256"), ("90 dias", "90 dias"), ("85 %", "85 %"), (",sbom", "pastas")]
)
def test_each_missing_element_is_named(gone: str, said: str) -> None:
    (found,) = details("CI-ART", Example(document=f"# M\n\n{TRAIL.replace(gone, '')}\n"))
    assert said in found


def test_a_pipeline_of_the_tree_counts() -> None:
    assert_quiet("CI-ART", Example(document=f"# M\n\n{TRAIL}\n"))
    text = TRAIL.replace("90 dias", "").replace("85 %", "")
    files = {".github/ci.yml": "retention-days: 90\nrun: pytest --cov-fail-under=85\n"}
    assert_quiet("CI-ART", Example(document=f"# M\n\n{text}\n", files=files))


@pytest.mark.parametrize(
    "command", ["docker build .", "sudo docker buildx build .", "/kaniko/executor -f x", "buildah bud ."]
)
def test_a_build_needs_its_sbom(command: str) -> None:
    (found,) = details("CI-SBOM", Example(document=f"# M\n\n```bash\n{command}\n```\n"))
    assert "CycloneDX, JSON, XML, hash" in found


PROMETHEUS = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: p}\nspec: {%s}\n"


def pod(image: str, rest: str) -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, image: {image}{rest}}}]}}\n"
    )


class TestRetention:
    def test_a_prometheus_is_asked_for_its_retention(self) -> None:
        assert_cured("OBS-RETENTION", PROMETHEUS % "replicas: 1", value="15d")

    @pytest.mark.parametrize(
        "text",
        [
            pod("prom/prometheus:v3", ""),
            pod("grafana/loki:3", ", args: [-config.file=a]"),
            "services: {core-prometheus: {image: 'prom/prometheus:v3', command: '--config.file=a'}}\n",
        ],
    )
    def test_stores_run_from_an_image(self, text: str) -> None:
        assert len(details("OBS-RETENTION", text)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            PROMETHEUS % "retention: 15d",
            PROMETHEUS % "retentionSize: 10GB",
            pod("prom/prometheus:v3", ", args: [--storage.tsdb.retention.time=15d]"),
            pod("grafana/loki:3", "") + "---\nlimits_config: {retention_period: 30d}\n",
            "services: {a: {image: 'prom/prometheus:v3', command: '--storage.tsdb.retention.time=15d'}}\n",
        ],
    )
    def test_stated(self, text: str) -> None:
        assert_quiet("OBS-RETENTION", text)


BACKUP = "apiVersion: velero.io/v1\nkind: BackupStorageLocation\nmetadata: {name: b}\nspec: {config: {s3Url: '%s'}}\n"


class TestBackup:
    @pytest.mark.parametrize(
        "text",
        [
            BACKUP % "http://minio.velero.svc:9000",
            BACKUP % "http://rgw.example:80",
            "# velero\nconfiguration: {backupStorageLocation: [{config: {s3Url: 'http://x.default.svc.cluster.local'}}]}\n",
            "apiVersion: velero.io/v1\nkind: Schedule\nspec: {template: {snapshotVolumes: false}}\n",
        ],
    )
    def test_inside_the_cluster_or_without_volumes(self, text: str) -> None:
        assert len(details("DR-TARGET", text)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            BACKUP % "https://s3.example.com",
            "apiVersion: velero.io/v1\nkind: Schedule\nspec: {template: {snapshotVolumes: true}}\n",
        ],
    )
    def test_outside_with_volumes(self, text: str) -> None:
        assert_quiet("DR-TARGET", text)

"""IMG: references that move, and those that only look as if they did."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import FixMode
from rulecheck import assert_cured, assert_quiet, details, judged

DIGEST = "sha256:" + "0a" * 32


def manifest(api_version: str, kind: str, body: str) -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n{body}"


def pod(image: str, more: str = "") -> str:
    return manifest("v1", "Pod", f"spec:\n  containers:\n    - name: a\n      image: {image}\n{more}")


RULES = ("IMG-LATEST", "IMG-LATESTLIKE", "IMG-UNTAGGED", "IMG-PLACEHOLDER", "IMG-FLOAT")


def verdicts(image: str) -> set[str]:
    return {rule for rule in RULES if details(rule, pod(image))}


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        ("app:latest", "IMG-LATEST"),
        ("app:LATEST", "IMG-LATEST"),
        ("registry:5000/app:latest", "IMG-LATEST"),
        ("ghcr.io/berriai/litellm:main-latest", "IMG-LATESTLIKE"),
        ("app:latest-alpine", "IMG-LATESTLIKE"),
        ("app", "IMG-UNTAGGED"),
        ("registry:5000/team/app", "IMG-UNTAGGED"),
        ("owasp/zap2docker-stable", "IMG-UNTAGGED"),
        ("app:vX.Y.Z", "IMG-PLACEHOLDER"),
        ("app:x.y.z", "IMG-PLACEHOLDER"),
        ("app:1.x", "IMG-PLACEHOLDER"),
        ("app:<tag>", "IMG-PLACEHOLDER"),
        ("'<registry>/app:1.2.3'", "IMG-PLACEHOLDER"),
        ("'app@sha256:<digest>'", "IMG-PLACEHOLDER"),
        ("app:your-tag-here", "IMG-PLACEHOLDER"),
        ("app:CHANGEME", "IMG-PLACEHOLDER"),
        ("postgres:15", "IMG-FLOAT"),
        ("app:v2", "IMG-FLOAT"),
        ("postgres:15-alpine", "IMG-FLOAT"),
        ("node:lts", "IMG-FLOAT"),
        ("node:lts-alpine", "IMG-FLOAT"),
        ("debian:stable-slim", "IMG-FLOAT"),
        ("app:nightly", "IMG-FLOAT"),
        ("app:dev", "IMG-FLOAT"),
        ("'app:${TAG:-latest}'", "IMG-LATEST"),
        ("'${IMAGE:-app:latest}'", "IMG-LATEST"),
        ("'${IMAGE:-app}'", "IMG-UNTAGGED"),
        ("'app:${TAG-15}'", "IMG-FLOAT"),
    ],
)
def test_each_reference_breaks_one_rule(image: str, rule: str) -> None:
    assert verdicts(image) == {rule}
    assert_cured(rule, pod(image), value=":1.2.3") if "registry>" not in image else None


@pytest.mark.parametrize(
    "image",
    [
        "app:1.2.3",
        "app:1.2",
        "postgis/postgis:16-3.4",
        "app:2024-01-31",
        "app:20240131",
        "minio/minio:RELEASE.2024-01-16T16-07-38Z",
        "app:stable-20240101",
        "app:main-a1b2c3d4",
        "app:a1b2c3d",
        "app:sha-0123abcd",
        f"app@{DIGEST}",
        f"app:main-latest@{DIGEST}",
        f"app:15@{DIGEST}",
        "'${REGISTRY}/app:${TAG}'",
        "'{{ .Values.image }}'",
        "'{{ .Values.repository }}:{{ .Values.tag }}'",
        "postgres:15-alpine3.18",
        "'app:${TAG:-1.2.3}'",
        "'app:${TAG:?defina}'",
    ],
)
def test_pins_and_variables_are_quiet(image: str) -> None:
    for rule in RULES:
        assert_quiet(rule, pod(image))


def test_a_literal_latest_after_a_variable_counts() -> None:
    assert details("IMG-LATEST", pod("'${REGISTRY}/app:latest'"))


@pytest.mark.parametrize(
    "text",
    [
        pod("a:1.2.3", "  initContainers: [{name: b, image: 'b:latest'}]\n"),
        manifest("argoproj.io/v1alpha1", "WorkflowTemplate", "spec: {templates: [{container: {image: 'b:latest'}}]}\n"),
        manifest("x.io/v1", "Database", "spec: {image: 'b:latest', replicas: 1}\n"),
        "services: {a: {image: 'b:latest'}}\n",
        "image: {repository: b, tag: latest}\n",
        "web:\n  image: {registry: r, repository: b, tag: latest}\n",
        "sidecar: {image: 'b:latest', port: 1}\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages: [{name: b, newTag: latest}]\n",
        manifest("v1", "List", "items: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: 'b:latest'}]}}]\n"),
    ],
)
def test_every_place_that_names_an_image(text: str) -> None:
    (found,) = judged("IMG-LATEST", text).non_conformities
    assert found.correction.mode is FixMode.PARAM
    assert_cured("IMG-LATEST", text, value=":1.2.3")


def test_a_tag_alone_is_asked_for_where_the_map_holds_one() -> None:
    (found,) = judged("IMG-LATEST", "image: {repository: b, tag: latest}\n").non_conformities
    assert "tags.b" in str(found.correction.changes)


HELM = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a}
spec:
  source:
    helm:
      values: |
        replicas: 1
        image:
          repository: b
          tag: latest
        sidecar: {image: "c:latest", port: 1}
"""


def test_helm_values_written_as_text() -> None:
    first, second = judged("IMG-LATEST", HELM).non_conformities
    assert (first.location.line, first.location.column, first.snippet) == (11, 11, "tag: latest")
    assert second.location.line == 12
    assert_cured("IMG-LATEST", HELM, value="1.2.3")


def test_helm_values_folded_have_no_exact_place() -> None:
    folded = HELM.replace("values: |", "values: >")
    found = judged("IMG-LATEST", folded.replace("        image:\n", "\n        image:\n")).non_conformities
    assert all(not each.correction.changes for each in found)


def test_a_file_that_does_not_parse_still_hides_real_hits() -> None:
    broken = "spec:\n  containers:\n    - name: a\n      image: app:latest\n   bad: [\n"
    (found,) = judged("IMG-LATEST", broken).non_conformities
    assert (found.location.line, found.location.column) == (4, 14)
    fixed = assert_cured("IMG-LATEST", broken, value=":1.2.3")
    assert "image: app:1.2.3\n" in fixed.files["a.yaml"]


def test_parsed_documents_of_a_broken_file_are_not_read_twice() -> None:
    text = pod("app:latest") + "---\na: [\nimage: b:latest\n"
    assert len(judged("IMG-LATEST", text).non_conformities) == 2


def test_excerpts_and_dockerfiles() -> None:
    document = (
        "# M\n\n```yaml\ncontainers:\n  - name: a\n    image: app:latest\n```\n\n"
        "```dockerfile\nFROM --platform=linux/amd64 node:latest AS base\nFROM base\nFROM scratch\n```\n"
    )
    first, second = judged("IMG-LATEST", Example(document=document)).non_conformities
    assert (first.location.path, first.location.line, first.location.column) == ("doc", 6, 12)
    assert second.location.line == 10
    assert not details("IMG-UNTAGGED", Example(document=document))
    assert_cured("IMG-LATEST", Example(document=document), value=":1.2.3")


@pytest.mark.parametrize(
    "example",
    [
        Example(document="# M\n\nA tag `:latest` é proibida: nunca use `app:latest`.\n\n- [ ] sem `:latest`\n"),
        Example(document='# M\n\n```rego\ndeny[m] { endswith(input.image, ":latest") }\n```\n'),
        Example(document="# M\n\n```bash\nnpx create-app@latest\nkubectl run t --rm --image=alpine\n```\n"),
        Example(
            files={"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {image: logo.png, b: c}\n"}
        ),
        Example(
            files={
                "a.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n"
                "spec: {default: {image: 'a:latest', b: 1}}\n"
            }
        ),
    ],
)
def test_traps_are_quiet(example: Example) -> None:
    for rule in RULES:
        assert not judged(rule, example).non_conformities


class TestPull:
    @pytest.mark.parametrize("image", ["app:latest", "app", "app:main-latest", "app:stable"])
    def test_if_not_present_beside_a_moving_tag(self, image: str) -> None:
        fixed = assert_cured("IMG-PULL", pod(image, "      imagePullPolicy: IfNotPresent\n"))
        assert "imagePullPolicy: Always" in fixed.files["a.yaml"]

    @pytest.mark.parametrize(
        ("image", "more"),
        [
            ("app:latest", ""),
            ("app:latest", "      imagePullPolicy: Always\n"),
            ("app:1.2.3", "      imagePullPolicy: IfNotPresent\n"),
            (f"app:latest@{DIGEST}", "      imagePullPolicy: IfNotPresent\n"),
            ("'${IMAGE}'", "      imagePullPolicy: IfNotPresent\n"),
        ],
    )
    def test_the_default_and_pins_are_right(self, image: str, more: str) -> None:
        assert_quiet("IMG-PULL", pod(image, more))

    def test_helm_maps_have_no_container(self) -> None:
        assert_quiet("IMG-PULL", "image: {repository: b, tag: latest, imagePullPolicy: IfNotPresent}\n")

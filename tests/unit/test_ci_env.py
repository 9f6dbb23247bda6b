"""The job as CI systems describe it, and what a hostile description comes to."""

from __future__ import annotations

import pytest

from pipeline.adapters.build import builder_name
from pipeline.adapters.ci import CiJob, branch_of_job, ci_system, detect_job, pipeline_name
from pipeline.adapters.host import describe_host

SHA = "a" * 40

GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "trilha",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "plataforma/gitops",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_REF_NAME": "main",
    "GITHUB_SHA": SHA,
    "GITHUB_ACTOR": "ana",
}
GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_PIPELINE_ID": "9",
    "CI_JOB_NAME": "mapa_nc",
    "CI_COMMIT_BRANCH": "main",
    "CI_COMMIT_SHA": SHA,
    "GITLAB_USER_LOGIN": "ana",
    "CI_JOB_URL": "https://gitlab.example/p/-/jobs/12",
}
JENKINS = {
    "JENKINS_URL": "https://ci.example/",
    "BUILD_TAG": "jenkins-gitops-5",
    "JOB_NAME": "gitops",
    "GIT_BRANCH": "origin/main",
    "GIT_COMMIT": SHA,
    "BUILD_URL": "https://user:token@ci.example/job/gitops/5/?token=x#y",
}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            GITHUB,
            CiJob(
                system="github",
                pipeline="77.2",
                job="trilha",
                branch="main",
                commit=SHA,
                author="ana",
                url="https://github.com/plataforma/gitops/actions/runs/77/attempts/2",
            ),
        ),
        (
            GITLAB,
            CiJob(
                system="gitlab",
                pipeline="9",
                job="mapa_nc",
                branch="main",
                commit=SHA,
                author="ana",
                url="https://gitlab.example/p/-/jobs/12",
            ),
        ),
        (
            JENKINS,
            CiJob(
                system="jenkins",
                pipeline="jenkins-gitops-5",
                job="gitops",
                branch="main",
                commit=SHA,
                url="https://ci.example/job/gitops/5/",
            ),
        ),
        (
            {"ARGO_WORKFLOW_NAME": "trilha-x7", "ARGO_NODE_ID": "trilha-x7-1", "APPGEAR_CI_BRANCH": "main"},
            CiJob(system="argo", pipeline="trilha-x7", job="trilha-x7-1", branch="main"),
        ),
        ({"CI": "1"}, CiJob(system="other")),
        ({"APPGEAR_CI_AUTHOR": "ana", "APPGEAR_CI_URL": "http://h/1"}, CiJob(system="other", author="ana", url="http://h/1")),
    ],
)  # fmt: skip
def test_each_system_says_it_in_its_own_words(variables: dict[str, str], expected: CiJob) -> None:
    assert detect_job(variables) == expected


@pytest.mark.parametrize("variables", [{}, {"CI": "false"}, {"CI": ""}, {"GITHUB_ACTIONS": "false"}])
def test_a_laptop_is_no_job(variables: dict[str, str]) -> None:
    assert ci_system(variables) == ""
    assert detect_job(variables) is None
    assert pipeline_name(variables) == "local"
    assert builder_name(variables) == "laptop"
    assert describe_host(variables)["ci"] == {}


def test_the_branch_of_a_pull_request_is_its_own() -> None:
    request = {**GITHUB, "GITHUB_HEAD_REF": "muda-porta", "GITHUB_REF_NAME": "12/merge"}
    job = detect_job(request)
    assert job is not None
    assert job.branch == "muda-porta"
    tag = {**GITHUB, "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1"}
    assert getattr(detect_job(tag), "branch", None) == ""
    merge = {**GITLAB, "CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "muda-porta"}
    assert getattr(detect_job(merge), "branch", None) == "muda-porta"


def test_the_first_attempt_has_the_name_of_the_run() -> None:
    assert pipeline_name({**GITHUB, "GITHUB_RUN_ATTEMPT": "1"}) == "github:77"
    assert pipeline_name({"GITLAB_CI": "true"}) == "gitlab"


def test_the_branch_of_a_job_counts_for_its_own_commit_alone() -> None:
    assert branch_of_job(GITHUB, SHA) == "main"
    assert branch_of_job(GITHUB, "b" * 40) is None
    assert branch_of_job(GITHUB, None) is None
    assert branch_of_job({}, SHA) is None


@pytest.mark.parametrize(
    ("name", "value", "field", "shown"),
    [
        ("GITHUB_HEAD_REF", "x\x1b[31m\n::set-output name=a::b", "branch", "x\\x1b[31m ::set-output name=a::b"),
        ("GITHUB_ACTOR", "\udc80\u202eana", "author", "\\udc80\\u202eana"),
        ("GITHUB_JOB", "j" * 9000, "job", "j" * 500),
        ("GITHUB_SHA", "$(reboot)", "commit", ""),
        ("APPGEAR_CI_URL", "javascript:alert(1)", "url", ""),
        ("APPGEAR_CI_URL", "https://[x", "url", ""),
        ("APPGEAR_CI_URL", "https://ana:segredo@h/p", "url", "https://h/p"),
    ],
)
def test_a_hostile_variable_is_a_harmless_text(name: str, value: str, field: str, shown: str) -> None:
    job = detect_job({**GITHUB, name: value})
    assert getattr(job, field) == shown


def test_secrets_of_the_environment_are_not_recorded() -> None:
    said = str(describe_host({**GITHUB, "GITHUB_TOKEN": "segredo", "ACTIONS_RUNTIME_TOKEN": "segredo"}))
    assert "segredo" not in said
    assert "plataforma/gitops" in said

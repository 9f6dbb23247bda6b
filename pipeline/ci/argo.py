"""Argo Workflows, through Hera: each stage a template, a module a DAG of them, a repository a fan-out over its modules.

A gate that says no fails its task and not the others: what comes after still shows plan, rewrite and checklist, and the
DAG's ``target`` makes every failed gate the module's, and every failed module the workflow's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera.workflows import (
    DAG,
    Artifact,
    ClusterWorkflowTemplate,
    Container,
    EmptyDirVolume,
    Env,
    GitArtifact,
    Parameter,
    Resources,
    RetryStrategy,
    S3Artifact,
    SecretVolume,
    Task,
    WorkflowTemplate,
    models,
)
from hera.workflows.archive import NoneArchiveStrategy
from hera.workflows.models import Backoff, PodGC, TTLStrategy

from pipeline.ci.kubernetes import EXECUTOR, LABELS, NAMESPACE, STAGES_TEMPLATE, TRAIL_TEMPLATE, argo_name, metadata
from pipeline.ci.model import Session, launcher_words
from pipeline.ci.table import GATE_CODES, MODULES, job_named
from pipeline.ci.yamltext import render_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.ci.model import Input, Job, Secret

__all__ = ["render_workflows"]

_TOOLKIT = "/opt/appgear"
_WORK = "/trabalho"
_REPOSITORY = f"{_WORK}/repositorio"
_ARTIFACTS = f"{_WORK}/artifacts"
_GIVEN, _KEPT = "/segredos", "/tmp/segredos"  # noqa: S108  # a volume of the pod's own
_USER = 65532
# The pods stay in the mesh; a sidecar that is no native one is asked to end, so that theirs do.
_MESH = {"workflows.argoproj.io/kill-cmd-istio-proxy": '["pilot-agent", "request", "POST", "quitquitquit"]'}
_DAY = 24 * 60 * 60
_ONE_DAY_AFTER_SUCCESS, _WEEK_AFTER_FAILURE = _DAY, 7 * _DAY
_KEPT_BY_ALL = "appgear/{{workflow.uid}}/modulos"  # one folder for each module's last pod
_GATHERED = "appgear/{{workflow.uid}}/reunido"
_MODULES = f"{_WORK}/modulos"
_VERIFY = "verificar"
_MODULE = "module"
_SIGNING = f"{EXECUTOR}-assinatura"


def render_workflows() -> dict[str, bytes]:
    """Path → bytes."""
    return {
        "ci/argo/clusterworkflowtemplate.yaml": render_yaml([_stages().to_dict()]),
        "ci/argo/workflowtemplate.yaml": render_yaml([_trail().to_dict()]),
    }


# --- one module


def _stages() -> ClusterWorkflowTemplate:
    """What every team's workflow refers to: the stages, and the DAG of one module."""
    shown = metadata(STAGES_TEMPLATE)
    trail, verify, release = _job("pipeline"), _job(_VERIFY), _job("evidencias")
    with ClusterWorkflowTemplate(
        name=STAGES_TEMPLATE, labels=shown["labels"], annotations=shown["annotations"], entrypoint="modulo"
    ) as template:
        stages = [(each, trail) for each in trail.stages]
        stages += [(each.session, each) for each in (release, verify)]
        _module_dag([_container(session, job) for session, job in stages])
        _listing()
        _gathering()
    return template


def _job(name: str) -> Job:
    found = job_named(name)
    assert found is not None  # noqa: S101  # a name of the table, which is the only argument
    return found


def _container(session: Session, job: Job) -> Container:
    """A stage over one module: artifacts of the stage before in, its own added, out again."""
    values = {each.name: _value(each) for each in session.inputs}
    files = [each for each in job.secrets if each.file]
    placed = Session(name=session.name, words=(*session.words, "--artifacts", _ARTIFACTS))
    words = [f"{_TOOLKIT}/ci/nox", *launcher_words(placed, values)]
    return Container(
        name=argo_name(session.name),
        image="{{workflow.parameters.image}}",
        command=["bash", "-euo", "pipefail", "-c", _private(files), "--"] if files else words[:1],
        args=words if files else words[1:],
        working_dir=_REPOSITORY,
        inputs=[
            Parameter(name=_MODULE),
            _repository(),
            Artifact(name="artifacts", path=_ARTIFACTS, optional=True),
        ],
        outputs=[_left(session)],
        env=[*_environment(), *_told(job)],
        volumes=[*_volumes(), *([_secret_volume()] if files else [])],
        resources=Resources(cpu_request="250m", cpu_limit="1", memory_request="256Mi", memory_limit="1Gi"),
        security_context=_locked_down(),
        active_deadline_seconds=job.minutes * 60,
        retry_strategy=_retries(),
    )


def _value(given: Input) -> str:
    return f"{{{{inputs.parameters.{_MODULE}}}}}" if given is MODULES else f"{{{{workflow.parameters.{given.name}}}}}"


def _left(session: Session) -> Artifact:
    """What a stage hands on; the last one leaves it where the workflow finds every module's."""
    if session.name == _VERIFY:
        return S3Artifact(
            name="artifacts",
            path=_ARTIFACTS,
            key=f"{_KEPT_BY_ALL}/{{{{pod.name}}}}",
            archive=NoneArchiveStrategy(),
        )
    return Artifact(name="artifacts", path=_ARTIFACTS, optional=True)


def _private(files: Iterable[Secret]) -> str:
    """A mounted secret is a link that the pod's group may read: the stage works with a copy that is neither."""
    lines = []
    for each in files:
        given, kept = f"{_GIVEN}/{each.name}", f"{_KEPT}/{each.name}"
        missing = f'echo "sem {each.name} em {_SIGNING}: nada a assinar"; exit 0' if each.required else ":"
        lines += [
            f"if [ -e {given} ]; then",
            f"  install -m 600 -D -- {given} {kept}",
            f"  export {each.variable}={kept}",
            f"else {missing}; fi",
        ]
    return "\n".join([*lines, 'exec "$@"']) + "\n"


def _repository() -> GitArtifact:
    return GitArtifact(
        name="repositorio",
        path=_REPOSITORY,
        repo="{{workflow.parameters.repository}}",
        revision="{{workflow.parameters.revision}}",
        disable_submodules=True,
    )


def _environment() -> list[Env]:
    """Who runs us (Argo says it in no variable), and places that may be written."""
    return [
        Env(name="HOME", value="/tmp"),  # noqa: S108  # a volume of the pod's own
        Env(name="PYTHONDONTWRITEBYTECODE", value="1"),
        Env(name="APPGEAR_CI_PIPELINE", value="{{workflow.name}}"),
        Env(name="APPGEAR_CI_JOB", value="{{pod.name}}"),
        Env(name="APPGEAR_CI_BRANCH", value="{{workflow.parameters.branch}}"),
        Env(name="APPGEAR_CI_COMMIT", value="{{workflow.parameters.revision}}"),
    ]


def _told(job: Job) -> list[models.EnvVar]:
    return [
        models.EnvVar(
            name=each.variable,
            value_from=models.EnvVarSource(
                secret_key_ref=models.SecretKeySelector(name=f"{EXECUTOR}-gateway", key=each.name, optional=True)
            ),
        )
        for each in job.secrets
        if not each.file
    ]


def _volumes() -> list[EmptyDirVolume]:
    return [EmptyDirVolume(name="trabalho", mount_path=_WORK), EmptyDirVolume(name="tmp", mount_path="/tmp")]  # noqa: S108


def _secret_volume() -> SecretVolume:
    return SecretVolume(name="segredos", mount_path=_GIVEN, secret_name=_SIGNING, optional=True, read_only=True)


def _locked_down() -> models.SecurityContext:
    return models.SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=models.Capabilities(drop=["ALL"]),
    )


def _retries() -> RetryStrategy:
    """Again for what the cluster did (a lost node, an eviction), never for what a stage answered."""
    codes = ", ".join(map(str, GATE_CODES))
    return RetryStrategy(
        limit="2",
        retry_policy="Always",
        backoff=Backoff(duration="30s", factor=models.IntOrString(root=2), max_duration="10m"),
        expression=f"not (asInt(lastRetry.exitCode) in [{codes}])",
    )


def _listing() -> Container:
    """Prints the modules as JSON, for the fan-out."""
    words = ("modules", "--module", MODULES)
    return Container(
        name="listar",
        image="{{workflow.parameters.image}}",
        command=[f"{_TOOLKIT}/ci/nox"],
        args=list(launcher_words(Session(name="ci", words=words), {MODULES.name: "{{workflow.parameters.modules}}"})),
        working_dir=_REPOSITORY,
        inputs=[_repository()],
        env=_environment(),
        volumes=_volumes(),
        resources=Resources(cpu_request="100m", cpu_limit="500m", memory_request="128Mi", memory_limit="512Mi"),
        security_context=_locked_down(),
        active_deadline_seconds=600,
        retry_strategy=_retries(),
    )


def _gathering() -> Container:
    """One chain of what every module's pods recorded, each checked before it is taken in."""
    words = [
        f"{_TOOLKIT}/ci/nox",
        *launcher_words(Session(name="indice", words=("--artifacts", _ARTIFACTS, "--merge")), {}),
    ]
    return Container(
        name="reunir",
        image="{{workflow.parameters.image}}",
        command=["bash", "-euo", "pipefail", "-c", f'exec "$@" {_MODULES}/*/', "--"],
        args=words,
        working_dir=_WORK,
        inputs=[S3Artifact(name="modulos", path=_MODULES, key=_KEPT_BY_ALL)],
        outputs=[S3Artifact(name="artifacts", path=_ARTIFACTS, key=_GATHERED, archive=NoneArchiveStrategy())],
        env=_environment(),
        volumes=_volumes(),
        resources=Resources(cpu_request="250m", cpu_limit="1", memory_request="256Mi", memory_limit="2Gi"),
        security_context=_locked_down(),
        active_deadline_seconds=3600,
        retry_strategy=_retries(),
    )


def _module_dag(stages: list[Container]) -> None:
    target = " ".join(str(each.name) for each in stages)
    with DAG(name="modulo", inputs=[Parameter(name=_MODULE)], fail_fast=False, target=target):
        before: str | None = None
        for each in stages:
            module = Parameter(name=_MODULE, value=f"{{{{inputs.parameters.{_MODULE}}}}}")
            Task(name=str(each.name), template=each, arguments=[module, *_handed(before)], depends=_after(before))
            before = str(each.name)


def _after(name: str | None) -> str | None:
    """Whatever a gate answered; not what could not run at all."""
    return None if name is None else f"{name}.Succeeded || {name}.Failed"


def _handed(name: str | None) -> list[Artifact]:
    return (
        [] if name is None else [Artifact(name="artifacts", from_=f"{{{{tasks.{name}.outputs.artifacts.artifacts}}}}")]
    )


# --- one repository


def _trail() -> WorkflowTemplate:
    """A team's workflow: lists the modules, runs each, keeps what they leave."""
    shown = metadata(TRAIL_TEMPLATE)
    with WorkflowTemplate(
        name=TRAIL_TEMPLATE,
        namespace=NAMESPACE,
        labels=shown["labels"],
        annotations=shown["annotations"],
        entrypoint="trilha",
        arguments=[
            Parameter(name="repository", description="URL do repositório GitOps"),
            Parameter(name="revision", description="commit completo"),
            Parameter(name="branch", value="main", description="branch do commit"),
            Parameter(name="image", description="imagem com o toolkit em /opt/appgear, por digest"),
            *(Parameter(name=each.name, value=each.default, description=each.summary) for each in _inputs()),
        ],
        service_account_name=EXECUTOR,
        security_context=models.PodSecurityContext(
            run_as_non_root=True,
            run_as_user=_USER,
            run_as_group=_USER,
            fs_group=_USER,
            seccomp_profile=models.SeccompProfile(type="RuntimeDefault"),
        ),
        workflow_metadata=models.WorkflowMetadata(labels=LABELS),
        pod_metadata=models.Metadata(labels=LABELS, annotations=_MESH),
        parallelism=20,
        active_deadline_seconds=6 * 60 * 60,
        ttl_strategy=TTLStrategy(
            seconds_after_success=_ONE_DAY_AFTER_SUCCESS, seconds_after_failure=_WEEK_AFTER_FAILURE
        ),
        pod_gc=PodGC(strategy="OnPodCompletion", delete_delay_duration="10m"),
        archive_logs=True,
        artifact_gc=models.WorkflowLevelArtifactGC(strategy="Never"),
    ) as template:
        _fan_out()
    return template


def _inputs() -> list[Input]:
    sessions = [*_job("pipeline").stages, _job("evidencias").session]
    return list(dict.fromkeys(each for session in sessions for each in session.inputs))


def _fan_out() -> None:
    with DAG(name="trilha", fail_fast=False, target="modulos reunir"):
        Task(name="listar", template_ref=_shared("listar"))
        Task(
            name="modulos",
            template_ref=_shared("modulo"),
            depends="listar.Succeeded",
            arguments=[Parameter(name=_MODULE, value="{{item}}")],
            with_param="{{tasks.listar.outputs.result}}",
        )
        Task(name="reunir", template_ref=_shared("reunir"), depends=_after("modulos"))


def _shared(name: str) -> models.TemplateRef:
    return models.TemplateRef(name=STAGES_TEMPLATE, template=name, cluster_scope=True)

"""NAME, CI, OBS, DR: repositories, pipelines, retention and recovery."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.images import parse_reference
from pipeline.audit.places import DocumentPlace
from pipeline.audit.rule import Example, rule
from pipeline.audit.select import commands, compose_services, containers
from pipeline.audit.selecting import selects
from pipeline.audit.views import ComposeService, ContainerView, ObjectView
from pipeline.domain.finding import FixMode, Param, Severity
from pipeline.rules.documents import module_documents
from pipeline.rules.shapes import text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import CommandView, DocumentView, FileView, ModuleView
    from pipeline.domain.finding import PathKey
    from pipeline.yamldoc import YamlDocument

__all__ = ["inside_backup", "unbounded_retention", "unprefixed_repository", "unproven_pipeline", "untraced_build"]

_OWN_REPOSITORY = re.compile(r"(?:github\.com|gitlab\.com)[:/]appgear/([A-Za-z0-9][\w.-]*)")
_PROOFS: dict[str, re.Pattern[str]] = {
    "as seis pastas de artefatos": re.compile(r"ai_reports.{0,200}sbom|sbom.{0,200}ai_reports", re.DOTALL),
    "o SHA-256 de cada arquivo": re.compile(r"sha-?256", re.IGNORECASE),
    "o parecer da IA": re.compile(r"\bparecer\b|ai_opinion|parecer_ia", re.IGNORECASE),
    "o registro RAPID/CCB": re.compile(r"\bRAPID\b|\bCCB\b"),
    "a retenção de 90 dias": re.compile(
        r"\b90 dias\b|retention[-_]days:\s*(?:9\d|\d{3,})|expire_in:\s*(?:9\d|\d{3})", re.IGNORECASE
    ),
    "a cobertura de 85 %": re.compile(r"\b85\s?%|fail[-_]under[ =:]+8[5-9]", re.IGNORECASE),
}
_BUILDS = (("docker", "build"), ("docker", "buildx"), ("podman", "build"), ("buildah", "bud"), ("buildah", "build"))
_INSIDE = re.compile(
    r"\.svc\b|\.cluster\.local\b|\brook-ceph\b|//(?:minio|core-minio|core-ceph|ceph|rgw)\b", re.IGNORECASE
)


@rule(
    "NAME-REPO",
    Severity.BAIXA,
    over=module_documents,
    fix=FixMode.AUTO,
    title="Repositório da plataforma sem o prefixo `appgear-`",
    explanation="O prefixo diz que o repositório é da plataforma, e é por ele que políticas e acessos o encontram.",
    remedy="Renomeie o repositório para `appgear-…`.",
    sources=("CON terminology", "COO §1"),
    bad=Example(document="# M\n\n```bash\ngit clone git@github.com:appgear/portal.git\n```\n"),
    good=Example(document="# M\n\n```bash\ngit clone git@github.com:appgear/appgear-portal.git\n```\n"),
)
def unprefixed_repository(view: DocumentView) -> Iterator[Breach]:
    """A repository of the platform's own organisation with another name; third parties' are not ours to name."""
    for number, line in enumerate(view.document.lines, 1):
        for found in _OWN_REPOSITORY.finditer(line) if "appgear/" in line else ():
            name = found[1].removesuffix(".git")
            if not name.startswith("appgear-"):
                yield view.breach(
                    f"o repositório `{name}` não tem o prefixo `appgear-`",
                    line=number,
                    column=found.start(1) + 1,
                    key=name,
                    changes=(view.replace(number, found.start(1) + 1, name, f"appgear-{name}"),),
                )


@rule(
    "CI-ART",
    Severity.MEDIA,
    over=module_documents,
    title="Trilha de artefatos incompleta",
    explanation="O CCB libera por evidência: o que falta na trilha é uma pergunta que ninguém pode responder.",
    remedy="Descreva e produza os seis grupos de artefatos, com hash, parecer, decisão, retenção e cobertura.",
    sources=("CIC §2", "CIC §5", "CIC §8", "REP §4", "AUD §4.5"),
    reading="Contradição 7: CIC §2 lista seis pastas e REP §4.1.1 cinco; valem as seis.",
    bad=Example(document="# Módulo 01 – A\n\nArtefatos em `/artifacts/{ai_reports,sbom}`.\n"),
    good=Example(
        document=(
            "# Módulo 01 – A\n\n`/artifacts/{ai_reports,reports,coverage,tests,docker,sbom}` com SHA-256, "
            "parecer da IA, RAPID/CCB, 90 dias e cobertura de 85 %.\n"
        )
    ),
)
def unproven_pipeline(view: DocumentView) -> Iterator[Breach]:
    """An element of the evidence trail that neither the document nor a file of the module names."""
    texts_of_tree = [file.text for file in view.module.files if file.source.origin.kind == "tree"]
    whole = "\n".join([view.document.text, *texts_of_tree])
    missing = [what for what, pattern in _PROOFS.items() if not pattern.search(whole)]
    if missing:
        line = next((at for at, each in enumerate(view.document.lines, 1) if "artifacts" in each), 1)
        yield view.breach(f"a trilha não diz: {'; '.join(missing)}", line=line)


@selects("comandos que constroem imagem")
def _builds(module: ModuleView) -> Iterator[CommandView]:
    """Commands that build an image."""
    for command in module.select(commands):
        words = [word for word in command.command.words if word != "sudo"]
        if tuple(words[:2]) in _BUILDS or (words and words[0].endswith("kaniko/executor")):
            yield command


@rule(
    "CI-SBOM",
    Severity.MEDIA,
    over=_builds,
    title="Imagem construída sem SBOM",
    explanation="Sem SBOM não se sabe o que há na imagem nem se uma vulnerabilidade nova a atinge.",
    remedy="Gere o SBOM CycloneDX em JSON e XML, com o SHA-256 de cada arquivo, no mesmo pipeline da imagem.",
    sources=("CIC §3.4", "REP §4.3"),
    bad=Example(document="# M\n\n```bash\ndocker build -t a:1 .\n```\n"),
    good=Example(
        document="# M\n\n```bash\ndocker build -t a:1 .\nsyft a:1 -o cyclonedx-json=a.json -o cyclonedx-xml=a.xml\n"
        "sha256sum a.json a.xml\n```\n"
    ),
)
def untraced_build(command: CommandView) -> Iterator[Breach]:
    """The document builds an image, and names no CycloneDX SBOM in JSON and XML with its hash."""
    document = command.document.document.text
    parts = {"CycloneDX": r"cyclonedx", "JSON": r"json", "XML": r"xml", "hash": r"sha-?256"}
    missing = [what for what, pattern in parts.items() if not re.search(pattern, document, re.IGNORECASE)]
    if missing:
        yield command.breach(f"a imagem é construída e falta do SBOM: {', '.join(missing)}")


@selects("Prometheus e Loki")
def _stores(module: ModuleView) -> Iterator[ObjectView | ContainerView | ComposeService]:
    """Prometheus and Loki, wherever they are run from."""
    yield from (each for each in module.by_kind.get("Prometheus", ()) if each.group == "monitoring.coreos.com")
    for each in (*module.select(containers), *module.select(compose_services)):
        name = parse_reference(text(each.value.get("image"))).repository.rpartition("/")[2]
        if name in ("prometheus", "loki"):
            yield each


@rule(
    "OBS-RETENTION",
    Severity.MEDIA,
    over=_stores,
    fix=FixMode.PARAM,
    title="Retenção de métricas ou logs não declarada",
    explanation="Sem retenção escrita vale o padrão do produto: dados somem antes da auditoria, ou o disco enche.",
    remedy="Declare a retenção do Prometheus (`retention`) e do Loki (`retention_period`).",
    sources=("COO §10",),
    bad="apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: a}\nspec: {replicas: 1}\n",
    good="apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: a}\nspec: {retention: 15d}\n",
)
def unbounded_retention(store: ObjectView | ContainerView | ComposeService) -> Iterator[Breach]:
    """No retention in the object, in the arguments, or, for Loki, in any configuration of the module."""
    if isinstance(store, ObjectView):
        if not store.get("spec", "retention") and not store.get("spec", "retentionSize"):
            param = Param(
                name=f"retention.{store.name}", question=f"Por quanto tempo `{store.name}` guarda as métricas?"
            )
            path = ("spec", "retention")
            change = store.set(*path, to=param)
            yield store.breach(f"o Prometheus `{store.name}` não declara retenção", *path, changes=(change,))
        return
    files = store.file.module.files if isinstance(store, ComposeService) else store.object.module.files
    is_loki = "loki" in text(store.value.get("image"))
    command = store.value.get("command")
    words = [word for field in ("command", "args") for _, word in texts(store.value.get(field))]
    words += [command] if isinstance(command, str) else []
    stated = any("retention" in word for word in words)
    if not stated and not (is_loki and any("retention_period" in file.text for file in files)):
        yield store.breach(f"`{store.name}` roda {'Loki' if is_loki else 'Prometheus'} sem retenção declarada")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Backup(DocumentPlace):
    """A place where Velero keeps backups, or a schedule of them."""

    file: FileView
    document: YamlDocument
    base: tuple[PathKey, ...]
    value: Any

    @property
    def object(self) -> FileView:
        """Where it stands, for the engine."""
        return self.file


@selects("destinos e agendas de backup do Velero")
def _backups(module: ModuleView) -> Iterator[_Backup]:
    """``s3Url`` and ``snapshotVolumes`` of Velero objects and of Velero's Helm values."""
    for file in module.files:
        if (
            "velero" not in file.text
            and "BackupStorageLocation" not in file.text
            and "backupStorageLocation" not in file.text
        ):
            continue
        for document in file.yaml.documents:
            stack: list[tuple[tuple[PathKey, ...], Any]] = [((), document.value)]
            while stack:
                path, value = stack.pop()
                if isinstance(value, dict):
                    stack.extend(((*path, key), item) for key, item in value.items())
                elif isinstance(value, list):
                    stack.extend(((*path, index), item) for index, item in enumerate(value))
                elif path and path[-1] in ("s3Url", "publicUrl", "snapshotVolumes", "snapshotsEnabled"):
                    yield _Backup(file=file, document=document, base=path, value=value)


@rule(
    "DR-TARGET",
    Severity.ALTA,
    over=_backups,
    title="Backup que não sobrevive ao cluster",
    explanation="Um backup guardado no próprio cluster, ou sem os volumes, perde-se junto com o que devia salvar.",
    remedy="Use object storage externo ao cluster e ao Ceph, e snapshots CSI dos volumes.",
    sources=("CON §7.E",),
    bad="""
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {name: default}
spec: {provider: aws, config: {s3Url: 'http://minio.velero.svc:9000'}}
""",
    good="""
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {name: default}
spec: {provider: aws, config: {s3Url: 'https://s3.sa-east-1.example.com'}}
""",
)
def inside_backup(backup: _Backup) -> Iterator[Breach]:
    """The storage is a service of the cluster, or volume snapshots are off."""
    if isinstance(backup.value, str) and _INSIDE.search(backup.value):
        yield backup.breach("o destino do backup é um serviço do próprio cluster")
    elif backup.base[-1] in ("snapshotVolumes", "snapshotsEnabled") and backup.value is False:
        yield backup.breach("os snapshots de volume estão desligados")

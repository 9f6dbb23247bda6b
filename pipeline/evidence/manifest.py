"""``manifest.json``: which files a run is made of, what each is, and which stage made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex
from pipeline.domain.evidence import Manifest, ManifestEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.artifact import Checklist, SourceInfo

__all__ = [
    "ATTESTATIONS",
    "ENVELOPE",
    "KEYLESS",
    "MANIFEST",
    "OPINION",
    "PACK_FILES",
    "PAGE",
    "PDF",
    "PLAN_OF_ACTION",
    "RAPID",
    "RESULTS",
    "ZIP",
    "build_manifest",
    "media_type",
    "stage_of",
]

MANIFEST = "manifest.json"
ENVELOPE = "manifest.dsse.json"
ATTESTATIONS = "attestations.intoto.jsonl"
RAPID = "rapid.jsonl"
PAGE = "evidencias.html"
ZIP = "evidencias.zip"
OPINION = "parecer.json"
KEYLESS = "manifest.sigstore.json"
PDF = "evidencias.pdf"
RESULTS = "assessment-results.oscal.json"
PLAN_OF_ACTION = "poam.oscal.json"
PACK_FILES = frozenset({MANIFEST, ENVELOPE, ATTESTATIONS, RAPID, PAGE, ZIP, PDF, KEYLESS, RESULTS, PLAN_OF_ACTION})
"""Files of ``reports`` that speak about the manifest or the decisions, and so cannot be in it."""

_MEDIA = (
    (".junit.xml", "application/xml"),
    (".cdx.json", "application/vnd.cyclonedx+json"),
    (".cdx.xml", "application/vnd.cyclonedx+xml"),
    (".spdx.json", "application/spdx+json"),
    (".oscal.json", "application/oscal+json"),
    (".sigstore.json", "application/vnd.dev.sigstore.bundle.v0.3+json"),
    (".sarif", "application/sarif+json"),
    (".json", "application/json"),
    (".jsonl", "application/jsonl"),
    (".xml", "application/xml"),
    (".yaml", "application/yaml"),
    (".yml", "application/yaml"),
    (".md", "text/markdown"),
    (".html", "text/html"),
    (".pdf", "application/pdf"),
    (".patch", "text/x-diff"),
    (".txt", "text/plain"),
    (".log", "text/plain"),
    (".sh", "text/x-shellscript"),
    (".toml", "application/toml"),
)
_STAGES = (
    ("reports", "mapa_nc.", "mapa_nc"),
    ("reports", "auditoria-modulos.", "mapa_nc"),
    ("reports", "plano_correcao.", "plano_correcao"),
    ("reports", "modulo_reescrito", "modulo_reescrito"),
    ("reports", "checklist.", "checklist"),
    ("reports", "fluxo.", "checklist"),
    ("reports", "applications.", "applicationset"),
    ("reports", "run.json", "pipeline"),
    ("docker", "", "image"),
    ("sbom", "", "sbom"),
    ("ai_reports", "", "parecer_ia"),
    ("tests", "", "registrar_testes"),
    ("coverage", "", "registrar_testes"),
)


def build_manifest(
    files: Iterable[tuple[str, bytes]],
    checklist: Checklist,
    source: SourceInfo,
    *,
    created: str | None,
    retention_days: int,
) -> Manifest:
    """The list of ``files`` (path below the artifacts folder, bytes), sorted by the bytes of their paths."""
    entries = [
        ManifestEntry(
            path=path, sha256=sha256_hex(data), size=len(data), media_type=media_type(path), stage=stage_of(path)
        )
        for path, data in files
    ]
    opinion = [each.sha256 for each in entries if each.path == f"ai_reports/{checklist.run}/{OPINION}"]
    return Manifest(
        run=checklist.run,
        module=checklist.module,
        source=source,
        verdict=checklist.verdict,
        opinion_sha256=opinion[0] if opinion else None,
        created=created,
        retention_days=retention_days,
        files=tuple(sorted(entries, key=lambda each: each.path.encode())),
    )


def media_type(path: str) -> str:
    """By the file's ending; ``application/octet-stream`` where it says nothing."""
    return next((kind for ending, kind in _MEDIA if path.endswith(ending)), "application/octet-stream")


def stage_of(path: str) -> str:
    """Command that makes the file at ``<category>/<run>/<name>``; ``outra`` where no stage of ours does."""
    category, _, name = path.split("/", 2)
    found = (stage for kind, start, stage in _STAGES if kind == category and name.startswith(start))
    return next(found, "outra")

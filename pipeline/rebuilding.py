"""A run made again from what it says it was made from, and what of it comes out otherwise, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.codec import load_json, sha256_hex
from pipeline.domain.artifact import MapaNc
from pipeline.errors import IntegrityError, PipelineError
from pipeline.evidence.manifest import MANIFEST, build_manifest, media_type, stage_of
from pipeline.evidence.verify import RECIPE
from pipeline.evidencing import listed_files
from pipeline.opining import load_consultation
from pipeline.ports import show_path
from pipeline.records import dump_record, load_record
from pipeline.report.pack_recipe import render_recipe
from pipeline.store import RUN_FILE, run_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.domain.evidence import Manifest
    from pipeline.domain.opinion import Consultation
    from pipeline.evidence.verify import PackFiles
    from pipeline.stages import Trail
    from pipeline.store import Store

__all__ = ["LATER", "Cause", "Difference", "Recorded", "Remade", "compare", "find_causes", "read_recorded", "refill"]

_CONSULTATION = "parecer.consulta.json"
LATER = frozenset({"image", "sbom"})
_ELSEWHERE = LATER | {"registrar_testes"}
_LARGEST = 64 * 1024 * 1024
# Inputs of ``run.json`` by what a person would call them; the others describe the content.
_WHAT = {
    "toolkit": "ferramenta ou regras",
    "version": "versão da ferramenta",
    "config": "configuração",
    "retention_days": "configuração (dias de guarda)",
    "baseline": "referência (--baseline)",
    "base": "revisão de comparação (--base)",
    "waivers": "arquivo de exceções",
    "references": "referências da configuração",
    "policies": "políticas Rego",
    "applicationsets": "ApplicationSets",
    "consultation": "consulta ao gateway",
    "tests": "testes registrados da esteira",
    "lock": "travas de dependências",
    "epoch": "SOURCE_DATE_EPOCH",
    "commit": "commit",
    "dirty": "alterações sem commit",
}
_CONTENT = "conteúdo do módulo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What the pack says it was made from. ``day`` is the one that waivers were held against, None without any."""

    inputs: Mapping[str, str]
    day: date | None
    consultation: Consultation | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """An input that is not what it was: its name, what the pack says, what there is now."""

    name: str
    what: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: o pacote diz {self.recorded or 'nada'}, aqui há {self.now or 'nada'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A file that came out otherwise, and how (pt-BR)."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Remade:
    """``same`` files came out byte for byte; ``elsewhere`` counts, by stage, those that this command does not make."""

    same: int
    differences: tuple[Difference, ...]
    elsewhere: Mapping[str, int]
    rules: tuple[str, ...] = field(default=())


def read_recorded(files: PackFiles, manifest: Manifest) -> Recorded:
    """The inputs of ``run.json``. IntegrityError where they do not make the run that the pack is called after."""
    where = f"reports/{manifest.run}/{RUN_FILE}"
    document = load_json(_bytes(files, where), where=where)
    found = document.get("inputs") if isinstance(document, dict) else None
    inputs = {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
    if run_id(inputs) != manifest.run:
        told = f"as entradas dão o run {run_id(inputs)}, e o pacote é do {manifest.run}"
        raise IntegrityError(told, where=where, mend="peça a cópia original")
    day = inputs.get("waivers", "").rpartition(" ")[2]
    asked = f"ai_reports/{manifest.run}/{_CONSULTATION}"
    return Recorded(
        inputs=inputs,
        day=date.fromisoformat(day) if day else None,
        consultation=load_consultation(_bytes(files, asked), where=asked) if asked in files.digests else None,
    )


def refill(
    store: Store, files: PackFiles, manifest: Manifest, recorded: Recorded, *, without: frozenset[str] = frozenset()
) -> None:
    """Begin the run in an empty store, with what other commands made of it: image, SBOM, recorded tests.

    ``without`` leaves stages out: image and SBOM may have come after the opinion, which then has not seen them.
    """
    store.begin(recorded.inputs)
    for each in manifest.files:
        # Blobs of an image are no evidence by their names: what is large stays out.
        if stage_of(each.path) in _ELSEWHERE - without and each.size <= _LARGEST:
            category, run, name = each.path.split("/", 2)
            store.publish(run, category, {name: _bytes(files, each.path)}, stage="refill")


def compare(trail: Trail, files: PackFiles, manifest: Manifest) -> Remade:
    """Make everything again in the trail's store, and hold it against the pack."""
    trail.publish_applications()
    checklist = trail.checklist
    store, run = trail.store, manifest.run
    # By the path alone: what the pack calls a stage could keep a file from being made again.
    kept = [
        replace(each, stage=stage_of(each.path), media_type=media_type(each.path))
        for each in manifest.files
        if stage_of(each.path) in _ELSEWHERE
    ]
    aside = {each.path for each in kept}
    packed = {each.path: each.sha256 for each in manifest.files if each.path not in aside}
    made = {path: digest for path, digest in listed_files(store, run) if path not in aside}
    differences = list(_differences(packed, made))
    again = build_manifest(
        ((path, store.read(*_place(path))) for path in made),
        checklist,
        trail.mapa.source,
        created=manifest.created,
        retention_days=trail.config.retention_days,
    )
    again = replace(again, files=tuple(sorted((*again.files, *kept), key=lambda each: each.path.encode())))
    if not differences and dump_record(again) != _bytes(files, f"reports/{run}/{MANIFEST}"):
        told = "os mesmos arquivos dão outro manifesto (origem, veredito ou guarda)"
        differences.append(Difference(path=f"reports/{run}/{MANIFEST}", message=told))
    if files.whole and sha256_hex(render_recipe(manifest)) != files.digests.get(RECIPE):
        told = "a receita não é a desta versão da ferramenta: não a siga"
        differences.append(Difference(path=RECIPE, message=told))
    return Remade(
        same=sum(packed[path] == digest for path, digest in made.items() if path in packed),
        differences=tuple(differences),
        elsewhere=Counter(each.stage for each in kept),
        rules=tuple(_rules(trail.mapa, files, run)) if differences else (),
    )


def find_causes(recorded: Mapping[str, str], now: Mapping[str, str]) -> tuple[tuple[Cause, ...], bool]:
    """Inputs that are not what they were; and whether the content is other where the commit is the same and clean.

    A name of a branch is only declared: it is taken from the pack where the commit is the same.
    """
    causes = tuple(
        Cause(name=name, what=_WHAT.get(name, _CONTENT), recorded=recorded.get(name, ""), now=now.get(name, ""))
        for name in sorted(recorded.keys() | now.keys())
        if recorded.get(name, "") != now.get(name, "")
    )
    changed = {each.name for each in causes}
    pinned = bool(recorded.get("commit")) and not changed & {"commit", "dirty"} and recorded.get("dirty") == "false"
    return causes, pinned and bool(changed & {"content", "tree_content"})


def _differences(packed: Mapping[str, str], made: Mapping[str, str]) -> Iterator[Difference]:
    for path in sorted(packed.keys() | made.keys()):
        if path not in made:
            yield Difference(path=path, message="está no pacote, e refazer não o gera")
        elif path not in packed:
            yield Difference(path=path, message="refazer o gera, e não está no pacote")
        elif packed[path] != made[path]:
            told = f"o pacote tem {packed[path][:16]}…, refeito dá {made[path][:16]}…"
            yield Difference(path=path, message=told)


def _rules(mapa: MapaNc, files: PackFiles, run: str) -> Iterator[str]:
    """How the audit itself came out otherwise, rule by rule; nothing where the pack's cannot be read."""
    where = f"reports/{run}/mapa_nc.json"
    try:
        packed = load_record(_bytes(files, where), MapaNc, where=where)
    except PipelineError:
        return
    for rule in sorted(packed.examined.keys() ^ mapa.examined.keys()):
        yield f"a regra {rule} só existe {'no pacote' if rule in packed.examined else 'aqui'}"
    before = Counter(each.rule for each in packed.non_conformities)
    after = Counter(each.rule for each in mapa.non_conformities)
    for rule in sorted(before.keys() | after.keys()):
        if before[rule] != after[rule]:
            yield f"a regra {rule} dá {after[rule]} NC aqui, e {before[rule]} no pacote"


def _place(path: str) -> tuple[str, str, str]:
    category, run, name = path.split("/", 2)
    return run, category, name


def _bytes(files: PackFiles, path: str) -> bytes:
    if path not in files.digests:
        raise IntegrityError("ausente do pacote", where=show_path(path), mend="peça a cópia original")
    return files.read(path)

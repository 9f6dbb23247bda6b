"""The ``sbom`` command: the SBOMs of a run, and what changed between two."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.build import read_lock_files
from pipeline.adapters.cyclonedx_py import drifted, list_requirements, lister_version
from pipeline.adapters.host import toolkit_digest
from pipeline.adapters.layout import read_facts
from pipeline.codec import dump_json, load_json, sha256_hex, visible
from pipeline.commands.again import given_epoch
from pipeline.commands.image_stage import CATEGORY as IMAGES
from pipeline.commands.image_stage import document_name
from pipeline.commands.sbom_scan import Scanner
from pipeline.domain.image import ImageRecord
from pipeline.domain.sbom import SbomDifference
from pipeline.errors import ExitCode, InputError, IntegrityError, ToolError, UsageError
from pipeline.flow.answers import SbomState
from pipeline.records import dump_record, load_record
from pipeline.report.sbom import change_lines, sbom_lines
from pipeline.sbom.cdx_load import load_cyclonedx
from pipeline.sbom.compare import compare
from pipeline.sbom.image import Naming
from pipeline.sbom.licences import judge_licences
from pipeline.sbom.locked import add_locks
from pipeline.sbom.settings import verify_settings
from pipeline.sbom.texts import clean
from pipeline.sbom.toolkit import read_lock
from pipeline.sboms import CATEGORY, FOREIGN, SUMMARY, SbomMaker
from pipeline.store import RUN_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.commands.launch import Launcher
    from pipeline.domain.sbom import LicenceFinding, Sbom
    from pipeline.domain.snapshot import SourceState
    from pipeline.report.sbom import Bill
    from pipeline.stages import Trail
    from pipeline.store import Store

__all__ = ["SbomCommands"]

_MAX_SBOM_BYTES = 256 * 1024 * 1024


class SbomCommands:
    """One launch of the command."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._options = launcher.options
        self._console = launcher.console
        self._settings = launcher.inputs.config.sbom
        verify_settings(self._settings, where=visible(str(self._options.config or "appgear.toml")))

    def run(self) -> ExitCode:
        """Compare where two files are given; else make what the run lacks, tell it, and hold the licence gate."""
        if self._options.diff:
            return self._diff(*map(Path, self._options.diff))
        if self._options.json:
            raise UsageError("--json vale com --diff", mend="os SBOMs já são JSON: leia-os em sbom/<run>/")
        if self._options.image:
            return self._foreign(self._options.image)
        made = self._recorded_image()
        with self._launcher.started(image="" if made is None else made[0]) as started:
            trail = started.trail
            maker = self._maker(trail.store, trail.run, self._created())
            bills = [self._toolkit(maker)]
            if made is not None:
                bills.insert(0, self._own_image(maker, made[1]))
            maker.publish_summary(bills)
            status = self._tell(bills, trail.run)
            started.verdict = "bloqueado" if status is ExitCode.BLOCKED else "aprovado"
            return status

    def of_release(self, trail: Trail) -> SbomState:
        """The SBOMs of a run that has its image, told; what the checklist is told of them."""
        name = document_name(self._launcher.inputs.config.image.name)
        try:
            data = trail.store.read(trail.run, IMAGES, name)
            record = load_record(data, ImageRecord, where=f"{IMAGES}/{trail.run}/{name}")
            maker = self._maker(trail.store, trail.run, self._created())
            bills = [self._own_image(maker, record), self._toolkit(maker)]
        except (InputError, ToolError, IntegrityError) as error:
            self._console.warn(str(error))
            return SbomState(failure=str(error))
        maker.publish_summary(bills)
        self._tell(bills, trail.run)
        denied = [each for bill in bills for each in bill.findings if each.rule == "deny"]
        return SbomState(denied=tuple(f"{each.component} {each.version} ({each.licence})" for each in denied))

    def _created(self) -> str:
        epoch = self._launcher.epoch()
        return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if epoch else ""

    def _recorded_image(self) -> tuple[str, ImageRecord] | None:
        """Digest and content of the newest image that was made from what this launch is made from; None without one."""
        inputs = self._launcher.inputs
        name, wanted = document_name(inputs.config.image.name), inputs.of_run() | self._launcher.scanner_input()
        with inputs.open_store() as store:
            for line in reversed(store.history()):
                if line.module != inputs.source.snapshot.id or not store.has(line.run, IMAGES, name):
                    continue
                told = load_json(store.read(line.run, "reports", RUN_FILE), where=RUN_FILE)["inputs"]
                data = store.read(line.run, IMAGES, name)
                if told == {**wanted, "image": sha256_hex(data)}:
                    return told["image"], load_record(data, ImageRecord, where=f"{IMAGES}/{line.run}/{name}")
        return None

    def _own_image(self, maker: SbomMaker, record: ImageRecord) -> Bill:
        """The image of this run, with what its locks know of it."""
        layout = self._options.artifacts / IMAGES / maker.run / record.name
        scanner = self._scanner(layout)
        naming = Naming(
            name=record.name,
            version=record.version,
            supplier=self._settings.organization,
            author=self._settings.organization,
            created=maker.created,
            tools=scanner.tools,
            properties=_origin(maker.run, self._launcher.inputs.source.snapshot.source),
        )
        portal = self._launcher.inputs.config_folder / self._launcher.inputs.config.image.portal
        lock = self._launcher.reader.read_file(portal / "yarn.lock")
        enrich = partial(add_locks, record=record, lock=lock, organization=self._settings.organization)
        return maker.image(record.name, lambda: scanner.scan(layout, naming, digest=record.digest, enrich=enrich))

    def _maker(self, store: Store, run: str, created: str) -> SbomMaker:
        return SbomMaker(
            store=store,
            run=run,
            settings=self._settings,
            version=pipeline.__version__,
            created=created,
            told=self._console.progress,
        )

    def _toolkit(self, maker: SbomMaker) -> Bill:
        requirements, metadata = read_lock_files()
        lock = read_lock(requirements, metadata)
        for each in drifted(dict(lock.pins)):
            self._console.warn(f"o ambiente não é o do lock, que o SBOM descreve: {each}")
        return maker.toolkit(lock, lambda: list_requirements(self._launcher.runner, requirements), lister_version())

    def _tell(self, bills: Iterable[Bill], run: str) -> ExitCode:
        denied = False
        for bill in bills:
            self._console.lines(sbom_lines(bill))
            denied |= _is_denied(bill.findings)
            if bill.summary.minimum.percent < 100:
                lacking = ", ".join(each.name for each in bill.summary.minimum.elements if each.missing)
                self._console.warn(f"{bill.name}: faltam elementos mínimos da NTIA ({lacking}); veja {SUMMARY}")
        self._console.lines([f"relatório: {self._options.artifacts}/{CATEGORY}/{run}/{SUMMARY}"])
        return ExitCode.BLOCKED if denied else ExitCode.OK

    # --- --image

    def _foreign(self, named: str) -> ExitCode:
        """The SBOM of any OCI layout, in a run of its own: the image is its only input."""
        path, tag = _named_layout(named)
        facts = read_facts(path, tag=tag)
        scanner = self._scanner(path)
        inputs = {
            "module": FOREIGN,
            "image": facts.digest,
            "tag": facts.tag,
            "syft": scanner.tool.version,
            "toolkit": toolkit_digest(),
            "settings": sha256_hex(dump_json(asdict(self._settings))),
            "epoch": given_epoch(),
        }
        with self._launcher.inputs.open_store() as store:
            naming = scanner.naming(facts)
            maker = self._maker(store, store.begin(inputs), naming.created)
            bill = maker.image(FOREIGN, lambda: scanner.scan(path, naming, tag=tag, digest=facts.digest))
            maker.publish_summary([bill])
            return self._tell([bill], maker.run)

    def _scanner(self, *outside: Path) -> Scanner:
        organization = self._settings.organization
        return Scanner(self._launcher.runner, outside=[*outside, self._options.artifacts], organization=organization)

    # --- --diff

    def _diff(self, old: Path, new: Path) -> ExitCode:
        """Show what changed; 10 when the new one brings a licence that the policy denies."""
        before, after = self._read(old), self._read(new)
        known = set(self._judged(before))
        found = tuple(each for each in self._judged(after) if each not in known)
        change = compare(before, after)
        if self._options.json:
            self._console.data(dump_record(SbomDifference(change=change, findings=found)).decode())
        else:
            self._console.data("".join(f"{line}\n" for line in change_lines(change, found)))
        return ExitCode.BLOCKED if _is_denied(found) else ExitCode.OK

    def _read(self, path: Path) -> Sbom:
        return load_cyclonedx(self._launcher.reader.read_file(path, limit=_MAX_SBOM_BYTES), where=visible(str(path)))

    def _judged(self, sbom: Sbom) -> tuple[LicenceFinding, ...]:
        return judge_licences(sbom, deny=self._settings.deny, warn=self._settings.warn)


def _origin(run: str, source: SourceState) -> tuple[tuple[str, str], ...]:
    """Which run made it, of which source. The CI job stands with the run in the index: it is no part of the content."""
    told = (
        ("appgear:run", run),
        ("appgear:module:commit", source.commit or ""),
        ("appgear:module:branch", source.branch or ""),
    )
    return tuple((name, clean(value)) for name, value in told if value)


def _is_denied(findings: Iterable[LicenceFinding]) -> bool:
    return any(each.rule == "deny" for each in findings)


def _named_layout(named: str) -> tuple[Path, str]:
    """``FOLDER`` or ``FOLDER:NAME``, where a layout holds several images."""
    path = Path(named)
    folder, colon, tag = named.rpartition(":")
    return (path, "") if path.exists() or not colon else (Path(folder), tag)

"""The ``sbom`` command: the SBOMs of a run, and what changed between two."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.build import read_lock_files
from pipeline.adapters.cyclonedx_py import drifted, list_requirements, lister_version
from pipeline.adapters.host import toolkit_digest
from pipeline.adapters.layout import read_facts
from pipeline.again import given_epoch
from pipeline.codec import dump_json, sha256_hex, visible
from pipeline.domain.sbom import SbomDifference
from pipeline.errors import ExitCode, UsageError
from pipeline.records import dump_record
from pipeline.report.sbom import change_lines, sbom_lines
from pipeline.sbom.cdx_load import load_cyclonedx
from pipeline.sbom.compare import compare
from pipeline.sbom.licences import judge_licences
from pipeline.sbom.settings import verify_settings
from pipeline.sbom.toolkit import read_lock
from pipeline.sbom_scan import Scanner
from pipeline.sboms import CATEGORY, FOREIGN, SUMMARY, SbomMaker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.sbom import LicenceFinding, Sbom
    from pipeline.launch import Launcher
    from pipeline.report.sbom import Bill
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
        with self._launcher.started() as started:
            epoch = self._launcher.epoch()
            created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if epoch else ""
            maker = self._maker(started.trail.store, started.trail.run, created)
            bills = (self._toolkit(maker),)
            maker.publish_summary(bills)
            status = self._tell(bills, started.trail.run)
            started.verdict = "bloqueado" if status is ExitCode.BLOCKED else "aprovado"
            return status

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


def _is_denied(findings: Iterable[LicenceFinding]) -> bool:
    return any(each.rule == "deny" for each in findings)


def _named_layout(named: str) -> tuple[Path, str]:
    """``FOLDER`` or ``FOLDER:NAME``, where a layout holds several images."""
    path = Path(named)
    folder, colon, tag = named.rpartition(":")
    return (path, "") if path.exists() or not colon else (Path(folder), tag)

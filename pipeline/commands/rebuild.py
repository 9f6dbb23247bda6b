"""``verificar --rebuild``: the reproducible part made again from commit and inputs, and why bytes differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.codec import dump_json, sha256_hex, visible
from pipeline.commands.asking import scratch_store
from pipeline.commands.launch import Launcher
from pipeline.domain.evidence import Manifest
from pipeline.errors import ExitCode, IntegrityError, ToolError
from pipeline.evidence.manifest import MANIFEST
from pipeline.rebuilding import LATER, compare, find_causes, read_recorded, refill
from pipeline.records import dump_record, load_record
from pipeline.report.text import counted
from pipeline.suite import read_suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.evidence.verify import PackFiles
    from pipeline.flow.answers import SuiteResults
    from pipeline.rebuilding import Cause, Recorded, Remade
    from pipeline.report.console import Console
    from pipeline.stages import Trail
    from pipeline.store import Store

__all__ = ["rebuild"]

_MOST = 50


def rebuild(launcher: Launcher) -> ExitCode:
    """Make the pack's run again in a private folder. Nothing of it is published, and nothing of the pack is believed.

    IntegrityError where the same inputs give other bytes; ToolError where the inputs are not those, and so nothing
    follows from the difference.
    """
    with launcher.verification.opened() as files:
        manifest = _manifest(files)
        recorded = read_recorded(files, manifest)
        again = Launcher(launcher.options, day=recorded.day)
        remade, now = _remake(again, files, manifest, recorded, frozenset())
        if remade.differences and LATER & remade.elsewhere.keys():
            later, _ = _remake(again, files, manifest, recorded, LATER)
            remade = min(remade, later, key=lambda each: len(each.differences))
    causes, forged = find_causes(recorded.inputs, now)
    return _tell(launcher.console, remade, causes, manifest, forged=forged)


def _remake(
    again: Launcher, files: PackFiles, manifest: Manifest, recorded: Recorded, without: frozenset[str]
) -> tuple[Remade, Mapping[str, str]]:
    with scratch_store() as store:
        refill(store, files, manifest, recorded, without=without)
        trail, now = _trail(again, store, manifest, recorded, _tests(store, manifest))
        return compare(trail, files, manifest), now


def _manifest(files: PackFiles) -> Manifest:
    path = next(each for each in files.digests if each.startswith("reports/") and each.endswith(f"/{MANIFEST}"))
    return load_record(files.read(path), Manifest, where=path)


def _tests(store: Store, manifest: Manifest) -> SuiteResults | None:
    """The recorded tests that the pack carries."""
    runs = {each.path.split("/")[1] for each in manifest.files if each.path.endswith("/junit.xml")} - {manifest.run}
    return read_suite(store, min(runs)) if runs else None


def _trail(
    again: Launcher, store: Store, manifest: Manifest, recorded: Recorded, tests: SuiteResults | None
) -> tuple[Trail, Mapping[str, str]]:
    """The trail as the pack's was, and the inputs as they are here.

    The branch is a name that a checkout of a commit does not have: it is the pack's where the commit is the same.
    """
    now = again.inputs.of_run()
    trail = again.trail(manifest.run, store, recorded.consultation, again.image_state(recorded.inputs))
    state = trail.source.snapshot.source
    if state.commit == manifest.source.commit:
        snapshot = replace(trail.snapshot, source=replace(state, branch=manifest.source.branch))
        trail = replace(trail, source=replace(trail.source, snapshot=snapshot))
        now["branch"] = recorded.inputs.get("branch", "")
    now["epoch"] = recorded.inputs.get("epoch", "")  # a date that the caller gave: no file compared here holds it
    now["tests"] = sha256_hex(dump_json([each.sha256 for each in tests.evidence])) if tests else ""
    if "image" in recorded.inputs:  # it is made again by `image --verify`
        now["image"] = recorded.inputs["image"]
    if recorded.consultation is not None:
        now["consultation"] = sha256_hex(dump_record(recorded.consultation))
    return replace(trail, tests=tests), now


def _tell(console: Console, remade: Remade, causes: Sequence[Cause], manifest: Manifest, *, forged: bool) -> ExitCode:
    for stage, number in sorted(remade.elsewhere.items()):
        console.lines([f"não refeito: {counted(number, 'arquivo', 'arquivos')} da etapa {stage}"])
    differences = remade.differences
    for each in differences[:_MOST]:
        console.warn(str(each))
    if len(differences) > _MOST:
        console.warn(f"e mais {len(differences) - _MOST}")
    for cause in causes:
        console.lines([f"entrada diferente: {cause}"])
    console.lines(f"auditoria: {each}" for each in remade.rules)
    if not differences:
        files = counted(remade.same, "arquivo", "arquivos")
        console.lines([f"refeito: {files} e o manifesto, byte a byte os do pacote"])
        return ExitCode.OK
    count = counted(len(differences), "arquivo difere", "arquivos diferem")
    if forged:
        raise IntegrityError(
            f"adulteração: {count}, e o commit {manifest.source.commit} não tem o conteúdo que o pacote diz",
            where=manifest.run,
            mend="peça a cópia original",
        )
    if not causes:
        raise IntegrityError(
            f"adulteração: {count}, com as mesmas entradas", where=manifest.run, mend="peça a cópia original"
        )
    kinds = ", ".join(dict.fromkeys(each.what for each in causes))
    raise ToolError(
        f"{count}, e as entradas não são as do pacote ({visible(kinds)}): nada se conclui",
        where=manifest.run,
        mend="refaça com a versão, a configuração e o commit que o pacote diz",
    )

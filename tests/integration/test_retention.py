"""Runs that retention takes away: the chain still verifies and says so, and nothing is lost that must not be."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidencekit import Desk
from indexkit import DAY0, Folder, at, merge
from pipeline.ledger import INDEX
from pipeline.removals import removed_runs
from trailcli import ROOT, Ran, appgear, environment

# The command reads the real clock: days are counted back from today, so that what is old is old.
TODAY = int((datetime.now(UTC) - DAY0) / timedelta(days=1))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """An old run with an image and decisions, and executions of another up to today."""
    folder = Folder(tmp_path_factory.mktemp("retention") / "artifacts")
    rapid = Desk().approve().data
    old = {"mapa_nc.json": b"old", "rapid.jsonl": rapid}
    folder.run("m07-old", TODAY - 110, {"core/blob": b"b" * 1000, "core.image.json": b"{}"}, category="docker")
    folder.run("m07-old", TODAY - 110, old)
    folder.run("m07-new", TODAY - 109)
    for day in range(105, -1, -5):
        folder.run("m07-new", TODAY - day - 0.5)
    return folder


@pytest.fixture
def kept(made: Folder, tmp_path: Path) -> Folder:
    """A copy of it, to be let go of."""
    shutil.copytree(made.path, tmp_path / "artifacts")
    return Folder(tmp_path / "artifacts")


def retention(folder: Folder, *arguments: str) -> Ran:
    return appgear("retencao", "--artifacts", folder.path, *arguments, cwd=folder.path.parent)


def old_run(folder: Folder) -> str:
    return folder.lines()[0].run


def test_nothing_goes_without_being_asked_to(kept: Folder) -> None:
    before = kept.tree()
    ran = retention(kept)
    assert (ran.code, ran.err) == (0, "")
    assert f"{old_run(kept)}  M07" in ran.out
    assert "1 run sai; nada foi apagado, use --apply" in ran.out
    assert kept.tree() == before


def test_a_removed_run_leaves_its_record_and_the_chain_whole(kept: Folder) -> None:
    run = old_run(kept)
    executions = {path: data for path, data in kept.tree().items() if f"{run}/executions/" in path}
    ran = retention(kept, "--apply")
    assert ran.code == 0, ran.err
    assert f"removido: {run}" in ran.out
    left = {path for path in kept.tree() if run in path}
    added = f"reports/{run}/executions/{len(kept.lines())}.json"
    assert left == {*executions, added, f"reports/{run}/run.json", f"reports/{run}/SHA256SUMS"}
    assert {path: kept.tree()[path] for path in executions} == executions
    removal = kept.lines()[-1].removal
    assert removal is not None
    assert set(removal.sums) == {"docker", "reports"}
    assert removal.files == 5
    assert len(removal.nonces) == 4
    checked = appgear("verificar", kept.path, cwd=kept.path.parent)
    assert checked.code == 0, checked.err
    assert f"nota: reports/{run}: removido conforme retenção em {datetime.now(UTC):%d/%m/%Y}" in checked.out
    assert kept.read("LATEST").decode().strip() == kept.lines()[2].run
    listed = retention(kept)
    assert "removido" in listed.out
    assert "0 runs saem" in listed.out
    before = kept.tree()
    assert "nada a remover" in retention(kept, "--apply").out
    assert kept.tree() == before


def test_a_hold_stands_until_it_is_released(kept: Folder) -> None:
    run = old_run(kept)
    said = ("--owner", "Jurídico\x1b[2J", "--reason", "processo\n12")
    assert retention(kept, "--hold", run).code == 2
    assert retention(kept, "--hold", "m07-ffffffffffffffff", *said).code == 2
    assert retention(kept, "--release", run, *said).code == 2
    held = retention(kept, "--hold", run, *said)
    assert (held.code, "sob retenção legal" in held.out) == (0, True)
    assert retention(kept, "--hold", run, *said).code == 2
    ran = retention(kept, "--apply")
    assert "processo 12 (Jurídico\\x1b[2J" in ran.out
    assert "nada a remover" in ran.out
    assert kept.lines()[-1].hold is not None
    released = retention(kept, "--release", run, "--owner", "Ana", "--reason", "encerrado")
    assert (released.code, "livre" in released.out) == (0, True)
    assert f"removido: {run}" in retention(kept, "--apply").out
    assert kept.verify().problems == ()


def test_a_folder_with_a_problem_loses_nothing(kept: Folder) -> None:
    run = old_run(kept)
    (kept.path / "docker" / run / "core" / "blob").write_bytes(b"x")
    ran = retention(kept, "--apply")
    assert (ran.code, "core/blob" in ran.err) == (5, True)
    assert removed_runs(kept.lines()) == {}


def test_a_clock_that_is_behind_or_vouched_for_wrongly_is_refused(kept: Folder) -> None:
    assert retention(kept, "--today", "2020-01-01").code == 2
    assert retention(kept, "--today", "ontem").code == 2
    kept.run("m07-new", TODAY + 2)
    ran = retention(kept, "--apply")
    assert (ran.code, "acerte o relógio" in ran.error) == (3, True)


def test_a_long_silence_wants_somebody_to_say_the_date(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "artifacts")
    folder.run("m07-old", TODAY - 200)
    folder.run("m07-new", TODAY - 199)
    assert "--today" in retention(folder, "--apply").out
    assert removed_runs(folder.lines()) == {}
    assert retention(folder, "--apply", "--today", f"{datetime.now(UTC):%Y-%m-%d}").code == 0
    assert set(removed_runs(folder.lines())) == {folder.lines()[0].run}


def test_nonces_of_a_removed_pack_stay_used(kept: Folder) -> None:
    from evidencekit import NOW, manifest, trust
    from pipeline.adapters.artifacts import open_artifacts_to_check
    from pipeline.evidencing import Bench, EvidencePack
    from pipeline.store import Store

    retention(kept, "--apply")
    with open_artifacts_to_check(kept.path) as folder:
        bench = Bench(store=Store(folder), environment="producao", now=NOW, trust=trust(), strict=True)
        pack = EvidencePack(bench=bench, manifest=manifest(), root="a" * 64)
        assert f"{1:032x}" in pack.hearing.nonces


def test_a_removed_run_can_be_made_again(kept: Folder) -> None:
    run = old_run(kept)
    retention(kept, "--apply")
    kept.run("m07-old", TODAY, {"mapa_nc.json": b"old", "manifest.json": b"{}  \n"})
    assert kept.verify().problems == ()
    assert all("removido" not in str(note) for note in kept.verify().notes)
    assert kept.read(f"reports/{run}/mapa_nc.json") == b"old"


def test_what_a_removal_says_is_checked(kept: Folder) -> None:
    run = old_run(kept)
    whole = kept.path.parent / "whole"
    shutil.copytree(kept.path, whole)
    retention(kept, "--apply")
    shutil.copytree(whole / "docker" / run, kept.path / "docker" / run)
    notes = [str(note) for note in kept.verify().notes]
    assert kept.verify().problems == ()
    assert f"docker/{run}: remoção por concluir; rode `retencao --apply`" in notes
    assert f"removido: {run}" in retention(kept, "--apply").out
    assert not (kept.path / "docker" / run).exists()
    (whole / "docker" / run / "core" / "blob").write_bytes(b"other")
    sums = whole / "docker" / run / "SHA256SUMS"
    from hashlib import sha256

    rows = sums.read_text().splitlines()
    sums.write_text(
        "".join(f"{sha256((whole / 'docker' / run / row[66:]).read_bytes()).hexdigest()}  {row[66:]}\n" for row in rows)
    )
    shutil.copytree(whole / "docker" / run, kept.path / "docker" / run)
    assert "arquivos em um run que a retenção removeu" in " ".join(map(str, kept.verify().problems))


def test_a_removal_before_its_time_or_under_a_hold_is_a_problem(tmp_path: Path) -> None:
    from pipeline.domain.execution import Hold, Removal

    folder = Folder(tmp_path / "early")
    folder.run("m07-a", 1)
    folder.run("m07-a", 2, removal=Removal(sums={}, files=0, nonces=()), command="retencao")
    assert "antes do prazo (06/04/2026)" in " ".join(map(str, folder.verify().problems))
    held = Folder(tmp_path / "held")
    held.run("m07-a", 1)
    held.run("m07-a", 2, hold=Hold(action="hold", owner="Ana", reason="x"), command="retencao")
    held.run("m07-a", 200, removal=Removal(sums={}, files=0, nonces=()), command="retencao")
    assert "durante uma retenção legal" in " ".join(map(str, held.verify().problems))


def test_a_removal_is_merged_as_one(kept: Folder, tmp_path: Path) -> None:
    target = Folder(tmp_path / "central")
    merge(target, kept)
    run = old_run(kept)
    assert (target.path / "docker" / run / "core" / "blob").exists()
    retention(kept, "--apply")
    merge(target, kept)
    assert not (target.path / "docker" / run).exists()
    assert target.verify().problems == ()
    other = Folder(tmp_path / "other")
    merge(other, kept)
    assert other.verify().problems == ()
    assert other.read(INDEX) != b""


def test_a_worker_that_still_has_it_does_not_bring_it_back(kept: Folder, tmp_path: Path) -> None:
    old = Folder(tmp_path / "old")
    shutil.copytree(kept.path, old.path)
    retention(kept, "--apply")
    before = kept.tree()
    merge(kept, old)
    assert kept.tree() == before


_CUT = """
import os, signal, sys
import pipeline.adapters.artifacts as artifacts
left = [int(sys.argv[1])]
for name in ("put", "append", "replace_folder", "remove_folder", "move"):
    def wrap(real):
        def called(*given, **named):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)
        return called
    setattr(artifacts.DiskArtifacts, name, wrap(getattr(artifacts.DiskArtifacts, name)))
import pipeline.cli
sys.exit(pipeline.cli.main(sys.argv[2:]))
"""


def test_killed_at_any_step_the_folder_verifies_and_the_next_call_completes_it(kept: Folder, tmp_path: Path) -> None:
    run, steps = old_run(kept), 0
    while True:
        steps += 1
        cut = Folder(tmp_path / f"cut{steps}")
        shutil.copytree(kept.path, cut.path)
        command = [sys.executable, "-c", _CUT, str(steps), "retencao", "--apply", "--artifacts", str(cut.path)]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert cut.verify().problems == (), f"step {steps}"
        assert retention(cut, "--apply").code == 0
        assert cut.verify().problems == ()
        assert not (cut.path / "docker" / run).exists()
    assert steps > 4


def test_words_of_the_index_stay_words(kept: Folder) -> None:
    run = old_run(kept)
    retention(kept, "--hold", run, "--owner", "=cmd()", "--reason", "x")
    row = json.loads(kept.read(INDEX).splitlines()[-1])
    assert (row["hold"]["owner"], row["manifest_sha256"]) == ("=cmd()", None)
    assert at(0).year == 2026

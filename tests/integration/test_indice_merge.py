"""Many workers' runs and chains become one: the same bytes in any order, nothing lost, nothing twice, nothing half."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from indexkit import Folder, merge
from pipeline.codec import sha256_hex
from pipeline.domain.execution import Hold
from pipeline.errors import InputError, IntegrityError
from pipeline.ledger import INDEX
from trailcli import ROOT, appgear, environment

PACK = {"manifest.json": b"{}\n", "evidencias.html": b"<p>\n"}


def worker(tmp_path: Path, name: str) -> Folder:
    return Folder(tmp_path / name)


def test_lines_and_runs_of_two_workers_in_one_chain(tmp_path: Path) -> None:
    one, two, target = (worker(tmp_path, name) for name in ("one", "two", "target"))
    one.run("m07-a", 1, {"mapa_nc.json": b"a"})
    one.run("m07-b", 3, {"core.image.json": b"i" * 3_000_000}, category="docker")
    two.run("m08-c", 2, {"mapa_nc.json": b"c"})
    result = merge(target, one, two)
    assert (result.added, result.known, len(result.places)) == (3, 0, 4)
    lines = target.lines()
    assert [line.module for line in lines] == ["M07", "M08", "M07"]
    assert [line.origin.sequence for line in lines if line.origin] == [1, 1, 2]
    assert [line.identity for line in lines] == [one.lines()[0].sha256, two.lines()[0].sha256, one.lines()[1].sha256]
    checked = target.verify()
    assert checked.problems == ()
    assert (checked.runs, checked.executions) == (3, 3)
    for folder in (one, two):
        for line in folder.lines():
            copied = f"reports/{line.run}/executions/{line.sha256[:16]}.json"
            assert target.read(copied) == folder.read(line.execution_path)
    assert target.read("LATEST").decode().strip() == one.lines()[1].run


def test_any_order_gives_the_same_bytes_and_twice_is_once(tmp_path: Path) -> None:
    workers = [worker(tmp_path, f"w{number}") for number in range(4)]
    for number, each in enumerate(workers):
        each.run("m01-same", 1, {"mapa_nc.json": b"the same for all"})
        each.run(f"m0{number}-own", 2)
        each.run(f"m0{number}-later", 1.5)  # its clock went back
    trees = []
    for number, order in enumerate(list(permutations(workers))[::5]):
        target = worker(tmp_path, f"target{number}")
        merge(target, *order)
        trees.append(target.tree())
    assert all(tree == trees[0] for tree in trees)
    target = worker(tmp_path, "target0")
    assert merge(target, *workers).added == 0
    assert target.tree() == trees[0]
    assert target.verify().problems == ()
    runs = [line.run for line in target.lines()]
    for each in workers:
        own = [line.run for line in each.lines()]
        places = [runs.index(run) for run in own[1:]]
        assert places == sorted(places)  # no line before the one that it followed


def test_what_was_merged_before_is_known_by_whatever_way_it_comes(tmp_path: Path) -> None:
    one, two, middle, target = (worker(tmp_path, name) for name in ("one", "two", "middle", "target"))
    one.run("m07-a", 1)
    two.run("m08-b", 2)
    middle.run("m09-c", 3)
    merge(middle, one)
    middle.run("m09-d", 4)
    result = merge(target, middle, one, two)
    assert (result.added, [line.module for line in target.lines()]) == (4, ["M07", "M08", "M09", "M09"])
    assert merge(target, one, two, middle).added == 0
    again = worker(tmp_path, "again")
    merge(again, two, one, middle)
    assert again.read(INDEX) == target.read(INDEX)
    assert target.verify().problems == ()


def test_a_copied_folder_that_went_on_twice_keeps_both_ends(tmp_path: Path) -> None:
    one = worker(tmp_path, "one")
    one.run("m07-a", 1)
    two = worker(tmp_path, "two")
    shutil.copytree(one.path, two.path)
    one.run("m07-b", 2)
    two.run("m07-c", 3)
    assert merge(one, two).added == 1
    assert [line.origin is not None for line in one.lines()] == [False, False, True]
    assert one.verify().problems == ()
    assert merge(two, one).added == 1
    assert {line.identity for line in two.lines()} == {line.identity for line in one.lines()}


def test_the_same_run_with_other_bytes_is_refused_with_both_digests(tmp_path: Path) -> None:
    one, two, target = (worker(tmp_path, name) for name in ("one", "two", "target"))
    one.run("m07-a", 1, {"mapa_nc.json": b"one"})
    two.run("m07-a", 2, {"mapa_nc.json": b"two"})
    two.run("m08-b", 3)
    merge(target, one)
    before = target.tree()
    with pytest.raises(IntegrityError) as refused:
        merge(target, two)
    said = str(refused.value)
    assert sha256_hex(b"one") in said
    assert sha256_hex(b"two") in said
    assert "mapa_nc.json" in said
    assert target.tree() == before
    with pytest.raises(IntegrityError, match="outros bytes"):
        merge(worker(tmp_path, "other"), one, two)


def test_what_workers_add_to_the_same_run_comes_together(tmp_path: Path) -> None:
    one, two, target = (worker(tmp_path, name) for name in ("one", "two", "target"))
    run = one.run("m07-a", 1, {"mapa_nc.json": b"m"}).run
    two.run("m07-a", 2, {"mapa_nc.json": b"m", "checklist.json": b"c"})
    two.run("m07-a", 3, {"core.cdx.json": b"s"}, category="sbom")
    merge(target, one, two)
    assert target.read(f"reports/{run}/checklist.json") == b"c"
    assert target.read(f"sbom/{run}/core.cdx.json") == b"s"
    assert (target.verify().problems, len(target.lines())) == ((), 3)


def test_a_run_that_went_on_brings_its_newer_pack(tmp_path: Path) -> None:
    one, target = worker(tmp_path, "one"), worker(tmp_path, "target")
    first = one.run("m07-a", 1, {**PACK, "rapid.jsonl": b"1\n"})
    merge(target, one)
    newer = {"rapid.jsonl": b"1\n2\n", "evidencias.html": b"<p>decided\n", "manifest.json": b"{} \n"}
    one.run("m07-a", 2, newer, grows=True, command="rapid")
    merge(target, one)
    assert target.read(f"reports/{first.run}/rapid.jsonl") == b"1\n2\n"
    assert target.read(f"reports/{first.run}/evidencias.html") == b"<p>decided\n"
    assert target.verify().problems == ()
    old = worker(tmp_path, "old")
    merge(old, target)
    assert old.read(f"reports/{first.run}/rapid.jsonl") == b"1\n2\n"


def test_an_older_copy_changes_nothing(tmp_path: Path) -> None:
    one, target, old = (worker(tmp_path, name) for name in ("one", "target", "old"))
    one.run("m07-a", 1, PACK)
    shutil.copytree(one.path, old.path)
    one.run("m07-a", 2, {"evidencias.html": b"<p>newer\n"}, grows=True)
    merge(target, one)
    before = target.tree()
    assert merge(target, old).added == 0
    assert target.tree() == before


def test_decisions_are_never_dropped(tmp_path: Path) -> None:
    one, target = worker(tmp_path, "one"), worker(tmp_path, "target")
    one.run("m07-a", 1, {"rapid.jsonl": b"1\n2\n"})
    merge(target, one)
    one.run("m07-a", 2, {"rapid.jsonl": b"1\n"}, grows=True)
    with pytest.raises(IntegrityError, match=r"outros bytes.*rapid|rapid.*outros bytes"):
        merge(target, one)


def test_two_packs_of_two_workers_for_one_run_are_refused(tmp_path: Path) -> None:
    one, two = worker(tmp_path, "one"), worker(tmp_path, "two")
    one.run("m07-a", 1, PACK)
    two.run("m07-a", 2, {**PACK, "evidencias.html": b"<p>other\n"})
    with pytest.raises(IntegrityError, match="outros bytes"):
        merge(worker(tmp_path, "target"), one, two)


def test_a_source_with_a_problem_stops_everything(tmp_path: Path) -> None:
    one, two, target = (worker(tmp_path, name) for name in ("one", "two", "target"))
    one.run("m07-a", 1, {"mapa_nc.json": b"one"})
    broken = two.run("m08-b", 2, {"mapa_nc.json": b"two"})
    (two.path / "reports" / broken.run / "mapa_nc.json").write_bytes(b"TWO")
    with pytest.raises(IntegrityError, match=r"two: .*mapa_nc.json.*não confere"):
        merge(target, one, two)
    assert not (target.path / INDEX).exists()
    index = two.path / INDEX
    index.write_bytes(index.read_bytes().replace(b"aprovado", b"Aprovado"))
    with pytest.raises(IntegrityError):
        merge(target, two)


def test_a_folder_without_any_execution_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises((InputError, IntegrityError), match="empty"):
        merge(worker(tmp_path, "target"), worker(tmp_path, "empty"))


def test_a_torn_line_of_a_worker_goes_along(tmp_path: Path) -> None:
    one, target = worker(tmp_path, "one"), worker(tmp_path, "target")
    one.run("m07-a", 1)
    with (one.path / INDEX).open("ab") as index:
        index.write(b'{"torn')
    line = one.run("m07-b", 2)
    assert line.recovered is not None
    merge(target, one)
    assert target.read(line.recovered.path) == b'{"torn'
    assert target.verify().problems == ()
    with (target.path / INDEX).open("ab") as index:
        index.write(b'{"torn too')
    one.run("m07-c", 3)
    merge(target, one)
    assert target.verify().problems == ()
    assert len(target.lines()) == 3
    (one.path / line.recovered.path).write_bytes(b"other")
    with pytest.raises(IntegrityError):
        merge(worker(tmp_path, "second"), one)


def test_holds_go_along_and_make_no_run_the_newest(tmp_path: Path) -> None:
    one, target = worker(tmp_path, "one"), worker(tmp_path, "target")
    first = one.run("m07-a", 1)
    second = one.run("m07-b", 2)
    hold = Hold(action="hold", owner="Ana", reason="processo")
    one.run("m07-a", 3, hold=hold, command="retencao")
    merge(target, one)
    assert target.lines()[2].hold == hold
    assert target.read("LATEST").decode().strip() == second.run != first.run
    assert target.verify().problems == ()


@pytest.mark.parametrize("change", ["verdict", "origin", "twice"])
def test_a_merged_index_that_was_touched_is_seen(tmp_path: Path, change: str) -> None:
    one, target = worker(tmp_path, "one"), worker(tmp_path, "target")
    one.run("m07-a", 1)
    merge(target, one)
    row = json.loads(target.read(INDEX))
    path = row["execution"]["path"]
    if change == "verdict":
        row["verdict"] = "bloqueado"
    elif change == "origin":
        row["origin"]["sha256"] = "0" * 64
        row["execution"]["path"] = f"reports/{row['run']}/executions/{'0' * 16}.json"
        (target.path / path).rename(target.path / row["execution"]["path"])
    rows = [json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n"]
    if change == "twice":
        second = {**row, "sequence": 2, "previous": sha256_hex(rows[0].encode())}
        rows.append(json.dumps(second, sort_keys=True, separators=(",", ":")) + "\n")
    (target.path / INDEX).write_text("".join(rows), encoding="utf-8")
    problems = " ".join(map(str, target.verify().problems))
    assert ("a mesma execução da linha 1" if change == "twice" else "cadeia de origem") in problems


# --- real processes

_WORKERS = 50
# Each worker is a process of its own that runs the real command; forked from one that has already loaded it.
_FORKED = """
import os, sys
import pipeline.cli
folder, count = sys.argv[1], int(sys.argv[2])
def work(module, artifacts):
    module = f"{folder}/modules/module-{module:02}.md"
    return pipeline.cli.main(["mapa_nc", "-q", "--module", module, "--artifacts", f"{folder}/{artifacts}"])
failed = work(0, "warm")
for first in range(0, count, 4):
    children = []
    for number in range(first, min(first + 4, count)):
        child = os.fork()
        if child == 0:
            os._exit(work(number % 18, f"w{number}"))
        children.append(child)
    failed += sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
sys.exit(failed)
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> list[Folder]:
    """Fifty processes, each with its own folder and chain, on eighteen modules."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "modules").mkdir()
    for number in range(18):
        manifest = f"```yaml\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: n{number}\n```\n"
        text = f"# Módulo {number:02} – Módulo de teste\n\n{manifest}"
        (folder / "modules" / f"module-{number:02}.md").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, str(folder), str(_WORKERS)],
        cwd=ROOT,
        env=environment(),
        check=False,
        timeout=300,
    )
    assert done.returncode == 0
    return [Folder(folder / f"w{number}") for number in range(_WORKERS)]


def test_fifty_workers_become_one_chain(workers: list[Folder], tmp_path: Path) -> None:
    folders = [each.path for each in workers]
    merged = appgear("indice", "--artifacts", "central", "--merge", *folders, cwd=tmp_path)
    assert merged.code == 0, merged.err
    assert "linhas novas: 50" in merged.out
    central = Folder(tmp_path / "central")
    lines = central.lines()
    assert {line.identity for line in lines} == {each.lines()[0].sha256 for each in workers}
    assert len({line.run for line in lines}) == 18
    checked = appgear("verificar", "central", cwd=tmp_path)
    assert checked.code == 0, checked.err
    assert "50 linhas de índice" in checked.out
    before = central.tree()
    again = appgear("indice", "--artifacts", "central", "--merge", *reversed(folders), cwd=tmp_path)
    assert "linhas novas: 0   linhas que já estavam: 50   runs gravados: 0" in again.out
    assert central.tree() == before
    other = Folder(tmp_path / "other")
    merge(other, *reversed(workers))
    assert other.read(INDEX) == central.read(INDEX)


_CUT = """
import os, signal, sys
import pipeline.adapters.artifacts as artifacts
left = [int(sys.argv[1])]
for name in ("put", "replace_folder", "remove", "move"):
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


def test_killed_at_any_step_the_folder_verifies_and_the_same_merge_completes_it(tmp_path: Path) -> None:
    one, two, base = (worker(tmp_path, name) for name in ("one", "two", "base"))
    one.run("m07-a", 1, PACK)
    merge(base, one)
    one.run("m07-a", 2, {"manifest.json": b"{} \n", "evidencias.html": b"<p>newer\n"}, grows=True)
    two.run("m08-b", 3, {"mapa_nc.json": b"b"})
    two.run("m08-b", 4, {"core.cdx.json": b"s"}, category="sbom")
    whole = worker(tmp_path, "whole")
    shutil.copytree(base.path, whole.path)
    merge(whole, one, two)
    wanted, steps = whole.tree(), 0
    while True:
        steps += 1
        target = worker(tmp_path, f"cut{steps}")
        shutil.copytree(base.path, target.path)
        command = [sys.executable, "-c", _CUT, str(steps), "indice", "--artifacts", str(target.path), "--merge"]
        done = subprocess.run(
            [*command, str(one.path), str(two.path)], cwd=ROOT, env=environment(), capture_output=True, check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert target.verify().problems == (), f"step {steps}"
        merge(target, one, two)
        assert target.tree() == wanted, f"step {steps}"
    assert steps > 8
    assert Folder(tmp_path / f"cut{steps}").tree() == wanted


def test_the_command_refuses_itself_and_a_broken_target(tmp_path: Path) -> None:
    one = worker(tmp_path, "one")
    line = one.run("m07-a", 1, {"mapa_nc.json": b"a"})
    ran = appgear("indice", "--artifacts", one.path, "--merge", one.path, cwd=tmp_path)
    assert (ran.code, "também origem" in ran.error) == (2, True)
    target = worker(tmp_path, "target")
    merge(target, one)
    (target.path / "reports" / line.run / "mapa_nc.json").write_bytes(b"x")
    one.run("m07-b", 2)
    ran = appgear("indice", "--artifacts", target.path, "--merge", one.path, cwd=tmp_path)
    assert (ran.code, "mapa_nc.json" in ran.error) == (5, True)
    ran = appgear("indice", "--artifacts", target.path, "--merge", tmp_path / "nowhere", cwd=tmp_path)
    assert ran.code == 3

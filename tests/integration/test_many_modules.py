"""Many modules in one launch: a process each, one index, one answer; whatever ends one of them leaves the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.workers import Ended
from pipeline.commands.many import LOADED, _death
from trailcli import Ran, appgear, document, environment, write_tree

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: a, namespace: b}
spec: {ports: [{port: 80}]}
"""
LATEST = """apiVersion: v1
kind: Pod
metadata: {name: a, namespace: b}
spec: {containers: [{name: a, image: "app:latest"}]}
"""


def module(number: int, manifest: str = SERVICE) -> str:
    return document(("apps/a.yaml", manifest), title=f"Módulo {number} – Um módulo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "m/module-40.md": module(40),
        "m/module-41.md": module(41, LATEST),
        "m/module-42.md": "",
        "m/nota.txt": "x",
    }
    return write_tree(tmp_path, files)


def index(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "a/index.jsonl").read_text().splitlines()]


def run(folder: Path, *arguments: str, command: str = "mapa_nc", **variables: str) -> Ran:
    return appgear(command, *arguments, "--artifacts", "a", cwd=folder, env=variables)


def test_a_module_that_fails_is_named_and_stops_no_other(folder: Path) -> None:
    done = run(folder, "--module", "m/*.md", "--jobs", "2", "--fail-on", "BAIXA")
    assert done.code == 3
    rows = [line.split() for line in done.out.splitlines()[2:]]
    assert [row[:1] + row[-1:] for row in rows] == [
        ["erro", "outro"],
        ["bloqueado", rows[1][-1]],
        ["bloqueado", rows[2][-1]],
    ]
    assert "m/module-42.md: o documento está vazio" in done.out
    assert [row[2] for row in rows[1:]] == ["m/module-41.md", "m/module-40.md"]
    assert "RESUMO            3 módulos" in done.out
    assert {line["module"] for line in index(folder)} == {"M40", "M41"}
    assert appgear("verificar", "a", cwd=folder).code == 0
    for row in rows[1:]:
        assert (folder / "a" / row[-1]).is_file()


def test_the_answer_as_data_and_as_a_page(folder: Path) -> None:
    done = run(
        folder,
        "--module",
        "m/module-40.md",
        "m/module-42.md",
        "--module",
        "m/module-40.md",
        "--json",
        "--summary",
        "r.md",
    )
    answer = json.loads(done.out)
    assert answer["exit_code"] == done.code == 3
    assert [(each["path"], each["verdict"], each["exit_code"]) for each in answer["modules"]] == [
        ("m/module-42.md", "erro", 3),
        ("m/module-40.md", "feito", 0),
    ]
    assert answer["modules"][1]["run"] == index(folder)[0]["run"]
    page = (folder / "r.md").read_text()
    assert page.startswith("## mapa_nc: 2 módulos")
    assert "o documento está vazio" in page


def test_only_what_changed_is_done_again(folder: Path) -> None:
    (folder / "m/module-42.md").write_text(module(42))
    first = run(folder, "--module", "m/*.md")
    assert first.code == 0
    assert "sem mudança 0" in first.out
    same = run(folder, "--module", "m/*.md")
    assert "sem mudança 3" in same.out
    assert same.err.count("(sem mudança)") == 3
    (folder / "m/module-41.md").write_text(module(41))
    changed = run(folder, "--module", "m/*.md")
    assert "sem mudança 2" in changed.out
    assert "mudou desde a execução" in changed.err
    assert "m/module-41.md" in changed.err
    afresh = json.loads(run(folder, "--module", "m/*.md", "--no-cache", "-q", "--json").out)
    assert [each["unchanged"] for each in afresh["modules"]] == [False] * 3
    assert len(index(folder)) == 12
    assert appgear("verificar", "a", cwd=folder).code == 0


def test_a_file_that_is_not_what_it_was_concerns_its_own_module(folder: Path) -> None:
    (folder / "m/module-42.md").write_text(module(42))
    run(folder, "--module", "m/*.md")
    (line,) = [line for line in index(folder) if line["module"] == "M41"]
    (folder / "a/reports" / line["run"] / "mapa_nc.md").write_text("x")
    done = run(folder, "--module", "m/*.md")
    assert done.code == 5
    assert "sem mudança 2" in done.out
    assert "mapa_nc.md: não confere com SHA256SUMS" in done.out


def test_a_process_without_an_answer_is_told_from_what_it_left() -> None:
    killed = _death(Ended(task=0, answer=b"", status=-signal.SIGSEGV, said="", seconds=0.0))
    assert "morreu pelo sinal SIGSEGV" in str(killed)
    assert "morreu pelo sinal 99" in str(_death(Ended(task=0, answer=b"", status=-99, said="", seconds=0.0)))
    broken = _death(Ended(task=0, answer=b"", status=1, said="Traceback\n  x\nValueError: y\n", seconds=0.0))
    assert "(ValueError: y)" in str(broken)


def test_a_single_module_answers_in_the_same_forms(folder: Path) -> None:
    done = run(folder, "--module", "m/module-40.m?", "--json")
    assert json.loads(done.out)["modules"][0]["module"] == "M40"
    again = run(folder, "--module", "m/module-40.m?", "--json")
    assert json.loads(again.out)["modules"][0]["unchanged"] is True
    failed = run(folder, "--module", "m/module-42.md", "--json")
    assert failed.code == json.loads(failed.out)["exit_code"] == 3


@pytest.mark.parametrize(
    ("command", "arguments", "code", "said"),
    [
        ("mapa_nc", ("--module", "m/*.yaml"), 3, "nenhum caminho casa com o padrão"),
        ("mapa_nc", ("--module", "m/module-40.md", "x/**/*.md"), 3, "nenhum caminho casa com o padrão"),
        ("mapa_nc", ("--module", "m/*.md", "--jobs", "0"), 2, "use um número de 1 a 256"),
        ("mapa_nc", ("--module", "m/*.md", "--jobs", "²"), 2, "use um número de 1 a 256"),
        ("mapa_nc", ("--module", "m/*.md", "--baseline", "x"), 2, "--baseline vale para um módulo só"),
        ("modulo_reescrito", ("--module", "m/*.md", "--branch", "x"), 2, "--branch vale para um módulo só"),
        ("parecer_ia", ("--module", "m/*.md", "--dry-run"), 2, "--dry-run vale para um módulo só"),
        ("regras", ("--module", "a", "--module", "b"), 2, "regras não trabalha com vários módulos"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    command: str, arguments: tuple[str, ...], code: int, said: str, folder: Path
) -> None:
    done = appgear(command, *arguments, cwd=folder)
    assert (done.code, done.out) == (code, "")
    assert said in done.error
    assert not (folder / "artifacts").exists()


def test_what_a_trail_needs_is_loaded_before_it_forks(tmp_path: Path) -> None:
    """A process that is forked imports next to nothing, and the one that forks has no other thread."""
    script = (
        "import os, sys, pipeline.app, pipeline.cli, pipeline.commands.many as many\n"
        "many._load(); before = set(sys.modules)\n"
        "print(len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 1)\n"
        "from pipeline.cli import main; main(['evidencias', '--module', 'm/module-41.md', '-q'])\n"
        "print([each for each in sorted(set(sys.modules) - before) if each.startswith('pipeline')])\n"
    )
    assert "pipeline.commands.launch" in LOADED
    write_tree(tmp_path, {"m/module-41.md": module(41, LATEST)})
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1", "[]"]


# --- what ends a launch, or a part of it, from outside


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Modules that take long enough to be caught at work."""
    manifests = {f"m/{letter}/f{number}.yaml": LATEST for letter in "abcd" for number in range(250)}
    return write_tree(tmp_path, manifests)


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "pipeline", "mapa_nc", "--module", "m/*", "--jobs", "2", "--artifacts", "a"]
    process = subprocess.Popen(
        argv, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - one thread
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("the system does not list the children of a process")
    return [int(each) for each in path.read_text().split()]


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_work(process: subprocess.Popen[str]) -> list[int]:
    until(lambda: len(children(process.pid)) == 2)
    return children(process.pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_that_is_killed_takes_no_other_with_it(slow: Path) -> None:
    with started(slow) as process:
        os.kill(at_work(process)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert "morreu pelo sinal SIGKILL" in out
    assert "erro 1   feito 3" in out
    assert len(index(slow)) == 3
    assert appgear("verificar", "a", cwd=slow).code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_launch_ends_all_of_it(number: signal.Signals, code: int, slow: Path) -> None:
    with started(slow) as process:
        working = at_work(process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert not [pid for pid in working if alive(pid)]
    assert not list((slow / "a").rglob(".tmp-*"))
    if (slow / "a/index.jsonl").exists():
        checked = appgear("verificar", "a", cwd=slow)
        assert checked.code == 0, checked.err


def test_nobody_is_left_when_the_launch_itself_is_killed(slow: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux ends a process with its parent")
    with started(slow) as process:
        working = at_work(process)
        process.kill()
        process.wait()
        until(lambda: not [pid for pid in working if alive(pid)])
    done = appgear("mapa_nc", "--module", "m/a", "--artifacts", "a", cwd=slow)
    assert done.code == 0, done.err
    assert appgear("verificar", "a", cwd=slow).code == 0

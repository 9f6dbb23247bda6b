"""One process for each piece of work, forked from this one once all that it needs is loaded (ADR 0051).

A child has its own memory, process group and end: a crash, a kill or an interruption concerns its own work alone. It
dies when its parent does, and whatever ends the parent ends it first.
"""

from __future__ import annotations

import ctypes
import gc
import os
import selectors
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Ended", "Workers"]

_GRACE_SECONDS = 15.0  # for a child to let go of its lock and record its end; then it is killed
_POLL_SECONDS = 0.05
_SAID_BYTES = 2000
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A piece of work that is over. ``answer`` is empty where the child died; ``status`` is minus the signal then."""

    task: int
    answer: bytes
    status: int
    said: str
    seconds: float


@dataclass(kw_only=True, slots=True)
class _Child:
    task: int
    pid: int
    reader: int
    said: IO[bytes]
    started: float
    answer: bytearray = field(default_factory=bytearray)


class Workers:
    """At most ``jobs`` children at once. ``close`` ends those that still run; leaving the context does it too."""

    def __init__(self, work: Callable[[int], bytes], *, jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        gc.collect()
        gc.freeze()  # what is loaded is shared with every child, as long as nobody counts it again
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._stop(signal.SIGINT if kind is KeyboardInterrupt else signal.SIGTERM)
        finally:
            self._selector.close()
            gc.unfreeze()

    @property
    def full(self) -> bool:
        return len(self._children) >= self._jobs

    @property
    def idle(self) -> bool:
        return not self._children

    def start(self, task: int) -> None:
        """Begin a piece of work. What it answers must be bytes; what it prints is kept for the case that it dies."""
        reader, writer = os.pipe()
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the child has ended
        sys.stdout.flush()
        sys.stderr.flush()
        parent, started = os.getpid(), time.monotonic()
        # What a signal's handler raises while fork runs the libraries' callbacks would be lost without a trace; what it
        # raises before the child is known would leave the child behind.
        with _unasked() as held:
            pid = os.fork()
            if pid == 0:
                _become_child(self._work, task, parent, writer, said.fileno(), held)
            self._children[pid] = _Child(task=task, pid=pid, reader=reader, said=said, started=started)
            self._selector.register(reader, selectors.EVENT_READ, pid)
            os.close(writer)
            with suppress(OSError):  # whichever of the two is first
                os.setpgid(pid, pid)

    def wait(self) -> Iterator[Ended]:
        """Those that have ended by now; waits for the first."""
        while self._children:
            ended = list(self._drain(None))
            if ended:
                yield from ended
                return

    def _drain(self, timeout: float | None) -> Iterator[Ended]:
        for key, _ in self._selector.select(timeout):
            child = self._children[key.data]
            part = os.read(child.reader, 65_536)
            child.answer += part
            if len(child.answer) > _MAX_ANSWER_BYTES:
                os.killpg(child.pid, signal.SIGKILL)
            if not part:
                yield self._reap(child)

    def _reap(self, child: _Child) -> Ended:
        with _unasked():
            self._selector.unregister(child.reader)
            os.close(child.reader)
            _, status = os.waitpid(child.pid, 0)
            del self._children[child.pid]
        with child.said as said:
            size = said.seek(0, os.SEEK_END)
            said.seek(max(0, size - _SAID_BYTES))
            tail = said.read().decode("utf-8", "replace")
        code = os.waitstatus_to_exitcode(status)
        return Ended(
            task=child.task,
            answer=bytes(child.answer) if code == 0 else b"",
            status=code,
            said=tail,
            seconds=time.monotonic() - child.started,
        )

    def _stop(self, number: signal.Signals) -> None:
        """Ask every child to end as this process was asked, wait for them, kill what does not listen."""
        deadline = time.monotonic() + _GRACE_SECONDS
        try:
            for pid in self._children:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            while self._children and time.monotonic() < deadline:
                for _ in self._drain(_POLL_SECONDS):
                    pass
        finally:  # asked a second time, nobody waits
            for child in list(self._children.values()):
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                self._reap(child)


@contextmanager
def _unasked() -> Iterator[set[int | signal.Signals]]:
    """A step that is done whole before a request to end is heard; gives what was held back before it."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield held
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _become_child(
    work: Callable[[int], bytes], task: int, parent: int, writer: int, said: int, held: set[int | signal.Signals]
) -> NoReturn:
    """The child's whole life. Nothing of the parent's (buffers, exit handlers, private folders) is ended by it."""
    status = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C in a terminal is the parent's to pass on, once
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        _die_with(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        answer = memoryview(work(task))
        while answer:
            answer = answer[os.write(writer, answer) :]
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _die_with(parent: int) -> None:
    """End when the parent is killed without a chance to say so; Linux alone knows how."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

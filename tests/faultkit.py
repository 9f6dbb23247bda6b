"""A command killed at its N-th effect on the disk, many times a minute: children forked from one warm interpreter.

``python tests/faultkit.py`` is that interpreter; ``Faults`` starts it and asks. An effect is a file opened to write, a
write (of which the first half still happens), a sync, a rename, a link, a folder made, a mode set, a name removed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

_CALLS = (
    "write", "pwrite", "fsync", "fdatasync", "rename", "replace", "link", "symlink", "mkdir", "rmdir", "unlink",
    "remove", "chmod", "fchmod", "ftruncate", "truncate", "utime", "sendfile", "copy_file_range",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_KILLED = -int(signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A finished or killed command: its status (``-9`` when it was killed), its effects, what it said on stderr."""

    status: int
    effects: int
    said: str

    @property
    def killed(self) -> bool:
        return self.status == _KILLED


class Faults:
    """The warm interpreter, asked over its pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *arguments: str | Path, cwd: Path, die_at: int = 0) -> Struck:
        """One command in a child of its own, killed at its ``die_at``-th effect, or not at all where that is 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"arguments": [str(each) for each in arguments], "cwd": str(cwd), "die_at": die_at}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the warm interpreter is gone"
        return Struck(**json.loads(answer))


@contextmanager
def faults(environment: Mapping[str, str]) -> Iterator[Faults]:
    """A warm interpreter of one's own; its children see ``environment``."""
    process = subprocess.Popen(
        [sys.executable, "-B", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(environment),
    )
    try:
        yield Faults(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def points(total: int, wanted: int) -> Sequence[int]:
    """``wanted`` numbers from 1 to ``total``, evenly spread, both ends among them; all where there are fewer."""
    if total <= wanted:
        return range(1, total + 1)
    return sorted({1 + (total - 1) * step // (wanted - 1) for step in range(wanted)})


# --- the warm interpreter


class _Counter:
    """Counts effects; at the one that is asked for it ends the process as a power cut would."""

    def __init__(self, die_at: int) -> None:
        self.count = 0
        self._die_at = die_at
        for name in _CALLS:
            if hasattr(os, name):
                setattr(os, name, self._wrapped(name, getattr(os, name)))
        sys.addaudithook(self._heard)

    def strike(self) -> bool:
        """Count one; True where it is the last that happens."""
        self.count += 1
        return self.count == self._die_at

    def _wrapped(self, name: str, real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if self.strike():
                if name in {"write", "pwrite"}:
                    descriptor, data, *more = arguments
                    real(descriptor, bytes(data)[: len(data) // 2], *more)
                _die()
            return real(*arguments, **named)

        return call

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What is no call of ``os``: files opened to write by whoever, and the kernel's exchange of two names."""
        opened = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & _WRITING)
        if (opened or event == "ctypes.dlsym") and self.strike():
            _die()


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still here")


def _child(asked: dict[str, Any], said: int, counted: int) -> NoReturn:
    from pipeline.cli import main

    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(asked["cwd"])
    write = os.write
    counter = _Counter(asked["die_at"])
    status = main(asked["arguments"])
    sys.stdout.flush()
    write(counted, str(counter.count).encode())
    os._exit(status)


def _warm() -> None:
    """Import what commands import where they use it, once for all children."""
    import importlib
    import pkgutil

    import securesystemslib.dsse  # noqa: F401

    import pipeline
    from pipeline.rules.catalog import load_rules

    for each in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    load_rules()


def _serve() -> None:
    _warm()
    for line in sys.stdin:
        reading, counted = os.pipe()
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if child == 0:
                _child(json.loads(line), said.fileno(), counted)
            os.close(counted)
            _, status = os.waitpid(child, 0)
            effects = os.read(reading, 32) or b"0"
            os.close(reading)
            said.seek(0)
            answer = {
                "status": os.waitstatus_to_exitcode(status), "effects": int(effects),
                "said": said.read().decode("utf-8", "replace"),
            }  # fmt: skip
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()

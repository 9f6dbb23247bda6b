"""The command line as its users meet it: a process of its own, what it prints, and what it leaves on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

MAPA = (
    "mapa_nc.json",
    "mapa_nc.md",
    "mapa_nc.sarif",
    "mapa_nc.junit.xml",
    "mapa_nc.codequality.json",
    "auditoria-modulos.yaml",
)
PLAN = ("plano_correcao.json", "plano_correcao.md")
REWRITE = ("modulo_reescrito.json", "modulo_reescrito.patch")
KEYS = Path(tempfile.gettempdir(), f"appgear-test-keys-{os.getuid()}")  # a signing key, not the developer's own
CHECK = ("checklist.json", "checklist.md", "fluxo.md")

_TIMEOUT_SECONDS = 120
# Reports the peak memory (KiB) of its one child on descriptor 3: a process forked from pytest itself would count
# pytest's own memory as its peak.
_MEASURED = (
    "import os, resource, subprocess, sys\n"
    "done = subprocess.run(sys.argv[1:], close_fds=True)\n"
    "os.write(int(os.environ['PEAK_FD']), b'%d' % resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    "os._exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)\n"
)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A finished command; ``peak`` is its memory in bytes, 0 where it was not measured."""

    code: int
    out: str
    err: str
    peak: int = 0

    @property
    def error(self) -> str:
        """The one line of stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("erro: "), self.err
        return lines[0]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command sees: a search path, this checkout, and what coverage needs to follow it."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith("COV")}
    own = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "XDG_CONFIG_HOME": str(KEYS)}
    return kept | own | dict(extra or {})


def appgear(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = _TIMEOUT_SECONDS
) -> Ran:
    """Run one command in ``cwd``; a traceback fails the test that asked for it."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
    )
    ran = Ran(code=done.returncode, out=done.stdout.decode("utf-8"), err=done.stderr.decode("utf-8"))
    assert "Traceback" not in ran.err, ran.err
    return ran


def measured(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = _TIMEOUT_SECONDS
) -> Ran:
    """``appgear``, with the peak memory of the process."""
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MEASURED, sys.executable, "-m", "pipeline", *map(str, arguments)],
            cwd=cwd,
            env=environment({"PEAK_FD": str(writing)} | dict(env or {})),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            pass_fds=(writing,),
            check=False,
        )
        os.close(writing)
        peak = int(os.read(reading, 32) or b"0") * 1024
    finally:
        os.close(reading)
    ran = Ran(code=done.returncode, out=done.stdout.decode("utf-8"), err=done.stderr.decode("utf-8"), peak=peak)
    assert "Traceback" not in ran.err, ran.err
    return ran


@dataclass(frozen=True)
class Artifacts:
    """An artifacts folder, read by its files alone."""

    root: Path

    @property
    def run(self) -> str:
        return (self.root / "LATEST").read_text(encoding="ascii").strip()

    @property
    def folder(self) -> Path:
        """The newest run's ``reports`` folder."""
        return self.root / "reports" / self.run

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def findings(self, *rules: str) -> list[dict[str, Any]]:
        """Non-conformities of these rules, or all."""
        found: list[dict[str, Any]] = self.json("mapa_nc.json")["non_conformities"]
        return [each for each in found if not rules or each["rule"] in rules]

    def files(self) -> set[str]:
        """Paths of the run folder, executions left out."""
        paths = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return {path for path in paths if not path.startswith("executions/")}

    def rewritten(self) -> dict[str, bytes]:
        base = self.folder / "modulo_reescrito"
        return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}

    def check_sums(self) -> None:
        """``sha256sum`` accepts every run folder, and each lists all that it holds."""
        for sums in self.root.glob("*/*/SHA256SUMS"):
            done = subprocess.run(
                ["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"],
                cwd=sums.parent,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        listed = {line[66:] for line in self.text("SHA256SUMS").splitlines()}
        assert listed | {"SHA256SUMS"} == self.files()


def snapshot(folder: Path, *, without: Path | None = None) -> dict[str, tuple[object, ...]]:
    """Everything below ``folder``: kind, mode, size, time, content or link target. For before and after."""
    seen: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        if without is not None and (path == without or without in path.parents):
            continue
        state = path.lstat()
        content = ""
        if stat.S_ISLNK(state.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(state.st_mode) and state.st_size < 30_000_000:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        changed = 0 if stat.S_ISDIR(state.st_mode) else state.st_mtime_ns
        seen[os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")] = (
            stat.S_IFMT(state.st_mode),
            stat.S_IMODE(state.st_mode),
            0 if stat.S_ISDIR(state.st_mode) else state.st_size,
            changed,
            content,
        )
    return seen


def git(folder: Path, *arguments: str) -> str:
    """Real git, without the user's configuration."""
    done = subprocess.run(
        ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-C", str(folder), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
            "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def repository(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A repository with one commit of these files on ``main``."""
    write_tree(folder, files)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "primeiro")
    return folder


def write_tree(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, folders made where missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def document(*blocks: tuple[str, str], title: str = "Módulo 42 – Módulo de teste") -> str:
    """A module document that writes each (target, body) by a heredoc."""
    parts = [f"# {title}\n\nVersão: v0.3\n\n## O que é\n\nUm módulo pequeno.\n\n## Como fazer\n"]
    parts += [f"\n```bash\ncat > {target} << 'EOF'\n{body}EOF\n```\n" for target, body in blocks]
    return "".join(parts)


def line_of(text: str, wanted: str, start: int = 1) -> int:
    """Number (from 1) of the first line at or after ``start`` that is ``wanted``."""
    lines: Sequence[str] = text.split("\n")
    return lines.index(wanted, start - 1) + 1

"""Environments of tests' own for tools that the project itself must not depend on."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def cache_folder() -> Path:
    """Where what tests download is kept between sessions."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "appgear-pipeline-tests"


def pinned_environment(lock: Path, name: str) -> Path:
    """What ``lock`` pins by hash and nothing else, kept while the lock is the same; skips where it cannot be made."""
    uv = shutil.which("uv")
    folder = cache_folder() / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    done = folder / "pronto"
    python = folder / "bin" / "python"
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        make: list[Any] = (
            [uv, "venv", "-q", "--python", sys.executable, folder] if uv else [sys.executable, "-m", "venv", folder]
        )
        install: list[Any] = [uv, "pip", "install", "-q", "--python", python, "--compile-bytecode"] if uv else [
            python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]  # fmt: skip
        try:
            subprocess.run(make, check=True, capture_output=True, timeout=60)
            install += ["--require-hashes", "--only-binary", ":all:", "-r", lock]
            subprocess.run(install, check=True, capture_output=True, timeout=400)
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", b"") or b""
            pytest.skip(f"{name} cannot be installed here: {said[-300:]!r}")
        done.write_text("")
    return folder

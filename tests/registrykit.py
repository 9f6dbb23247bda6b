"""A real registry on loopback (Debian's docker-registry), for the time of one test module."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Running", "docker_login", "serving_registry"]

USER, PASSWORD = "ana", "segredo"
_HTPASSWD = "ana:$2b$04$abcdefghijklmnopqrstuusqzgSa7mEaXrfU8gCxc82AvqJ3KHnjS\n"  # of PASSWORD
_WAIT_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """``host`` is ``127.0.0.1:port``; ``storage`` is where the registry keeps its files."""

    host: str
    storage: Path


@contextmanager
def serving_registry(folder: Path, *, password: bool = False) -> Iterator[Running]:
    """Start the registry, with a password where one is asked for; skips the test where it is not installed."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (apt-get install docker-registry)")
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(5):  # the port is free when it is chosen, and may be taken when it is opened
        port = _free_port()
        config = folder / "config.json"
        config.write_text(json.dumps(_config(folder, port, password=password)), encoding="utf-8")
        with subprocess.Popen(
            [program, "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                if _answers(process, port):
                    yield Running(host=f"127.0.0.1:{port}", storage=folder / "storage")
                    return
            finally:
                process.kill()
    pytest.skip("docker-registry does not start here")


def docker_login(folder: Path, host: str, *, password: str = PASSWORD) -> dict[str, str]:
    """What ``docker login`` leaves, and the environment that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}), encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}


def _config(folder: Path, port: int, *, password: bool) -> dict[str, object]:
    config: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": False}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "only-for-tests"},
    }
    if password:
        (folder / "htpasswd").write_text(_HTPASSWD, encoding="ascii")
        config["auth"] = {"htpasswd": {"realm": "testes", "path": str(folder / "htpasswd")}}
    return config


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            time.sleep(0.02)
    return False

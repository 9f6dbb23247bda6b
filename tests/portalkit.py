"""A portal that runs: the bundle as a plain process, and a PostgreSQL of its own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.adapters.portal import build_portal
from pipeline.adapters.runner import SealedRunner
from pipeline.errors import ToolError
from pipeline.image.portal import PortalBundle
from trailcli import ROOT

PORTAL = ROOT / "portal"
WORKSHOP = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "appgear-pipeline", "portal")
_REGISTRIES = {"pip", "npm"}  # what an error names when nothing can be fetched here
_START_SECONDS = 120
_STOP_SECONDS = 20
_LOOK_SECONDS = 0.1


def built_portal(source: Path = PORTAL, workshop: Path = WORKSHOP) -> PortalBundle:
    """The bundle of this checkout; skips where the registries are out of reach."""
    try:
        return build_portal(source, workshop=workshop, runner=SealedRunner(), host=os.environ)
    except ToolError as error:
        if error.where in _REGISTRIES:
            pytest.skip(f"the registries are out of reach: {error}")
        raise


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- PostgreSQL


@dataclass(frozen=True, kw_only=True)
class Postgres:
    port: int
    user: str
    password: str


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A cluster on a free port of loopback, as a user that is not root; skips where PostgreSQL is not installed."""
    programs = _postgres_programs()
    account = _plain_account()
    place = Path(tempfile.mkdtemp(prefix="appgear-postgres-"))
    try:
        if account:
            os.chown(place, account.pw_uid, account.pw_gid)
        password = secrets.token_hex(16)
        (place / "password").write_text(password, encoding="ascii")
        if account:
            os.chown(place / "password", account.pw_uid, account.pw_gid)
        identity: dict[str, Any] = (
            {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        )
        made: list[str | Path] = [
            programs / "initdb",
            "-D",
            place / "data",
            "-U",
            "portal",
            "--auth=scram-sha-256",
            "--no-sync",
        ]
        made += [f"--pwfile={place / 'password'}", "--encoding=UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, timeout=120, cwd=place, **identity)
        port = free_port()
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off"]
        command: list[str | Path] = [programs / "postgres", "-D", place / "data", "-p", str(port)]
        command += [part for each in settings for part in ("-c", each)]
        log = place / "log"
        with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=place, **identity) as server:
            try:
                _wait(lambda: "ready to accept connections" in log.read_text("utf-8", "replace"), server, log)
                yield Postgres(port=port, user="portal", password=password)
            finally:
                _stop(server, signal.SIGQUIT)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _postgres_programs() -> Path:
    found = [Path(each) for each in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    pytest.skip("PostgreSQL is not installed")


def _plain_account() -> pwd.struct_passwd | None:
    """Whom to be where the tests run as root, whom PostgreSQL refuses to be."""
    return None if os.geteuid() else pwd.getpwnam("nobody")


def _wait(ready: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        assert process.poll() is None, log.read_text("utf-8", "replace")[-4000:]
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")[-4000:]
        time.sleep(_LOOK_SECONDS)


def _stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(how)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# --- the portal


def laid_out(bundle: PortalBundle, root: Path) -> Path:
    """``/app`` as the image has it, without bytes of its own for the packages."""
    shutil.copytree(bundle.application, root, symlinks=True)
    shutil.copytree(bundle.modules, root / "node_modules", symlinks=True, copy_function=os.link)
    return root


@dataclass(frozen=True, kw_only=True)
class Portal:
    url: str  # with the path under which people know it
    log: Path

    def get(self, path: str, **given: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, **given)

    def post(self, path: str, **given: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=30, **given)


@contextmanager
def started(
    app: Path, bundle: PortalBundle, config: Path, variables: Mapping[str, str], *, port: int, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The process as M07's Deployment starts it: ``node`` in ``/app``, variables from a file, one configuration."""
    file = config.parent / f"{log.stem}.env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()), encoding="utf-8")
    command: list[str | Path] = [bundle.node / "bin/node", f"--env-file={file}", "packages/backend", "--config", config]
    given = {"NODE_ENV": "production", "NODE_OPTIONS": "--no-node-snapshot --max-old-space-size=768"}
    own = {"PATH": os.environ["PATH"], "HOME": str(config.parent), "PORTAL_PORT": str(port)}
    environment = own | given | {name: value for name, value in variables.items() if name in given}
    with log.open("wb") as out, subprocess.Popen(command, cwd=app, env=environment, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                _stop(process)


def wait_ready(portal: Portal, process: subprocess.Popen[bytes]) -> None:
    def is_ready() -> bool:
        with suppress(httpx.TransportError):
            return portal.get("/.backstage/health/v1/readiness").status_code == 200
        return False

    _wait(is_ready, process, portal.log)

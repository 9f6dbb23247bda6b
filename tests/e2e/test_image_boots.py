"""The real portal's image: built from this checkout, read by others, started as the module starts it, looked at."""

from __future__ import annotations

import http.server
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagekit import layer_entries, layout_documents
from trailcli import ROOT, Artifacts, appgear

SCAFFOLD_BYTES = 245 * 1000 * 1000
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
WAIT_SECONDS = 120
# What the image is started in: a root that is only read, a /tmp of its own, no other process to see.
START = """
set -e
mount --bind "$1" "$1"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount -o remount,ro,bind "$1"
root=$1; shift
exec unshare -R "$root" -w /app -S 1000 -G 1000 -- "$@"
"""


@pytest.fixture(scope="module")
def layout(portal_image: Artifacts) -> Path:
    return portal_image.root / "docker" / portal_image.run / "core-backstage"


def test_it_is_less_than_half_of_the_scaffold(layout: Path) -> None:
    record = json.loads((layout.parent / "core-backstage.image.json").read_bytes())
    assert [each["from"] for each in record["layers"]] == ["base", "node", "modules", "application"]
    assert record["size"] < SCAFFOLD_BYTES / 2
    assert record["size"] == sum(path.stat().st_size for path in (layout / "blobs/sha256").iterdir())


def test_it_holds_what_runs_and_nothing_to_run_beside_it(layout: Path) -> None:
    manifest, config = layout_documents(layout)
    names = [
        member.name
        for each in manifest["layers"]
        for member in layer_entries(layout / "blobs/sha256" / each["digest"].removeprefix("sha256:"))
    ]
    programs = [name for name in names if re.search(r"(^|/)s?bin/", name) and "node_modules" not in name]
    assert programs == ["usr/local/bin/node"]
    assert not [name for name in names if re.search(r"(^|/)(\.npmrc|\.yarnrc\.yml|\.yarn|\.env|\.git)(/|$)", name)]
    assert config["config"]["User"] == "1000:1000"


def test_building_again_changes_nothing(portal_image: Artifacts, tmp_path: Path) -> None:
    ran = appgear("image", "--artifacts", tmp_path / "a", cwd=ROOT, timeout=600)
    assert ran.code == 0, ran.err
    first, second = (each.root / "docker" / each.run for each in (portal_image, Artifacts(tmp_path / "a")))
    assert (first / "SHA256SUMS").read_bytes() == (second / "SHA256SUMS").read_bytes()
    assert "construa" not in ran.err


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_reads_it(layout: Path, tmp_path: Path) -> None:
    command = ["skopeo", "inspect", f"oci:{layout}"]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, env={"HOME": str(tmp_path)}).stdout)
    record = json.loads((layout.parent / "core-backstage.image.json").read_bytes())
    assert said["Digest"] == record["digest"]


# --- it boots


@pytest.fixture(scope="module")
def root(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's file system."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare(1) to start the image in a root of its own")
    folder = tmp_path_factory.mktemp("raiz")
    folder.chmod(0o755)
    manifest, _ = layout_documents(layout)
    for each in manifest["layers"]:
        blob = layout / "blobs/sha256" / each["digest"].removeprefix("sha256:")
        with tarfile.open(blob) as archive:
            archive.extractall(folder, filter="fully_trusted", numeric_owner=True)  # noqa: S202  # our own
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[int]:
    """A PostgreSQL of its own on loopback, as a user that is not root; its port."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    if not found:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    programs, account = found[0].parent, pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="appgear-postgres-") as place:
        os.chown(place, account.pw_uid, account.pw_gid)
        yield from _served(programs, account, Path(place))


def _served(programs: Path, account: pwd.struct_passwd, place: Path) -> Iterator[int]:
    data, log = place / "data", place / "log"
    made: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "backstage",
        "--auth=trust",
        "--no-sync",
        "--locale=C",
        "-E",
        "UTF8",
    ]
    subprocess.run(made, check=True, capture_output=True, user=account.pw_uid, group=account.pw_gid, cwd=place)
    port = free_port()
    command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", "unix_socket_directories=", "-c", "fsync=off"]
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdout=out, stderr=out, user=account.pw_uid, group=account.pw_gid, cwd=place
        ) as server,
    ):
        try:
            wait(lambda: b"ready to accept" in log.read_bytes(), server, log)
            yield port
        finally:
            server.send_signal(signal.SIGINT)  # not waiting for clients


@contextmanager
def keycloak() -> Iterator[int]:
    """What the portal asks of Keycloak when it starts; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer = f"http://{self.headers['host']}"
            ends = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
            body = json.dumps({"issuer": issuer, "response_types_supported": ["code"], **ends}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def wait(ready: object, process: subprocess.Popen[bytes], log: Path) -> None:
    assert callable(ready)
    until = time.monotonic() + WAIT_SECONDS
    while not ready():
        said = log.read_bytes().decode("utf-8", "replace")[-3000:]
        assert process.poll() is None, said
        assert time.monotonic() < until, said
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # http on loopback
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def portal(root: Path, layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image's own entry point as user 1000; the address of the portal."""
    _, config = layout_documents(layout)
    started = config["config"]
    port, log = free_port(), tmp_path_factory.mktemp("portal") / "log"
    with postgres() as database, keycloak() as oidc:
        base = f"http://127.0.0.1:{port}"
        given = dict(each.split("=", 1) for each in started["Env"]) | {
            "HOME": "/tmp",  # noqa: S108  # inside
            "APP_CONFIG_backend_listen_port": str(port),
            "BACKSTAGE_BASE_URL": f"{base}/backstage",
            "BACKSTAGE_ORIGIN": base,
            "BACKSTAGE_PG_HOST": "127.0.0.1",
            "BACKSTAGE_PG_PORT": str(database),
            "BACKSTAGE_PG_USER": "backstage",
            "BACKSTAGE_PG_PASSWORD": "nenhuma",
            "BACKSTAGE_PG_DB": "postgres",
            "BACKSTAGE_SESSION_SECRET": "somente-para-o-teste",
            "BACKSTAGE_OIDC_CLIENT_ID": "portal",
            "BACKSTAGE_OIDC_CLIENT_SECRET": "nenhum",
            "BACKSTAGE_OIDC_METADATA_URL": f"http://127.0.0.1:{oidc}/.well-known/openid-configuration",
        }
        for name in ("FLOWISE_API", "OPEN_COST", "LAGO_API", "OPENMETADATA_API", "MIDPOINT_API", "WORKSPACE_API"):
            given[f"{name}_URL"] = "http://127.0.0.1:1"
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", START, "sh", str(root)]
        command += [*started["Entrypoint"], *started["Cmd"]]
        with (
            log.open("wb") as out,
            subprocess.Popen(command, stdout=out, stderr=out, env=given, start_new_session=True) as process,
        ):
            try:
                wait(lambda: answers(f"{base}/.backstage/health/v1/readiness"), process, log)
                yield f"{base}/backstage"
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # becoming user 1000 undid what --kill-child had promised


def test_it_is_ready_behind_its_path(portal: str) -> None:
    assert answers(f"{portal}/")
    assert answers(portal.replace("/backstage", "/.backstage/health/v1/liveness"))


def test_nobody_is_root_in_it_and_its_root_is_only_read(portal: str) -> None:
    assert portal
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cmdline").read_bytes().startswith(b"node\0packages/backend"):
                state = (each / "status").read_text(encoding="ascii")
                found.append((re.findall(r"^[UG]id:\t(\d+)", state, re.MULTILINE), (each / "mounts").read_text()))
        except OSError:  # gone meanwhile
            continue
    assert found
    assert all(ids == ["1000", "1000"] for ids, _ in found)
    assert all(re.search(r"^\S+ / \S+ ro[, ]", mounts, re.MULTILINE) for _, mounts in found)


def test_a_browser_shows_the_portal(portal: str, tmp_path: Path) -> None:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs chromium: apt-get install -y chromium")
    picture = tmp_path / "portal.png"
    shown = subprocess.run(
        [program, *FLAGS, f"--user-data-dir={tmp_path / 'perfil'}", "--window-size=1200,800",
         "--virtual-time-budget=30000", f"--screenshot={picture}", "--dump-dom", f"{portal}/"],
        capture_output=True, text=True, check=True, timeout=180,
    ).stdout  # fmt: skip
    assert "AppGear Studio" in shown
    assert "Entre com a sua conta da plataforma" in shown
    assert picture.stat().st_size > 10_000

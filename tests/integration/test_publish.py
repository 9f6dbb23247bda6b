"""Packs to a folder, a locked bucket (moto's server) and a registry (Debian's): whole, once, never over something."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexkit import Folder
from packplace import Place
from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.adapters.publish_oci import ARTIFACT_TYPE
from pipeline.adapters.registry import ImageReference, open_registry
from pipeline.cli import build_parser
from pipeline.codec import sha256_hex
from pipeline.commands.publish import publish as publish_pack
from pipeline.report.console import Console
from pipeline.store import Store
from registrykit import Running, serving_registry
from trailcli import ROOT, Ran, appgear, environment

FILES = ["SHA256SUMS", "evidencias.zip", "manifest.dsse.json", "manifest.json"]
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t-k3y", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A signed pack with one decision, and its zip made after it."""
    made = Place(tmp_path_factory.mktemp("pack"))
    made.pack()
    made.say("recommend")
    made.pack("--trust", made.trust)
    return made


def publish(place: Place, to: str | Path, *arguments: str | Path, **variables: str) -> Ran:
    return place.run("publicar", "--to", to, *arguments, **variables)


def key(place: Place) -> str:
    return f"{place.artifacts.run}/{sha256_hex(place.zip.read_bytes())[:16]}"


def keep_until(place: Place) -> datetime:
    with open_artifacts_to_check(place.artifacts.root) as folder:
        lines = Store(folder).history()
    return max(line.not_before_delete for line in lines if line.run == place.artifacts.run)


# --- a folder


def test_a_pack_into_a_folder_that_anybody_can_check(place: Place, tmp_path: Path) -> None:
    ran = publish(place, tmp_path / "guarda")
    assert (ran.code, ran.err) == (0, "")
    assert f"guardar até {keep_until(place):%d/%m/%Y}" in ran.out
    there = tmp_path / "guarda" / key(place)
    assert sorted(path.name for path in there.iterdir()) == FILES
    assert (there / "evidencias.zip").read_bytes() == place.zip.read_bytes()
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=there, capture_output=True, check=False)
    assert done.returncode == 0
    assert all(path.stat().st_mode & 0o777 == 0o440 for path in there.iterdir())
    verified = place.verify(there / "evidencias.zip")
    assert verified.code == 0, verified.err


def test_twice_is_once_and_nothing_is_written_over(place: Place, tmp_path: Path) -> None:
    target = tmp_path / "guarda"
    publish(place, target)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    again = publish(place, target)
    assert (again.code, "já estava publicado" in again.out) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before
    changed = target / key(place) / "manifest.json"
    changed.chmod(0o640)
    changed.write_bytes(b"{}")
    ran = publish(place, target)
    assert (ran.code, sha256_hex(b"{}") in ran.error) == (5, True)
    assert changed.read_bytes() == b"{}"
    changed.unlink()
    assert publish(place, target).code == 5


@pytest.mark.parametrize("kind", ["foreign", "link", "inside", "around"])
def test_folders_that_are_no_place_for_packs(place: Place, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "guarda"
    if kind == "foreign":
        target.mkdir()
        (target / "fotos").mkdir()
    elif kind == "link":
        (tmp_path / "real").mkdir()
        target.symlink_to(tmp_path / "real")
    else:
        target = place.artifacts.root / "guarda" if kind == "inside" else place.root
    ran = publish(place, target)
    assert ran.code == (2 if kind in ("inside", "around") else 3)
    assert ran.error


def test_what_does_not_verify_or_is_not_there_stays(place: Place, tmp_path: Path) -> None:
    import shutil

    target = tmp_path / "guarda"
    assert publish(place, target, "--run", "m07-ffffffffffffffff").code == 2
    assert publish(place, "ftp://x/y").code == 2
    (tmp_path / "broken").mkdir()
    broken = Place(tmp_path / "broken")
    shutil.copytree(place.artifacts.root, broken.artifacts.root)
    data = bytearray(broken.zip.read_bytes())
    data[len(data) // 2] ^= 1
    broken.zip.write_bytes(bytes(data))
    ran = publish(broken, target)
    assert (ran.code, "evidencias.zip" in ran.error) == (5, True)
    stranger = tmp_path / "stranger.toml"
    text = place.trust.read_text(encoding="utf-8")
    stranger.write_text(text[: text.index("[[pipeline.keys]]")], encoding="utf-8")
    refused = publish(place, target, "--trust", stranger, "--strict")
    assert (refused.code, "nada foi publicado" in refused.error) == (5, True)
    assert not target.exists()


def test_a_zip_older_than_the_decisions_is_not_published(tmp_path: Path) -> None:
    made = Place(tmp_path)
    made.pack()
    assert publish(made, tmp_path / "guarda").code == 0
    made.say("recommend")
    ran = publish(made, tmp_path / "guarda")
    assert (ran.code, "rode `evidencias` de novo" in ran.error) == (2, True)
    made.pack()
    assert publish(made, tmp_path / "guarda").code == 0
    assert len(list((tmp_path / "guarda" / made.artifacts.run).iterdir())) == 2  # each zip under its own name


_CUT = """
import os, signal, sys
import pipeline.adapters.publish_folder as shelf
left, number = [int(sys.argv[1])], getattr(signal, sys.argv[2])
for name in ("make_folder", "write_files", "_verify", "remove_tree", "sync_folder"):
    def wrap(real):
        def called(*given, **named):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), number)
            return real(*given, **named)
        return called
    setattr(shelf, name, wrap(getattr(shelf, name)))
import pipeline.cli
sys.exit(pipeline.cli.main(sys.argv[3:]))
"""


@pytest.mark.parametrize(("name", "stride"), [("SIGKILL", 1), ("SIGTERM", 3)])
def test_ended_at_any_step_there_is_a_whole_pack_or_none(place: Place, tmp_path: Path, name: str, stride: int) -> None:
    steps = 1 - stride
    while True:
        steps += stride
        target = tmp_path / f"{name}{steps}"
        command = [sys.executable, "-c", _CUT, str(steps), name, "publicar", "--to", str(target)]
        done = subprocess.run(
            [*command, "--artifacts", str(place.artifacts.root)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode in (143, -signal.SIGKILL), done.stderr.decode()
        there = target / key(place)
        if there.exists():
            assert sorted(path.name for path in there.iterdir()) == FILES
        if name == "SIGTERM":
            assert not list(target.rglob(".tmp-*"))
        arguments = ["publicar", "-q", "--to", str(target), "--artifacts", str(place.artifacts.root)]
        options = build_parser("publicar").parse_args(arguments)
        assert publish_pack(options, Console(sys.stdout, sys.stderr, quiet=True, colour=False), lambda: None) == 0
        assert not list(target.rglob(".tmp-*"))
    assert steps > 4


# --- an OCI registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def test_a_pack_as_an_artifact_of_a_registry(place: Place, registry: Running) -> None:
    ran = publish(place, f"oci://{registry.host}/appgear/evidencias", "--offline")
    assert (ran.code, ran.err) == (0, "")
    found = re.search(r"(sha256:[0-9a-f]{64})", ran.out)
    assert found is not None
    tag = key(place).replace("/", "-")
    with open_registry(ImageReference(host=registry.host, repository="appgear/evidencias"), {}) as opened:
        pulled = opened.pull_manifest(tag)
        assert pulled is not None
        assert pulled.digest == found.group(1)
        manifest = json.loads(pulled.data)
    assert manifest["artifactType"] == ARTIFACT_TYPE
    titles = [layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]]
    assert sorted(titles) == FILES
    assert manifest["annotations"]["io.appgear.run"] == place.artifacts.run
    assert manifest["layers"][0]["digest"] == f"sha256:{sha256_hex(place.zip.read_bytes())}"
    again = publish(place, f"oci://{registry.host}/appgear/evidencias")
    assert (again.code, "já estava publicado" in again.out, pulled.digest in again.out) == (0, True, True)


def test_a_tag_that_names_something_else_is_not_moved(place: Place, registry: Running) -> None:
    reference = ImageReference(host=registry.host, repository="outro")
    tag = key(place).replace("/", "-")
    with open_registry(reference, {}) as opened:
        from pipeline.adapters.publish_oci import _EMPTY, _config

        opened.push_blob(_EMPTY, _config())
        document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
        data = json.dumps({**document, "config": _config().as_json()}).encode()
        before = opened.push_manifest(data, "application/vnd.oci.image.manifest.v1+json", tag=tag)
    ran = publish(place, f"oci://{registry.host}/outro")
    assert (ran.code, before in ran.error) == (5, True)
    assert publish(place, f"oci://{registry.host}/outro:v1").code == 2
    assert publish(place, "oci://registro.exemplo.org/x", "--offline").code == 2
    assert publish(place, "oci://127.0.0.1:1/x").code == 4


def test_a_stored_blob_that_changed_is_seen(place: Place, registry: Running) -> None:
    to = f"oci://{registry.host}/danificado"
    assert publish(place, to).code == 0
    digest = sha256_hex(place.zip.read_bytes())
    stored = registry.storage / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"
    whole = stored.read_bytes()
    try:
        stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert publish(place, to).code == 5
    finally:
        stored.write_bytes(whole)


# --- an S3-compatible service

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
sys.stdout.write(f"{server.get_host_and_port()[1]}\\n")
sys.stdout.flush()
sys.stdin.read()
server.stop()
"""


class Bucket:
    """A service of one's own on loopback, and a client to look with."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self.endpoint = endpoint
        self.client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=KEYS["AWS_DEFAULT_REGION"],
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )

    def make(self, name: str, *, locked: bool = True) -> str:
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
        return f"s3://{name}/appgear"

    def publish(self, place: Place, to: str, *arguments: str | Path, **variables: str) -> Ran:
        return publish(place, to, "--endpoint", self.endpoint, *arguments, **{**KEYS, **variables})


@pytest.fixture(scope="module")
def service() -> Iterator[Bucket]:
    pytest.importorskip("moto.server", reason="moto is in the group test")
    variables = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=variables
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Bucket(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


def test_a_pack_under_object_lock_until_its_retention_date(place: Place, service: Bucket) -> None:
    ran = service.publish(place, service.make("locked"))
    assert (ran.code, ran.err) == (0, "")
    assert f"object lock COMPLIANCE até {keep_until(place):%d/%m/%Y}" in ran.out
    assert "s3cr3t" not in ran.out + ran.err
    names = []
    for each in service.client.list_objects_v2(Bucket="locked")["Contents"]:
        names.append(each["Key"].rpartition("/")[2])
        assert each["Key"].startswith(f"appgear/{key(place)}/")
        head = service.client.head_object(Bucket="locked", Key=each["Key"])
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert head["ObjectLockRetainUntilDate"] >= keep_until(place)
    assert sorted(names) == FILES
    again = service.publish(place, "s3://locked/appgear/")
    assert (again.code, "já estava publicado" in again.out) == (0, True)
    versions = service.client.list_object_versions(Bucket="locked")["Versions"]
    assert len(versions) == len(FILES)  # nothing was sent twice


def test_a_bucket_without_lock_is_refused_unless_told(place: Place, service: Bucket) -> None:
    to = service.make("unlocked", locked=False)
    ran = service.publish(place, to)
    assert (ran.code, "object lock" in ran.error) == (3, True)
    assert "Contents" not in service.client.list_objects_v2(Bucket="unlocked")
    told = service.publish(place, to, "--unlocked")
    assert (told.code, "nada impede" in told.out) == (0, True)


def test_another_object_under_the_name_is_not_replaced(place: Place, service: Bucket) -> None:
    to = service.make("taken")
    name = f"appgear/{key(place)}/manifest.json"
    service.client.put_object(Bucket="taken", Key=name, Body=b"other")
    ran = service.publish(place, to)
    assert (ran.code, sha256_hex(b"other") in ran.error) == (5, True)
    assert service.client.get_object(Bucket="taken", Key=name)["Body"].read() == b"other"


def test_a_date_that_grew_moves_the_lock_and_a_hold_is_put_on(tmp_path: Path, service: Bucket) -> None:
    made = Place(tmp_path)
    made.pack()
    to = service.make("growing")
    assert service.publish(made, to).code == 0
    first = keep_until(made)
    with open_artifacts(made.artifacts.root) as folder:
        from dataclasses import replace

        from pipeline.ledger import Execution

        store = Store(folder)
        last = store.history()[-1]
        again = Execution(
            run=last.run, module=last.module, command="evidencias", pipeline="ci", branch=None, commit=None,
            verdict=last.verdict, manifest_sha256=last.manifest_sha256, started=datetime.now(UTC),
            finished=datetime.now(UTC), details={}, retention_days=200,
        )  # fmt: skip
        store.append(replace(again, retention_days=200))
    words = ("--owner", "Jurídico", "--reason", "processo")
    assert made.run("retencao", "--hold", made.artifacts.run, *words).code == 0
    ran = service.publish(made, to)
    assert (ran.code, "já estava" in ran.out) == (0, True)
    assert keep_until(made) > first + timedelta(days=100)
    for each in service.client.list_objects_v2(Bucket="growing")["Contents"]:
        head = service.client.head_object(Bucket="growing", Key=each["Key"])
        assert head["ObjectLockRetainUntilDate"] >= keep_until(made)
        assert head["ObjectLockLegalHoldStatus"] == "ON"


def test_services_that_cannot_be_used_are_told_without_secrets(place: Place, service: Bucket, tmp_path: Path) -> None:
    missing = service.publish(place, "s3://no-such-bucket/x")
    assert (missing.code, "NoSuchBucket" in missing.error) == (4, True)
    nobody = publish(place, "s3://b/x", "--endpoint", "http://127.0.0.1:1", **KEYS)
    assert nobody.code == 4
    assert "s3cr3t" not in nobody.err
    plain = publish(place, "s3://b/x", "--endpoint", "http://example.org", **KEYS)
    assert (plain.code, "loopback" in plain.error) == (2, True)
    environment_url = publish(place, "s3://b/x", **KEYS, AWS_ENDPOINT_URL_S3="http://example.org")
    assert environment_url.code == 2
    offline = publish(place, "s3://b/x", "--offline", **KEYS)
    assert (offline.code, "--offline" in offline.error) == (2, True)
    for wrong in ("s3://", "s3:///x", "s3://b/x?y", "s3://u@b/x"):
        assert publish(place, wrong, **KEYS).code == 2
    nothing = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    without = publish(place, "s3://b/x", "--endpoint", service.endpoint, **nothing)
    assert (without.code, "credencial" in without.error) == (4, True)


def test_a_retention_that_is_over_is_not_locked(place: Place, service: Bucket, tmp_path: Path) -> None:
    import shutil

    from pipeline.ledger import INDEX

    old = Place(tmp_path)
    shutil.copytree(place.artifacts.root, old.artifacts.root)
    (old.artifacts.root / INDEX).unlink()
    for path in (old.artifacts.folder / "executions").iterdir():
        path.unlink()
    with open_artifacts(old.artifacts.root) as folder:
        from pipeline.ledger import Execution

        store = Store(folder)
        then = datetime(2020, 1, 1, tzinfo=UTC)
        store.append(
            Execution(
                run=old.artifacts.run, module="LOJA", command="evidencias", pipeline="ci", branch=None, commit=None,
                verdict="aprovado", manifest_sha256=store.digests(old.artifacts.run, "reports")["manifest.json"],
                started=then, finished=then, details={},
            )
        )  # fmt: skip
    ran = service.publish(old, service.make("late"))
    assert (ran.code, "terminou em 31/03/2020" in ran.error) == (2, True)


def test_an_interrupted_upload_leaves_no_object(place: Place, service: Bucket) -> None:
    """SIGTERM while a body is on its way: the service takes a request whole or not at all."""
    to = service.make("cut")
    slow = (
        "import sys, time, pipeline.adapters.publish_s3 as s3, pipeline.cli, io\n"
        "class Slow(io.BytesIO):\n"
        "    def read(self, size=-1):\n"
        "        data = super().read(min(size, 4096) if size and size > 0 else size)\n"
        "        if data and self.tell() > 8192: sys.stderr.write('going\\n'); sys.stderr.flush(); time.sleep(30)\n"
        "        return data\n"
        "from contextlib import contextmanager\n"
        "@contextmanager\n"
        "def body(content):\n"
        "    yield Slow(content if isinstance(content, bytes) else content.read_bytes())\n"
        "s3._body = body\n"
        "sys.exit(pipeline.cli.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", slow, "publicar", "--to", to, "--endpoint", service.endpoint]
    with subprocess.Popen(
        [*command, "--artifacts", str(place.artifacts.root)], cwd=ROOT, env=environment(KEYS), stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"going\n"
        process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 30
        assert process.wait(until - time.monotonic()) == 143
    assert "Contents" not in service.client.list_objects_v2(Bucket="cut")
    assert service.publish(place, to).code == 0


def test_without_boto3_the_mend_is_told(place: Place) -> None:
    code = "import sys; sys.modules['boto3'] = None\nimport pipeline.cli; sys.exit(pipeline.cli.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "publicar", "--to", "s3://b/x", "--artifacts", str(place.artifacts.root)],
        cwd=ROOT, env=environment(KEYS), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "appgear-pipeline[s3]" in done.stderr.decode()


def test_nothing_recorded_is_nothing_to_publish(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "artifacts")
    folder.run("m07-a", 1)
    ran = appgear("publicar", "--to", "x", "--artifacts", folder.path, cwd=tmp_path)
    assert (ran.code, "rode `evidencias`" in ran.error) == (2, True)

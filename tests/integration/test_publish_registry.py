"""The registry client against Debian's docker-registry, and against servers that lie, stall and redirect."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters import registry_wire
from pipeline.adapters.registry import (
    MANIFEST,
    Descriptor,
    ImageReference,
    Registry,
    open_registry,
    parse_reference,
)
from pipeline.adapters.registry_access import find_credentials
from pipeline.errors import InputError, IntegrityError, PipelineError, ToolError, UsageError
from registrykit import PASSWORD, Running, docker_login, serving_registry

LAYER = "application/vnd.example.layer"


def _described(data: bytes, media_type: str = LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=f"sha256:{hashlib.sha256(data).hexdigest()}", size=len(data))


def _manifest(*layers: Descriptor, **more: object) -> bytes:
    config = _described(b"{}", "application/vnd.oci.empty.v1+json").as_json()
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [each.as_json() for each in layers],
    }
    return json.dumps({**document, **more}, sort_keys=True).encode()


def _at(host: str, repository: str = "pasta/nome") -> ImageReference:
    return ImageReference(host=host, repository=repository)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_registry(tmp_path_factory.mktemp("locked"), password=True) as found:
        yield found


# --- a real registry


def test_blobs_and_manifests_come_back_by_digest(running: Running, tmp_path: Path) -> None:
    big = tmp_path / "layer"
    big.write_bytes(b"0123456789" * 300_000)
    layer, config = _described(big.read_bytes()), _described(b"{}")
    with open_registry(_at(running.host), {}) as registry:
        assert not registry.has_blob(layer.digest)
        registry.push_blob(big, layer)
        registry.push_blob(big, layer)  # twice is once
        registry.push_blob(b"{}", config)
        data = _manifest(layer)
        digest = registry.push_manifest(data, MANIFEST, tag="v1")
        assert registry.has_blob(layer.digest)
        for name in ("v1", digest):
            found = registry.pull_manifest(name)
            assert found is not None
            assert (found.data, found.media_type, found.digest) == (data, MANIFEST, digest)
        assert b"".join(registry.read_blob(layer)) == big.read_bytes()
        assert registry.pull_manifest("v2") is None
        assert registry.pull_manifest(f"sha256:{'0' * 64}") is None


def test_referrers_are_kept_where_the_registry_has_no_list_of_them(running: Running) -> None:
    with open_registry(_at(running.host, "com/assinatura"), {}) as registry:
        registry.push_blob(b"{}", _described(b"{}"))
        subject = registry.push_manifest(_manifest(), MANIFEST, tag="v1")
        assert registry.referrers(subject) == ()
        named = {"subject": _described(_manifest(), MANIFEST).as_json(), "annotations": {"a": "b"}}
        first = registry.push_manifest(_manifest(**named, artifactType="application/x"), MANIFEST, subject=subject)
        second = registry.push_manifest(_manifest(**named, artifactType="application/y"), MANIFEST, subject=subject)
        registry.push_manifest(_manifest(**named, artifactType="application/y"), MANIFEST, subject=subject)
        listed = registry.referrers(subject)
        assert [each.digest for each in listed] == [first, second]
        assert [each.artifact_type for each in listed] == ["application/x", "application/y"]
        assert listed[0].annotations == {"a": "b"}


def test_a_blob_that_is_not_as_described_is_never_there(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "layer"
    path.write_bytes(b"changed")
    wrong = Descriptor(media_type=LAYER, digest=f"sha256:{'1' * 64}", size=7)
    longer = Descriptor(media_type=LAYER, digest=f"sha256:{'1' * 64}", size=3)
    with open_registry(_at(running.host), {}) as registry:
        for described in (wrong, longer):
            with pytest.raises(InputError, match="mudou durante o envio"):
                registry.push_blob(path, described)
        with pytest.raises(ToolError, match="respondeu 400"):
            registry.push_blob(b"changed", wrong)
        assert not registry.has_blob(wrong.digest)


def test_a_changed_blob_of_the_registry_is_seen(running: Running) -> None:
    data = b"as it was"
    layer = _described(data)
    with open_registry(_at(running.host, "trocado"), {}) as registry:
        registry.push_blob(data, layer)
        stored = running.storage / "docker/registry/v2/blobs/sha256" / layer.digest[7:9] / layer.digest[7:] / "data"
        for other in (b"as it is.", b"as it was, and more"):
            stored.write_bytes(other)
            with pytest.raises(IntegrityError, match="no lugar de"):
                list(registry.read_blob(layer))


def test_a_password_is_given_to_who_asks_for_it(locked: Running, tmp_path: Path) -> None:
    environment = docker_login(tmp_path, locked.host)
    with open_registry(_at(locked.host), environment) as registry:
        registry.push_blob(b"{}", _described(b"{}"))
        digest = registry.push_manifest(_manifest(), MANIFEST, tag="v1")
    with open_registry(_at(locked.host), environment) as registry:
        found = registry.pull_manifest("v1")
        assert found is not None
        assert found.digest == digest


@pytest.mark.parametrize("password", ["", "errada"])
def test_a_wrong_password_is_refused_and_not_shown(locked: Running, tmp_path: Path, password: str) -> None:
    environment = docker_login(tmp_path, locked.host, password=password) if password else {"HOME": str(tmp_path)}
    with open_registry(_at(locked.host), environment) as registry, pytest.raises(ToolError) as refused:
        registry.push_blob(b"{}", _described(b"{}"))
    assert "recusou o acesso (401)" in str(refused.value)
    assert "docker login" in str(refused.value)
    assert not password or password not in str(refused.value)


# --- references and credentials


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("localhost/a", "localhost", "a", None, None),
        ("127.0.0.1:5000/a/b:v1", "127.0.0.1:5000", "a/b", "v1", None),
        ("[::1]:5000/a", "[::1]:5000", "a", None, None),
        (f"r.example.org/a_b/c-d@sha256:{'a' * 64}", "r.example.org", "a_b/c-d", None, f"sha256:{'a' * 64}"),
        (f"r.example.org/a:v@sha256:{'a' * 64}", "r.example.org", "a", "v", f"sha256:{'a' * 64}"),
    ],
)
def test_references(text: str, host: str, repository: str, tag: str | None, digest: str | None) -> None:
    found = parse_reference(text)
    assert (found.host, found.repository, found.tag, found.digest) == (host, repository, tag, digest)
    assert str(found) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nome", "host"),
        ("nome/app", "host"),
        ("user@r.example.org/a", "host"),
        ("-r.example.org/a", "host"),
        ("r.example.org/A", "minúsculas"),
        ("r.example.org/a/../b", "minúsculas"),
        ("r.example.org/" + "a" * 300, "minúsculas"),
        ("r.example.org/", "minúsculas"),
        ("r.example.org/a:", "tag"),
        ("r.example.org/a:-v", "tag"),
        ("r.example.org/a@sha256:12", "digest"),
        ("r.example.org/a@md5:12", "digest"),
        ("r.example.org/a:\x1b[2J", "tag"),
    ],
)
def test_references_that_are_none(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        parse_reference(text)
    assert "\x1b" not in str(refused.value)


def _config(folder: Path, content: object) -> dict[str, str]:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text, encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}


def test_credentials_are_those_of_the_registry_alone(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"ana:se:gredo").decode()
    auths = {
        "r.example.org": {"auth": encoded},
        "https://s.example.org": {"username": "u", "password": "p"},
        "t.org": {},
    }
    environment = _config(tmp_path, {"auths": auths})
    found = find_credentials("r.example.org", environment)
    assert found is not None
    assert (found.user, found.password) == ("ana", "se:gredo")
    assert "gredo" not in repr(found)
    second = find_credentials("s.example.org", environment)
    assert second is not None
    assert second.user == "u"
    assert find_credentials("t.org", environment) is None
    assert find_credentials("other.example.org", environment) is None
    assert find_credentials("r.example.org", {}) is None
    home = tmp_path / "home" / ".docker"
    home.mkdir(parents=True)
    _config(home, {"auths": auths})
    assert find_credentials("r.example.org", {"HOME": str(tmp_path / "home")}) is not None


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"auths": 1}',
        '{"auths": {"r.org": {"auth": "%%"}}}',
        '{"auths": {"r.org": {"auth": "/w=="}}}',
        "[" * 9000,
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match="configuração do Docker"):
        find_credentials("r.org", _config(tmp_path, content))


@pytest.mark.parametrize("config", [{"credHelpers": {"r.org": "pass"}}, {"auths": {"r.org": {}}, "credsStore": "pass"}])
def test_a_helper_is_not_run(tmp_path: Path, config: dict[str, Any]) -> None:
    if "auths" in config:
        config["auths"]["r.org"] = {"email": "a@example.org"}
    with pytest.raises(UsageError, match="programa auxiliar"):
        find_credentials("r.org", _config(tmp_path, config))
    assert find_credentials("s.org", _config(tmp_path, config)) is None


def test_offline_refuses_what_is_elsewhere() -> None:
    with pytest.raises(UsageError, match="--offline"), open_registry(_at("r.example.org"), {}, offline=True):
        pass
    with open_registry(_at("127.0.0.1:9"), {}, offline=True) as registry:
        assert isinstance(registry, Registry)


# --- registries that are not as they should be


class _Liar(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[_Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[tuple[str, str, str]] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Liar

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.asked.append((self.command, self.path, self.headers.get("authorization", "")))
        with suppress(OSError):
            self.server.answer(self)

    def do_GET(self) -> None:
        self._any()

    def do_HEAD(self) -> None:
        self._any()

    def do_POST(self) -> None:
        self._any()

    def do_PUT(self) -> None:
        self._any()

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


@contextmanager
def _lying(answer: Callable[[_Handler], None]) -> Iterator[_Liar]:
    with _Liar(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_wire, "_PAUSE_SECONDS", 0.001)


@contextmanager
def _facing(
    answer: Callable[[_Handler], None], environment: dict[str, str] | None = None
) -> Iterator[tuple[_Liar, Registry]]:
    with _lying(answer) as server, open_registry(_at(server.host), environment or {}, seconds=5.0) as registry:
        yield server, registry


def test_failures_that_pass_are_tried_again_and_others_told_once() -> None:
    statuses = iter([503, 429, 200])
    with _facing(lambda handler: handler.send(next(statuses))) as (_, registry):
        assert registry.has_blob(f"sha256:{'0' * 64}")
    with _facing(lambda handler: handler.send(502)) as (server, registry):
        with pytest.raises(ToolError, match="respondeu 502"):
            registry.has_blob(f"sha256:{'0' * 64}")
        assert len(server.asked) == 3
    with _facing(lambda handler: handler.send(418)) as (server, registry):
        with pytest.raises(ToolError, match="respondeu 418"):
            registry.pull_manifest("v1")
        assert len(server.asked) == 1


def test_nobody_there() -> None:
    with open_registry(_at("127.0.0.1:1"), {}) as registry, pytest.raises(ToolError, match="não aceita conexão"):
        registry.has_blob(f"sha256:{'0' * 64}")


def test_other_bytes_than_asked_for_are_refused() -> None:
    body = b'{"schemaVersion": 2}'
    with _facing(lambda handler: handler.send(200, body, content_type=MANIFEST)) as (_, registry):
        with pytest.raises(IntegrityError, match="no lugar de"):
            registry.pull_manifest(f"sha256:{'0' * 64}")
        assert registry.pull_manifest("v1") is not None
    with _facing(lambda handler: handler.send(200, body, docker_content_digest="sha256:1\x1b[")) as (_, registry):
        with pytest.raises(IntegrityError) as refused:
            registry.pull_manifest("v1")
        assert "\x1b" not in str(refused.value)


def test_a_manifest_without_end_is_cut_off() -> None:
    def endless(handler: _Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * 65536)

    with _facing(endless) as (_, registry), pytest.raises(ToolError, match="documento maior"):
        registry.pull_manifest("v1")


def test_an_answer_that_breaks_off_is_told() -> None:
    def half(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    with _facing(half) as (_, registry), pytest.raises(ToolError, match="caiu no meio"):
        registry.pull_manifest("v1")


def test_an_answer_that_drips_ends_with_the_time_for_everything() -> None:
    def dripping(handler: _Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * 1_100_000)

    with (
        _lying(dripping) as server,
        open_registry(_at(server.host), {}, total_seconds=0.3) as registry,
        pytest.raises(ToolError, match="tempo total"),
    ):
        list(registry.read_blob(Descriptor(media_type=LAYER, digest=f"sha256:{'0' * 64}", size=2**50)))


@pytest.mark.parametrize("location", ["", "http://127.0.0.1:1/v2/x", "https://other.example.org/x"])
def test_bytes_and_keys_go_to_no_other_address(location: str) -> None:
    def answer(handler: _Handler) -> None:
        handler.send(*(404,) if handler.command == "HEAD" else (202,), location=location)

    with _facing(answer) as (server, registry):
        with pytest.raises(ToolError, match="outro endereço"):
            registry.push_blob(b"{}", _described(b"{}"))
        assert [command for command, _, _ in server.asked] == ["HEAD", "POST"]


def test_blobs_may_stand_elsewhere_and_keys_do_not_go_there(tmp_path: Path) -> None:
    data = b"elsewhere"
    with _lying(lambda handler: handler.send(200, data)) as store:

        def answer(handler: _Handler) -> None:
            if not handler.headers.get("authorization"):
                handler.send(401, www_authenticate='Basic realm="x"')
            else:
                handler.send(307, location=f"http://{store.host}/data?signed=1")

        with _lying(answer) as server, open_registry(_at(server.host), docker_login(tmp_path, server.host)) as registry:
            assert b"".join(registry.read_blob(_described(data))) == data
            assert server.asked[1][2].startswith("Basic ")
        assert store.asked == [("GET", "/data?signed=1", "")]


def test_a_redirection_within_the_registry_keeps_the_keys(tmp_path: Path) -> None:
    data = b"here"

    def answer(handler: _Handler) -> None:
        if not handler.headers.get("authorization"):
            handler.send(401, www_authenticate='Basic realm="x"')
        elif handler.path == "/moved":
            handler.send(200, data)
        else:
            handler.send(307, location="/moved")

    with _lying(answer) as server, open_registry(_at(server.host), docker_login(tmp_path, server.host)) as registry:
        assert b"".join(registry.read_blob(_described(data))) == data


@pytest.mark.parametrize("location", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_redirections_without_tls_are_refused(location: str) -> None:
    moved = _facing(lambda handler: handler.send(307, location=location))
    with moved as (_, registry), pytest.raises(ToolError, match="sem https"):
        list(registry.read_blob(_described(b"x")))


def test_a_token_is_asked_for_where_the_challenge_says(tmp_path: Path) -> None:
    def answer(handler: _Handler) -> None:
        here = handler.server.host
        if handler.path.startswith("/token"):
            given = handler.headers.get("authorization", "")
            handler.send(200 if given else 403, json.dumps({"access_token": "t0k3n"}).encode())
        elif handler.headers.get("authorization") != "Bearer t0k3n":
            handler.send(
                401, www_authenticate=f'Bearer realm="http://{here}/token",service="s & t",scope="repository:other:*"'
            )
        else:
            handler.send(200)

    with _lying(answer) as server:
        with open_registry(_at(server.host), docker_login(tmp_path, server.host)) as registry:
            assert registry.has_blob(f"sha256:{'0' * 64}")
        assert server.asked[1][1] == "/token?service=s+%26+t&scope=repository%3Apasta%2Fnome%3Apull%2Cpush"
        with open_registry(_at(server.host), {}) as registry, pytest.raises(ToolError, match="recusou \\(403\\)"):
            registry.has_blob(f"sha256:{'0' * 64}")


@pytest.mark.parametrize(
    ("realm", "body", "reason"),
    [
        ("http://example.org/token", b"", "sem https"),
        ("", b"", "sem https"),
        ("http://{host}/token", b"{", "não respondeu um token"),
        ("http://{host}/token", b"[]", "não respondeu um token"),
        ("http://{host}/token", b'{"token": "a\\nb: c"}', "recusou"),
        ("http://{host}/token", b" " * 100_000, "não respondeu um token"),
        ("http://127.0.0.1:1/token", b"", "não respondeu um token"),
    ],
)
def test_a_token_that_is_none(tmp_path: Path, realm: str, body: bytes, reason: str) -> None:
    def answer(handler: _Handler) -> None:
        if handler.path.startswith("/token"):
            handler.send(200, body)
        else:
            handler.send(401, www_authenticate=f'Bearer realm="{realm.format(host=handler.server.host)}"')

    with _lying(answer) as server, open_registry(_at(server.host), docker_login(tmp_path, server.host)) as registry:
        with pytest.raises(ToolError, match=reason) as refused:
            registry.has_blob(f"sha256:{'0' * 64}")
        assert PASSWORD not in str(refused.value)


def test_a_token_that_runs_out_is_renewed_and_an_upload_begun_again(tmp_path: Path) -> None:
    given = {"n": 0, "puts": 0}

    def answer(handler: _Handler) -> None:
        if handler.path.startswith("/token"):
            given["n"] += 1
            handler.send(200, json.dumps({"token": f"t{given['n']}"}).encode())
        elif handler.headers.get("authorization") != f"Bearer t{max(given['n'], 1)}":
            handler.send(401, www_authenticate=f'Bearer realm="http://{handler.server.host}/token"')
        elif handler.command == "HEAD":
            handler.send(404)
        elif handler.command == "POST":
            handler.send(202, location="/v2/upload?state=1")
        else:
            given["puts"] += 1
            if given["puts"] == 1:
                given["n"] += 1  # the token that was given is no longer good
                handler.send(401)
            else:
                handler.send(201)

    path = tmp_path / "blob"
    path.write_bytes(b"{}")
    with _facing(answer) as (_, registry):
        registry.push_blob(path, _described(b"{}"))
    assert given["puts"] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"manifests": 1}',
        b'{"manifests": [{}]}',
        b'{"manifests": [{"mediaType": "a", "digest": "x", "size": 1}]}',
    ],
)
def test_a_list_of_referrers_that_is_none(body: bytes) -> None:
    with _facing(lambda handler: handler.send(200, body)) as (_, registry), pytest.raises(PipelineError):
        registry.referrers(f"sha256:{'0' * 64}")


def test_names_that_would_be_other_requests_are_refused() -> None:
    with _facing(lambda handler: handler.send(200)) as (server, registry):
        for call in (registry.pull_manifest, registry.has_blob, registry.referrers):
            with pytest.raises(PipelineError):
                call("../../x?y=\r\nz")
        assert server.asked == []

"""The gateway adapter against a real server that misbehaves (threats T20, T21; inputs 58 and 60)."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from opinion_upstream import Upstream, serving
from pipeline.adapters.litellm import Gateway, open_gateway
from pipeline.errors import InputError

KEY = "sk-chave-do-gateway-9876"
REQUEST = json.dumps(
    {"messages": [{}, {"content": json.dumps({"nonce": "n", "commit": "c", "package": "p"})}]}
).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with serving() as upstream:
        yield upstream


def gateway(url: str, *, deadline: float = 10, tries: int = 1, answer_bytes: int = 65_536) -> Gateway:
    return open_gateway(url, KEY, hosts=(), deadline_seconds=deadline, tries=tries, answer_bytes=answer_bytes)


def test_a_good_answer_comes_back_whole(server: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.behaviour = "good"
    for suffix in ("", "/", "/v1", "/v1/"):
        reply = gateway(server.url + suffix).ask(REQUEST)
        assert (reply.reason, reply.status, reply.attempts) == ("", 200, 1)
        assert json.loads(reply.body)["choices"]
    assert server.requests[-1] == REQUEST
    headers = {name.lower(): value for name, value in server.headers[-1].items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept-encoding"] == "identity"


def test_without_a_key_no_header_is_sent(server: Upstream) -> None:
    server.behaviour = "good"
    made = open_gateway(server.url, "", hosts=(), deadline_seconds=5, tries=1, answer_bytes=65_536)
    assert made.ask(REQUEST).reason == ""
    assert "authorization" not in {name.lower() for name in server.headers[-1]}


@pytest.mark.parametrize(
    ("behaviour", "status", "said"),
    [
        ("redirect", 301, "redirecionamentos são recusados"),
        ("401", 401, "respondeu 401"),
        ("html", 200, "não respondeu JSON"),
        ("gzip", 200, "comprimiu"),
        ("huge", 200, "maior que 65536 bytes"),
        ("hang-up", None, "caiu no meio"),
    ],
)
def test_what_is_no_answer_is_told_as_such(server: Upstream, behaviour: str, status: int | None, said: str) -> None:
    server.behaviour = behaviour
    reply = gateway(server.url).ask(REQUEST)
    assert said in reply.reason
    assert reply.status == status
    assert len(reply.body) <= 16_384


@pytest.mark.parametrize(("behaviour", "tries"), [("429", 2), ("503", 2), ("500", 1), ("hang-up", 2)])
def test_what_may_pass_is_tried_again_and_no_more_than_allowed(server: Upstream, behaviour: str, tries: int) -> None:
    server.behaviour = behaviour
    before = len(server.requests)
    reply = gateway(server.url, tries=tries).ask(REQUEST)
    assert reply.reason
    assert reply.attempts == tries == len(server.requests) - before


def test_tries_end_with_the_deadline(server: Upstream) -> None:
    server.behaviour = "429"
    reply = gateway(server.url, tries=5, deadline=1).ask(REQUEST)
    assert reply.attempts < 5
    assert "429" in reply.reason


def test_a_key_that_is_no_good_is_not_tried_again(server: Upstream) -> None:
    server.behaviour = "401"
    assert gateway(server.url, tries=3).ask(REQUEST).attempts == 1


@pytest.mark.parametrize("behaviour", ["slow", "drip", "drip-headers"])
def test_the_total_deadline_holds(server: Upstream, behaviour: str) -> None:
    server.behaviour = behaviour
    began = time.monotonic()
    reply = gateway(server.url, deadline=1).ask(REQUEST)
    assert reply.reason
    assert time.monotonic() - began < 10, "far less than the 20 s that the server would take"


def test_an_echoed_key_is_masked(server: Upstream) -> None:
    server.behaviour = "echo-key"
    made = gateway(server.url)
    reply = made.ask(REQUEST)
    assert KEY not in reply.body
    assert "[oculto: chave do gateway]" in reply.body
    assert KEY not in repr(made)
    assert KEY not in reply.reason


def test_bytes_that_are_not_utf8_are_kept_as_escapes(server: Upstream) -> None:
    server.behaviour = "not-utf8"
    assert gateway(server.url).ask(REQUEST).body.startswith("\\xff\\xfe")


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:9", "não há conexão"), ("https://gateway.invalid", "não há conexão")],
)
def test_nobody_there(url: str, said: str) -> None:
    reply = gateway(url, deadline=10).ask(REQUEST)
    assert said in reply.reason or "tempo" in reply.reason or "nenhuma resposta" in reply.reason
    assert reply.status is None


def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate of this test, and is not here")
    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=outro.example", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_given: None  # type: ignore[method-assign]  # the refusal is the test
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        reply = gateway(f"https://127.0.0.1:{server.server_address[1]}", deadline=5).ask(REQUEST)
        server.shutdown()
        thread.join(5)
    assert reply.reason == "o certificado do gateway não vale"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://gateway.example", "loopback"),
        ("http://127.0.0.1.example", "loopback"),
        ("http://10.0.0.1:4000", "loopback"),
        ("http://0.0.0.0:4000", "loopback"),
        ("ftp://gateway.example", "https"),
        ("file:///etc/passwd", "https"),
        ("gateway.example", "https"),
        ("https://", "https"),
        ("https://user:pass@gateway.example", "credencial"),
        ("https://gateway.example/?key=1", "credencial"),
        ("https://gateway.example/#x", "credencial"),
        ("https://gateway.example:99999", "não é um endereço"),
        ("https://[::1", "não é um endereço"),
        ("https://gate\u202eway.example", "https"),
    ],
)
def test_addresses_that_must_not_be_asked(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        gateway(url)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://gateway.example", "https://gateway.example/v1/chat/completions"),
        ("https://gateway.example/llm/v1/", "https://gateway.example/llm/v1/chat/completions"),
        ("http://localhost:4000", "http://localhost:4000/v1/chat/completions"),
        ("http://[::1]:4000", "http://[::1]:4000/v1/chat/completions"),
    ],
)
def test_addresses_that_may_be_asked(url: str, asked: str) -> None:
    assert gateway(url).url == asked


def test_only_hosts_of_the_list_where_there_is_one() -> None:
    given = {"deadline_seconds": 5, "tries": 1, "answer_bytes": 1024}
    assert open_gateway("https://a.example", "", hosts=("a.example",), **given)
    with pytest.raises(InputError, match="hosts"):
        open_gateway("https://b.example", "", hosts=("a.example",), **given)


@pytest.mark.parametrize("key", ["a\nb", "chave com espaço", "ção"])
def test_a_key_that_is_no_header_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InputError, match="LITELLM_API_KEY") as caught:
        open_gateway("https://a.example", key, hosts=(), deadline_seconds=5, tries=1, answer_bytes=1024)
    assert key not in str(caught.value)

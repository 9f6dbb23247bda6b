"""A small OpenAI-compatible server on loopback that answers well, badly, slowly, hugely, or not at all, as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opinion_cases import chat, good_answer

__all__ = ["BEHAVIOURS", "Upstream", "serving"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.requests.append(body)
        self.server.headers.append(dict(self.headers))
        self.close_connection = True
        with suppress(OSError):
            BEHAVIOURS[self.server.behaviour](self, body)

    def send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


class Upstream(ThreadingHTTPServer):
    """``behaviour`` names how the next request is answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = "good"
        self.requests: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:  # a client that leaves is part of the tests
        pass


@contextmanager
def serving() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.gone.set()
            server.shutdown()
            thread.join(5)


def _saying(**changed: Any) -> Callable[[_Handler, bytes], None]:
    def answer(handler: _Handler, body: bytes) -> None:
        handler.send(200, chat(json.dumps(good_answer(body, **changed))).encode())

    return answer


def _content(text: str, finish: str = "stop") -> Callable[[_Handler, bytes], None]:
    return lambda handler, _body: handler.send(200, chat(text, finish=finish).encode())


def _status(
    status: int, text: str = '{"error": {"message": "não"}}', **headers: str
) -> Callable[[_Handler, bytes], None]:
    return lambda handler, _body: handler.send(status, text.encode(), **headers)


def _fenced(handler: _Handler, body: bytes) -> None:
    handler.send(200, chat(f"```json\n{json.dumps(good_answer(body))}\n```").encode())


def _cut(handler: _Handler, body: bytes) -> None:
    handler.send(200, chat(json.dumps(good_answer(body))[:-20]).encode())


def _huge(handler: _Handler, _body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("connection", "close")
    handler.end_headers()
    for _ in range(16 * 64):  # at most 64 MB, if nobody stops it
        handler.wfile.write(b" " * 65_536)


def _slow(handler: _Handler, body: bytes) -> None:
    if not handler.server.gone.wait(20):
        _saying()(handler, body)


def _drip(handler: _Handler, _body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    until = time.monotonic() + 20
    while time.monotonic() < until and not handler.server.gone.wait(0.2):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def _drip_headers(handler: _Handler, _body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    until = time.monotonic() + 20
    while time.monotonic() < until and not handler.server.gone.wait(0.2):
        handler.wfile.write(b"X-Slow: 1\r\n")
        handler.wfile.flush()


def _hang_up(handler: _Handler, _body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.close()


def _echo_key(handler: _Handler, _body: bytes) -> None:
    key = handler.headers.get("authorization", "")
    handler.send(401, json.dumps({"error": {"message": f"bad key: {key}"}}).encode())


BEHAVIOURS: dict[str, Callable[[_Handler, bytes], None]] = {
    "good": _saying(),
    "block": _saying(recommendation="bloquear", risk_score=95, impact="critico", reasons=["Falta isolamento."]),
    "condition": _saying(recommendation="liberar_com_condicoes", risk_score=30, conditions=["Provar a restauração."]),
    "other-commit": _saying(commit="deadbeef"),
    "other-nonce": _saying(nonce="0" * 32),
    "extra-field": _saying(verdict="liberar"),
    "bad-enum": _saying(recommendation="release"),
    "float-score": _saying(risk_score=1.5),
    "out-of-range": _saying(risk_score=-5),
    "contradiction": _saying(risk_score=95),
    "prose": _content("Pode liberar, está tudo certo."),
    "empty": _content(""),
    "html-text": _content("<html><body>liberar</body></html>"),
    "length": _content('{"nonce": "', finish="length"),
    "fenced": _fenced,
    "cut": _cut,
    "html": lambda handler, _body: handler.send(200, b"<html>login</html>", "text/html"),
    "gzip": lambda handler, _body: handler.send(200, b"\x1f\x8b00", content_encoding="gzip"),
    "not-utf8": lambda handler, _body: handler.send(200, b"\xff\xfe\x00{"),
    "redirect": _status(301, "", location="http://127.0.0.1:1/roubado"),
    "401": _status(401),
    "429": _status(429),
    "500": _status(500, "<html>erro</html>"),
    "503": _status(503),
    "huge": _huge,
    "slow": _slow,
    "drip": _drip,
    "drip-headers": _drip_headers,
    "hang-up": _hang_up,
    "echo-key": _echo_key,
}

"""A headless Chromium held by its pipe (DevTools protocol): pages at a width and in a theme, and what they ask for."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinnedenv import cache_folder

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip
_DEADLINE_SECONDS = 60
_AXE = "4.14.1"
_AXE_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


class Browser:
    """One tab. ``requests`` and ``messages`` are what pages asked for and complained about since ``open``."""

    def __init__(self, process: subprocess.Popen[bytes], reading: int, writing: int) -> None:
        self._process = process
        self._reading, self._writing = reading, writing
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.messages: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, *, width: int = 1440, dark: bool = False) -> None:
        """Load a file and wait until it is there."""
        scheme = "dark" if dark else "light"
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.requests, self.messages = [], []
        self._call("Page.navigate", url=page.as_uri())
        self._until("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, promises awaited."""
        said = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def picture(self) -> bytes:
        """PNG of the whole page."""
        return base64.b64decode(self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        asked: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._writing, json.dumps(asked).encode() + b"\0")
        while True:
            said = self._receive()
            if said.get("id") == number:
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result
            self._note(said)

    def _until(self, method: str) -> None:
        while (said := self._receive()).get("method") != method:
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        given = said.get("params", {})
        if said.get("method") == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif said.get("method") == "Log.entryAdded":
            self.messages.append(given["entry"]["text"])
        elif said.get("method") in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown"}:
            self.messages.append(json.dumps(given))

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + _DEADLINE_SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reading], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._reading, 1 << 20) if ready else b""
            assert part, "the browser does not answer"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser of one's own, gone at the end; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium: apt-get install -y chromium")
    given, writing = os.pipe()
    reading, answered = os.pipe()
    # The browser reads descriptor 3 and writes 4, whatever their numbers are here.
    shell = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
    command = ["bash", "-c", shell, "bash", str(given), str(answered), program, *_FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [*command, "about:blank"], pass_fds=(given, answered), stderr=subprocess.DEVNULL, start_new_session=True
    )
    os.close(given)
    os.close(answered)
    try:
        yield Browser(process, reading, writing)
    finally:
        os.close(writing)
        os.close(reading)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def axe_script() -> str:
    """axe-core as npm delivers it, checked by its hash and kept; skips where it cannot be fetched."""
    kept = cache_folder() / f"axe-core-{_AXE}.tgz"
    if not kept.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("needs npm, to fetch axe-core")
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(
                [npm, "pack", f"axe-core@{_AXE}", "--silent", "--pack-destination", kept.parent],
                check=True, capture_output=True, timeout=120, cwd=kept.parent,
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            pytest.skip(f"axe-core cannot be fetched here: {error}")
    found = base64.b64encode(hashlib.sha512(kept.read_bytes()).digest()).decode()
    assert found == _AXE_SHA512, f"{kept} is not axe-core {_AXE}"
    with tarfile.open(kept) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()
